//! `gesta config`: what a server would be set to, and why.

use clap::Args;
use serde_json::json;

use crate::{
    exit::{Exit, Outcome},
    settings::{self, Origin, SettingArgs, Settings},
    shell::{DIM, Format, Shell, printable},
    table::{Column, Table},
    target::Target,
};

/// Arguments of `gesta config`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta config                                              every setting of `gesta serve`, and where it comes from
  gesta config --config /etc/gesta.toml                     with the settings of a file
  gesta config -o ndjson | jq -c 'select(.source!=\"default\")' what was set
A flag counts more than the environment, that more than the file, and all of them more than the default.")]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    settings: SettingArgs,
}

/// Prints the settings.
pub(crate) fn run(args: &ConfigArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let resolved = settings::resolve(&args.settings, target.dir())?;
    for name in &resolved.unknown_variables {
        shell.say(format_args!("there is no such setting, variable={name}"));
    }
    let default = Settings::default();
    let mut table = Table::new([Column::text("setting"), Column::long("value"), Column::long("source").styled(DIM)]);
    for (setting, value, origin) in resolved.rows() {
        match shell.format() {
            Format::Table => table.row([setting.name.to_owned(), value, origin.to_string()]),
            Format::Plain => shell.line(format_args!("{}\t{}\t{origin}", setting.name, printable(&value)))?,
            Format::Ndjson => shell.json(&json!({
                "setting": setting.name, "value": value, "source": kind(origin), "where": origin.to_string(),
                "default": setting.shown(&default), "flag": format!("--{}", setting.flag()),
                "variable": setting.variable(), "help": setting.help,
            }))?,
        }
    }
    table.print(shell)?;
    Ok(Exit::Ok)
}

fn kind(origin: &Origin) -> &'static str {
    match origin {
        Origin::Default => "default",
        Origin::File(..) => "file",
        Origin::Env(_) => "environment",
        Origin::Flag(_) => "flag",
    }
}

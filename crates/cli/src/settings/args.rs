//! The flags of the settings, made from the table.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, ValueHint};

use super::{
    Origin, Said, Settings,
    field::{Field, Given},
    table::SETTINGS,
};

/// What was said by flags.
#[derive(Clone, Debug, Default)]
pub(crate) struct SettingArgs {
    /// The file of settings.
    pub(crate) config: Option<PathBuf>,
    /// Settings by their number, with what was given.
    given: Vec<(usize, String)>,
}

impl SettingArgs {
    pub(super) fn said(&self) -> impl Iterator<Item = Said> {
        self.given.iter().map(|(setting, text)| Said {
            setting: *setting,
            given: Given::Text(text.clone()),
            origin: Origin::Flag(format!("--{}", SETTINGS[*setting].flag())),
        })
    }

    #[cfg(test)]
    pub(super) fn of(config: Option<PathBuf>, given: Vec<(usize, String)>) -> Self {
        Self { config, given }
    }
}

impl Args for SettingArgs {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .value_hint(ValueHint::FilePath)
            .help("File of settings [env: GESTA_CONFIG] [default: gesta.toml in the store's directory or beside it, if there is one]");
        let default = Settings::default();
        let settings = SETTINGS.iter().map(|setting| {
            let help = format!("{} [default: {}]", setting.help, setting.shown(&default));
            let arg = Arg::new(setting.name)
                .long(setting.flag())
                .value_name(setting.field.shape())
                .help(help)
                .help_heading("Settings, each also as a variable (GESTA_LIMITS_CONNECTIONS) and in the file ([limits] connections)");
            match setting.field {
                Field::Flag { .. } => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
                Field::Number { .. } | Field::Bytes { .. } | Field::Span { .. } | Field::Text { .. } => {
                    arg.action(ArgAction::Set)
                }
            }
        });
        command.arg(config).args(settings)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = SETTINGS
            .iter()
            .enumerate()
            .filter_map(|(number, setting)| matches.get_one::<String>(setting.name).map(|text| (number, text.clone())));
        Ok(Self { config: matches.get_one::<PathBuf>("config").cloned(), given: given.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

//! `gesta streams`: the streams there are, in order of their names.

use clap::Args;
use gesta::StreamName;
use serde_json::json;

use crate::{
    exit::{Exit, Outcome, quoted},
    reach::StreamRow,
    shell::{Format, Shell, counted},
    table::{Column, Table},
    target::Target,
};

/// Arguments of `gesta streams`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta streams                        all of them
  gesta streams order- -n 100          the first hundred orders
  gesta streams --after order-17       the ones behind order-17
  gesta streams -o plain | cut -f1     names only")]
pub(crate) struct StreamsArgs {
    /// Only streams whose names begin so
    #[arg(default_value = "")]
    prefix: String,
    /// At most so many
    #[arg(short = 'n', long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Only streams whose names come after NAME
    #[arg(long, value_name = "NAME")]
    after: Option<StreamName>,
}

/// Streams asked for at a time.
const PAGE: usize = 1000;

/// Prints the streams.
pub(crate) fn run(args: &StreamsArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let store = target.reach()?;
    let mut table =
        Table::new([Column::text("stream"), Column::number("last revision"), Column::number("last position")]);
    let mut after = args.after.clone();
    let mut room = args.limit.unwrap_or(usize::MAX);
    while room > 0 {
        let asked = room.min(PAGE);
        let page = store.streams(&args.prefix, after.as_ref(), asked)?;
        for stream in &page {
            print(stream, &mut table, shell)?;
        }
        table.print(shell)?;
        room -= page.len().min(room);
        match page.last() {
            Some(last) if page.len() == asked => after = Some(StreamName::new(&last.name)?),
            _ => return Ok(Exit::Ok),
        }
    }
    if let Some(after) = after {
        let shown = args.limit.unwrap_or_default() as u64;
        shell.say(format_args!("{} shown; for more: --after {}", counted(shown, "stream"), quoted(&after)));
    }
    Ok(Exit::Ok)
}

fn print(stream: &StreamRow, table: &mut Table, shell: &mut Shell) -> Outcome<()> {
    let StreamRow { name, last_revision, last_position } = stream;
    match shell.format() {
        Format::Table => {
            table.row([name.to_string(), last_revision.to_string(), last_position.to_string()]);
            Ok(())
        }
        Format::Plain => shell.line(format_args!("{name}\t{last_revision}\t{last_position}")),
        Format::Ndjson => shell.json(&json!({
            "stream": name, "lastRevision": last_revision, "lastPosition": last_position.to_string(),
        })),
    }
}

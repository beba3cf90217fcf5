//! `gesta read`: a stream, the whole log, or what a query matches; forward or backward; now or as of then.

use clap::Args;
use gesta::{EventStore, ReadOptions, Source};

use crate::{
    event_list::EventList,
    exit::{Exit, Outcome},
    query_args::{FilterArgs, RangeArgs},
    shell::Shell,
    target::Target,
};

/// Arguments of `gesta read`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta read order-17                               a stream, oldest first
  gesta read order-17 --from 3 -n 10                from revision 3
  gesta read -rn 20                                 the newest 20 events of the whole log
  gesta read --type 'Order*' --tag vip              a query
  gesta read --path '/files/src/**' --at 2026-01-31 what had happened under src by then
  gesta read '$ce-order' -o ndjson | jq .data       a category, through jq")]
pub(crate) struct ReadArgs {
    /// The stream, real or virtual ($ce-CATEGORY, $et-TYPE, $bc-CORRELATION, $streams) [default: the whole log]
    stream: Option<String>,
    #[command(flatten)]
    filters: FilterArgs,
    #[command(flatten)]
    range: RangeArgs,
}

/// Prints the events.
pub(crate) fn run(args: &ReadArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let source = args.filters.source(args.stream.as_deref())?;
    let options = args.range.options(&source)?;
    let store = target.open()?;
    let list = EventList::new(&source, options.resolve_links);
    print_all(&store, source, options, list, shell)?;
    Ok(Exit::Ok)
}

/// Prints the events of `source` into `list`. Returns how many.
pub(crate) fn print_all(
    store: &EventStore,
    source: Source,
    options: ReadOptions,
    mut list: EventList,
    shell: &mut Shell,
) -> Outcome<u64> {
    let mut read = store.read(source, options)?;
    while let Some(batch) = read.next_batch()? {
        list.print(&batch, shell)?;
    }
    list.finish(shell)?;
    Ok(list.printed())
}

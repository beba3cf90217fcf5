//! `gesta read`: a stream, the whole log, or what a query matches; forward or backward; now or as of then.

use clap::Args;
use gesta::{Error, ErrorKind, ReadOptions, Revision, Source};
use gesta_server::native::ClientError;

use crate::{
    event_list::EventList,
    exit::{Exit, Failure, Outcome},
    query_args::{FilterArgs, RangeArgs},
    reach::Reached,
    shell::Shell,
    target::Target,
    time,
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
    let store = target.reach()?;
    let list = EventList::new(&source, options.resolve_links);
    print_all(&store, source, options, list, shell)?;
    Ok(Exit::Ok)
}

/// Prints the events of `source` into `list`. Returns how many.
pub(crate) fn print_all(
    store: &Reached,
    source: Source,
    options: ReadOptions,
    mut list: EventList,
    shell: &mut Shell,
) -> Outcome<u64> {
    let of_the_past = options.as_of.is_some();
    let mut read = match store.read(source.clone(), options) {
        Err(ClientError::Store(error)) if error.kind() == ErrorKind::NotFound && of_the_past => {
            return Err(not_then(store, source, error));
        }
        read => read?,
    };
    while let Some(events) = read.next()? {
        list.print_all(events, shell)?;
    }
    list.finish(shell)?;
    Ok(list.printed())
}

/// Why a stream could not be read as of a moment: a stream that is there now began later.
fn not_then(store: &Reached, source: Source, error: Error) -> Failure {
    let first = store.read(source.clone(), ReadOptions { limit: Some(1), ..ReadOptions::default() });
    let first = first.ok().and_then(|mut read| read.next().ok().flatten()?.into_recorded().into_iter().next());
    match (source, first) {
        (Source::Stream(stream), Some(first)) if first.revision == Revision::START => {
            let (position, recorded) = (first.position, time::rfc3339(first.recorded_at));
            let what = format!("stream had no events yet then, stream={stream} first={position} recorded={recorded}");
            Failure::new(Exit::NotFound, what).with_remedy(format!("read it as of then or later: --at @{position}"))
        }
        _ => Failure::from(error).at("as of then"),
    }
}

//! `gesta follow`: a read that waits at the end.

use std::time::Duration;

use clap::Args;
use gesta::{Delivery, Direction, EventStore, From, ReadOptions, RecordedEvent, Source};

use crate::{
    event_list::EventList,
    exit::{Exit, Failure, Outcome},
    interrupt::Interrupt,
    query_args::{FilterArgs, place},
    shell::Shell,
    target::Target,
    time,
};

/// Arguments of `gesta follow`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta follow                                 what is recorded from now on
  gesta follow order-17 --from start           a stream from its beginning, then what comes
  gesta follow --type 'Order*' -n 10           the last ten, then what comes
  gesta follow -o ndjson | jq -r .type         through jq
Ends with Ctrl-C (exit code 130), with --limit, or with --until-idle.")]
pub(crate) struct FollowArgs {
    /// The stream, real or virtual [default: the whole log]
    stream: Option<String>,
    #[command(flatten)]
    filters: FilterArgs,
    /// Where to begin: `now`, `start`, a revision (with STREAM), a position as `@118`, or a time [default: now]
    #[arg(long, value_name = "PLACE", conflicts_with = "last", allow_hyphen_values = true)]
    from: Option<String>,
    /// Begin with the last so many events
    #[arg(short = 'n', long, value_name = "COUNT")]
    last: Option<u64>,
    /// End after so many events
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
    /// End when nothing has come for so long: `500ms`, `10s`
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    until_idle: Option<Duration>,
    /// Show what links point to instead of the links
    #[arg(long)]
    resolve_links: bool,
}

/// How long the program is deaf to Ctrl-C.
const PATIENCE: Duration = Duration::from_millis(100);

/// Prints events as they come.
pub(crate) fn run(args: &FollowArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let source = args.filters.source(args.stream.as_deref())?;
    let from = args.from.as_deref().map_or(Ok(From::Now), |from| place(from, &source))?;
    let store = target.open()?;
    let interrupt = Interrupt::listen()?;
    let mut list = EventList::new(&source, args.resolve_links);
    let from = match args.last {
        None => from,
        Some(last) => print_last(&store, &source, last, args, &mut list, shell)?,
    };
    follow(&store, source, from, args, &mut list, &interrupt, shell)
}

/// Prints the last `last` events; what follows begins at the returned place.
fn print_last(
    store: &EventStore,
    source: &Source,
    last: u64,
    args: &FollowArgs,
    list: &mut EventList,
    shell: &mut Shell,
) -> Outcome<From> {
    let options = ReadOptions {
        direction: Direction::Backward,
        limit: Some(last),
        resolve_links: args.resolve_links,
        ..ReadOptions::default()
    };
    let head = store.head().position();
    let mut read = match store.read(source.clone(), options) {
        Ok(read) => read,
        // A stream that is not there yet has no last events.
        Err(error) if error.kind() == gesta::ErrorKind::NotFound => return Ok(From::Position(head)),
        Err(error) => return Err(error.into()),
    };
    let head = read.head();
    let mut events: Vec<RecordedEvent> = Vec::new();
    while let Some(batch) = read.next_batch()? {
        events.extend(batch.to_recorded());
    }
    for event in events.iter().rev() {
        list.print_one(event.into(), shell)?;
    }
    shell.flush()?;
    Ok(From::Position(head))
}

fn follow(
    store: &EventStore,
    source: Source,
    from: From,
    args: &FollowArgs,
    list: &mut EventList,
    interrupt: &Interrupt,
    shell: &mut Shell,
) -> Outcome<Exit> {
    let options = ReadOptions { from, resolve_links: args.resolve_links, ..ReadOptions::default() };
    let mut subscription = store.subscribe(source, options)?;
    let mut idle = Duration::ZERO;
    loop {
        if interrupt.is_requested() {
            let next = subscription.checked_to();
            return Err(Failure::new(Exit::Interrupted, format!("interrupted, go on with --from @{next}")));
        }
        if args.limit.is_some_and(|limit| list.printed() >= limit) {
            return Ok(Exit::Ok);
        }
        match subscription.next(Some(PATIENCE))? {
            Some(Delivery::Events(batch)) => {
                print_within(args.limit, &batch, list, shell)?;
                shell.flush()?;
                idle = Duration::ZERO;
            }
            Some(_) => {}
            None => idle += PATIENCE,
        }
        if args.until_idle.is_some_and(|patience| idle >= patience) {
            return Ok(Exit::Ok);
        }
    }
}

/// Prints of `batch` what `limit` leaves room for.
fn print_within(limit: Option<u64>, batch: &gesta::Batch, list: &mut EventList, shell: &mut Shell) -> Outcome<()> {
    let room = limit.map_or(u64::MAX, |limit| limit.saturating_sub(list.printed()));
    if batch.len() as u64 <= room {
        return list.print(batch, shell);
    }
    for event in batch.to_recorded().iter().take(usize::try_from(room).unwrap_or(usize::MAX)) {
        list.print_one(event.into(), shell)?;
    }
    Ok(())
}

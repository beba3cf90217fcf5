//! `gesta follow`: a read that waits at the end.
//!
//! A store is open in one program at a time, so between two looks `follow` closes it: whoever appends finds it free. Where the
//! look ended, the next one begins, so nothing is lost or shown twice.

use std::time::{Duration, Instant};

use clap::Args;
use gesta::{
    Batch, Delivery, Direction, ErrorKind, EventStore, From, ReadOptions, RecordedEvent, Source, StreamName,
    SubscribeOptions,
};

use super::{follow_group, follow_group_server, follow_server, group::group_name};
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
  gesta follow --group mailer                  the messages of a consumer group, acked as they are printed
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
    pub(super) last: Option<u64>,
    /// Take the messages of this consumer group (of STREAM, if it is on one) instead, and ack them as they are printed
    #[arg(long, value_name = "GROUP", conflicts_with_all = ["from", "last", "resolve_links"])]
    group: Option<String>,
    /// End after so many events
    #[arg(long, value_name = "COUNT")]
    pub(super) limit: Option<u64>,
    /// End when nothing has come for so long: `500ms`, `10s`
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    pub(super) until_idle: Option<Duration>,
    /// Show what links point to instead of the links
    #[arg(long)]
    pub(super) resolve_links: bool,
}

/// How often it is looked for new events.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How many times longer than a look a pause is, at least.
const LOOK_SHARE: u32 = 20;
/// How long the program is deaf to Ctrl-C.
pub(super) const DEAF_FOR: Duration = Duration::from_millis(50);

/// Prints events as they come.
pub(crate) fn run(args: &FollowArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    if let Some(group) = &args.group {
        let on = args.stream.as_deref().map(StreamName::new).transpose()?;
        if args.filters.source(None)? != Source::All {
            return Err(Failure::usage("what a group follows was said when it was created: no filters with --group"));
        }
        let group = group_name(group, on.as_ref())?;
        return match target.url() {
            Some(url) => follow_group_server::run(args, &group, &target.connect(url)?, shell),
            None => follow_group::run(args, &group, target, shell),
        };
    }
    let source = args.filters.source(args.stream.as_deref())?;
    let from = args.from.as_deref().map_or(Ok(From::Now), |from| place(from, &source))?;
    if let Some(url) = target.url() {
        return follow_server::run(args, &target.connect(url)?, &source, from, shell);
    }
    let interrupt = Interrupt::listen()?;
    let list = EventList::new(&source, args.resolve_links);
    let mut following = Following { args, source, from, list };
    if let Some(last) = args.last {
        following.print_last(&target.open()?, last, shell)?;
    }
    watch(args, target, &interrupt, |store| {
        let heard = following.catch_up(&store, &interrupt, shell)?;
        drop(store);
        if interrupt.is_requested() {
            let From::Position(next) = following.from else { return Err(interrupted("")) };
            return Err(interrupted(&format!(", go on with --from @{next}")));
        }
        Ok(Looked { heard, printed: following.list.printed() })
    })
}

/// What a look at the store came to.
pub(super) struct Looked {
    /// Whether there was anything new.
    pub(super) heard: bool,
    /// Events printed so far.
    pub(super) printed: u64,
}

/// Looks at the store again and again, until `--limit` or `--until-idle` ends it. A look closes the store, so that others can append.
pub(super) fn watch(
    args: &FollowArgs,
    target: &Target,
    interrupt: &Interrupt,
    mut look: impl FnMut(EventStore) -> Outcome<Looked>,
) -> Outcome<Exit> {
    let mut heard = Instant::now();
    loop {
        let begun = Instant::now();
        let looked = look(target.open()?)?;
        if looked.heard {
            heard = Instant::now();
        }
        let done = args.limit.is_some_and(|limit| looked.printed >= limit);
        if done || args.until_idle.is_some_and(|patience| heard.elapsed() >= patience) {
            return Ok(Exit::Ok);
        }
        // The larger the store, the longer it takes to open: never more than a small part of the time is spent on it.
        pause(LOOK_EVERY.max(LOOK_SHARE * begun.elapsed()), interrupt);
    }
}

pub(super) fn interrupted(how_to_go_on: &str) -> Failure {
    Failure::new(Exit::Interrupted, format!("interrupted{how_to_go_on}"))
}

fn pause(length: Duration, interrupt: &Interrupt) {
    let begun = Instant::now();
    while begun.elapsed() < length && !interrupt.is_requested() {
        std::thread::sleep(length.saturating_sub(begun.elapsed()).min(DEAF_FOR));
    }
}

/// How the last `last` events are read: the newest first.
pub(super) fn last_events(last: u64, resolve_links: bool) -> ReadOptions {
    ReadOptions { direction: Direction::Backward, limit: Some(last), resolve_links, ..ReadOptions::default() }
}

struct Following<'a> {
    args: &'a FollowArgs,
    source: Source,
    from: From,
    list: EventList,
}

impl Following<'_> {
    /// Prints the last `last` events; what follows begins behind them.
    fn print_last(&mut self, store: &EventStore, last: u64, shell: &mut Shell) -> Outcome<()> {
        let options = last_events(last, self.args.resolve_links);
        self.from = From::Position(store.head().position());
        let mut read = match store.read(self.source.clone(), options) {
            Ok(read) => read,
            // A stream that is not there yet has no last events.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.from = From::Position(read.head());
        let mut events: Vec<RecordedEvent> = Vec::new();
        while let Some(batch) = read.next_batch()? {
            events.extend(batch.to_recorded());
        }
        for event in events.iter().rev() {
            self.list.add(event.into(), shell)?;
        }
        self.list.finish(shell)?;
        shell.flush()
    }

    /// Prints what is new in `store`. Returns whether anything was.
    fn catch_up(&mut self, store: &EventStore, interrupt: &Interrupt, shell: &mut Shell) -> Outcome<bool> {
        let options =
            SubscribeOptions { from: self.from, resolve_links: self.args.resolve_links, ..SubscribeOptions::default() };
        let printed = self.list.printed();
        let mut subscription = store.subscribe(self.source.clone(), options)?;
        while !interrupt.is_requested() {
            match subscription.next(Some(Duration::ZERO))? {
                Some(Delivery::Events(batch)) => self.print(&batch, shell)?,
                Some(_) => {}
                None => break,
            }
            if self.args.limit.is_some_and(|limit| self.list.printed() >= limit) {
                break;
            }
        }
        self.from = subscription.resume_from();
        Ok(self.list.printed() > printed)
    }

    /// Prints of `batch` what `--limit` leaves room for.
    fn print(&mut self, batch: &Batch, shell: &mut Shell) -> Outcome<()> {
        let room = self.args.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.list.printed()));
        if batch.len() as u64 <= room {
            self.list.print(batch, shell)?;
        } else {
            for event in batch.to_recorded().iter().take(usize::try_from(room).unwrap_or(usize::MAX)) {
                self.list.add(event.into(), shell)?;
            }
        }
        self.list.finish(shell)?;
        shell.flush()
    }
}

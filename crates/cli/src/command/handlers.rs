//! `gesta handlers`: how far everybody is who follows the log under a name, which way that goes, and when he will have caught up.
//!
//! Where somebody was when, the log knows: every checkpoint is an event, and its position is about the head of that time.

use std::time::Duration;

use clap::Args;
use gesta::{
    Direction, GroupName, Position, Query, QueryItem, ReadOptions, Source, StreamFilter, Timestamp,
    subscribe::handler::handler_of,
};
use gesta_server::native::{messages::Group, source_of};
use serde_json::json;

use super::group::source_words;
use crate::{
    exit::{Exit, Outcome},
    ndjson::EventView,
    reach::Reached,
    shell::{DIM, Format, NAME, Shell, grouped, printable},
    table::{Column, Table},
    target::Target,
    time,
};

/// Arguments of `gesta handlers`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta handlers                       all of them
  gesta handlers -o ndjson | jq 'select(.lagEvents > 1000)'
Rates are those of the last quarter of an hour, as the checkpoints in the log tell them.")]
pub(crate) struct HandlersArgs {
    /// Only handlers of applications, no other groups
    #[arg(long)]
    only_handlers: bool,
}

/// Checkpoints looked at.
const CHECKPOINTS: u64 = 64;
/// How long the past is that rates are about.
const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Prints how far everybody is.
pub(crate) fn run(args: &HandlersArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let store = target.reach()?;
    let mut table = Table::new([
        Column::text("name").styled(NAME),
        Column::text("kind"),
        Column::long("source"),
        Column::number("position").styled(DIM),
        Column::number("lag"),
        Column::text("behind"),
        Column::number("rate"),
        Column::text("trend"),
        Column::text("caught up"),
        Column::number("parked"),
    ]);
    for info in store.groups()? {
        let group: GroupName = info.name.parse()?;
        let (handler, source) = (handler_of(&group), source_words(&source_of(&info)?));
        if args.only_handlers && handler.is_none() {
            continue;
        }
        let now = Place { at: time::now_timestamp(), position: Position(info.settled_to), head: Position(info.head) };
        let pace = Pace::of(&history(&store, &group)?, now, info.lag_events == 0);
        let name = handler.map_or_else(|| group.to_string(), str::to_owned);
        let cells = cells(&name, handler.is_some(), &info, &source, &pace);
        match shell.format() {
            Format::Table => table.row(cells),
            Format::Plain => shell.line(cells.map(|cell| printable(&cell)).join("\t"))?,
            Format::Ndjson => shell.json(&json!({
                "name": name, "kind": kind(handler.is_some()), "group": group.to_string(),
                "source": source, "position": info.settled_to.to_string(), "head": info.head.to_string(),
                "lagEvents": info.lag_events, "lagSeconds": Duration::from_nanos(info.lag_ns).as_secs_f64(),
                "positionsPerSecond": pace.rate, "trend": pace.trend.word(),
                "caughtUpInSeconds": pace.caught_up_in.map(|left| left.as_secs_f64()),
                "parked": info.parked, "stalled": info.stalled,
            }))?,
        }
    }
    table.print(shell)?;
    store.close()?;
    Ok(Exit::Ok)
}

fn kind(is_handler: bool) -> &'static str {
    if is_handler { "handler" } else { "group" }
}

fn cells(name: &str, is_handler: bool, info: &Group, source: &str, pace: &Pace) -> [String; 10] {
    [
        name.to_owned(),
        kind(is_handler).to_owned(),
        source.to_owned(),
        info.settled_to.to_string(),
        grouped(info.lag_events),
        if info.lag_events == 0 { "-".to_owned() } else { time::short(Duration::from_nanos(info.lag_ns)) },
        format!("{:.0}/s", pace.rate),
        pace.trend.word().to_owned(),
        match pace.caught_up_in {
            Some(Duration::ZERO) => "now".to_owned(),
            Some(left) => format!("in {}", time::short(left)),
            None => "not in sight".to_owned(),
        },
        grouped(info.parked),
    ]
}

/// Where somebody was at some time, and how far the log was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    at: Timestamp,
    position: Position,
    head: Position,
}

/// The places of a group's last checkpoints, newest first.
fn history(store: &Reached, group: &GroupName) -> Outcome<Vec<Place>> {
    // A query finds the older ones too, which readers of the stream do not see.
    let query = Query::of(QueryItem::default().stream(StreamFilter::Exact(group.checkpoint_stream())));
    let options = ReadOptions { direction: Direction::Backward, limit: Some(CHECKPOINTS), ..ReadOptions::default() };
    let mut places = Vec::new();
    let mut read = store.read(Source::Query(query), options)?;
    let place = |event: &EventView<'_>| {
        let document: serde_json::Value = serde_json::from_slice(event.data).ok()?;
        let position = Position(document.get("checkpoint")?.as_u64()?);
        Some(Place { at: event.recorded_at, position, head: event.position })
    };
    while let Some(events) = read.next()? {
        events.each(|event| {
            places.extend(place(&event));
            Ok(())
        })?;
    }
    Ok(places)
}

/// How somebody gets on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pace {
    /// Positions a second he moves.
    rate: f64,
    trend: Trend,
    /// When he will be at the head, if it goes on like this.
    caught_up_in: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trend {
    AtHead,
    Falling,
    Steady,
    Rising,
    Unknown,
}

impl Trend {
    fn word(self) -> &'static str {
        match self {
            Self::AtHead => "at the head",
            Self::Falling => "catching up",
            Self::Steady => "steady",
            Self::Rising => "falling behind",
            Self::Unknown => "unknown",
        }
    }
}

impl Pace {
    /// The pace from the oldest place within the window until `now`; `history` is newest first. What lies between him and the head need not
    /// concern him: whether he is `at_head` his group knows.
    #[allow(clippy::cast_precision_loss)] // for people
    fn of(history: &[Place], now: Place, at_head: bool) -> Self {
        let age = |place: &Place| Duration::from_nanos(u64::try_from(now.at.0.saturating_sub(place.at.0)).unwrap_or(0));
        let lag = now.head.0.saturating_sub(now.position.0);
        // After a reset everything before is another life.
        let this_life = history.iter().take_while(|place| place.position <= now.position);
        let since = this_life.take_while(|place| age(place) <= WINDOW).last();
        let Some((since, seconds)) = since.map(|since| (since, age(since).as_secs_f64())).filter(|(_, s)| *s > 0.0)
        else {
            let trend = if at_head { Trend::AtHead } else { Trend::Unknown };
            return Self { rate: 0.0, trend, caught_up_in: at_head.then_some(Duration::ZERO) };
        };
        let rate = (now.position.0 - since.position.0) as f64 / seconds;
        let growth = now.head.0.saturating_sub(since.head.0) as f64 / seconds;
        let gain = rate - growth;
        let trend = match gain {
            _ if at_head => Trend::AtHead,
            gain if gain.abs() < 0.01 * growth.max(1.0) => Trend::Steady,
            gain if gain > 0.0 => Trend::Falling,
            _ => Trend::Rising,
        };
        let caught_up_in = match trend {
            Trend::AtHead => Some(Duration::ZERO),
            Trend::Falling => Duration::try_from_secs_f64(lag as f64 / gain).ok(),
            Trend::Steady | Trend::Rising | Trend::Unknown => None,
        };
        Self { rate, trend, caught_up_in }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(second: i64, position: u64, head: u64) -> Place {
        Place { at: Timestamp(second * 1_000_000_000), position: Position(position), head: Position(head) }
    }

    #[test]
    fn a_follower_faster_than_the_log_catches_up() {
        let pace = Pace::of(&[place(50, 500, 1050), place(0, 0, 1000)], place(100, 1000, 1100), false);
        assert_eq!((pace.rate, pace.trend), (10.0, Trend::Falling));
        // 100 left, at ten a second, while the log grows by one.
        assert_eq!(pace.caught_up_in.unwrap().as_secs(), 11);
    }

    #[test]
    fn a_slower_one_falls_behind() {
        let pace = Pace::of(&[place(0, 0, 1000)], place(100, 10, 5000), false);
        assert_eq!((pace.trend, pace.caught_up_in), (Trend::Rising, None));
    }

    #[test]
    fn one_that_has_everything_is_at_the_head() {
        assert_eq!(Pace::of(&[], place(100, 7, 7), true).caught_up_in, Some(Duration::ZERO));
        assert_eq!(Pace::of(&[place(90, 5, 6)], place(100, 7, 7), true).trend, Trend::AtHead);
    }

    #[test]
    fn what_was_before_a_reset_or_long_ago_does_not_count() {
        let pace = Pace::of(&[place(90, 10, 1000), place(50, 900, 1000)], place(100, 20, 1000), false);
        assert_eq!((pace.rate, pace.trend), (1.0, Trend::Falling));
        let pace = Pace::of(&[place(0, 0, 1000)], place(10_000, 10, 1000), false);
        assert_eq!((pace.trend, pace.caught_up_in), (Trend::Unknown, None));
    }
}

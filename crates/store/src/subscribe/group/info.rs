//! Where a group stands, for those who look after it.

use std::{collections::BTreeMap, time::Duration};

use super::{answer_times::AnswerTimes, backing::Backing, catalog::GroupConfig, documents, guarded::Connected};
use crate::{
    error::Result,
    index::Term,
    position::{Position, Timestamp},
    read::{Source, virtual_stream::term_of},
    subscribe::group_state::{ConsumerFacts, ConsumerId, Facts, Latencies, Reach},
};

/// Where a group stands.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GroupInfo {
    /// What it is.
    pub config: GroupConfig,
    /// What it is at.
    pub status: GroupStatus,
    /// Its consumers, in the order they connected.
    pub consumers: Vec<ConsumerInfo>,
    /// Everything below this position is settled, and that is durable.
    pub checkpoint: Position,
    /// Everything below this position is settled.
    pub settled_to: Position,
    /// Everything below this position was read or does not match.
    pub read_to: Position,
    /// The position of the last event that was read.
    pub last_known: Option<Position>,
    /// The head of the log.
    pub head: Position,
    /// Events of the source from `settled_to` on; of a query, what the index says there are at most.
    pub lag_events: u64,
    /// How much older than now the first of them is.
    pub lag: Duration,
    /// Messages that are ready, or wait for their key or their consumer.
    pub buffered: usize,
    /// Messages that wait for the time of their retry.
    pub retrying: usize,
    /// Messages in the hands of consumers.
    pub in_flight: usize,
    /// Messages that are being parked.
    pub parking: usize,
    /// Messages that are parked.
    pub parked: u64,
    /// Parked messages that are being delivered again.
    pub replaying: usize,
    /// Messages taken since the group was last loaded.
    pub total: u64,
    /// How many a second that were, on the average.
    pub average_per_second: u64,
    /// Messages taken since somebody last asked for this.
    pub since_last_asked: u64,
    /// How long messages are in the hands of consumers, all of them together. `None` without answers since the group was last loaded, or without
    /// [`extra_statistics`](crate::GroupSettings::extra_statistics).
    pub answer_times: Option<AnswerTimes>,
    /// Which life of the group this is: one more each time it is reset or created anew.
    pub epoch: u64,
    /// Why it does not go on, if it does not.
    pub stalled: Option<String>,
}

/// What a group is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupStatus {
    /// Nobody is connected.
    Idle,
    /// It reads what was recorded before.
    CatchingUp,
    /// It has read everything there is.
    Live,
}

/// Where a consumer stands.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ConsumerInfo {
    /// Its [`number`](super::Consumer::number).
    pub number: u64,
    /// What it called itself.
    pub name: String,
    /// When it connected.
    pub connected: Timestamp,
    /// How many messages it may have.
    pub slots: usize,
    /// How many it has.
    pub in_flight: usize,
    /// Messages it has taken.
    pub total: u64,
    /// How many a second that were, on the average.
    pub average_per_second: u64,
    /// Messages it has taken since somebody last asked for this.
    pub since_last_asked: u64,
    /// Whether it is passed over because it left messages lying until their time was over.
    pub stalled: bool,
    /// How long it has messages until it answers; `None` as [`GroupInfo::answer_times`].
    pub answer_times: Option<AnswerTimes>,
}

/// Whether asking where a group stands begins a new count of what was taken since somebody asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    /// It does.
    Counts,
    /// It does not: somebody only watches.
    Passes,
}

/// How many messages had been taken when somebody last asked.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    started: Duration,
    total: u64,
    by: BTreeMap<ConsumerId, u64>,
}

/// What a meter shows.
#[derive(Debug)]
pub(super) struct Measured {
    elapsed: Duration,
    total: u64,
    since_last: u64,
    since_last_by: BTreeMap<ConsumerId, u64>,
}

impl Meter {
    pub(super) fn starting(now: Duration) -> Self {
        Self { started: now, total: 0, by: BTreeMap::new() }
    }

    /// What was taken until now, and since the last time. Of two who ask at once, the one who has counted first may come last: nothing was taken since
    /// then, and what was is not forgotten.
    pub(super) fn measure(&mut self, total: u64, consumers: &[ConsumerFacts], now: Duration) -> Measured {
        let before = std::mem::take(&mut self.by);
        let mut since_last_by = BTreeMap::new();
        for one in consumers {
            let known = before.get(&one.id).copied().unwrap_or(0);
            since_last_by.insert(one.id, one.taken.saturating_sub(known));
            self.by.insert(one.id, one.taken.max(known));
        }
        let since_last = total.saturating_sub(self.total);
        self.total = self.total.max(total);
        Measured { elapsed: now.saturating_sub(self.started), total, since_last, since_last_by }
    }
}

/// What is known of a group without asking its source.
pub(super) struct Known<'a> {
    pub(super) config: &'a GroupConfig,
    pub(super) epoch: u64,
    pub(super) facts: Facts,
    /// For each consumer in the facts who it is.
    pub(super) connected: Vec<Option<Connected>>,
    /// How long answers took: of each of them, and of all.
    pub(super) latencies: (Vec<Option<Latencies>>, Option<Latencies>),
    pub(super) measured: Measured,
    /// Why its state cannot be written.
    pub(super) failure: Option<String>,
}

/// Puts together what is known.
pub(super) fn describe(backing: &Backing, known: Known<'_>) -> Result<GroupInfo> {
    let Known { config, epoch, facts, connected, latencies, measured, failure } = known;
    let times = |latencies: &Option<Latencies>| latencies.as_ref().and_then(AnswerTimes::of);
    let head = backing.to();
    let from = facts.checkpoint.min(head);
    let Lag { events: lag_events, first } = lag_of(backing, &config.source, from, head)?;
    let lag = match first {
        Some(first) if lag_events > 0 => age(backing, backing.library.log.event(first)?.recorded_at()),
        Some(_) | None => Duration::ZERO,
    };
    let status = match (facts.consumers.is_empty(), facts.reach) {
        (true, _) => GroupStatus::Idle,
        (false, Reach::History) => GroupStatus::CatchingUp,
        (false, Reach::Live) => GroupStatus::Live,
    };
    let full = facts.parked_full.then(|| "no more messages can be parked, replay or discard some".to_owned());
    let consumer = |((one, connected), latencies): ((&ConsumerFacts, &Option<Connected>), &Option<Latencies>)| {
        let since = connected.as_ref().map_or(backing.now(), |connected| connected.since);
        ConsumerInfo {
            number: one.id.0,
            name: connected.as_ref().map(|connected| connected.name.to_string()).unwrap_or_default(),
            connected: since,
            slots: one.slots,
            in_flight: one.in_flight,
            total: one.taken,
            average_per_second: per_second(one.taken, age(backing, since)),
            since_last_asked: measured.since_last_by.get(&one.id).copied().unwrap_or(0),
            stalled: one.stalled,
            answer_times: times(latencies),
        }
    };
    Ok(GroupInfo {
        config: config.clone(),
        status,
        consumers: facts.consumers.iter().zip(&connected).zip(&latencies.0).map(consumer).collect(),
        checkpoint: facts.written,
        settled_to: facts.checkpoint,
        read_to: facts.considered,
        last_known: facts.last_offered,
        head,
        lag_events,
        lag,
        buffered: facts.buffered,
        retrying: facts.retrying,
        in_flight: facts.in_flight,
        parking: facts.parking,
        parked: facts.parked as u64,
        replaying: facts.replaying,
        total: measured.total,
        average_per_second: per_second(measured.total, measured.elapsed),
        since_last_asked: measured.since_last,
        answer_times: times(&latencies.1),
        epoch,
        stalled: failure.or(full),
    })
}

fn per_second(count: u64, time: Duration) -> u64 {
    count.checked_div(time.as_secs()).unwrap_or(count)
}

/// What a group has before it.
struct Lag {
    events: u64,
    first: Option<Position>,
}

/// Events of the whole log looked at to tell those that groups have written from the others, which takes some tenths of a millisecond. Of what lies behind,
/// the index knows all but the metadata of groups' streams.
const LOOKED_AT: u64 = 512;

/// What a source has from a position on.
fn lag_of(backing: &Backing, source: &Source, from: Position, head: Position) -> Result<Lag> {
    let index = &backing.library.index;
    let since = |term: Term<'_>, from| Ok(index.count(term, head)? - index.rank(term, from, head)?);
    match source {
        Source::All => {
            let mut lag = Lag { events: 0, first: None };
            let end = Position(head.0.min(from.0.saturating_add(LOOKED_AT)));
            for position in (from.0..end.0).map(Position) {
                // Groups write too; but that is not what a group on everything is behind with.
                if !documents::belongs_to_groups(backing.library.log.event(position)?.view().stream) {
                    lag.events += 1;
                    lag.first.get_or_insert(position);
                }
            }
            if end < head {
                let own = since(Term::Category(documents::CATEGORY), end)?
                    + since(Term::Stream(documents::CONFIG_STREAM), end)?;
                lag.events += (head.0 - end.0).saturating_sub(own);
                lag.first.get_or_insert(end);
            }
            Ok(lag)
        }
        Source::Stream(stream) => {
            let term = term_of(stream);
            Ok(Lag { events: since(term, from)?, first: index.nth(term, index.rank(term, from, head)?, head)? })
        }
        Source::Query(query) => {
            let estimate = index.estimate(query, from..head)?;
            let events = if estimate.restricted { estimate.matches_at_most } else { head.0 - from.0 };
            Ok(Lag { events, first: index.first_match(query, from, head)? })
        }
    }
}

/// How long ago something was.
fn age(backing: &Backing, then: Timestamp) -> Duration {
    u64::try_from(backing.now().0.saturating_sub(then.0)).map_or(Duration::ZERO, Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two asked at the same time; the second counted before the first, and measured after him: what was taken in between was taken from nothing.
    #[test]
    fn whoever_has_counted_first_may_measure_last() {
        let consumer = |taken| [ConsumerFacts { id: ConsumerId(0), slots: 1, in_flight: 0, taken, stalled: false }];
        let mut meter = Meter::starting(Duration::ZERO);
        let mut since_last = |taken| {
            let measured = meter.measure(taken, &consumer(taken), Duration::ZERO);
            (measured.since_last, measured.since_last_by[&ConsumerId(0)])
        };
        assert_eq!([10, 5, 12].map(&mut since_last), [(10, 10), (0, 0), (2, 2)]);
    }
}

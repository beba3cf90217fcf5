//! The rules of a group, each by its name.

use std::time::Duration;

use super::super::{
    ConsumerId, GroupState, Offer, Park, ParkReason, ParkedEntry, Progress, Reach, Rules, StrategyRule, Urgency, Write,
    Written, ledger::UNMATCHED_POSITIONS,
};
use crate::{
    position::{Position, Revision},
    subscribe::{
        group_error::{Discard, GroupError, MessageId, Nack, Replay, WhyNotInFlight},
        group_settings::{AfterPark, GroupSettings},
    },
};

const HOLD: StrategyRule = StrategyRule::KeyOrdered(AfterPark::Hold);
const FLOW: StrategyRule = StrategyRule::KeyOrdered(AfterPark::Flow);
const AT_ONCE: Nack = Nack::Retry { after: Duration::ZERO };

fn rules(strategy: StrategyRule) -> Rules {
    Rules { strategy, max_retry_count: 2, ..Rules::from(&GroupSettings::default()) }
}

/// A group whose clock is set by hand, and to which events are named by position and key.
struct Group {
    state: GroupState<()>,
    now: Duration,
    next_revision: u64,
}

impl Group {
    fn new(rules: Rules) -> Self {
        Self::going_on(rules, Progress::default(), Vec::new())
    }

    fn going_on(rules: Rules, progress: Progress, parked: Vec<ParkedEntry>) -> Self {
        Self { state: GroupState::new(rules, progress, parked, Duration::ZERO), now: Duration::ZERO, next_revision: 0 }
    }

    fn offer(&mut self, events: &[(u64, u64)]) {
        for &(position, key) in events {
            self.state.offer(Offer { position: Position(position), key, pin: key, body: () }, self.now);
        }
        self.state.dispatch(self.now);
    }

    fn connect(&mut self, slots: usize) -> ConsumerId {
        let consumer = self.state.connect(slots, self.now).unwrap();
        self.state.dispatch(self.now);
        consumer
    }

    /// Positions and retry counts.
    fn take(&mut self, consumer: ConsumerId) -> Vec<(u64, u32)> {
        let mut out = Vec::new();
        self.state.take(consumer, usize::MAX, &mut out, self.now).unwrap();
        out.into_iter().map(|message| (message.id.0.0, message.retries)).collect()
    }

    fn ack(&mut self, consumer: ConsumerId, positions: &[u64]) -> Result<(), GroupError> {
        let result = self.state.ack(consumer, &ids(positions), self.now);
        self.state.dispatch(self.now);
        result
    }

    fn nack(&mut self, consumer: ConsumerId, positions: &[u64], action: Nack) {
        self.state.nack(consumer, &ids(positions), action, "no stock", self.now).unwrap();
        self.state.dispatch(self.now);
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.state.tick(self.now);
        self.state.dispatch(self.now);
    }

    fn write(&mut self) -> Option<Write<()>> {
        let write = self.state.begin_write(Urgency::Now, self.now)?;
        let first_parked = (!write.parks.is_empty()).then_some(Revision(self.next_revision));
        self.next_revision += write.parks.len() as u64;
        self.state.end_write(Written::Done { first_parked }, self.now);
        self.state.dispatch(self.now);
        Some(write)
    }

    fn replay(&mut self, which: Replay, keys: &[(u64, u64)]) -> u64 {
        let count = self.state.replay(which, self.now).unwrap();
        for entry in self.state.wanted_replays(usize::MAX) {
            let key = keys.iter().find(|(position, _)| *position == entry.position.0).unwrap().1;
            let offer = Offer { position: entry.position, key, pin: key, body: () };
            self.state.offer_replay(offer, self.now);
        }
        self.state.dispatch(self.now);
        count
    }
}

fn ids(positions: &[u64]) -> Vec<MessageId> {
    positions.iter().map(|position| MessageId(Position(*position))).collect()
}

fn why(result: Result<(), GroupError>) -> Vec<(u64, WhyNotInFlight)> {
    match result {
        Err(GroupError::NotInFlight { refused }) => refused.iter().map(|one| (one.id.0.0, one.why)).collect(),
        other => panic!("{other:?}"),
    }
}

fn parked(write: Option<Write<()>>) -> Vec<(u64, ParkReason)> {
    write.unwrap().parks.into_iter().map(|Park { position, why, .. }| (position.0, why)).collect()
}

fn failed(consumer: ConsumerId) -> ParkReason {
    ParkReason::Failed { reason: "no stock".into(), consumer: Some(consumer) }
}

fn held(waits_for: u64) -> ParkReason {
    ParkReason::Held { waits_for: Position(waits_for) }
}

#[test]
fn round_robin_goes_around_those_with_room() {
    let mut group = Group::new(rules(StrategyRule::RoundRobin));
    let (a, b) = (group.connect(1), group.connect(3));
    group.offer(&[(0, 0), (1, 0), (2, 0), (3, 0), (4, 0)]);
    assert_eq!((group.take(a), group.take(b)), (vec![(0, 0)], vec![(1, 0), (2, 0), (3, 0)]));
    group.ack(a, &[0]).unwrap();
    assert_eq!(group.take(a), [(4, 0)]);
}

#[test]
fn dispatch_to_single_fills_the_oldest_first() {
    let mut group = Group::new(rules(StrategyRule::DispatchToSingle));
    let (a, b) = (group.connect(2), group.connect(2));
    group.offer(&[(0, 0), (1, 0), (2, 0)]);
    assert_eq!((group.take(a), group.take(b)), (vec![(0, 0), (1, 0)], vec![(2, 0)]));
}

#[test]
fn pinned_waits_for_its_consumer_and_lets_others_pass() {
    let mut group = Group::new(rules(StrategyRule::Pinned));
    let (a, b) = (group.connect(1), group.connect(1));
    // The second consumer took the highest buckets.
    group.offer(&[(0, 1), (1, 1), (2, 1023)]);
    assert_eq!((group.take(a), group.take(b)), (vec![(0, 0)], vec![(2, 0)]));
    group.state.disconnect(a, group.now);
    group.ack(b, &[2]).unwrap();
    assert_eq!(group.take(b), [(0, 0)], "the buckets of one that left go to those that stayed");
}

#[test]
fn a_key_is_never_in_flight_twice_and_blocks_nobody_else() {
    let mut group = Group::new(rules(FLOW));
    let a = group.connect(10);
    group.offer(&[(0, 1), (1, 1), (2, 2)]);
    assert_eq!(group.take(a), [(0, 0), (2, 0)]);
    group.nack(a, &[0], Nack::Retry { after: Duration::from_secs(5) });
    assert_eq!(group.take(a), [], "the key waits for its retry");
    group.pass(5);
    assert_eq!(group.take(a), [(0, 1)]);
    group.ack(a, &[0]).unwrap();
    assert_eq!(group.take(a), [(1, 0)]);
}

#[test]
fn a_retried_message_goes_before_new_ones() {
    let mut group = Group::new(rules(StrategyRule::RoundRobin));
    let a = group.connect(1);
    group.offer(&[(0, 0), (1, 0)]);
    assert_eq!(group.take(a), [(0, 0)]);
    group.nack(a, &[0], AT_ONCE);
    assert_eq!(group.take(a), [(0, 1)]);
}

#[test]
fn one_retry_too_many_parks_with_its_reason() {
    let mut group = Group::new(rules(FLOW));
    let a = group.connect(1);
    group.offer(&[(0, 1), (1, 1)]);
    for retries in 0..=2 {
        assert_eq!(group.take(a), [(0, retries)]);
        group.nack(a, &[0], AT_ONCE);
    }
    assert_eq!(group.take(a), [], "its key waits until it is parked for good");
    assert!(group.state.write_due(group.now), "a park is written at once");
    assert_eq!(parked(group.write()), [(0, failed(a))]);
    assert_eq!(group.take(a), [(1, 0)], "then its key flows on");
}

#[test]
fn skip_settles_and_stop_drops() {
    let mut group = Group::new(rules(StrategyRule::RoundRobin));
    let (a, b) = (group.connect(3), group.connect(3));
    group.offer(&[(0, 0), (1, 0), (2, 0)]);
    assert_eq!(group.take(a), [(0, 0), (2, 0)]);
    group.nack(a, &[0], Nack::Skip);
    group.state.ready_consumers();
    group.nack(a, &[2], Nack::Stop);
    assert_eq!(group.state.ready_consumers(), [a], "it hears of it");
    assert!(matches!(group.state.take(a, 1, &mut Vec::new(), group.now), Err(GroupError::Dropped { .. })));
    assert_eq!(group.take(b), [(1, 0), (2, 0)], "the count is as it was");
}

#[test]
fn what_is_held_too_long_goes_to_others_and_counts() {
    let mut group = Group::new(rules(StrategyRule::RoundRobin));
    let (a, b) = (group.connect(1), group.connect(1));
    group.offer(&[(0, 0)]);
    assert_eq!(group.take(a), [(0, 0)]);
    assert_eq!(group.state.next_deadline(), Some(Duration::from_secs(30)));
    group.pass(30);
    assert_eq!(group.take(b), [(0, 1)]);
    assert_eq!(why(group.ack(a, &[0])), [(0, WhyNotInFlight::HeldByAnother)]);
}

#[test]
fn a_late_ack_counts_until_somebody_else_has_the_message() {
    let mut group = Group::new(rules(StrategyRule::RoundRobin));
    let (a, b) = (group.connect(1), group.connect(1));
    group.offer(&[(0, 0)]);
    group.take(a);
    group.pass(30);
    assert!(group.state.has_deliveries(b));
    group.ack(a, &[0]).unwrap();
    assert!(!group.state.has_deliveries(b), "it is taken out of the outbox again");
    assert_eq!(why(group.ack(a, &[0])), [(0, WhyNotInFlight::AlreadySettled)]);
}

#[test]
fn a_consumer_that_leaves_its_outbox_lying_is_passed_over_until_it_takes_again() {
    let mut group = Group::new(rules(StrategyRule::RoundRobin));
    let (a, b) = (group.connect(1), group.connect(1));
    group.offer(&[(0, 0)]);
    group.pass(30);
    assert_eq!(group.take(b), [(0, 0)], "uncounted, for nobody failed");
    group.offer(&[(1, 0)]);
    assert!(!group.state.has_deliveries(a));
    assert_eq!(group.take(a), [(1, 0)], "it is back");
}

#[test]
fn a_consumer_that_goes_leaves_its_messages_uncounted() {
    let mut group = Group::new(rules(FLOW));
    let (a, b) = (group.connect(1), group.connect(1));
    group.offer(&[(0, 1)]);
    group.take(a);
    group.state.disconnect(a, group.now);
    group.state.dispatch(group.now);
    assert_eq!(group.take(b), [(0, 0)]);
}

#[test]
fn wrong_answers_are_refused_with_their_reason_and_right_ones_count() {
    let mut group = Group::new(rules(FLOW));
    let a = group.connect(2);
    group.offer(&[(0, 1), (1, 1), (2, 2)]);
    group.take(a);
    let refused = why(group.ack(a, &[0, 1, 2, 2, 9]));
    use WhyNotInFlight::{AlreadySettled, NeverDelivered, Waiting};
    assert_eq!(refused, [(1, Waiting), (2, AlreadySettled), (9, NeverDelivered)]);
    assert_eq!(group.state.facts().checkpoint, Position(1));
}

#[test]
fn buffers_bound_what_is_with_the_group_whatever_it_waits_for() {
    let mut group = Group::new(Rules { history_buffer: 3, live_buffer: 2, ..rules(StrategyRule::RoundRobin) });
    assert_eq!(group.state.room(), 3);
    let a = group.connect(2);
    group.offer(&[(0, 0), (1, 0)]);
    assert_eq!(group.state.room(), 3, "what consumers have is bounded by their slots");
    group.take(a);
    group.nack(a, &[0], Nack::Retry { after: Duration::from_secs(1) });
    group.nack(a, &[1], Nack::Park);
    assert_eq!(group.state.room(), 1);
    group.state.considered(Position(2), Reach::Live);
    assert_eq!(group.state.room(), 0);
}

#[test]
fn a_group_takes_as_many_consumers_as_it_may() {
    let mut group = Group::new(Rules { max_subscribers: 1, ..rules(FLOW) });
    group.connect(1);
    assert!(matches!(group.state.connect(1, group.now), Err(GroupError::MaximumSubscribers { limit: 1 })));
    assert!(matches!(group.state.connect(0, group.now), Err(GroupError::Setting { field: "slots", .. })));
}

#[test]
fn progress_is_written_by_count_or_by_time_and_never_passes_what_is_open() {
    let mut group =
        Group::new(Rules { min_checkpoint_count: 2, max_checkpoint_count: 3, ..rules(StrategyRule::RoundRobin) });
    let a = group.connect(10);
    group.offer(&[(0, 0), (1, 0), (3, 0), (4, 0)]);
    group.take(a);
    group.ack(a, &[1]).unwrap();
    assert_eq!(group.state.next_deadline(), Some(Duration::from_secs(30)), "one alone waits for more");
    group.ack(a, &[3]).unwrap();
    assert_eq!(group.state.next_deadline(), Some(Duration::from_secs(1)));
    assert!(!group.state.write_due(group.now));
    group.ack(a, &[4]).unwrap();
    assert!(group.state.write_due(group.now));
    let progress = group.write().unwrap().progress;
    assert_eq!(progress.checkpoint, Position(0));
    assert_eq!(progress.settled.iter().collect::<Vec<_>>(), [(1, 4)], "what does not match counts as settled");
    assert!(group.write().is_none(), "there is nothing new");
}

#[test]
fn a_group_that_nothing_matches_moves_its_checkpoint_rarely() {
    let mut group = Group::new(rules(FLOW));
    let far = UNMATCHED_POSITIONS;
    group.state.considered(Position(far - 1), Reach::Live);
    assert!(group.write().is_none());
    group.state.considered(Position(far), Reach::Live);
    assert_eq!(group.state.next_deadline(), Some(Duration::from_secs(1)));
    group.pass(1);
    assert!(group.state.write_due(group.now));
    assert_eq!(group.write().unwrap().progress.checkpoint, Position(far));
    group.state.considered(Position(far + 1), Reach::Live);
    assert!(group.write().is_none(), "its own document does not make another");
}

/// A thousand consumers may hold four thousand messages each. With a count for every one that had failed, the document was larger than an event may be: it
/// could not be written, and so nothing was that was settled.
#[test]
fn as_many_retry_counts_are_written_as_there_is_room_for() {
    let mut group = Group::new(Rules { retries_max: 2, ..rules(FLOW) });
    let a = group.connect(9);
    group.offer(&[(0, 1), (1, 2), (2, 3)]);
    group.take(a);
    group.nack(a, &[0, 1, 2], AT_ONCE);
    assert_eq!(group.write().unwrap().progress.retries, [(Position(0), 1), (Position(1), 1)]);
}

#[test]
fn a_failed_write_settles_nothing_and_is_repeated_later() {
    let mut group = Group::new(rules(FLOW));
    let a = group.connect(1);
    group.offer(&[(0, 1), (1, 1)]);
    group.take(a);
    group.nack(a, &[0], Nack::Park);
    assert!(group.state.begin_write(Urgency::WhenDue, group.now).is_some());
    assert!(group.state.begin_write(Urgency::Now, group.now).is_none(), "one at a time");
    group.state.end_write(Written::Failed, group.now);
    assert_eq!(group.state.facts().parking, 1);
    assert!(!group.state.write_due(group.now));
    assert_eq!(group.state.next_deadline(), Some(Duration::from_millis(100)));
    assert_eq!(parked(group.write()), [(0, failed(a))], "whoever flushes does not wait");
}

#[test]
fn a_restart_goes_on_with_what_was_written() {
    let mut group = Group::new(rules(FLOW));
    let a = group.connect(10);
    group.offer(&[(0, 0), (1, 1), (2, 2), (3, 3)]);
    group.take(a);
    group.ack(a, &[0, 2]).unwrap();
    group.nack(a, &[1], AT_ONCE);
    group.nack(a, &[3], Nack::Park);
    let progress = group.write().unwrap().progress;
    let entry = ParkedEntry { position: Position(3), revision: Revision(0), key: Some(3) };
    let mut group = Group::going_on(rules(FLOW), progress, vec![entry]);
    let a = group.connect(10);
    group.offer(&[(1, 1), (2, 2), (3, 3), (4, 4)]);
    assert_eq!(group.take(a), [(1, 1), (4, 0)], "with its count; neither the settled nor the parked");
}

#[test]
fn hold_parks_the_rest_of_the_key_in_order_and_replays_it_in_order() {
    let events = [(0, 1), (1, 1), (2, 2), (3, 1), (4, 1)];
    let mut group = Group::new(rules(HOLD));
    let a = group.connect(10);
    group.offer(&events[..3]);
    assert_eq!(group.take(a), [(0, 0), (2, 0)]);
    group.nack(a, &[0], Nack::Park);
    group.offer(&events[3..4]);
    assert_eq!(parked(group.write()), [(0, failed(a)), (1, held(0)), (3, held(0))]);
    assert_eq!(group.replay(Replay::One(MessageId(Position(1))), &events), 3, "a key is replayed whole");
    group.offer(&events[4..]);
    for position in [0, 1, 3, 4] {
        assert_eq!(group.take(a), [(position, 0)], "one after the other, and then what came meanwhile");
        group.ack(a, &[position]).unwrap();
    }
    assert_eq!(group.state.facts().parked, 0);
}

#[test]
fn hold_calls_a_replay_off_when_its_message_fails_again() {
    let events = [(0, 1), (1, 1), (2, 1)];
    let mut group = Group::new(rules(HOLD));
    let a = group.connect(10);
    group.offer(&events[..2]);
    group.take(a);
    group.nack(a, &[0], Nack::Park);
    group.write();
    group.replay(Replay::All, &events);
    group.offer(&events[2..]);
    assert_eq!(group.take(a), [(0, 0)]);
    group.nack(a, &[0], Nack::Park);
    assert_eq!(group.state.facts().replaying, 0);
    assert_eq!(parked(group.write()), [(2, held(0))], "what came meanwhile; the others keep their entries");
    assert_eq!(group.take(a), []);
}

#[test]
fn flow_parks_a_replayed_message_anew_in_one_write() {
    let mut group = Group::new(rules(FLOW));
    let a = group.connect(10);
    group.offer(&[(0, 1)]);
    group.take(a);
    group.nack(a, &[0], Nack::Park);
    group.write();
    assert_eq!(group.replay(Replay::All, &[(0, 1)]), 1);
    group.take(a);
    group.nack(a, &[0], Nack::Park);
    let write = group.write().unwrap();
    assert_eq!(write.progress.resolved.iter().collect::<Vec<_>>(), [(0, 0)]);
    assert_eq!((write.parks.len(), write.truncate_parked_before), (1, None));
    assert_eq!(group.state.facts().parked, 1);
    let left = group.state.parked(MessageId(Position::START), 9);
    assert_eq!(left, [ParkedEntry { position: Position(0), revision: Revision(1), key: Some(1) }]);
}

#[test]
fn a_prefix_of_parked_messages_that_are_done_with_is_hidden() {
    let events = [(0, 0), (1, 1), (2, 2)];
    let mut group = Group::new(rules(FLOW));
    let a = group.connect(10);
    group.offer(&events);
    group.take(a);
    group.nack(a, &[0, 1, 2], Nack::Park);
    group.write();
    assert_eq!(group.state.discard_parked(Discard::One(MessageId(Position(1))), group.now).unwrap(), 1);
    let write = group.write().unwrap();
    assert_eq!(
        (write.progress.resolved.iter().collect::<Vec<_>>(), write.truncate_parked_before),
        (vec![(1, 1)], None)
    );
    assert_eq!(group.state.discard_parked(Discard::Before(Revision(1)), group.now).unwrap(), 1);
    let write = group.write().unwrap();
    assert_eq!((write.progress.resolved.len(), write.truncate_parked_before), (0, Some(Revision(2))));
    let gone = group.state.discard_parked(Discard::One(MessageId(Position(1))), group.now);
    assert!(matches!(gone, Err(GroupError::NotParked { .. })));
}

#[test]
fn a_full_house_of_parked_messages_retries_instead() {
    let mut group = Group::new(Rules { parked_max: 1, ..rules(FLOW) });
    let a = group.connect(10);
    group.offer(&[(0, 0), (1, 1)]);
    group.take(a);
    group.nack(a, &[0, 1], Nack::Park);
    let facts = group.state.facts();
    assert_eq!((facts.parking, facts.retrying, facts.parked_full), (1, 1, true));
    group.pass(10);
    assert_eq!(group.take(a), [(1, 0)]);
}

/// A document without room for all intervals forgets that a parked message lies beyond what it says. After a restart that message
/// was replayed and acked before the source came to it, and then offered and delivered once more, though no ack was missed.
#[test]
fn what_is_worked_off_by_replay_is_not_delivered_again_by_the_source() {
    let entry = ParkedEntry { position: Position(4), revision: Revision(0), key: Some(4) };
    let mut group = Group::going_on(rules(FLOW), Progress::default(), vec![entry]);
    let a = group.connect(10);
    group.replay(Replay::All, &[(4, 4)]);
    assert_eq!(group.take(a), [(4, 0)]);
    group.ack(a, &[4]).unwrap();
    group.offer(&[(0, 0), (4, 4)]);
    assert_eq!(group.take(a), [(0, 0)]);
}

#[test]
fn replays_are_loaded_a_batch_at_a_time() {
    let entry = |n: u64| ParkedEntry { position: Position(n), revision: Revision(n), key: Some(n) };
    let progress = Progress { checkpoint: Position(100), ..Progress::default() };
    let mut group = Group::going_on(Rules { read_batch: 3, ..rules(FLOW) }, progress, (0..10).map(entry).collect());
    assert_eq!(group.state.replay(Replay::Count(7), group.now).unwrap(), 7);
    assert_eq!(group.state.wanted_replays(usize::MAX).len(), 3);
    assert_eq!(group.replay(Replay::Count(0), &[(0, 0), (1, 1), (2, 2)]), 0);
    assert_eq!(group.state.wanted_replays(usize::MAX), [], "three are ready");
    let a = group.connect(2);
    group.take(a);
    assert_eq!(group.state.wanted_replays(usize::MAX), [entry(3), entry(4)]);
}

#[test]
fn time_that_runs_back_stands_still() {
    let mut group = Group::new(rules(FLOW));
    let a = group.connect(1);
    group.pass(100);
    group.now = Duration::from_secs(1);
    group.offer(&[(0, 0)]);
    group.take(a);
    assert_eq!(group.state.next_deadline(), Some(Duration::from_secs(130)));
}

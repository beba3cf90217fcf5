//! Bounds: of numbers, of memory, of what may be proposed at all.

use std::convert::Infallible;

use bytes::Bytes;
use uuid::Uuid;

use super::{
    super::{
        Action, Facts, Kernel, Proposal, Rejection, StreamState, Target, Verdict, kernel::Bounds,
        metadata::with_truncate_before, model::Past,
    },
    notation::{describe, id, name, parse},
};
use crate::{
    error::ErrorKind,
    limits,
    name::StreamName,
    position::{ExpectedRevision, Position, Revision, Timestamp},
    query::Query,
};

/// A log of which only the state of streams is known: the same for all, but for metadata streams, which are empty.
struct Everywhere {
    state: StreamState,
    document: Bytes,
}

impl Facts for Everywhere {
    type Error = Infallible;

    fn stream(&mut self, stream: &StreamName) -> Result<StreamState, Infallible> {
        Ok(if stream.metadata_of().is_some() { StreamState::default() } else { self.state.clone() })
    }

    fn event_id(&mut self, _: &StreamName, _: Revision) -> Result<Option<Uuid>, Infallible> {
        Ok(None)
    }

    fn event_position(&mut self, _: &StreamName, _: Revision) -> Result<Option<Position>, Infallible> {
        Ok(None)
    }

    fn first_match(&mut self, _: &Query, _: Option<Position>) -> Result<Option<Position>, Infallible> {
        Ok(None)
    }

    fn metadata_document(&mut self, _: &StreamName) -> Result<Option<Bytes>, Infallible> {
        Ok(Some(self.document.clone()))
    }
}

fn proposal(line: &str) -> Proposal {
    parse(line, Uuid::from_u128(1))
}

#[test]
fn a_full_stream_takes_no_more() {
    let at = |revision: u64, line: &str| {
        let state = StreamState { last: Some((Revision(revision), Position(0), [1; 32])), ..StreamState::default() };
        let mut kernel = Kernel::resume(Position(1), None);
        let Ok(verdict) = kernel.decide(proposal(line), &mut Everywhere { state, document: Bytes::new() });
        describe(&verdict)
    };
    let max = Revision::MAX.0;
    assert_eq!(at(max - 1, "a any 7"), format!("wrote a/{max}=7 -> a:{}", max + 1));
    assert_eq!(at(max - 1, "a any 7 8"), "full a");
    assert_eq!(at(max, "a any 7"), "full a");
    assert_eq!(at(max, "tombstone a any"), "full a");
    assert_eq!(at(max, "a any"), format!("nothing -> a:{}", max + 1));
}

#[test]
fn what_the_rules_add_must_fit_too() {
    let state = StreamState {
        last: Some((Revision(0), Position(0), [1; 32])),
        truncate_before: u64::MAX,
        ..StreamState::default()
    };
    let big = format!(r#"{{"k":"{}"}}"#, "x".repeat(60 << 10));
    let revive = |streams: usize| {
        let line: Vec<String> = (0..streams).map(|i| format!("s{i} any {i}#red")).collect();
        let mut facts = Everywhere { state: state.clone(), document: big.clone().into() };
        let mut proposal = proposal(&line.join(" + "));
        proposal.events[0].data.metadata = Bytes::from_static(b"{}");
        let Ok(verdict) = Kernel::resume(Position(1), None).decide(proposal, &mut facts);
        verdict
    };
    assert!(matches!(revive(500), Verdict::Commit(commit) if commit.events.len() == 1000));
    let Verdict::Rejected(Rejection::CommitTooLarge { events, bytes }) = revive(600) else {
        panic!("600 documents of 60 KiB are more than fits into a commit");
    };
    assert_eq!(events, 1200);
    let document = with_truncate_before(big.as_bytes(), 1).len();
    let appended = |stream: &str| 128 + stream.len() + "Happened".len() + "application/json".len() + 2 + "red".len();
    let revival = |stream: &str| 128 + 2 + stream.len() + "$metadata".len() + "application/json".len() + document;
    let expected: usize = (0..600).map(|i| format!("s{i}")).map(|stream| appended(&stream) + revival(&stream)).sum();
    assert_eq!(bytes, expected + "{}".len());
    assert!(bytes > limits::COMMIT_BYTES_MAX);
}

/// What the proposal itself takes was measured, exactly, before it was ordered; the bound the rules go by is higher.
#[test]
fn a_proposal_alone_is_not_measured_again() {
    let mut large = proposal("a any 1 2");
    for event in &mut large.events {
        event.data.data = vec![0; limits::COMMIT_BYTES_MAX / 2].into();
    }
    assert!(matches!(Kernel::new().decide(large.clone(), &mut Past::default()), Ok(Verdict::Commit(_))));
    large.targets.push(proposal("tombstone b any").targets.remove(0));
    let Ok(verdict) = Kernel::new().decide(large, &mut Past::default());
    assert!(matches!(verdict, Verdict::Rejected(Rejection::CommitTooLarge { events: 3, .. })));
}

#[test]
fn the_rules_events_count() {
    let events = |events: usize| {
        let ids: Vec<String> = (0..events).map(|id| id.to_string()).collect();
        let line = format!("a any {} + tombstone b any", ids.join(" "));
        let mut facts = Everywhere { state: StreamState::default(), document: Bytes::new() };
        let Ok(verdict) = Kernel::new().decide(proposal(&line), &mut facts);
        verdict
    };
    let max = limits::EVENTS_PER_COMMIT_MAX;
    assert!(matches!(events(max - 1), Verdict::Commit(commit) if commit.events.len() == max));
    let Verdict::Rejected(Rejection::CommitTooLarge { events, .. }) = events(max) else {
        panic!("one more than a commit may have");
    };
    assert_eq!(events, max + 1);
}

#[test]
fn time_never_goes_back() {
    let mut kernel = Kernel::new();
    let mut past = Past::default();
    let mut recorded_at = Vec::new();
    for (number, at) in [(1, 50), (2, 40), (3, 60), (4, -5)] {
        let proposal = Proposal { at: Timestamp(at), id: id(number), ..proposal(&format!("a any {number}")) };
        let Ok(Verdict::Commit(commit)) = kernel.decide(proposal.clone(), &mut past) else { panic!("commits") };
        kernel.apply(&commit);
        recorded_at.push(commit.recorded_at.0);
        past.push(proposal, *commit);
    }
    assert_eq!(recorded_at, [50, 50, 60, 60]);
    assert_eq!(kernel.last_recorded_at(), Some(Timestamp(60)));
    let mut resumed = Kernel::resume(Position(4), Some(Timestamp(60)));
    assert_eq!(resumed.next_position(), Position(4));
    let early = Proposal { at: Timestamp(7), ..proposal("b any 9") };
    let Ok(Verdict::Commit(commit)) = resumed.decide(early, &mut past) else { panic!("commits") };
    assert_eq!((commit.recorded_at, commit.first_position), (Timestamp(60), Position(4)));
}

/// The first commit of an empty log may be from before 1970.
#[test]
fn an_empty_log_takes_any_time() {
    let early = Proposal { at: Timestamp(-7), ..proposal("a any 1") };
    let Ok(Verdict::Commit(commit)) = Kernel::new().decide(early, &mut Past::default()) else { panic!("commits") };
    assert_eq!(commit.recorded_at, Timestamp(-7));
}

#[test]
#[should_panic(expected = "in the order they were decided in")]
fn a_commit_is_applied_once() {
    let mut kernel = Kernel::new();
    let Ok(Verdict::Commit(commit)) = kernel.decide(proposal("a any 1"), &mut Past::default()) else {
        panic!("commits")
    };
    kernel.apply(&commit);
    kernel.apply(&commit);
}

/// Commits are forgotten whole, when their last event is out of reach, and by position: what else was asked meanwhile does not matter.
#[test]
fn ids_are_remembered_by_position() {
    let bounds = Bounds { remembered_positions: 3, cached_heads: 10 };
    let mut kernel = Kernel::bounded(bounds, Position::START, None);
    let mut past = Past::default();
    let mut propose = |line: &str, number: u32| {
        let proposal = parse(line, id(1000 + number));
        let Ok(verdict) = kernel.decide(proposal.clone(), &mut past);
        if let Verdict::Commit(commit) = &verdict {
            kernel.apply(commit);
            past.push(proposal, (**commit).clone());
        }
        describe(&verdict)
    };
    assert_eq!(propose("p1: a any 1 2", 0), "wrote a/0=1 a/1=2 -> a:2");
    assert_eq!(propose("b any 3 4", 1), "wrote b/0=3 b/1=4 -> b:2");
    // Position 1 is one of the last three, and so its whole commit is remembered.
    assert_eq!(propose("a any 1", 2), "again 0..0 -> a:1");
    assert_eq!(propose("p1: a any 1 2", 3), "again 0..1 -> a:2");
    assert_eq!(propose("b any 5", 4), "wrote b/2=5 -> b:3");
    // Now it is not: as if the ids were new.
    assert_eq!(propose("p1: a any 2", 5), "wrote a/2=2 -> a:3");
    assert_eq!(propose("a any 1", 6), "wrote a/3=1 -> a:4");
    // With a revision the log itself is asked.
    assert_eq!(propose("a none 1 2", 7), "again 0..1 -> a:2");
    assert_eq!(propose("a none 1 7", 8), "violated a 3");
}

#[test]
fn the_replay_begins_within_reach() {
    assert_eq!(Kernel::remembered_from(Position(10)), Position(0));
    assert_eq!(Kernel::remembered_from(Position(limits::REMEMBERED_POSITIONS + 7)), Position(7));
}

#[test]
fn malformed_proposals_are_refused_before_they_are_ordered() {
    let invalid = |proposal: &Proposal, says: &str| {
        let error = proposal.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(says), "{error} must say {says}");
    };
    invalid(&proposal("a any 1 + b any + a any"), "twice, stream=a");
    invalid(&proposal("a any 1 + delete a any"), "twice, stream=a");
    invalid(&proposal("delete $$a any"), "stream=$$a");
    invalid(&proposal("tombstone $$a any"), "stream=$$a");
    let mut misdirected = proposal("a any 1");
    misdirected.events[0].target = 1;
    invalid(&misdirected, "target=1");
    for action in [Action::Delete { id: id(1), salt: [0; 16] }, Action::Tombstone { id: id(1), salt: [0; 16] }] {
        let mut misused = proposal("a any 1");
        misused.targets[0].action = action;
        invalid(&misused, "target=0");
    }
    let mut forged = proposal("a any 1");
    forged.events[0].data.event_type = "$streamDeleted".parse().unwrap();
    invalid(&forged, "type=$streamDeleted");
    let document = |bytes: usize| format!("$$a any 1!{}", "x".repeat(bytes));
    invalid(&proposal(&document(limits::STREAM_METADATA_BYTES_MAX + 1)), "stream metadata");
    proposal(&document(limits::STREAM_METADATA_BYTES_MAX)).check().unwrap();
    let long = "x".repeat(limits::STREAM_NAME_BYTES_MAX - 1);
    invalid(&proposal(&format!("delete {long} any")), "too long");
    proposal(&format!("tombstone {long} any")).check().unwrap();
    invalid(&proposal(&format!("a any 1{}", " unless b".repeat(limits::CONDITIONS_PER_COMMIT_MAX + 1))), "conditions");
    proposal(&format!("a any 1{}", " unless b".repeat(limits::CONDITIONS_PER_COMMIT_MAX))).check().unwrap();
}

#[test]
fn counts_are_bounded() {
    let mut many = proposal("a any 1");
    many.events = vec![many.events[0].clone(); limits::EVENTS_PER_COMMIT_MAX + 1];
    assert!(many.check().unwrap_err().to_string().contains("events"));
    many.events.pop();
    many.check().unwrap();
    many.events[0].data.data = vec![0; limits::EVENT_BYTES_MAX + 1].into();
    assert!(many.check().unwrap_err().to_string().contains("too large"));
    let target =
        |i: usize| Target { stream: name(&format!("s{i}")), expected: ExpectedRevision::Any, action: Action::Append };
    let mut wide = proposal("");
    wide.targets = (0..=limits::STREAMS_PER_COMMIT_MAX).map(target).collect();
    assert!(wide.check().unwrap_err().to_string().contains("streams"));
    wide.targets.pop();
    wide.check().unwrap();
}

/// Counts how often the log is asked where a stream stands.
struct Asked(u32);

impl Facts for Asked {
    type Error = Infallible;

    fn stream(&mut self, _: &StreamName) -> Result<StreamState, Infallible> {
        self.0 += 1;
        Ok(StreamState::default())
    }

    fn event_id(&mut self, _: &StreamName, _: Revision) -> Result<Option<Uuid>, Infallible> {
        Ok(None)
    }

    fn event_position(&mut self, _: &StreamName, _: Revision) -> Result<Option<Position>, Infallible> {
        Ok(None)
    }

    fn first_match(&mut self, _: &Query, _: Option<Position>) -> Result<Option<Position>, Infallible> {
        Ok(None)
    }

    fn metadata_document(&mut self, _: &StreamName) -> Result<Option<Bytes>, Infallible> {
        Ok(None)
    }
}

#[test]
fn heads_are_cached_within_bounds() {
    let mut kernel = Kernel::bounded(Bounds { remembered_positions: 10, cached_heads: 6 }, Position::START, None);
    let mut asked = Asked(0);
    let mut visit = |streams: &[&str]| {
        let before = asked.0;
        for stream in streams {
            let Ok(_) = kernel.decide(proposal(&format!("{stream} any")), &mut asked);
        }
        asked.0 - before
    };
    assert_eq!(visit(&["a", "b", "c"]), 3);
    assert_eq!(visit(&["a", "b", "c", "a"]), 0, "cached");
    assert_eq!(visit(&["d", "e"]), 2);
    assert_eq!(visit(&["a"]), 0, "in use: moves over to the young");
    assert_eq!(visit(&["f", "a"]), 1, "still there");
    assert_eq!(visit(&["b", "c"]), 2, "not asked for in a while: forgotten");
}

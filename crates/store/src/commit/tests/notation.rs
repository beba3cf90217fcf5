//! A small notation for proposals and verdicts, so that a case of a rule is a line.
//!
//! Proposal: targets joined by ` + `; a target is `stream expected id…`, `delete stream expected` or `tombstone stream expected`. Expected:
//! `any`, `none`, `exists`, `deleted`, `ended`, or a revision. `all: ` in front asks to be told of all streams. An id may carry the event's data, as in `7{"$tb":1}`, or a tag, as in `7#red`. Before it `p5:` names
//! the proposal; behind it ` unless QUERY [after N]` is a condition, QUERY a stream, or `#tag`.
//!
//! Verdict: `wrote` and each event as `stream/revision=id` (or the document, or `end` for a tombstone); or `again first..last`, or `nothing`, or
//! a refusal; an answer ends with `->` and the next revision of each target.

use uuid::Uuid;

use super::super::{
    Action, Appended, Commit, Kernel, Proposal, ProposedEvent, Rejection, Target, Tell, Verdict, Violation,
    model::{self, Expectation, Past},
};
use crate::{
    event::EventData,
    limits,
    name::{EventType, StreamName, system},
    position::{ExpectedRevision, Position, Revision, Timestamp},
    query::{AppendCondition, Query, QueryItem, StreamFilter, TagFilter},
};

/// A kernel and the log behind it.
pub(super) struct World {
    pub(super) kernel: Kernel,
    pub(super) past: Past,
    /// For proposals that do not name themselves.
    unnamed: u128,
}

impl World {
    pub(super) fn new() -> Self {
        Self { kernel: Kernel::new(), past: Past::default(), unnamed: 1_000_000 }
    }

    /// A world in which these proposals were made, each of which must have been committed.
    pub(super) fn after(history: &[&str]) -> Self {
        let mut world = Self::new();
        for line in history {
            let verdict = world.propose(line);
            assert!(verdict.starts_with("wrote"), "history must be committed: {line} is {verdict}");
        }
        world
    }

    /// Decides, compares with the model, applies a commit, and says what came out.
    pub(super) fn propose(&mut self, line: &str) -> String {
        self.unnamed += 1;
        let proposal = parse(line, Uuid::from_u128(self.unnamed));
        describe(&self.decide(proposal))
    }

    pub(super) fn decide(&mut self, proposal: Proposal) -> Verdict {
        proposal.check().expect("cases are well-formed");
        let Ok(verdict) = self.kernel.decide(proposal.clone(), &mut self.past);
        let expected = model::expect(&self.past, &proposal, limits::REMEMBERED_POSITIONS);
        assert_eq!(outcome(&verdict), expected, "the kernel and the model differ on {proposal:?}");
        if let Verdict::Commit(commit) = &verdict {
            self.kernel.apply(commit);
            self.past.push(proposal, (**commit).clone());
        }
        verdict
    }
}

/// A verdict in the terms of the model.
pub(super) fn outcome(verdict: &Verdict) -> Expectation {
    match verdict {
        Verdict::Commit(commit) => {
            let rewritten = |event: &super::super::CommittedEvent| {
                let asked_for = event.event.data.event_type.as_str() != system::METADATA
                    || event.event.id.as_u128() < u128::from(USER_IDS);
                if asked_for { None } else { serde_json::from_slice(&event.event.data.data).ok() }
            };
            let events = commit.events.iter();
            let events = events.map(|e| (e.stream.clone(), e.revision.0, e.event.id, rewritten(e))).collect();
            Expectation::Commit(events, commit.appended.clone())
        }
        Verdict::AlreadyCommitted(appended) => Expectation::Already(appended.clone()),
        Verdict::Rejected(rejection) => Expectation::Rejected(rejection.clone()),
    }
}

/// Ids of events of the tests are below; those of deletions and what the rules derive are not.
pub(super) const USER_IDS: u32 = 10_000;

pub(super) fn name(stream: &str) -> StreamName {
    StreamName::new(stream).unwrap()
}

pub(super) fn id(number: u32) -> Uuid {
    Uuid::from_u128(u128::from(number))
}

/// The id of the event that ends or deletes a stream: the same in every proposal of a test.
pub(super) fn action_id(stream: &str) -> Uuid {
    let mut bytes = [0xdd; 16];
    for (byte, letter) in bytes.iter_mut().zip(stream.bytes()) {
        *byte = letter;
    }
    Uuid::from_bytes(bytes)
}

pub(super) fn parse(line: &str, unnamed: Uuid) -> Proposal {
    let (id, line) = match line.split_once(": ") {
        Some((name, line)) if name.starts_with('p') => {
            (Uuid::from_u128(0xabc_0000 + name[1..].parse::<u128>().unwrap()), line)
        }
        Some(_) | None => (unnamed, line),
    };
    let (tell, line) = match line.strip_prefix("all: ") {
        Some(line) => (Tell::All, line),
        None => (Tell::First, line),
    };
    let mut parts = line.split(" unless ");
    let targets = parts.next().unwrap();
    let conditions = parts.map(condition).collect();
    let mut proposal = Proposal { id, at: Timestamp(0), targets: Vec::new(), events: Vec::new(), conditions, tell };
    for part in targets.split(" + ").filter(|part| !part.is_empty()) {
        target(part, &mut proposal);
    }
    proposal
}

fn target(text: &str, proposal: &mut Proposal) {
    let mut words = text.split(' ');
    let first = words.next().unwrap();
    let stream = if matches!(first, "delete" | "tombstone") { words.next().unwrap() } else { first };
    let (id, salt) = (action_id(stream), [9; 16]);
    let action = match first {
        "delete" => Action::Delete { id, salt },
        "tombstone" => Action::Tombstone { id, salt },
        _ => Action::Append,
    };
    let expected = match words.next().unwrap() {
        "any" => ExpectedRevision::Any,
        "none" => ExpectedRevision::NoStream,
        "exists" => ExpectedRevision::StreamExists,
        "deleted" => ExpectedRevision::SoftDeleted,
        "ended" => ExpectedRevision::Tombstoned,
        revision => ExpectedRevision::Exact(Revision(revision.parse().unwrap())),
    };
    let index = proposal.targets.len();
    proposal.targets.push(Target { stream: name(stream), expected, action });
    proposal.events.extend(words.map(|word| event(index, stream, word)));
}

fn event(target: usize, stream: &str, word: &str) -> ProposedEvent {
    let end = word.find(['{', '#', '!']).unwrap_or(word.len());
    let (number, rest) = word.split_at(end);
    let event_type = if stream.starts_with("$$") { system::METADATA } else { "Happened" };
    let mut data = EventData::json(EventType::new(event_type).unwrap(), Vec::new());
    match rest.split_at_checked(1) {
        Some(("#", tag)) => data.tags.push(tag.parse().unwrap()),
        Some(("!", text)) => data.data = text.as_bytes().to_vec().into(),
        Some(_) => data.data = rest.as_bytes().to_vec().into(),
        None => {}
    }
    ProposedEvent::new(target, id(number.parse().unwrap()), data, [number.len() as u8; 16])
}

fn condition(text: &str) -> AppendCondition {
    let (what, after) = match text.split_once(" after ") {
        Some((what, after)) => (what, Some(Position(after.parse().unwrap()))),
        None => (text, None),
    };
    let item = match what.strip_prefix('#') {
        Some(tag) => QueryItem { tags: vec![TagFilter::Exact(tag.parse().unwrap())], ..QueryItem::default() },
        None => QueryItem { streams: vec![StreamFilter::Exact(name(what))], ..QueryItem::default() },
    };
    AppendCondition { none_matching: Query::of(item), after }
}

pub(super) fn describe(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Commit(commit) => format!("wrote {} -> {}", events(commit), stands(&commit.appended)),
        Verdict::AlreadyCommitted(appended) => match (appended.first_position, appended.last_position) {
            (Some(first), Some(last)) if appended.idempotent => {
                format!("again {first}..{last} -> {}", stands(appended))
            }
            (None, None) if !appended.idempotent => format!("nothing -> {}", stands(appended)),
            _ => panic!("contradicts itself: {appended:?}"),
        },
        Verdict::Rejected(rejection) => refusal(rejection),
    }
}

fn events(commit: &Commit) -> String {
    let shown = |event: &super::super::CommittedEvent| {
        let what = match event.event.data.event_type.as_str() {
            system::STREAM_DELETED => "end".to_owned(),
            _ if event.event.id.as_u128() < u128::from(USER_IDS) => event.event.id.as_u128().to_string(),
            _ => String::from_utf8(event.event.data.data.to_vec()).unwrap(),
        };
        format!("{}/{}={what}", event.stream, event.revision)
    };
    commit.events.iter().map(shown).collect::<Vec<_>>().join(" ")
}

fn stands(appended: &Appended) -> String {
    let stands = appended.next_revisions.iter();
    stands.map(|next| format!("{}:{}", next.stream, next.next)).collect::<Vec<_>>().join(" ")
}

fn refusal(rejection: &Rejection) -> String {
    let shown = |actual: &Option<Revision>| actual.map_or("none".to_owned(), |revision| revision.to_string());
    match rejection {
        Rejection::WrongRevision { stream, actual, .. } => format!("wrong {stream} {}", shown(actual)),
        Rejection::StreamDeleted { stream } => format!("ended {stream}"),
        Rejection::NotAsExpected { violations } => {
            let shown = |violation: &Violation| format!("{}={}", violation.stream, violation.found);
            format!("not {}", violations.iter().map(shown).collect::<Vec<_>>().join(" "))
        }
        Rejection::ConditionFailed { index, first_conflict } => format!("condition {index} at {first_conflict}"),
        Rejection::IdempotencyViolated { stream, actual } => format!("violated {stream} {}", shown(actual)),
        Rejection::ProposalReused { .. } => "reused".to_owned(),
        Rejection::StreamFull { stream } => format!("full {stream}"),
        Rejection::CommitTooLarge { .. } => "too large".to_owned(),
    }
}

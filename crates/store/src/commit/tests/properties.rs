//! Random histories: the kernel against the model, against itself with other caches, and against itself restarted at every point.

use proptest::prelude::*;

use super::{
    super::{
        Action, Commit, Kernel, Proposal, ProposedEvent, Target, Tell, Verdict,
        kernel::Bounds,
        model::{self, Past},
    },
    notation::{action_id, id, name, outcome},
};
use crate::{
    event::EventData,
    leaf::{Hash, LeafHeader, leaf_hash},
    position::{ExpectedRevision, Position, Revision, Timestamp},
    query::{AppendCondition, Query, QueryItem, StreamFilter, TagFilter, TypeFilter},
};

/// The last two are a stream with an odd name, and its metadata stream.
const STREAMS: [&str; 7] = ["a", "b", "$$a", "$$b", "$$$$a", "$$", "$$$$"];
const TYPES: [&str; 3] = ["Opened", "Closed", "$metadata"];
const TAGS: [&str; 2] = ["red", "/x/1"];
const DOCUMENTS: [&str; 8] = [
    "",
    "{}",
    r#"{"$tb":1}"#,
    r#"{"$tb":9223372036854775807,"k":[1,2]}"#,
    r#"{"z":1,"$tb":2,"a":{"n":1.5}}"#,
    r#"{"$tb":"x"}"#,
    "[1]",
    "nonsense",
];

#[derive(Clone, Debug)]
enum Step {
    Propose(Proposal),
    /// Sends an earlier proposal again, under its own id or a new one.
    Again(usize, Option<u32>),
}

fn expected() -> impl Strategy<Value = ExpectedRevision> {
    prop_oneof![
        9 => Just(ExpectedRevision::Any),
        2 => Just(ExpectedRevision::NoStream),
        1 => Just(ExpectedRevision::StreamExists),
        1 => Just(ExpectedRevision::SoftDeleted),
        1 => Just(ExpectedRevision::Tombstoned),
        3 => (0_u64..5).prop_map(|revision| ExpectedRevision::Exact(Revision(revision))),
    ]
}

fn target() -> impl Strategy<Value = (usize, ExpectedRevision, u8)> {
    (prop_oneof![8 => 0..2_usize, 2 => 2..4_usize, 1 => 4..7_usize], expected(), 0_u8..24)
}

fn event() -> impl Strategy<Value = (usize, u32, usize, usize, Vec<usize>)> {
    (0..3_usize, 0_u32..12, 0..TYPES.len(), 0..DOCUMENTS.len(), prop::collection::vec(0..TAGS.len(), 0..2))
}

fn condition() -> impl Strategy<Value = AppendCondition> {
    let filter = (0..3_u8, 0..2_usize, prop::option::of(0_u64..12));
    filter.prop_map(|(kind, which, after)| {
        let mut item = QueryItem::default();
        match kind {
            0 => item.streams.push(StreamFilter::Exact(name(STREAMS[which]))),
            1 => item.types.push(TypeFilter::Exact(TYPES[which].parse().unwrap())),
            _ => item.tags.push(TagFilter::Exact(TAGS[which].parse().unwrap())),
        }
        AppendCondition { none_matching: Query::of(item), after: after.map(Position) }
    })
}

fn proposal() -> impl Strategy<Value = Proposal> {
    let targets = prop_oneof![
        6 => prop::collection::vec(target(), 1),
        3 => prop::collection::vec(target(), 2),
        1 => prop::collection::vec(target(), 0..5),
    ];
    let events = prop::collection::vec(event(), 0..6);
    let conditions = prop_oneof![6 => Just(Vec::new()), 1 => prop::collection::vec(condition(), 1..3)];
    let tell = prop_oneof![Just(Tell::First), Just(Tell::All)];
    let whole = (0_u32..60, -5_i64..40, targets, events, conditions, tell);
    whole.prop_map(|(number, at, targets, events, conditions, tell)| {
        let (id, at) = (id(5000 + number), Timestamp(at));
        let mut proposal = Proposal { id, at, targets: Vec::new(), events: Vec::new(), conditions, tell };
        for (stream, expected, action) in targets {
            add_target(&mut proposal, STREAMS[stream], expected, action);
        }
        for (target, id, event_type, document, tags) in events {
            add_event(&mut proposal, target, id, TYPES[event_type], DOCUMENTS[document], &tags);
        }
        proposal
    })
}

fn add_target(proposal: &mut Proposal, stream: &str, expected: ExpectedRevision, action: u8) {
    if proposal.targets.iter().any(|target| target.stream.as_str() == stream) {
        return;
    }
    let (id, salt) = (action_id(stream), [action; 16]);
    let action = match action {
        _ if name(stream).metadata_of().is_some() => Action::Append,
        0 => Action::Tombstone { id, salt },
        1..=3 => Action::Delete { id, salt },
        _ => Action::Append,
    };
    proposal.targets.push(Target { stream: name(stream), expected, action });
}

fn add_event(proposal: &mut Proposal, target: usize, number: u32, event_type: &str, document: &str, tags: &[usize]) {
    let target = target % proposal.targets.len().max(1);
    if proposal.targets.get(target).is_none_or(|target| target.action != Action::Append) {
        return;
    }
    let mut data = EventData::json(event_type.parse().unwrap(), document.as_bytes().to_vec());
    data.tags.extend(tags.iter().map(|&tag| TAGS[tag].parse().unwrap()));
    proposal.events.push(ProposedEvent::new(target, id(number), data, [number as u8; 16]));
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    let again = (0..40_usize, prop::option::of(0_u32..1000)).prop_map(|(which, id)| Step::Again(which, id));
    prop::collection::vec(prop_oneof![2 => proposal().prop_map(Step::Propose), 1 => again], 1..40)
}

/// Replaces the references to earlier proposals by these.
fn resolve(steps: Vec<Step>) -> Vec<Proposal> {
    let mut proposals: Vec<Proposal> = Vec::new();
    for step in steps {
        match step {
            Step::Propose(proposal) => proposals.push(proposal),
            Step::Again(which, new_id) => {
                let Some(mut again) = proposals.get(which % proposals.len().max(1)).cloned() else { continue };
                again.id = new_id.map_or(again.id, |number| id(6000 + number));
                proposals.push(again);
            }
        }
    }
    proposals
}

/// A kernel that begins at the end of `past`.
fn restarted(past: &Past, bounds: Bounds) -> Kernel {
    let last = past.commits.last().map(|(_, commit)| commit.recorded_at);
    let mut kernel = Kernel::bounded(bounds, past.next_position(), last);
    for commit in past.remembered(bounds.remembered_positions) {
        kernel.remember(commit);
    }
    kernel
}

/// One that replays everything, also what is out of reach.
fn restarted_from_the_start(past: &Past, bounds: Bounds) -> Kernel {
    let last = past.commits.last().map(|(_, commit)| commit.recorded_at);
    let mut kernel = Kernel::bounded(bounds, past.next_position(), last);
    for commit in past.remembered(u64::MAX) {
        kernel.remember(commit);
    }
    kernel
}

/// Revisions, the chain of leaf hashes and the time, computed from the past alone.
fn assert_chained(past: &Past, proposal: &Proposal, commit: &Commit) {
    assert_eq!(commit.first_position, past.next_position());
    assert_eq!(commit.proposal_id, proposal.id);
    assert_eq!(commit.order_sequence, 0);
    let last = past.commits.last().map(|(_, commit)| commit.recorded_at);
    assert_eq!(commit.recorded_at, last.unwrap_or(proposal.at).max(proposal.at));
    let mut before: Vec<(String, u64, Hash)> =
        past.events().map(|(_, event)| (event.stream.to_string(), event.revision.0, event.leaf)).collect();
    for committed in &commit.events {
        let newest = before.iter().rev().find(|(stream, ..)| *stream == *committed.stream);
        let (revision, previous) = newest.map_or((0, [0; 32]), |(_, revision, leaf)| (revision + 1, *leaf));
        assert_eq!(committed.revision.0, revision);
        assert_eq!(committed.previous, previous);
        let data = &committed.event.data;
        let tags: Vec<u8> = data.tags.iter().flat_map(|tag| [&[tag.len() as u8, 0], tag.as_bytes()].concat()).collect();
        let leaf = leaf_hash(&LeafHeader {
            id: committed.event.id,
            revision: Revision(revision),
            recorded_at: commit.recorded_at,
            stream: &committed.stream,
            event_type: &data.event_type,
            content_type: data.content_type.as_str(),
            tags: &tags,
            data: &committed.event.data_commitment,
            metadata: &committed.event.metadata_commitment,
            previous: &previous,
        });
        assert_eq!(committed.leaf, leaf);
        before.push((committed.stream.to_string(), revision, leaf));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_kernel_is_the_model_whatever_it_caches_and_however_often_it_restarts(
        steps in history(),
        span in prop_oneof![0_u64..8, Just(1000)],
    ) {
        let bounds = |cached_heads| Bounds { remembered_positions: span, cached_heads };
        let mut past = Past::default();
        let mut kernels = [1, 4, 1000].map(|heads| Kernel::bounded(bounds(heads), Position::START, None));
        for proposal in resolve(steps) {
            proposal.check().expect("generated proposals are well-formed");
            let expected = model::expect(&past, &proposal, span);
            let Ok(verdict) = restarted(&past, bounds(2)).decide(proposal.clone(), &mut past);
            prop_assert_eq!(outcome(&verdict), expected, "on {:?}", &proposal);
            let Ok(thorough) = restarted_from_the_start(&past, bounds(2)).decide(proposal.clone(), &mut past);
            let mut verdicts = vec![thorough];
            for kernel in &mut kernels {
                let Ok(verdict) = kernel.decide(proposal.clone(), &mut past);
                verdicts.push(verdict);
            }
            for other in verdicts {
                // Bytes, salts and hashes included.
                prop_assert_eq!(format!("{:?}", &other), format!("{:?}", &verdict));
            }
            if let Verdict::Commit(commit) = verdict {
                assert_chained(&past, &proposal, &commit);
                for kernel in &mut kernels {
                    kernel.apply(&commit);
                }
                past.push(proposal, *commit);
            }
        }
    }
}

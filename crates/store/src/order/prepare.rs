//! From what a caller asks for to what can be ordered: everything that is checked, drawn, measured or hashed happens here, on
//! the caller's thread, before a place in the order is taken (I3).

use uuid::Uuid;

use crate::{
    append::{Append, Change},
    clock::Clock,
    commit::{Action, Proposal, ProposedEvent, Target},
    entropy::Entropy,
    error::{Error, Result},
    event::EventData,
    leaf::Salt,
    limits,
    name::{StreamName, system},
    position::Timestamp,
};

/// A proposal, and how many bytes its frame will have at most.
pub(crate) struct Prepared {
    pub(crate) proposal: Proposal,
    pub(crate) bytes: usize,
}

/// Bytes of a frame beyond its events, padding included.
const FRAME_OVERHEAD: usize = 128;
/// Bytes of an event beyond its names and payload.
const EVENT_OVERHEAD: usize = 96;

/// Checks a request and completes it.
pub(crate) fn prepare(append: Append, clock: &dyn Clock, entropy: &Entropy) -> Result<Prepared> {
    check_counts(&append)?;
    let now = clock.now();
    let mut bytes = FRAME_OVERHEAD;
    let mut targets = Vec::with_capacity(append.targets.len());
    for (stream, expected, change) in append.targets {
        check_target(&stream)?;
        let mut salt = Salt::default();
        entropy.fill(&mut salt);
        let action = match change {
            Change::Append => Action::Append,
            Change::Delete => Action::Delete { id: entropy.uuid(now), salt },
            Change::Tombstone => Action::Tombstone { id: entropy.uuid(now), salt },
        };
        // Deletion and revival each write one system event, whose document the limit below bounds.
        bytes += EVENT_OVERHEAD + 2 * stream.len() + 64;
        targets.push(Target { stream, expected, action });
    }
    check_unique(&targets)?;
    let mut events = Vec::with_capacity(append.events.len());
    for (target, event) in append.events {
        check_event(&targets, target, &event)?;
        bytes += event_bytes(&targets[target].stream, &event);
        events.push(propose(target, event, entropy, now));
    }
    if bytes > limits::COMMIT_BYTES_MAX {
        let max = limits::COMMIT_BYTES_MAX;
        return Err(Error::invalid(format!("commit is too large, bytes={bytes} bytes_max={max}, split it")));
    }
    for condition in &append.conditions {
        condition.none_matching.check()?;
    }
    let at = append.recorded_at.map_or(now, |given| given.min(now));
    let id = append.proposal_id.unwrap_or_else(|| entropy.uuid(now));
    Ok(Prepared { proposal: Proposal { id, at, targets, events, conditions: append.conditions }, bytes })
}

fn check_counts(append: &Append) -> Result<()> {
    let counts = [
        ("streams", append.targets.len(), limits::STREAMS_PER_COMMIT_MAX),
        ("events", append.events.len(), limits::EVENTS_PER_COMMIT_MAX),
        ("conditions", append.conditions.len(), limits::CONDITIONS_PER_COMMIT_MAX),
    ];
    for (what, count, max) in counts {
        if count > max {
            return Err(Error::invalid(format!(
                "commit has too many {what}, {what}={count} {what}_max={max}, split it"
            )));
        }
    }
    Ok(())
}

fn check_unique(targets: &[Target]) -> Result<()> {
    let mut names: Vec<&StreamName> = targets.iter().map(|target| &target.stream).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => {
            Err(Error::invalid(format!("commit names a stream twice with different expectations, stream={}", pair[0])))
        }
    }
}

fn check_target(stream: &StreamName) -> Result<()> {
    let virtual_stream = [system::CATEGORY_PREFIX, system::TYPE_PREFIX, system::CORRELATION_PREFIX];
    if **stream == *system::STREAMS
        || **stream == *"$all"
        || virtual_stream.iter().any(|prefix| stream.starts_with(prefix))
    {
        return Err(Error::invalid(format!("virtual streams cannot be written, stream={stream}")));
    }
    if !stream.is_system() || stream.metadata_of().is_none() {
        stream.metadata_stream()?;
    }
    Ok(())
}

fn check_event(targets: &[Target], target: usize, event: &EventData) -> Result<()> {
    event.check()?;
    if *event.event_type == *system::STREAM_DELETED {
        return Err(Error::invalid(
            "streams are ended by a tombstone, not by appending its event, type=$streamDeleted",
        ));
    }
    let stream = &targets[target].stream;
    if let Some(described) = stream.metadata_of() {
        if *event.event_type == *system::METADATA && event.data.len() > limits::STREAM_METADATA_BYTES_MAX {
            let (bytes, max) = (event.data.len(), limits::STREAM_METADATA_BYTES_MAX);
            return Err(Error::invalid(format!(
                "stream metadata is too large, stream={described} bytes={bytes} bytes_max={max}"
            )));
        }
    }
    Ok(())
}

fn event_bytes(stream: &StreamName, event: &EventData) -> usize {
    let tags: usize = event.tags.iter().map(|tag| 2 + tag.len()).sum();
    let names = stream.len() + event.event_type.len() + event.content_type.as_str().len() + tags;
    EVENT_OVERHEAD + names + event.data.len() + event.metadata.len()
}

fn propose(target: usize, event: EventData, entropy: &Entropy, now: Timestamp) -> ProposedEvent {
    let id: Uuid = event.id.unwrap_or_else(|| entropy.uuid(now));
    let mut salt = Salt::default();
    entropy.fill(&mut salt);
    ProposedEvent::new(target, id, event, salt)
}

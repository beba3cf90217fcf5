//! How far a group is: the document of its checkpoint stream, of which only the newest counts.

use serde::{Deserialize, Serialize};

use super::{corrupted, decode, system_event};
use crate::{
    error::Result,
    event::{EventData, EventRef},
    limits,
    position::Position,
    subscribe::group_state::{Intervals, Progress},
};

/// The type of the events of a checkpoint stream.
const CHECKPOINT_TYPE: &str = "$SubscriptionCheckpoint";

#[derive(Deserialize, Serialize)]
struct WireProgress {
    checkpoint: u64,
    #[serde(default)]
    settled: Vec<(u64, u64)>,
    #[serde(default)]
    resolved: Vec<(u64, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    replaying: Vec<(u64, u64)>,
    #[serde(default)]
    retries: Vec<(u64, u32)>,
    epoch: u64,
}

/// The event that says it.
pub(in super::super) fn encode_progress(progress: &Progress) -> EventData {
    let wire = WireProgress {
        checkpoint: progress.checkpoint.0,
        settled: progress.settled.iter().collect(),
        resolved: progress.resolved.iter().collect(),
        replaying: progress.replaying.iter().collect(),
        retries: progress.retries.iter().map(|(position, count)| (position.0, *count)).collect(),
        epoch: progress.epoch,
    };
    system_event(CHECKPOINT_TYPE, serde_json::to_vec(&wire).expect("numbers are JSON"))
}

/// Reads an event of a checkpoint stream, for a reader at head `to`.
pub(in super::super) fn decode_progress(event: &EventRef<'_>, to: Position) -> Result<Progress> {
    let refuse = |why: String| corrupted("the progress of a consumer group", why, event);
    if event.event_type != CHECKPOINT_TYPE {
        return Err(refuse(format!("type={}", event.event_type)));
    }
    let wire: WireProgress = decode(event.data).map_err(refuse)?;
    let lists = [("settled", &wire.settled), ("resolved", &wire.resolved), ("replaying", &wire.replaying)];
    for (name, intervals) in lists {
        let found = intervals.len();
        if found > limits::GROUP_INTERVALS_MAX {
            return Err(refuse(format!("too many intervals, list={name} found={found}")));
        }
        if !ascend(intervals) {
            return Err(refuse(format!("intervals do not ascend, list={name}")));
        }
    }
    if wire.checkpoint > to.0 || wire.settled.last().is_some_and(|(_, last)| *last >= to.0) {
        return Err(refuse(format!("it is beyond the head, checkpoint={} head={to}", wire.checkpoint)));
    }
    if wire.settled.first().is_some_and(|(first, _)| *first < wire.checkpoint) {
        return Err(refuse(format!("settled below the checkpoint, checkpoint={}", wire.checkpoint)));
    }
    Ok(Progress {
        checkpoint: Position(wire.checkpoint),
        settled: wire.settled.into_iter().collect::<Intervals>(),
        resolved: wire.resolved.into_iter().collect(),
        replaying: wire.replaying.into_iter().collect(),
        retries: wire.retries.into_iter().map(|(position, count)| (Position(position), count)).collect(),
        epoch: wire.epoch,
    })
}

/// Whether each interval runs forward, from behind the one before it.
fn ascend(intervals: &[(u64, u64)]) -> bool {
    let forward = intervals.iter().all(|(first, last)| first <= last);
    forward && intervals.windows(2).all(|pair| pair[0].1 < pair[1].0)
}

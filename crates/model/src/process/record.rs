//! What a process writes down, in one stream for each instance: its inbox, what it heard, and its outbox, what it decided and what came of
//! that. The format: `docs/formats/processes.md`.

use gesta_store::{EventData, EventRef, EventType, Position, Timestamp};
use serde::{Deserialize, Serialize};

use super::{EffectId, plan::Plan};

/// An entry of the stream of an instance.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Record {
    Received(Received),
    Heard(Heard),
    Outcome(Outcome),
    Parked(Parked),
    Resumed(Resumed),
}

/// An event was delivered, and waits: the instance is not through with what it heard before, or parked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Received {
    pub(crate) cause: Position,
}

/// An event was heard, and this was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// The event.
    pub(crate) cause: Position,
    /// When it was recorded: what delays begin with.
    pub(crate) at: Timestamp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) effects: Vec<Plan>,
}

/// What came of an effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) effect: EffectId,
    /// When it came: what the delays of what is done instead begin with.
    pub(crate) at: Timestamp,
    pub(crate) came: Came,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// What came of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Came {
    /// It was carried out; its events are in the same commit.
    Done,
    /// It was refused, or could not be carried out in time: what is to be done instead is.
    Refused,
}

/// The instance waits until somebody has looked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Parked {
    pub(crate) on: Obstacle,
    pub(crate) reason: String,
}

/// What an instance is parked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Obstacle {
    /// An event it could not hear.
    Event(Position),
    /// An effect that could not be carried out.
    Effect(EffectId),
}

/// Somebody has looked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Resumed {
    pub(crate) how: How,
}

/// How a parked instance goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum How {
    /// What failed is tried again.
    Retry,
    /// What failed is passed over.
    Skip,
}

const RECEIVED: &str = "$process-received";
const HEARD: &str = "$process-heard";
const OUTCOME: &str = "$process-outcome";
const PARKED: &str = "$process-parked";
/// The only one that others than the process itself write.
pub(crate) const RESUMED: &str = "$process-resumed";

impl Record {
    /// As it is recorded.
    pub(crate) fn to_event(&self) -> EventData {
        let (event_type, data) = match self {
            Self::Received(received) => (RECEIVED, serde_json::to_vec(received)),
            Self::Heard(heard) => (HEARD, serde_json::to_vec(heard)),
            Self::Outcome(outcome) => (OUTCOME, serde_json::to_vec(outcome)),
            Self::Parked(parked) => (PARKED, serde_json::to_vec(parked)),
            Self::Resumed(resumed) => (RESUMED, serde_json::to_vec(resumed)),
        };
        let event_type = EventType::new(event_type).expect("the types of records are types");
        EventData::json(event_type, data.expect("a record is made of what JSON has"))
    }

    /// A record that was read; `None` for what is none.
    pub(crate) fn read(event: &EventRef<'_>) -> Option<Self> {
        fn from<'d, R: Deserialize<'d>>(event: &EventRef<'d>) -> Option<R> {
            serde_json::from_slice(event.data).ok()
        }
        match event.event_type {
            RECEIVED => from(event).map(Self::Received),
            HEARD => from(event).map(Self::Heard),
            OUTCOME => from(event).map(Self::Outcome),
            PARKED => from(event).map(Self::Parked),
            RESUMED => from(event).map(Self::Resumed),
            _ => None,
        }
    }
}

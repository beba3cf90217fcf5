//! What an instance has heard, decided and carried out: a fold over its records. Pure.
//!
//! - What is decided is open until a record says what came of it; there is one such record for each effect, ever.
//! - An event counts as heard if one at its position or later was.
//! - Whatever acts on the log at once (appending, cancelling, completing) is done by the record that opens it, and never open.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use gesta_store::{Position, Revision, Timestamp};
use uuid::Uuid;

use super::{
    EffectId,
    plan::{Act, Fact, Plan},
    record::{Came, How, Obstacle, Parked, Record},
};

/// Where an instance stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ledger {
    /// Of the last record; `None`: there is none.
    pub(crate) revision: Option<Revision>,
    /// The last event that was delivered and could not be heard then.
    pub(crate) received_to: Option<Position>,
    /// The last event it heard.
    pub(crate) heard_to: Option<Position>,
    pub(crate) open: BTreeMap<EffectId, Open>,
    pub(crate) parked: Option<Parked>,
    pub(crate) completed: bool,
    /// Events that it cannot take, and is to be without.
    pub(crate) passed_over: BTreeSet<Position>,
}

/// An effect that was decided, and is not carried out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Open {
    pub(crate) plan: Plan,
    /// When it is to be carried out; `None`: now.
    pub(crate) due: Option<Timestamp>,
    /// From when on it could be carried out.
    pub(crate) since: Timestamp,
    pub(crate) origin: Arc<Origin>,
}

/// Because of what an effect is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The record that its event was heard.
    pub(crate) heard: Uuid,
    pub(crate) correlation: Box<str>,
}

/// A record as it stands in the stream.
pub(crate) struct Entry<'r> {
    pub(crate) record: &'r Record,
    pub(crate) id: Uuid,
    pub(crate) revision: Revision,
    pub(crate) correlation: &'r str,
}

impl Ledger {
    /// Takes note of the next record.
    pub(crate) fn note(&mut self, entry: &Entry<'_>) {
        self.revision = Some(entry.revision);
        match entry.record {
            Record::Received(received) => self.received_to = self.received_to.max(Some(received.cause)),
            Record::Heard(heard) => {
                self.heard_to = self.heard_to.max(Some(heard.cause));
                let origin = Arc::new(Origin { heard: entry.id, correlation: entry.correlation.into() });
                for (index, plan) in numbered(&heard.effects) {
                    self.open(EffectId::of(heard.cause, index), plan, heard.at, &origin);
                }
            }
            Record::Outcome(outcome) => {
                let Some(open) = self.open.remove(&outcome.effect) else { return };
                match outcome.came {
                    Came::Done => self.act(&open.plan.act),
                    Came::Refused => {
                        for (index, plan) in numbered(open.plan.or.as_deref().unwrap_or_default()) {
                            self.open(outcome.effect.instead(index), plan, outcome.at, &open.origin);
                        }
                    }
                }
            }
            Record::Parked(parked) => {
                if let Obstacle::Event(position) = parked.on {
                    self.received_to = self.received_to.max(Some(position));
                }
                self.parked = Some(parked.clone());
            }
            Record::Resumed(resumed) => {
                let parked = self.parked.take();
                if let (How::Skip, Some(Obstacle::Event(position))) =
                    (resumed.how, parked.as_ref().map(|parked| &parked.on))
                {
                    self.heard_to = self.heard_to.max(Some(*position));
                    self.passed_over.insert(*position);
                }
                if let (How::Skip, Some(Parked { on: Obstacle::Effect(effect), .. })) = (resumed.how, &parked) {
                    self.open.remove(effect);
                }
            }
        }
    }

    fn open(&mut self, id: EffectId, plan: &Plan, base: Timestamp, origin: &Arc<Origin>) {
        let due = plan.due(base);
        if due.is_none() && is_immediate(&plan.act) {
            self.act(&plan.act);
        } else if !(self.completed && due.is_some()) {
            let open = Open { plan: plan.clone(), due, since: due.unwrap_or(base), origin: Arc::clone(origin) };
            self.open.insert(id, open);
        }
    }

    /// What an effect does to the instance itself.
    fn act(&mut self, act: &Act) {
        match act {
            Act::Cancel { name } => self.open.retain(|_, open| open.plan.name.as_ref() != Some(name)),
            Act::Complete => {
                self.completed = true;
                self.open.retain(|_, open| open.due.is_none());
            }
            Act::Send { .. } | Act::Append(_) | Act::Call { .. } => {}
        }
    }

    /// What is to be carried out now, whatever time it is.
    pub(crate) fn next_undelayed(&self) -> Option<(&EffectId, &Open)> {
        self.open.iter().find(|(_, open)| open.due.is_none())
    }

    /// What is to be carried out at a time: the earliest.
    pub(crate) fn next_timer(&self) -> Option<(&EffectId, &Open, Timestamp)> {
        let timers = self.open.iter().filter_map(|(id, open)| Some((id, open, open.due?)));
        timers.min_by_key(|(id, _, due)| (*due, *id))
    }

    /// Whether an event waits that will not be delivered again.
    pub(crate) fn is_behind(&self) -> bool {
        !self.completed && self.received_to > self.heard_to
    }

    /// Whether there is nothing to carry out, to wait for or to look after.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.open.is_empty() && self.parked.is_none() && !self.is_behind()
    }

    /// Whether an event is still to be heard.
    pub(crate) fn is_new(&self, position: Position) -> bool {
        self.heard_to.is_none_or(|heard_to| heard_to < position)
    }
}

/// Whether it is done by the record that opens it.
fn is_immediate(act: &Act) -> bool {
    match act {
        Act::Append(_) | Act::Cancel { .. } | Act::Complete => true,
        Act::Send { .. } | Act::Call { .. } => false,
    }
}

/// The events that plans record at once when they are opened, with the place of each plan.
pub(crate) fn facts_at_once(plans: &[Plan]) -> impl Iterator<Item = (u16, &Fact)> {
    let at_once = numbered(plans).filter(|(_, plan)| plan.at.is_none() && plan.after.is_none());
    at_once.flat_map(|(index, plan)| match &plan.act {
        Act::Append(facts) => facts.iter().map(|fact| (index, fact)).collect::<Vec<_>>(),
        Act::Send { .. } | Act::Call { .. } | Act::Cancel { .. } | Act::Complete => Vec::new(),
    })
}

fn numbered(plans: &[Plan]) -> impl Iterator<Item = (u16, &Plan)> {
    (0..=u16::MAX).zip(plans)
}

//! Processes: state over facts that reacts to them, across streams and over time.
//!
//! A process is a [`Model`] with [`react`](Process::react): for each event on its path, its state takes the event, and then says what is to be
//! done: pure, as values. Each instance writes down in a stream of its own what it heard and decided, and what came of that, in one commit with the
//! events that came of it: what can be done within the log is one commit with the decision to do it, what cannot is done when that is durable. Hence every
//! effect is in the log exactly once, whenever the program ends, and however often an event is delivered; and reading the log again does nothing.
//!
//! In reading order: `id` names effects by their cause; `effect` is what a process says, `plan` how that is recorded, `record` what else
//! is; `ledger` is where an instance stands, a pure fold over its records; `inbox` is apply and react; `draft` is what waits to be written, `executor` carries out;
//! `together` brings many instances forward at once; `agenda` is who waits for which time, and `roster` what is noted of it; `runner` brings these together as a [`Handler`](gesta_store::Handler); `setup`, `running` and
//! `instances` are the doors, `rests` the barrier for what runs. `table` is for state machines.

mod agenda;
mod calls;
mod draft;
mod effect;
mod executor;
mod id;
mod inbox;
mod instance;
mod instances;
mod ledger;
mod names;
mod options;
mod plan;
mod record;
mod rests;
mod roster;
mod runner;
mod running;
mod sends;
mod setup;
mod table;
mod together;

use crate::{event::Place, model::Model};

pub use calls::{Call, CallFailure};
pub use effect::Effect;
pub use id::{EffectId, NotAnEffectId};
pub use instances::{InstanceState, InstanceStatus, Instances, OpenEffect};
pub use names::instance_of;
pub(crate) use names::instances_of;
pub use options::{ProcessOptions, Start};
pub use rests::Rests;
pub(crate) use rests::settle;
pub use running::{ProcessStatus, RunningProcess};
pub use sends::{PlannedSend, Sends, Verdict};
pub use setup::{ProcessRunner, Setup};
pub use table::{FsmTable, FsmTableError};

/// A model that reacts.
///
/// Its instances are those of the model: an event is heard by the instance of each path it is on, first come, first heard. What happens is in
/// the log, so a process has no other input: a time that has come, or the answer of an outside system, is an event it
/// [scheduled](Effect::after) or [was answered with](Setup::calls).
///
/// ```
/// use std::time::Duration;
/// use gesta_model::{Command, Decide, Event, Model, Place, process::{Effect, Hearing, Process}};
/// # use serde::{Deserialize, Serialize};
///
/// #[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
/// enum Shop {
///     #[event("order-placed", at = "order-{order}")]
///     Placed { order: u32 },
///     #[event("order-paid", at = "order-{order}")]
///     Paid { order: u32 },
///     #[event("payment-overdue", at = "order-{order}")]
///     Overdue { order: u32 },
/// }
///
/// #[derive(Clone, Default)]
/// struct Payment { paid: bool }
///
/// impl Model for Payment {
///     type Event = Shop;
///     type Key = u32;
///     const AT: &str = "order-*";
///     fn apply(&mut self, event: &Shop, _: &Place) {
///         if let Shop::Paid { .. } = event { self.paid = true }
///     }
/// }
///
/// impl Process for Payment {
///     const NAME: &str = "payment";
///     type Sends = ();
///     fn react(&self, event: &Shop, _: &Hearing) -> Vec<Effect<Self>> {
///         match *event {
///             Shop::Placed { order } => vec![Effect::append(Shop::Overdue { order }).after(Duration::from_secs(14 * 86_400)).named("due")],
///             Shop::Paid { .. } => vec![Effect::cancel("due"), Effect::complete()],
///             Shop::Overdue { .. } => vec![Effect::complete()],
///         }
///     }
/// }
/// ```
pub trait Process: Model {
    /// What it is called on the wire: it names the streams its instances are written down in, so it must not change. Without `-`.
    const NAME: &'static str;
    /// The commands it sends.
    type Sends: Sends;

    /// Whether it reacts to an event at all. What it does not hear changes its state all the same, and is not written down. Once answered
    /// with no, an event is not heard later either, unless nothing was heard since.
    fn hears(event: &Self::Event) -> bool {
        let _ = event;
        true
    }

    /// What is to be done, by the state that has just taken `event`. Pure, as [`apply`](Model::apply); a panic parks the instance.
    fn react(&self, event: &Self::Event, at: &Hearing<'_>) -> Vec<Effect<Self>>;
}

/// Who hears, and what is known of what he hears beside the fact itself.
#[derive(Clone, Copy, Debug)]
pub struct Hearing<'e> {
    /// The instance: what stands for the `*`s in the path.
    pub instance: &'e str,
    /// Where and when the event was recorded.
    pub place: Place<'e>,
}

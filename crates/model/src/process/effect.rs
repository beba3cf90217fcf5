//! What a process wants done: effects, as values.

use std::{fmt, marker::PhantomData, time::Duration};

use gesta_store::Timestamp;
use serde::Serialize;

use super::{
    Process, Sends,
    plan::{Act, Fact, Plan, raw},
};
use crate::{
    command::Decide,
    event::{Event, to_recordable},
};

/// Something a process wants done. A value that is recorded, so that it outlives the program that decided it: with what comes of it where that is in the
/// log too, else before it is carried out.
///
/// Effects of one reaction are carried out in order; those with a time wait for it, and hold up nothing.
pub struct Effect<P: ?Sized> {
    plan: Result<Plan, String>,
    process: PhantomData<fn(&P)>,
}

impl<P: Process> Effect<P> {
    fn of(act: Result<Act, String>) -> Self {
        let plan = act.map(|act| Plan { act, name: None, at: None, after: None, within: None, or: None });
        Self { plan, process: PhantomData }
    }

    /// A command is sent, and recorded once. A refusal parks the instance, unless [`or`](Self::or) says what to do then.
    ///
    /// A command that [`Process::Sends`] does not list does not compile:
    ///
    /// ```compile_fail,E0080
    /// # use gesta_model::{Command, Decide, Event, Model, Place, process::{Effect, Hearing, Process}};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Event, Serialize, Deserialize)]
    /// # enum Light { #[event("switched", at = "light-{light}")] Switched { light: u32 } }
    /// # #[derive(Clone, Default)] struct Watch;
    /// # impl Model for Watch {
    /// #     type Event = Light; type Key = u32; const AT: &str = "light-*";
    /// #     fn apply(&mut self, _: &Light, _: &Place) {}
    /// # }
    /// # #[derive(Command, Serialize, Deserialize)] #[command(Watch, key = light)] struct Switch { light: u32 }
    /// # impl Decide for Switch {
    /// #     fn decide(&self, _: &Watch) -> Result<Vec<Light>, std::convert::Infallible> { Ok(vec![]) }
    /// # }
    /// impl Process for Watch {
    ///     const NAME: &str = "watch";
    ///     type Sends = (); // no `Switch`
    ///     fn react(&self, event: &Light, _: &Hearing) -> Vec<Effect<Self>> {
    ///         vec![Effect::send(Switch { light: 1 })]
    ///     }
    /// }
    /// # let react = |at: &Hearing<'_>| Watch.react(&Light::Switched { light: 1 }, at).len();
    /// # let _ = &react as &dyn Fn(&Hearing<'_>) -> usize;
    /// ```
    pub fn send<C: Decide + Serialize>(command: C) -> Self {
        const {
            assert!(
                super::sends::lists(<P::Sends as Sends>::NAMES, C::NAME),
                "the command is not among what the process `Sends`"
            )
        }
        Self::of(raw(&command).map(|body| Act::Send { command: C::NAME.into(), body }))
    }

    /// An event is recorded, with what was heard, in one commit.
    #[allow(clippy::needless_pass_by_value)] // an effect takes what it is made of
    pub fn append<E: Event>(event: E) -> Self {
        let fact = to_recordable(&event).map_err(|error| error.to_string());
        Self::of(fact.and_then(|(stream, event)| Fact::of(&stream, &event)).map(|fact| Act::Append(vec![fact])))
    }

    /// Code outside the log is called, under the name it was given with [`Setup::calls`](super::Setup::calls). At least once: a crash between
    /// the call and its note has it called again, with the same [`Call::id`](super::Call::id).
    pub fn call(to: impl Into<String>, body: impl Serialize) -> Self {
        Self::of(raw(&body).map(|body| Act::Call { to: to.into().into(), body }))
    }

    /// Effects of this name of the instance that are still to be carried out are given up.
    #[must_use]
    pub fn cancel(name: impl Into<String>) -> Self {
        Self::of(Ok(Act::Cancel { name: name.into().into() }))
    }

    /// The instance is over: it hears nothing more, and what waits for its time is given up.
    #[must_use]
    pub fn complete() -> Self {
        Self::of(Ok(Act::Complete))
    }

    /// Not now, but at a time.
    #[must_use]
    pub fn at(self, time: Timestamp) -> Self {
        self.change(|plan| (plan.at, plan.after) = (Some(time), None))
    }

    /// Not now, but so long after the event it is decided at was recorded; of what is done instead of a refused effect, after the refusal.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        self.change(|plan| (plan.at, plan.after) = (None, Some(nanos(delay))))
    }

    /// Under a name by which it can be [cancelled](Self::cancel).
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        self.change(|plan| plan.name = Some(name.into().into()))
    }

    /// Only within this time, from when it can first be carried out; then it counts as refused.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        self.change(|plan| plan.within = Some(nanos(time)))
    }

    /// What is done when it is refused, or cannot be carried out. Said again, in this order.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        match other.plan {
            Ok(other) => self.change(|plan| plan.or.get_or_insert_default().push(other)),
            Err(reason) => {
                self.plan = Err(reason);
                self
            }
        }
    }

    /// Nothing is done when it is refused.
    #[must_use]
    pub fn or_nothing(self) -> Self {
        self.change(|plan| plan.or = plan.or.take().or(Some(Vec::new())))
    }

    fn change(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        if let Ok(plan) = &mut self.plan {
            change(plan);
        }
        self
    }

    /// As it is recorded; or why it cannot be.
    pub(crate) fn into_plan(self) -> Result<Plan, String> {
        self.plan
    }
}

fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

impl<P: ?Sized> Clone for Effect<P> {
    fn clone(&self) -> Self {
        Self { plan: self.plan.clone(), process: PhantomData }
    }
}

impl<P: ?Sized> PartialEq for Effect<P> {
    fn eq(&self, other: &Self) -> bool {
        self.plan == other.plan
    }
}

impl<P: ?Sized> fmt::Debug for Effect<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.plan {
            Ok(plan) => plan.fmt(f),
            Err(reason) => write!(f, "an effect that cannot be recorded: {reason}"),
        }
    }
}

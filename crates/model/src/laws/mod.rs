//! Whether a declared law holds: checks of generated events in tests ([`laws!`](crate::laws!)), and of recorded ones on a real log.
//!
//! The law that decides compares with the fold. The others compare summaries, and what they do to states. Every check takes a sequence of
//! events and two places to cut it, so one function serves the property test, the audit of tree nodes and the check of a log.
//!
//! Small numbers find little: a saturating addition passes ten thousand cases of them. Let generators reach extremes: `suite::extreme_i64`.

mod check;
#[cfg(feature = "laws")]
pub mod suite;

#[cfg(test)]
mod tests;

use std::fmt;

use gesta_store::{EventRef, Position, Revision, Timestamp};
use uuid::Uuid;

pub use crate::demotion::Broken;
use crate::{
    algebra::{Commutative, Idempotent, Invertible, Reset},
    event::{Event, Place},
    model::Algebraic,
};

/// An event with its place, owned: what laws are tried on.
#[derive(Clone, Debug)]
pub struct Witness<E> {
    /// The fact.
    pub event: E,
    /// Place in the whole log.
    pub position: Position,
    revision: Revision,
    recorded_at: Timestamp,
    id: Uuid,
    stream: String,
    metadata: Vec<u8>,
}

impl<E: Event> Witness<E> {
    /// A recorded event.
    pub(crate) fn of(event: E, recorded: &EventRef<'_>) -> Self {
        Self::at(event, &Place::of(recorded))
    }

    /// An event at its place.
    pub(crate) fn at(event: E, place: &Place<'_>) -> Self {
        let Place { position, revision, recorded_at, id, stream, metadata } = *place;
        Self { event, position, revision, recorded_at, id, stream: stream.to_owned(), metadata: metadata.to_owned() }
    }

    /// Events as if they had been recorded one after the other in an empty store.
    pub fn imagined(events: impl IntoIterator<Item = E>) -> Vec<Self> {
        let mut revisions = std::collections::BTreeMap::<String, u64>::new();
        let witness = |(index, event): (u64, E)| {
            let stream = event.home().finish().unwrap_or_else(|_| "unnamed".to_owned());
            let next = revisions.entry(stream.clone()).or_default();
            let revision = Revision(*next);
            *next += 1;
            let Place { position, recorded_at, id, .. } = Place::imagined(index, &stream);
            Self { event, position, revision, recorded_at, id, stream, metadata: Vec::new() }
        };
        (0..).zip(events).map(witness).collect()
    }

    /// Its place.
    pub fn place(&self) -> Place<'_> {
        Place {
            position: self.position,
            revision: self.revision,
            recorded_at: self.recorded_at,
            id: self.id,
            stream: &self.stream,
            metadata: &self.metadata,
        }
    }
}

/// The laws to be tried on a model: that its events compose, always, and those that are added. One that is not declared cannot be added:
///
/// ```compile_fail,E0277
/// # use gesta_model::{algebra::Register, laws::Laws, Algebraic, Event, Model, Place};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Event, Serialize, Deserialize)]
/// # enum Named { #[event("named", at = "thing")] Named { name: String } }
/// # #[derive(Clone, Default, Debug, PartialEq)]
/// # struct Name(Option<String>);
/// # impl Model for Name {
/// #     type Event = Named;
/// #     type Key = ();
/// #     const AT: &str = "thing";
/// #     fn apply(&mut self, Named::Named { name }: &Named, _: &Place) { self.0 = Some(name.clone()); }
/// # }
/// # impl Algebraic for Name {
/// #     type Summary = Register<String>;
/// #     fn lift(Named::Named { name }: &Named, _: &Place) -> Register<String> { Register::set(name.clone()) }
/// #     fn act(&mut self, summary: &Register<String>) { if let Some(name) = summary.get() { self.0 = Some(name.clone()); } }
/// # }
/// Laws::<Name>::default().commutative(); // the last of two names depends on their order
/// ```
pub struct Laws<M: Algebraic>(Vec<Check<M>>);

/// Tries a law on a sequence of events, cut in three.
type Check<M> = fn(&[Witness<<M as crate::Model>::Event>], [usize; 2]) -> Result<(), Broken>;

impl<M: Algebraic> Default for Laws<M> {
    fn default() -> Self {
        Self(vec![check::composition::<M>])
    }
}

impl<M: Algebraic> fmt::Debug for Laws<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Laws").field("model", &M::name()).field("checks", &self.0.len()).finish()
    }
}

impl<M: Algebraic> Laws<M> {
    /// Also that order does not matter.
    #[must_use]
    pub fn commutative(mut self) -> Self
    where
        M::Summary: Commutative,
    {
        self.0.push(check::commutativity::<M>);
        self
    }

    /// Also that a suffix replayed changes nothing.
    #[must_use]
    pub fn idempotent(mut self) -> Self
    where
        M::Summary: Idempotent,
    {
        self.0.push(check::idempotence::<M>);
        self
    }

    /// Also that effects can be taken back.
    #[must_use]
    pub fn invertible(mut self) -> Self
    where
        M::Summary: Invertible,
    {
        self.0.push(check::inverse::<M>);
        self
    }

    /// Also that nothing before a reset matters.
    #[must_use]
    pub fn reset(mut self) -> Self
    where
        M::Summary: Reset,
    {
        self.0.push(check::reset::<M>);
        self
    }

    /// Tries all of them on a sequence of events, cut at two places, which are taken modulo its length.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn check(&self, events: &[Witness<M::Event>], cuts: [usize; 2]) -> Result<(), Broken> {
        let mut cuts = cuts.map(|cut| cut % (events.len() + 1));
        cuts.sort_unstable();
        self.0.iter().try_for_each(|check| check(events, cuts))
    }

    /// The fewest of `events`, about, for which a law still does not hold.
    pub(crate) fn shrink(&self, events: Vec<Witness<M::Event>>) -> Option<(Vec<Witness<M::Event>>, Broken)>
    where
        M::Event: Clone,
    {
        smallest(events, |events| {
            let few = [0, events.len() / 3, events.len() / 2, events.len()];
            let places = if events.len() <= EVERY_CUT_MAX { (0..=events.len()).collect() } else { few.to_vec() };
            let cuts = places.iter().flat_map(|&a| places.iter().map(move |&b| [a, b]));
            cuts.filter(|[a, b]| a <= b).find_map(|cuts| self.check(events, cuts).err())
        })
    }
}

/// Events that are cut at every place when the fewest are looked for.
const EVERY_CUT_MAX: usize = 8;

/// Tries the law that decides on events that were recorded onto a state, which a sequence of its own does not reach. The fewest of them, about, that show
/// that it does not hold; `None` if it does.
pub(crate) fn refute_onto<M: Algebraic<Event: Clone>>(
    state: &M,
    events: &[Witness<M::Event>],
) -> Option<(Vec<Witness<M::Event>>, Broken)> {
    smallest(events.to_vec(), |events| check::onto(state, events).err())
}

/// The fewest events, about, that still fail: parts of them are left out, halves first, as long as there is something to leave out.
fn smallest<E: Clone>(
    mut events: Vec<Witness<E>>,
    fails: impl Fn(&[Witness<E>]) -> Option<Broken>,
) -> Option<(Vec<Witness<E>>, Broken)> {
    let mut broken = fails(&events)?;
    let mut width = events.len() / 2;
    while width > 0 {
        let (mut from, before) = (0, events.len());
        while from < events.len() {
            let mut fewer = events.clone();
            fewer.drain(from..(from + width).min(events.len()));
            match fails(&fewer) {
                Some(still) => (events, broken) = (fewer, still),
                None => from += width,
            }
        }
        // What was left out last may have been what kept another one.
        width = if width == 1 && events.len() < before { 1 } else { width / 2 };
    }
    Some((events, broken))
}

/// Declares the laws of an algebraic model, as a module of tests that try to refute them. Needs the feature `laws`, in tests only.
///
/// ```
/// # use gesta_model::{algebra::Sum, laws, Algebraic, Event, Model, Place};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Event, Serialize, Deserialize, Clone, Debug)]
/// # enum Bank { #[event("deposited", at = "account-{account}")] Deposited { account: u32, cents: i64 } }
/// # #[derive(Clone, Default, Debug, PartialEq)]
/// # struct Balance(i128);
/// # impl Model for Balance {
/// #     type Event = Bank;
/// #     type Key = u32;
/// #     const AT: &str = "account-*";
/// #     fn apply(&mut self, Bank::Deposited { cents, .. }: &Bank, _: &Place) { self.0 += i128::from(*cents); }
/// # }
/// # use proptest::strategy::Strategy;
/// # #[cfg(test)]
/// fn any_event() -> impl Strategy<Value = Bank> {
///     laws::suite::extreme_i64().prop_map(|cents| Bank::Deposited { account: 1, cents })
/// }
///
/// impl Algebraic for Balance {
///     type Summary = Sum;
///     fn lift(Bank::Deposited { cents, .. }: &Bank, _: &Place) -> Sum {
///         Sum::of(*cents)
///     }
///     fn act(&mut self, sum: &Sum) {
///         self.0 += sum.total();
///     }
/// }
///
/// laws!(mod balance_laws, Balance, any_event() => commutative, invertible);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! laws {
    (mod $name:ident, $model:ty, $events:expr $(=> $($law:ident),+ $(,)?)?) => {
        #[cfg(test)]
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            #[test]
            fn laws_hold() {
                let laws = $crate::laws::Laws::<$model>::default()$($(.$law())+)?;
                $crate::laws::suite::assert_holds(&laws, $events);
            }
        }
    };
}

//! A model: a pure fold over the events of a scope. And an algebraic one, whose events compose.

use std::fmt::Debug;

use gesta_store::Query;

use crate::{
    algebra::Summary,
    event::{Event, Place, Reach, is_plain, reach, stars},
    key::Key,
};

/// State as a fold over facts: what `Default` gives, and then what `apply` makes of it with each event, in order.
///
/// ```
/// use gesta_model::{Event, Model, Place};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Event, Serialize, Deserialize)]
/// # enum Bank { #[event("money-deposited", at = "account-{account}")] Deposited { account: String, cents: i64 } }
///
/// #[derive(Clone, Default)]
/// struct Account { cents: i64 }
///
/// impl Model for Account {
///     type Event = Bank;
///     type Key = String;
///     const AT: &str = "account-*";
///     fn apply(&mut self, event: &Bank, _: &Place) {
///         match event {
///             Bank::Deposited { cents, .. } => self.cents += cents,
///         }
///     }
/// }
/// ```
///
/// `apply` must be a function of its arguments: no clock, no randomness, no state elsewhere. It is called again for the same event whenever it suits.
///
/// A path that no event can be on does not compile where the model is used:
///
/// ```compile_fail,E0080
/// # use gesta_model::{Domain, Event, Model, Place};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Event, Serialize, Deserialize)]
/// # enum Bank { #[event("money-deposited", at = "account-{account}")] Deposited { account: String, cents: i64 } }
/// # #[derive(Clone, Default)]
/// # struct Account;
/// impl Model for Account {
///     type Event = Bank;
///     type Key = String;
///     const AT: &str = "acount-*"; // misspelt
///     fn apply(&mut self, _: &Bank, _: &Place) {}
/// }
/// let read = |domain: &Domain| domain.get::<Account>("7").wait().is_ok();
/// # let _ = &read as &dyn Fn(&Domain) -> bool;
/// ```
/// Nor does one that is written as events write theirs, or as queries do:
///
/// ```compile_fail,E0080
/// # use gesta_model::{Domain, Event, Model, Place};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Event, Serialize, Deserialize)]
/// # enum Bank { #[event("money-deposited", at = "account-{account}")] Deposited { account: String, cents: i64 } }
/// # #[derive(Clone, Default)]
/// # struct Vault;
/// impl Model for Vault {
///     type Event = Bank;
///     type Key = ();
///     const AT: &str = "account-{account}"; // would be a stream of just this name
///     fn apply(&mut self, _: &Bank, _: &Place) {}
/// }
/// let read = |domain: &Domain| domain.get::<Vault>(()).wait().is_ok();
/// # let _ = &read as &dyn Fn(&Domain) -> bool;
/// ```
pub trait Model: Default + Clone + Send + Sync + 'static {
    /// The facts it is made of.
    type Event: Event;
    /// What tells its instances apart: it fills the `*`s of [`AT`](Model::AT). With `()` there is one instance, of every path that fits.
    type Key: Key;
    /// The path its events are on, as home stream or further path: `account-*`, `/shops/*/carts/*`. `**`: every event of the type, anywhere.
    const AT: &'static str = "**";
    /// Which `apply` it is. To be raised when `apply`, or an upcast, makes something else of the same events: snapshots of before are then ignored.
    /// Forgotten, it is found by the [audit](crate::SnapshotOptions::audit_share), sooner or later.
    const VERSION: u32 = 1;
    /// What is done with an event on the path that cannot be read.
    const UNREADABLE: Unreadable = Unreadable::Fail;

    /// Brings the state from before `event` to after it.
    fn apply(&mut self, event: &Self::Event, place: &Place<'_>);

    /// Which events, if a path does not say it: any query. `None`: those of [`AT`](Model::AT).
    fn query(key: &Self::Key) -> Option<Query> {
        let _ = key;
        None
    }

    /// About how many bytes the state holds: what the cache counts. Say so if it owns memory.
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }

    /// What it is called in errors and reports: the name of the type.
    #[must_use]
    fn name() -> &'static str {
        let name = std::any::type_name::<Self>();
        // Without modules, unless it has type arguments, in which a `::` is not ours.
        if name.contains('<') { name } else { name.rsplit("::").next().unwrap_or(name) }
    }
}

/// What a model does with an event that its `Event` type does not know or cannot decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Fails, naming the event. The default: a state that silently lacks a fact is worse than none.
    Fail,
    /// Goes on without it, and counts it: [`Explain::skipped`](crate::Explain::skipped).
    Skip,
    /// Sets it aside. The state is read without it, and says so: [`State::parked`](crate::State::parked) has the event with the reason. Nothing is decided
    /// on such a state, for a decision would not know what it overlooks: a command that must know it fails with the reason. Other instances
    /// go on. [`Domain::unreadable`](crate::Domain::unreadable) lists all such events. When the program has learned to read the event, it is in the state
    /// again.
    ///
    /// A [process](crate::process) parks the instance on such an event, as it does with `Fail`: what was not heard cannot be reacted to.
    Park,
}

/// A model whose events compose: many of them act on the state like one [`Summary`].
///
/// The law that decides: for every state `s` and events `e1 … en`,
/// `s.act(lift(e1)·…·lift(en))` leaves `s` as applying `e1`, …, `en` in turn does. Declare it with [`laws!`](crate::laws!), which tries to refute it; the
/// engine goes on trying at run time and, if it succeeds, falls back to the fold and reports.
pub trait Algebraic: Model + PartialEq + Debug {
    /// What many events come to.
    type Summary: Summary;

    /// What one event comes to.
    fn lift(event: &Self::Event, place: &Place<'_>) -> Self::Summary;

    /// Does to the state what all the events of the summary do.
    fn act(&mut self, summary: &Self::Summary);
}

/// What is checked of a model when it is compiled.
pub(crate) struct Checked<M>(M);

impl<M: Model> Checked<M> {
    /// By what the events of the model can be on its path. Naming it is what has the path checked.
    pub(crate) const REACH: Reach = {
        let reach = reach(M::AT, <M::Event as Event>::KINDS);
        let everything = M::AT.len() == 2 && stars(M::AT) == 2;
        assert!(
            everything || is_plain(M::AT),
            "the model's path `AT` is text with a `*` for each part of its `Key`, or `**`: `{{…}}` is for events, and for other patterns there is `query`"
        );
        assert!(
            everything || reach.home || reach.further,
            "no event of the model's `Event` type can be on its path `AT`: compare `AT` with `at = …` and `also = …` of the events"
        );
        assert!(
            everything || M::Key::PARTS == 0 || M::Key::PARTS == stars(M::AT),
            "the model's `Key` does not have as many parts as its path `AT` has `*`s"
        );
        reach
    };
    /// Whether it is about every event of its type.
    pub(crate) const EVERYTHING: bool = M::AT.len() == 2 && stars(M::AT) == 2;
}

//! Typed events: how an enum of facts is written to the log and read back.
//!
//! A variant is a *kind* of event, with a wire name that never changes, a version, a home stream, and further paths it can be found by (its
//! tags). Data is the variant's fields in a serde format, JSON unless chosen otherwise. What was recorded under an older version is brought up
//! to date when it is read, on its raw value: [`Upcast`].

mod fields;
mod format;
pub mod golden;
mod kinds;
mod name;
mod place;
mod reach;
mod wire;

use gesta_store::EventType;
use serde::{Serialize, de::DeserializeOwned};
/// A raw value, as upcasts see it.
pub use serde_json::Value;

pub use format::{Format, Json, decode_variant};
pub use kinds::KnownKinds;
pub use name::Name;
pub use place::Place;
pub(crate) use reach::{Reach, is_plain, meets, reach, stars};
#[cfg(test)]
pub(crate) use wire::Defect;
pub(crate) use wire::{Reading, read};
pub use wire::{from_recorded, to_recordable};

/// Facts of a domain: an enum, by `#[derive(Event)]`.
///
/// ```
/// use gesta_model::Event;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
/// enum Bank {
///     #[event("account-opened", at = "account-{account}")]
///     Opened { account: String, owner: String },
///     // Version 2 counts cents; version 1 counted whole units. The name on the wire is now `money-deposited.v2`.
///     #[event("money-deposited", at = "account-{account}", also = "/transfers/{transfer?}", v = 2, upcast(1 = in_cents))]
///     Deposited { account: String, cents: i64, transfer: Option<String> },
/// }
///
/// fn in_cents(mut old: serde_json::Value) -> Result<serde_json::Value, String> {
///     let units = old["units"].as_i64().ok_or("units is not a number")?;
///     old["cents"] = (units * 100).into();
///     Ok(old)
/// }
///
/// let deposit = Bank::Deposited { account: "7".into(), cents: 50, transfer: Some("t/1".into()) };
/// let (stream, event) = gesta_model::event::to_recordable(&deposit)?;
/// assert_eq!(&*stream, "account-7");
/// assert_eq!(&*event.event_type, "money-deposited.v2");
/// assert_eq!(&*event.tags[0], "/transfers/t~11"); // escaped: a path keeps its depth
/// assert_eq!(&*event.data, br#"{"account":"7","cents":50,"transfer":"t/1"}"#);
/// # Ok::<(), gesta_model::Error>(())
/// ```
///
/// On the enum: `#[event(format = MyFormat)]`, and `#[event(ignores("old-kind"))]` for types that may stand on the same paths and say nothing.
/// On a variant: the wire name; `at = "…"`, the home stream; `also = "…"`, any number of further paths; `v`, the version, if it is not 1;
/// `upcast(1 = function, …)` from each older version to the next; `since`, the oldest version that was ever recorded.
/// `{field}` stands for a field's `Display`; `{field?}` for an `Option` without whose value there is no such path.
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// How data is encoded.
    type Format: Format;
    /// The kinds, in the order of the variants.
    const KINDS: &'static [Kind];
    /// Types that are known to say nothing.
    const IGNORES: &'static [&'static str];

    /// Which of [`KINDS`](Event::KINDS) this is.
    fn kind_index(&self) -> usize;

    /// The home stream.
    fn home(&self) -> Name;

    /// The further paths.
    fn further(&self) -> Vec<Name>;

    /// The kind with a type on the wire.
    fn find(event_type: &str) -> Option<Found>;
}

/// A kind of event.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// Its version, from 1.
    pub version: u32,
    /// The event type on the wire: `name`, and from version 2 on `name.v2`.
    pub wire: &'static str,
    /// Template of the home stream.
    pub at: &'static str,
    /// Templates of further paths.
    pub also: &'static [&'static str],
    /// How older versions are brought up to date, oldest first, without a gap up to `version`.
    pub upcasts: &'static [Upcast],
}

impl Kind {
    /// The event types by which it is looked for: its own, those of older versions, and that of the next version. The last cannot be read yet, and is
    /// there to be noticed: else a program that is not up to date would go on without the facts of one that is, and never know.
    pub fn types(&self) -> impl Iterator<Item = EventType> {
        let next = format!("{}.v{}", self.name, self.version.saturating_add(1));
        let known = std::iter::once(self.wire).chain(self.upcasts.iter().map(|old| old.wire));
        known.filter_map(|wire| EventType::new(wire).ok()).chain(EventType::new(&next).ok())
    }
}

/// A step from one version of a kind to the next, on the raw value.
#[derive(Clone, Copy, Debug)]
pub struct Upcast {
    /// The version it begins with.
    pub version: u32,
    /// That version's event type on the wire.
    pub wire: &'static str,
    /// What the function is called: snapshots of states depend on it.
    pub name: &'static str,
    /// What the value is in the next version, or what is wrong with it.
    pub to_next: fn(Value) -> Result<Value, String>,
}

/// A kind as it was found under a wire name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Index into [`Event::KINDS`].
    pub kind: usize,
    /// The first upcast to take; `None` for the present version.
    pub upcast: Option<usize>,
}

#[cfg(test)]
mod tests;

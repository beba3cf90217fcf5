//! Which effect: named by its cause, never by its target, so that deciding again names it the same.

use std::{fmt, str::FromStr};

use gesta_store::Position;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// An effect of one instance: the position of the event it was decided at, its place among what was decided there, and, for what is done
/// instead of a refused one, its place among that, and so on. Written `17.0`, `17.0.1`; in the order they are carried out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId {
    cause: Position,
    path: Vec<u16>,
}

impl EffectId {
    /// The effect at `index` of what was decided at the event at `cause`.
    pub(crate) fn of(cause: Position, index: u16) -> Self {
        Self { cause, path: vec![index] }
    }

    /// The effect at `index` of what is done instead of this one.
    pub(crate) fn instead(&self, index: u16) -> Self {
        let mut path = self.path.clone();
        path.push(index);
        Self { cause: self.cause, path }
    }

    /// The position of the event it was decided at.
    #[must_use]
    pub fn cause(&self) -> Position {
        self.cause
    }
}

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)?;
        self.path.iter().try_for_each(|index| write!(f, ".{index}"))
    }
}

/// A text that is not the id of an effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of an effect, id={0:?}")]
pub struct NotAnEffectId(String);

impl FromStr for EffectId {
    type Err = NotAnEffectId;
    fn from_str(text: &str) -> Result<Self, NotAnEffectId> {
        let wrong = || NotAnEffectId(text.to_owned());
        let (cause, path) = text.split_once('.').ok_or_else(wrong)?;
        let cause = Position(cause.parse().map_err(|_| wrong())?);
        let path = path.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
        Ok(Self { cause, path })
    }
}

impl Serialize for EffectId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EffectId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where ids that follow from a cause come from: one for each process of each store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Namespace(Uuid);

impl Namespace {
    /// That of a process in a store.
    pub(crate) fn of(store: Uuid, process: &str) -> Self {
        Self(Uuid::new_v5(&store, process.as_bytes()))
    }

    /// The id of an effect, for whoever must not do it twice.
    pub(crate) fn effect(&self, instance: &str, effect: &EffectId) -> Uuid {
        Uuid::new_v5(&self.0, format!("{effect}/{instance}").as_bytes())
    }

    /// The id of the note that an event was heard.
    pub(crate) fn heard(&self, instance: &str, cause: Position) -> Uuid {
        Uuid::new_v5(&self.0, format!("{cause}/{instance}").as_bytes())
    }
}

/// The id of the `index`-th event of an effect.
pub(crate) fn event_of(effect: Uuid, index: usize) -> Uuid {
    Uuid::new_v5(&effect, &index.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written_and_sort_in_the_order_of_carrying_out() {
        let first = EffectId::of(Position(9), 1);
        let all = [
            first.clone(),
            first.instead(0),
            first.instead(1),
            EffectId::of(Position(9), 2),
            EffectId::of(Position(10), 0),
        ];
        for pair in all.windows(2) {
            assert!(pair[0] < pair[1], "{} comes before {}", pair[0], pair[1]);
        }
        for id in &all {
            assert_eq!(id.to_string().parse::<EffectId>().as_ref(), Ok(id));
        }
        assert_eq!(first.instead(3).to_string(), "9.1.3");
        for wrong in ["", "9", "9.", ".1", "9.x", "9.70000"] {
            assert!(wrong.parse::<EffectId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_effect_of_every_instance_has_an_id_of_its_own() {
        let of = |process| Namespace::of(Uuid::from_u128(7), process);
        let effect = EffectId::of(Position(1), 2);
        let ids = [
            of("a").effect("x", &effect),
            of("b").effect("x", &effect),
            of("a").effect("y", &effect),
            of("a").effect("x", &effect.instead(0)),
            of("a").heard("x", Position(1)),
            event_of(of("a").effect("x", &effect), 0),
        ];
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
    }
}

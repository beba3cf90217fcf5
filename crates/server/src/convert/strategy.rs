//! Who of a group gets which message: KurrentDB's names, and one of ours.
//!
//! `KeyOrdered` delivers the events of a key one after the other. By default a key is a stream; `KeyOrdered:tag:PREFIX`,
//! `KeyOrdered:field:POINTER` and `KeyOrdered:path:PATTERN#CAPTURE` take it from the event. `KeyOrderedHold…` keeps the later events of a key
//! behind one that is parked.

use gesta_store::{AfterPark, KeyOf, PathPattern, Strategy};

const DISPATCH_TO_SINGLE: &str = "DispatchToSingle";
const ROUND_ROBIN: &str = "RoundRobin";
const PINNED: &str = "Pinned";
const PINNED_BY_CORRELATION: &str = "PinnedByCorrelation";
const KEY_ORDERED: &str = "KeyOrdered";
/// What follows [`KEY_ORDERED`] where later events of a parked one's key are held.
const HOLD: &str = "Hold";
const TAG: &str = "tag:";
const FIELD: &str = "field:";
const PATH: &str = "path:";

/// The strategy of this number, as older clients send it.
///
/// # Errors
/// Why there is none.
pub fn numbered(number: i32) -> Result<Strategy, String> {
    match number {
        0 => Ok(Strategy::DispatchToSingle),
        1 => Ok(Strategy::RoundRobin),
        2 => Ok(Strategy::Pinned),
        _ => Err(format!("no such consumer strategy, number={number}")),
    }
}

/// The strategy of this name.
///
/// # Errors
/// Why there is none.
pub fn named(name: &str) -> Result<Strategy, String> {
    match name {
        DISPATCH_TO_SINGLE => Ok(Strategy::DispatchToSingle),
        ROUND_ROBIN => Ok(Strategy::RoundRobin),
        PINNED => Ok(Strategy::Pinned),
        PINNED_BY_CORRELATION => Ok(Strategy::PinnedByCorrelation),
        other => key_ordered(other).unwrap_or_else(|| Err(format!("no such consumer strategy, name={name:?}"))),
    }
}

/// `None` for the name of something else.
fn key_ordered(name: &str) -> Option<Result<Strategy, String>> {
    let rest = name.strip_prefix(KEY_ORDERED)?;
    let (rest, after_park) = match rest.strip_prefix(HOLD) {
        Some(rest) => (rest, AfterPark::Hold),
        None => (rest, AfterPark::Flow),
    };
    let key = match rest.strip_prefix(':') {
        Some(key) => key_of(key)?,
        None if rest.is_empty() => Ok(KeyOf::Stream),
        None => return None,
    };
    Some(key.map(|key| Strategy::KeyOrdered { key, after_park }))
}

fn key_of(text: &str) -> Option<Result<KeyOf, String>> {
    if let Some(prefix) = text.strip_prefix(TAG) {
        return Some(Ok(KeyOf::Tag { prefix: prefix.into() }));
    }
    if let Some(pointer) = text.strip_prefix(FIELD) {
        return Some(Ok(KeyOf::Field(pointer.into())));
    }
    let (pattern, name) = text.strip_prefix(PATH)?.rsplit_once('#')?;
    let pattern = PathPattern::new(pattern).map_err(|error| error.to_string());
    Some(pattern.map(|pattern| KeyOf::PathSegment { pattern, name: name.into() }))
}

/// The name of a strategy.
#[must_use]
pub fn name(strategy: &Strategy) -> String {
    let (key, after_park) = match strategy {
        Strategy::DispatchToSingle => return DISPATCH_TO_SINGLE.to_owned(),
        Strategy::RoundRobin => return ROUND_ROBIN.to_owned(),
        Strategy::Pinned => return PINNED.to_owned(),
        Strategy::PinnedByCorrelation => return PINNED_BY_CORRELATION.to_owned(),
        Strategy::KeyOrdered { key, after_park } => (key, after_park),
    };
    let hold = match after_park {
        AfterPark::Flow => "",
        AfterPark::Hold => HOLD,
    };
    let key = match key {
        KeyOf::Stream => String::new(),
        KeyOf::Tag { prefix } => format!(":{TAG}{prefix}"),
        KeyOf::Field(pointer) => format!(":{FIELD}{pointer}"),
        KeyOf::PathSegment { pattern, name } => format!(":{PATH}{pattern}#{name}"),
    };
    format!("{KEY_ORDERED}{hold}{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_as_they_are_shown() {
        for text in [
            "DispatchToSingle",
            "RoundRobin",
            "Pinned",
            "PinnedByCorrelation",
            "KeyOrdered",
            "KeyOrderedHold",
            "KeyOrdered:tag:customer:",
            "KeyOrderedHold:field:/customer/id",
            "KeyOrdered:path:/shops/{shop}/**#shop",
        ] {
            assert_eq!(name(&named(text).unwrap()), text);
        }
    }

    #[test]
    fn what_is_no_strategy_is_named() {
        for text in ["", "roundrobin", "KeyOrderedly", "KeyOrdered:shoe:size", "KeyOrdered:path:/a/{b}"] {
            assert!(named(text).is_err(), "{text}");
        }
        assert_eq!(numbered(1), Ok(Strategy::RoundRobin));
        assert!(numbered(3).is_err());
    }
}

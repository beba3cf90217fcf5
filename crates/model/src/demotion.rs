//! What is said of a law that does not hold.

use std::fmt;

use gesta_store::Position;

/// A law that does not hold, with what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which law.
    pub law: &'static str,
    /// Two sides that should be equal.
    pub evidence: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "law does not hold, law={}\n{}", self.law, self.evidence)
    }
}

/// What was found when a model was demoted: from then on it is answered by its fold alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Demotion {
    /// The model.
    pub model: &'static str,
    /// The law, and two sides that should be equal.
    pub broken: Broken,
    /// Where the events are that show it, about as few as do.
    pub events: Vec<Position>,
}

impl fmt::Display for Demotion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, broken, events } = self;
        let events: Vec<String> = events.iter().map(ToString::to_string).collect();
        write!(f, "model is answered by its fold alone, model={model} positions={}\n{broken}", events.join(","))
    }
}

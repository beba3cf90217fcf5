//! Models of any store, for those nobody wrote a model for: what there is of each type of event, and of each stream.
//!
//! They are made of the batteries of [`gesta::algebra`], so their laws are the batteries': order and grouping do not matter to them.

use std::ops::Range;

use clap::ValueEnum;
use gesta::{
    Monoid, Position, ReadOptions, Source, Timestamp,
    algebra::{Count, First, Last, MapOf},
};

use crate::{exit::Outcome, ndjson::EventView, reach::Reached};

/// What a state is told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// How many events there are of each type, and where the last one is
    Type,
    /// What was recorded last in each stream
    Stream,
}

impl By {
    pub(crate) const ALL: [Self; 2] = [Self::Type, Self::Stream];

    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Stream => "stream",
        }
    }

    /// What its states say of the last event beside when it was.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Type => Self::Stream,
            Self::Stream => Self::Type,
        }
    }

    fn of(self, event: &EventView<'_>) -> String {
        match self {
            Self::Type => event.event_type,
            Self::Stream => event.stream,
        }
        .to_owned()
    }
}

/// How many events, when the first, and of the last: its stream or type, and when.
pub(crate) type Seen = (Count, First<i64>, Last<(String, i64)>);

/// What was seen of each type, or of each stream.
pub(crate) type Summary = MapOf<String, Seen>;

/// What one event comes to.
pub(crate) fn lift(by: By, event: &EventView<'_>) -> Summary {
    let (at, Timestamp(recorded)) = (event.position, event.recorded_at);
    let seen = (Count::one(), First::of(at, recorded), Last::of(at, (by.other().of(event), recorded)));
    MapOf::of(by.of(event), seen)
}

/// Calls `see` with each event of a source.
pub(crate) fn each(
    store: &Reached,
    source: Source,
    options: ReadOptions,
    mut see: impl FnMut(&EventView<'_>) -> Outcome<()>,
) -> Outcome<Position> {
    let mut read = store.read(source, options)?;
    while let Some(events) = read.next()? {
        events.each(|event| see(&event))?;
    }
    Ok(read.head())
}

/// What all events of a source come to, and as of which head.
pub(crate) fn state(store: &Reached, by: By, source: Source, options: ReadOptions) -> Outcome<(Summary, Position)> {
    let mut summary = Summary::identity();
    let head = each(store, source, options, |event| {
        summary.combine(&lift(by, event));
        Ok(())
    })?;
    Ok((summary, head))
}

/// What some of the effects of single events come to, in order.
pub(crate) fn composed(effects: &[Summary], range: Range<usize>) -> Summary {
    effects[range].iter().fold(Summary::identity(), Monoid::then)
}

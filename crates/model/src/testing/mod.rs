//! Testing: decisions and reactions without a store, and whole domains on a store in memory, in virtual time, with a crash at every moment.

#[cfg(feature = "testing")]
mod crash;
mod reacted;
#[cfg(feature = "testing")]
mod world;

#[cfg(feature = "laws")]
mod ignoring;

use std::{collections::BTreeMap, fmt::Debug};

use gesta_store::{EventData, EventRef, Position, Revision, StreamName, Tags, Timestamp, event::encode_tags};
use uuid::Uuid;

use crate::{
    command::{Command, Decide, Knows},
    event::{Event, to_recordable},
    process::Process,
};

#[cfg(feature = "testing")]
pub use crash::crash_everywhere;
#[cfg(feature = "laws")]
pub use ignoring::ignores_hold;
pub use reacted::Reacted;
#[cfg(feature = "testing")]
pub use world::{Settle, World};

/// As if these events, and no others, had been recorded.
///
/// # Panics
/// If one cannot be recorded.
pub fn given<E: Event>(events: impl IntoIterator<Item = E>) -> Given {
    let recordable = |event: E| to_recordable(&event).unwrap_or_else(|error| panic!("given event: {error}"));
    Given { events: events.into_iter().map(recordable).collect() }
}

/// What was recorded, for a test.
#[derive(Clone, Debug)]
pub struct Given {
    events: Vec<(StreamName, EventData)>,
}

/// What a command came to.
#[derive(Debug)]
pub struct Decided<C: Command> {
    first: Result<Vec<C::Event>, C::Refusal>,
    /// Decided again, on states folded again: the same, if nothing but events and the command has a say.
    second: Result<Vec<C::Event>, C::Refusal>,
}

impl Given {
    /// Events of another type as well.
    #[must_use]
    pub fn and<E: Event>(mut self, events: impl IntoIterator<Item = E>) -> Self {
        self.events.extend(given(events).events);
        self
    }

    /// Decides a command by what was given; twice, since it must come to the same.
    ///
    /// # Panics
    /// If a key names nothing.
    pub fn when<C: Decide>(&self, command: &C) -> Decided<C> {
        let blocks = self.tag_blocks();
        let decide = || {
            let known = C::Knows::imagine(&command.keys(), &self.views(&blocks));
            let known = known.unwrap_or_else(|error| panic!("given events: {error}"));
            command.decide(C::Knows::states(&known))
        };
        Decided { first: decide(), second: decide() }
    }

    /// Has the instance of a process that an event is on the path of hear it, after what was given.
    ///
    /// # Panics
    /// If the event is on no path of the process, or on several.
    #[must_use]
    pub fn hears<P: Process>(mut self, event: P::Event) -> Reacted<P> {
        self.events.extend(given([event]).events);
        let blocks = self.tag_blocks();
        Reacted::of(&self.views(&blocks))
    }

    fn tag_blocks(&self) -> Vec<Vec<u8>> {
        let block = |event: &EventData| {
            let mut tags = event.tags.clone();
            tags.sort();
            tags.dedup();
            let mut block = Vec::new();
            encode_tags(&tags, &mut block);
            block
        };
        self.events.iter().map(|(_, event)| block(event)).collect()
    }

    /// The events as if they were recorded, with the encoded tags of each.
    fn views<'e>(&'e self, tags: &'e [Vec<u8>]) -> Vec<EventRef<'e>> {
        let mut revisions = BTreeMap::<&StreamName, u64>::new();
        let indexed = (0_u64..).zip(&self.events).zip(tags);
        let view = |((index, (stream, event)), tags): ((u64, &'e (StreamName, EventData)), &'e Vec<u8>)| {
            let next = revisions.entry(stream).or_default();
            *next += 1;
            view([index, *next - 1], stream, event, tags)
        };
        indexed.map(view).collect()
    }
}

fn view<'e>([index, revision]: [u64; 2], stream: &'e StreamName, event: &'e EventData, tags: &'e [u8]) -> EventRef<'e> {
    EventRef {
        position: Position(index),
        revision: Revision(revision),
        recorded_at: Timestamp(i64::try_from(index).unwrap_or(i64::MAX)),
        id: Uuid::from_u128(u128::from(index) + 1),
        stream,
        event_type: &event.event_type,
        content_type: event.content_type.as_str(),
        tags: Tags::parse(tags).expect("tags were encoded right here"),
        data: &event.data,
        metadata: &event.metadata,
        erased: false,
    }
}

impl<C: Command> Decided<C>
where
    C::Event: PartialEq + Debug,
    C::Refusal: PartialEq + Debug,
{
    /// Expects these events.
    ///
    /// # Panics
    /// If it came to something else.
    #[track_caller]
    pub fn then(self, events: impl IntoIterator<Item = C::Event>) {
        let expected: Vec<_> = events.into_iter().collect();
        match self.same() {
            Ok(decided) => assert_eq!(decided, expected, "{} decided something else", C::NAME),
            Err(refusal) => panic!("{} was refused: {refusal:?}", C::NAME),
        }
    }

    /// Expects this refusal.
    ///
    /// # Panics
    /// If it came to something else.
    #[track_caller]
    pub fn refuses(self, refusal: &C::Refusal) {
        match self.same() {
            Ok(decided) => panic!("{} was not refused, but decided {decided:?}", C::NAME),
            Err(refused) => assert_eq!(refused, *refusal, "{} was refused for another reason", C::NAME),
        }
    }

    /// The result itself.
    ///
    /// # Panics
    /// If it came to something else the second time.
    #[track_caller]
    pub fn result(self) -> Result<Vec<C::Event>, C::Refusal> {
        self.same()
    }

    #[track_caller]
    fn same(self) -> Result<Vec<C::Event>, C::Refusal> {
        let Self { first, second } = self;
        assert_eq!(first, second, "{} decides otherwise each time: a model, or the command, is no function", C::NAME);
        first
    }
}

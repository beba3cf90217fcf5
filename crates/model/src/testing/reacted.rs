//! Testing reactions without a store: given these events, when that one is heard, these effects.

use gesta_store::EventRef;

use crate::{
    event::{Place, Reading, read},
    process::{Effect, Hearing, Process, instances_of},
};

/// What an instance of a process did at an event.
#[derive(Debug)]
pub struct Reacted<P: Process>(Vec<Effect<P>>);

impl<P: Process> Reacted<P> {
    /// Has the instance of the last event hear it.
    pub(super) fn of(events: &[EventRef<'_>]) -> Self {
        let (heard, _) = events.split_last().expect("the event that is heard is there");
        let instances = instances_of::<P>(heard.stream, heard.tags.iter());
        let [instance] = instances[..] else {
            panic!("{} has not one instance that hears the event, instances={instances:?}", P::NAME)
        };
        let mut state = P::default();
        let mut effects = Vec::new();
        for event in
            events.iter().filter(|event| instances_of::<P>(event.stream, event.tags.iter()).contains(&instance))
        {
            if let Ok(Reading::Fact(fact)) = read::<P::Event>(event) {
                let place = Place::of(event);
                state.apply(&fact, &place);
                let hears = P::hears(&fact);
                effects = if hears { state.react(&fact, &Hearing { instance, place }) } else { Vec::new() };
            }
        }
        Self(effects)
    }

    /// Expects these effects, in this order.
    ///
    /// # Panics
    /// If there were others.
    #[track_caller]
    pub fn reacts(self, effects: impl IntoIterator<Item = Effect<P>>) {
        let expected: Vec<_> = effects.into_iter().collect();
        assert_eq!(self.0, expected, "{} reacted otherwise", P::NAME);
    }

    /// The effects themselves.
    #[must_use]
    pub fn effects(self) -> Vec<Effect<P>> {
        self.0
    }
}

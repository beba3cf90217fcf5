//! Laws tried on what was really recorded: generators make the events their authors think of, logs have the others.

use std::collections::BTreeMap;

use gesta_store::{EventStore, Position};

use crate::{
    demotion::{Broken, Demotion},
    error::{Result, guarded},
    fold::{Part, each, stop_if},
    laws::{Laws, Witness, refute_onto},
    model::Algebraic,
    scope::{Scope, paths_of},
};

/// Events tried together.
const WINDOW: usize = 64;
/// Events of all instances held at a time: then every window is tried as it is.
const HELD_MAX: usize = 64 * 1_024;

/// What trying laws on a log came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LawReport {
    /// Events they were tried on: all there are, or those up to where the first that does not hold was found.
    pub events: u64,
    /// The first that does not hold, with the events that show it.
    pub broken: Option<Demotion>,
}

/// Tries laws on all events of one instance below `head`, a window after the other. Demotes nothing.
pub(crate) fn check<M: Algebraic<Event: Clone>>(
    store: &EventStore,
    laws: &Laws<M>,
    key: &M::Key,
    head: Position,
) -> Result<LawReport> {
    let scope = Scope::of::<M>(key)?;
    let mut window = Window { before: M::default(), state: M::default(), events: Vec::new(), broken: None };
    let folded = each::<M>(store, &scope, Part::until(head), &mut |recorded, event, place| {
        window.state.apply(event, place);
        window.events.push(Witness::of(event.clone(), recorded));
        if window.events.len() == WINDOW {
            window.close(laws);
        }
        stop_if(window.broken.is_some())
    })?;
    guarded(|| format!("laws of {}", M::name()), || window.close(laws))?;
    Ok(LawReport { events: folded.events, broken: window.broken })
}

/// Events of one instance that are tried together.
struct Window<M: Algebraic> {
    /// The state before them, and after.
    before: M,
    state: M,
    events: Vec<Witness<M::Event>>,
    broken: Option<Demotion>,
}

impl<M: Algebraic<Event: Clone>> Window<M> {
    /// Tries the laws on the events alone, and then as what they were: events that came to a state. It may be one that no window alone leads to.
    fn close(&mut self, laws: &Laws<M>) {
        let events = std::mem::take(&mut self.events);
        if self.broken.is_none() {
            let onto = refute_onto(&self.before, &events).map(|(events, broken)| demotion::<M>(broken, &events));
            self.broken = found(laws, events).or(onto);
        }
        self.before.clone_from(&self.state);
    }
}

/// Tries laws on the events of every instance below `head`: windows of each instance's own.
pub(crate) fn check_all<M: Algebraic<Event: Clone>>(
    store: &EventStore,
    laws: &Laws<M>,
    head: Position,
) -> Result<LawReport> {
    let scope = Scope::pattern::<M>()?;
    // In order of their names, so that of several that are broken the same one is reported each time.
    let mut windows: BTreeMap<String, Vec<Witness<M::Event>>> = BTreeMap::new();
    let (mut held, mut broken) = (0, None);
    let folded = each::<M>(store, &scope, Part::until(head), &mut |recorded, event, _| {
        for path in paths_of::<M>(recorded.stream, recorded.tags.iter()) {
            let window = windows.entry(path.to_owned()).or_default();
            window.push(Witness::of(event.clone(), recorded));
            held += 1;
            if window.len() == WINDOW {
                held -= WINDOW;
                broken = found(laws, std::mem::take(window));
                if broken.is_some() {
                    return stop_if(true);
                }
            }
        }
        if held >= HELD_MAX {
            held = 0;
            broken = std::mem::take(&mut windows).into_values().find_map(|window| found(laws, window));
        }
        stop_if(broken.is_some())
    })?;
    if broken.is_none() {
        let rest = || windows.into_values().find_map(|window| found(laws, window));
        broken = guarded(|| format!("laws of {}", M::name()), rest)?;
    }
    Ok(LawReport { events: folded.events, broken })
}

fn found<M: Algebraic<Event: Clone>>(laws: &Laws<M>, window: Vec<Witness<M::Event>>) -> Option<Demotion> {
    let places = [0, 1, window.len() / 3, window.len() / 2, window.len()];
    let cuts = places.iter().flat_map(|&first| places.iter().map(move |&second| [first, second]));
    let broken: Broken =
        cuts.filter(|[first, second]| first <= second).find_map(|cuts| laws.check(&window, cuts).err())?;
    let (events, broken) = laws.shrink(window.clone()).unwrap_or((window, broken));
    Some(demotion::<M>(broken, &events))
}

fn demotion<M: Algebraic>(broken: Broken, events: &[Witness<M::Event>]) -> Demotion {
    Demotion { model: M::name(), broken, events: events.iter().map(|witness| witness.position).collect() }
}

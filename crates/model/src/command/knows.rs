//! What a command must know: one model or several, loaded at one head.

use std::sync::Arc;

use gesta_store::{EventRef, Position, Query, Revision};

use crate::{
    error::Result,
    event::{Event, Kind, Place, Reading, read},
    model::Model,
    scope::{Scope, types},
    state::{AtHead, Reader, load_exactly},
};

/// A model, or a tuple of up to four.
pub trait Knows: 'static {
    /// A key for each.
    type Keys: Send;
    /// The states, as `decide` takes them.
    type Ref<'k>;
    /// The states, and what they stand on.
    #[doc(hidden)]
    type Known: Send;
    /// The kinds of events of each.
    #[doc(hidden)]
    const KINDS: &'static [&'static [Kind]];

    /// Loads all at `head`; `None` when some cached state is further.
    #[doc(hidden)]
    fn load(reader: &Reader, keys: &Self::Keys, head: AtHead) -> Result<Option<Self::Known>>;

    /// The states as if nothing but `events` had been recorded.
    #[doc(hidden)]
    fn imagine(keys: &Self::Keys, events: &[EventRef<'_>]) -> Result<Self::Known>;

    #[doc(hidden)]
    fn states(known: &Self::Known) -> Self::Ref<'_>;

    #[doc(hidden)]
    fn ground(known: &Self::Known, ground: &mut Vec<Ground>);
}

/// Whether every name is one of a kind: a name that is misspelt would ignore nothing, silently.
#[doc(hidden)]
#[must_use]
pub const fn are_kinds(names: &[&str], models: &[&[Kind]]) -> bool {
    let mut name = 0;
    while name < names.len() {
        let (mut found, mut model) = (false, 0);
        while model < models.len() {
            let mut kind = 0;
            while kind < models[model].len() {
                found = found || is_same(models[model][kind].name.as_bytes(), names[name].as_bytes());
                kind += 1;
            }
            model += 1;
        }
        if !found {
            return false;
        }
        name += 1;
    }
    true
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}

/// A state and what it stands on.
#[doc(hidden)]
#[derive(Debug)]
pub struct Known<M> {
    state: Arc<M>,
    ground: Ground,
}

/// What one state of a decision stands on.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Ground {
    pub(crate) scope: Arc<Scope>,
    /// Every event of the scope below was seen.
    pub(crate) head: Position,
    /// The last one seen, if the scope is one stream.
    pub(crate) last_revision: Option<Revision>,
    /// The kinds of events of its model.
    pub(crate) kinds: &'static [Kind],
}

impl Ground {
    /// What must not have been recorded meanwhile: anything of the scope, but for the kinds that are ignored.
    pub(crate) fn without(&self, ignored: &[&str]) -> Query {
        let mut query = self.scope.condition().into_owned();
        if self.kinds.iter().any(|kind| ignored.contains(&kind.name)) {
            let rest: Vec<Kind> = self.kinds.iter().filter(|kind| !ignored.contains(&kind.name)).copied().collect();
            let types = types(&rest);
            for item in &mut query.items {
                if item.types.is_empty() {
                    item.types.clone_from(&types);
                } else {
                    item.types.retain(|one| types.contains(one));
                }
            }
            // An item without types is one of any type, not of none.
            query.items.retain(|item| !item.types.is_empty());
        }
        query
    }
}

impl<M: Model> Knows for M {
    type Keys = M::Key;
    type Ref<'k> = &'k M;
    type Known = Known<M>;
    const KINDS: &'static [&'static [Kind]] = &[M::Event::KINDS];

    fn load(reader: &Reader, key: &M::Key, head: AtHead) -> Result<Option<Known<M>>> {
        let loaded = load_exactly::<M>(reader, key, head)?;
        if let Some(parked) = loaded.as_ref().and_then(|(state, _)| state.parked().first()) {
            // Nobody knows what the decision would overlook.
            return Err(parked.reason.clone());
        }
        Ok(loaded.map(|(state, scope)| Known {
            ground: Ground { scope, head: state.head, last_revision: state.revision, kinds: M::Event::KINDS },
            state: state.value,
        }))
    }

    fn imagine(key: &M::Key, events: &[EventRef<'_>]) -> Result<Known<M>> {
        let scope = Arc::new(Scope::of::<M>(key)?);
        let condition = scope.condition();
        let mut state = M::default();
        let belongs = |event: &&EventRef<'_>| {
            condition.matches(event.stream, event.event_type, event.tags.iter()) && scope.admits(event)
        };
        for event in events.iter().filter(belongs) {
            if let Ok(Reading::Fact(fact)) = read::<M::Event>(event) {
                state.apply(&fact, &Place::of(event));
            }
        }
        drop(condition);
        let ground = Ground { scope, head: Position(events.len() as u64), last_revision: None, kinds: M::Event::KINDS };
        Ok(Known { state: Arc::new(state), ground })
    }

    fn states(known: &Known<M>) -> &M {
        &known.state
    }

    fn ground(known: &Known<M>, ground: &mut Vec<Ground>) {
        ground.push(known.ground.clone());
    }
}

macro_rules! tuples {
    ($($model:ident $index:tt),+) => {
        impl<$($model: Model),+> Knows for ($($model,)+) {
            type Keys = ($($model::Key,)+);
            type Ref<'k> = ($(&'k $model,)+);
            type Known = ($(Known<$model>,)+);
            const KINDS: &'static [&'static [Kind]] = &[$(<$model::Event as Event>::KINDS),+];

            fn load(reader: &Reader, keys: &Self::Keys, head: AtHead) -> Result<Option<Self::Known>> {
                Ok(Some(($(
                    match $model::load(reader, &keys.$index, head)? {
                        Some(known) => known,
                        None => return Ok(None),
                    },
                )+)))
            }

            fn imagine(keys: &Self::Keys, events: &[EventRef<'_>]) -> Result<Self::Known> {
                Ok(($($model::imagine(&keys.$index, events)?,)+))
            }

            fn states(known: &Self::Known) -> Self::Ref<'_> {
                ($($model::states(&known.$index),)+)
            }

            fn ground(known: &Self::Known, ground: &mut Vec<Ground>) {
                $($model::ground(&known.$index, ground);)+
            }
        }
    };
}
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);

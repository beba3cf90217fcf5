//! The groups of a store: which there are, and which of them are in use.
//!
//! A group that nobody uses costs its entry in the catalog and nothing else; it is loaded when somebody connects or asks, and forgotten when the
//! last consumer has gone and everything is written. There is never more than one live group of a name, so nobody else writes its streams.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    backing::{Backing, failure},
    catalog::{self, Carried, Catalog, GroupConfig},
    documents::{Action, Change},
    guarded::Purpose,
    live::{LiveGroup, Patience, store_closed},
};
use crate::{
    append::{Append, AppendError},
    commit::Rejection,
    error::{Error, ErrorKind},
    limits,
    subscribe::{GroupError, GroupName, group_settings::setting},
};

/// See the module's words.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(super) backing: Backing,
    catalog: Mutex<Catalog>,
    live: Mutex<Live>,
}

#[derive(Debug, Default)]
struct Live {
    places: BTreeMap<GroupName, Arc<Place>>,
    /// The last one that was looked at, whether it may be forgotten.
    looked_at: Option<GroupName>,
    closed: bool,
}

/// Places looked at, whether they may be forgotten, each time a group is asked for. More than one, so that there are soon no more groups in memory
/// than are used; few, so that asking for each of many groups is not quadratic.
const LOOKED_AT: usize = 4;

impl Live {
    /// The next few places, going round.
    fn next_few(&mut self) -> Vec<(GroupName, Arc<Place>)> {
        let after = self.looked_at.take().map_or(Bound::Unbounded, Bound::Excluded);
        let later = self.places.range((after.clone(), Bound::Unbounded));
        let earlier = self.places.iter().take_while(|(name, _)| match &after {
            Bound::Excluded(last) => *name <= last,
            Bound::Included(_) | Bound::Unbounded => false,
        });
        let few: Vec<_> =
            later.chain(earlier).take(LOOKED_AT).map(|(name, at)| (name.clone(), Arc::clone(at))).collect();
        self.looked_at = few.last().map(|(name, _)| name.clone());
        few
    }
}

/// Where a group is, if it is in use. Its lock is held while the group is loaded, or changed as a whole: only those who want the same group wait.
#[derive(Debug, Default)]
pub(super) struct Place(Mutex<Option<Arc<LiveGroup>>>);

impl Place {
    pub(super) fn lock(&self) -> MutexGuard<'_, Option<Arc<LiveGroup>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    pub(crate) fn new(backing: Backing) -> Self {
        Self { backing, catalog: Mutex::default(), live: Mutex::default() }
    }

    fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a group is.
    pub(super) fn config(&self, group: &GroupName) -> Result<GroupConfig, GroupError> {
        let mut catalog = self.catalog();
        catalog.refresh(&self.backing)?;
        catalog.get(group).cloned().ok_or_else(|| GroupError::NoSuchGroup { group: group.to_string() })
    }

    /// What all groups are.
    pub(super) fn configs(&self) -> Result<Vec<GroupConfig>, GroupError> {
        let mut catalog = self.catalog();
        catalog.refresh(&self.backing)?;
        Ok(catalog.iter().cloned().collect())
    }

    /// The group's place.
    pub(super) fn place(&self, group: &GroupName) -> Result<Arc<Place>, GroupError> {
        // Here, and not only where one is loaded: asking for groups that do not exist makes places too.
        self.forget_idle();
        let mut live = self.live();
        if live.closed {
            return Err(store_closed());
        }
        Ok(Arc::clone(live.places.entry(group.clone()).or_default()))
    }

    /// The group, loaded if nobody has used it yet.
    pub(super) fn group(&self, name: &GroupName) -> Result<Arc<LiveGroup>, GroupError> {
        let place = self.place(name)?;
        let mut here = place.lock();
        match here.as_ref().map(|group| (group, group.ended())) {
            Some((group, None)) => return Ok(Arc::clone(group)),
            // What was settled since the last write is lost, and must not look as if it were not.
            Some((_, Some(failed @ GroupError::Store(_)))) => return Err(failed),
            Some((_, Some(_))) | None => {}
        }
        let config = self.config(name)?;
        let group = Arc::new(LiveGroup::load(self.backing.clone(), config)?);
        *here = Some(Arc::clone(&group));
        drop(here);
        // A store that was closed meanwhile has not seen this one.
        if self.live().closed {
            let _ = group.end(store_closed());
            return Err(store_closed());
        }
        Ok(group)
    }

    /// Forgets groups nobody uses, if there are such among the next few.
    fn forget_idle(&self) {
        let few = self.live().next_few();
        for (name, place) in few {
            // Whoever holds it uses it.
            let Ok(mut here) = place.0.try_lock() else { continue };
            if let Some(group) = here.as_ref() {
                if group.has_consumers() {
                    continue;
                }
                // A write that failed is tried again; what it meets is told to whoever uses the group.
                let _ = group.drive(Purpose::Write, Patience::Until(None));
                // One reference is the place's own.
                if !group.is_idle() || Arc::strong_count(group) > 1 {
                    continue;
                }
            }
            *here = None;
            drop(here);
            let mut live = self.live();
            // Whoever has asked for the place holds it too: one reference is the map's, one is ours.
            if live.places.get(&name).is_some_and(|known| Arc::ptr_eq(known, &place) && Arc::strong_count(known) <= 2) {
                live.places.remove(&name);
            }
        }
    }

    /// Records a change of a group, with whatever else belongs to it. `decide` says what is changed, from what the groups are; it is asked
    /// again if somebody else changed one meanwhile.
    pub(super) fn change(
        &self,
        mut decide: impl FnMut(&Catalog) -> Result<(Change, Append), GroupError>,
    ) -> Result<(), GroupError> {
        loop {
            let (append, carried, next) = {
                let mut catalog = self.catalog();
                catalog.refresh(&self.backing)?;
                let (change, append) = decide(&catalog)?;
                let carried = catalog.carried(&change.group);
                (self.recorded(&catalog, &change, carried.as_ref(), append)?, carried, catalog.next())
            };
            match self.backing.commit(append).wait() {
                Ok(_) => {
                    if let Some(carried) = carried {
                        self.catalog().carry(&carried);
                    }
                    return Ok(());
                }
                Err(AppendError::Rejected(Rejection::WrongRevision { .. })) => {
                    let mut catalog = self.catalog();
                    catalog.refresh(&self.backing)?;
                    if catalog.next() == next {
                        // Nobody changed a group: another stream is in the way.
                        return Err(Error::new(
                            ErrorKind::Internal,
                            "the streams of consumer groups are not where they are expected to be",
                        )
                        .into());
                    }
                }
                Err(error) => return Err(failure(error).into()),
            }
        }
    }

    /// Adds to a commit that a group is changed, and what keeps the config stream short.
    fn recorded(
        &self,
        catalog: &Catalog,
        change: &Change,
        carried: Option<&Carried>,
        append: Append,
    ) -> Result<Append, GroupError> {
        let (stream, expected) = catalog.expected();
        let event = change.event();
        let (bytes, max) = (event.data.len(), limits::GROUP_DOCUMENT_BYTES_MAX);
        if bytes > max {
            // Nobody would read it back. Of what it says, only what the source is has no bound of its own.
            return Err(setting("source", format!("{bytes} bytes"), format!("at most {max} bytes with the settings")));
        }
        let again = carried.iter().flat_map(|carried| &carried.again).cloned();
        let events: Vec<_> = std::iter::once(event).chain(again).collect();
        let append = append.stream(stream.clone(), expected, events);
        match carried {
            Some(carried) => Ok(catalog::mark_first(append, &self.backing, &stream, carried.first)?),
            None => Ok(append),
        }
    }

    /// Ends all groups: what is settled is written, and whoever waits is told. Nobody can use one from now on.
    pub(crate) fn close(&self) {
        let places = {
            let mut live = self.live();
            live.closed = true;
            std::mem::take(&mut live.places)
        };
        for place in places.into_values() {
            let group = place.lock().take();
            if let Some(group) = group {
                // What is not written is delivered again.
                let _ = group.end(store_closed());
            }
        }
    }

    /// The change that is made of a group now.
    pub(super) fn change_of(&self, action: Action, config: &GroupConfig) -> Change {
        Change {
            action,
            group: config.name.clone(),
            source: config.source.clone(),
            settings: config.settings.clone(),
            // Once the event of its creation is hidden, nobody else says it.
            created: (action != Action::Created).then_some(config.created),
            at: self.backing.now(),
        }
    }
}

//! Lists that were asked for, remembered: so that a list costs a look-up per stream, not per call or event.
//!
//! A list is remembered only if nothing was forgotten since before it was looked up; what changes a list makes it be forgotten (`watching`). When
//! nobody watches any more, nothing is remembered.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use gesta_store::{Direction, Error, ErrorKind, EventStore, From, ReadOptions, StreamName};

use super::{
    acl::{DefaultAcls, StreamAcl},
    users::SETTINGS,
};
use crate::limits::ACLS_REMEMBERED_MAX;

/// The lists that decide about a stream.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    pub(super) acl: Arc<StreamAcl>,
    pub(super) defaults: Arc<DefaultAcls>,
}

/// Lists that were asked for.
#[derive(Debug, Default)]
pub(super) struct Acls(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    acls: HashMap<String, Arc<StreamAcl>>,
    defaults: Option<Arc<DefaultAcls>>,
    /// How often something was forgotten.
    forgotten: u64,
    /// Nobody watches any more.
    blind: bool,
}

impl Acls {
    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lists that decide about a stream, if they are remembered.
    pub(super) fn remembered(&self, stream: &str) -> Option<Lists> {
        let remembered = self.lock();
        let acl = Arc::clone(remembered.acls.get(stream)?);
        let defaults = Arc::clone(remembered.defaults.as_ref()?);
        Some(Lists { acl, defaults })
    }

    /// The lists that decide about a stream. Waits for the disk if they are not remembered.
    ///
    /// # Errors
    /// As [`EventStore::read`].
    pub(super) fn look_up(&self, store: &EventStore, stream: &str) -> Result<Lists, Error> {
        if let Some(lists) = self.remembered(stream) {
            return Ok(lists);
        }
        let forgotten = self.lock().forgotten;
        let defaults = Arc::new(defaults(store)?);
        let acl = Arc::new(acl(store, stream)?);
        let mut remembered = self.lock();
        if remembered.forgotten == forgotten && !remembered.blind {
            if remembered.acls.len() >= ACLS_REMEMBERED_MAX {
                remembered.acls.clear();
            }
            remembered.acls.insert(stream.to_owned(), Arc::clone(&acl));
            remembered.defaults = Some(Arc::clone(&defaults));
        }
        Ok(Lists { acl, defaults })
    }

    /// Forgets the list of a stream, whose metadata was written.
    pub(super) fn forget(&self, stream: &str) {
        let mut remembered = self.lock();
        remembered.forgotten += 1;
        remembered.acls.remove(stream);
    }

    /// Forgets the default lists.
    pub(super) fn forget_defaults(&self) {
        let mut remembered = self.lock();
        remembered.forgotten += 1;
        remembered.defaults = None;
    }

    /// Remembers nothing from here on.
    pub(super) fn go_blind(&self) {
        let forgotten = self.lock().forgotten + 1;
        *self.lock() = Remembered { forgotten, blind: true, ..Remembered::default() };
    }
}

fn acl(store: &EventStore, stream: &str) -> Result<StreamAcl, Error> {
    // A name too long to be described has no metadata.
    let Ok(name) = StreamName::new(stream) else { return Ok(StreamAcl::default()) };
    if name.metadata_stream().is_err() {
        return Ok(StreamAcl::default());
    }
    let metadata = store.stream_metadata(&name)?;
    Ok(metadata.map_or_else(StreamAcl::default, |(_, document)| StreamAcl::from_metadata(&document)))
}

fn defaults(store: &EventStore) -> Result<DefaultAcls, Error> {
    let options =
        ReadOptions { direction: Direction::Backward, from: From::Beginning, limit: Some(1), ..ReadOptions::default() };
    let batch = match store.read_stream(StreamName::new(SETTINGS)?, options) {
        Ok(mut read) => read.next_batch()?,
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let settings = batch.as_ref().and_then(|batch| batch.iter().next());
    Ok(settings.map_or_else(DefaultAcls::default, |event| {
        DefaultAcls::from_settings(std::str::from_utf8(event.data).unwrap_or_default())
    }))
}

//! I3: determinism. The same proposals in the same order make the same bytes.
//!
//! A twin on a disk of its own is fed whatever the store answered, one request at a time where the store had groups, with no
//! crash, no fault and no maintenance. Their segments must be equal, but for the zeros behind the last frame.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use gesta_store::{
    EventStore, Timestamp,
    clock::{Clock, ManualClock},
    disk::memory::MemoryDisk,
};

use crate::{Violation, settings::Settings, step::Request, world::open};

/// The second store.
#[derive(Debug)]
pub struct Twin {
    settings: Settings,
    disk: MemoryDisk,
    clock: Arc<ManualClock>,
    store: Option<EventStore>,
    /// It was fed every request in the order of the store, with the same random bytes. Lost for good when the store drew bytes for a
    /// request that it never ordered, and when a crash took a request back.
    in_step: bool,
}

impl Twin {
    /// A twin of a new store.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn new(settings: Settings, now: Timestamp) -> Result<Self, Violation> {
        let clock = Arc::new(ManualClock::at(now));
        let mut twin = Self { settings, disk: MemoryDisk::new(), clock, store: None, in_step: true };
        twin.restart(0)?;
        Ok(twin)
    }

    /// Follows the store into its next life, where its random bytes begin anew.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn restart(&mut self, incarnation: u64) -> Result<(), Violation> {
        self.store = None;
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        self.store = Some(open(&self.disk, self.settings.options(clock, incarnation))?);
        Ok(())
    }

    /// Gives it the next request the store has ordered, sent at `now`.
    pub fn feed(&mut self, request: &Request, now: Timestamp) {
        if let Some(store) = self.store.as_ref().filter(|_| self.in_step) {
            self.clock.jump_to(now);
            // What it answers shows in its bytes.
            drop(store.commit(request.to_append()).wait());
        }
    }

    /// Gives up: the store went on in a way that cannot be repeated.
    pub fn lose_step(&mut self) {
        self.in_step = false;
    }

    /// Compares the segments.
    ///
    /// # Errors
    /// Where they differ.
    pub fn compare(&self, disk: &MemoryDisk) -> Result<(), Violation> {
        if !self.in_step {
            return Ok(());
        }
        let (ours, twins) = (segments(disk), segments(&self.disk));
        for path in ours.keys().chain(twins.keys()) {
            let (Some(ours), Some(twins)) = (ours.get(path), twins.get(path)) else {
                return Err(Violation::new("I3", format!("only one of two equal stores has {}", path.display())));
            };
            if ours != twins {
                let differ = ours.iter().zip(twins).position(|(our, twin)| our != twin);
                let offset = differ.unwrap_or(ours.len().min(twins.len()));
                let near = |bytes: &[u8]| {
                    let end = (offset + 48).min(bytes.len());
                    bytes.get(offset..end).unwrap_or_default().escape_ascii().to_string()
                };
                let what = format!(
                    "equal stores differ, file={} offset={offset} lengths={}/{} ours={} twin={}",
                    path.display(),
                    ours.len(),
                    twins.len(),
                    near(ours),
                    near(twins)
                );
                return Err(Violation::new("I3", what));
            }
        }
        Ok(())
    }
}

/// Segments without the zeros at their ends.
fn segments(disk: &MemoryDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = disk.snapshot();
    files.retain(|path, _| path.extension().is_some_and(|extension| extension == "seg"));
    for bytes in files.values_mut() {
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(end);
    }
    files
}

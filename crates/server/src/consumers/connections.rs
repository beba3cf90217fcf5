//! Who is connected: of each consumer what the store does not know, for those who ask about a group.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use gesta_store::GroupName;

use crate::convert::group_info::Peer;

/// Consumers by group and number. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connections(Arc<Mutex<BTreeMap<(GroupName, u64), Peer>>>);

impl Connections {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(GroupName, u64), Peer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(&self, group: GroupName, number: u64, peer: Peer) {
        self.lock().insert((group, number), peer);
    }

    pub(crate) fn leave(&self, group: &GroupName, number: u64) {
        self.lock().remove(&(group.clone(), number));
    }

    /// What is known of a consumer; nothing of one that did not come over the network.
    pub(crate) fn peer(&self, group: &GroupName, number: u64) -> Peer {
        self.lock().get(&(group.clone(), number)).cloned().unwrap_or_default()
    }
}

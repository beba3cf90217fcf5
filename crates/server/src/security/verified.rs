//! Passwords that were right, remembered: so that Argon2 runs once for a client and not for every call of it.
//!
//! Remembered is a fingerprint of what was sent, under a secret of this process: who reads this memory does not read passwords, and how long a
//! look-up takes says nothing about them. A user that changes is forgotten (`watching`).

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use gesta_store::entropy::Entropy;
use sha2::{Digest, Sha256};

use super::caller::Identity;
use crate::limits::PASSWORDS_REMEMBERED_MAX;

/// What was sent, as it is remembered.
type Fingerprint = [u8; 32];

/// Passwords that were right.
pub(super) struct Verified {
    secret: [u8; 32],
    remembered: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    identities: HashMap<Fingerprint, Arc<Identity>>,
    /// How often something was forgotten.
    forgotten: u64,
    /// Nobody watches any more.
    blind: bool,
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verified") // nothing of it belongs into a log
    }
}

impl Verified {
    /// Nothing yet.
    pub(super) fn new(entropy: &Entropy) -> Self {
        let mut secret = [0; 32];
        entropy.fill(&mut secret);
        Self { secret, remembered: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of a header. The secret stands on both sides of what was sent, so that nothing of it can be chosen to extend it.
    pub(super) fn fingerprint(&self, header: &[u8]) -> Fingerprint {
        let hash = Sha256::new().chain_update(self.secret).chain_update(header).chain_update(self.secret);
        hash.finalize().into()
    }

    /// Who sent this before, and was right.
    pub(super) fn identity(&self, fingerprint: &Fingerprint) -> Option<Arc<Identity>> {
        self.lock().identities.get(fingerprint).cloned()
    }

    /// How often something was forgotten; asked before a password is checked, and told when it is remembered.
    pub(super) fn forgotten(&self) -> u64 {
        self.lock().forgotten
    }

    /// Remembers that this is right, unless somebody was forgotten meanwhile.
    pub(super) fn remember(&self, fingerprint: Fingerprint, identity: Arc<Identity>, forgotten: u64) {
        let mut remembered = self.lock();
        if remembered.forgotten != forgotten || remembered.blind {
            return;
        }
        if remembered.identities.len() >= PASSWORDS_REMEMBERED_MAX {
            remembered.identities.clear();
        }
        remembered.identities.insert(fingerprint, identity);
    }

    /// Forgets a user, who was changed.
    pub(super) fn forget(&self, login: &str) {
        let mut remembered = self.lock();
        remembered.forgotten += 1;
        remembered.identities.retain(|_, identity| identity.login != login);
    }

    /// Remembers nothing from here on.
    pub(super) fn go_blind(&self) {
        let forgotten = self.lock().forgotten + 1;
        *self.lock() = Remembered { forgotten, blind: true, ..Remembered::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(login: &str) -> Arc<Identity> {
        Arc::new(Identity { login: login.to_owned(), groups: Vec::new() })
    }

    #[test]
    fn a_user_who_changes_is_forgotten_and_others_are_not() {
        let verified = Verified::new(&Entropy::seeded(1));
        let [ada, again, bob] = ["a1", "a2", "b"].map(|header| verified.fingerprint(header.as_bytes()));
        for (fingerprint, login) in [(ada, "ada"), (again, "ada"), (bob, "bob")] {
            verified.remember(fingerprint, identity(login), verified.forgotten());
            assert_eq!(verified.identity(&fingerprint), Some(identity(login)));
        }
        verified.forget("ada");
        assert_eq!([ada, again].map(|fingerprint| verified.identity(&fingerprint)), [None, None]);
        assert!(verified.identity(&bob).is_some());
    }

    #[test]
    fn what_was_checked_before_a_change_is_not_remembered_after_it() {
        let verified = Verified::new(&Entropy::seeded(1));
        let (fingerprint, forgotten) = (verified.fingerprint(b"a"), verified.forgotten());
        verified.forget("ada");
        verified.remember(fingerprint, identity("ada"), forgotten);
        assert_eq!(verified.identity(&fingerprint), None);
    }

    #[test]
    fn when_nobody_watches_nothing_is_remembered() {
        let verified = Verified::new(&Entropy::seeded(1));
        let fingerprint = verified.fingerprint(b"a");
        verified.remember(fingerprint, identity("ada"), verified.forgotten());
        verified.go_blind();
        assert_eq!(verified.identity(&fingerprint), None);
        verified.remember(fingerprint, identity("ada"), verified.forgotten());
        assert_eq!(verified.identity(&fingerprint), None);
    }

    #[test]
    fn processes_do_not_share_fingerprints() {
        let [one, other] = [1, 2].map(|seed| Verified::new(&Entropy::seeded(seed)).fingerprint(b"a"));
        assert_ne!(one, other);
    }
}

//! Who sent a name and a password, if the password is right.

use std::{net::IpAddr, sync::Arc};

use gesta_store::{Error, EventStore, entropy::Entropy};
use tokio::time::Instant;

use super::{
    basic::Credentials,
    caller::Identity,
    guesses::{Guesser, Guesses},
    password_threads::PasswordThreads,
    passwords, users,
    verified::Verified,
};
use crate::fault::Fault;

/// The users of a store, as callers name themselves.
#[derive(Debug)]
pub(super) struct Authentication {
    store: EventStore,
    pub(super) verified: Arc<Verified>,
    pub(super) guesses: Arc<Guesses>,
    pub(super) threads: PasswordThreads,
}

impl Authentication {
    pub(super) fn of(store: EventStore, entropy: &Entropy) -> Self {
        Self {
            store,
            verified: Arc::new(Verified::new(entropy)),
            guesses: Arc::default(),
            threads: PasswordThreads::default(),
        }
    }

    /// Who sent this header, from this address.
    ///
    /// # Errors
    /// `Unauthenticated` if it is not right, whatever is wrong with it; `TooBusy`, also for who was wrong too often; `Store`.
    pub(super) async fn identify(&self, header: &[u8], address: Option<IpAddr>) -> Result<Arc<Identity>, Fault> {
        let fingerprint = self.verified.fingerprint(header);
        if let Some(identity) = self.verified.identity(&fingerprint) {
            return Ok(identity);
        }
        let credentials = Credentials::parse(header).ok_or(Fault::Unauthenticated)?;
        let guesser = Guesser::new(address, &credentials.login);
        // Whoever must wait takes nobody's turn.
        if !self.guesses.may(&guesser, Instant::now()) {
            return Err(Fault::TooBusy);
        }
        let (store, verified) = (self.store.clone(), Arc::clone(&self.verified));
        let guesses = Arc::clone(&self.guesses);
        let checked = self.threads.run(move || {
            // A client that opens many calls at once sends the same with each: one of them checks for all.
            if let Some(identity) = verified.identity(&fingerprint) {
                return Ok(Some(identity));
            }
            // Asked again: many may have come in at once, and been wrong before it was their turn.
            if !guesses.may(&guesser, Instant::now()) {
                return Err(Fault::TooBusy);
            }
            let forgotten = verified.forgotten();
            let identity = check(&store, &credentials)?;
            match &identity {
                Some(identity) => {
                    guesses.right(&guesser);
                    verified.remember(fingerprint, Arc::clone(identity), forgotten);
                }
                None => guesses.wrong(guesser, Instant::now()),
            }
            Ok::<_, Fault>(identity)
        });
        checked.await??.ok_or(Fault::Unauthenticated)
    }
}

fn check(store: &EventStore, credentials: &Credentials) -> Result<Option<Arc<Identity>>, Error> {
    let found = users::find(store, &credentials.login)?.filter(|found| !found.user.disabled);
    let kept = found.as_ref().map(|found| found.user.hash.as_str());
    let right = passwords::is_right(&credentials.password, kept);
    let user = found.filter(|_| right).map(|found| found.user);
    Ok(user.map(|user| Arc::new(Identity { login: user.login_name, groups: user.groups })))
}

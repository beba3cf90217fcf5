//! What stands between callers and a store: it knows who they are, and asks the rules with the lists they need.

use std::{net::IpAddr, sync::Arc};

use axum::http::{HeaderMap, header::AUTHORIZATION};
use gesta_store::{Appended, Error, EventStore, Position, entropy::Entropy};
use tokio::sync::watch;

use super::{
    acls::{Acls, Lists},
    action::{Action, StreamAction},
    authentication::Authentication,
    caller::Caller,
    password_threads::PasswordThreads,
    refusal::Refusal,
    rules::{self, Verdict},
    watching::{self, Affected, Watching},
};
use crate::{fault::Fault, stopping::Stopping};

/// Guards a store.
#[derive(Debug)]
pub struct Guard {
    store: EventStore,
    acls: Acls,
    pub(super) authentication: Authentication,
    seen: watch::Receiver<u64>,
}

impl Guard {
    /// Guards `store` until the server stops. Must be called where tasks can be spawned.
    ///
    /// # Errors
    /// As [`EventStore::subscribe`].
    pub fn start(store: &EventStore, entropy: &Entropy, stopping: Stopping) -> Result<Arc<Self>, Error> {
        let watching = Watching::begin(store)?;
        // What was recorded before is not remembered otherwise.
        let (sender, seen) = watch::channel(store.head().position().0);
        let authentication = Authentication::of(store.clone(), entropy);
        let guard = Arc::new(Self { store: store.clone(), acls: Acls::default(), authentication, seen });
        tokio::spawn(watching.watch(Arc::clone(&guard), sender, stopping));
        Ok(guard)
    }

    /// Who is calling, by the headers of a request and the address it comes from.
    ///
    /// # Errors
    /// `Unauthenticated` if they say somebody and not rightly so; `TooBusy`; `Store`.
    pub(super) async fn caller(&self, headers: &HeaderMap, address: Option<IpAddr>) -> Result<Caller, Fault> {
        match headers.get(AUTHORIZATION) {
            None => Ok(Caller::Anonymous),
            Some(header) => Ok(Caller::User(self.authentication.identify(header.as_bytes(), address).await?)),
        }
    }

    /// Asks the rules, without waiting on the thread of the caller.
    ///
    /// # Errors
    /// `Denied`; `Failed`.
    pub(super) async fn check(self: &Arc<Self>, caller: &Caller, action: Action<'_>) -> Result<(), Refusal> {
        let (kind, stream) = match rules::by_caller(caller, action) {
            Ok(verdict) => return answer(verdict, caller, action),
            Err(question) => question,
        };
        let lists = match self.acls.remembered(stream) {
            Some(lists) => lists,
            None => {
                let (guard, stream) = (Arc::clone(self), stream.to_owned());
                let lists = tokio::task::spawn_blocking(move || guard.acls.look_up(&guard.store, &stream)).await;
                lists.expect("looking up a list does not panic, and its task is not aborted")?
            }
        };
        answer(by_lists(caller, kind, stream, &lists), caller, action)
    }

    /// Asks the rules, on a thread that may wait.
    ///
    /// # Errors
    /// `Failed`.
    pub(super) fn verdict(&self, caller: &Caller, action: Action<'_>) -> Result<Verdict, Refusal> {
        match rules::by_caller(caller, action) {
            Ok(verdict) => Ok(verdict),
            Err((kind, stream)) => {
                let lists = self.acls.look_up(&self.store, stream)?;
                Ok(by_lists(caller, kind, stream, &lists))
            }
        }
    }

    /// Where passwords are checked and hashed.
    pub(super) fn password_threads(&self) -> PasswordThreads {
        self.authentication.threads.clone()
    }

    /// Waits until what an append changed of lists and users is forgotten. It must have changed some, or there may be nothing to be seen.
    pub(crate) async fn seen(&self, appended: &Appended) {
        let Some(Position(last)) = appended.last_position else { return };
        // An error means that nobody watches any more, and nothing is remembered.
        let _ = self.seen.clone().wait_for(|to| *to > last).await;
    }

    pub(super) fn forget(&self, recorded_in: &str) {
        for affected in watching::affected(recorded_in) {
            match affected {
                Affected::List(stream) => self.acls.forget(stream),
                Affected::Defaults => self.acls.forget_defaults(),
                Affected::User(login) => self.authentication.verified.forget(login),
            }
        }
    }

    pub(super) fn go_blind(&self) {
        self.acls.go_blind();
        self.authentication.verified.go_blind();
    }
}

fn by_lists(caller: &Caller, action: StreamAction, stream: &str, lists: &Lists) -> Verdict {
    rules::by_lists(caller, action, stream, &lists.acl, &lists.defaults)
}

fn answer(verdict: Verdict, caller: &Caller, action: Action<'_>) -> Result<(), Refusal> {
    match verdict {
        Verdict::Granted => Ok(()),
        Verdict::Denied => {
            tracing::debug!(user = caller.login().unwrap_or("anonymous"), ?action, "access denied");
            Err(Refusal::Denied { action: action.word(), login: caller.login().map(str::to_owned) })
        }
    }
}

//! What a service holds: whether the server is guarded, and the rights of whoever makes a call.
//!
//! ```text
//! let rights = self.security.rights(&request);
//! rights.check(Action::read(&stream)).await?;
//! ```

use std::sync::Arc;

use axum::http;
use gesta_store::{Append, RecordedEvent};
use tonic::transport::server::TcpConnectInfo;

use super::{
    action::{Action, described_by},
    caller::Caller,
    guard::Guard,
    methods::{self, Need},
    password_threads::PasswordThreads,
    refusal::Refusal,
    rules::{self, Verdict},
    watching::is_watched,
};
use crate::fault::Fault;

/// Whether callers are asked who they are. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub enum Security {
    /// Nobody is asked, everybody may do everything, and what a caller says of himself is not heard.
    #[default]
    Open,
    /// Everybody is.
    Guarded(Arc<Guard>),
}

/// What whoever makes a call may do. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Rights {
    /// Everything: nobody asks.
    Everything,
    /// What the rules say of the caller.
    Of(Arc<Guard>, Caller),
}

/// How much of an event somebody may see who reads a stream, or the log, that he may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All of it.
    Whole,
    /// That there is a link, but not what it points to, for that could not be read where it is.
    LinkAlone,
    /// Nothing: what is kept of users is for administrators, on whatever way one comes to it.
    Nothing,
}

impl Security {
    /// Lets a request in, and notes on it who makes it.
    ///
    /// # Errors
    /// `Unauthenticated`, `AccessDenied`, `TooBusy`, `Store`.
    pub(crate) async fn admit<B>(&self, request: &mut http::Request<B>) -> Result<(), Fault> {
        let Self::Guarded(guard) = self else { return Ok(()) };
        let need = methods::need(request.uri().path());
        // Asking what the server is comes before saying who one is: so a wrong password is told by the call that needs one.
        if need == Need::Right(Action::Greet) {
            return Ok(());
        }
        let peer = request.extensions().get::<TcpConnectInfo>().and_then(|info: &TcpConnectInfo| info.remote_addr());
        let caller = guard.caller(request.headers(), peer.map(|peer| peer.ip())).await?;
        if let Need::Right(action) = need {
            guard.check(&caller, action).await?;
        }
        request.extensions_mut().insert(caller);
        Ok(())
    }

    /// The rights of whoever makes a call. Who was not let in by `admit` is nobody.
    #[must_use]
    pub fn rights<T>(&self, request: &tonic::Request<T>) -> Rights {
        match self {
            Self::Open => Rights::Everything,
            Self::Guarded(guard) => {
                let caller = request.extensions().get::<Caller>().cloned().unwrap_or(Caller::Anonymous);
                Rights::Of(Arc::clone(guard), caller)
            }
        }
    }

    /// Where passwords are checked and hashed.
    pub(crate) fn password_threads(&self) -> PasswordThreads {
        match self {
            Self::Open => PasswordThreads::default(),
            Self::Guarded(guard) => guard.password_threads(),
        }
    }

    /// Who is to have seen an append before it is answered, if it changes lists or users.
    pub(crate) fn watcher_of(&self, append: &Append) -> Option<Arc<Guard>> {
        match self {
            Self::Open => None,
            Self::Guarded(guard) => append.written().any(|stream| is_watched(stream)).then(|| Arc::clone(guard)),
        }
    }
}

impl Rights {
    /// Asks whether the caller may.
    ///
    /// # Errors
    /// `Denied`; `Failed`, if a list could not be read.
    pub async fn check(&self, action: Action<'_>) -> Result<(), Refusal> {
        match self {
            Self::Everything => Ok(()),
            Self::Of(guard, caller) => guard.check(caller, action).await,
        }
    }

    /// How much of an event the caller may see who may read what it was read from. May wait for the disk, so it is for threads that may.
    ///
    /// # Errors
    /// `Failed`, if a list could not be read.
    pub fn sight(&self, event: &RecordedEvent) -> Result<Sight, Refusal> {
        let Self::Of(guard, caller) = self else { return Ok(Sight::Whole) };
        if caller.is_admin() {
            return Ok(Sight::Whole);
        }
        match &event.link {
            None if rules::is_kept(described_by(&event.stream).unwrap_or(&event.stream)) => Ok(Sight::Nothing),
            None => Ok(Sight::Whole),
            Some(_) => Ok(match guard.verdict(caller, Action::read(&event.stream))? {
                Verdict::Granted => Sight::Whole,
                Verdict::Denied => Sight::LinkAlone,
            }),
        }
    }

    /// The name of the caller, for others to see.
    #[must_use]
    pub fn login(&self) -> &str {
        match self {
            Self::Everything => "anonymous",
            Self::Of(_, caller) => caller.login().unwrap_or("anonymous"),
        }
    }
}

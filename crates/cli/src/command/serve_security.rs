//! How `gesta serve` is secured: its certificate, who may call, and the first administrator.

use std::{fs, path::Path, sync::Arc};

use gesta::{AppendError, ErrorKind, EventStore};
use gesta_server::{
    Callers, Exposure,
    security::{
        tls::{Pem, Tls, TlsError},
        users::{self, FIRST_ADMIN, FirstRun},
    },
};

use crate::{
    exit::{Exit, Failure, Outcome},
    settings::Settings,
    shell::Shell,
};

/// How a server is secured.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) tls: Option<Tls>,
    pub(crate) callers: Callers,
    pub(crate) exposure: Exposure,
}

impl Secured {
    /// What the settings come to. With TLS callers are always asked who they are.
    pub(crate) fn of(settings: &Settings) -> Outcome<Self> {
        let tls = match (settings.tls_cert.named(), settings.tls_key.named()) {
            (Some(certificate), Some(key)) => Some(tls(certificate, key)?),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(Failure::usage("a certificate needs its key, and a key its certificate")
                    .with_remedy("give both --tls-cert and --tls-key; `gesta certs dev` makes a pair"));
            }
        };
        let callers = if tls.is_some() || settings.auth { Callers::Users } else { Callers::Anybody };
        let exposure = match (&tls, settings.insecure) {
            (Some(_), _) => Exposure::Users,
            (None, true) => Exposure::Anyone,
            (None, false) => Exposure::Loopback,
        };
        Ok(Self { tls, callers, exposure })
    }

    /// The query of the address clients connect with.
    pub(crate) fn query(&self) -> &'static str {
        if self.tls.is_some() { "tls=true" } else { "tls=false" }
    }
}

fn tls(certificate: &Path, key: &Path) -> Outcome<Tls> {
    let paths = [certificate.to_owned(), key.to_owned()];
    let read =
        |path: &Path| fs::read(path).map_err(|error| TlsError::Unreadable(format!("{error}, file={}", path.display())));
    let [certificate, key] = paths.clone();
    let source = move || Ok(Pem { certificates: read(&certificate)?, key: read(&key)? });
    Tls::load(Box::new(source), Arc::new(gesta::clock::SystemClock::default())).map_err(|error| {
        let [certificate, key] = paths.map(|path| path.display().to_string());
        let what = format!("TLS is not possible: {error}, tls_cert={certificate} tls_key={key}");
        Failure::usage(what).with_remedy(remedy(&error))
    })
}

#[allow(clippy::wildcard_enum_match_arm, reason = "reasons may be added; for those left the file is to be looked at")]
fn remedy(error: &TlsError) -> &'static str {
    match error {
        TlsError::Unreadable(_) => "name files that this user may read",
        TlsError::KeyMismatch => {
            "the server's own certificate comes first in its file, those it rests on behind it; the key is that of the first"
        }
        TlsError::Expired { .. } | TlsError::NotYetValid { .. } => {
            "have it renewed; for development `gesta certs dev --force` makes new ones; look at the clock too"
        }
        _ => "both are files in PEM form; `gesta certs dev` makes some to compare with",
    }
}

/// Makes the first administrator if nobody ever was, and tells the password, this once, if nobody gave one.
pub(crate) fn first_run(store: &EventStore, password_file: Option<&Path>, shell: &Shell) -> Outcome<()> {
    let given = password_file.map(password_in).transpose()?;
    let first_run = users::first_run(store, given.as_deref(), &gesta::entropy::Entropy::from_os());
    match first_run.map_err(refused)? {
        FirstRun::Not => {}
        FirstRun::Given => shell.say(format_args!("first run: user {FIRST_ADMIN} was made, with the password given")),
        FirstRun::Generated(password) => shell.warn(format_args!(
            "first run: user {FIRST_ADMIN} was made, and the password is told this once, login={FIRST_ADMIN} password={password}"
        )),
    }
    Ok(())
}

/// The first line of a file.
pub(crate) fn password_in(file: &Path) -> Outcome<String> {
    let doing = format!("reading the password, file={}", file.display());
    let content = fs::read_to_string(file).map_err(|error| Failure::io(&doing, &error))?;
    let password = content.lines().next().unwrap_or_default();
    if password.is_empty() {
        return Err(Failure::usage(format!("{doing}: its first line is empty")));
    }
    Ok(password.to_owned())
}

/// A failure to change a user, which is an append.
pub(crate) fn refused(error: AppendError) -> Failure {
    match error {
        AppendError::Failed(error) if error.kind() == ErrorKind::Invalid => Failure::usage(error.to_string()),
        AppendError::Failed(error) => error.into(),
        AppendError::Rejected(rejection) => Failure::new(Exit::Conflict, rejection.to_string()),
    }
}

//! `gesta serve`: the store as a server, for clients of KurrentDB's gRPC protocol.

use std::{
    io::{self, IsTerminal},
    net::SocketAddr,
    ops::ControlFlow,
};

use clap::Args;
use gesta_server::{Bound, Callers, Options, ServeError, logging};
use serde_json::json;

use super::serve_security::{self, Secured};
use crate::{
    exit::{Exit, Failure, MORE_FILES, Outcome, is_out_of_files},
    settings::{self, SettingArgs, Settings},
    shell::{Format, Shell},
    target::Target,
};

/// Arguments of `gesta serve`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta serve --dir ./ledger
  gesta serve --listen 127.0.0.1:0 -o ndjson | jq -r .address     takes a free port, and says which
  gesta certs dev --out ./certs && gesta serve --listen 0.0.0.0:2113 --tls-cert ./certs/node.crt --tls-key ./certs/node.key
  gesta config --config ./ledger/gesta.toml                       what it would be set to, and why
Clients connect with kurrentdb://127.0.0.1:2113?tls=false. SIGTERM or Ctrl-C ends it, after calls in progress; a second one at once.")]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    settings: SettingArgs,
}

/// Serves until it is asked to end.
pub(crate) fn run(args: &ServeArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let target = &target.here();
    let resolved = settings::resolve(&args.settings, target.dir())?;
    for name in &resolved.unknown_variables {
        shell.warn(format_args!("there is no such setting, variable={name}"));
    }
    let secured = Secured::of(&resolved.settings)?;
    let Settings { listen, admin_password_file, log_format, log_filter, collector, server, .. } = resolved.settings;
    let options = Options { dir: target.dir().display().to_string(), ..server };
    // Before a store is made for a server that must not be, or cannot.
    let bound = Bound::to(listen, secured.exposure)?;
    let color = if io::stderr().is_terminal() { logging::LogColor::Colored } else { logging::LogColor::Plain };
    let collector = Some(collector.as_str()).filter(|collector| !collector.is_empty());
    let _telling = logging::start(log_format, &log_filter, color, collector).map_err(Failure::usage)?;
    let store = target.open_or_create()?;
    let query = secured.query();
    let server = bound.serving(store.clone()).with_options(options).with_callers(secured.callers);
    if secured.callers == Callers::Users {
        serve_security::first_run(&store, admin_password_file.named(), shell)?;
    }
    drop(store);
    let server = match secured.tls {
        Some(tls) => server.with_tls(tls),
        None => server,
    };
    let address = server.address();
    let dir = target.dir().display().to_string();
    let mut told = Ok(());
    // Whoever started us waits for this line, and may ask us to end as soon as it is there.
    server.run(|| {
        told = tell(address, query, &dir, shell);
        if told.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    told.map(|()| Exit::Ok)
}

/// Says where it listens.
fn tell(address: SocketAddr, query: &str, dir: &str, shell: &mut Shell) -> Outcome<()> {
    let url = format!("kurrentdb://{address}?{query}");
    match shell.format() {
        Format::Ndjson => shell.json(&json!({ "address": address.to_string(), "url": url, "dir": dir }))?,
        Format::Table | Format::Plain => shell.line(format_args!("serving {dir} at {url}"))?,
    }
    shell.flush()
}

impl From<ServeError> for Failure {
    #[allow(clippy::wildcard_enum_match_arm, reason = "reasons may be added; all that is left are other errors")]
    fn from(error: ServeError) -> Self {
        let what = error.to_string();
        match error {
            ServeError::Exposed(_) => Self::usage(what).with_remedy(
                "give it a certificate with --tls-cert and --tls-key (`gesta certs dev` makes one), or listen on 127.0.0.1; with --insecure whoever reaches the address can read and write everything, and with --auth beside it passwords cross the network as they are",
            ),
            ServeError::Bind(_, error) | ServeError::Runtime(error) if is_out_of_files(&error) => {
                Self::new(Exit::Unavailable, what).with_remedy(MORE_FILES)
            }
            ServeError::Bind(_, error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Self::new(Exit::Denied, what).with_remedy("ports below 1024 are the system's: take another one")
            }
            ServeError::Bind(_, error) if error.kind() == io::ErrorKind::AddrNotAvailable => Self::new(
                Exit::Unavailable,
                what,
            )
            .with_remedy("this machine has no such address: --listen takes one of its own, or 0.0.0.0 for all of them"),
            ServeError::Bind(..) => {
                Self::new(Exit::Unavailable, what).with_remedy("is it running already? --listen takes another address")
            }
            ServeError::Store(error) => error.into(),
            _ => Self::new(Exit::Other, what),
        }
    }
}

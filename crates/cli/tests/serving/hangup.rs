//! SIGHUP: what a running server reads again, and that it goes on.

use std::{fs, path::Path};

use rustix::process::Signal;

use crate::server::{Server, gesta, shown};

/// Certificates of an authority of their own.
fn certificates(dir: &Path) {
    let made = gesta(&["certs", "dev", "--out"]).arg(dir).output().expect("runs");
    assert!(made.status.success(), "{made:?}");
}

/// What a health check comes to that knows the server by an authority.
fn health(url: &str, authority: &Path) -> i32 {
    let mut command = gesta(&["health", "--url", url, "--timeout", "60s", "--ca"]);
    shown(&command.arg(authority.join("ca.crt")).output().expect("runs")).0
}

#[test]
fn a_certificate_is_replaced_while_the_server_runs() {
    let place = tempfile::tempdir().expect("a directory");
    let [live, old, new] = ["live", "old", "new"].map(|name| place.path().join(name));
    certificates(&old);
    certificates(&new);
    let install = |from: &Path| {
        for file in ["node.crt", "node.key"] {
            fs::copy(from.join(file), live.join(file)).expect("copies");
        }
    };
    fs::create_dir(&live).expect("a directory");
    install(&old);
    let [certificate, key] = ["node.crt", "node.key"].map(|name| live.join(name).to_str().expect("UTF-8").to_owned());
    let arguments = ["--tls-cert", &certificate, "--tls-key", &key];
    let server = Server::start(&place.path().join("store"), 0, &arguments);
    let url = server.url.replace("http://", "https://");
    assert_eq!([health(&url, &old), health(&url, &new)], [0, 6]);
    // Files that are wrong change nothing, and the signal does not end it.
    fs::write(&certificate, "nonsense").expect("writes");
    server.signal(Signal::HUP);
    assert_eq!([health(&url, &old), health(&url, &new)], [0, 6]);
    install(&new);
    server.signal(Signal::HUP);
    while health(&url, &new) != 0 {}
    assert_eq!(health(&url, &old), 6);
    server.signal(Signal::TERM);
    assert_eq!(server.ended(), Some(0));
}

/// Left alone, the signal ended a server without TLS at once, and its store was not closed.
#[test]
fn a_server_without_certificates_goes_on() {
    let place = tempfile::tempdir().expect("a directory");
    let server = Server::start(place.path(), 0, &[]);
    server.signal(Signal::HUP);
    assert_eq!(shown(&gesta(&["health", "--url", &server.url]).output().expect("runs")).0, 0);
    server.signal(Signal::TERM);
    assert_eq!(server.ended(), Some(0));
}

//! What is done around every command.
#![allow(clippy::unwrap_used)]

mod shared;

use std::sync::{Arc, Mutex};

use gesta_model::{Domain, DomainOptions, Envelope, Error, Failure, Halt, Middleware, Receipt, SendError};
use gesta_store::ReadOptions;
use shared::*;

/// Notes what it is told, and what it was told to do about it.
#[derive(Debug)]
struct Noting {
    name: &'static str,
    halts: bool,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Noting {
    fn note(&self, what: &str) {
        self.notes.lock().unwrap().push(format!("{} {what}", self.name));
    }
}

impl Middleware for Noting {
    fn before(&self, command: &mut Envelope) -> Result<(), Halt> {
        self.note(&format!("before {}", command.name));
        command.metadata.insert(format!("by-{}", self.name), "x".into());
        if self.halts { Err(Halt("not today".into())) } else { Ok(()) }
    }

    fn after(&self, command: &Envelope, receipt: &Receipt) {
        self.note(&format!("after {} {:?}", command.name, receipt.replayed));
        assert!(command.metadata.contains_key("by-outer"));
        panic!("planted");
    }

    fn failed(&self, command: &Envelope, failure: &Failure<'_>) {
        let how = match failure {
            Failure::Refused => "refused".to_owned(),
            Failure::Failed(error) => error.to_string(),
        };
        self.note(&format!("failed {} {how}", command.name));
    }
}

fn domain_with(halts: bool) -> (Domain, Arc<Mutex<Vec<String>>>) {
    let notes = Arc::<Mutex<Vec<String>>>::default();
    let noting = |name, halts| Arc::new(Noting { name, halts, notes: Arc::clone(&notes) }) as Arc<dyn Middleware>;
    let mut middleware = vec![noting("outer", false), noting("inner", halts)];
    if halts {
        middleware.push(noting("innermost", false));
    }
    let domain = Domain::with(store(), DomainOptions { middleware, ..DomainOptions::default() });
    record(domain.store(), [Bank::Opened { account: 1, owner: "o".into() }, deposited(1, 50)]);
    (domain, notes)
}

#[test]
fn it_is_asked_from_the_outside_in_and_told_from_the_inside_out_once() {
    let (domain, notes) = domain_with(false);
    domain.send_once("r", Withdraw { account: 1, cents: 20 }).wait().unwrap();
    let told = std::mem::take(&mut *notes.lock().unwrap());
    assert_eq!(
        told,
        ["outer before Withdraw", "inner before Withdraw", "inner after Withdraw false", "outer after Withdraw false"]
    );
    let last = domain.store().read_all(ReadOptions::default()).unwrap().last().unwrap().unwrap();
    let metadata = String::from_utf8(last.metadata.to_vec()).unwrap();
    assert!(metadata.contains("by-outer") && metadata.contains("by-inner"), "{metadata}");

    assert!(domain.send_once("r", Withdraw { account: 1, cents: 20 }).wait().unwrap().replayed);
    let refused = domain.send(Withdraw { account: 1, cents: 31 }).wait().unwrap_err();
    assert!(refused.refusal().is_some());
    let told = std::mem::take(&mut *notes.lock().unwrap());
    assert_eq!(told[2..4], ["inner after Withdraw true", "outer after Withdraw true"]);
    assert_eq!(told[6..], ["inner failed Withdraw refused", "outer failed Withdraw refused"]);
    assert_eq!(domain.would(&Withdraw { account: 1, cents: 1 }).unwrap().len(), 1);
    assert!(notes.lock().unwrap().is_empty(), "what would be is not sent");
}

#[test]
fn one_that_halts_keeps_the_command_from_being_decided() {
    let (domain, notes) = domain_with(true);
    let head = domain.store().head().position();
    let halted = domain.send(Withdraw { account: 1, cents: 20 }).wait().unwrap_err();
    let SendError::Failed(error @ Error::Halted { command: "Withdraw", .. }) = halted else { panic!("{halted:?}") };
    assert_eq!(error.to_string(), "command was halted: not today, command=Withdraw");
    assert_eq!(domain.store().head().position(), head);
    let told = notes.lock().unwrap().clone();
    assert_eq!(told.last().unwrap(), "outer failed Withdraw command was halted: not today, command=Withdraw");
    assert!(!told.iter().any(|note| note.starts_with("innermost")), "it has not heard of the command, {told:?}");
}

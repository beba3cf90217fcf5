//! Commands: decided on what they read, recorded only if that still holds, once if asked so.

#![allow(clippy::disallowed_methods)] // writers on threads of their own

mod shared;

use std::{future::IntoFuture, sync::Arc, thread};

use gesta_model::{Command, Decide, Domain, DomainOptions, Error, Event, Model, Place, SendError, testing::given};
use gesta_store::{ExpectedRevision, Position, ReadOptions, StreamName};
use serde::{Deserialize, Serialize};
use shared::*;

fn opened(account: u32) -> Bank {
    Bank::Opened { account, owner: "ada".to_owned() }
}

fn withdraw(cents: i64) -> Withdraw {
    Withdraw { account: 1, cents }
}

#[test]
fn decisions_are_tested_without_a_store() {
    given([opened(1), deposited(1, 50)]).when(&withdraw(20)).then([withdrawn(1, 20)]);
    given([opened(1), deposited(2, 50)]).when(&withdraw(20)).refuses(&Refused::Overdrawn { cents: 0 });
    given::<Bank>([]).when(&withdraw(20)).refuses(&Refused::NotOpen);
    let both = given([opened(1), opened(2), deposited(1, 50)]);
    both.when(&Move { from: 1, to: 2, cents: 50 }).then([withdrawn(1, 50), deposited(2, 50)]);
    both.when(&Move { from: 1, to: 2, cents: 51 }).refuses(&Refused::Overdrawn { cents: 50 });
}

#[test]
fn a_command_records_its_events_or_its_refusal_comes_back() {
    let store = store();
    let domain = domain(&store);
    let refused = domain.send(withdraw(1)).wait().expect_err("not open");
    assert_eq!(refused.refusal(), Some(&Refused::NotOpen));
    record(&store, [opened(1), deposited(1, 50)]);
    assert_eq!(domain.would(&withdraw(20)).expect("would"), [withdrawn(1, 20)]);
    assert_eq!(store.head().position(), Position(2), "nothing was recorded");
    let receipt = domain.send(withdraw(20)).wait().expect("recorded");
    assert_eq!((receipt.first_position, receipt.attempts, receipt.replayed), (Some(Position(2)), 1, false));
    assert_eq!(domain.get::<Account>(1_u32).at_least(&receipt).wait().expect("read").cents, 30);
    let overdrawn = domain.send(withdraw(31)).wait().expect_err("overdrawn");
    assert_eq!(overdrawn.refusal(), Some(&Refused::Overdrawn { cents: 30 }));
    let nothing = domain.send(withdraw(0)).wait().expect("nothing to do");
    assert_eq!(nothing.last_position, None);
    assert_eq!(store.head().position(), Position(3));
}

#[test]
fn metadata_says_which_command_in_which_correlation() {
    let store = store();
    let domain = domain(&store);
    record(&store, [opened(1), deposited(1, 50)]);
    domain.send(withdraw(1)).correlated("c-1").metadata("user", "ada").wait().expect("recorded");
    let last = |position| {
        let options = ReadOptions { from: gesta_store::From::Position(Position(position)), ..ReadOptions::default() };
        store.read_all(options).expect("read").next().expect("an event").expect("read")
    };
    let json = |position| serde_json::from_slice::<serde_json::Value>(&last(position).metadata).expect("JSON");
    assert_eq!(json(2), serde_json::json!({"$command": "Withdraw", "$correlationId": "c-1", "user": "ada"}));
    domain.send(withdraw(1)).caused_by(&last(2)).wait().expect("recorded");
    assert_eq!(
        (json(3)["$correlationId"].as_str(), json(3)["$causationId"].as_str()),
        (Some("c-1"), Some(&*last(2).id.to_string()))
    );
    domain.send(withdraw(1)).wait().expect("recorded");
    assert!(json(4)["$correlationId"].as_str().is_some_and(|id| id.len() == 36), "a fresh one");
}

#[test]
fn once_is_once_even_from_two_domains() {
    let store = store();
    let [one, other] = [domain(&store), domain(&store)];
    record(&store, [opened(1), opened(2), deposited(1, 50)]);
    let first = one.send_once("req-1", Move { from: 1, to: 2, cents: 10 }).wait().expect("recorded");
    record(&store, [deposited(1, 1)]);
    let again = other.send_once("req-1", Move { from: 1, to: 2, cents: 10 }).wait().expect("replayed");
    assert_eq!((again.first_position, again.last_position), (first.first_position, first.last_position));
    assert!(again.replayed && !first.replayed);
    assert_eq!(one.get::<Account>(2_u32).wait().expect("read").cents, 10);
    let reused = one.send_once("req-1", withdraw(1)).wait().expect_err("another command");
    assert!(matches!(reused, SendError::Failed(Error::RequestReused { .. })), "{reused:?}");
    // The answer to another question would be taken for this one's.
    let changed = one.send_once("req-1", Move { from: 1, to: 2, cents: 11 }).wait().expect_err("another amount");
    let SendError::Failed(changed @ Error::RequestChanged { .. }) = changed else { panic!("{changed:?}") };
    assert_eq!(changed.to_string(), "request key was used for another request, key=req-1 command=Move");
    // A refusal records nothing: the request may succeed later.
    assert!(one.send_once("req-2", withdraw(1_000)).wait().expect_err("overdrawn").refusal().is_some());
    record(&store, [deposited(1, 5_000)]);
    assert!(!one.send_once("req-2", withdraw(1_000)).wait().expect("recorded").replayed);
}

/// Sends itself once more while it is decided, and records where nothing that it stands on is.
struct Twice<'d> {
    domain: &'d Domain,
    again: std::sync::atomic::AtomicBool,
}
impl Command for Twice<'_> {
    const NAME: &'static str = "Twice";
    type Knows = Account;
    type Event = Bank;
    type Refusal = std::convert::Infallible;
    fn keys(&self) -> u32 {
        9
    }
}
impl Decide for Twice<'_> {
    fn decide(&self, _: &Account) -> Result<Vec<Bank>, std::convert::Infallible> {
        if self.again.swap(false, std::sync::atomic::Ordering::Relaxed) {
            let inner = Twice { domain: self.domain, again: false.into() };
            assert!(!self.domain.send_once("r", inner).wait().expect("recorded").replayed);
        }
        Ok(vec![deposited(1, 5)])
    }
}

#[test]
fn once_is_once_when_both_are_on_their_way() {
    let domain = domain(&store());
    let receipt = domain.send_once("r", Twice { domain: &domain, again: true.into() }).wait().expect("replayed");
    assert!(receipt.replayed && receipt.attempts == 2, "{receipt:?}");
    assert_eq!(domain.get::<Account>(1_u32).wait().expect("read").cents, 5);
}

/// Deposits behind the decision's back while it is made, so often.
struct Meddling<'s> {
    store: &'s gesta_store::EventStore,
    left: std::sync::atomic::AtomicU32,
    cents: i64,
}
impl Command for Meddling<'_> {
    const NAME: &'static str = "Meddling";
    type Knows = Account;
    type Event = Bank;
    type Refusal = Refused;
    fn keys(&self) -> u32 {
        1
    }
}
impl Decide for Meddling<'_> {
    fn decide(&self, account: &Account) -> Result<Vec<Bank>, Refused> {
        use std::sync::atomic::Ordering::Relaxed;
        if self.left.load(Relaxed) > 0 {
            self.left.fetch_sub(1, Relaxed);
            record(self.store, [deposited(1, 1)]);
        }
        if account.cents < self.cents.into() {
            Err(Refused::Overdrawn { cents: account.cents })
        } else {
            Ok(vec![withdrawn(1, self.cents)])
        }
    }
}

#[test]
fn an_overtaken_decision_is_made_again_with_fresh_state_and_not_for_ever() {
    let store = store();
    let domain = domain(&store);
    let meddling = |left: u32, cents| Meddling { store: &store, left: left.into(), cents };
    // The account has no event yet: the decision stands on that nothing is there.
    let receipt = domain.send(meddling(3, 0)).wait().expect("recorded");
    assert_eq!(receipt.attempts, 4);
    let state = domain.get::<Account>(1_u32).wait().expect("read");
    assert_eq!((state.cents, state.events), (3, 4));
    // Now it has: the decision stands on the revision.
    assert_eq!(domain.send(meddling(3, 0)).wait().expect("recorded").attempts, 4);
    let failed = domain.send(meddling(1_000, 0)).wait().expect_err("overtaken");
    assert!(matches!(failed, SendError::Failed(Error::Overtaken { attempts: 10, .. })), "{failed:?}");
}

#[test]
fn a_decision_about_an_ended_stream_is_rejected_and_a_panic_fails_the_call() {
    let store = store();
    let domain = domain(&store);
    let stream: StreamName = "account-1".parse().expect("a name");
    store.tombstone_stream(stream, ExpectedRevision::Any).wait().expect("recorded");
    let rejected = domain.send(Meddling { store: &store, left: 0.into(), cents: 0 }).wait().expect_err("ended");
    assert!(matches!(rejected, SendError::Failed(Error::Rejected(_))), "{rejected:?}");

    #[derive(Command)]
    #[command(Account, key = account)]
    struct Panic {
        account: u32,
    }
    impl Decide for Panic {
        fn decide(&self, _: &Account) -> Result<Vec<Bank>, std::convert::Infallible> {
            panic!("planted")
        }
    }
    let failed = domain.send(Panic { account: 2 }).wait().expect_err("panics");
    let SendError::Failed(error) = failed;
    assert_eq!(error.to_string(), "code panicked: planted, in=Panic::decide");
}

#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Ticket {
    #[event("seat-taken", at = "booking-{booking}", also = "/seats/{seat}", also = "/shows/{show}")]
    Taken { booking: u32, seat: u32, show: u32 },
}

#[derive(Clone, Default)]
struct Seat(u32);
impl Model for Seat {
    type Event = Ticket;
    type Key = u32;
    const AT: &'static str = "/seats/*";
    fn apply(&mut self, _: &Ticket, _: &Place<'_>) {
        self.0 += 1;
    }
}

#[derive(Clone, Default)]
struct Show(u32);
impl Model for Show {
    type Event = Ticket;
    type Key = u32;
    const AT: &'static str = "/shows/*";
    fn apply(&mut self, _: &Ticket, _: &Place<'_>) {
        self.0 += 1;
    }
}

/// A seat is sold once, and a show has room for so many, whoever books: no stream holds these rules together.
#[derive(Command)]
#[command((Seat, Show), key = (seat, show), or = &'static str)]
struct Book {
    booking: u32,
    seat: u32,
    show: u32,
}

const ROOM: u32 = 30;

impl Decide for Book {
    fn decide(&self, (seat, show): (&Seat, &Show)) -> Result<Vec<Ticket>, &'static str> {
        let Self { booking, seat: number, show: name } = *self;
        match (seat.0, show.0) {
            (0, taken) if taken < ROOM => Ok(vec![Ticket::Taken { booking, seat: number, show: name }]),
            (0, _) => Err("sold out"),
            _ => Err("seat is taken"),
        }
    }
}

#[test]
fn rules_across_entities_hold_under_a_hundred_writers() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = gesta_store::EventStore::open(directory.path()).expect("opens");
    let options = DomainOptions { attempts: 1_000, ..DomainOptions::default() };
    let domain = Domain::with(store.clone(), options);
    let booked = Arc::new(std::sync::atomic::AtomicU32::new(0));
    thread::scope(|scope| {
        for writer in 0..100_u32 {
            let (domain, booked) = (domain.clone(), Arc::clone(&booked));
            scope.spawn(move || {
                let sent = domain.send(Book { booking: writer, seat: writer % 50, show: 1 });
                match sent.wait() {
                    Ok(_) => drop(booked.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
                    Err(error) => assert!(error.refusal().is_some(), "{error:?}"),
                }
            });
        }
    });
    assert_eq!(booked.load(std::sync::atomic::Ordering::Relaxed), ROOM);
    assert_eq!(domain.get::<Show>(1_u32).wait().expect("read").0, ROOM);
    for seat in 0..50_u32 {
        assert!(domain.get::<Seat>(seat).wait().expect("read").0 <= 1, "seat {seat} was sold twice");
    }
}

#[test]
fn no_withdrawal_is_lost_between_writers_of_one_account() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = gesta_store::EventStore::open(directory.path()).expect("opens");
    record(&store, [opened(1), opened(2), deposited(1, 80)]);
    let domain = Domain::with(store, DomainOptions { attempts: 1_000, ..DomainOptions::default() });
    thread::scope(|scope| {
        for writer in 0..100_u32 {
            let domain = domain.clone();
            scope.spawn(move || {
                let sent = if writer % 2 == 0 {
                    domain.send(withdraw(1)).wait()
                } else {
                    domain.send(Move { from: 1, to: 2, cents: 1 }).wait()
                };
                assert!(
                    sent.as_ref().is_ok_and(|r| r.last_position.is_some())
                        || sent.is_err_and(|e| e.refusal().is_some())
                );
            });
        }
    });
    let [one, two] = [1_u32, 2].map(|account| domain.get::<Account>(account).wait().expect("read"));
    assert_eq!(one.cents, 0);
    assert_eq!(one.events - 2, 80, "eighty went through, twenty were refused");
    assert!(two.cents <= 50);
}

#[test]
fn a_hundred_writers_on_overlapping_boundaries_lose_nothing() {
    const ACCOUNTS: u32 = 5;
    let directory = tempfile::tempdir().expect("a directory");
    let store = gesta_store::EventStore::open(directory.path()).expect("opens");
    record(&store, (0..ACCOUNTS).flat_map(|account| [opened(account), deposited(account, 20)]));
    let domain = Domain::with(store, DomainOptions { attempts: 1_000, ..DomainOptions::default() });
    let moved: u64 = thread::scope(|scope| {
        let writer = |writer: u32| {
            let domain = domain.clone();
            // Each boundary shares an account with two others.
            let (from, to) = (writer % ACCOUNTS, (writer % ACCOUNTS + 1 + writer / ACCOUNTS % 4) % ACCOUNTS);
            let command = Move { from, to, cents: i64::from(1 + writer % 13) };
            scope.spawn(move || match domain.send(command).wait() {
                Ok(receipt) => u64::from(receipt.last_position.is_some()),
                Err(error) => {
                    assert!(matches!(error.refusal(), Some(Refused::Overdrawn { .. })), "{error:?}");
                    0
                }
            })
        };
        let writers: Vec<_> = (0..100_u32).map(writer).collect();
        writers.into_iter().map(|writer| writer.join().expect("writes")).sum()
    });
    let accounts: Vec<_> = (0..ACCOUNTS).map(|account| domain.get::<Account>(account).wait().expect("read")).collect();
    assert!(accounts.iter().all(|account| account.cents >= 0), "nobody is overdrawn");
    assert_eq!(accounts.iter().map(|account| account.cents).sum::<i128>(), 100, "nothing was made or lost");
    let events: u64 = accounts.iter().map(|account| account.events - 2).sum();
    assert_eq!(events, 2 * moved, "what was answered is recorded, and once");
}

#[test]
fn a_command_can_be_awaited_without_a_runtime() {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let directory = tempfile::tempdir().expect("a directory");
    let domain = Domain::new(gesta_store::EventStore::open(directory.path()).expect("opens"));
    record(domain.store(), [opened(1), deposited(1, 50)]);
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut sending = std::pin::pin!(domain.send(withdraw(20)).into_future());
    let receipt = loop {
        match sending.as_mut().poll(&mut context) {
            std::task::Poll::Ready(receipt) => break receipt.expect("recorded"),
            std::task::Poll::Pending => thread::park(),
        }
    };
    assert_eq!(domain.get::<Account>(1_u32).at_least(&receipt).wait().expect("read").cents, 30);
}

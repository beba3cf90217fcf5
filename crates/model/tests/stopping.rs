//! A fold ends when whoever looks has seen enough: a law that is broken, a page that is full, a pipe that is closed. The rest of the log is not read.
//!
//! It used to be: what was said after the answer was clear was only not listened to.

mod shared;

use std::ops::ControlFlow;

use gesta_model::{Algebraic, LawReport, Laws, Model, Place, algebra::Sum};
use gesta_store::EventStore;
use shared::{Account, Bank, deposited, domain, record_together, store};

/// More events than any two batches hold.
const MANY: u64 = 10_000;

/// Takes a balance that is set for a deposit, when it says what events come to together.
#[derive(Clone, Debug, Default, PartialEq)]
struct Careless(i128);

impl Model for Careless {
    type Event = Bank;
    type Key = u32;
    const AT: &'static str = "account-*";
    fn apply(&mut self, event: &Bank, _: &Place<'_>) {
        match event {
            Bank::Deposited { cents, .. } => self.0 += i128::from(*cents),
            Bank::Set { cents, .. } => self.0 = (*cents).into(),
            Bank::Opened { .. } | Bank::Withdrawn { .. } => {}
        }
    }
}

impl Algebraic for Careless {
    type Summary = Sum;
    fn lift(event: &Bank, _: &Place<'_>) -> Sum {
        match event {
            Bank::Deposited { cents, .. } | Bank::Set { cents, .. } => Sum::of(*cents),
            Bank::Opened { .. } | Bank::Withdrawn { .. } => Sum::of(0_u8),
        }
    }
    fn act(&mut self, sum: &Sum) {
        self.0 += sum.total();
    }
}

/// A store with many deposits; the eighth of its events is this one.
fn long(eighth: Bank) -> EventStore {
    let store = store();
    record_together(&store, (0..64).map(|n| if n == 7 { eighth.clone() } else { deposited(1, n) }));
    for _ in 0..10 {
        record_together(&store, (0..MANY / 10).map(|n| deposited(if n % 2 == 0 { 1 } else { 2 }, 1)));
    }
    store
}

/// Events that `what` reads, and what it comes to.
fn read<T>(store: &EventStore, what: impl FnOnce() -> T) -> (u64, T) {
    let before = store.measures().events_read;
    let came = what();
    (store.measures().events_read - before, came)
}

#[test]
fn a_law_that_does_not_hold_is_told_when_it_is_found() {
    let (lawful, broken) = (long(deposited(1, 7)), long(Bank::Set { account: 1, cents: 7 }));
    let checks: [fn(&EventStore) -> LawReport; 2] = [
        |store| domain(store).check_laws(&Laws::<Careless>::default(), 1_u32).expect("read"),
        |store| domain(store).check_laws_of_all(&Laws::<Careless>::default()).expect("read"),
    ];
    for check in checks {
        let (all, report) = read(&lawful, || check(&lawful));
        assert_eq!((report.events, report.broken), (all, None));
        let (few, report) = read(&broken, || check(&broken));
        assert!(report.broken.is_some_and(|broken| broken.events.contains(&gesta_store::Position(7))));
        assert_eq!(report.events, 64, "it shows in the first window");
        assert!(few <= all / 2, "{few} of {all}");
    }
}

#[test]
fn a_history_ends_with_whoever_has_seen_enough() {
    let store = long(deposited(1, 7));
    let domain = domain(&store);
    let (few, told) = read(&store, || {
        domain.history::<Account>(1_u32).try_each(|event, account| match account.events {
            9 => ControlFlow::Break((event.position.0, account.cents)),
            _ => ControlFlow::Continue(()),
        })
    });
    assert_eq!(told.expect("read"), ControlFlow::Break((8, (0..9).sum())));
    assert!(few <= MANY / 4, "{few} of {MANY}");
    let mut seen = 0;
    let all = domain.history::<Account>(1_u32).try_each(|_, _| {
        seen += 1;
        ControlFlow::<()>::Continue(())
    });
    assert_eq!((all.expect("read"), seen), (ControlFlow::Continue(()), 64 + MANY / 2));
}

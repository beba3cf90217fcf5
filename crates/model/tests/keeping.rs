//! Snapshots that fit are used and equal the fold (I7), others are ignored; states are watched; a program knows its kinds; what is ignored does not overtake.

mod shared;

use std::{path::Path, sync::Arc, time::Duration};

use gesta_model::{
    Base, Command, Decide, Domain, Error, Model, Place, SnapshotInfo, SnapshotOptions, event::KnownKinds,
    testing::ignores_hold,
};
use gesta_store::{
    EventData, EventStore, ExpectedRevision, Options, Position,
    disk::{Disk, OpenMode, memory::MemoryDisk},
    entropy::Entropy,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use shared::{Bank, deposited, domain, record, record_together, store, withdrawn};

/// The sum of an account, in a version and a shape that can be changed under one name.
mod first {
    use super::*;
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub(super) struct Balance {
        pub(super) cents: i64,
        pub(super) events: u64,
    }
}

macro_rules! balance {
    ($model:ty, $version:literal, $weight:literal) => {
        impl Model for $model {
            type Event = Bank;
            type Key = u32;
            const AT: &'static str = "account-*";
            const VERSION: u32 = $version;
            fn apply(&mut self, event: &Bank, _: &Place<'_>) {
                self.events += 1;
                match event {
                    Bank::Deposited { cents, .. } => self.cents += $weight * cents,
                    Bank::Withdrawn { cents, .. } => self.cents -= $weight * cents,
                    Bank::Opened { .. } => {}
                    Bank::Set { cents, .. } => self.cents = $weight * cents,
                }
            }
        }
    };
}
balance!(first::Balance, 1, 1);

fn always(disk: &Arc<MemoryDisk>) -> SnapshotOptions {
    SnapshotOptions { disk: Arc::<MemoryDisk>::clone(disk), worth: Duration::ZERO, audit_share: 0 }
}

/// As a program that was started anew.
fn asked<M: Model + Serialize + serde::de::DeserializeOwned>(
    store: &EventStore,
    disk: &Arc<MemoryDisk>,
    key: M::Key,
) -> (M, Base, u64, SnapshotInfo) {
    let domain = domain(store);
    let snapshots = domain.keep_snapshots::<M>(always(disk));
    let (state, explain) = domain.get::<M>(key).explain().expect("read");
    ((*state.value).clone(), explain.base, explain.events, snapshots.info())
}

#[test]
fn a_snapshot_is_where_the_next_program_begins() {
    let (store, disk) = (store(), Arc::new(MemoryDisk::new()));
    record(&store, (1..=10).map(|cents| deposited(1, cents)));
    let (state, base, events, info) = asked::<first::Balance>(&store, &disk, 1);
    assert_eq!((state.cents, base, events, info.taken), (55, Base::Nothing, 10, 1));
    record(&store, [withdrawn(1, 5), deposited(2, 1)]);
    let (state, base, events, info) = asked::<first::Balance>(&store, &disk, 1);
    assert_eq!((state.cents, base, events), (50, Base::Snapshot(Position(10)), 1));
    assert_eq!((info.used, info.ignored, info.taken), (1, 0, 1));
    // As of a moment before it, it is of no use; as of one after it, it is.
    let domain = domain(&store);
    domain.keep_snapshots::<first::Balance>(always(&disk));
    let (before, explain) = domain.get::<first::Balance>(1_u32).as_of(Position(2)).explain().expect("read");
    assert_eq!((before.cents, explain.base), (6, Base::Nothing));
    let (after, explain) = domain.get::<first::Balance>(1_u32).as_of(Position(11)).explain().expect("read");
    assert_eq!((after.cents, explain.base), (50, Base::Snapshot(Position(12))));
}

#[test]
fn a_snapshot_is_taken_only_if_folding_costs_more() {
    let (store, disk) = (store(), Arc::new(MemoryDisk::new()));
    record(&store, [deposited(1, 1)]);
    // The clock of the test stands: nothing costs anything.
    let options = gesta_model::DomainOptions { clock: shared::clock(), ..Default::default() };
    let domain = Domain::with(store, options);
    let snapshots =
        domain.keep_snapshots::<first::Balance>(SnapshotOptions { worth: Duration::from_millis(5), ..always(&disk) });
    domain.get::<first::Balance>(1_u32).wait().expect("read");
    assert_eq!(snapshots.info(), SnapshotInfo::default());
}

#[test]
fn what_does_not_fit_is_ignored_and_made_anew() {
    // One name, and so one file, but another version, or another shape of the state.
    fn renamed(from: &MemoryDisk, to: &MemoryDisk) {
        for dir in from.directories(Path::new("")).expect("lists") {
            to.create_dir(Path::new(&dir)).expect("made");
            for file in from.list(Path::new(&dir)).expect("lists") {
                let path = Path::new(&dir).join(file);
                let bytes = from.open(&path, OpenMode::Read).and_then(|file| file.map()).expect("reads");
                let copy = to.open(&path, OpenMode::CreateNew).expect("made");
                copy.write_at(&bytes, 0).expect("written");
            }
        }
    }
    let (store, disk) = (store(), Arc::new(MemoryDisk::new()));
    record(&store, (1..=10).map(|cents| deposited(1, cents)));
    asked::<first::Balance>(&store, &disk, 1);
    let options = Options { threads: false, entropy: Arc::new(Entropy::seeded(8)), ..Options::default() };
    let other = EventStore::open_on(Arc::new(MemoryDisk::new()), options).expect("opens");
    record(&other, (1..=10).map(|cents| deposited(1, 2 * cents)));
    assert_eq!(asked::<first::Balance>(&other, &disk, 1).1, Base::Nothing, "of another store");

    // Every byte counts.
    let disk_of_one = Arc::new(MemoryDisk::new());
    asked::<first::Balance>(&store, &disk_of_one, 1);
    let file = || {
        let dir = disk_of_one.directories(Path::new("")).expect("lists").into_iter().next().expect("one");
        let name = disk_of_one.list(Path::new(&dir)).expect("lists").into_iter().next().expect("one");
        disk_of_one.open(&Path::new(&dir).join(name), OpenMode::Write).expect("opens")
    };
    let length = usize::try_from(file().len().expect("a length")).expect("small");
    for at in 0..length {
        let damaged = Arc::new(MemoryDisk::new());
        renamed(&disk_of_one, &damaged);
        let dir = damaged.directories(Path::new("")).expect("lists").remove(0);
        let name = damaged.list(Path::new(&dir)).expect("lists").remove(0);
        let file = damaged.open(&Path::new(&dir).join(name), OpenMode::Write).expect("opens");
        let mut byte = [0];
        file.read_at(&mut byte, at as u64).expect("reads");
        file.write_at(&[byte[0] ^ 1], at as u64).expect("written");
        let (state, base, _, info) = asked::<first::Balance>(&store, &damaged, 1);
        assert_eq!((state.cents, base, info.ignored, info.taken), (55, Base::Nothing, 1, 1), "byte {at}");
        assert_eq!(asked::<first::Balance>(&store, &damaged, 1).1, Base::Snapshot(Position(10)), "made anew");
    }
}

/// The same type in another version: generic, so that its name is one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Tally {
    cents: i64,
    events: u64,
}
balance!(Tally, 1, 1);

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn i7_states_from_snapshots_equal_the_fold(
        log in proptest::collection::vec((0..3_u32, -9..9_i64), 1..60),
        stops in proptest::collection::vec((0..60_usize, 0..3_u32, any::<bool>()), 0..8),
    ) {
        let (store, disk) = (store(), Arc::new(MemoryDisk::new()));
        let mut recorded = 0;
        let mut stops = stops;
        stops.sort_by_key(|(at, ..)| *at);
        for (at, key, hidden) in stops {
            let until = at.clamp(recorded, log.len());
            record_together(&store, log[recorded..until].iter().map(|(account, cents)| deposited(*account, *cents)));
            recorded = until;
            if hidden {
                let stream = format!("account-{key}").parse().expect("a name");
                store.set_stream_metadata(&stream, ExpectedRevision::Any, r#"{"$maxCount":3}"#).wait().expect("recorded");
            }
            let reference = domain(&store).get::<Tally>(key).wait().expect("read");
            let (state, ..) = asked::<Tally>(&store, &disk, key);
            prop_assert_eq!(&state, &*reference.value);
            let position = Position(store.head().position().0 / 2);
            if position < store.head().position() {
                let reference = domain(&store).get::<Tally>(key).as_of(position).wait().expect("read");
                let kept = domain(&store);
                kept.keep_snapshots::<Tally>(always(&disk));
                let state = kept.get::<Tally>(key).as_of(position).wait().expect("read");
                prop_assert_eq!(&*state.value, &*reference.value);
            }
        }
    }
}

/// A purse as one version of a program has it: states by snapshots and by the fold, as JSON, and what became of snapshots.
type Seen = (String, String, SnapshotInfo);

/// The versions a program has had. Their models have one name, and so one file for each purse: the compiler calls types in blocks after the function
/// around them.
fn purse(program: usize, store: &EventStore, disk: &Arc<MemoryDisk>, key: u32) -> Seen {
    macro_rules! program {
        ({ $($event:tt)* } { $($state:tt)* } { $($model:tt)* }) => {{
            #[derive(gesta_model::Event, Clone, Debug, Serialize, Deserialize)]
            $($event)*
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
            $($state)*
            impl Model for Purse {
                type Event = Coin;
                type Key = u32;
                const AT: &'static str = "purse-*";
                $($model)*
            }
            let reference = domain(store).get::<Purse>(key).wait().expect("read");
            let (state, _, _, info) = asked::<Purse>(store, disk, key);
            let json = |state: &Purse| serde_json::to_string(state).expect("JSON");
            (json(&state), json(&reference.value), info)
        }};
    }
    match program {
        0 => program!(
            { enum Coin { #[event("coin", at = "purse-{purse}")] Coin { purse: u32, units: i64 } } }
            { struct Purse { units: i64 } }
            { fn apply(&mut self, Coin::Coin { units, .. }: &Coin, _: &Place<'_>) { self.units += units; } }
        ),
        // The same, but for the code: it says so by its version.
        1 => program!(
            { enum Coin { #[event("coin", at = "purse-{purse}")] Coin { purse: u32, units: i64 } } }
            { struct Purse { units: i64 } }
            {
                const VERSION: u32 = 2;
                fn apply(&mut self, Coin::Coin { units, .. }: &Coin, _: &Place<'_>) { self.units += 3 * units; }
            }
        ),
        // The events are another version, and older ones brought up to it.
        2 => program!(
            {
                enum Coin {
                    #[event("coin", at = "purse-{purse}", v = 2, upcast(1 = in_cents))]
                    Coin { purse: u32, units: i64 },
                }
            }
            { struct Purse { units: i64 } }
            { fn apply(&mut self, Coin::Coin { units, .. }: &Coin, _: &Place<'_>) { self.units += units; } }
        ),
        // Another upcast, by another name.
        3 => program!(
            {
                enum Coin {
                    #[event("coin", at = "purse-{purse}", v = 2, upcast(1 = in_tenths))]
                    Coin { purse: u32, units: i64 },
                }
            }
            { struct Purse { units: i64 } }
            { fn apply(&mut self, Coin::Coin { units, .. }: &Coin, _: &Place<'_>) { self.units += units; } }
        ),
        // The state has another shape.
        4 => program!(
            { enum Coin { #[event("coin", at = "purse-{purse}")] Coin { purse: u32, units: i64 } } }
            { struct Purse { units: i64, coins: u64 } }
            {
                fn apply(&mut self, Coin::Coin { units, .. }: &Coin, _: &Place<'_>) {
                    (self.units, self.coins) = (self.units + units, self.coins + 1);
                }
            }
        ),
        // Another policy.
        _ => program!(
            { enum Coin { #[event("coin", at = "purse-{purse}")] Coin { purse: u32, units: i64 } } }
            { struct Purse { units: i64 } }
            {
                const UNREADABLE: gesta_model::Unreadable = gesta_model::Unreadable::Skip;
                fn apply(&mut self, Coin::Coin { units, .. }: &Coin, _: &Place<'_>) { self.units += units; }
            }
        ),
    }
}

fn in_cents(mut old: serde_json::Value) -> Result<serde_json::Value, String> {
    old["units"] = (old["units"].as_i64().ok_or("no number")? * 100).into();
    Ok(old)
}

fn in_tenths(mut old: serde_json::Value) -> Result<serde_json::Value, String> {
    old["units"] = (old["units"].as_i64().ok_or("no number")? * 10).into();
    Ok(old)
}

fn coins(store: &EventStore, coins: &[(u32, i64)]) {
    for (purse, units) in coins {
        let event = EventData::json("coin".parse().expect("a type"), format!(r#"{{"purse":{purse},"units":{units}}}"#));
        let stream = format!("purse-{purse}").parse().expect("a name");
        store.append(stream, ExpectedRevision::Any, [event]).wait().expect("recorded");
    }
}

#[test]
fn a_program_of_another_version_believes_no_snapshot_of_the_one_before() {
    for before in 0..6 {
        for after in (0..6).filter(|after| *after != before) {
            let (store, disk) = (store(), Arc::new(MemoryDisk::new()));
            coins(&store, &[(1, 5), (1, 7)]);
            assert_eq!(purse(before, &store, &disk, 1).2.taken, 1, "program {before}");
            let (state, reference, info) = purse(after, &store, &disk, 1);
            assert_eq!(state, reference, "program {after} after {before}");
            assert_eq!((info.used, info.ignored, info.taken), (0, 1, 1), "program {after} after {before}: one file");
            assert_eq!(purse(after, &store, &disk, 1).2.used, 1, "its own");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn i7_whatever_program_ran_before_a_state_is_the_fold(
        runs in proptest::collection::vec((0..6_usize, 1..3_u32, proptest::collection::vec((1..3_u32, -9..9_i64), 0..6)), 1..12),
    ) {
        let (store, disk) = (store(), Arc::new(MemoryDisk::new()));
        for (program, key, recorded) in runs {
            coins(&store, &recorded);
            let (state, reference, _) = purse(program, &store, &disk, key);
            prop_assert_eq!(state, reference);
        }
    }
}

#[test]
fn a_watch_gives_the_state_and_then_each_change() {
    let store = store();
    let domain = domain(&store);
    record(&store, [deposited(1, 1)]);
    let mut watch = domain.watch::<first::Balance>(1_u32);
    let now = Some(Duration::ZERO);
    let mut next = || watch.next_within(now).expect("read").map(|state| state.cents);
    assert_eq!((next(), next()), (Some(1), None));
    record(&store, [deposited(2, 7)]);
    assert_eq!(next(), None, "another account");
    record(&store, [deposited(1, 2), deposited(1, 3)]);
    assert_eq!((next(), next()), (Some(6), None), "two at once are one change");
    record(&store, [withdrawn(1, 6)]);
    assert_eq!((next(), next()), (Some(0), None));
    // However many deliveries they take: the first state has them all.
    record_together(&store, (0..3_000).map(|_| deposited(1, 1)));
    assert_eq!((next(), next()), (Some(3_000), None));

    // Without a runtime: polled by hand.
    let mut watch = domain.watch::<first::Balance>(2_u32);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut polled = |watch: &mut gesta_model::Watch<first::Balance>| {
        let mut changed = std::pin::pin!(watch.changed());
        match Future::poll(changed.as_mut(), &mut context) {
            std::task::Poll::Ready(state) => Some(state.expect("read").cents),
            std::task::Poll::Pending => None,
        }
    };
    assert_eq!((polled(&mut watch), polled(&mut watch)), (Some(7), None));
    record(&store, [deposited(2, 1)]);
    assert_eq!(polled(&mut watch), Some(8));
    // An event that cannot be read is told, and the next one is waited for.
    let garbage = EventData::json("money-deposited".parse().expect("a type"), "[]");
    store.append("account-2".parse().expect("a name"), ExpectedRevision::Any, [garbage]).wait().expect("recorded");
    assert!(matches!(watch.next_within(now), Err(Error::Undecodable { .. })));
    store.close().expect("closes");
    assert!(watch.next().is_none_or(|state| state.is_err()), "a watch ends with its store");
}

#[test]
fn a_program_says_what_it_does_not_know_when_it_starts() {
    let store = store();
    record(&store, [deposited(1, 1), withdrawn(1, 1)]);
    let known = KnownKinds::of::<Bank>();
    known.check(&store).expect("knows all");
    for name in ["strange", "strange", "known-to-another"] {
        let event = EventData::json(name.parse().expect("a type"), "{}");
        store.append("elsewhere".parse().expect("a name"), ExpectedRevision::Any, [event]).wait().expect("recorded");
    }
    let error = known.check(&store).expect_err("two types");
    let words = "store holds types of events that the program does not know, types=known-to-another(1),strange(2)";
    assert_eq!(error.to_string(), words);
    let more = known.ignoring(["strange", "known-to-another"]);
    more.check(&store).expect("knows all");
}

#[derive(Debug, PartialEq)]
struct Overdrawn;

/// Nothing that adds money can make it wrong.
#[derive(Command, Clone, Debug)]
#[command(shared::Account, key = account, or = Overdrawn, ignores("money-deposited", "account-opened"))]
struct Spend {
    account: u32,
    cents: i64,
}

impl Decide for Spend {
    fn decide(&self, account: &shared::Account) -> Result<Vec<Bank>, Overdrawn> {
        if account.cents < self.cents.into() { Err(Overdrawn) } else { Ok(vec![withdrawn(self.account, self.cents)]) }
    }
}

/// Claims too much.
#[derive(Command, Clone, Debug)]
#[command(shared::Account, key = account, or = Overdrawn, ignores("money-deposited"))]
struct SpendAll {
    account: u32,
}

impl Decide for SpendAll {
    fn decide(&self, account: &shared::Account) -> Result<Vec<Bank>, Overdrawn> {
        Ok(vec![withdrawn(self.account, i64::try_from(account.cents).map_err(|_| Overdrawn)?)])
    }
}

fn any_event() -> impl Strategy<Value = Bank> {
    (0..3_u8, 1..50_i64).prop_map(|(kind, cents)| match kind {
        0 => Bank::Opened { account: 1, owner: String::new() },
        1 => deposited(1, cents),
        _ => withdrawn(1, cents),
    })
}

#[test]
fn false_claims_to_ignore_are_caught() {
    let all = (1..99_i64).prop_map(|cents| Spend { account: 1, cents });
    // A deposit turns a refusal into a withdrawal: even this claim is false.
    let caught = ignores_hold(all, any_event()).expect_err("is false");
    assert!(caught.contains("Spend decides"), "{caught}");
    let caught = ignores_hold(Just(SpendAll { account: 1 }), any_event()).expect_err("is false");
    assert!(caught.contains("SpendAll decides"), "{caught}");
    let none = Just(SpendAll { account: 1 });
    let unseen = ignores_hold(none, Just(withdrawn(1, 1))).expect_err("nothing was tried");
    assert!(unseen.contains("no event was generated"), "{unseen}");
}

/// What is deposited does not matter to who owns an account.
#[derive(Command, Clone, Debug)]
#[command(shared::Account, key = account, or = Overdrawn, ignores("money-deposited", "money-withdrawn", "balance-set"))]
struct Open {
    account: u32,
}

thread_local! {
    static MEANWHILE: std::cell::RefCell<Option<(EventStore, Bank)>> = const { std::cell::RefCell::new(None) };
}

impl Decide for Open {
    fn decide(&self, account: &shared::Account) -> Result<Vec<Bank>, Overdrawn> {
        // What is recorded between deciding and recording.
        if let Some((store, event)) = MEANWHILE.with_borrow_mut(Option::take) {
            record(&store, [event]);
        }
        if account.opened {
            Err(Overdrawn)
        } else {
            Ok(vec![Bank::Opened { account: self.account, owner: "a".into() }])
        }
    }
}

#[test]
fn what_is_ignored_does_not_overtake_and_what_is_not_does() {
    ignores_hold(Just(Open { account: 1 }), any_event()).expect("holds");
    let store = store();
    let domain = domain(&store);
    record(&store, [deposited(1, 1), deposited(2, 1)]);
    let send = |account: u32, meanwhile: Bank| {
        MEANWHILE.set(Some((store.clone(), meanwhile)));
        domain.send(Open { account }).wait()
    };
    let receipt = send(1, deposited(1, 5)).expect("is recorded");
    assert_eq!(receipt.attempts, 1, "a deposit does not matter");
    let refused = send(2, Bank::Opened { account: 2, owner: "b".into() }).expect_err("is refused");
    assert!(refused.refusal().is_some(), "the account was opened meanwhile, and the decision made again");
}

//! States: how fresh, from what base, and what happens when an event or the code of a model is not as it should be.

mod shared;

use std::{future::IntoFuture, sync::Arc, time::Duration};

use gesta_model::{
    Base, Command, Decide, Domain, DomainOptions, Error, Event, Key, Model, Place, ReadLevel, SendError, Unreadable,
    event::to_recordable,
};
use gesta_store::{
    EventData, ExpectedRevision, Position, Query, QueryItem, Revision, StreamFilter, Timestamp, clock::ManualClock,
};
use serde::{Deserialize, Serialize};
use shared::*;

/// Polls a future that is ready at once.
fn ready<F: IntoFuture>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future.into_future());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("nothing was to be waited for"),
    }
}

#[test]
fn the_latest_state_is_the_cached_one_and_the_tail() {
    let store = store();
    let domain = domain(&store);
    assert_eq!(*domain.get::<Account>(1_u32).wait().expect("read"), Account::default());
    record(&store, [deposited(1, 5), deposited(2, 7), withdrawn(1, 2)]);
    let (state, explain) = domain.get::<Account>(1_u32).explain().expect("read");
    assert_eq!((state.cents, state.head, state.revision), (3, Position(3), Some(Revision(1))));
    assert_eq!((explain.base, explain.events), (Base::Cached(Position(0)), 2));
    record(&store, [deposited(2, 1)]);
    let (state, explain) = domain.get::<Account>(1_u32).explain().expect("read");
    assert_eq!((state.head, explain.base, explain.events), (Position(4), Base::Cached(Position(3)), 0));
    record(&store, [deposited(1, 10)]);
    let (newer, explain) = domain.get::<Account>(1_u32).explain().expect("read");
    assert_eq!((newer.cents, explain.base, explain.events), (13, Base::Cached(Position(4)), 1));
    assert_eq!(state.cents, 3, "a state that was given away never changes");
    assert_eq!(ready(domain.get::<Account>(1_u32)).expect("read").cents, 13);
}

#[test]
fn read_levels_say_how_fresh() {
    let clock = clock();
    let store = store_with(Arc::clone(&clock));
    let domain =
        Domain::with(store.clone(), DomainOptions { clock: Arc::<ManualClock>::clone(&clock), ..Default::default() });
    record(&store, [deposited(1, 5)]);
    assert_eq!(domain.get::<Account>(1_u32).wait().expect("read").cents, 5);
    let first = Timestamp(1_700_000_000_000_000_000);
    clock.advance(Duration::from_secs(10));
    record(&store, [deposited(1, 1), deposited(1, 2)]);
    let stale = |age| domain.get::<Account>(1_u32).stale(Duration::from_secs(age)).wait().expect("read").cents;
    assert_eq!(stale(10), 5, "checked ten seconds ago");
    assert_eq!(stale(9), 8);
    let as_of = |moment: gesta_model::Moment| domain.get::<Account>(1_u32).as_of(moment).wait();
    assert_eq!(as_of(Position(0).into()).expect("read").cents, 5);
    assert_eq!(as_of(Position(1).into()).expect("read").cents, 6);
    assert_eq!(as_of(first.into()).expect("read").cents, 5);
    assert_eq!(as_of(Timestamp(first.0 - 1).into()).expect("read").cents, 0);
    assert_eq!(as_of(Timestamp::MIN.into()).expect("read").cents, 0);
    assert_eq!(as_of(Timestamp(i64::MAX).into()).expect("read").cents, 8);
    let at_revision = as_of(Revision(1).into()).expect("read");
    assert_eq!((at_revision.cents, at_revision.head), (6, Position(2)));
    assert!(matches!(as_of(Position(3).into()), Err(Error::Unanswerable(_))), "not recorded yet");
    assert!(matches!(as_of(Revision(3).into()), Err(Error::Unanswerable(_))));
    let vault = domain.get::<Vault>(()).as_of(Revision(0)).wait();
    assert!(matches!(vault, Err(Error::Unanswerable(_))), "a model of many streams has no revisions");
    let late = domain.get::<Account>(1_u32).level(ReadLevel::AtLeast(Position(3))).timeout(Duration::ZERO).wait();
    assert!(matches!(late, Err(Error::Store(_))), "nobody records it");
    assert_eq!(domain.get::<Account>(1_u32).at_least(Position(2)).wait().expect("read").cents, 8);
}

#[test]
fn paths_of_all_kinds_find_their_events() {
    let store = store();
    let domain = domain(&store);
    let transfer = |event: fn(Option<String>) -> Bank, name: &str| event(Some(name.to_owned()));
    let out = |transfer| Bank::Withdrawn { account: 1, cents: 9, transfer };
    let arrived = |transfer| Bank::Deposited { account: 2, cents: 9, transfer };
    record_together(&store, [transfer(out, "a/b"), transfer(arrived, "a/b"), transfer(out, "a"), deposited(3, 100)]);
    let get = |key: &str| (*domain.get::<Transfer>(key).wait().expect("read").value).clone();
    assert_eq!(get("a/b"), Transfer { out: 9, arrived: 9 }, "a key with a slash is one segment");
    assert_eq!(get("a"), Transfer { out: 9, arrived: 0 });
    assert_eq!(domain.get::<Vault>(()).wait().expect("read").moved, 127);
    assert!(matches!(domain.get::<Transfer>("").wait(), Err(Error::Unanswerable(_))), "an empty key names nothing");
}

/// Everything the bank does, and what one owner has: models by type and by query.
#[derive(Clone, Default)]
struct Everything(u64);
impl Model for Everything {
    type Event = Bank;
    type Key = ();
    fn apply(&mut self, _: &Bank, _: &Place<'_>) {
        self.0 += 1;
    }
}

#[derive(Clone, Default)]
struct Pair(i128);
impl Model for Pair {
    type Event = Bank;
    type Key = (u32, u32);
    fn query((a, b): &(u32, u32)) -> Option<Query> {
        let stream = |n: &u32| StreamFilter::Exact(format!("account-{n}").parse().expect("a name"));
        Some(Query::of(QueryItem::default().stream(stream(a)).stream(stream(b))))
    }
    fn apply(&mut self, event: &Bank, _: &Place<'_>) {
        if let Bank::Deposited { cents, .. } = event {
            self.0 += i128::from(*cents);
        }
    }
}

#[derive(Key, Clone, PartialEq, Eq, Hash)]
struct Number(u32);
#[derive(Clone, Default)]
struct ByNumber(u64);
impl Model for ByNumber {
    type Event = Bank;
    type Key = Number;
    const AT: &'static str = "account-*";
    fn apply(&mut self, _: &Bank, _: &Place<'_>) {
        self.0 += 1;
    }
}

#[test]
fn scopes_may_be_everything_or_any_query() {
    let store = store();
    let domain = domain(&store);
    record(&store, [deposited(1, 1), deposited(2, 2), deposited(3, 4), deposited(1, 8)]);
    let other = EventData::json("of-another-domain".try_into().expect("a name"), "{}");
    store.append("elsewhere".try_into().expect("a name"), ExpectedRevision::Any, [other]).wait().expect("recorded");
    assert_eq!(domain.get::<Everything>(()).wait().expect("read").0, 4);
    assert_eq!(domain.get::<Pair>((1, 2)).wait().expect("read").0, 11);
    record(&store, [deposited(2, 16)]);
    assert_eq!(domain.get::<Pair>((1, 2)).wait().expect("read").0, 27);
    assert_eq!(domain.get::<ByNumber>(Number(1)).wait().expect("read").0, 2);
}

/// Skips what it cannot read.
#[derive(Clone, Default)]
struct Lenient(u64);
impl Model for Lenient {
    type Event = Bank;
    type Key = u32;
    const AT: &'static str = "account-*";
    const UNREADABLE: Unreadable = Unreadable::Skip;
    fn apply(&mut self, _: &Bank, _: &Place<'_>) {
        self.0 += 1;
    }
}

#[test]
fn unreadable_events_fail_with_their_place_or_are_counted() {
    let store = store();
    let domain = domain(&store);
    let put = |event_type: &str, data: &'static str| {
        let event = EventData::json(event_type.parse().expect("a type"), data);
        store.append("account-1".parse().expect("a name"), ExpectedRevision::Any, [event]).wait().expect("recorded");
    };
    record(&store, [deposited(1, 5)]);
    put("money-burnt", "{}");
    let failed = domain.get::<Account>(1_u32).wait().expect_err("unknown");
    assert_eq!(
        failed.to_string(),
        "event of a kind the model does not know, model=Account position=1 type=money-burnt"
    );
    let before = domain.get::<Account>(1_u32).as_of(Position(0)).wait().expect("it was not there yet");
    assert_eq!(before.cents, 5);
    put("money-deposited", r#"{"account":1,"cents":"many"}"#);
    put("$>", "0@account-2");
    record(&store, [deposited(1, 5)]);
    let (state, explain) = domain.get::<Lenient>(1_u32).explain().expect("skips");
    assert_eq!((state.0, explain.events, explain.skipped), (2, 2, 2));
    let (_, again) = domain.get::<Lenient>(1_u32).explain().expect("cached");
    assert_eq!((again.events, again.skipped), (0, 2), "what the base left out still counts");
    let undecodable = domain.get::<Vault>(()).wait().expect_err("the whole vault has it too");
    assert!(matches!(undecodable, Error::UnknownKind { position: Position(1), .. }), "{undecodable}");
}

/// Sets aside what it cannot read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Careful(u64);
impl Model for Careful {
    type Event = Bank;
    type Key = u32;
    const AT: &'static str = "account-*";
    const UNREADABLE: Unreadable = Unreadable::Park;
    fn apply(&mut self, _: &Bank, _: &Place<'_>) {
        self.0 += 1;
    }
}

/// Of two accounts.
#[derive(Command)]
#[command((Careful, Careful), key = (one, other), or = Refused)]
struct Close {
    one: u32,
    other: u32,
}
impl Decide for Close {
    fn decide(&self, (one, other): (&Careful, &Careful)) -> Result<Vec<Bank>, Refused> {
        if one.0 + other.0 == 0 { Err(Refused::NotOpen) } else { Ok(vec![deposited(self.one, 0)]) }
    }
}

#[test]
fn parked_events_are_told_with_their_reasons_and_nothing_is_decided_without_them() {
    let store = store();
    let put = |account: u32, event_type: &str, data: &'static str| {
        let event = EventData::json(event_type.parse().expect("a type"), data);
        let stream = format!("account-{account}").parse().expect("a name");
        store.append(stream, ExpectedRevision::Any, [event]).wait().expect("recorded");
    };
    record(&store, [deposited(1, 5), deposited(2, 5), deposited(3, 5)]);
    put(1, "money-burnt", "{}");
    let domain = domain(&store);
    let snapshots = domain.keep_snapshots::<Careful>(gesta_model::SnapshotOptions {
        disk: Arc::new(gesta_store::disk::memory::MemoryDisk::new()),
        worth: Duration::ZERO,
        audit_share: 1,
    });
    let told = || {
        let (state, explain) = domain.get::<Careful>(1_u32).explain().expect("is read without them");
        assert_eq!(explain.parked, state.parked().len() as u64);
        let line = |event: &gesta_model::ParkedEvent| format!("{} {}: {}", event.position, event.stream, event.reason);
        (state.0, state.parked().iter().map(line).collect::<Vec<_>>())
    };
    let burnt = "3 account-1: event of a kind the model does not know, model=Careful position=3 type=money-burnt";
    assert_eq!(told(), (1, vec![burnt.to_owned()]));
    assert_eq!(told(), (1, vec![burnt.to_owned()]), "of the cached state too");
    put(1, "money-deposited", r#"{"account":1,"cents":"many"}"#);
    record(&store, [deposited(1, 5)]);
    let (events, parked) = told();
    assert_eq!((events, parked.len(), parked[0].as_str()), (2, 2, burnt), "onto the cached state");
    assert!(
        parked[1].contains("4 account-1: event cannot be decoded") && parked[1].contains("version=1"),
        "{}",
        parked[1]
    );
    let before = domain.get::<Careful>(1_u32).as_of(Position(2)).wait().expect("read");
    assert!(before.parked().is_empty(), "they were not there yet");
    assert_eq!(snapshots.info().taken, 0, "a snapshot would not tell");

    // Whoever must know the account knows that it cannot; others go on.
    let failed = domain.send(Close { one: 2, other: 1 }).wait().expect_err("account 1 lacks events");
    assert!(matches!(failed, SendError::Failed(Error::UnknownKind { position: Position(3), .. })), "{failed:?}");
    domain.send(Close { one: 2, other: 3 }).wait().expect("nothing is parked there");

    // All of them, whatever becomes of them.
    let places =
        |events: Vec<gesta_model::ParkedEvent>| events.iter().map(|event| event.position.0).collect::<Vec<_>>();
    assert_eq!(places(domain.unreadable::<Careful>().expect("read")), [3, 4]);
    assert_eq!(places(domain.unreadable::<Account>().expect("read")), [3, 4]);
    let none: Vec<u64> = places(domain.unreadable::<Transfer>().expect("read"));
    assert!(none.is_empty(), "{none:?}");

    // Summaries do not know of parked events: the fold answers, whatever is accelerated.
    for _ in 3..=1_000 {
        put(2, "money-burnt", "{}");
    }
    assert_eq!(domain.get::<Careful>(2_u32).wait().expect("a thousand are many").parked().len(), 998);
    (0..3).for_each(|_| put(2, "money-burnt", "{}"));
    let failed = domain.get::<Careful>(2_u32).wait().map(drop);
    assert!(matches!(failed, Err(Error::UnknownKind { .. })), "more than a thousand are too many");
}

#[test]
fn a_history_is_the_state_after_each_event() {
    let store = store();
    record(&store, [deposited(1, 5), deposited(2, 7), withdrawn(1, 2), deposited(1, 1)]);
    let domain = domain(&store);
    let told = |history: gesta_model::History<'_, Account>| {
        let mut told = Vec::new();
        history.each(|event, state| told.push((event.position.0, state.cents))).expect("told");
        told
    };
    assert_eq!(told(domain.history(1_u32)), [(0, 5), (2, 3), (3, 4)]);
    assert_eq!(told(domain.history(1_u32).until(Position(2))), [(0, 5), (2, 3)]);
    assert_eq!(told(domain.history(1_u32).until(Revision(0))), [(0, 5)]);
    assert_eq!(told(domain.history(1_u32).limit(2).until(Revision(2))), [(0, 5), (2, 3)]);
    assert!(domain.history::<Account>(1_u32).until(Revision(3)).each(|_, _| {}).is_err(), "not recorded yet");
    assert_eq!(told(domain.history(9_u32)), []);
    assert!(domain.history::<Account>(1_u32).until(Position(4)).each(|_, _| {}).is_err(), "not recorded yet");
}

#[derive(Event, Serialize, Deserialize)]
enum Fuse {
    #[event("burnt", at = "fuse-{number}")]
    Burnt { number: u32, fatal: bool },
}

#[derive(Clone, Default)]
struct Fused(u64);
impl Model for Fused {
    type Event = Fuse;
    type Key = u32;
    const AT: &'static str = "fuse-*";
    fn apply(&mut self, Fuse::Burnt { fatal, .. }: &Fuse, _: &Place<'_>) {
        self.0 += 1;
        assert!(!fatal, "planted");
    }
}

#[test]
fn a_panic_in_apply_fails_that_call_only() {
    let store = store();
    let domain = domain(&store);
    let burn = |number, fatal| {
        let (stream, event) = to_recordable(&Fuse::Burnt { number, fatal }).expect("recordable");
        store.append(stream, ExpectedRevision::Any, [event]).wait().expect("recorded");
    };
    burn(1, false);
    assert_eq!(domain.get::<Fused>(1_u32).wait().expect("read").0, 1);
    burn(1, true);
    for _ in 0..2 {
        let failed = domain.get::<Fused>(1_u32).wait().expect_err("panics");
        assert_eq!(failed.to_string(), "code panicked: planted, in=Fused::apply position=1");
    }
    assert_eq!(domain.get::<Fused>(1_u32).as_of(Position(0)).wait().expect("before it").0, 1);
    burn(2, false);
    assert_eq!(domain.get::<Fused>(2_u32).wait().expect("another").0, 1);
}

#[test]
fn truncated_deleted_and_ended_streams_are_what_their_readers_see() {
    let store = store();
    let domain = domain(&store);
    let stream: gesta_store::StreamName = "account-1".parse().expect("a name");
    let read = || (*domain.get::<Account>(1_u32).wait().expect("read").value).clone();
    record(&store, [deposited(1, 1), deposited(1, 2), deposited(1, 4)]);
    assert_eq!(read().cents, 7);
    store.set_stream_metadata(&stream, ExpectedRevision::Any, r#"{"$maxCount":2}"#).wait().expect("recorded");
    assert_eq!(read().cents, 6, "the cached state is not taken for a base any more");
    record(&store, [deposited(1, 8)]);
    assert_eq!(read().cents, 12);
    store.delete_stream(stream.clone(), ExpectedRevision::Any).wait().expect("recorded");
    assert_eq!(read(), Account::default());
    record(&store, [deposited(1, 16)]);
    assert_eq!(read().cents, 16);
    store.tombstone_stream(stream, ExpectedRevision::Any).wait().expect("recorded");
    assert_eq!(read(), Account::default());
    record(&store, [deposited(2, 1)]);
    assert_eq!(domain.get::<Account>(2_u32).wait().expect("read").cents, 1);
    store.tombstone_stream("account-2".parse().expect("a name"), ExpectedRevision::Any).wait().expect("recorded");
    assert_eq!(*domain.get::<Account>(2_u32).wait().expect("read"), Account::default(), "ended without metadata");
}

#[test]
fn the_cache_is_bounded_and_what_it_forgets_is_read_again() {
    let store = store();
    record_together(&store, (0..500).map(|account| deposited(account, account.into())));
    let domain = Domain::with(store, DomainOptions { cache_bytes: 50_000, ..DomainOptions::default() });
    for _ in 0..2 {
        for account in 0..500_u32 {
            assert_eq!(domain.get::<Account>(account).wait().expect("read").cents, account.into());
        }
    }
    let info = domain.cache_info();
    assert!(info.states > 0 && info.bytes <= 50_000, "{info:?}");
}

#[test]
fn a_stream_is_written_since_a_position_if_it_has_an_event_from_there_on() {
    let store = store();
    record(&store, (0..200_u32).map(|n| deposited(n * n % 7, 1)));
    store.settle().expect("settles");
    record(&store, (0..50_u32).map(|n| deposited(n % 3, 1)));
    for account in 0..8_u32 {
        let stream = format!("account-{account}").parse().expect("a name");
        let last = store.read_stream(stream, gesta_store::ReadOptions::default()).ok().and_then(Iterator::last);
        let last = last.map(|event| event.expect("reads").position);
        let stream = format!("account-{account}").parse().expect("a name");
        for from in (0..=251).map(Position) {
            let expected = last.is_some_and(|last| last >= from);
            assert_eq!(store.is_written_since(&stream, from).expect("answers"), expected, "{stream} {from}");
        }
    }
}

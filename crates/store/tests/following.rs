//! Subscriptions through the public door: what they tell and when, where they begin and go on, and what wakes them.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::wildcard_enum_match_arm, missing_docs)]

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use gesta_store::{
    Batch, Delivery, ErrorKind, EventData, EventStore, ExpectedRevision, From, Options, Position, Query, QueryItem,
    Revision, Source, StreamFilter, StreamName, SubscribeOptions, Subscription, Tag, Timestamp, clock::ManualClock,
    disk::memory::MemoryDisk, limits,
};

fn store_with(clock: Arc<ManualClock>) -> EventStore {
    let options = Options { threads: false, segment_events: 16, tail_cache_bytes: 512, clock, ..Options::default() };
    EventStore::open_on(Arc::new(MemoryDisk::new()), options).unwrap()
}

fn store() -> EventStore {
    store_with(Arc::new(ManualClock::at(Timestamp(1000))))
}

fn name(name: &str) -> StreamName {
    name.try_into().unwrap()
}

fn event(event_type: &str) -> EventData {
    EventData::json(event_type.try_into().unwrap(), "{}")
}

fn append(store: &EventStore, stream: &str, events: impl IntoIterator<Item = EventData>) {
    store.append(name(stream), ExpectedRevision::Any, events).wait().unwrap();
}

fn paid() -> Source {
    Source::Query(Query::of(QueryItem::default().event_type("Paid".try_into().unwrap())))
}

const NOW: Option<Duration> = Some(Duration::ZERO);

/// Where the events of a batch stand in the source.
fn places(batch: &Batch) -> Vec<u64> {
    (0..batch.len()).map(|index| batch.place(index).unwrap().0).collect()
}

/// What comes without waiting, in short: `e3,4` events, `c5` caught up, `b5` fallen behind, `k5` checkpoint.
fn told(subscription: &mut Subscription) -> String {
    let mut told = Vec::new();
    while let Some(delivery) = subscription.next(NOW).unwrap() {
        told.push(match delivery {
            Delivery::Events(batch) => {
                let places: Vec<String> = places(&batch).iter().map(ToString::to_string).collect();
                format!("e{}", places.join(","))
            }
            Delivery::CaughtUp(position) => format!("c{position}"),
            Delivery::FellBehind(position) => format!("b{position}"),
            Delivery::Checkpoint(position) => format!("k{position}"),
            _ => panic!("a kind of delivery this file does not know"),
        });
    }
    told.join(" ")
}

fn follow(store: &EventStore, source: Source, options: SubscribeOptions) -> Subscription {
    store.subscribe(source, options).unwrap()
}

#[test]
fn caught_up_is_told_once() {
    let store = store();
    append(&store, "a", [event("Paid"), event("Paid"), event("Paid")]);
    let mut all = follow(&store, Source::All, SubscribeOptions { batch_events: 2, ..SubscribeOptions::default() });
    assert_eq!(told(&mut all), "e0,1 e2 c3");
    append(&store, "a", [event("Paid")]);
    assert_eq!(told(&mut all), "e3");
    assert_eq!(told(&mut all), "");
    let mut empty = follow(&store, Source::Stream(name("later")), SubscribeOptions::default());
    assert_eq!(told(&mut empty), "c4");
    append(&store, "later", [event("Paid")]);
    assert_eq!(told(&mut empty), "e4");
}

/// Told before the events that were missed, once, and then caught up again.
#[test]
fn who_has_fallen_behind_is_told_and_catches_up() {
    let store = store();
    let mut all = follow(&store, Source::All, SubscribeOptions { batch_events: 70_000, ..SubscribeOptions::default() });
    let mut none = follow(&store, paid(), SubscribeOptions { checkpoint_events: None, ..SubscribeOptions::default() });
    assert_eq!((told(&mut all).as_str(), told(&mut none).as_str()), ("c0", "c0"));
    let bound = limits::FALLEN_BEHIND_EVENTS;
    let many = |count: u64| (0..count).map(|_| event("Placed"));
    // The largest commit is no reason.
    append(&store, "a", many(bound));
    assert!(matches!(all.next(NOW).unwrap(), Some(Delivery::Events(_))));
    append(&store, "a", many(bound));
    assert!(matches!(all.next(NOW).unwrap(), Some(Delivery::FellBehind(position)) if position == all.checked_to()));
    let mut seen = all.checked_to().0;
    loop {
        match all.next(NOW).unwrap().unwrap() {
            Delivery::Events(batch) => seen += batch.len() as u64,
            Delivery::CaughtUp(position) => break assert_eq!((position.0, seen), (2 * bound, 2 * bound)),
            other => panic!("{other:?}"),
        }
    }
    // One who asked for nothing and was not asked.
    assert_eq!(told(&mut none), format!("b0 c{}", 2 * bound));
}

#[test]
fn a_filtered_subscription_tells_how_far_it_is() {
    let store = store();
    append(&store, "a", (0..10).map(|_| event("Placed")));
    append(&store, "a", [event("Paid")]);
    for source in [paid(), Source::Stream(name("$et-Paid")), Source::Stream(name("a-stream"))] {
        let mut every_four = follow(
            &store,
            source.clone(),
            SubscribeOptions { checkpoint_events: Some(4), ..SubscribeOptions::default() },
        );
        told(&mut every_four);
        let head = store.head().position().0;
        let mut expected = String::new();
        for count in 1..=9 {
            append(&store, "b", [event("Placed")]);
            if count % 4 == 0 {
                expected = format!("k{}", head + count);
                assert_eq!(told(&mut every_four), expected, "{source:?}");
            } else {
                assert_eq!(told(&mut every_four), "", "{source:?}");
            }
        }
        assert_eq!(expected, format!("k{}", head + 8));
        assert_eq!(every_four.checked_to().0, head + 9, "whoever looks learns more than he is told");
    }
    let all = SubscribeOptions { checkpoint_events: Some(1), ..SubscribeOptions::default() };
    let mut all = follow(&store, Source::All, all);
    assert!(!told(&mut all).contains('k'), "of the whole log every event is delivered");
    let zero = SubscribeOptions { checkpoint_events: Some(0), ..SubscribeOptions::default() };
    assert_eq!(store.subscribe(paid(), zero).unwrap_err().kind(), ErrorKind::Invalid);
}

/// While catching up too: a scan of much that does not match says where it is.
#[test]
fn checkpoints_come_while_catching_up_and_never_go_back() {
    let store = store();
    // Under two types in turn the index is of no use: it is scanned.
    append(&store, "a", (0..5000).map(|number| event(if number % 2 == 0 { "Placed" } else { "Moved" })));
    let item = QueryItem::default().stream(StreamFilter::Pattern("*a*".into()));
    let neither =
        Source::Query(Query::of(item.event_type("Paid".try_into().unwrap())).or(
            QueryItem::default().event_type("Moved".try_into().unwrap()).stream(StreamFilter::Pattern("*b".into())),
        ));
    let options = SubscribeOptions { checkpoint_events: Some(1000), ..SubscribeOptions::default() };
    let mut subscription = follow(&store, neither, options);
    let mut last = 0;
    while let Some(delivery) = subscription.next(NOW).unwrap() {
        let (Delivery::Checkpoint(position) | Delivery::CaughtUp(position)) = delivery else {
            panic!("{delivery:?}");
        };
        assert!(position.0 > last, "{position} after {last}");
        last = position.0;
    }
    assert_eq!(last, 5000);
}

#[test]
fn a_position_beyond_the_head_is_refused_with_the_facts() {
    let store = store();
    append(&store, "a", [event("Paid")]);
    for source in [Source::All, Source::Stream(name("a")), Source::Stream(name("$ce-a")), paid()] {
        let at = |position| SubscribeOptions::from(From::Position(Position(position)));
        let error = store.subscribe(source.clone(), at(2)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("position=2 head=1"), "{error}");
        assert!(store.subscribe(source.clone(), at(u64::MAX)).is_err());
        assert!(store.subscribe(source.clone(), SubscribeOptions::from(From::after(Position(u64::MAX)))).is_err());
        assert_eq!(told(&mut follow(&store, source, at(1))), "c1");
    }
}

/// Events recorded at the time or later, also by a clock that stood still for a while; nothing before.
#[test]
fn a_time_to_come_is_waited_for() {
    for source in [Source::All, Source::Stream(name("a")), Source::Stream(name("$et-Paid")), paid()] {
        let clock = Arc::new(ManualClock::at(Timestamp(1000)));
        let store = store_with(Arc::clone(&clock));
        append(&store, "a", [event("Paid")]);
        let options =
            SubscribeOptions { checkpoint_events: Some(1), ..SubscribeOptions::from(From::Time(Timestamp(2000))) };
        let mut subscription = follow(&store, source.clone(), options.clone());
        assert_eq!(told(&mut subscription), "c1", "{source:?}");
        append(&store, "a", [event("Paid"), event("Paid")]);
        assert_eq!(told(&mut subscription), "", "{source:?}");
        // From the position alone it could not go on: no checkpoint was told, and this is how.
        assert_eq!(subscription.resume_from(), From::Time(Timestamp(2000)));
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let mut ready = Box::pin(subscription.ready());
        assert!(ready.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        append(&store, "a", [event("Paid")]);
        clock.advance(Duration::from_nanos(999));
        append(&store, "a", [event("Paid")]);
        assert_eq!(bell.0.load(Ordering::SeqCst), 0, "{source:?}: it is too early");
        clock.advance(Duration::from_nanos(1));
        append(&store, "a", [event("Paid"), event("Paid")]);
        assert_eq!(bell.0.load(Ordering::SeqCst), 1);
        drop(ready);
        // Two of them share the time.
        append(&store, "a", [event("Paid")]);
        assert_eq!(told(&mut subscription), "e5,6,7", "{source:?}");
        assert_eq!(subscription.resume_from(), From::Position(Position(8)));
        assert_eq!(told(&mut follow(&store, source, options)), "e5,6,7 c8");
    }
}

/// It is what was asked for: the events before it are not delivered when they come.
#[test]
fn a_revision_to_come_is_waited_for() {
    for (source, stream) in [("a", "a"), ("$et-Paid", "b"), ("$streams", "c")] {
        let store = store();
        append(&store, stream, [event("Paid")]);
        let options =
            SubscribeOptions { checkpoint_events: Some(1), ..SubscribeOptions::from(From::Revision(Revision(3))) };
        let mut subscription = follow(&store, Source::Stream(name(source)), options);
        assert_eq!(told(&mut subscription), "c1");
        for number in 1..=3 {
            assert_eq!(subscription.resume_from(), From::Revision(Revision(3)));
            assert_eq!(told(&mut subscription), "", "{source}");
            let stream = if source == "$streams" { format!("d{number}") } else { stream.to_owned() };
            append(&store, &stream, [event("Paid")]);
        }
        assert_eq!(told(&mut subscription), "e3", "{source}");
        assert_eq!(subscription.resume_from(), From::Position(Position(4)));
        let never = SubscribeOptions::from(From::Revision(Revision(u64::MAX)));
        assert_eq!(told(&mut follow(&store, Source::Stream(name(source)), never)), "c4");
    }
}

/// Every kind of source.
fn sources() -> Vec<Source> {
    let red = || Tag::new("red").unwrap();
    vec![
        Source::All,
        Source::Stream(name("order-1")),
        Source::Stream(name("$ce-order")),
        Source::Stream(name("$et-Paid")),
        Source::Stream(name("$bc-c1")),
        Source::Stream(name("$streams")),
        Source::Stream(name("links")),
        Source::Stream(name("$ce-nothing")),
        paid(),
        Source::Query(
            Query::of(QueryItem::default().tag(red())).or(QueryItem::default().path("/a/*".parse().unwrap())),
        ),
        Source::Query(Query::of(QueryItem::default().stream(StreamFilter::Prefix("order-".into())))),
        Source::Query(Query::all()),
    ]
}

/// A few dozen events over several segments, of which every source has some; with links forth and back.
fn varied(store: &EventStore) {
    for number in 0..60_u64 {
        let event = match number % 3 {
            0 => event("Paid").with_tag(Tag::new("red").unwrap()),
            1 => event("Placed").with_tag(Tag::new(format!("/a/{number}")).unwrap()),
            _ => event("Paid").with_metadata(r#"{"$correlationId":"c1"}"#),
        };
        append(store, &format!("order-{}", number % 4), [event]);
        if number % 7 == 0 {
            let link = EventData::binary("$>".try_into().unwrap(), format!("{}@order-1", number / 14));
            append(store, "links", [link]);
        }
    }
}

/// Everything a subscription delivers, and after each event where it stands.
fn delivered(store: &EventStore, source: &Source, options: SubscribeOptions) -> Vec<u64> {
    let mut subscription = follow(store, source.clone(), options);
    let mut seen = Vec::new();
    while let Some(delivery) = subscription.next(NOW).unwrap() {
        if let Delivery::Events(batch) = delivery {
            seen.extend(places(&batch));
        }
    }
    seen
}

/// From every position, whether something was delivered there or not; behind every event; and from wherever it stood after whatever it told.
#[test]
fn going_on_from_any_place_skips_nothing_and_doubles_nothing() {
    let store = store();
    varied(&store);
    store.settle().unwrap();
    varied(&store);
    for (source, resolve_links) in sources().into_iter().flat_map(|source| [(source.clone(), false), (source, true)]) {
        let options = |from| SubscribeOptions { resolve_links, ..SubscribeOptions::from(from) };
        let whole = delivered(&store, &source, options(From::Beginning));
        assert!(whole.is_sorted_by(|left, right| left < right), "{source:?}: {whole:?}");
        for cut in 0..=store.head().position().0 {
            let expected: Vec<u64> = whole.iter().copied().filter(|place| *place >= cut).collect();
            let found = delivered(&store, &source, options(From::Position(Position(cut))));
            assert_eq!(found, expected, "{source:?} from {cut}");
        }
        for (index, &place) in whole.iter().enumerate() {
            let found = delivered(&store, &source, options(From::after(Position(place))));
            assert_eq!(found, whole[index + 1..], "{source:?} after {place}");
        }
        for batch_events in [1, 2, 5] {
            let small = SubscribeOptions { batch_events, checkpoint_events: Some(3), ..options(From::Beginning) };
            let mut subscription = follow(&store, source.clone(), small);
            let mut seen = 0;
            loop {
                let found = delivered(&store, &source, options(subscription.resume_from()));
                assert_eq!(found, whole[seen..], "{source:?} by {batch_events} at {}", subscription.checked_to());
                match subscription.next(NOW).unwrap() {
                    Some(Delivery::Events(batch)) => seen += batch.len(),
                    Some(_) => {}
                    None => break,
                }
            }
            assert_eq!(seen, whole.len());
        }
    }
}

/// The same from every revision and, with times that several events share, from every time.
#[test]
fn beginning_at_any_revision_or_time_is_going_on_from_there() {
    let clock = Arc::new(ManualClock::at(Timestamp(1000)));
    let store = store_with(Arc::clone(&clock));
    for _ in 0..4 {
        varied(&store);
        clock.advance(Duration::from_nanos(10));
    }
    for source in sources() {
        let whole = delivered(&store, &source, SubscribeOptions::default());
        for time in 990..1050 {
            let mut begin = store.read_all(Default::default()).unwrap();
            let begin = begin.find(|event| event.as_ref().unwrap().recorded_at >= Timestamp(time));
            let begin = begin.map_or(store.head().position(), |event| event.unwrap().position).0;
            let from = SubscribeOptions::from(From::Time(Timestamp(time)));
            let expected: Vec<u64> = whole.iter().copied().filter(|place| *place >= begin).collect();
            assert_eq!(delivered(&store, &source, from), expected, "{source:?} from {time}");
        }
        if !matches!(source, Source::Stream(_)) {
            continue;
        }
        for revision in 0..=whole.len() {
            let options = SubscribeOptions::from(From::Revision(Revision(revision as u64)));
            assert_eq!(delivered(&store, &source, options.clone()), whole[revision..], "{source:?}");
            // Before it has delivered anything, too.
            let resumed = SubscribeOptions::from(follow(&store, source.clone(), options).resume_from());
            assert_eq!(delivered(&store, &source, resumed), whole[revision..], "{source:?}");
        }
    }
}

/// A waker that counts.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Records an event.
type Record = Box<dyn Fn(&EventStore)>;

/// Each sleeps through everything but its own event, and finds that without looking at what it slept through.
#[test]
fn a_waiting_subscription_is_woken_by_what_matches_and_by_nothing_else() {
    let store = store();
    let cases: Vec<(Source, Record)> = vec![
        (Source::Stream(name("mine")), Box::new(|store| append(store, "mine", [event("Placed")]))),
        (Source::Stream(name("$ce-my")), Box::new(|store| append(store, "my-1", [event("Placed")]))),
        (Source::Stream(name("$et-Mine")), Box::new(|store| append(store, "b", [event("Mine")]))),
        (
            Source::Stream(name("$bc-mine")),
            Box::new(|store| append(store, "b", [event("B").with_metadata(r#"{"$correlationId":"mine"}"#)])),
        ),
        (
            Source::Query(Query::of(QueryItem::default().path("/mine/*".parse().unwrap()))),
            Box::new(|store| append(store, "b", [event("B").with_tag(Tag::new("/mine/1").unwrap())])),
        ),
        (
            Source::Query(Query::of(QueryItem::default().stream(StreamFilter::Pattern("*-mine-*".into())))),
            Box::new(|store| append(store, "x-mine-y", [event("B")])),
        ),
    ];
    for (source, record_mine) in cases {
        let mut subscription = follow(&store, source.clone(), SubscribeOptions::default());
        assert!(told(&mut subscription).ends_with(&format!("c{}", store.head().position())));
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let mut context = Context::from_waker(&waker);
        let mut ready = Box::pin(subscription.ready());
        assert!(ready.as_mut().poll(&mut context).is_pending());
        for number in 0..20 {
            append(&store, &format!("other-{number}"), [event("Other").with_tag(Tag::new("/other/1").unwrap())]);
        }
        assert!(ready.as_mut().poll(&mut context).is_pending());
        assert_eq!(bell.0.load(Ordering::SeqCst), 0, "{source:?}");
        let place = store.head().position();
        record_mine(&store);
        append(&store, "other-1", [event("Other")]);
        assert_eq!(bell.0.load(Ordering::SeqCst), 1, "{source:?}");
        assert!(matches!(ready.as_mut().poll(&mut context), Poll::Ready(Ok(()))));
        drop(ready);
        assert_eq!(subscription.checked_to(), place, "{source:?}: what it slept through did not match");
        assert_eq!(told(&mut subscription), format!("e{place}"), "{source:?}");
    }
}

/// Whoever waits and gives up knows how far nothing matched; and is in nobody's list afterwards.
#[test]
fn a_wait_that_is_dropped_leaves_nothing_behind() {
    let store = store();
    let mut subscription = follow(&store, paid(), SubscribeOptions::default());
    assert_eq!(told(&mut subscription), "c0");
    let bell = Arc::new(Bell::default());
    {
        let waker = Waker::from(Arc::clone(&bell));
        let mut ready = pin!(subscription.ready());
        assert!(ready.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        append(&store, "a", [event("Placed")]);
    }
    assert_eq!(subscription.checked_to(), Position(1));
    append(&store, "a", [event("Paid")]);
    assert_eq!(bell.0.load(Ordering::SeqCst), 0, "nobody waits");
    assert_eq!(Arc::strong_count(&bell), 1, "nobody holds the waker");
    assert_eq!(told(&mut subscription), "e1");
}

/// A checkpoint wakes, without a match.
#[test]
fn a_checkpoint_that_is_due_wakes() {
    let store = store();
    let options = SubscribeOptions { checkpoint_events: Some(3), ..SubscribeOptions::default() };
    let mut subscription = follow(&store, paid(), options);
    assert_eq!(told(&mut subscription), "c0");
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut ready = Box::pin(subscription.ready());
    assert!(ready.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    for due in [0, 0, 1, 1] {
        append(&store, "a", [event("Placed")]);
        assert_eq!(bell.0.load(Ordering::SeqCst), due);
    }
    drop(ready);
    assert_eq!(told(&mut subscription), "k4");
}

#[test]
fn closing_ends_a_wait() {
    let store = store();
    let mut subscription = follow(&store, paid(), SubscribeOptions::default());
    assert_eq!(told(&mut subscription), "c0");
    append(&store, "a", [event("Paid")]);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut waiting = follow(&store, Source::Stream(name("never")), SubscribeOptions::default());
    assert_eq!(told(&mut waiting), "c1");
    let mut ready = Box::pin(waiting.ready());
    assert!(ready.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    store.close().unwrap();
    assert_eq!(bell.0.load(Ordering::SeqCst), 1);
    drop(ready);
    // What was recorded is still delivered.
    assert!(matches!(subscription.next(None), Ok(Some(Delivery::Events(_)))));
    for mut subscription in [subscription, waiting] {
        assert_eq!(subscription.next(None).unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(subscription.next(NOW).unwrap_err().kind(), ErrorKind::Closed);
    }
}

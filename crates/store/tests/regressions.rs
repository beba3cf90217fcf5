//! Stories of defects that were found by reading: input nobody expects, threads that end at the wrong moment, places past every end.

use std::{
    future::Future,
    path::Path,
    pin::pin,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use gesta_store::{
    Append, AppendCondition, AppendError, AsOf, ContentType, Delivery, Direction, ErrorKind, EventData, EventStore,
    ExpectedRevision, From, Options, Position, Query, QueryItem, ReadOptions, Revision, Source, StreamName,
    SubscribeOptions, Timestamp,
    clock::{Clock, ManualClock},
    disk::{
        Disk,
        memory::{Gate, MemoryDisk, Operation, WatchedDisk},
    },
    limits,
    log::Trailer,
};

/// Long enough for whatever must happen; waited out only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn options() -> Options {
    Options { threads: false, clock: Arc::new(ManualClock::at(Timestamp(1))), ..Options::default() }
}

fn fresh() -> EventStore {
    EventStore::open_on(Arc::new(MemoryDisk::new()), options()).expect("opens")
}

fn name(name: &str) -> StreamName {
    name.try_into().expect("valid")
}

fn event(event_type: &str) -> EventData {
    EventData::json(event_type.try_into().expect("valid"), "{}")
}

/// A condition may name any position. The one after the largest there can be does not exist: computing it stopped the writer for good, or,
/// where sums wrap, had the condition look at the whole log.
#[test]
fn a_condition_after_the_largest_position_holds() {
    let store = fresh();
    store.append(name("a"), ExpectedRevision::Any, [event("Happened")]).wait().expect("recorded");
    let condition = AppendCondition { none_matching: Query::all(), after: Some(Position(u64::MAX)) };
    let append = Append::to(name("a"), ExpectedRevision::Any, [event("Happened")]).condition(condition);
    store.commit(append).wait().expect("nothing can be after it");
}

/// `ContentType::Other` can be made without `ContentType::new`. One too long stopped the writer for good; an empty one was read back as
/// another type than had been hashed, so that the chain of its stream no longer verified.
#[test]
fn a_content_type_that_breaks_the_rules_is_refused() {
    let store = fresh();
    for bad in ["x".repeat(300), String::new(), "application/json".to_owned(), "a\nb".to_owned()] {
        let bad = EventData { content_type: ContentType::Other(bad.into()), ..event("Happened") };
        match store.append(name("a"), ExpectedRevision::Any, [bad.clone(), event("Happened")]).wait() {
            Err(AppendError::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Invalid),
            other => panic!("{bad:?} must be refused: {other:?}"),
        }
    }
    store.append(name("a"), ExpectedRevision::NoStream, [event("Happened")]).wait().expect("still takes appends");
    let report = store.verify(|_| {}).expect("verifies");
    assert!(report.is_sound(), "{report:?}");
}

/// A disk that calls `act` when an index run is begun.
fn watched_for_runs(act: impl Fn() + Send + Sync + 'static) -> Arc<WatchedDisk> {
    Arc::new(WatchedDisk::new(MemoryDisk::new(), move |request| {
        if request.operation == Operation::Create && request.path == Path::new("index/building.tmp") {
            act();
        }
        Ok(())
    }))
}

/// A delete is small when it waits in the queue, but the metadata event the rules write for it may have 64 KiB. Hundreds of them made a group
/// larger than recovery believes a group can be: had its first frame been torn, the good ones far behind would have read as damage.
#[test]
fn a_group_stays_within_its_bound_whatever_the_rules_add() {
    const STREAMS: usize = 800;
    let largest_write = Arc::new(AtomicUsize::new(0));
    let largest = Arc::clone(&largest_write);
    let disk = WatchedDisk::new(MemoryDisk::new(), move |request| {
        if request.operation == Operation::WriteDurable {
            largest.fetch_max(request.bytes, Ordering::SeqCst);
        }
        Ok(())
    });
    let options = Options { segment_bytes: 256 << 20, ..options() };
    let store = EventStore::open_on(Arc::new(disk), options).expect("opens");
    let document = format!(r#"{{"padding":"{}"}}"#, "x".repeat(63 << 10));
    let streams: Vec<StreamName> = (0..STREAMS).map(|number| name(&format!("s-{number}"))).collect();
    for stream in &streams {
        store.append(stream.clone(), ExpectedRevision::NoStream, [event("Happened")]).wait().expect("recorded");
        store.set_stream_metadata(stream, ExpectedRevision::Any, &document).wait().expect("recorded");
    }
    largest_write.store(0, Ordering::SeqCst);
    let tickets: Vec<_> =
        streams.iter().map(|stream| store.delete_stream(stream.clone(), ExpectedRevision::Any)).collect();
    for (index, ticket) in tickets.into_iter().enumerate() {
        let appended = ticket.wait().expect("deleted");
        assert_eq!(appended.first_position, Some(Position((2 * STREAMS + index) as u64)), "the order of the queue");
    }
    let largest = largest_write.load(Ordering::SeqCst);
    assert!(largest <= limits::GROUP_BYTES_MAX + (1 << 20), "largest={largest}");
}

/// A reader may ask for batches of any size: the room for one was taken before it was known how much there is.
#[test]
fn a_batch_may_be_asked_for_without_a_bound() {
    let store = fresh();
    store.append(name("a"), ExpectedRevision::Any, (0..2000).map(|_| event("Common"))).wait().expect("recorded");
    store.append(name("b"), ExpectedRevision::Any, [event("Rare")]).wait().expect("recorded");
    let query = Query::of(QueryItem::default().event_type("Rare".try_into().expect("valid")));
    for direction in [Direction::Forward, Direction::Backward] {
        let options =
            ReadOptions { batch_events: usize::MAX, batch_bytes: usize::MAX, direction, ..ReadOptions::default() };
        let found = store.read_query(query.clone(), options.clone()).expect("reads").count();
        assert_eq!(found, 1);
        assert_eq!(store.read_stream(name("a"), options.clone()).expect("reads").count(), 2000);
        assert_eq!(store.read_all(options).expect("reads").count(), 2001);
    }
}

/// What is read as of a moment is what a reader saw then; events that have become too old since were still to be seen.
#[test]
fn the_past_is_as_old_as_it_was() {
    let clock = Arc::new(ManualClock::at(Timestamp(1_000_000_000_000)));
    let store =
        EventStore::open_on(Arc::new(MemoryDisk::new()), Options { clock: Arc::clone(&clock) as _, ..options() })
            .expect("opens");
    store.append(name("a"), ExpectedRevision::Any, [event("Happened")]).wait().expect("recorded");
    store.set_stream_metadata(&name("a"), ExpectedRevision::Any, r#"{"$maxAge":10}"#).wait().expect("recorded");
    let moment = clock.now();
    clock.advance(Duration::from_secs(100));
    let count = |as_of| {
        let options = ReadOptions { as_of, ..ReadOptions::default() };
        store.read_stream(name("a"), options).expect("reads").count()
    };
    assert_eq!(count(None), 0, "too old by now");
    assert_eq!(count(Some(AsOf::Time(moment))), 1);
    assert_eq!(count(Some(AsOf::Position(Position(1)))), 1);
    assert_eq!(count(Some(AsOf::Time(Timestamp(i64::MAX)))), 0, "the future has not come: now counts");
}

/// Tells when it was woken.
struct Bell(Mutex<Sender<()>>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let _ = self.0.lock().expect("not poisoned").send(());
    }
}

fn bell() -> (Waker, Receiver<()>) {
    let (sender, rung) = mpsc::channel();
    (Waker::from(Arc::new(Bell(Mutex::new(sender)))), rung)
}

/// Whoever waits for a position that never comes waits for the end of the store, and was never told of it.
#[test]
fn closing_wakes_who_waits_for_the_largest_position() {
    let store = fresh();
    let (waker, rung) = bell();
    let mut past = pin!(store.head().past(Position(u64::MAX)));
    assert!(past.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    store.close().expect("closes");
    assert!(rung.try_recv().is_ok(), "must be woken");
    assert!(past.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
}

/// A ticket that was polled to its answer had none for who polled again, or waited after all: for ever.
#[test]
fn a_ticket_answers_as_often_as_it_is_asked() {
    let store = fresh();
    let mut ticket = pin!(store.append(name("a"), ExpectedRevision::Any, [event("Happened")]));
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(first) = ticket.as_mut().poll(&mut context) else { panic!("nobody else will do it") };
    let Poll::Ready(second) = ticket.as_mut().poll(&mut context) else { panic!("the answer stands") };
    assert_eq!(first.expect("recorded"), second.expect("recorded"));
    assert!(ticket.is_answered());
}

/// A clock that holds the writer threads, and makes one panic.
#[derive(Debug, Default)]
struct WriterClock {
    holds: Mutex<bool>,
    released: Condvar,
    asked: AtomicU64,
    panics_at: AtomicU64,
}

impl WriterClock {
    fn holding() -> Arc<Self> {
        Arc::new(Self { holds: Mutex::new(true), ..Self::default() })
    }
    fn release(&self) {
        *self.holds.lock().expect("not poisoned") = false;
        self.released.notify_all();
    }
}

impl Clock for WriterClock {
    fn now(&self) -> Timestamp {
        Timestamp(1)
    }
    fn elapsed(&self) -> Duration {
        if std::thread::current().name().is_some_and(|name| name.starts_with("gesta-writer")) {
            drop(self.released.wait_while(self.holds.lock().expect("not poisoned"), |holds| *holds));
            let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            assert_ne!(asked, self.panics_at.load(Ordering::SeqCst), "the clock was told to panic");
        }
        Duration::ZERO
    }
}

fn with_threads(disk: &Arc<MemoryDisk>, clock: &Arc<WriterClock>) -> EventStore {
    let options = Options { threads: true, clock: Arc::clone(clock) as _, segment_bytes: 64 << 10, ..options() };
    EventStore::open_on(Arc::clone(disk) as Arc<dyn Disk>, options).expect("opens")
}

/// A writer that panicked left the appends it had decided, but not written, without an answer for ever.
#[test]
fn a_panicking_writer_leaves_nobody_waiting() {
    let clock = WriterClock::holding();
    let store = with_threads(&Arc::default(), &clock);
    let append = || Box::pin(store.append(name("a"), ExpectedRevision::Any, [event("Happened")]));
    // The first is being decided; the others come into its group, and the last is the writer's undoing.
    let mut tickets = [append(), append(), append(), append()];
    clock.panics_at.store(4, Ordering::SeqCst);
    let (waker, rung) = bell();
    for ticket in &mut tickets {
        assert!(ticket.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    clock.release();
    for _ in &tickets {
        rung.recv_timeout(PATIENCE).expect("every ticket is answered");
    }
    for ticket in &mut tickets {
        match ticket.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(Err(AppendError::Failed(error))) => assert_eq!(error.kind(), ErrorKind::Closed),
            other @ (Poll::Ready(_) | Poll::Pending) => panic!("nothing was made durable: {other:?}"),
        }
    }
    assert!(store.append(name("a"), ExpectedRevision::Any, [event("Happened")]).wait().is_err());
    assert_eq!(store.read_all(ReadOptions::default()).expect("reads go on").count(), 0);
}

/// Holds a store, and lets go of it when it is woken: as a task does whose executor has ended.
struct Holder(Mutex<Option<EventStore>>, Mutex<Sender<()>>);

impl Wake for Holder {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().expect("not poisoned").take());
        let _ = self.1.lock().expect("not poisoned").send(());
    }
}

/// The last handle of a store may be dropped by a waker, and so on a writer thread: it waited for itself to end, or for its own lock.
#[test]
fn the_last_handle_may_be_dropped_on_a_writer_thread() {
    for by_head in [false, true] {
        let (disk, clock) = (Arc::new(MemoryDisk::new()), WriterClock::holding());
        let store = with_threads(&disk, &clock);
        let mut past = pin!(store.head().past(Position::START));
        let mut ticket = pin!(store.append(name("a"), ExpectedRevision::Any, [event("Happened")]));
        let (sender, done) = mpsc::channel();
        let waker = Waker::from(Arc::new(Holder(Mutex::new(Some(store)), Mutex::new(sender))));
        let mut context = Context::from_waker(&waker);
        if by_head {
            assert!(past.as_mut().poll(&mut context).is_pending());
        } else {
            assert!(ticket.as_mut().poll(&mut context).is_pending());
        }
        clock.release();
        done.recv_timeout(PATIENCE).expect("the store closes");
        let store = with_threads(&disk, &clock);
        let info = store.info().expect("info");
        assert_eq!((info.recovery.clean, info.head), (true, Position(1)), "by_head={by_head}");
    }
}

/// When maintenance panicked, appends waited for it for ever as soon as its backlog was full, and so did whoever wanted the store settled.
#[test]
fn panicking_maintenance_refuses_instead_of_hanging() {
    let disk = watched_for_runs(|| panic!("the disk was told to panic"));
    let options = Options { threads: true, segment_bytes: 64 << 10, segment_events: 4, ..options() };
    let store = EventStore::open_on(disk, options).expect("opens");
    let (sender, done) = mpsc::channel();
    let work = move || {
        let append = |_| store.append(name("a"), ExpectedRevision::Any, (0..4).map(|_| event("Happened"))).wait();
        let refused = (0..20).map(append).any(|outcome| outcome.is_err());
        let _ = sender.send((refused, store.settle().is_err()));
    };
    #[allow(clippy::disallowed_methods)] // a thread of a test
    std::thread::spawn(work);
    assert_eq!(done.recv_timeout(PATIENCE).expect("nobody hangs"), (true, true));
}

/// A long merge held maintenance, so that the index parts of what was appended meanwhile waited in memory, and soon appends for them.
#[test]
fn appends_do_not_wait_for_a_merge() {
    let gate = Gate::default();
    let passing = gate.clone();
    let disk = WatchedDisk::new(MemoryDisk::new(), move |request| {
        let name = request.path.file_name().unwrap_or_default().to_string_lossy();
        if request.operation == Operation::Write && name.starts_with("merging-") {
            passing.pass();
        }
        Ok(())
    });
    let options = Options { threads: true, segment_bytes: 64 << 10, segment_events: 4, ..options() };
    let store = EventStore::open_on(Arc::new(disk), options).expect("opens");
    let held = gate.close();
    let (sender, done) = mpsc::channel();
    let (appending, watch) = (store.clone(), gate.clone());
    let work = move || {
        let append = |_| appending.append(name("a"), ExpectedRevision::Any, (0..4).map(|_| event("Happened"))).wait();
        (0..20).map(append).for_each(|outcome| drop(outcome.expect("recorded")));
        watch.wait_for_held_up();
        // Ten times what may wait in memory.
        (0..20).map(append).for_each(|outcome| drop(outcome.expect("recorded")));
        let _ = sender.send(());
    };
    #[allow(clippy::disallowed_methods)] // a thread of a test
    let thread = std::thread::spawn(work);
    let outcome = done.recv_timeout(PATIENCE);
    let runs = store.info().expect("info").index_runs;
    drop(held);
    outcome.expect("nobody hangs");
    thread.join().expect("no panic");
    assert!(runs >= 36, "all but what may wait was built meanwhile, runs={runs}");
    store.settle().expect("settles");
    assert_eq!(store.info().expect("info").index_runs, 5, "forty runs of level 0 became five of level 1");
    assert!(store.verify(|_| {}).expect("verifies").is_sound());
}

/// Closing stopped maintenance first: appends that waited for it, and were to be ordered before the store closes, were refused.
#[test]
fn closing_orders_what_waits_for_maintenance() {
    let gate = Gate::default();
    let passing = gate.clone();
    let options = Options { threads: true, segment_bytes: 64 << 10, segment_events: 4, ..options() };
    let store = EventStore::open_on(watched_for_runs(move || passing.pass()), options).expect("opens");
    let held = gate.close();
    let (waker, rung) = bell();
    let append = |_| store.append(name("a"), ExpectedRevision::Any, (0..4).map(|_| event("Happened")));
    // The writer takes some of them, and then waits until the index is no longer behind.
    let mut first: Vec<_> = (0..8).map(append).collect();
    while store.head().position() < Position(16) {
        std::thread::yield_now();
    }
    let mut last = pin!(append(8));
    let is_pending = last.as_mut().poll(&mut Context::from_waker(&waker)).is_pending();
    #[allow(clippy::disallowed_methods)] // a thread of a test
    let closing = std::thread::spawn(move || store.close());
    if is_pending {
        // A moment for the refusal, which came at once; there must be none.
        let _ = rung.recv_timeout(Duration::from_millis(100));
    }
    drop(held);
    closing.join().expect("no panic").expect("closes");
    for ticket in first.drain(..) {
        ticket.wait().expect("ordered");
    }
    match last.as_mut().poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(outcome) => drop(outcome.expect("ordered")),
        Poll::Pending => panic!("closing answers what waits"),
    }
}

/// The trailer of a sealed segment is looked for at the end of its file. In a segment that grows, a client may have written the bytes there:
/// an event whose data ends in a trailer made the store believe it, and never open again.
#[test]
fn data_that_looks_like_a_trailer_is_data() {
    let disk = Arc::new(MemoryDisk::new());
    let store = EventStore::open_on(Arc::clone(&disk) as Arc<dyn Disk>, options()).expect("opens");
    // Block, frame header, entry, names: what is left of two blocks is data, so that it ends where the file does.
    let data_bytes = 4096 - 64 - 60 - "a".len() - "Happened".len();
    let trailer = Trailer {
        data_end: 2 * 4096 - 128,
        table_length: 0,
        table_crc: 0,
        first: Position(0),
        end: Position(1_000_000),
        frames: 1,
        chain: 7,
        first_recorded_at: Timestamp(1),
        last_recorded_at: Timestamp(1),
        digest: [0; 32],
    };
    let mut data = vec![b'x'; data_bytes - 128];
    data.extend_from_slice(&trailer.encode());
    let forged = EventData { data: data.into(), ..event("Happened") };
    store.append(name("a"), ExpectedRevision::Any, [forged]).wait().expect("recorded");
    assert_eq!(disk.snapshot()[Path::new("log/00000000000000000000.seg")].len(), 2 * 4096, "the data ends the file");
    store.close().expect("closes");
    let store = EventStore::open_on(disk, options()).expect("opens");
    assert_eq!(store.head().position(), Position(1));
    store.append(name("a"), ExpectedRevision::Exact(Revision(0)), [event("Happened")]).wait().expect("recorded");
    assert!(store.verify(|_| {}).expect("verifies").is_sound());
}

/// A clock on which much time passes whenever somebody looks.
#[derive(Debug, Default)]
struct HastyClock(AtomicU64);

impl Clock for HastyClock {
    fn now(&self) -> Timestamp {
        Timestamp(1)
    }
    fn elapsed(&self) -> Duration {
        Duration::from_secs(3600 * self.0.fetch_add(1, Ordering::SeqCst))
    }
}

/// A subscriber that waits for a while waited anew after every event that did not match, and so for as long as somebody kept writing.
#[test]
fn a_subscription_waits_no_longer_than_it_was_told() {
    let options = Options { threads: true, clock: Arc::new(HastyClock::default()), ..options() };
    let options = Options { queue_timeout: Duration::from_secs(1 << 40), ..options };
    let store = EventStore::open_on(Arc::new(MemoryDisk::new()), options).expect("opens");
    let query = Query::of(QueryItem::default().event_type("Wanted".try_into().expect("valid")));
    let mut subscription = store.subscribe(Source::Query(query), SubscribeOptions::default()).expect("subscribes");
    assert!(matches!(subscription.next(None), Ok(Some(Delivery::CaughtUp(_)))));
    let stop = Arc::new(AtomicBool::new(false));
    let (writer, stopped) = (store.clone(), Arc::clone(&stop));
    let write = move || {
        let append = |event_type| writer.append(name("a"), ExpectedRevision::Any, [event(event_type)]).wait();
        for _ in 0..20_000 {
            if stopped.load(Ordering::SeqCst) {
                return;
            }
            append("Other").expect("recorded");
        }
        append("Wanted").expect("recorded");
    };
    #[allow(clippy::disallowed_methods)] // a thread of a test
    let thread = std::thread::spawn(write);
    let delivery = subscription.next(Some(Duration::from_secs(3600))).expect("reads");
    stop.store(true, Ordering::SeqCst);
    thread.join().expect("no panic");
    assert!(delivery.is_none(), "the time was over: {delivery:?}");
}

/// A subscription may begin where the log does not reach yet. Of the log it then delivered what was there and later; of a stream also what came
/// before.
#[test]
fn a_subscription_to_a_stream_begins_where_it_was_told() {
    let clock = Arc::new(ManualClock::at(Timestamp(1)));
    let options = Options { clock: Arc::clone(&clock) as _, ..options() };
    let store = EventStore::open_on(Arc::new(MemoryDisk::new()), options).expect("opens");
    let append = |stream: &str| {
        store.append(name(stream), ExpectedRevision::Any, [event("Happened")]).wait().expect("recorded");
    };
    append("a-1");
    for source in ["a-1", "$ce-a"] {
        let begin = Timestamp(clock.now().0 + 1000);
        let options = SubscribeOptions::from(From::Time(begin));
        let mut subscription = store.subscribe(Source::Stream(name(source)), options).expect("subscribes");
        assert!(matches!(subscription.next(None), Ok(Some(Delivery::CaughtUp(_)))));
        append("a-1");
        assert!(matches!(subscription.next(Some(Duration::ZERO)), Ok(None)));
        clock.advance(Duration::from_nanos(1000));
        let first = store.head().position().0;
        append("a-1");
        match subscription.next(None) {
            Ok(Some(Delivery::Events(batch))) => {
                let found: Vec<u64> = batch.iter().map(|event| event.position.0).collect();
                assert_eq!(found, [first], "{source}");
            }
            other => panic!("one event must be delivered: {other:?}"),
        }
    }
}

/// "The last event that matches" is asked often. A scan for it looked at as many events at a time as were wanted: one.
#[test]
fn a_scan_for_one_event_reads_more_than_one_at_a_time() {
    let disk = Arc::new(MemoryDisk::new());
    let options = Options { tail_cache_bytes: 0, ..options() };
    let store = EventStore::open_on(Arc::clone(&disk) as Arc<dyn Disk>, options).expect("opens");
    let (red, blue) = (|| "red".try_into().expect("valid"), || "blue".try_into().expect("valid"));
    let both = event("Happened").with_tag(red()).with_tag(blue());
    let events = (0..3000).map(|n| event("Happened").with_tag(if n % 2 == 0 { red() } else { blue() }));
    let events: Vec<EventData> = [both.clone(), both].into_iter().chain(events).collect();
    store.append(name("a"), ExpectedRevision::Any, events).wait().expect("recorded");
    let query = Query::of(QueryItem::default().tag(red()).tag(blue()));
    let reads = disk.operations().of(Operation::Read);
    let options = ReadOptions { direction: Direction::Backward, limit: Some(1), ..ReadOptions::default() };
    let found: Vec<_> =
        store.read_query(query.clone(), options).expect("reads").collect::<Result<_, _>>().expect("reads");
    assert_eq!(found.iter().map(|event| event.position.0).collect::<Vec<_>>(), [1]);
    let reads = disk.operations().of(Operation::Read) - reads;
    assert!(reads < 100, "reads={reads}");
    let options = ReadOptions { limit: Some(1), ..ReadOptions::default() };
    let mut read = store.read_query(query, options).expect("reads");
    assert_eq!(read.next().expect("one").expect("reads").position, Position(0));
    assert!(read.next().is_none());
}

/// The file for the next segment was filled with zeros until the disk was full, and then given up: an append that came in that moment found no
/// room and closed the store, on a disk that had enough of it.
#[test]
fn work_that_can_wait_leaves_room_for_the_log() {
    let segment = limits::SEGMENT_BYTES_MIN;
    let (disk, least) = (MemoryDisk::new(), Arc::new(AtomicU64::new(u64::MAX)));
    let (watched, lowest) = (disk.clone(), Arc::clone(&least));
    let watched = WatchedDisk::new(disk.clone(), move |_| {
        let room = watched.available_bytes()?.unwrap_or(u64::MAX);
        lowest.fetch_min(room, Ordering::SeqCst);
        Ok(())
    });
    let options = Options { segment_bytes: segment, segment_events: 2, ..options() };
    let store = EventStore::open_on(Arc::new(watched), options).expect("opens");
    // Enough for a spare and for a merge of the runs, but not for the largest group beside them.
    let group = limits::GROUP_BYTES_MAX as u64;
    disk.set_capacity(Some(disk.allocated_bytes() + group + segment / 2));
    for _ in 0..20 {
        store.append(name("a"), ExpectedRevision::Any, [event("Happened")]).wait().expect("recorded");
    }
    store.settle().expect("settles");
    assert!(least.load(Ordering::SeqCst) < group, "the log itself, and its index, may use what there is");
    assert!(!disk.exists(Path::new("log/spare")).expect("looks"), "the spare would");
    let runs = store.info().expect("info").index_runs;
    disk.set_capacity(Some(disk.allocated_bytes() + group + 2 * segment));
    let before = disk.allocated_bytes();
    least.store(u64::MAX, Ordering::SeqCst);
    store.settle().expect("settles");
    assert!(disk.exists(Path::new("log/spare")).expect("looks"), "there is room for it now");
    assert!(store.info().expect("info").index_runs < runs && disk.allocated_bytes() > before);
    assert!(least.load(Ordering::SeqCst) >= group, "and for the log's next group, all the time");
}

/// Who gathers many events into one request could not tell which of them would spoil it, but by sending them one by one.
#[test]
fn a_request_can_be_checked_without_a_store() {
    let any = ExpectedRevision::Any;
    let long = |bytes: usize| name(&"x".repeat(bytes));
    let document = |bytes: usize| EventData::json("$metadata".try_into().expect("valid"), "x".repeat(bytes));
    let most = limits::STREAM_METADATA_BYTES_MAX;
    let tagged = (0..33)
        .fold(event("Happened"), |event, tag| event.with_tag(format!("t{tag}").as_str().try_into().expect("valid")));
    let requests = [
        (true, Append::to(name("a"), any, [event("Happened")])),
        (true, Append::to(long(1022), any, [event("Happened")])),
        (false, Append::to(long(1023), any, [event("Happened")])),
        (false, Append::to(name("$ce-a"), any, [event("Happened")])),
        (false, Append::to(name("$all"), any, [event("Happened")])),
        (false, Append::to(name("a"), any, [event("$streamDeleted")])),
        (false, Append::to(name("a"), any, [tagged])),
        (true, Append::to(name("$$a"), any, [document(most)])),
        (false, Append::to(name("$$a"), any, [document(most + 1)])),
        (false, Append::new().delete(name("$$a"), any)),
        (false, Append::new().tombstone(name("$$a"), any)),
        (true, Append::new().tombstone(name("b"), any)),
    ];
    let store = fresh();
    for (sound, request) in requests {
        let found = request.check();
        assert_eq!(found.is_ok(), sound, "{request:?}: {found:?}");
        let outcome = store.commit(request.clone()).wait();
        match (found, outcome) {
            (Ok(()), Ok(_)) => {}
            (Err(told), Err(AppendError::Failed(met))) => assert_eq!(told.to_string(), met.to_string()),
            (told, met) => panic!("{request:?}: check said {told:?}, the store {met:?}"),
        }
    }
}

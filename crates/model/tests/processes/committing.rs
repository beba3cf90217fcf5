//! How often a process commits, and what is in one commit: all that can be done within the log, with the decision to do it.

use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicU32, Ordering},
};

use gesta_model::{
    DomainOptions, Envelope, Halt, Middleware,
    process::{Call, InstanceState},
};
use gesta_store::{
    Append, EventData, EventStore, ExpectedRevision, Options, ReadOptions, RecordedEvent, disk::memory::MemoryDisk,
};
use uuid::Uuid;

use super::*;

/// A world with the process of transfers, which notes nothing but what its instances do.
fn world() -> World {
    let mut world = World::new();
    world.process_with::<Transfer>(|setup| {
        setup.options(ProcessOptions { roster_records: u32::MAX, ..ProcessOptions::default() })
    });
    world.records([opened("ada"), opened("grace"), deposited("ada", 30)]);
    world
}

/// Commits that `what` makes.
fn commits(world: &mut World, what: impl FnOnce(&mut World)) -> u64 {
    let before = world.domain().store().measures().commits;
    what(world);
    world.domain().store().measures().commits - before
}

fn records(store: &EventStore, instance: &str) -> Vec<RecordedEvent> {
    let stream = format!("$process:transfer-{instance}").parse().unwrap();
    store.read_stream(stream, ReadOptions::default()).unwrap().map(Result::unwrap).collect()
}

/// The types of the records of an instance.
fn types(store: &EventStore, instance: &str) -> Vec<String> {
    let records = records(store, instance).into_iter();
    records.map(|record| record.event_type.trim_start_matches("$process-").to_owned()).collect()
}

#[test]
fn a_transfer_is_its_request_and_four_commits_whether_it_arrives_or_comes_back() {
    let mut world = world();
    // A commit for each event of the domain, and one for the last word of the process: there is nothing left to decide that it could go with.
    let arrives = commits(&mut world, |world| world.records([requested("t1", "ada", "grace")]));
    assert_eq!(ends(&world, "t1"), ["arrived"]);
    assert_eq!(arrives, 1 + 4);
    assert_eq!(types(world.domain().store(), "t1"), ["heard", "outcome", "heard", "outcome", "heard", "heard"]);
    // That it cannot arrive, and that it comes back, is decided in one go.
    let returns = commits(&mut world, |world| world.records([requested("t2", "ada", "nobody")]));
    assert_eq!(ends(&world, "t2"), ["refunded"]);
    assert_eq!(returns, 1 + 4);
    let records = types(world.domain().store(), "t2");
    assert_eq!(records, ["heard", "outcome", "heard", "outcome", "outcome", "heard", "heard"]);
    // What is refused at once: the refusal, and what is done instead.
    let refused = commits(&mut world, |world| world.records([requested("t3", "nobody", "ada")]));
    assert_eq!(ends(&world, "t3"), ["refused"]);
    assert_eq!(refused, 1 + 2);
}

#[test]
fn what_is_heard_in_a_row_is_written_together_and_in_parts_if_it_is_much() {
    let mut world = World::new();
    world.records((0..150).map(|_| requested("t1", "nobody", "ada")));
    let caught_up = commits(&mut world, |world| {
        world.process_with::<Listening>(|setup| {
            setup.options(ProcessOptions { roster_records: u32::MAX, ..ProcessOptions::default() })
        });
        world.settle();
    });
    let stream = "$process:listening-t1".parse().unwrap();
    assert_eq!(world.domain().store().read_stream(stream, ReadOptions::default()).unwrap().count(), 150);
    assert!(caught_up < 12, "a few commits, and not one for each event: {caught_up}");
}

/// Hears, and does nothing, until there is something it cannot hear.
#[derive(Clone, Debug, Default)]
struct Listening;

impl Model for Listening {
    type Event = Bank;
    type Key = String;
    const AT: &'static str = "/transfers/*";
    fn apply(&mut self, _: &Bank, _: &Place<'_>) {}
}

impl Process for Listening {
    const NAME: &'static str = "listening";
    type Sends = ();
    fn react(&self, event: &Bank, _: &Hearing<'_>) -> Vec<Effect<Self>> {
        assert!(!matches!(event, Bank::Ended { .. }), "planted");
        vec![]
    }
}

/// A loan is paid out, and then taken out: the command has to see the event that was decided just before it.
#[derive(Clone, Debug, Default)]
struct Lending;

impl Model for Lending {
    type Event = Bank;
    type Key = String;
    const AT: &'static str = "transfer-*";
    fn apply(&mut self, _: &Bank, _: &Place<'_>) {}
}

impl Process for Lending {
    const NAME: &'static str = "lending";
    type Sends = (Withdraw,);
    fn react(&self, event: &Bank, at: &Hearing<'_>) -> Vec<Effect<Self>> {
        let Bank::Requested { to, cents, .. } = event else { return vec![] };
        let (account, transfer) = (to.clone(), at.instance.to_owned());
        let paid = Bank::Deposited { account: account.clone(), cents: *cents, transfer: None };
        vec![Effect::append(paid), Effect::send(Withdraw { account, cents: *cents, transfer })]
    }
}

#[test]
fn a_command_knows_what_was_decided_before_it() {
    let mut world = World::new();
    world.process::<Lending>();
    world.records([opened("ada"), requested("t1", "bank", "ada")]);
    let status = world.domain().instances::<Lending>().unwrap().get("t1").unwrap().unwrap();
    assert_eq!(status.state, InstanceState::Running, "it was not refused");
    assert_eq!(world.log()["account-ada"].len(), 3);
}

/// Calls, and reads on.
#[derive(Clone, Debug, Default)]
struct Notifying;

impl Model for Notifying {
    type Event = Bank;
    type Key = String;
    const AT: &'static str = "transfer-*";
    fn apply(&mut self, _: &Bank, _: &Place<'_>) {}
}

impl Process for Notifying {
    const NAME: &'static str = "notifying";
    type Sends = ();
    fn react(&self, event: &Bank, _: &Hearing<'_>) -> Vec<Effect<Self>> {
        match event {
            Bank::Requested { .. } => vec![Effect::call("mail", "requested")],
            _ => panic!("planted"),
        }
    }
}

#[test]
fn a_call_is_made_when_it_is_durable_that_it_will_be_and_not_again_for_what_comes_after_it() {
    let disk = MemoryDisk::new();
    let store = EventStore::open_on(Arc::new(disk), Options::default()).unwrap();
    let domain = Domain::new(store.clone());
    let ended = Bank::Ended { transfer: "t1".into(), how: "by hand".into() };
    domain.record([requested("t0", "ada", "grace"), requested("t1", "ada", "grace"), ended]).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let setup = domain.process::<Notifying>().calls("mail", move |call: &Call<'_>| {
        let stream = format!("$process:notifying-{}", call.instance).parse().unwrap();
        let records = store.read_stream(stream, ReadOptions::default()).map_or(0, Iterator::count);
        told.lock().unwrap().push((call.instance.to_owned(), records));
        Ok(Vec::<Bank>::new())
    });
    let running = setup.start().unwrap();
    assert!(running.settle(Some(Duration::from_secs(60))).unwrap());
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    assert_eq!(seen, [("t0".to_owned(), 1), ("t1".to_owned(), 1)], "once each, and that it was heard was written");
    assert_eq!(running.status().unwrap().parked, 1, "the one that ended, on what it cannot hear");
    let status = running.instances().get("t1").unwrap().unwrap();
    assert!(status.open.is_empty() && matches!(status.state, InstanceState::Parked { .. }));
}

#[test]
fn what_cannot_be_heard_parks_the_instance_behind_everything_that_could() {
    let mut world = World::new();
    let many = (0..3).map(|_| requested("t1", "nobody", "ada"));
    world.records(many.chain([Bank::Ended { transfer: "t1".into(), how: "by hand".into() }]));
    world.process::<Listening>();
    world.settle();
    let status = world.domain().instances::<Listening>().unwrap().get("t1").unwrap().unwrap();
    assert_eq!(status.heard_to.unwrap().0, 2);
    assert!(matches!(status.state, InstanceState::Parked { .. }) && status.open.is_empty());
}

/// Another program at the same instance: when the first command is about to be decided, it has written what `writes` says.
#[derive(Debug)]
struct Rival {
    store: OnceLock<EventStore>,
    writes: Vec<Append>,
    times: AtomicU32,
}

impl Middleware for Rival {
    fn before(&self, _: &mut Envelope) -> Result<(), Halt> {
        if self.times.fetch_add(1, Ordering::Relaxed) == 0 {
            for append in &self.writes {
                self.store.get().unwrap().commit(append.clone()).wait().unwrap();
            }
        }
        Ok(())
    }
}

fn again(event: &RecordedEvent) -> EventData {
    EventData::json(event.event_type.clone(), event.data.clone())
        .with_id(event.id)
        .with_metadata(event.metadata.clone())
}

/// The transfer `t1` brought to its end, while a rival does what `rival` says; the events of the transfer by type.
fn beside(rival: &dyn Fn(&EventStore) -> Vec<Append>) -> (EventStore, Vec<String>) {
    let open = |rival: Option<Arc<Rival>>| {
        let options = Options { store_id: Some(Uuid::from_u128(7)), ..Options::default() };
        let store = EventStore::open_on(Arc::new(MemoryDisk::new()), options).unwrap();
        let middleware = rival.iter().map(|rival| Arc::clone(rival) as Arc<dyn Middleware>).collect();
        if let Some(rival) = &rival {
            assert!(rival.store.set(store.clone()).is_ok());
        }
        let domain = Domain::with(store, DomainOptions { middleware, ..DomainOptions::default() });
        domain.record([opened("ada"), opened("grace"), deposited("ada", 30)]).unwrap();
        domain.record([requested("t1", "ada", "grace")]).unwrap();
        let running = domain.process::<Transfer>().start().unwrap();
        assert!(running.settle(Some(Duration::from_secs(60))).unwrap());
        domain.store().clone()
    };
    // What a rival would write is what is written without one.
    let writes = rival(&open(None));
    let store = open(Some(Arc::new(Rival { store: OnceLock::new(), writes, times: AtomicU32::new(0) })));
    let mut events = Vec::new();
    for event in store.read_all(ReadOptions::default()).unwrap().map(Result::unwrap) {
        if event.tags.iter().any(|tag| &**tag == "/transfers/t1") {
            events.push(event.event_type.to_string());
        }
    }
    (store, events)
}

const ONCE: [&str; 4] = ["transfer-requested", "money-withdrawn", "money-deposited", "transfer-ended"];

#[test]
fn whoever_did_the_same_at_the_same_time_did_it_once() {
    let (store, events) = beside(&|twin| {
        let records = records(twin, "t1");
        let withdrawn = twin.read_stream("account-ada".parse().unwrap(), ReadOptions::default()).unwrap().last();
        let withdrawn = withdrawn.unwrap().unwrap();
        let tags = withdrawn.tags.iter().cloned();
        let event = tags.fold(again(&withdrawn), EventData::with_tag);
        let own = Append::to(records[0].stream.clone(), ExpectedRevision::NoStream, records[..2].iter().map(again));
        vec![own.stream(withdrawn.stream.clone(), ExpectedRevision::Any, [event])]
    });
    assert_eq!(events, ONCE);
    assert_eq!(types(&store, "t1").len(), 6);
}

/// A program of an older version wrote that an event was heard before it did anything about it.
#[test]
fn whoever_wrote_only_the_first_of_what_is_to_be_written_together_is_gone_on_from() {
    let (store, events) = beside(&|twin| {
        let heard = &records(twin, "t1")[0];
        vec![Append::to(heard.stream.clone(), ExpectedRevision::NoStream, [again(heard)])]
    });
    assert_eq!(events, ONCE);
    assert_eq!(types(&store, "t1").len(), 6);
}

//! Handlers that are started, crash, are paused, reset and stopped.

use std::{
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use gesta_store::{
    EventStore, From, GroupError, Handler, HandlerFailure, HandlerOptions, HandlerState, HandlingOrder, Message,
    Source, subscribe::handler::Step,
};

use super::{Seen, World, append, noting, text, whole};

#[test]
fn after_a_crash_it_goes_on_where_its_progress_was_written() {
    let world = World::new();
    for number in 0..10 {
        world.append("s", &number.to_string());
    }
    let seen = Seen::default();
    let options = HandlerOptions { checkpoint_count: 4, batch_events: 1, ..whole() };
    let mut runner = world.runner(options.clone(), noting(&seen, |_, _| None));
    for _ in 0..6 {
        runner.step();
    }
    let before = seen.flat();
    assert!((5..10).contains(&before.len()), "{before:?}");
    // As the process ends: without a word.
    std::mem::forget(runner);
    let world = world.crashed();
    let again = Seen::default();
    let mut runner = world.runner(options, noting(&again, |_, _| None));
    world.settle(&mut runner);
    let again = again.flat();
    assert_eq!(again.last().unwrap(), "9");
    let first: usize = again[0].parse().unwrap();
    assert!((1..=before.len()).contains(&first), "it begins in what was handled, not before what was written: {first}");
    assert_eq!(again.len(), 10 - first, "nothing is left out");
}

#[test]
fn what_was_handled_before_an_orderly_end_does_not_come_again() {
    let world = World::new();
    world.append("s", "1");
    let seen = Seen::default();
    let mut runner = world.runner(HandlerOptions::default(), noting(&seen, |_, _| None));
    world.settle(&mut runner);
    drop(runner);
    let world = world.crashed();
    world.append("s", "2");
    let mut runner = world.runner(HandlerOptions::default(), noting(&seen, |_, _| None));
    world.settle(&mut runner);
    assert_eq!(seen.flat(), ["1", "2"]);
}

#[test]
fn only_one_of_a_name_runs_at_a_time_and_on_one_source() {
    let world = World::new();
    let handlers = world.store.handlers();
    let nothing = |_: &[Message]| Ok(());
    let running = handlers.runner("one", &Source::All, HandlerOptions::default(), nothing).unwrap();
    let second = handlers.runner("one", &Source::All, HandlerOptions::default(), nothing);
    assert!(matches!(second, Err(GroupError::MaximumSubscribers { limit: 1 })), "{second:?}");
    drop(running);
    let other = gesta_store::Query::of(gesta_store::QueryItem::default().event_type("Other".try_into().unwrap()));
    let moved = handlers.runner("one", &Source::Query(other), HandlerOptions::default(), nothing);
    assert!(matches!(moved, Err(GroupError::Setting { field: "source", .. })), "{moved:?}");
    assert_eq!(handlers.list().unwrap().len(), 1);
}

#[test]
fn options_may_change_from_start_to_start() {
    let world = World::new();
    world.append("s", "1");
    let seen = Seen::default();
    for options in [HandlerOptions::default(), whole(), HandlerOptions { max_retry_count: 0, ..whole() }] {
        let mut runner = world.runner(options, noting(&seen, |_, _| None));
        world.settle(&mut runner);
    }
    assert_eq!(seen.flat(), ["1"], "they change how, not how far");
}

#[test]
fn its_own_progress_does_not_keep_it_busy() {
    let world = World::new();
    for number in 0..100 {
        world.append("s", &number.to_string());
    }
    let seen = Seen::default();
    let mut runner = world.runner(HandlerOptions { checkpoint_count: 1, ..whole() }, noting(&seen, |_, _| None));
    world.pass(&mut runner, 10);
    let head = world.store.head().position();
    world.pass(&mut runner, 100);
    assert_eq!(world.store.head().position(), head, "nothing happens, so nothing is written");
    assert_eq!(seen.flat().len(), 100);
}

/// Events handed over, to be waited for: threads are slow or fast, but not late.
#[derive(Clone, Default)]
struct Arrivals(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Arrivals {
    fn handler(&self) -> impl Handler + use<> {
        let arrivals = self.clone();
        move |messages: &[Message]| {
            let (seen, arrived) = &*arrivals.0;
            seen.lock().unwrap().extend(messages.iter().map(|message| text(&message.event.data)));
            arrived.notify_all();
            Ok(())
        }
    }

    fn wait_for(&self, count: usize) -> Vec<String> {
        let (seen, arrived) = &*self.0;
        let few = |seen: &mut Vec<String>| seen.len() < count;
        let (seen, timeout) = arrived.wait_timeout_while(seen.lock().unwrap(), Duration::from_secs(60), few).unwrap();
        assert!(!timeout.timed_out(), "{} of {count} came", seen.len());
        seen.clone()
    }
}

#[test]
fn on_its_thread_it_gets_what_was_recorded_and_what_comes() {
    let dir = tempfile::tempdir().unwrap();
    let store = EventStore::open(dir.path()).unwrap();
    append(&store, "s", "1");
    let arrivals = Arrivals::default();
    let running = store.handlers().start("t", &Source::All, whole(), arrivals.handler()).unwrap();
    assert_eq!(arrivals.wait_for(1), ["1"]);
    append(&store, "s", "2");
    assert_eq!(arrivals.wait_for(2), ["1", "2"]);
    // An event is counted when its handler has come back, which is after it was seen.
    while running.status().unwrap().handled < 2 {
        std::thread::yield_now();
    }
    let status = running.status().unwrap();
    assert_eq!((status.name.as_str(), status.handled, status.failures), ("t", 2, 0));
    running.stop().unwrap();
    append(&store, "s", "3");
    let running = store.handlers().start("t", &Source::All, whole(), arrivals.handler()).unwrap();
    assert_eq!(arrivals.wait_for(3), ["1", "2", "3"]);
    drop(running);
    store.close().unwrap();
}

#[test]
fn it_can_be_paused_and_reset_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let store = EventStore::open(dir.path()).unwrap();
    for data in ["1", "2"] {
        append(&store, "s", data);
    }
    let arrivals = Arrivals::default();
    let running = store.handlers().start("t", &Source::All, whole(), arrivals.handler()).unwrap();
    arrivals.wait_for(2);
    running.pause();
    while running.status().unwrap().state != HandlerState::Paused {
        std::thread::yield_now();
    }
    append(&store, "s", "3");
    assert_eq!(arrivals.wait_for(2).len(), 2, "a paused handler gets nothing");
    running.resume();
    assert_eq!(arrivals.wait_for(3), ["1", "2", "3"]);
    running.reset(From::Beginning).unwrap();
    assert_eq!(arrivals.wait_for(6)[3..], ["1", "2", "3"]);
    let beyond = running.reset(From::Position(gesta_store::Position(1_000_000)));
    assert!(matches!(beyond, Err(GroupError::BeyondHead { .. })), "{beyond:?}");
    append(&store, "s", "4");
    assert_eq!(arrivals.wait_for(7)[6], "4", "a reset that was refused changes nothing");
    running.stop().unwrap();
}

#[test]
fn a_handler_may_refuse_to_be_reset() {
    struct Ledger;
    impl Handler for Ledger {
        fn handle(&mut self, _: &[Message]) -> Result<(), HandlerFailure> {
            Ok(())
        }
        fn before_reset(&mut self) -> Result<(), HandlerFailure> {
            Err(HandlerFailure::new("letters that are sent cannot be taken back"))
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let store = EventStore::open(dir.path()).unwrap();
    let running = store.handlers().start("t", &Source::All, HandlerOptions::default(), Ledger).unwrap();
    let refused = running.reset(From::Beginning).expect_err("it refuses");
    assert!(refused.to_string().contains("letters that are sent cannot be taken back"), "{refused}");
}

#[test]
fn closing_the_store_stops_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = EventStore::open(dir.path()).unwrap();
    append(&store, "s", "1");
    let arrivals = Arrivals::default();
    let running = store.handlers().start("t", &Source::All, whole(), arrivals.handler()).unwrap();
    arrivals.wait_for(1);
    // Handled is not yet acked: a store that closes in between has it handed over again.
    while running.status().unwrap().position.0 == 0 {
        std::thread::yield_now();
    }
    store.close().unwrap();
    drop(running); // joins its thread
    let store = EventStore::open(dir.path()).unwrap();
    append(&store, "s", "2");
    let again = Arrivals::default();
    let _running = store.handlers().start("t", &Source::All, whole(), again.handler()).unwrap();
    assert_eq!(again.wait_for(1), ["2"], "its progress was written when the store closed");
}

#[test]
fn a_slow_handler_holds_up_nobody() {
    let world = World::new();
    for number in 0..50 {
        world.append("s", &number.to_string());
    }
    let (slow, fast) = (Seen::default(), Seen::default());
    let handlers = world.store.handlers();
    let options = HandlerOptions { batch_events: 1, order: HandlingOrder::Whole, ..HandlerOptions::default() };
    let mut slow_runner = handlers.runner("slow", &Source::All, options, noting(&slow, |_, _| None)).unwrap();
    let mut fast_runner = handlers.runner("fast", &Source::All, whole(), noting(&fast, |_, _| None)).unwrap();
    assert_eq!(slow_runner.step(), Step::Worked);
    world.settle(&mut fast_runner);
    assert_eq!((slow.flat().len(), fast.flat().len()), (1, 50));
}

/// Works off events, and once more at a time of its own.
struct Alarm {
    seen: Seen,
    rings_at: Option<Duration>,
    fails: u32,
}

impl Handler for Alarm {
    fn handle(&mut self, messages: &[Message]) -> Result<(), HandlerFailure> {
        self.seen.note(messages);
        Ok(())
    }

    fn next_due(&self) -> Option<Duration> {
        self.rings_at
    }

    fn work_due(&mut self) -> Result<(), HandlerFailure> {
        match self.fails {
            2 => {
                self.fails -= 1;
                panic!("planted");
            }
            1 => {
                self.fails -= 1;
                return Err(HandlerFailure::new("not yet"));
            }
            _ => {}
        }
        self.seen.0.lock().unwrap().push(vec!["ring".to_owned()]);
        self.rings_at = None;
        Ok(())
    }
}

#[test]
fn a_handler_does_what_is_due_though_no_event_comes_and_again_a_second_after_a_failure() {
    let world = World::new();
    let seen = Seen::default();
    let at = Some(Duration::from_secs(5));
    let mut runner = world.runner(whole(), Alarm { seen: seen.clone(), rings_at: at, fails: 2 });
    world.append("a-1", "one");
    assert_eq!(world.settle(&mut runner), Step::Idle(Some(Duration::from_secs(1))), "progress is to be written");
    assert_eq!(world.pass(&mut runner, 4), Step::Idle(at), "it says when it is to be asked");
    assert_eq!(seen.flat(), ["one"]);
    world.pass(&mut runner, 2);
    assert_eq!(seen.flat(), ["one"], "it panicked, and failed");
    world.append("a-1", "two");
    world.pass(&mut runner, 1);
    assert_eq!(seen.flat(), ["one", "ring", "two"]);
}

/// Found by the simulation: a handler far behind, with much before it that is not for it, said that there was nothing to do until something happens, and had not read
/// to the end. Who took its steps waited for ever.
#[test]
fn it_is_not_idle_before_it_has_read_to_the_end() {
    let world = World::new();
    let groups = world.store.groups();
    for number in 0..200 {
        // What groups write is not for it.
        let group = gesta_store::GroupName::on_all(&format!("g-{number}")).unwrap();
        groups.create(&group, Source::All, gesta_store::GroupSettings::default()).unwrap();
    }
    world.append("s", "1");
    let seen = Seen::default();
    let options = HandlerOptions { batch_events: 1, ..whole() };
    let mut runner = world.runner(options, noting(&seen, |_, _| None));
    while runner.step() == Step::Worked {}
    assert_eq!(seen.flat(), ["1"]);
}

#[test]
fn who_takes_its_steps_can_pause_and_reset_it() {
    let world = World::new();
    world.append("s", "1");
    let seen = Seen::default();
    let mut runner = world.runner(whole(), noting(&seen, |_, _| None));
    runner.pause();
    assert_eq!(runner.step(), Step::Paused);
    let reset = runner.reset(From::Beginning);
    assert!(reset.outcome().is_none(), "nobody has taken a step");
    runner.resume();
    while runner.step() == Step::Worked {}
    reset.outcome().unwrap().unwrap();
    assert_eq!(seen.flat(), ["1"]);
    let reset = runner.reset(From::Beginning);
    while runner.step() == Step::Worked {}
    reset.outcome().unwrap().unwrap();
    assert_eq!(seen.flat(), ["1", "1"]);
    let reset = runner.reset(From::Beginning);
    drop(runner);
    assert!(matches!(reset.outcome(), Some(Err(GroupError::Dropped { .. }))));
}

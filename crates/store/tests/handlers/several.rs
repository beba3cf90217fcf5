//! Handlers with several consumers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gesta_store::{
    EventStore, From, GroupError, Handler, HandlerFailure, HandlerOptions, HandlerRunner, HandlerState, Message,
    Reaction, Source, subscribe::handler::Step,
};

use super::{Seen, World, append, noting, whole};

fn four() -> HandlerOptions {
    HandlerOptions { consumers: 4, ..HandlerOptions::default() }
}

/// Steps all of them in turn until none has anything to do.
fn settle(runners: &mut [HandlerRunner]) -> Vec<Step> {
    loop {
        let steps: Vec<Step> = runners.iter_mut().map(HandlerRunner::step).collect();
        if !steps.contains(&Step::Worked) {
            return steps;
        }
    }
}

#[test]
fn only_a_handler_by_key_can_have_several_and_each_needs_its_own() {
    let world = World::new();
    let handlers = world.store.handlers();
    let nothing = |_: &[Message]| Ok(());
    let whole = HandlerOptions { consumers: 2, ..whole() };
    let refused = handlers.runners("one", &Source::All, whole, |_| nothing);
    assert!(matches!(&refused, Err(GroupError::Setting { field: "consumers", .. })), "{refused:?}");
    let refused = handlers.start("one", &Source::All, four(), nothing);
    assert!(matches!(&refused, Err(GroupError::Setting { field: "consumers", .. })), "{refused:?}");
    assert_eq!(handlers.list().unwrap(), [], "none was made");
}

/// Who is started a second time, with other options, does not take the place of who runs.
#[test]
fn who_runs_is_not_driven_out_by_whoever_is_started_with_other_options() {
    let world = World::new();
    world.append("s", "1");
    let seen = Seen::default();
    let handlers = world.store.handlers();
    let mut runners = handlers.runners("test", &Source::All, four(), |_| noting(&seen, |_, _| None)).unwrap();
    let second = handlers.runner("test", &Source::All, whole(), |_: &[Message]| Ok(()));
    assert!(matches!(second, Err(GroupError::MaximumSubscribers { limit: 4 })), "{second:?}");
    settle(&mut runners);
    assert_eq!(seen.flat(), ["1"]);
}

#[test]
fn they_share_the_events_and_keep_every_key_in_order() {
    let world = World::new();
    for number in 0..400 {
        world.append(&format!("s{}", number % 40), &number.to_string());
    }
    let seen: Vec<Seen> = (0..4).map(|_| Seen::default()).collect();
    let options = HandlerOptions { batch_events: 3, ..four() };
    let make = |me: usize| noting(&seen[me], |_, _| None);
    let mut runners = world.store.handlers().runners("test", &Source::All, options, make).unwrap();
    let order = Seen::default();
    loop {
        let worked = runners.iter_mut().zip(&seen).any(|(runner, seen)| {
            let before = seen.flat().len();
            let step = runner.step();
            order.0.lock().unwrap().push(seen.flat().split_off(before));
            step == Step::Worked
        });
        if !worked {
            break;
        }
    }
    assert!(seen.iter().all(|seen| !seen.flat().is_empty()), "everybody has something to do");
    let mut by_key: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for number in order.flat().iter().map(|text| text.parse::<u32>().unwrap()) {
        by_key.entry(number % 40).or_default().push(number);
    }
    let expected = |key: u32| (0..10).map(|round| 40 * round + key).collect::<Vec<_>>();
    assert!(by_key.len() == 40 && by_key.iter().all(|(key, numbers)| *numbers == expected(*key)), "{by_key:?}");
}

/// Four wait for one another inside their handlers: one after the other they would wait for ever.
#[test]
fn on_their_threads_they_work_at_the_same_time_and_their_status_adds_up() {
    let dir = tempfile::tempdir().unwrap();
    let store = EventStore::open(dir.path()).unwrap();
    let meeting = Arc::new((Mutex::new(0), Condvar::new()));
    let make = |_| {
        let meeting = Arc::clone(&meeting);
        move |messages: &[Message]| {
            let (there, changed) = &*meeting;
            let mut there_now = there.lock().unwrap();
            *there_now += messages.len();
            changed.notify_all();
            let few = |there: &mut usize| *there < 4;
            let (_there, timeout) = changed.wait_timeout_while(there_now, Duration::from_secs(60), few).unwrap();
            if timeout.timed_out() { Err(HandlerFailure::new("nobody else came")) } else { Ok(()) }
        }
    };
    let options = HandlerOptions { batch_events: 1, ..four() };
    let running = store.handlers().start_each("t", &Source::All, options, make).unwrap();
    for stream in ["a", "b", "c", "d"] {
        append(&store, stream, "x");
    }
    while running.status().unwrap().handled < 4 {
        std::thread::yield_now();
    }
    let status = running.status().unwrap();
    assert_eq!((status.handled, status.failures), (4, 0));
    running.pause();
    while running.status().unwrap().state != HandlerState::Paused {
        std::thread::yield_now();
    }
    running.stop().unwrap();
}

/// Notes its resets, and that nobody works meanwhile.
struct Resettable {
    seen: Seen,
    working: Arc<AtomicUsize>,
    resets: Arc<AtomicUsize>,
}

impl Handler for Resettable {
    fn handle(&mut self, messages: &[Message]) -> Result<(), HandlerFailure> {
        self.working.fetch_add(1, Ordering::SeqCst);
        self.seen.note(messages);
        self.working.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    fn before_reset(&mut self) -> Result<(), HandlerFailure> {
        assert_eq!(self.working.load(Ordering::SeqCst), 0);
        match self.resets.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(()),
            _ => panic!("once is enough"),
        }
    }
}

#[test]
fn they_are_reset_once_and_together_and_a_panic_is_a_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let store = EventStore::open(dir.path()).unwrap();
    for number in 0..40 {
        append(&store, &format!("s{number}"), &number.to_string());
    }
    let seen = Seen::default();
    let (working, resets) = (Arc::default(), Arc::default());
    let make = |_| Resettable { seen: seen.clone(), working: Arc::clone(&working), resets: Arc::clone(&resets) };
    let running = store.handlers().start_each("t", &Source::All, four(), make).unwrap();
    let wait_for = |count: usize| {
        while seen.flat().len() < count {
            std::thread::yield_now();
        }
    };
    wait_for(40);
    running.reset(From::Beginning).unwrap();
    wait_for(80);
    let refused = running.reset(From::Beginning).unwrap_err();
    assert!(refused.to_string().contains("handler panicked: once is enough"), "{refused}");
    append(&store, "more", "more");
    wait_for(81);
    running.stop().unwrap();
    let mut twice = seen.flat();
    twice.sort_unstable();
    twice.dedup();
    assert_eq!((twice.len(), seen.flat().len()), (41, 81));
}

/// A reset waits for whoever is still at work; one that has ended is not waited for.
#[test]
fn a_reset_is_done_by_the_last_one_that_comes_to_it() {
    let world = World::new();
    for number in 0..8 {
        world.append(&format!("s{number}"), &number.to_string());
    }
    let seen = Seen::default();
    let make = |_| noting(&seen, |_, _| None);
    let mut runners = world.store.handlers().runners("test", &Source::All, four(), make).unwrap();
    settle(&mut runners);
    assert_eq!(seen.flat().len(), 8);
    drop(runners.pop());
    assert_eq!(settle(&mut runners), [Step::Ended, Step::Ended, Step::Ended], "they end together");
}

#[test]
fn what_stops_one_stops_all_and_is_the_first_to_come_again() {
    let world = World::new();
    for number in 0..8 {
        world.append(&format!("s{number}"), &number.to_string());
    }
    let seen = Seen::default();
    let stops = |data: &str, _| (data == "5").then(|| HandlerFailure::new("no").reaction(Reaction::Stop));
    let options = HandlerOptions { batch_events: 1, ..four() };
    let handlers = world.store.handlers();
    let mut runners = handlers.runners("test", &Source::All, options.clone(), |_| noting(&seen, stops)).unwrap();
    let steps = settle(&mut runners);
    assert!(steps.iter().all(|step| *step == Step::Ended), "{steps:?}");
    drop(runners);
    let before = seen.flat();
    assert!(!before.contains(&"5".to_owned()));
    let world = world.crashed();
    let again = Seen::default();
    let handlers = world.store.handlers();
    let mut runners = handlers.runners("test", &Source::All, options, |_| noting(&again, |_, _| None)).unwrap();
    settle(&mut runners);
    let mut all = [before, again.flat()].concat();
    assert!(again.flat().contains(&"5".to_owned()));
    all.sort_unstable();
    assert_eq!(all, (0..8).map(|number| number.to_string()).collect::<Vec<_>>(), "none twice, none left out");
}

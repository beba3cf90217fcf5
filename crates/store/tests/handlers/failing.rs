//! What becomes of events that cannot be handled, and of those around them.

use gesta_store::{HandlerFailure, HandlerOptions, Message, Reaction, subscribe::handler::Step};

use super::{Seen, World, noting, text, whole};

fn broken(name: &'static str) -> impl FnMut(&str, u32) -> Option<HandlerFailure> + Send + 'static {
    move |data, _| (data == name).then(|| HandlerFailure::new(format!("cannot do {data}")))
}

#[test]
fn a_key_that_fails_is_parked_and_the_others_go_on() {
    let world = World::new();
    for (stream, data) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("b", "b2"), ("c", "c1")] {
        world.append(stream, data);
    }
    let seen = Seen::default();
    let mut runner = world.runner(HandlerOptions::default(), noting(&seen, broken("a1")));
    world.settle(&mut runner);
    // While it waits for its retry, the others are done and its own key waits.
    assert_eq!(seen.flat(), ["b1", "c1", "b2"]);
    assert_eq!(world.parked(), []);
    world.pass(&mut runner, 40);
    let parked = world.parked();
    assert_eq!(parked[0], ("a1".to_owned(), "cannot do a1".to_owned()));
    assert_eq!(parked[1].0, "a2", "what comes after it is held behind it");
    world.append("a", "a3");
    world.append("b", "b3");
    world.pass(&mut runner, 2);
    assert_eq!(seen.flat(), ["b1", "c1", "b2", "b3"]);
    assert_eq!(world.parked().len(), 3);
}

#[test]
fn an_event_is_tried_again_with_growing_waits_and_handled_when_the_cause_is_gone() {
    let world = World::new();
    world.append("a", "a1");
    world.append("a", "a2");
    let seen = Seen::default();
    let transient = |data: &str, retries| (data == "a1" && retries < 3).then(|| HandlerFailure::new("not yet"));
    let mut runner = world.runner(HandlerOptions::default(), noting(&seen, transient));
    world.pass(&mut runner, 10);
    assert_eq!(seen.flat(), ["a1", "a2"]);
    assert_eq!(world.parked(), []);
}

#[test]
fn where_all_wait_for_one_nothing_overtakes_it_and_it_is_parked_in_the_end() {
    let world = World::new();
    for data in ["1", "2", "3", "4"] {
        world.append("s", data);
    }
    let seen = Seen::default();
    let mut runner = world.runner(whole(), noting(&seen, broken("2")));
    world.settle(&mut runner);
    assert_eq!(seen.flat(), ["1"]);
    world.pass(&mut runner, 40);
    assert_eq!(seen.flat(), ["1", "3", "4"]);
    assert_eq!(world.parked(), [("2".to_owned(), "cannot do 2".to_owned())]);
}

#[test]
fn a_batch_that_fails_without_saying_where_is_handed_over_one_by_one() {
    for options in [HandlerOptions::default(), whole()] {
        let world = World::new();
        for data in ["1", "2", "3"] {
            world.append(data, data);
        }
        let seen = Seen::default();
        let handler = {
            let seen = seen.clone();
            move |messages: &[Message]| {
                seen.note(messages);
                let bad = messages.iter().any(|message| text(&message.event.data) == "2");
                if bad { Err(HandlerFailure::new("something was wrong")) } else { Ok(()) }
            }
        };
        let options = HandlerOptions { on_failure: Reaction::Park, ..options };
        let mut runner = world.runner(options, handler);
        world.settle(&mut runner);
        assert_eq!(seen.batches(), [vec!["1", "2", "3"], vec!["1"], vec!["2"], vec!["3"]]);
        assert_eq!(world.parked(), [("2".to_owned(), "something was wrong".to_owned())]);
    }
}

#[test]
fn a_panic_is_a_failure_like_any_other() {
    let world = World::new();
    world.append("a", "bad");
    world.append("b", "good");
    let seen = Seen::default();
    let handler = {
        let seen = seen.clone();
        move |messages: &[Message]| {
            for message in messages {
                assert!(text(&message.event.data) != "bad", "cannot stand this one");
                seen.note(std::slice::from_ref(message));
            }
            Ok(())
        }
    };
    let options = HandlerOptions { on_failure: Reaction::Park, ..HandlerOptions::default() };
    let mut runner = world.runner(options, handler);
    world.settle(&mut runner);
    assert_eq!(seen.flat(), ["good"]);
    assert_eq!(world.parked()[0].1, "handler panicked: cannot stand this one");
}

#[test]
fn the_failure_itself_may_say_what_becomes_of_the_event() {
    let world = World::new();
    for data in ["skip", "park", "stop", "after"] {
        world.append(data, data);
    }
    let seen = Seen::default();
    let said = |data: &str, _| match data {
        "skip" => Some(HandlerFailure::new("of no interest").reaction(Reaction::Skip)),
        "park" => Some(HandlerFailure::new("for later").reaction(Reaction::Park)),
        "stop" => Some(HandlerFailure::new("out of order").reaction(Reaction::Stop)),
        _ => None,
    };
    let mut runner = world.runner(whole(), noting(&seen, said));
    assert_eq!(world.settle(&mut runner), Step::Ended);
    assert_eq!(world.parked(), [("park".to_owned(), "for later".to_owned())]);
    drop(runner);
    // Whoever starts it again gets first what stopped it.
    let mut runner = world.runner(whole(), noting(&seen, |_, _| None));
    world.settle(&mut runner);
    assert_eq!(seen.flat(), ["stop", "after"]);
}

#[test]
fn parked_events_are_handed_over_again_when_they_are_replayed() {
    let world = World::new();
    for data in ["a1", "a2", "a3"] {
        world.append("a", data);
    }
    let seen = Seen::default();
    let mended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let fails = {
        let mended = mended.clone();
        move |data: &str, _| {
            let broken = data == "a1" && !mended.load(std::sync::atomic::Ordering::SeqCst);
            broken.then(|| HandlerFailure::new("broken"))
        }
    };
    let options = HandlerOptions { on_failure: Reaction::Park, ..HandlerOptions::default() };
    let mut runner = world.runner(options, noting(&seen, fails));
    world.settle(&mut runner);
    assert_eq!(world.parked().len(), 3, "one failed, two are held");
    mended.store(true, std::sync::atomic::Ordering::SeqCst);
    let group = gesta_store::subscribe::handler::group_of("test", &gesta_store::Source::All).unwrap();
    assert_eq!(world.store.groups().replay(&group, gesta_store::Replay::All).unwrap(), 3);
    world.settle(&mut runner);
    assert_eq!(seen.flat(), ["a1", "a2", "a3"]);
    assert_eq!(world.parked(), []);
    world.append("a", "a4");
    world.settle(&mut runner);
    assert_eq!(seen.flat(), ["a1", "a2", "a3", "a4"]);
}

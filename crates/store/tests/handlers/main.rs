//! Handlers through the front door: step by step, on a disk in memory with a clock that stands still until it is moved; and on threads.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::wildcard_enum_match_arm, missing_docs)]

mod failing;
mod lifecycle;
mod several;
#[path = "../world/mod.rs"]
mod world;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use gesta_store::{
    EventData, EventStore, ExpectedRevision, Handler, HandlerFailure, HandlerOptions, HandlerRunner, HandlingOrder,
    Message, Source, subscribe::handler::Step,
};

use self::world::World;

impl World {
    fn append(&self, stream: &str, data: &str) {
        append(&self.store, stream, data);
    }

    fn runner(&self, options: HandlerOptions, handler: impl Handler + 'static) -> HandlerRunner {
        self.store.handlers().runner("test", &Source::All, options, handler).unwrap()
    }

    fn parked(&self) -> Vec<(String, String)> {
        let group = gesta_store::subscribe::handler::group_of("test", &Source::All).unwrap();
        let parked = self.store.groups().parked(&group, gesta_store::Position::START, 100).unwrap();
        parked.into_iter().map(|one| (text(&one.event.data), one.reason)).collect()
    }

    /// Steps until there is nothing to do now.
    fn settle(&self, runner: &mut HandlerRunner) -> Step {
        loop {
            match runner.step() {
                Step::Worked => {}
                Step::Idle(Some(until)) if until <= gesta_store::clock::Clock::elapsed(&*self.clock) => {}
                step => return step,
            }
        }
    }

    /// Lets time pass second by second, settling after each.
    fn pass(&self, runner: &mut HandlerRunner, seconds: u64) -> Step {
        let mut step = self.settle(runner);
        for _ in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            step = self.settle(runner);
        }
        step
    }
}

fn append(store: &EventStore, stream: &str, data: &str) {
    let event = EventData::json("Happened".try_into().unwrap(), data.to_owned());
    store.append(stream.try_into().unwrap(), ExpectedRevision::Any, [event]).wait().unwrap();
}

fn text(data: &[u8]) -> String {
    String::from_utf8(data.to_vec()).unwrap()
}

/// What a handler was given, in order, batch by batch.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Vec<String>>>>);

impl Seen {
    fn note(&self, messages: &[Message]) {
        self.0.lock().unwrap().push(messages.iter().map(|message| text(&message.event.data)).collect());
    }

    fn batches(&self) -> Vec<Vec<String>> {
        self.0.lock().unwrap().clone()
    }

    fn flat(&self) -> Vec<String> {
        self.batches().concat()
    }
}

/// A handler that notes what it handled, and fails on the events `fails` says.
fn noting(
    seen: &Seen,
    mut fails: impl FnMut(&str, u32) -> Option<HandlerFailure> + Send + 'static,
) -> impl Handler + 'static {
    let seen = seen.clone();
    move |messages: &[Message]| {
        for (index, message) in messages.iter().enumerate() {
            if let Some(failure) = fails(&text(&message.event.data), message.retries) {
                return Err(failure.at(index));
            }
            seen.note(std::slice::from_ref(message));
        }
        Ok(())
    }
}

fn whole() -> HandlerOptions {
    HandlerOptions { order: HandlingOrder::Whole, ..HandlerOptions::default() }
}

//! Handlers of a soak: by key and in order; slow ones, failing ones, and some that are stopped and started again.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use gesta_store::{
    AfterPark, EventStore, HandlerFailure, HandlerOptions, HandlingOrder, KeyOf, Message, Reaction, RunningHandler,
};

use crate::{
    scope::{Scope, Tally, mix},
    subscribers::{REST, Temper},
};

/// A handler, and what it has handled.
pub(crate) struct Handled {
    name: String,
    pub(crate) scope: Scope,
    pub(crate) temper: Temper,
    order: HandlingOrder,
    tally: Arc<Mutex<Tally>>,
    running: Option<RunningHandler>,
}

impl Handled {
    pub(crate) fn new(number: usize, scope: Scope) -> Self {
        let order = if number.is_multiple_of(2) {
            HandlingOrder::ByKey { key: KeyOf::Stream, after_park: AfterPark::Flow }
        } else {
            HandlingOrder::Whole
        };
        let (name, temper) = (format!("soak-{number}"), Temper::of(number / 2));
        Self { name, scope, temper, order, tally: Arc::default(), running: None }
    }

    pub(crate) fn start(&mut self, store: &EventStore) {
        let (tally, temper) = (Arc::clone(&self.tally), self.temper);
        let handler = move |messages: &[Message]| handle(messages, temper, &tally);
        let options = HandlerOptions { order: self.order.clone(), ..HandlerOptions::default() };
        self.running = Some(store.handlers().start(&self.name, &self.scope.source(), options, handler).unwrap());
    }

    /// Stops it after the batch it is at.
    pub(crate) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().unwrap();
        }
    }

    pub(crate) fn running(&self) -> &RunningHandler {
        self.running.as_ref().expect("a handler runs but while it is started again")
    }

    pub(crate) fn tally(&self) -> Tally {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn handle(messages: &[Message], temper: Temper, tally: &Mutex<Tally>) -> Result<(), HandlerFailure> {
    if temper == Temper::Slow {
        thread::sleep(REST);
    }
    let poison = |message: &Message| temper == Temper::Failing && mix(message.id.0.0).is_multiple_of(3000);
    let failed = messages.iter().position(poison);
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    messages[..failed.unwrap_or(messages.len())].iter().for_each(|message| tally.add(message.id.0.0));
    match failed {
        None => Ok(()),
        Some(at) => Err(HandlerFailure::new("the soak has it so").at(at).reaction(Reaction::Park)),
    }
}

/// How often those that die are started again.
pub(crate) const RESTART_EVERY: Duration = Duration::from_secs(7);

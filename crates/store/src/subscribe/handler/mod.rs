//! Handlers: code of an application that follows the log under a name, from where it was, at its own speed.
//!
//! A handler is a consumer group whose consumers, one or several, are in this process: its checkpoint, what it has parked, and its order by key are the
//! group's, kept in the group's streams. What is here hands events over, and turns what comes of it into answers.
//! In reading order: `options`, `status`, `control` (what it is told from outside), `runner` (its steps), `running` (the thread that takes them).

mod control;
mod options;
mod runner;
mod running;
mod status;

use std::{fmt, sync::Arc, time::Duration};

use self::control::Control;
use super::{
    GroupError, GroupName,
    group::{ConsumerGroups, GroupConfig, Message},
    group_settings::setting,
};
use crate::{order::spawn, read::Source};

pub use control::Resetting;
pub use options::{Backoff, HandlerFailure, HandlerOptions, HandlingOrder, Reaction};
pub use runner::{HandlerRunner, Step};
pub use running::RunningHandler;
pub use status::{HandlerState, HandlerStatus};

/// What the name of a handler's group begins with.
const PREFIX: &str = "handler:";

/// Works off events.
///
/// Events come at least once: after a crash, those whose handling was not yet noted come again, and after a failure without
/// [`HandlerFailure::at`] the whole batch does. A panic is a failure like any other.
pub trait Handler: Send {
    /// Works off a batch. `Ok`: all of it.
    ///
    /// # Errors
    /// The failure, which says which event it was, if it knows. The others are none the worse for it.
    fn handle(&mut self, messages: &[Message]) -> Result<(), HandlerFailure>;

    /// The handler is about to begin anew: what it has made so far is to be forgotten.
    ///
    /// # Errors
    /// The failure; the handler then goes on where it was.
    fn before_reset(&mut self) -> Result<(), HandlerFailure> {
        Ok(())
    }

    /// When it has something to do though no event comes, by [`Clock::elapsed`](crate::clock::Clock::elapsed). Asked before every step.
    fn next_due(&self) -> Option<Duration> {
        None
    }

    /// Does some of what is due. Called when [`next_due`](Handler::next_due) has come, before more events are handed over.
    ///
    /// # Errors
    /// The failure; the handler waits a second then, events too, and is asked again.
    fn work_due(&mut self) -> Result<(), HandlerFailure> {
        Ok(())
    }
}

impl<F: FnMut(&[Message]) -> Result<(), HandlerFailure> + Send> Handler for F {
    fn handle(&mut self, messages: &[Message]) -> Result<(), HandlerFailure> {
        self(messages)
    }
}

/// The handlers of a store. Cheap to clone; does not keep the store open.
#[derive(Clone)]
pub struct Handlers {
    groups: ConsumerGroups,
}

impl Handlers {
    pub(crate) fn of(groups: ConsumerGroups) -> Self {
        Self { groups }
    }

    /// Starts a handler with one consumer on a thread of its own; one that ran before goes on where it was. It runs until it is told to stop, its
    /// [`RunningHandler`] is dropped, the store is closed, or an event stops it.
    ///
    /// # Errors
    /// `Setting` for options out of bounds, for more than one consumer, and for a name that follows another source already; `MaximumSubscribers` while
    /// it is running; `BeyondHead` for a start that does not exist yet; `Store`.
    pub fn start(
        &self,
        name: &str,
        source: &Source,
        options: HandlerOptions,
        handler: impl Handler + 'static,
    ) -> Result<RunningHandler, GroupError> {
        let runner = self.runner(name, source, options, handler)?;
        RunningHandler::start(vec![runner], self.clone(), name, &mut spawn)
    }

    /// Starts a handler with several consumers ([`HandlerOptions::consumers`]), each with a thread and a handler of its own; `make` is given their numbers, from
    /// 0. Events of different keys are handled side by side, those of a key one after the other. They are paused, reset and stopped together, and end together
    /// when an event stops one of them; a reset asks one of them [before it](Handler::before_reset), while none is at work.
    ///
    /// # Errors
    /// As [`Handlers::start`].
    pub fn start_each<H: Handler + 'static>(
        &self,
        name: &str,
        source: &Source,
        options: HandlerOptions,
        make: impl FnMut(usize) -> H,
    ) -> Result<RunningHandler, GroupError> {
        let runners = self.runners(name, source, options, make)?;
        RunningHandler::start(runners, self.clone(), name, &mut spawn)
    }

    /// As [`Handlers::start`], but without a thread: the caller takes its steps.
    ///
    /// # Errors
    /// As [`Handlers::start`].
    pub fn runner(
        &self,
        name: &str,
        source: &Source,
        options: HandlerOptions,
        handler: impl Handler + 'static,
    ) -> Result<HandlerRunner, GroupError> {
        if options.consumers > 1 {
            return Err(setting("consumers", options.consumers, "1 for one handler: start_each takes one for each"));
        }
        let group = self.group_for(name, source, &options)?;
        self.connected(0, Box::new(handler), group, options, Arc::new(Control::of(1)))
    }

    /// As [`Handlers::start_each`], but without threads: the caller takes the steps of every consumer.
    ///
    /// # Errors
    /// As [`Handlers::start`].
    pub fn runners<H: Handler + 'static>(
        &self,
        name: &str,
        source: &Source,
        options: HandlerOptions,
        mut make: impl FnMut(usize) -> H,
    ) -> Result<Vec<HandlerRunner>, GroupError> {
        let group = self.group_for(name, source, &options)?;
        let control = Arc::new(Control::of(options.consumers));
        let mut runners = Vec::new();
        for me in 0..options.consumers {
            let handler = Box::new(make(me));
            runners.push(self.connected(me, handler, group.clone(), options.clone(), Arc::clone(&control))?);
        }
        Ok(runners)
    }

    fn connected(
        &self,
        me: usize,
        handler: Box<dyn Handler>,
        group: GroupName,
        options: HandlerOptions,
        control: Arc<Control>,
    ) -> Result<HandlerRunner, GroupError> {
        let mut runner = HandlerRunner::new(me, handler, self.groups.clone(), group, options, control);
        runner.connect()?;
        Ok(runner)
    }

    /// The group of a handler, with the settings its options ask for.
    fn group_for(&self, name: &str, source: &Source, options: &HandlerOptions) -> Result<GroupName, GroupError> {
        let group = group_of(name, source)?;
        let settings = options.settings()?;
        match self.groups.create(&group, source.clone(), settings.clone()) {
            Ok(()) => return Ok(group),
            Err(GroupError::GroupExists { .. }) => {}
            Err(error) => return Err(error),
        }
        let before = self.groups.config(&group)?;
        if before.source != *source {
            let bounds = "the source it was created with: delete it, or give the new one another name";
            return Err(setting("source", name, bounds));
        }
        if before.settings != settings {
            // A change drops whoever is connected: of two that want it differently, the one that runs stays.
            if !self.groups.watch(&group)?.consumers.is_empty() {
                return Err(GroupError::MaximumSubscribers { limit: before.settings.max_subscribers });
            }
            self.groups.update(&group, settings)?;
        }
        Ok(group)
    }

    /// The groups of all handlers that ever ran and were not deleted, running or not.
    ///
    /// # Errors
    /// `Store`.
    pub fn list(&self) -> Result<Vec<GroupConfig>, GroupError> {
        let mut all = self.groups.list()?;
        all.retain(|config| handler_of(&config.name).is_some());
        Ok(all)
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handlers").finish_non_exhaustive()
    }
}

/// The group that a handler of this name is: by it, what it has parked is looked at, replayed and discarded.
///
/// # Errors
/// `Store` with `Invalid` for a name that no group can have.
pub fn group_of(name: &str, source: &Source) -> Result<GroupName, GroupError> {
    let name = format!("{PREFIX}{name}");
    Ok(match source {
        Source::Stream(stream) => GroupName::on_stream(stream.clone(), &name)?,
        Source::All | Source::Query(_) => GroupName::on_all(&name)?,
    })
}

/// The handler that a group is, if it is one.
#[must_use]
pub fn handler_of(group: &GroupName) -> Option<&str> {
    group.name().strip_prefix(PREFIX)
}

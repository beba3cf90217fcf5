//! Threads that are started one after the other, and end together: all of them run, or none is left behind.

use std::{
    io,
    sync::{Mutex, PoisonError},
    thread::{self, Builder, JoinHandle},
};

use crate::error::{Error, Result};

/// What a thread does.
pub(crate) type Body = Box<dyn FnOnce() + Send>;

/// How a thread is started.
pub(crate) type Spawn<'s> = &'s mut dyn FnMut(Builder, Body) -> io::Result<JoinHandle<()>>;

/// Threads that are running.
#[derive(Debug, Default)]
pub(crate) struct Threads(Mutex<Vec<JoinHandle<()>>>);

impl Threads {
    /// Starts one more.
    pub(crate) fn start(&self, name: &str, spawn: Spawn<'_>, body: Body) -> Result<()> {
        let thread = spawn(Builder::new().name(name.to_owned()), body)
            .map_err(|error| Error::io(format!("cannot start a thread, name={name}"), error))?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// Waits until all of them have ended, which somebody must have told them to. Idempotent.
    pub(crate) fn join(&self) {
        let threads = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        // The last handle may be dropped by a waker, on one of the threads, which then ends by itself.
        for thread in threads.into_iter().filter(|thread| thread.thread().id() != thread::current().id()) {
            // Its panic has been printed, and told to those who waited for it.
            let _ = thread.join();
        }
    }
}

/// Starts a thread of the system.
#[allow(clippy::disallowed_methods)] // for the two owners of threads
pub(crate) fn spawn(builder: Builder, body: Body) -> io::Result<JoinHandle<()>> {
    builder.spawn(body)
}

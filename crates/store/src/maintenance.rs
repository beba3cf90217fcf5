//! Work that nobody waits for: writing and merging index runs, and keeping the next segment zero-filled ahead.
//!
//! Two threads, the second of the two owners of threads. One builds runs, which bounds the memory of the index, so that appends wait for it when
//! it falls behind. The other tidies up: merging takes as long as the log is large, and nobody waits for it. Their failures delay
//! nothing but themselves: the index parts that could not be written stay in memory, and only when too many wait, and the next
//! try fails too, are appends refused with its error.

use std::{sync::Arc, thread};

use crate::{
    error::{Error, ErrorKind, Result},
    index::{Index, Step},
    log::Log,
    order::{Head, Spawn, Threads, Upkeep, Work},
};

/// What maintenance works on.
#[derive(Clone)]
pub(crate) struct Maintenance {
    pub(crate) log: Arc<Log>,
    pub(crate) index: Arc<Index>,
    pub(crate) head: Head,
    pub(crate) upkeep: Arc<Upkeep>,
}

impl Maintenance {
    /// Does one piece of work; says whether there may be more.
    fn step(&self, work: Work) -> Result<bool> {
        match work {
            Work::Build => self.build(),
            Work::Tidy => self.tidy(),
        }
    }

    fn build(&self) -> Result<bool> {
        match self.index.build(self.head.position())? {
            Step::Built | Step::Merged | Step::Dropped => {
                self.upkeep.ring_for(Work::Tidy);
                Ok(true)
            }
            Step::Idle => Ok(false),
        }
    }

    fn tidy(&self) -> Result<bool> {
        let go_on = || !self.upkeep.is_closed();
        match self.index.merge(&go_on)? {
            Step::Built | Step::Merged | Step::Dropped => Ok(true),
            // A store that is only read needs no space for what will not be written.
            Step::Idle if !self.upkeep.is_spare_wanted() => Ok(false),
            Step::Idle => match self.log.prepare_spare(&go_on) {
                // Without a spare the next segment grows as it is written: slower, not wrong. A disk that has no room for
                // one may still have room for what is to be appended.
                Err(error) if error.kind() == ErrorKind::Unavailable => Ok(false),
                outcome => outcome.map(|()| false),
            },
        }
    }

    /// Does all there is to do, on the caller's thread.
    pub(crate) fn run(&self) -> Result<()> {
        while self.build()? || self.tidy()? {}
        Ok(())
    }

    fn round(&self, work: Work) {
        loop {
            self.upkeep.begin(work);
            let step = self.step(work);
            let more = matches!(step, Ok(true));
            self.upkeep.end(work, step.map(drop));
            if !more {
                break;
            }
        }
        self.upkeep.rest(work);
    }
}

/// Tells those who wait for maintenance if it panics.
struct PanicGuard<'a>(&'a Upkeep, Work);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let error = Error::new(
                ErrorKind::Internal,
                "maintenance panicked, the index is no longer written until the store is opened again",
            );
            self.0.end(self.1, Err(error));
            self.0.close();
        }
    }
}

/// The maintenance threads. Dropping stops them.
pub(crate) struct MaintenanceThreads {
    upkeep: Arc<Upkeep>,
    threads: Threads,
}

impl MaintenanceThreads {
    /// Starts them, each with a first round to do. None is left behind when one cannot be started.
    pub(crate) fn start(maintenance: &Maintenance, spawn: Spawn<'_>) -> Result<Self> {
        let upkeep = Arc::clone(&maintenance.upkeep);
        upkeep.ring();
        let started = Self { upkeep, threads: Threads::default() };
        for (name, work) in [("gesta-index", Work::Build), ("gesta-tidy", Work::Tidy)] {
            let maintenance = maintenance.clone();
            let body = move || {
                let _guard = PanicGuard(&maintenance.upkeep, work);
                while let Some(()) = maintenance.upkeep.take(work) {
                    maintenance.round(work);
                }
            };
            started.threads.start(name, spawn, Box::new(body))?;
        }
        Ok(started)
    }

    /// Stops them after the steps they are at; long ones are given up. Idempotent.
    pub(crate) fn stop(&self) {
        self.upkeep.close();
        self.threads.join();
    }
}

impl Drop for MaintenanceThreads {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::mpsc};

    use super::*;
    use crate::{
        disk::{Disk, memory::MemoryDisk},
        opening,
        options::Options,
        order::spawn,
    };

    #[test]
    fn no_thread_is_left_behind_when_one_cannot_be_started() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let parts = opening::open(&disk, &Options::default()).expect("an empty disk can be opened").parts;
        let maintenance = Maintenance { log: parts.log, index: parts.index, head: parts.head, upkeep: parts.upkeep };
        let (sender, ended) = mpsc::channel();
        let mut left = 1;
        let error = MaintenanceThreads::start(&maintenance, &mut |builder, body| {
            if left == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            left -= 1;
            let sender = sender.clone();
            spawn(
                builder,
                Box::new(move || {
                    body();
                    sender.send(()).expect("somebody listens");
                }),
            )
        });
        assert_eq!(error.err().expect("refused").kind(), ErrorKind::Unavailable);
        assert!(ended.try_recv().is_ok(), "the first has ended when the error is told");
    }
}

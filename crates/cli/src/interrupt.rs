//! Ctrl-C: the first one asks the running command to end at the next boundary, the second one ends the program at once.

use std::{
    fs::File,
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::exit::{Exit, Failure, Outcome};

/// Whether somebody asked the program to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for the signals. Commands that do not ask are ended by them as any program is.
    pub(crate) fn listen() -> Outcome<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // The order matters: the shutdown looks at the flag before the first signal sets it.
            signal_hook::flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, Arc::clone(&flag))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
                .map_err(|error| Failure::io("listening for signals", &error))?;
        }
        Ok(Self(flag))
    }

    /// Whether it is time to end.
    pub(crate) fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Longest time between a signal and its being noticed. The signal itself ends a wait, unless it came just before.
const DEAF_FOR: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Input that ends when somebody asks the program to end, also while it waits for a pipe or a terminal to say more.
#[derive(Debug)]
pub(crate) struct InterruptibleInput {
    file: File,
    interrupt: Interrupt,
}

impl InterruptibleInput {
    /// What `file` has, until `interrupt`.
    pub(crate) fn new(file: File, interrupt: Interrupt) -> Self {
        Self { file, interrupt }
    }
}

impl Read for InterruptibleInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.interrupt.is_requested() {
            match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&DEAF_FOR)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return self.file.read(buffer),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(0)
    }
}

//! Runtimes, where there is room for one.
//!
//! A runtime opens files nobody asked for: its poll and a second hold on it, what wakes it, a pair of sockets by which signals are told, and one of them again. For all
//! but the pair it says so when the system lets the process have no more; for the pair it panics. So it is tried first whether there is room, and for a connection too:
//! whoever has a runtime listens, or connects.

use std::{io, os::unix::net::UnixStream};

use tokio::runtime::{Builder, Runtime};

/// Pairs of sockets that are as many files as a runtime and a connection, and one more.
const PAIRS: usize = 4;

/// The runtime that is described.
///
/// # Errors
/// The system refused threads, or files.
pub(crate) fn build(description: &mut Builder) -> io::Result<Runtime> {
    let room = (0..PAIRS).map(|_| UnixStream::pair()).collect::<io::Result<Vec<_>>>()?;
    drop(room);
    description.build()
}

//! How many connections there is room for, and what is told when there is none.
//!
//! **Invariant:** clients never take the last files the system lets the process open: what the store cannot open it cannot write, and a failed
//! write is final.

use std::{io, net::SocketAddr, time::Duration};

use tokio::time::Instant;

use crate::limits::FILES_KEPT;

/// How often at most the same thing is told.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Of the connections that are wanted, those the files of the process allow: a socket is a file. Tells if these are fewer.
pub(super) fn places(wanted: usize, open_files_max: Option<usize>) -> usize {
    let allowed = open_files_max.map_or(wanted, |files| wanted.min(left_by_the_store(files)));
    if allowed < wanted {
        tracing::warn!(
            connections_max = allowed,
            wanted,
            open_files_max,
            "the system allows too few open files for so many connections: raise its limit (ulimit -n, LimitNOFILE=) or lower limits.connections"
        );
    }
    allowed
}

/// At least half of them, where there are so few that the store has to do with less.
fn left_by_the_store(files: usize) -> usize {
    files.saturating_sub(FILES_KEPT).max(files / 2)
}

/// Those who were not let in, told of at most once a second.
#[derive(Default)]
pub(super) struct Refusals {
    beyond: Seldom,
    failed: Seldom,
}

impl Refusals {
    /// There was no place left.
    pub(super) fn beyond(&mut self, peer: SocketAddr, connections_max: usize) {
        if let Some(refused) = self.beyond.again() {
            tracing::warn!(%peer, refused, connections_max, "too many connections, turned away");
        }
    }

    /// The system had none.
    pub(super) fn failed(&mut self, error: &io::Error) {
        if let Some(failed) = self.failed.again() {
            tracing::error!(%error, failed, "accepting a connection failed");
        }
    }
}

/// Something that may happen often.
#[derive(Default)]
struct Seldom {
    told: Option<Instant>,
    untold: u64,
}

impl Seldom {
    /// It happened again. How often it did since it was told of, if it is time to tell.
    fn again(&mut self) -> Option<u64> {
        self.untold += 1;
        let now = Instant::now();
        if self.told.is_some_and(|told| now.duration_since(told) < TELL_EVERY) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_keeps_its_files() {
        for (open_files_max, expected) in
            [(None, 2048), (Some(65_536), 2048), (Some(1024), 896), (Some(200), 100), (Some(64), 32), (Some(0), 0)]
        {
            assert_eq!(places(2048, open_files_max), expected, "{open_files_max:?}");
        }
        assert_eq!(places(10, Some(64)), 10);
    }
}

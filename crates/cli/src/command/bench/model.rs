//! What group commit should reach with *n* clients in flight, from parts that are measured without it.
//!
//! Each client sends one event and waits for its answer before it sends the next: a closed loop, in which the rate is *n* over the
//! time *T* between two answers to the same client. Three things take that time:
//!
//! - *S(k)*: the bare disk makes the bytes of *k* commits durable (median, measured in slices between those of the store);
//! - *k · c*: the processor prepares, decides and encodes *k* commits and answers them (CPU per commit, measured with one client
//!   that keeps a thousand under way, so that nobody is woken for any single one);
//! - *H(k)*: *k* threads that sleep are woken one after the other and come back (median, without a store).
//!
//! A group commit can settle into one of two rhythms. Either all clients are in every group, and nothing overlaps:
//!
//! > T = S(n) + H(n) + n·c
//!
//! or two halves take turns, each preparing while the other is being synced, and whichever takes longer sets the pace:
//!
//! > T = 2 · max(S(n/2), H(n/2) + n/2·c)
//!
//! The first is better while syncs are long beside the work, the second when the work weighs as much. The model takes the better of
//! both: it is what a perfect scheduler would choose, not an average of what may happen. For *n* = 1 only the first exists.

use std::{
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use super::samples::median;

/// How often everybody is woken.
const ROUNDS: u32 = 300;

/// What is measured of the parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    /// Seconds the disk takes for the bytes of all clients' commits.
    pub(super) sync_all: f64,
    /// Seconds it takes for those of half of them.
    pub(super) sync_half: f64,
    /// Seconds of processor time a commit takes.
    pub(super) work: f64,
    /// Seconds until all clients were woken and came back.
    pub(super) wake_all: f64,
    /// Seconds until half of them did.
    pub(super) wake_half: f64,
}

/// Events a second that `clients` should reach.
#[allow(clippy::cast_precision_loss)] // a hundred clients
pub(super) fn rate(clients: usize, parts: &Parts) -> f64 {
    let n = clients as f64;
    let together = parts.sync_all + parts.wake_all + n * parts.work;
    let in_turns = 2.0 * f64::max(parts.sync_half, parts.wake_half + n / 2.0 * parts.work);
    n / if clients == 1 { together } else { together.min(in_turns) }
}

/// Seconds until `clients` sleeping threads were woken, each by itself as a ticket wakes its owner, and came back. The median.
pub(super) fn wake(clients: usize) -> f64 {
    if clients < 2 {
        return 0.0;
    }
    let (round, back, caller) = (AtomicU32::new(0), AtomicUsize::new(0), thread::current());
    let client = || {
        for number in 1..=ROUNDS {
            while round.load(Ordering::Acquire) < number {
                thread::park();
            }
            if back.fetch_add(1, Ordering::AcqRel) + 1 == clients {
                caller.unpark();
            }
        }
    };
    thread::scope(|scope| {
        let sleepers: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        let one_round = |number| {
            back.store(0, Ordering::Release);
            let begun = Instant::now();
            round.store(number, Ordering::Release);
            sleepers.iter().for_each(|sleeper| sleeper.thread().unpark());
            while back.load(Ordering::Acquire) < clients {
                thread::park();
            }
            begun.elapsed().as_secs_f64()
        };
        median((1..=ROUNDS).map(one_round).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISK: Parts = Parts { sync_all: 1e-3, sync_half: 1e-3, work: 0.0, wake_all: 0.0, wake_half: 0.0 };

    #[test]
    fn a_slow_disk_wants_everyone_in_every_group() {
        assert!((rate(1, &DISK) - 1_000.0).abs() < 1e-6);
        assert!((rate(100, &DISK) - 100_000.0).abs() < 1e-6);
    }

    #[test]
    fn heavy_work_wants_two_halves_in_turns() {
        let parts = Parts { work: 20e-6, ..DISK };
        // Together: 1 ms + 100 × 20 µs = 3 ms. In turns: 2 × max(1 ms, 50 × 20 µs) = 2 ms.
        assert!((rate(100, &parts) - 50_000.0).abs() < 1e-6);
    }

    #[test]
    fn waking_nobody_takes_no_time() {
        assert_eq!(wake(1), 0.0);
        assert!(wake(2) > 0.0);
    }
}

//! Where a handler stands, for whoever looks after it.

use std::{collections::VecDeque, time::Duration};

use crate::position::Position;

/// Where a handler stands: all its consumers together.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HandlerStatus {
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: HandlerState,
    /// Everything below is handled, skipped or parked.
    pub position: Position,
    /// The head of the log.
    pub head: Position,
    /// Events it has before it; of a query, what the index says there are at most.
    pub lag_events: u64,
    /// How much older than now the first of them is.
    pub lag: Duration,
    /// Events handled a second, over the last half minute.
    pub rate: f64,
    /// Events handled since it was started.
    pub handled: u64,
    /// Failures since it was started.
    pub failures: u64,
    /// Why the last one was, if there was one.
    pub last_failure: Option<String>,
    /// Events it has parked, and those that wait behind them.
    pub parked: u64,
}

/// What a handler is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandlerState {
    /// It works off what was recorded before.
    CatchingUp,
    /// It has got everything there is, and works off what comes.
    Live,
    /// It waits to try again what has failed: an event where all wait for one, or to be connected to its group.
    Waiting {
        /// Why.
        reason: String,
    },
    /// It was told to wait.
    Paused,
    /// It works no more.
    Stopped {
        /// Why; `None`: it was told to.
        reason: Option<String>,
    },
}

/// How long the past is that rates are about.
const WINDOW: Duration = Duration::from_secs(30);
/// Readings kept of it: one a second.
const READINGS: usize = 30;

/// Counts what is handled, and how fast.
#[derive(Debug, Default)]
pub(super) struct Tachometer {
    pub(super) handled: u64,
    /// What was counted when, oldest first, about a second apart.
    readings: VecDeque<(Duration, u64)>,
}

impl Tachometer {
    pub(super) fn count(&mut self, events: usize, now: Duration) {
        let is_old = |(at, _): &(Duration, u64)| now.saturating_sub(*at) >= WINDOW / READINGS as u32;
        if self.readings.back().is_none_or(is_old) {
            self.readings.push_back((now, self.handled));
            if self.readings.len() > READINGS {
                self.readings.pop_front();
            }
        }
        self.handled += events as u64;
    }

    /// Events a second over the window, or since the start if that is less.
    #[allow(clippy::cast_precision_loss)] // for people
    pub(super) fn rate(&self, now: Duration) -> f64 {
        let in_window = |(at, _): &&(Duration, u64)| now.saturating_sub(*at) <= WINDOW;
        let Some((since, before)) = self.readings.iter().find(in_window) else { return 0.0 };
        let seconds = now.saturating_sub(*since).as_secs_f64();
        // Less than a moment says nothing.
        if seconds < 0.001 { 0.0 } else { (self.handled - before) as f64 / seconds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_half_minute() {
        let mut meter = Tachometer::default();
        let at = Duration::from_secs;
        assert_eq!(meter.rate(at(0)), 0.0);
        for second in 0..100 {
            meter.count(if second < 50 { 1000 } else { 10 }, at(second));
        }
        assert!((meter.rate(at(100)) - 10.0).abs() < 0.5, "{}", meter.rate(at(100)));
        assert_eq!(meter.rate(at(1000)), 0.0, "nothing was handled of late");
        assert!(meter.readings.len() <= READINGS);
        assert_eq!(meter.handled, 50 * 1000 + 50 * 10);
    }
}

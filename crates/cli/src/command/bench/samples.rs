//! Many measurements of one thing, and the one figure that stands for them.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::exit::Outcome;

/// How long something took, each time.
#[derive(Clone, Debug)]
pub(super) struct Latencies(Histogram<u64>);

/// Longest latency told apart from longer ones.
const NANOS_MAX: u64 = 60_000_000_000;

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, NANOS_MAX, 3).expect("three digits between valid bounds"))
    }
}

impl Latencies {
    /// One more.
    pub(super) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Those of `other` too.
    pub(super) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both histograms have the same bounds");
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len()
    }

    /// What this share of them did not exceed, in microseconds.
    #[allow(clippy::cast_precision_loss)] // three digits are shown
    pub(super) fn micros_at(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1e3
    }
}

/// The middle one; 0 of none.
pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}

/// How long each of `items` takes.
pub(super) fn each<T>(items: &[T], mut work: impl FnMut(&T) -> Outcome<()>) -> Outcome<Latencies> {
    let mut latencies = Latencies::default();
    for item in items {
        let begun = Instant::now();
        work(item)?;
        latencies.record(begun.elapsed());
    }
    Ok(latencies)
}

/// Items timed together where one takes less than a microsecond, which reading the clock twice would blur.
const BLOCK: usize = 64;

/// Microseconds one of `items` takes: the median over blocks of them.
#[allow(clippy::cast_precision_loss)] // of block lengths
pub(super) fn micros_each<T>(items: &[T], mut work: impl FnMut(&T) -> Outcome<()>) -> Outcome<f64> {
    let mut figures = Vec::with_capacity(items.len() / BLOCK + 1);
    for block in items.chunks(BLOCK) {
        let begun = Instant::now();
        block.iter().try_for_each(&mut work)?;
        figures.push(begun.elapsed().as_secs_f64() * 1e6 / block.len() as f64);
    }
    Ok(median(figures))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_taken_of_any_number() {
        assert_eq!(median(vec![]), 0.0);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
    }

    #[test]
    fn latencies_add_up() {
        let (mut all, mut some) = (Latencies::default(), Latencies::default());
        all.record(Duration::from_micros(10));
        some.record(Duration::from_micros(30));
        all.add(&some);
        assert_eq!(all.len(), 2);
        assert!((all.micros_at(0.5) - 10.0).abs() < 0.1);
        assert!((all.micros_at(1.0) - 30.0).abs() < 0.1);
    }
}

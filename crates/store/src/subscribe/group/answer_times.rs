//! How long consumers take to answer, in the figures KurrentDB gives.

use std::time::Duration;

use crate::subscribe::group_state::Latencies;

/// How long messages were in the hands of consumers until they were acked or nacked: figures over the newest answers
/// ([`GROUP_LATENCIES_MAX`](crate::limits::GROUP_LATENCIES_MAX)). Kept by groups with [`extra_statistics`](crate::GroupSettings::extra_statistics).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnswerTimes {
    /// How many answers the figures are about.
    pub answers: u64,
    /// The mean.
    pub mean: Duration,
    /// Half of the answers took no longer.
    pub median: Duration,
    /// The shortest.
    pub fastest: Duration,
    /// The longest.
    pub highest: Duration,
    /// A fifth of the answers took no longer than the first, two fifths than the second, and so on.
    pub quintiles: [Duration; 5],
    /// 90, 95, 99, 99.5 and 99.9 % of the answers took no longer.
    pub percentiles: [Duration; 5],
}

/// What [`AnswerTimes::percentiles`] are about, in thousandths.
const PER_MILLE: [usize; 5] = [900, 950, 990, 995, 999];

impl AnswerTimes {
    /// The figures; `None` without an answer.
    pub(super) fn of(latencies: &Latencies) -> Option<Self> {
        let sorted = latencies.sorted_micros();
        let count = sorted.len() as u64;
        let sum: u64 = sorted.iter().map(|micros| u64::from(*micros)).sum();
        // The shortest time that so many thousandths of the answers did not exceed.
        let below = |per_mille: usize| {
            let place = (sorted.len() * per_mille).div_ceil(1000).saturating_sub(1);
            Duration::from_micros(sorted.get(place).copied().unwrap_or(0).into())
        };
        Some(Self {
            answers: count,
            mean: Duration::from_micros(sum.checked_div(count)?),
            median: below(500),
            fastest: below(0),
            highest: below(1000),
            quintiles: [200, 400, 600, 800, 1000].map(below),
            percentiles: PER_MILLE.map(below),
        })
    }

    /// The figures under the names KurrentDB gives them.
    #[must_use]
    pub fn named(&self) -> [(&'static str, Duration); 14] {
        let [first, second, third, fourth, fifth] = self.quintiles;
        let [p90, p95, p99, p99_5, p99_9] = self.percentiles;
        [
            ("Highest", self.highest),
            ("Mean", self.mean),
            ("Median", self.median),
            ("Fastest", self.fastest),
            ("Quintile 1", first),
            ("Quintile 2", second),
            ("Quintile 3", third),
            ("Quintile 4", fourth),
            ("Quintile 5", fifth),
            ("90%", p90),
            ("95%", p95),
            ("99%", p99),
            ("99.5%", p99_5),
            ("99.9%", p99_9),
        ]
    }
}

//! Property tests of laws over generated events: what [`laws!`](crate::laws!) runs. Reproducible: the same events in each run.

use std::fmt::Debug;

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

use super::{Broken, Laws, Witness};
use crate::model::Algebraic;

/// Sequences tried.
const CASES: u32 = 1_000;
/// Events in the longest one.
const EVENTS_MAX: usize = 24;

/// A number in which the extremes are as likely as the rest: what finds overflow.
pub fn extreme_i64() -> impl Strategy<Value = i64> + Clone {
    prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), Just(1), Just(-1), -9..9_i64, any::<i64>()]
}

/// Tries the laws on sequences of generated events.
///
/// # Errors
/// The law that does not hold, and the smallest sequence found that shows it.
pub fn holds<M: Algebraic>(laws: &Laws<M>, event: impl Strategy<Value = M::Event>) -> Result<(), Broken>
where
    M::Event: Clone + Debug,
{
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 10_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let sequences = (prop::collection::vec(event, 0..EVENTS_MAX), any::<[u16; 2]>());
    let broken = std::cell::RefCell::new(None);
    let outcome = runner.run(&sequences, |(events, cuts)| {
        laws.check(&Witness::imagined(events), cuts.map(usize::from)).map_err(|found| {
            let failure = TestCaseError::fail(found.law);
            *broken.borrow_mut() = Some(found);
            failure
        })
    });
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, (events, cuts))) => {
            let counter_example = laws.check(&Witness::imagined(events.clone()), cuts.map(usize::from)).err();
            let found = counter_example.or_else(|| broken.take());
            let (law, evidence) = found.map_or(("no panics", reason.to_string()), |found| (found.law, found.evidence));
            Err(Broken { law, evidence: format!("{evidence}\n  events: {events:?}") })
        }
        Err(TestError::Abort(reason)) => Err(Broken { law: "events can be generated", evidence: reason.to_string() }),
    }
}

/// As [`holds`].
///
/// # Panics
/// If a law does not hold, with what shows it.
pub fn assert_holds<M: Algebraic>(laws: &Laws<M>, event: impl Strategy<Value = M::Event>)
where
    M::Event: Clone + Debug,
{
    if let Err(broken) = holds(laws, event) {
        panic!("{}: {broken}", M::name());
    }
}

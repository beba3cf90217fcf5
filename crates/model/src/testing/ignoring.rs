//! Whether what a command says it ignores cannot change its verdict: tried on generated histories.

use std::fmt::Debug;

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};

use super::given;
use crate::{command::Decide, event::Event};

/// Histories tried.
const CASES: u32 = 1_000;
/// Events in the longest one.
const EVENTS_MAX: usize = 16;

/// Tries whether a command decides the same before and after events that it [ignores](crate::Command::IGNORES). `event` makes all kinds of
/// events, ignored ones among them.
///
/// # Errors
/// The smallest history found after which it does not, and the events that make the difference.
pub fn ignores_hold<C, E>(command: impl Strategy<Value = C>, event: impl Strategy<Value = E>) -> Result<(), String>
where
    C: Decide<Event: PartialEq + Debug, Refusal: PartialEq + Debug> + Debug,
    E: Event + Clone + Debug,
{
    let is_ignored = |event: &E| C::IGNORES.contains(&E::KINDS[event.kind_index()].name);
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 10_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let histories = prop::collection::vec(event, 0..EVENTS_MAX);
    let mut seen = false;
    let seen = std::cell::Cell::from_mut(&mut seen);
    let outcome = runner.run(&(command, histories), |(command, events)| {
        // The last of each history are recorded meanwhile.
        let (meanwhile, before): (Vec<_>, Vec<_>) = events.into_iter().partition(is_ignored);
        seen.set(seen.get() || !meanwhile.is_empty());
        let decided = given(before.clone()).when(&command).result();
        let overtaken = given(before.iter().cloned().chain(meanwhile.clone())).when(&command).result();
        if decided == overtaken {
            return Ok(());
        }
        let differ = format!("{decided:?}\n  and, after {meanwhile:?}, {overtaken:?}\n  history: {before:?}");
        Err(TestCaseError::fail(format!("{} decides {differ}", C::NAME)))
    });
    match outcome {
        Err(error) => Err(error.to_string()),
        Ok(()) if !seen.get() => Err(format!("no event was generated that {} ignores", C::NAME)),
        Ok(()) => Ok(()),
    }
}

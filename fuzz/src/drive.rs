//! Driving a target without libFuzzer: mutate, feed, and make what breaks it small.

use std::{
    panic::{self, AssertUnwindSafe},
    time::{Duration, Instant},
};

use crate::{
    mutate::{self, Random},
    targets::Target,
};

/// How a drive ended.
#[derive(Debug)]
pub enum Ending {
    /// So many inputs were fed, and every promise was kept.
    Kept(u64),
    /// This input breaks one.
    Broken {
        /// The input, as small as it could be made.
        input: Vec<u8>,
        /// What the target said.
        message: String,
    },
}

/// Feeds the corpus and then mutations of it until `time` is over, or `inputs_max` are fed.
pub fn drive(target: Target, corpus: &[Vec<u8>], seed: u64, time: Duration, inputs_max: u64) -> Ending {
    let mut random = Random::seeded(seed);
    let started = Instant::now();
    let mut fed = 0;
    let mut seeds = corpus.iter().cloned();
    while fed < inputs_max && (fed % 64 != 0 || started.elapsed() < time) {
        let input = seeds.next().unwrap_or_else(|| mutate::mutated(&mut random, corpus, target.tokens));
        fed += 1;
        if complaint(target, &input).is_some() {
            let input = smaller(target, input);
            let message = complaint(target, &input).unwrap_or_default();
            return Ending::Broken { input, message };
        }
    }
    Ending::Kept(fed)
}

/// What the target says of an input, if it breaks a promise.
pub fn complaint(target: Target, input: &[u8]) -> Option<String> {
    let broken = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input))).err()?;
    let text = broken.downcast_ref::<String>().cloned();
    Some(text.or_else(|| broken.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
}

/// Cuts out pieces, halves first, single bytes last, as long as the input still breaks the promise.
fn smaller(target: Target, mut input: Vec<u8>) -> Vec<u8> {
    let mut piece = input.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        while at < input.len() {
            let end = (at + piece).min(input.len());
            let shorter = [&input[..at], &input[end..]].concat();
            if complaint(target, &shorter).is_some() {
                input = shorter;
            } else {
                at = end;
            }
        }
        piece /= 2;
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target with a planted bug: three bytes in a row that nothing in the corpus has.
    const PLANTED: Target = Target {
        name: "planted",
        run: |input| assert!(!input.windows(3).any(|bytes| bytes == b"<!>"), "planted bug"),
        tokens: &[b"<", b"!", b">"],
    };

    #[test]
    fn a_planted_bug_is_found_and_made_small() {
        let corpus = [b"a corpus of harmless text".to_vec()];
        let ending = drive(PLANTED, &corpus, 1, Duration::from_secs(3600), 1_000_000);
        let Ending::Broken { input, message } = ending else { panic!("not found: {ending:?}") };
        assert_eq!(input, b"<!>");
        assert_eq!(message, "planted bug");
    }

    #[test]
    fn the_corpus_itself_is_fed() {
        let corpus = [b"a".to_vec(), b"<!>".to_vec()];
        assert!(matches!(drive(PLANTED, &corpus, 1, Duration::from_secs(3600), 2), Ending::Broken { .. }));
    }
}

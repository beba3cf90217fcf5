//! The simulation itself: the same seed must leave the same bytes, or no trace can be trusted.

use gesta_sim::trace;

#[test]
fn a_seed_decides_every_byte() {
    for seed in 0..8 {
        let (first, second) = (trace::run(seed, 60), trace::run(seed, 60));
        assert_eq!(format!("{:?}", first.steps), format!("{:?}", second.steps), "seed={seed}");
        assert_eq!(first.digest, second.digest, "seed={seed}");
        assert_eq!(first.violation, second.violation, "seed={seed}");
    }
}

#[test]
fn a_trace_can_be_replayed() {
    for seed in 0..4 {
        let run = trace::run(seed, 60);
        assert_eq!(trace::replay(seed, &run.steps), run.violation, "seed={seed}");
    }
}

#[test]
fn every_promise_holds_for_a_few_seeds() {
    for seed in 0..24 {
        let run = trace::run(seed, 80);
        assert_eq!(run.violation, None, "seed={seed}");
    }
}

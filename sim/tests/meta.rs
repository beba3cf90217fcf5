//! The simulation itself: the same seed must leave the same bytes, or no trace can be trusted.

use gesta_sim::{
    crowd::Crowd,
    trace::{self, Scene},
    world::World,
};

fn every_byte_is_decided<S: Scene>() {
    for seed in 0..8 {
        let (first, second) = (trace::run::<S>(seed, 60), trace::run::<S>(seed, 60));
        assert_eq!(format!("{:?}", first.steps), format!("{:?}", second.steps), "seed={seed}");
        assert_eq!(first.digest, second.digest, "seed={seed}");
        assert_eq!(first.violation, second.violation, "seed={seed}");
    }
}

fn traces_can_be_replayed<S: Scene>() {
    for seed in 0..4 {
        let run = trace::run::<S>(seed, 60);
        assert_eq!(trace::replay::<S>(seed, &run.steps), run.violation, "seed={seed}");
    }
}

fn every_promise_holds<S: Scene>() {
    for seed in 0..24 {
        let run = trace::run::<S>(seed, 80);
        assert_eq!(run.violation, None, "seed={seed}");
    }
}

#[test]
fn a_seed_decides_every_byte() {
    every_byte_is_decided::<World>();
    every_byte_is_decided::<Crowd>();
}

#[test]
fn a_trace_can_be_replayed() {
    traces_can_be_replayed::<World>();
    traces_can_be_replayed::<Crowd>();
}

#[test]
fn every_promise_holds_for_a_few_seeds() {
    every_promise_holds::<World>();
    every_promise_holds::<Crowd>();
}

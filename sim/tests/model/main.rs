//! Model-based property tests: random interleavings of every operation, through the public API, against a naive store in memory. What
//! fails is shrunk by proptest to the least script that still does.
//!
//! `PROPTEST_CASES` asks for another number of cases.

mod script;
mod strategies;

use std::cell::RefCell;

use gesta_sim::{
    Violation,
    model::{Flaw, Model},
    settings::Settings,
    step::Step,
    world::World,
};
use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestCaseResult, TestError, TestRng, TestRunner},
};

use script::{Act, Director};

/// Lets a script happen to a new store with the settings of `seed`.
fn play(seed: u64, model: Model, acts: &[Act]) -> TestCaseResult {
    let steps = RefCell::new(Vec::new());
    let outcome = || -> Result<(), Violation> {
        let mut world = World::with_model(Settings::of(seed), model)?;
        let mut director = Director::default();
        for act in acts {
            let step = director.step(act, world.sight());
            steps.borrow_mut().push(step.clone());
            world.step(&step)?;
        }
        world.step(&Step::CheckAll)
    };
    outcome().map_err(|violation| {
        let steps: Vec<String> = steps.borrow().iter().map(|step| format!("{step:?}")).collect();
        TestCaseError::fail(format!("{violation}\nsettings={seed} steps:\n{}", steps.join("\n")))
    })
}

fn cases(cases: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { cases };
    // A failing script is printed whole; there is nothing to look up in a file.
    ProptestConfig { cases, max_shrink_iters: 20_000, failure_persistence: None, ..asked }
}

proptest! {
    #![proptest_config(cases(6000))]

    #[test]
    fn a_store_answers_as_its_model(seed in 0..12_u64, acts in strategies::acts()) {
        play(seed, Model::default(), &acts)?;
    }
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn so_does_one_that_is_restarted_and_crashes(seed in 0..12_u64, acts in strategies::acts_and_disasters()) {
        play(seed, Model::default(), &acts)?;
    }
}

/// Small logs are scanned; this one is large enough for queries to be answered by the index: written in pieces, with runs on disk, runs
/// merged and a part in memory, and asked thousands of questions.
#[test]
fn a_large_log_answers_as_its_model() {
    for (seed, rounds) in [(2, 8_u32), (3, 3)] {
        let mut world = World::new(Settings::of(seed)).expect("opens");
        let mut director = Director::default();
        for round in 0..rounds {
            for act in [Act::Bulk(240 + 17 * round as u16), Act::Advance(7000)] {
                let step = director.step(&act, world.sight());
                world.step(&step).expect("holds");
            }
            if round % 2 == 0 {
                world.step(&Step::Settle).expect("holds");
            }
        }
        world.step(&Step::CheckAll).expect("holds");
        let world = RefCell::new(world);
        let mut runner = TestRunner::new(cases(1500));
        let ask = prop_oneof![
            3 => strategies::any_read().prop_map(|(source, reading)| Act::Read(source, reading)),
            1 => (strategies::query(), strategies::reading())
                .prop_map(|(query, reading)| Act::Explain(query, reading)),
        ];
        let asked = runner.run(&ask, |act| {
            let mut world = world.borrow_mut();
            let step = Director::default().step(&act, world.sight());
            world.step(&step).map_err(|violation| TestCaseError::fail(violation.to_string()))
        });
        if let Err(error) = asked {
            panic!("seed={seed}: {error}");
        }
    }
}

/// Plays scripts against a model that makes a mistake, until it is noticed; the least script that shows it.
fn least_script(flaw: Flaw) -> Vec<Act> {
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(cases(3000), random);
    match runner.run(&strategies::acts(), |acts| play(0, Model::with_flaw(flaw), &acts)) {
        Err(TestError::Fail(_, acts)) => acts,
        outcome => panic!("nobody noticed, flaw={flaw:?}: {outcome:?}"),
    }
}

/// A test that cannot fail proves nothing: each planted mistake must be found, and be told in a handful of acts.
#[test]
fn planted_mistakes_are_found_and_shrink() {
    for (flaw, most) in
        [(Flaw::ExactIsOneMore, 3), (Flaw::AfterIsIncluded, 4), (Flaw::DeletesNothing, 3), (Flaw::LimitIsOneMore, 5)]
    {
        let acts = least_script(flaw);
        println!("{flaw:?}: {acts:?}");
        assert!(acts.len() <= most, "{} acts are left, flaw={flaw:?}: {acts:#?}", acts.len());
    }
}

//! What happened, how to let it happen again, and the least of it that still goes wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Violation, settings::Settings, step::Step, workload::Workload, world::World};

/// The steps of a run, and how it ended.
#[derive(Clone, Debug)]
pub struct Run {
    /// What happened, in order.
    pub steps: Vec<Step>,
    /// What was broken by the last step, if anything was.
    pub violation: Option<Violation>,
    /// A digest of every byte on the disk at the end.
    pub digest: u64,
}

/// Lets the steps of a seed happen, at most `steps` of them.
#[must_use]
pub fn run(seed: u64, steps: usize) -> Run {
    let mut workload = Workload::new(seed);
    let mut trace = Vec::new();
    let source = |world: &World, trace: &mut Vec<Step>| {
        let step = match trace.len() {
            taken if taken == steps => Step::CheckAll,
            taken if taken > steps => return None,
            _ => workload.next(world.sight()),
        };
        trace.push(step.clone());
        Some(step)
    };
    let (violation, digest) = happen(seed, &mut trace, source);
    Run { steps: trace, violation, digest }
}

/// Lets recorded steps happen to the world of a seed.
#[must_use]
pub fn replay(seed: u64, steps: &[Step]) -> Option<Violation> {
    let mut rest = steps.iter();
    happen(seed, &mut Vec::new(), |_, _| rest.next().cloned()).0
}

fn happen(
    seed: u64,
    trace: &mut Vec<Step>,
    mut source: impl FnMut(&World, &mut Vec<Step>) -> Option<Step>,
) -> (Option<Violation>, u64) {
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let mut world = match World::new(Settings::of(seed)) {
            Ok(world) => world,
            Err(violation) => return (Some(violation), 0),
        };
        while let Some(step) = source(&world, trace) {
            if let Err(violation) = world.step(&step) {
                return (Some(violation), world.digest());
            }
        }
        (None, world.digest())
    }));
    ran.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        (Some(Violation::new("panic", text.unwrap_or_default())), 0)
    })
}

/// Takes out of `steps` whatever can be taken out while the same promise is still broken. `steps` must break it.
#[must_use]
pub fn shrink(seed: u64, steps: &[Step], violation: &Violation) -> Vec<Step> {
    let fails = |steps: &[Step]| replay(seed, steps).is_some_and(|found| found.promise == violation.promise);
    let mut least = steps.to_vec();
    let mut chunk = least.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        let mut shrunk = false;
        while from < least.len() {
            let mut candidate = least.clone();
            candidate.drain(from..(from + chunk).min(least.len()));
            if fails(&candidate) {
                least = candidate;
                shrunk = true;
            } else {
                from += chunk;
            }
        }
        if chunk == 1 && !shrunk {
            break;
        }
        chunk = (chunk / 2).max(1);
    }
    for index in 0..least.len() {
        shrink_group(&mut least, index, &fails);
    }
    least
}

/// Takes requests out of a group.
fn shrink_group(steps: &mut Vec<Step>, index: usize, fails: &impl Fn(&[Step]) -> bool) {
    let mut request = 0;
    while let Step::Commit(requests) = &steps[index] {
        if request >= requests.len() || requests.len() == 1 {
            break;
        }
        let mut fewer = requests.clone();
        fewer.remove(request);
        let mut candidate = steps.clone();
        candidate[index] = Step::Commit(fewer);
        if fails(&candidate) {
            *steps = candidate;
        } else {
            request += 1;
        }
    }
}

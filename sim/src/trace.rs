//! What happened, how to let it happen again, and the least of it that still goes wrong.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
};

use gesta_store::disk::memory::MemoryDisk;

use crate::{
    Violation,
    crowd::{self, Crowd},
    settings::Settings,
    step::Step,
    workload::Workload,
    world::World,
};

/// The steps of a run, and how it ended.
#[derive(Clone, Debug)]
pub struct Run<S> {
    /// What happened, in order.
    pub steps: Vec<S>,
    /// What was broken by the last step, if anything was.
    pub violation: Option<Violation>,
    /// A digest of every byte on the disk at the end.
    pub digest: u64,
}

/// A digest of every byte on a disk.
pub(crate) fn digest(disk: &MemoryDisk) -> u64 {
    let mut hasher = DefaultHasher::new();
    disk.snapshot().hash(&mut hasher);
    hasher.finish()
}

/// Something steps happen to.
pub trait Scene: Sized {
    /// What can happen.
    type Step: Clone + fmt::Debug;
    /// Where steps come from.
    type Workload;

    /// How a run of a seed begins.
    ///
    /// # Errors
    /// A violation, when it cannot even begin.
    fn begin(seed: u64) -> Result<Self, Violation>;

    /// The steps of a seed.
    fn workload(seed: u64) -> Self::Workload;

    /// The next step.
    fn next(&self, workload: &mut Self::Workload) -> Self::Step;

    /// The last step of every run, which checks everything.
    fn last() -> Self::Step;

    /// Lets a step happen and checks what it shows.
    ///
    /// # Errors
    /// The promise that was broken.
    fn happen(&mut self, step: &Self::Step) -> Result<(), Violation>;

    /// A digest of every byte on the disk.
    fn bytes(&self) -> u64;

    /// The same step with one thing less in it, in every way.
    fn lesser(step: &Self::Step) -> Vec<Self::Step>;
}

impl Scene for World {
    type Step = Step;
    type Workload = Workload;

    fn begin(seed: u64) -> Result<Self, Violation> {
        Self::new(Settings::of(seed))
    }

    fn workload(seed: u64) -> Workload {
        Workload::new(seed)
    }

    fn next(&self, workload: &mut Workload) -> Step {
        workload.next(self.sight())
    }

    fn last() -> Step {
        Step::CheckAll
    }

    fn happen(&mut self, step: &Step) -> Result<(), Violation> {
        self.step(step)
    }

    fn bytes(&self) -> u64 {
        self.digest()
    }

    /// A request less in a group.
    fn lesser(step: &Step) -> Vec<Step> {
        let Step::Commit(requests) = step else { return Vec::new() };
        if requests.len() == 1 { Vec::new() } else { without_one(requests).map(Step::Commit).collect() }
    }
}

impl Scene for Crowd {
    type Step = crowd::step::Step;
    type Workload = crowd::workload::Workload;

    fn begin(seed: u64) -> Result<Self, Violation> {
        Self::new(Settings::of(seed))
    }

    fn workload(seed: u64) -> Self::Workload {
        Self::Workload::new(seed)
    }

    fn next(&self, workload: &mut Self::Workload) -> Self::Step {
        workload.next(self)
    }

    fn last() -> Self::Step {
        Self::Step::Settle
    }

    fn happen(&mut self, step: &Self::Step) -> Result<(), Violation> {
        self.step(step)
    }

    fn bytes(&self) -> u64 {
        self.digest()
    }

    /// An event less in a commit, an ending less of a handler, a step less of it.
    fn lesser(step: &Self::Step) -> Vec<Self::Step> {
        match step {
            Self::Step::Append(stream, events) if events.len() > 1 => {
                without_one(events).map(|events| Self::Step::Append(stream, events)).collect()
            }
            Self::Step::Handle(handler, steps, endings) => {
                let fewer = without_one(endings).map(|endings| Self::Step::Handle(*handler, *steps, endings));
                let shorter = (*steps > 1).then(|| Self::Step::Handle(*handler, steps - 1, endings.clone()));
                fewer.chain(shorter).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// All lists with one element less.
fn without_one<T: Clone>(all: &[T]) -> impl Iterator<Item = Vec<T>> {
    (0..all.len()).map(|place| {
        let mut fewer = all.to_vec();
        fewer.remove(place);
        fewer
    })
}

/// Lets the steps of a seed happen, at most `steps` of them.
#[must_use]
pub fn run<S: Scene>(seed: u64, steps: usize) -> Run<S::Step> {
    let mut workload = S::workload(seed);
    let mut trace = Vec::new();
    let source = |scene: &S, trace: &mut Vec<S::Step>| {
        let step = match trace.len() {
            taken if taken == steps => S::last(),
            taken if taken > steps => return None,
            _ => scene.next(&mut workload),
        };
        trace.push(step.clone());
        Some(step)
    };
    let (violation, digest) = happen(seed, &mut trace, source);
    Run { steps: trace, violation, digest }
}

/// Lets recorded steps happen to the scene of a seed.
#[must_use]
pub fn replay<S: Scene>(seed: u64, steps: &[S::Step]) -> Option<Violation> {
    let mut rest = steps.iter();
    happen(seed, &mut Vec::new(), |_: &S, _| rest.next().cloned()).0
}

fn happen<S: Scene>(
    seed: u64,
    trace: &mut Vec<S::Step>,
    mut source: impl FnMut(&S, &mut Vec<S::Step>) -> Option<S::Step>,
) -> (Option<Violation>, u64) {
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let mut scene = match S::begin(seed) {
            Ok(scene) => scene,
            Err(violation) => return (Some(violation), 0),
        };
        while let Some(step) = source(&scene, trace) {
            if let Err(violation) = scene.happen(&step) {
                return (Some(violation), scene.bytes());
            }
        }
        (None, scene.bytes())
    }));
    ran.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        (Some(Violation::new("panic", text.unwrap_or_default())), 0)
    })
}

/// Takes out of `steps` whatever can be taken out while the same promise is still broken. `steps` must break it.
#[must_use]
pub fn shrink<S: Scene>(seed: u64, steps: &[S::Step], violation: &Violation) -> Vec<S::Step> {
    let fails = |steps: &[S::Step]| replay::<S>(seed, steps).is_some_and(|found| found.promise == violation.promise);
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
        while let Some(step) = S::lesser(&least[index]).into_iter().find(|lesser| {
            let mut candidate = least.clone();
            candidate[index] = lesser.clone();
            fails(&candidate)
        }) {
            least[index] = step;
        }
    }
    least
}

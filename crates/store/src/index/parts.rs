//! Which parts the index has now: a view that is replaced as a whole.
//!
//! Three replace it: the writer when it seals, and maintenance when a run is built or merged. Each puts something in the place of parts
//! it names by their positions, so none of them needs to know what the others did meanwhile; the lock is held for that and no I/O.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};

use super::{memory::Memory, part::Part, run::Run, view::View};

/// See the module's words.
#[derive(Debug)]
pub(super) struct Parts {
    view: ArcSwap<View>,
    /// Held while the view is replaced.
    replacing: Mutex<()>,
}

impl Parts {
    /// The runs there are, which follow each other from 0, and an open part behind them.
    pub(super) fn new(runs: Vec<Run>) -> Self {
        let covered = runs.last().map_or(0, |run| run.trailer.extent.end);
        let mut parts: Vec<Part> = runs.into_iter().map(|run| Part::Run(Arc::new(run))).collect();
        parts.push(Part::Memory(Arc::new(Memory::new(covered)), u64::MAX));
        Self { view: ArcSwap::from_pointee(View { parts }), replacing: Mutex::new(()) }
    }

    /// The view of now, for a short look.
    pub(super) fn load(&self) -> Guard<Arc<View>> {
        self.view.load()
    }

    /// The view of now, to be kept.
    pub(super) fn load_full(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Turns everything before `end` into a pending part.
    pub(super) fn seal(&self, end: u64) {
        let _replacing = self.replace();
        let view = self.view.load_full();
        let memory = view.open();
        if end <= memory.first() {
            return;
        }
        let inserted = memory.read().end();
        assert!(end <= inserted, "what is sealed was inserted before, end={end} inserted={inserted}");
        let open = if end == inserted { Memory::new(inserted) } else { memory.split_off(end) };
        let mut parts = view.parts.clone();
        parts.pop();
        parts.extend([Part::Memory(memory.clone(), end), Part::Memory(Arc::new(open), u64::MAX)]);
        self.view.store(Arc::new(View { parts }));
    }

    /// Puts a run in the place of the parts it was made from.
    pub(super) fn put(&self, run: &Arc<Run>) {
        let _replacing = self.replace();
        let replaced = self.view.load().with(run);
        self.view.store(Arc::new(replaced));
    }

    fn replace(&self) -> MutexGuard<'_, ()> {
        self.replacing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    /// The same with a run in the place of the parts it was made from: those that cover its positions.
    pub(super) fn with(&self, run: &Arc<Run>) -> Self {
        let extent = run.trailer.extent;
        let first = self.parts.partition_point(|part| part.first() < extent.first);
        let end = first + self.parts[first..].partition_point(|part| part.end() <= extent.end);
        let made_from = &self.parts[first..end];
        assert!(
            made_from.first().is_some_and(|part| part.first() == extent.first)
                && made_from.last().is_some_and(|part| part.end() == extent.end),
            "a run covers whole parts, and these are replaced by nobody else"
        );
        let mut parts = self.parts.clone();
        parts.splice(first..end, [Part::Run(Arc::clone(run))]);
        Self { parts }
    }
}

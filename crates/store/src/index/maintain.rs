//! Turning parts in memory into runs, and runs into fewer runs.
//!
//! Building a run and merging runs take turns of their own, so that a merge, which may take minutes, delays no build; neither readers nor
//! the writer wait for either. A new run is durable before the manifest names it, the manifest is durable before the view has it, and the
//! files it replaces are removed last: a crash in between costs work, never an answer. What is published replaces exactly the parts
//! it was made from, whatever was published meanwhile: builds only add behind the runs, and merges of different levels read different runs.
//!
//! Merging eight neighbours of a level into one of the next keeps the runs to at most seven a level, and writes every posting once for each
//! level. A long merge stops every now and then for the shorter ones that became due: so runs do not pile up while it lasts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::{
    Step, manifest,
    memory::Memory,
    part::Part,
    parts::Parts,
    postings::{Cursor, List},
    run::{Extent, Run, Terms, dictionary_key},
    run_writer::RunWriter,
    term::{Key, Kind, Term},
    view::View,
};
use crate::{
    disk::{Disk, leaves_room},
    error::{ErrorKind, Result},
};

/// Neighbouring runs of a level that are merged into one.
const FAN_IN: usize = 8;
/// Most positions in a run, so that distances and block offsets fit into 32 bits.
pub(super) const RUN_POSITIONS_MAX: u64 = 1 << 30;
/// Postings a merge copies before it looks up: some milliseconds of work.
const LOOKS_UP_AFTER: u64 = 1 << 16;
/// The file of a run that is being built. Merges have one for each level.
const BUILDING: &str = "building.tmp";

/// Who writes runs, and which of them are in the manifest.
#[derive(Debug)]
pub(super) struct Maintenance {
    disk: Arc<dyn Disk>,
    store_id: Uuid,
    /// Held for a build.
    building: Mutex<()>,
    /// Held for a merge and the shorter ones within it.
    merging: Mutex<()>,
    /// Held while the manifest is replaced, and the view after it: so both change in the same order.
    naming: Mutex<Naming>,
}

#[derive(Debug)]
struct Naming {
    /// Runs that reach past this position are no longer in the manifest: one of them is damaged.
    trusted_end: u64,
}

/// Runs to be merged, oldest first.
struct Group {
    inputs: Vec<Arc<Run>>,
    level: u16,
}

impl Maintenance {
    pub(super) fn new(disk: Arc<dyn Disk>, store_id: Uuid) -> Self {
        let naming = Mutex::new(Naming { trusted_end: u64::MAX });
        Self { disk, store_id, building: Mutex::default(), merging: Mutex::default(), naming }
    }

    /// Writes the oldest pending part that ends at or before `durable`; before that, sees to what is damaged.
    pub(super) fn build(&self, parts: &Parts, durable: u64) -> Result<Step> {
        let _turn = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        self.unless_damaged(parts, || {
            let view = parts.load_full();
            match oldest_pending(&view, durable) {
                Some((index, memory, end)) => self.build_part(parts, &view, index, memory, end),
                None => Ok(Step::Idle),
            }
        })
    }

    /// Merges once, if there are runs to be merged; before that, sees to what is damaged. Given up when `go_on` says no.
    pub(super) fn merge(&self, parts: &Parts, go_on: &dyn Fn() -> bool) -> Result<Step> {
        let _turn = self.merging.lock().unwrap_or_else(PoisonError::into_inner);
        self.unless_damaged(parts, || self.merge_below(u16::MAX, parts, go_on))
    }

    fn unless_damaged(&self, parts: &Parts, work: impl FnOnce() -> Result<Step>) -> Result<Step> {
        if self.drop_damaged(parts)? {
            return Ok(Step::Dropped);
        }
        match work() {
            Err(error) if error.kind() == ErrorKind::Corrupted && self.drop_damaged(parts)? => Ok(Step::Dropped),
            outcome => outcome,
        }
    }

    fn naming(&self) -> MutexGuard<'_, Naming> {
        self.naming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the first damaged run, and all after it, out of the manifest, so that the next open rebuilds them.
    fn drop_damaged(&self, parts: &Parts) -> Result<bool> {
        let mut naming = self.naming();
        let view = parts.load_full();
        let damaged = runs(&view).find(|run| run.body().is_damaged() && run.trailer.extent.end <= naming.trusted_end);
        let Some(damaged) = damaged else { return Ok(false) };
        let trusted_end = damaged.trailer.extent.first;
        self.name(&view, trusted_end)?;
        naming.trusted_end = trusted_end;
        Ok(true)
    }

    /// Writes a pending part as a run of level 0.
    fn build_part(&self, parts: &Parts, view: &View, index: usize, memory: &Memory, end: u64) -> Result<Step> {
        let mut writer = RunWriter::create(&*self.disk, BUILDING)?;
        let length = end - memory.first();
        for kind in Kind::ALL {
            let (tables, ids) = memory.ordered(kind, "", "");
            for id in ids {
                let items = tables.postings(id).iter().take_while(|&&item| u64::from(item) < length);
                items.copied().try_for_each(|item| writer.push(item))?;
                let text = tables.text(id);
                let base = match tables.base(id) {
                    Some(base) => base,
                    None => view.count_before_part(index, Key::from(Term::new(kind, text)))?,
                };
                writer.end_term(kind, text, base)?;
            }
        }
        let extent = Extent { first: memory.first(), end };
        writer.finish(self.store_id, extent, 0)?;
        let run = Arc::new(Run::open(&*self.disk, extent, self.store_id)?);
        self.publish(&self.naming(), parts, &run)?;
        Ok(Step::Built)
    }

    /// The neighbours to be merged next: of the lowest level, which are the cheapest, and among these the oldest, so that levels only ever
    /// go down from old to new, and no run is left between others that it cannot be merged with.
    fn mergeable(&self, view: &View, below: u16) -> Option<Group> {
        let trusted_end = self.naming().trusted_end;
        let runs: Vec<&Arc<Run>> = runs(view).take_while(|run| run.trailer.extent.end <= trusted_end).collect();
        let fits = |group: &&[&Arc<Run>]| {
            let (level, first) = (group[0].trailer.level, group[0].trailer.extent.first);
            let span = group[FAN_IN - 1].trailer.extent.end - first;
            level < below && span <= RUN_POSITIONS_MAX && group.iter().all(|run| run.trailer.level == level)
        };
        let group = runs.windows(FAN_IN).filter(fits).min_by_key(|group| group[0].trailer.level)?;
        Some(Group { inputs: group.iter().map(|&run| Arc::clone(run)).collect(), level: group[0].trailer.level })
    }

    /// Merges once, runs of a level below `below`.
    fn merge_below(&self, below: u16, parts: &Parts, go_on: &dyn Fn() -> bool) -> Result<Step> {
        let Some(Group { inputs, level }) = self.mergeable(&parts.load(), below) else { return Ok(Step::Idle) };
        // The merged run stands beside them until it is named. More runs are slower to ask, and nothing worse.
        if !leaves_room(&*self.disk, inputs.iter().map(|run| run.file_bytes).sum()) {
            return Ok(Step::Idle);
        }
        let first = inputs[0].trailer.extent.first;
        let extent = Extent { first, end: inputs[FAN_IN - 1].trailer.extent.end };
        let mut writer = RunWriter::create(&*self.disk, &format!("merging-{level}.tmp"))?;
        let mut sources = inputs.iter().map(|run| Source::open(run, first)).collect::<Result<Vec<_>>>()?;
        let mut copied = 0;
        while let Some(key) = sources.iter().filter_map(Source::key).min().map(<[u8]>::to_vec) {
            let mut base = None;
            for source in sources.iter_mut().filter(|source| source.key() == Some(&key[..])) {
                base.get_or_insert(source.list.map_or(0, |list| list.base));
                copied += source.copy_list(&mut writer)?;
                source.advance()?;
            }
            let (kind, text) = inputs[0].term(&key)?;
            writer.end_term(kind, text, base.unwrap_or(0))?;
            if copied >= LOOKS_UP_AFTER {
                copied = 0;
                if !go_on() {
                    writer.give_up();
                    return Ok(Step::Idle);
                }
                // Those that came meanwhile are of lower levels, so they are never among the inputs.
                while self.merge_below(level, parts, go_on)? == Step::Merged {}
            }
        }
        drop(sources);
        writer.finish(self.store_id, extent, level.saturating_add(1))?;
        self.publish_merged(parts, extent, &inputs)
    }

    /// Names a merged run in the place of its inputs, and removes these.
    fn publish_merged(&self, parts: &Parts, extent: Extent, inputs: &[Arc<Run>]) -> Result<Step> {
        let run = Arc::new(Run::open(&*self.disk, extent, self.store_id)?);
        let naming = self.naming();
        if extent.end > naming.trusted_end {
            // One of the inputs was found damaged meanwhile. Those before it are good, and stay.
            let _ = self.disk.remove(&extent.path());
            return Ok(Step::Dropped);
        }
        self.publish(&naming, parts, &run)?;
        drop(naming);
        for input in inputs {
            // Readers keep what they have mapped. A file that stays behind is removed at the next open.
            let _ = self.disk.remove(&input.trailer.extent.path());
        }
        Ok(Step::Merged)
    }

    /// Names a finished run in the manifest, then shows it.
    fn publish(&self, naming: &Naming, parts: &Parts, run: &Arc<Run>) -> Result<()> {
        self.name(&parts.load().with(run), naming.trusted_end)?;
        parts.put(run);
        Ok(())
    }

    /// Replaces the manifest by one of the runs of `view` that end at or before `trusted_end`. Only while `naming` is held.
    fn name(&self, view: &View, trusted_end: u64) -> Result<()> {
        let extents = runs(view).map(|run| run.trailer.extent).take_while(|extent| extent.end <= trusted_end);
        manifest::write(&*self.disk, self.store_id, &extents.collect::<Vec<_>>())
    }
}

/// A run that is being merged: its next term.
struct Source<'r> {
    run: &'r Run,
    terms: Terms<'r>,
    key: Vec<u8>,
    list: Option<List>,
    cursor: Option<Cursor>,
    /// How far its first position is from the first position of the merged run.
    shift: u32,
}

impl<'r> Source<'r> {
    fn open(run: &'r Run, first: u64) -> Result<Self> {
        let shift = u32::try_from(run.trailer.extent.first - first).expect("a merged run spans at most 2^30 positions");
        let terms = run.terms_from(&dictionary_key(Kind::Stream, ""));
        let mut source = Self { run, terms, key: Vec::new(), list: None, cursor: None, shift };
        source.advance()?;
        Ok(source)
    }

    fn key(&self) -> Option<&[u8]> {
        self.list.map(|_| &self.key[..])
    }

    fn advance(&mut self) -> Result<()> {
        self.key.clear();
        self.list = self.terms.next()?.map(|(key, list)| {
            self.key.extend_from_slice(key);
            list
        });
        Ok(())
    }

    /// Copies the list of the term; says how many postings it has.
    fn copy_list(&mut self, writer: &mut RunWriter<'_>) -> Result<u64> {
        let Some(list) = self.list else { return Ok(0) };
        let cursor = self.cursor.get_or_insert_with(|| Cursor::new(list));
        cursor.reuse(list);
        let mut pushed = Ok(());
        cursor.for_each(self.run.body(), 0..list.count, |item| {
            if pushed.is_ok() {
                pushed = writer.push(self.shift + item);
            }
        })?;
        pushed.map(|()| list.count)
    }
}

/// The runs of a view, oldest first; they come before all other parts.
pub(super) fn runs(view: &View) -> impl Iterator<Item = &Arc<Run>> {
    view.parts.iter().filter_map(|part| match part {
        Part::Run(run) => Some(run),
        Part::Memory(..) => None,
    })
}

/// The oldest part that waits to be written, its index and its end. The open part, which has no end, does not.
fn oldest_pending(view: &View, durable: u64) -> Option<(usize, &Memory, u64)> {
    view.parts.iter().enumerate().find_map(|(index, part)| match part {
        Part::Memory(memory, end) if *end <= durable => Some((index, &**memory, *end)),
        Part::Memory(..) | Part::Run(_) => None,
    })
}

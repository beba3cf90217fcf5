//! Turning parts in memory into runs, and runs into fewer runs.
//!
//! One step at a time, for one thread; neither readers nor the writer wait for it. A new run is durable before the manifest names it,
//! the manifest is durable before the view has it, and the files it replaces are removed last: a crash in between costs
//! work, never an answer. Merging eight neighbours of a level into one of the next keeps the runs to at most seven a level, and writes every
//! posting once for each level.

use std::{ops::Range, sync::Arc};

use uuid::Uuid;

use super::{
    Step, manifest,
    memory::Memory,
    part::Part,
    postings::{Cursor, List},
    run::{Extent, Run, Terms, dictionary_key},
    run_writer::RunWriter,
    term::{Key, Kind, Term},
    view::View,
};
use crate::{
    disk::Disk,
    error::{ErrorKind, Result},
};

/// Neighbouring runs of a level that are merged into one.
const FAN_IN: usize = 8;
/// Most positions in a run, so that distances and block offsets fit into 32 bits.
pub(super) const RUN_POSITIONS_MAX: u64 = 1 << 30;

/// Where maintenance stands between two steps.
#[derive(Debug)]
pub(super) struct Maintenance {
    disk: Arc<dyn Disk>,
    store_id: Uuid,
    /// Runs that reach past this position are no longer in the manifest: one of them is damaged.
    trusted_end: u64,
}

/// What a step did: these parts of the view it was given are to be replaced by the run.
pub(super) struct Replacement {
    pub(super) parts: Range<usize>,
    pub(super) run: Arc<Run>,
    pub(super) step: Step,
}

/// The outcome of a step.
pub(super) enum Done {
    Replace(Replacement),
    Dropped,
    Idle,
}

impl Maintenance {
    pub(super) fn new(disk: Arc<dyn Disk>, store_id: Uuid) -> Self {
        Self { disk, store_id, trusted_end: u64::MAX }
    }

    /// Does one step: what is damaged first, then what is pending, then merging.
    pub(super) fn step(&mut self, view: &View, durable: u64) -> Result<Done> {
        if self.drop_damaged(view)? {
            return Ok(Done::Dropped);
        }
        let done = match oldest_pending(view, durable) {
            Some((index, memory, end)) => self.build(view, index, memory, end),
            None => match self.mergeable(view) {
                Some(parts) => self.merge(view, parts),
                None => return Ok(Done::Idle),
            },
        };
        match done {
            Ok(replacement) => Ok(Done::Replace(replacement)),
            Err(error) if error.kind() == ErrorKind::Corrupted && self.drop_damaged(view)? => Ok(Done::Dropped),
            Err(error) => Err(error),
        }
    }

    /// Takes the first damaged run, and all after it, out of the manifest, so that the next open rebuilds them.
    fn drop_damaged(&mut self, view: &View) -> Result<bool> {
        let damaged = runs(view).find(|run| run.body().is_damaged() && run.trailer.extent.end <= self.trusted_end);
        let Some(damaged) = damaged else { return Ok(false) };
        let trusted_end = damaged.trailer.extent.first;
        let kept: Vec<Extent> =
            runs(view).map(|run| run.trailer.extent).take_while(|extent| extent.end <= trusted_end).collect();
        manifest::write(&*self.disk, self.store_id, &kept)?;
        self.trusted_end = trusted_end;
        Ok(true)
    }

    /// Writes a pending part as a run of level 0.
    fn build(&self, view: &View, index: usize, memory: &Memory, end: u64) -> Result<Replacement> {
        let mut writer = RunWriter::create(&*self.disk)?;
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
        self.publish(view, index..index + 1, extent, Step::Built)
    }

    /// The newest neighbours to be merged: they are of the lowest level, so the cheapest.
    fn mergeable(&self, view: &View) -> Option<Range<usize>> {
        let runs: Vec<&Arc<Run>> = runs(view).take_while(|run| run.trailer.extent.end <= self.trusted_end).collect();
        let starts = 0..(runs.len() + 1).saturating_sub(FAN_IN);
        let fits = |group: &[&Arc<Run>]| {
            let span = group[FAN_IN - 1].trailer.extent.end - group[0].trailer.extent.first;
            span <= RUN_POSITIONS_MAX && group.iter().all(|run| run.trailer.level == group[0].trailer.level)
        };
        starts.rev().map(|start| start..start + FAN_IN).find(|group| fits(&runs[group.clone()]))
    }

    /// Writes neighbouring runs as one. Ranges follow each other, so a term's lists do too.
    fn merge(&self, view: &View, parts: Range<usize>) -> Result<Replacement> {
        let inputs: Vec<&Arc<Run>> = runs(view).skip(parts.start).take(parts.len()).collect();
        let first = inputs[0].trailer.extent.first;
        let extent = Extent { first, end: inputs[inputs.len() - 1].trailer.extent.end };
        let mut writer = RunWriter::create(&*self.disk)?;
        let mut sources = inputs.iter().map(|run| Source::open(run, first)).collect::<Result<Vec<_>>>()?;
        while let Some(key) = sources.iter().filter_map(Source::key).min().map(<[u8]>::to_vec) {
            let mut base = None;
            for source in sources.iter_mut().filter(|source| source.key() == Some(&key[..])) {
                base.get_or_insert(source.list.map_or(0, |list| list.base));
                source.copy_list(&mut writer)?;
                source.advance()?;
            }
            let (kind, text) = inputs[0].term(&key)?;
            writer.end_term(kind, text, base.unwrap_or(0))?;
        }
        drop(sources);
        writer.finish(self.store_id, extent, inputs[0].trailer.level.saturating_add(1))?;
        let replacement = self.publish(view, parts, extent, Step::Merged)?;
        for run in inputs {
            // Readers keep what they have mapped. A file that stays behind is removed at the next open.
            let _ = self.disk.remove(&run.trailer.extent.path());
        }
        Ok(replacement)
    }

    /// Names a finished run in the manifest, in the place of `parts`.
    fn publish(&self, view: &View, parts: Range<usize>, extent: Extent, step: Step) -> Result<Replacement> {
        let run = Arc::new(Run::open(&*self.disk, extent, self.store_id)?);
        let mut extents: Vec<Extent> = runs(view).map(|run| run.trailer.extent).collect();
        extents.splice(parts.start..parts.end.min(extents.len()), [extent]);
        extents.retain(|extent| extent.end <= self.trusted_end);
        manifest::write(&*self.disk, self.store_id, &extents)?;
        Ok(Replacement { parts, run, step })
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

    fn copy_list(&mut self, writer: &mut RunWriter<'_>) -> Result<()> {
        let Some(list) = self.list else { return Ok(()) };
        let cursor = self.cursor.get_or_insert_with(|| Cursor::new(list));
        cursor.reuse(list);
        let mut pushed = Ok(());
        cursor.for_each(self.run.body(), 0..list.count, |item| {
            if pushed.is_ok() {
                pushed = writer.push(self.shift + item);
            }
        })?;
        pushed
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

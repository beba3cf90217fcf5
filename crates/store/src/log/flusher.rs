//! From groups of bytes to durable segments: the second stage of an append.
//!
//! One write is in flight at a time, and after an error there must be no further one: what a failed sync left on disk is unknown, and
//! only recovery may find out.

use std::{path::Path, sync::Arc};

use super::{
    Log, footer,
    header::{FRAMES_AT, SegmentHeader},
    mark::CleanMark,
    names,
    segment::Segment,
    writer::{Group, Part, Tally},
};
use crate::{
    disk::{AlignedBuffer, BLOCK, DiskFile, OpenMode},
    error::{Error, Result},
    position::Position,
};

/// Makes groups durable, in order.
#[derive(Debug)]
pub struct LogFlusher {
    log: Arc<Log>,
    /// Where the durable log ends.
    durable: CleanMark,
    /// Whether the directory has a mark that is true.
    marked: bool,
    /// Whether the directory is known to have no mark.
    unmarked: bool,
    note: Note,
}

/// The file `log/durable`.
#[derive(Debug)]
enum Note {
    Unopened,
    Open(Arc<dyn DiskFile>),
    /// It could not be opened or written; it then says less than it could, never more.
    Unavailable,
}

/// What a flush has made durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flushed {
    /// Every position below is durable.
    pub end: Position,
    /// End positions of the segments it sealed.
    pub sealed: Vec<Position>,
}

impl LogFlusher {
    pub(super) fn new(log: Arc<Log>, durable: CleanMark, marked: bool) -> Self {
        Self { log, durable, marked, unmarked: false, note: Note::Unopened }
    }

    /// Makes a group durable: writes its parts, seals the segments it fills, makes those it begins. Groups must come in the order
    /// they were taken.
    ///
    /// # Errors
    /// `Unavailable` or `Invalid`, as the file system says. After an error this must not be called again.
    pub fn flush(&mut self, group: Group) -> Result<Flushed> {
        let mut flushed = Flushed { end: group.end, sealed: Vec::new() };
        if !group.parts.is_empty() {
            self.take_back_mark()?;
        }
        for part in group.parts {
            if self.write(part)? {
                flushed.sealed.push(self.durable.head);
            }
        }
        self.log.tail.set_durable(group.end);
        self.note();
        Ok(flushed)
    }

    /// Notes how far the log is durable, for whoever opens it after a crash. Not synced, and no failure: the note can only add to
    /// what recovery knows.
    fn note(&mut self) {
        let path = Path::new(names::DURABLE);
        let disk = &*self.log.disk;
        if let Note::Unopened = self.note {
            let opened = disk.open(path, OpenMode::Write).or_else(|_| disk.open(path, OpenMode::CreateNew));
            self.note = opened.map_or(Note::Unavailable, Note::Open);
        }
        if let Note::Open(file) = &self.note
            && file.write_at(&self.durable.encode(), 0).is_err()
        {
            self.note = Note::Unavailable;
        }
    }

    /// Leaves a mark that says where the log ends, so that the next opening knows that nothing may be missing. Nothing may be
    /// flushed afterwards.
    ///
    /// # Errors
    /// `Unavailable`, as the file system says; the log is then as safe as after a crash.
    pub fn close(&mut self) -> Result<()> {
        if self.marked { Ok(()) } else { self.durable.write(&*self.log.disk) }
    }

    fn take_back_mark(&mut self) -> Result<()> {
        if !self.unmarked {
            CleanMark::remove(&*self.log.disk)?;
            (self.marked, self.unmarked) = (false, true);
        }
        Ok(())
    }

    /// Writes a part, and seals its segment if it fills it: says whether.
    fn write(&mut self, mut part: Part) -> Result<bool> {
        let segment = &part.segment;
        let file = match segment.file() {
            Some(file) => file,
            None => self.make_file(segment)?,
        };
        let doing = |source| {
            let (file, offset) = (segment.path.display(), part.offset);
            Error::io(format!("cannot write the log, file={file} offset={offset}"), source)
        };
        let trailer = part.fills.then(|| {
            let table = segment.grow(|growing| footer::encode_table(&growing.offsets));
            let trailer = part.tally.trailer(&table);
            part.bytes.extend_from_slice(&table);
            part.bytes.extend_from_slice(&trailer.encode());
            trailer
        });
        part.bytes.pad_to(BLOCK);
        file.write_durable(&part.bytes, part.offset).map_err(doing)?;
        segment.grow(|growing| growing.durable_end = part.tally.data_end);
        self.durable = part.tally.end_mark(segment.header.first);
        if let Some(trailer) = trailer {
            // The trailer is found from the end of the file: cut off padding and what is left of the preallocated space.
            file.set_len(trailer.file_bytes()).map_err(doing)?;
            file.sync().map_err(doing)?;
            segment.seal(trailer);
            self.durable = Tally::new(&part.tally.next_header(&segment.header)).end_mark(trailer.end);
        }
        Ok(trailer.is_some())
    }

    /// Makes the file of a segment, with its header, durable before it has its name.
    fn make_file(&self, segment: &Segment) -> Result<Arc<dyn DiskFile>> {
        let disk = &*self.log.disk;
        let doing = |source| Error::io(format!("cannot begin a segment, file={}", segment.path.display()), source);
        let spare = Path::new(names::SPARE);
        let (file, name) = if disk.exists(spare).map_err(doing)? {
            (disk.open(spare, OpenMode::Write).map_err(doing)?, spare)
        } else {
            let name = Path::new(names::SEGMENT_TEMPORARY);
            names::remove_leftover(disk, name)?;
            (disk.open(name, OpenMode::CreateNew).map_err(doing)?, name)
        };
        file.write_durable(&header_block(&segment.header), 0).map_err(doing)?;
        file.sync().map_err(doing)?;
        disk.rename(name, &segment.path).map_err(doing)?;
        disk.sync_dir(Path::new(names::DIRECTORY)).map_err(doing)?;
        segment.grow(|growing| growing.file = Some(Arc::clone(&file)));
        Ok(file)
    }
}

impl Tally {
    /// Where the log ends if it ends here, in the segment that begins at `segment`.
    pub(super) fn end_mark(&self, segment: Position) -> CleanMark {
        CleanMark { head: self.next, segment, data_end: self.data_end, chain: self.chain }
    }
}

fn header_block(header: &SegmentHeader) -> AlignedBuffer {
    let mut block = AlignedBuffer::with_capacity(BLOCK);
    block.extend_from_slice(&header.encode());
    debug_assert_eq!(block.len() as u64, FRAMES_AT);
    block
}

//! Where in a segment is an event, and how are its bytes reached?
//!
//! A segment grows, then is sealed, once. While it grows its offsets are in memory and its durable bytes are read from the file
//! (what is not durable yet is in the tail, see `tail.rs`); sealed, it is mapped when first read, and its offsets are
//! read in place from its footer. Readers that began before the change finish with what they hold.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard},
};

use bytes::Bytes;

use super::{
    entry::Entry,
    footer::{self, Trailer},
    frame::{FRAME_HEADER_BYTES, FrameHeader},
    header::{FRAMES_AT, SegmentHeader},
    layout::{Defect, crc32c, index, u32_at},
    names,
};
use crate::{
    disk::{Disk, DiskFile, OpenMode},
    error::{Error, ErrorKind, Result},
    position::{Position, Timestamp},
};

/// A segment of the log.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    pub(super) path: PathBuf,
    growing: RwLock<Option<Growing>>,
    sealed: OnceLock<Trailer>,
    map: OnceLock<Bytes>,
}

/// What is known of a segment while it grows.
#[derive(Debug)]
pub(super) struct Growing {
    /// None until its file is made, by the flusher.
    pub(super) file: Option<Arc<dyn DiskFile>>,
    /// Where each event is, those not durable yet included.
    pub(super) offsets: Vec<u32>,
    /// Where the frames that are durable end.
    pub(super) durable_end: u64,
}

impl Growing {
    /// A segment without events, and without a file.
    pub(super) fn new() -> Self {
        Self { file: None, offsets: Vec::new(), durable_end: FRAMES_AT }
    }

    /// The bytes of durable events from ordinal `first`, of at least one, of those below `until` while they begin within
    /// `bytes_max`; and the ordinal after the last.
    fn range(&self, first: usize, until: usize, bytes_max: usize) -> Option<((u64, u64), usize)> {
        let durable = &self.offsets[..self.offsets.partition_point(|offset| u64::from(*offset) < self.durable_end)];
        let start = u64::from(*durable.get(first)?);
        let more = &durable[first + 1..until.clamp(first + 1, durable.len())];
        let last = first + 1 + more.partition_point(|offset| u64::from(*offset) - start <= bytes_max as u64);
        let end = durable.get(last).map_or(self.durable_end, |offset| u64::from(*offset));
        Some(((start, end), last))
    }
}

/// Bytes of a segment that begin inside a frame whose header is known.
pub(super) struct Window {
    pub(super) bytes: Bytes,
    /// Offset of the first byte in the segment.
    pub(super) base: u64,
    /// Place in `bytes` of the entry the window was asked for.
    pub(super) entry_at: usize,
    /// The header of that entry's frame.
    pub(super) header: FrameHeader,
    /// Place of that frame in the segment.
    pub(super) frame_offset: u64,
    /// The position after the last one whose entry is in `bytes`.
    pub(super) end: Position,
}

impl Segment {
    /// A segment that grows.
    pub(super) fn growing(header: SegmentHeader, growing: Growing) -> Self {
        let path = names::segment(header.first);
        Self { header, path, growing: RwLock::new(Some(growing)), sealed: OnceLock::new(), map: OnceLock::new() }
    }

    /// A segment that was sealed.
    pub(super) fn sealed(header: SegmentHeader, trailer: Trailer) -> Self {
        let path = names::segment(header.first);
        Self { header, path, growing: RwLock::new(None), sealed: trailer.into(), map: OnceLock::new() }
    }

    /// Its facts, if it is sealed.
    pub(super) fn trailer(&self) -> Option<&Trailer> {
        self.sealed.get()
    }

    /// The position after its last event, durable or not.
    pub(super) fn end(&self) -> Position {
        match self.state() {
            State::Sealed(trailer) => trailer.end,
            State::Growing(growing) => self.position_of(growing.offsets.len()),
        }
    }

    /// Bytes it takes on disk, without preallocated space.
    pub(super) fn bytes(&self) -> u64 {
        match self.state() {
            State::Sealed(trailer) => trailer.file_bytes(),
            State::Growing(growing) => growing.durable_end,
        }
    }

    /// Its file, while it grows and once it is made.
    pub(super) fn file(&self) -> Option<Arc<dyn DiskFile>> {
        self.read().as_ref().and_then(|growing| growing.file.clone())
    }

    /// Changes what is known of it while it grows.
    pub(super) fn grow<T>(&self, change: impl FnOnce(&mut Growing) -> T) -> T {
        let mut growing = self.growing.write().unwrap_or_else(PoisonError::into_inner);
        change(growing.as_mut().expect("only a growing segment is written to"))
    }

    /// Takes note that its file is complete and durable.
    pub(super) fn seal(&self, trailer: Trailer) {
        self.sealed.get_or_init(|| trailer);
        *self.growing.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Bytes from the event at `from`, which must be durable; more of them, up to about `bytes_max`, while they belong to events below `to`.
    pub(super) fn window(&self, disk: &dyn Disk, from: Position, to: Position, bytes_max: usize) -> Result<Window> {
        match self.state() {
            State::Sealed(trailer) => self.sealed_window(disk, trailer, from),
            State::Growing(growing) => {
                let file = growing.file.clone().ok_or_else(|| self.missing(from))?;
                let (range, last) =
                    growing.range(self.ordinal(from), self.ordinal(to), bytes_max).ok_or_else(|| self.missing(from))?;
                drop(growing);
                self.growing_window(&*file, range, self.position_of(last))
            }
        }
    }

    /// Bytes from the start of the frame that has the event at `position`, which must be durable: up to `bytes_wanted` of
    /// them where they must be read, and the place of the frame in them.
    pub(super) fn frames_from(
        &self,
        disk: &dyn Disk,
        position: Position,
        bytes_wanted: usize,
    ) -> Result<(Bytes, u64, usize)> {
        let window = self.window(disk, position, position.next(), 0)?;
        match self.state() {
            State::Sealed(trailer) => Ok((self.frames(disk, trailer)?, 0, index(window.frame_offset))),
            State::Growing(growing) => {
                let file = growing.file.clone();
                let end = growing.durable_end.min(window.frame_offset + bytes_wanted as u64);
                drop(growing);
                let file = file.ok_or_else(|| self.missing(position))?;
                Ok((self.read_range(&*file, window.frame_offset, end)?, window.frame_offset, 0))
            }
        }
    }

    /// The map of a sealed segment that is mapped already, and where in it the event at `position` begins.
    pub(super) fn mapped(&self, position: Position) -> Option<(&Bytes, usize)> {
        let (trailer, map) = (self.sealed.get()?, self.map.get()?);
        let offset = self.table_offset(map, trailer, self.ordinal(position)).ok()?;
        Some((map, index(offset)))
    }

    /// Bytes between the start of the event at `low` and that at `high`.
    pub(super) fn distance(&self, disk: &dyn Disk, low: Position, high: Position) -> Result<u64> {
        let (low, high) = (self.ordinal(low), self.ordinal(high));
        match self.state() {
            State::Sealed(trailer) => {
                let map = self.map(disk, trailer)?;
                let offset = |ordinal| self.table_offset(&map, trailer, ordinal);
                Ok(offset(high)?.saturating_sub(offset(low)?))
            }
            State::Growing(growing) => {
                let offset = |ordinal: usize| growing.offsets.get(ordinal).copied().unwrap_or(0);
                Ok(u64::from(offset(high).saturating_sub(offset(low))))
            }
        }
    }

    /// When the event at `position`, which must be durable, was recorded.
    pub(super) fn recorded_at(&self, disk: &dyn Disk, position: Position) -> Result<Timestamp> {
        Ok(self.window(disk, position, position.next(), 0)?.header.recorded_at)
    }

    /// The error for bytes of this segment that are wrong at `offset`.
    pub(super) fn defect(&self, defect: Defect, offset: u64) -> Error {
        defect.at(&self.path, offset)
    }

    fn sealed_window(&self, disk: &dyn Disk, trailer: &Trailer, from: Position) -> Result<Window> {
        if from >= trailer.end {
            return Err(self.missing(from));
        }
        let map = self.map(disk, trailer)?;
        let offset = self.table_offset(&map, trailer, self.ordinal(from))?;
        let bytes = map.slice(..index(trailer.data_end));
        let entry_at = index(offset);
        let back = u32_at(&bytes, entry_at + 8).map_err(|defect| self.defect(defect, offset))?;
        let frame_offset = offset.checked_sub(u64::from(back)).ok_or_else(|| self.defect(Defect::Length, offset))?;
        let header = self.frame_header(&bytes[index(frame_offset)..], frame_offset, from).map_err(|error| {
            // Where the frame begins was read from the event; it is wrong if the event is.
            Entry::verify(&bytes[entry_at..]).map_or_else(|defect| self.defect(defect, offset), |_| error)
        })?;
        Ok(Window { bytes, base: 0, entry_at, header, frame_offset, end: trailer.end })
    }

    fn growing_window(&self, file: &dyn DiskFile, (start, end): (u64, u64), until: Position) -> Result<Window> {
        // Most commits have few events: the frame's header is then just before, and one read fetches both.
        let base = start.saturating_sub(FRAME_HEADER_BYTES as u64).max(FRAMES_AT);
        let bytes = self.read_range(file, base, end)?;
        let entry_at = index(start - base);
        let back = u32_at(&bytes, entry_at + 8).map_err(|defect| self.defect(defect, start))?;
        let frame_offset = start
            .checked_sub(u64::from(back))
            .filter(|offset| *offset >= FRAMES_AT)
            .ok_or_else(|| self.defect(Defect::Length, start))?;
        let header = match frame_offset.checked_sub(base) {
            Some(at) => FrameHeader::decode(&bytes[index(at).min(bytes.len())..]),
            None => {
                let header = self.read_range(file, frame_offset, frame_offset + FRAME_HEADER_BYTES as u64)?;
                FrameHeader::decode(&header)
            }
        };
        let header = header.map_err(|defect| self.defect(defect, frame_offset))?;
        Ok(Window { bytes, base, entry_at, header, frame_offset, end: until })
    }

    /// The header at the start of `bytes`, which must be that of the frame that has the event at `position`.
    fn frame_header(&self, bytes: &[u8], offset: u64, position: Position) -> Result<FrameHeader> {
        let header = FrameHeader::decode(bytes).map_err(|defect| self.defect(defect, offset))?;
        if position < header.first || position >= header.end() {
            return Err(self.defect(Defect::Discontinuous, offset));
        }
        Ok(header)
    }

    fn read_range(&self, file: &dyn DiskFile, start: u64, end: u64) -> Result<Bytes> {
        let mut buffer = vec![0; index(end.saturating_sub(start))];
        file.read_at(&mut buffer, start).map_err(|source| {
            Error::io(format!("cannot read the log, file={} offset={start}", self.path.display()), source)
        })?;
        Ok(buffer.into())
    }

    fn table_offset(&self, map: &Bytes, trailer: &Trailer, ordinal: usize) -> Result<u64> {
        let at = index(trailer.data_end);
        let table = &map[at..at + trailer.table_length as usize];
        let offset = footer::table_offset(table, ordinal as u64);
        offset
            .ok()
            .filter(|offset| *offset < trailer.data_end)
            .ok_or_else(|| self.defect(Defect::Length, trailer.data_end))
    }

    /// The frames of a sealed segment.
    fn frames(&self, disk: &dyn Disk, trailer: &Trailer) -> Result<Bytes> {
        Ok(self.map(disk, trailer)?.slice(..index(trailer.data_end)))
    }

    /// The whole sealed file. Mapped, and its offset table checked, when first asked for.
    fn map(&self, disk: &dyn Disk, trailer: &Trailer) -> Result<Bytes> {
        if let Some(map) = self.map.get() {
            return Ok(map.clone());
        }
        let doing = |source| Error::io(format!("cannot map a segment, file={}", self.path.display()), source);
        let map = disk.open(&self.path, OpenMode::Read).map_err(doing)?.map().map_err(doing)?;
        if map.len() as u64 != trailer.file_bytes() {
            return Err(self.defect(Defect::Length, map.len() as u64));
        }
        let at = index(trailer.data_end);
        if crc32c(&map[at..at + trailer.table_length as usize]) != trailer.table_crc {
            return Err(self.defect(Defect::Checksum, trailer.data_end));
        }
        Ok(self.map.get_or_init(|| map).clone())
    }

    fn ordinal(&self, position: Position) -> usize {
        index(position.0.saturating_sub(self.header.first.0))
    }

    fn position_of(&self, ordinal: usize) -> Position {
        Position(self.header.first.0 + ordinal as u64)
    }

    fn missing(&self, position: Position) -> Error {
        Error::new(ErrorKind::NotFound, format!("no event at this position yet, position={position}"))
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<Growing>> {
        self.growing.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> State<'_> {
        if let Some(trailer) = self.sealed.get() {
            return State::Sealed(trailer);
        }
        let guard = self.read();
        match guard.as_ref() {
            Some(_) => State::Growing(GrowingGuard(guard)),
            None => State::Sealed(self.sealed.get().expect("a segment stops growing when it is sealed")),
        }
    }
}

enum State<'a> {
    Sealed(&'a Trailer),
    Growing(GrowingGuard<'a>),
}

/// Read access to a segment that grows.
struct GrowingGuard<'a>(RwLockReadGuard<'a, Option<Growing>>);

impl std::ops::Deref for GrowingGuard<'_> {
    type Target = Growing;
    fn deref(&self) -> &Growing {
        self.0.as_ref().expect("the guard was made from a growing segment")
    }
}

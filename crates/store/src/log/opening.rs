//! From a directory to a log that can be read and written: what there is, whether it fits together, and where it ends.
//!
//! Sealed segments are checked by header and trailer only, so that opening does not depend on the size of the log; the last one is
//! scanned, also if it seems to be sealed. Nothing on disk is changed before everything was checked.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use arc_swap::ArcSwap;
use uuid::Uuid;

use super::{
    Log, LogFlusher, LogOptions, LogWriter,
    footer::{TRAILER_BYTES, Trailer},
    header::SegmentHeader,
    layout::Defect,
    mark::CleanMark,
    names,
    recovery::{self, Behind},
    segment::{Growing, Segment},
    settle::{self, Unsettled},
    tail::Tail,
    writer::Tally,
};
use crate::{
    disk::{Disk, OpenMode},
    error::{Error, ErrorKind, Result},
    position::{Position, Timestamp},
};

/// What opening a log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The position the next event will get.
    pub head: Position,
    /// When the last event was recorded; none in an empty log.
    pub last_recorded_at: Option<Timestamp>,
    /// The torn tail that was cut, if there was one.
    pub cut: Option<CutTail>,
    /// Whether the log was closed in order.
    pub opened_clean: bool,
}

/// Bytes behind the last good frame that never became a durable group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutTail {
    /// First position of the segment.
    pub segment: Position,
    /// Where in it the bytes began.
    pub offset: u64,
    /// How many there were, up to the last that was not zero.
    pub bytes: u64,
    /// The file they were copied to; none if the disk was too full for it.
    pub kept_in: Option<PathBuf>,
}

/// What the directory says, before anything in it is changed.
struct Loaded {
    sealed: Vec<Arc<Segment>>,
    /// The segment that will be written to.
    last: Segment,
    tally: Tally,
    /// Where in it the bytes stop being good: in the frame behind the last good one, or at its end.
    bad_at: u64,
    unsettled: Unsettled,
}

impl Loaded {
    /// A log whose last segment, with `header`, has nothing in it yet.
    fn at_its_start(sealed: Vec<Arc<Segment>>, header: SegmentHeader, unsettled: Unsettled) -> Self {
        let tally = Tally::new(&header);
        let bad_at = tally.data_end;
        Self { sealed, last: Segment::growing(header, Growing::new()), tally, bad_at, unsettled }
    }
}

impl Log {
    /// Opens the log of a store's directory, or begins one. Needs the directory's lock.
    ///
    /// # Errors
    /// `Corrupted` when the segments contradict themselves, each other, their store, or the mark of a clean shutdown; `Invalid` when
    /// they are of a newer version; `Unavailable` when the file system fails. Then no segment was changed.
    pub fn open(disk: Arc<dyn Disk>, options: LogOptions) -> Result<(Arc<Self>, LogWriter, LogFlusher, Recovered)> {
        disk.create_dir(Path::new(names::DIRECTORY))
            .map_err(|source| Error::io(format!("cannot open the log, directory={}", disk.describe()), source))?;
        let mut loaded = load(&*disk, &options)?;
        let end = loaded.tally.end_mark(loaded.last.header.first);
        let opened_clean = keeps_promise(CleanMark::read(&*disk)?, end, &loaded)?;
        reaches_note(CleanMark::read_note(&*disk)?, end, &loaded)?;
        let cut = settle::settle(&*disk, &loaded.unsettled, &loaded.last, &loaded.tally, opened_clean)?;
        let carry = settle::last_block(&loaded.last, loaded.tally.data_end)?;
        let recovered = Recovered {
            head: end.head,
            last_recorded_at: (end.head > Position::START).then_some(loaded.tally.last_recorded_at),
            cut,
            opened_clean,
        };
        let segment = Arc::new(loaded.last);
        loaded.sealed.push(Arc::clone(&segment));
        let log = Arc::new(Self {
            tail: Tail::new(end.head, options.tail_cache_bytes),
            disk,
            options,
            segments: ArcSwap::from_pointee(loaded.sealed),
            spare: Mutex::new(()),
        });
        let writer = LogWriter::new(Arc::clone(&log), segment, loaded.tally, &carry);
        let flusher = LogFlusher::new(Arc::clone(&log), end, opened_clean);
        Ok((log, writer, flusher, recovered))
    }
}

/// Whether the log ends where the mark says. One that ends before has lost what was durable.
fn keeps_promise(mark: Option<CleanMark>, end: CleanMark, loaded: &Loaded) -> Result<bool> {
    let Some(mark) = mark else { return Ok(false) };
    // An older mark than the log was put back from elsewhere: nothing it promises is missing.
    if mark == end || mark.head < end.head {
        return Ok(mark == end);
    }
    let what = format!("log does not end as at its clean shutdown, head={} head_at_shutdown={}", end.head, mark.head);
    Err(Error::corrupted(what, loaded.last.path.display(), loaded.bad_at))
}

/// Whether the log reaches as far as it was known to be durable.
fn reaches_note(note: Option<CleanMark>, end: CleanMark, loaded: &Loaded) -> Result<()> {
    match note {
        Some(note) if note.head > end.head => {
            let (head, known) = (end.head, note.head);
            let what = format!("log has lost its end, head={head} durable_head={known} noted_in={}", names::DURABLE);
            Err(Error::corrupted(what, loaded.last.path.display(), loaded.bad_at))
        }
        Some(_) | None => Ok(()),
    }
}

/// Checks every segment against the one before it, and scans the last.
fn load(disk: &dyn Disk, options: &LogOptions) -> Result<Loaded> {
    let firsts = names::segments(disk)?;
    let mut sealed = Vec::with_capacity(firsts.len() + 1);
    let mut expected = SegmentHeader {
        store_id: options.store_id,
        timeline_id: Uuid::nil(),
        first: Position::START,
        segment_bytes: options.segment_bytes,
        segment_events: options.segment_events,
        previous: 0,
        previous_recorded_at: Timestamp::MIN,
    };
    for first in &firsts {
        let path = names::segment(*first);
        if *first != expected.first {
            let what = format!("segment is missing, first_position={}", expected.first);
            return Err(Error::corrupted(what, path.display(), 0));
        }
        let is_last = Some(first) == firsts.last();
        match read_trailer(disk, &path, &expected)? {
            Ok(trailer) if is_last && is_data(disk, &path, &expected, &trailer)? => {
                return load_last(disk, expected, sealed);
            }
            Ok(trailer) => {
                let next = header_after(&expected, &trailer);
                sealed.push(Arc::new(Segment::sealed(expected, trailer)));
                expected = next;
            }
            Err(_) if is_last => return load_last(disk, expected, sealed),
            Err((defect, offset)) => return Err(defect.at(&path, offset)),
        }
    }
    let unsettled = match sealed.last().and_then(|segment| Some((segment, segment.trailer()?))) {
        Some((segment, trailer)) => unsettled_seal(segment.path.clone(), trailer),
        None => Unsettled::Nothing,
    };
    Ok(Loaded::at_its_start(sealed, expected, unsettled))
}

/// Scans the last segment, which is not sealed.
fn load_last(disk: &dyn Disk, header: SegmentHeader, mut sealed: Vec<Arc<Segment>>) -> Result<Loaded> {
    let path = names::segment(header.first);
    let file = disk
        .open(&path, OpenMode::Write)
        .map_err(|source| Error::io(format!("cannot open a segment, file={}", path.display()), source))?;
    let scanned = recovery::scan_segment(&header, &path, Arc::clone(&file))?;
    if let Behind::Footer(trailer) = scanned.behind {
        let next = header_after(&header, &trailer);
        let unsettled = unsettled_seal(path, &trailer);
        sealed.push(Arc::new(Segment::sealed(header, *trailer)));
        return Ok(Loaded::at_its_start(sealed, next, unsettled));
    }
    let growing = Growing { file: Some(file), offsets: scanned.offsets, durable_end: scanned.tally.data_end };
    let unsettled = Unsettled::Growing { behind: scanned.behind };
    let last = Segment::growing(header, growing);
    Ok(Loaded { sealed, last, tally: scanned.tally, bad_at: scanned.bad_at, unsettled })
}

fn unsettled_seal(path: PathBuf, trailer: &Trailer) -> Unsettled {
    Unsettled::Sealed { path, data_end: trailer.data_end, file_bytes: trailer.file_bytes() }
}

/// The header of the segment that must follow a sealed one.
fn header_after(header: &SegmentHeader, trailer: &Trailer) -> SegmentHeader {
    SegmentHeader {
        first: trailer.end,
        previous: trailer.chain,
        previous_recorded_at: trailer.last_recorded_at,
        ..*header
    }
}

/// The trailer of the segment at `path`, or why it has none; its header must be as expected.
fn read_trailer(disk: &dyn Disk, path: &Path, expected: &SegmentHeader) -> Result<Result<Trailer, (Defect, u64)>> {
    let doing = |source| Error::io(format!("cannot open a segment, file={}", path.display()), source);
    let file = disk.open(path, OpenMode::Read).map_err(doing)?;
    check_header(&recovery::read_header(&*file, path)?, expected, path)?;
    let length = file.len().map_err(doing)?;
    let offset = length.saturating_sub(TRAILER_BYTES as u64);
    let mut bytes = [0; TRAILER_BYTES];
    file.read_at(&mut bytes, offset).map_err(doing)?;
    Ok(match Trailer::decode(&bytes, length) {
        Ok(trailer) if trailer.first == expected.first => Ok(trailer),
        Ok(_) => return Err(Defect::Discontinuous.at(path, offset)),
        Err(Defect::Newer) => return Err(Defect::Newer.at(path, offset)),
        Err(defect) => Err((defect, offset)),
    })
}

/// Whether the trailer at the end of the last segment is not its own but part of an event: the segment grows, its file ends where that
/// event does, and whoever wrote the event chose those bytes. Frames then reach over them; before a footer they end.
fn is_data(disk: &dyn Disk, path: &Path, header: &SegmentHeader, trailer: &Trailer) -> Result<bool> {
    let file = disk
        .open(path, OpenMode::Read)
        .map_err(|source| Error::io(format!("cannot open a segment, file={}", path.display()), source))?;
    match recovery::scan_segment(header, path, file) {
        Ok(scanned) => Ok(scanned.tally.data_end > trailer.data_end),
        // Sealed, and damaged since: whoever reads the damaged frame is told.
        Err(error) if error.kind() == ErrorKind::Corrupted => Ok(false),
        Err(error) => Err(error),
    }
}

/// Checks that a segment belongs to this store and continues the one before it.
fn check_header(header: &SegmentHeader, expected: &SegmentHeader, path: &Path) -> Result<()> {
    let file = path.display();
    if header.store_id != expected.store_id {
        let (found, ours) = (header.store_id, expected.store_id);
        let what = format!("segment belongs to another store, move it back, store_id={ours} store_id_found={found}");
        return Err(Error::corrupted(what, file, 0));
    }
    if (header.segment_bytes, header.segment_events) != (expected.segment_bytes, expected.segment_events) {
        let what = format!(
            "segment was made with other sizes than the store's settings say, segment_bytes={} \
             segment_bytes_found={} segment_events={} segment_events_found={}",
            expected.segment_bytes, header.segment_bytes, expected.segment_events, header.segment_events
        );
        return Err(Error::corrupted(what, file, 0));
    }
    if header != expected {
        let what = format!(
            "segment does not continue the one before it, first_position={} first_position_found={}",
            expected.first, header.first
        );
        return Err(Error::corrupted(what, file, 0));
    }
    Ok(())
}

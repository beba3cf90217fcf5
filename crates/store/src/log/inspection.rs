//! What can be said of a log that does not open? Every segment is read by itself, from its header to its first bad byte.
//!
//! Nothing on disk is changed, and nothing is guessed: behind a bad byte of a segment nothing of it is shown, since what looks like a
//! frame there may be part of what somebody chose to record. What is shown was checked as an opening does: every checksum, and every frame
//! against the one before it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use uuid::Uuid;

use super::{
    frame::FrameHeader,
    frames::StoredFrame,
    header::SegmentHeader,
    layout::{Defect, index, narrow},
    names,
    recovery::{self, Behind, Pieces},
    writer::Tally,
};
use crate::{
    disk::{Disk, OpenMode},
    error::{Error, ErrorKind, Result},
    position::Position,
};

/// Something an inspection comes across.
#[derive(Debug)]
pub enum Sight {
    /// A segment whose header is good.
    Segment,
    /// A commit that is intact.
    Frame(StoredFrame),
    /// Bytes that are not what they should be, or are missing.
    Damage(Error),
}

/// Iterates over what is in a log, in order. After an error nothing more comes; it is `Unavailable` when a file cannot be read, `Invalid`
/// when a newer version wrote it.
#[derive(Debug)]
pub struct Inspection<'a> {
    disk: &'a dyn Disk,
    store_id: Option<Uuid>,
    /// The segments to come, by what their names say.
    waiting: std::vec::IntoIter<Position>,
    /// What was wrong with a segment before a byte of it was read.
    strays: Vec<Error>,
    /// Where the next segment must begin and what it must continue, if the one before it is whole.
    due: Option<(Position, u32)>,
    current: Option<Walk>,
    failed: bool,
}

/// A segment being read.
#[derive(Debug)]
struct Walk {
    path: PathBuf,
    pieces: Pieces,
    tally: Tally,
    offsets: Vec<u32>,
}

impl<'a> Inspection<'a> {
    /// Looks at the log on `disk`; at segments of the store `store_id` only, if it is known.
    pub fn of(disk: &'a dyn Disk, store_id: Option<Uuid>) -> Self {
        let (mut firsts, mut strays) = (Vec::new(), Vec::new());
        match disk.list(Path::new(names::DIRECTORY)) {
            Ok(names) => {
                for first in names.iter().filter_map(|name| names::first_of(name)) {
                    first.map_or_else(|stray| strays.push(stray), |first| firsts.push(first));
                }
            }
            Err(source) => {
                strays.push(Error::io(format!("cannot list the log, directory={}", names::DIRECTORY), source));
            }
        }
        firsts.sort_unstable();
        let due = Some((Position::START, 0));
        Self { disk, store_id, waiting: firsts.into_iter(), strays, due, current: None, failed: false }
    }

    /// Opens the segment that begins at `first`, and says whether it follows.
    fn begin(&mut self, first: Position) -> Result<Sight> {
        let path = names::segment(first);
        let doing = |source| Error::io(format!("cannot open a segment, file={}", path.display()), source);
        let file = self.disk.open(&path, OpenMode::Read).map_err(doing)?;
        let due = self.due.take();
        let header = match recovery::read_header(&*file, &path) {
            Err(error) if error.kind() == ErrorKind::Corrupted => return Ok(Sight::Damage(error)),
            header => header?,
        };
        if let Some(what) = self.foreign(&header, first) {
            return Ok(Sight::Damage(Error::corrupted(what, path.display(), 0)));
        }
        let pieces = Pieces::of(Arc::clone(&file)).map_err(doing)?;
        let tally = Tally::new(&header);
        let gap = match due {
            Some((due, _)) if due != first => Some(format!("segment is missing, first_position={due}")),
            Some((_, chain)) if chain != header.previous => {
                Some("segment does not continue the one before it".to_owned())
            }
            Some(_) | None => None,
        };
        let sight = gap.map_or(Sight::Segment, |what| Sight::Damage(Error::corrupted(what, path.display(), 0)));
        self.current = Some(Walk { path, pieces, tally, offsets: Vec::new() });
        Ok(sight)
    }

    /// Why a segment does not belong here.
    fn foreign(&self, header: &SegmentHeader, first: Position) -> Option<String> {
        if header.first != first {
            return Some(format!("segment begins elsewhere than its name says, first_position_found={}", header.first));
        }
        match self.store_id {
            Some(ours) if ours != header.store_id => {
                let found = header.store_id;
                Some(format!("segment belongs to another store, store_id={ours} store_id_found={found}"))
            }
            Some(_) | None => None,
        }
    }

    /// The next thing to be seen of the current segment; none at its end.
    fn step(&mut self, walk: &mut Walk) -> Result<Option<Sight>> {
        let (begin, held) = (walk.tally.data_end, walk.offsets.len());
        let defect = match recovery::next_frame(&mut walk.pieces, &mut walk.tally, &mut walk.offsets)
            .map_err(|source| walk.unreadable(source))?
        {
            Ok(()) => return walk.frame(begin, held).map(Some),
            Err(Defect::Newer) => return Err(Defect::Newer.at(&walk.path, begin)),
            Err(defect) => defect,
        };
        let bad_at = recovery::bad_at(&mut walk.pieces, &walk.tally).map_err(|source| walk.unreadable(source))?;
        let behind = recovery::what_is_behind(&mut walk.pieces, &walk.tally, &walk.offsets, defect)
            .map_err(|source| walk.unreadable(source))?;
        let is_last = self.waiting.len() == 0;
        match behind {
            Behind::Torn { defect, .. } => return Ok(Some(Sight::Damage(defect.at(&walk.path, bad_at)))),
            Behind::Nothing | Behind::PartOfFooter { .. } if !is_last => {
                let what = "segment breaks off, and another one follows";
                return Ok(Some(Sight::Damage(Error::corrupted(what, walk.path.display(), bad_at))));
            }
            Behind::Nothing | Behind::PartOfFooter { .. } | Behind::Footer(_) => {}
        }
        self.due = Some((walk.tally.next, walk.tally.chain));
        Ok(None)
    }

    fn advance(&mut self) -> Result<Option<Sight>> {
        if let Some(stray) = self.strays.pop() {
            return if stray.kind() == ErrorKind::Corrupted { Ok(Some(Sight::Damage(stray))) } else { Err(stray) };
        }
        if let Some(mut walk) = self.current.take() {
            let seen = self.step(&mut walk)?;
            // Behind the first bad byte nothing of a segment can be trusted.
            if let Some(Sight::Frame(_)) = seen {
                self.current = Some(walk);
            }
            if seen.is_some() {
                return Ok(seen);
            }
        }
        self.waiting.next().map(|first| self.begin(first)).transpose()
    }
}

impl Walk {
    /// The frame that was just counted: it begins at `begin`, and its events are those behind the first `held`.
    fn frame(&mut self, begin: u64, held: usize) -> Result<Sight> {
        let length = index(self.tally.data_end - begin);
        let bytes = self.pieces.at(begin, length).map(|bytes| Bytes::copy_from_slice(&bytes[..length]));
        let bytes = bytes.map_err(|source| self.unreadable(source))?;
        let header = FrameHeader::decode(&bytes).expect("a frame was decoded when it was counted");
        let entries = self.offsets[held..].iter().map(|offset| offset - narrow(index(begin))).collect();
        Ok(Sight::Frame(StoredFrame::verified(header, bytes, entries)))
    }

    fn unreadable(&self, source: io::Error) -> Error {
        Error::io(format!("cannot read the log, file={}", self.path.display()), source)
    }
}

impl Iterator for Inspection<'_> {
    type Item = Result<Sight>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let seen = self.advance().transpose();
        self.failed = matches!(seen, Some(Err(_)));
        seen
    }
}

//! Where does the last segment end? Its frames are scanned from the start; what follows the last good one is a torn tail, or proof of damage.
//!
//! Pure reading: nothing on disk is changed here. See `docs/formats/log.md`, "Recovery", for the argument.

use std::{path::Path, sync::Arc};

use bytes::Bytes;

use super::{
    entry::Entry,
    footer::{self, Trailer},
    frame::{self, FRAME_HEADER_BYTES, FRAME_MAGIC, FrameHeader},
    header::SegmentHeader,
    layout::{Defect, index},
    writer::Tally,
};
use crate::{
    disk::DiskFile,
    error::{Error, Result},
    limits,
};

/// Bytes read at once.
const READ_BYTES: usize = 1 << 20;

/// What a scan of the last segment found.
pub(super) struct ScannedSegment {
    pub(super) tally: Tally,
    pub(super) offsets: Vec<u32>,
    /// Where the bytes stop being good: in the frame behind the last good one, or at its end.
    pub(super) bad_at: u64,
    pub(super) behind: Behind,
}

/// What is behind the last good frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// Zeros, or the end of the file.
    Nothing,
    /// The whole footer: the segment was being sealed, and only its length is not exact yet.
    Footer(Box<Trailer>),
    /// Part of the footer.
    PartOfFooter {
        /// Where the last byte that is not zero ends.
        end: u64,
    },
    /// Something else.
    Torn {
        /// Why it is not a frame.
        defect: Defect,
        /// Where the last byte that is not zero ends.
        end: u64,
    },
}

/// Reads a file forward in large pieces.
#[derive(Debug)]
pub(super) struct Pieces {
    file: Arc<dyn DiskFile>,
    length: u64,
    piece: Bytes,
    base: u64,
}

impl Pieces {
    /// The bytes of `file`.
    pub(super) fn of(file: Arc<dyn DiskFile>) -> std::io::Result<Self> {
        Ok(Self { length: file.len()?, file, piece: Bytes::new(), base: 0 })
    }

    /// Bytes at `offset`: as many as there are up to `wanted`, or more.
    pub(super) fn at(&mut self, offset: u64, wanted: usize) -> std::io::Result<&[u8]> {
        let left = index(self.length.saturating_sub(offset));
        let wanted = wanted.min(left);
        let held = offset >= self.base && offset + wanted as u64 <= self.base + self.piece.len() as u64;
        if !held {
            let mut piece = vec![0; wanted.max(READ_BYTES).min(left)];
            self.file.read_at(&mut piece, offset)?;
            (self.piece, self.base) = (piece.into(), offset);
        }
        Ok(&self.piece[index(offset - self.base)..])
    }
}

/// Scans the frames of the last segment.
pub(super) fn scan_segment(header: &SegmentHeader, path: &Path, file: Arc<dyn DiskFile>) -> Result<ScannedSegment> {
    let doing = |source| Error::io(format!("cannot read the log, file={}", path.display()), source);
    let mut pieces = Pieces::of(file).map_err(doing)?;
    let mut tally = Tally::new(header);
    let mut offsets = Vec::new();
    let defect = loop {
        match next_frame(&mut pieces, &mut tally, &mut offsets).map_err(doing)? {
            Ok(()) => {}
            // Checked by its CRC: not torn, but from a newer version.
            Err(Defect::Newer) => return Err(Defect::Newer.at(path, tally.data_end)),
            Err(defect) => break defect,
        }
    };
    let bad_at = bad_at(&mut pieces, &tally).map_err(doing)?;
    let behind = what_is_behind(&mut pieces, &tally, &offsets, defect).map_err(doing)?;
    if let Behind::Torn { end, .. } = behind {
        refuse_if_frames_follow(&mut pieces, path, &tally, bad_at, end)?;
    }
    Ok(ScannedSegment { tally, offsets, bad_at, behind })
}

/// Where the bytes behind the last good frame are bad.
pub(super) fn bad_at(pieces: &mut Pieces, tally: &Tally) -> std::io::Result<u64> {
    let frame = match FrameHeader::decode(pieces.at(tally.data_end, FRAME_HEADER_BYTES)?) {
        Ok(header) => pieces.at(tally.data_end, index(header.padded()))?,
        Err(_) => return Ok(tally.data_end),
    };
    Ok(tally.data_end + frame::bad_at(frame) as u64)
}

/// Counts the next frame, if it is good and continues what was counted.
pub(super) fn next_frame(
    pieces: &mut Pieces,
    tally: &mut Tally,
    offsets: &mut Vec<u32>,
) -> std::io::Result<Result<(), Defect>> {
    use sha2::Digest as _;

    let bytes = pieces.at(tally.data_end, FRAME_HEADER_BYTES)?;
    let header = match FrameHeader::decode(bytes) {
        Ok(header) => header,
        Err(defect) => return Ok(Err(defect)),
    };
    if header.first != tally.next || header.previous != tally.chain || header.recorded_at < tally.last_recorded_at {
        return Ok(Err(Defect::Discontinuous));
    }
    let base = tally.data_end;
    let bytes = pieces.at(base, index(header.padded()))?;
    let (held, mut digest) = (offsets.len(), tally.digest.clone());
    let checked = frame::verify_frame(bytes, |at, entry| {
        digest.update(Entry::decode(entry)?.leaf(header.recorded_at));
        offsets.push(super::layout::narrow(index(base)) + at);
        Ok(())
    });
    match checked {
        Ok(header) => {
            tally.add(&header);
            tally.digest = digest;
            Ok(Ok(()))
        }
        Err(defect) => {
            offsets.truncate(held);
            Ok(Err(defect))
        }
    }
}

pub(super) fn what_is_behind(
    pieces: &mut Pieces,
    tally: &Tally,
    offsets: &[u32],
    defect: Defect,
) -> std::io::Result<Behind> {
    let Some(end) = last_written(pieces, tally.data_end)? else {
        return Ok(Behind::Nothing);
    };
    if tally.frames > 0 {
        let mut footer = footer::encode_table(offsets);
        let trailer = tally.trailer(&footer);
        footer.extend_from_slice(&trailer.encode());
        if end <= trailer.file_bytes() {
            let found = pieces.at(tally.data_end, footer.len())?;
            let found = &found[..found.len().min(footer.len())];
            if found == footer {
                return Ok(Behind::Footer(Box::new(trailer)));
            }
            // A write that was cut short leaves each byte as it was, zero, or as it should become.
            if found.iter().zip(&footer).all(|(found, written)| *found == 0 || found == written) {
                return Ok(Behind::PartOfFooter { end });
            }
        }
    }
    Ok(Behind::Torn { defect, end })
}

/// Where the last byte after `from` that is not zero ends.
fn last_written(pieces: &mut Pieces, from: u64) -> std::io::Result<Option<u64>> {
    let (mut last, mut offset) = (None, from);
    while offset < pieces.length {
        let bytes = pieces.at(offset, 1)?;
        if let Some(at) = bytes.iter().rposition(|byte| *byte != 0) {
            last = Some(offset + at as u64 + 1);
        }
        offset += bytes.len() as u64;
    }
    Ok(last)
}

/// A group is written only when the one before it is durable. So a good frame further behind a bad one than a group can reach proves
/// that the bad one was durable once.
fn refuse_if_frames_follow(pieces: &mut Pieces, path: &Path, tally: &Tally, bad_at: u64, end: u64) -> Result<()> {
    let doing = |source| Error::io(format!("cannot read the log, file={}", path.display()), source);
    let mut offset = tally.data_end + limits::GROUP_BYTES_MAX as u64;
    while offset < end {
        let bytes = pieces.at(offset, FRAME_HEADER_BYTES).map_err(doing)?;
        if bytes.starts_with(&FRAME_MAGIC) && FrameHeader::decode(bytes).is_ok_and(|header| header.first >= tally.next)
        {
            return Err(Error::corrupted(
                format_args!("bad bytes before good ones in the log, intact_frame_offset={offset}"),
                path.display(),
                bad_at,
            ));
        }
        offset += limits::FRAME_ALIGN as u64;
    }
    Ok(())
}

/// Reads and checks the first block of a segment.
pub(super) fn read_header(file: &dyn DiskFile, path: &Path) -> Result<SegmentHeader> {
    let mut block = [0; crate::disk::BLOCK];
    match file.read_at(&mut block, 0) {
        Ok(()) => SegmentHeader::decode(&block).map_err(|defect| defect.at(path, 0)),
        Err(source) if source.kind() == std::io::ErrorKind::UnexpectedEof => Err(Defect::Short.at(path, 0)),
        Err(source) => Err(Error::io(format!("cannot read a segment's header, file={}", path.display()), source)),
    }
}

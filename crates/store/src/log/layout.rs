//! What do the bytes of the log have in common? Little-endian fields, CRC-32C, alignment, and the ways bytes can be wrong.
//!
//! Nothing here allocates or panics on any input. The layouts themselves are in `docs/formats/log.md` and, in code, one file each:
//! `header.rs`, `frame.rs`, `entry.rs`, `footer.rs`, `mark.rs`.

use std::{fmt, path::Path};

use crate::{error::Error, limits};

/// The format this version writes, and the newest it reads.
pub const FORMAT: u16 = 1;

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Defect {
    /// There are fewer bytes than the thing needs.
    Short,
    /// The first bytes are not those of the thing.
    Magic,
    /// The checksum does not fit the bytes.
    Checksum,
    /// A length, count or offset contradicts the bytes around it.
    Length,
    /// A name is not UTF-8.
    Text,
    /// Bytes that must be zero are not.
    Padding,
    /// A frame does not continue the one before it: position or chain value.
    Discontinuous,
    /// A newer version of Gesta wrote this: format, kind or flag unknown.
    Newer,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "cut short",
            Self::Magic => "not what is expected here",
            Self::Checksum => "checksum does not fit",
            Self::Length => "length contradicts its surroundings",
            Self::Text => "name is not UTF-8",
            Self::Padding => "padding is not zero",
            Self::Discontinuous => "does not continue what is before it",
            Self::Newer => "written by a newer version, use that one",
        })
    }
}

/// CRC-32C (Castagnoli), as in iSCSI.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// The first multiple of the frame alignment at or after `length`.
pub(super) const fn aligned(length: u64) -> u64 {
    length.next_multiple_of(limits::FRAME_ALIGN as u64)
}

/// The `N` bytes at `at`.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Defect> {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().ok_or(Defect::Short)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Defect> {
    array(bytes, at).map(u16::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Defect> {
    array(bytes, at).map(u32::from_le_bytes)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Result<u64, Defect> {
    array(bytes, at).map(u64::from_le_bytes)
}

pub(super) fn i64_at(bytes: &[u8], at: usize) -> Result<i64, Defect> {
    array(bytes, at).map(i64::from_le_bytes)
}

/// Writes a field into a fixed layout.
pub(super) fn put<const N: usize>(layout: &mut [u8], at: usize, field: [u8; N]) {
    layout[at..at + N].copy_from_slice(&field);
}

/// The 32-bit form of a length that a limit keeps below 4 GiB.
pub(super) fn narrow(length: usize) -> u32 {
    u32::try_from(length).expect("limits keep lengths and offsets in a segment below 4 GiB")
}

/// An offset in a segment as an index into memory.
pub(super) fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("offsets in a segment fit the address space")
}

impl Defect {
    /// The error for bytes of `file` that are wrong at `offset`.
    pub(super) fn at(self, file: &Path, offset: u64) -> Error {
        let file = file.display();
        match self {
            Self::Newer => Error::invalid(format!("{self}, file={file} offset={offset} format_max={FORMAT}")),
            Self::Short
            | Self::Magic
            | Self::Checksum
            | Self::Length
            | Self::Text
            | Self::Padding
            | Self::Discontinuous => Error::corrupted(format_args!("bad bytes in the log: {self}"), file, offset),
        }
    }
}

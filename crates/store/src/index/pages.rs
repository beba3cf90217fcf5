//! Are these bytes what was written: page checksums of a run file.
//!
//! The body of a run is cut into pages of 4 KiB, each with a CRC-32C. A page is checked when it is first touched and then remembered as good,
//! so opening a large run reads little of it and a later look-up pays one bit test. Every read of a run's body must go through
//! [`Body::bytes`]: that is what makes a damaged run an error instead of a wrong answer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use crc_fast::crc32_iscsi as crc32c;

use super::run::Extent;
use crate::error::{Error, Result};

/// Bytes of a page.
pub(super) const PAGE: usize = 4096;

/// The body of a run file, mapped.
#[derive(Debug)]
pub(super) struct Body {
    extent: Extent,
    bytes: Bytes,
    /// One little-endian CRC-32C for each page.
    sums: Bytes,
    /// One bit for each page: it was checked and is good.
    good: Box<[AtomicU64]>,
    damaged: AtomicBool,
}

impl Body {
    /// `sums` must have been checked, and have one sum for each page of `bytes`.
    pub(super) fn new(extent: Extent, bytes: Bytes, sums: Bytes) -> Self {
        let pages = bytes.len().div_ceil(PAGE);
        assert_eq!(sums.len(), 4 * pages, "every page of a run has its sum");
        let good = (0..pages.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Self { extent, bytes, sums, good, damaged: AtomicBool::new(false) }
    }

    /// How many positions the run covers: what bounds everything it says of a term.
    pub(super) fn positions(&self) -> u64 {
        self.extent.end - self.extent.first
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The `length` bytes at `start`, checked.
    pub(super) fn bytes(&self, start: u64, length: usize) -> Result<&[u8]> {
        let from = usize::try_from(start).ok().filter(|&from| from <= self.bytes.len());
        let Some((from, until)) = from.and_then(|from| Some((from, from.checked_add(length)?))) else {
            return Err(self.damage("index run points outside itself", start));
        };
        let Some(bytes) = self.bytes.get(from..until) else {
            return Err(self.damage("index run points outside itself", start));
        };
        for page in from / PAGE..until.div_ceil(PAGE) {
            self.check(page)?;
        }
        Ok(bytes)
    }

    /// At most `length` bytes from `start` on, fewer at the end of the body, checked.
    pub(super) fn bytes_up_to(&self, start: u64, length: usize) -> Result<&[u8]> {
        let left = self.len().saturating_sub(start);
        self.bytes(start, usize::try_from(left).map_or(length, |left| left.min(length)))
    }

    fn check(&self, page: usize) -> Result<()> {
        let (word, bit) = (&self.good[page / 64], 1_u64 << (page % 64));
        if word.load(Ordering::Relaxed) & bit != 0 {
            return Ok(());
        }
        let start = page * PAGE;
        let content = &self.bytes[start..self.bytes.len().min(start + PAGE)];
        if crc32c(content).to_le_bytes() != self.sums[4 * page..4 * page + 4] {
            return Err(self.damage("index run has a bad checksum", start as u64));
        }
        word.fetch_or(bit, Ordering::Relaxed);
        Ok(())
    }

    /// Checks every page.
    pub(super) fn check_all(&self) -> Result<()> {
        (0..self.bytes.len().div_ceil(PAGE)).try_for_each(|page| self.check(page))
    }

    /// Remembers that the run is damaged, and says so.
    pub(super) fn damage(&self, what: &str, offset: u64) -> Error {
        self.damaged.store(true, Ordering::Relaxed);
        Error::corrupted(
            format!("{what}; it is rebuilt when the store is opened again"),
            self.extent.file_name(),
            offset,
        )
    }

    /// Whether damage was met.
    pub(super) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }
}

/// The checksums of pages as they are written.
#[derive(Debug, Default)]
pub(super) struct PageSums {
    sums: Vec<u8>,
    page: Vec<u8>,
}

impl PageSums {
    /// Takes the next bytes of the body.
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PAGE - self.page.len()));
            self.page.extend_from_slice(now);
            if self.page.len() == PAGE {
                self.close_page();
            }
            bytes = later;
        }
    }

    fn close_page(&mut self) {
        self.sums.extend_from_slice(&crc32c(&self.page).to_le_bytes());
        self.page.clear();
    }

    /// The sums of all pages.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if !self.page.is_empty() {
            self.close_page();
        }
        self.sums
    }
}

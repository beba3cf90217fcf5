//! Where a term is, in a run file: a list of increasing positions, written once and searched in place.
//!
//! Positions are distances from the run's first position. A list of one position without a base lives in the dictionary's value; a
//! list of up to 128 is one stretch of varint gaps; a longer one is cut into blocks of 128, each reachable through a table of
//! (first position, offset), so that the n-th position, the rank of a position, and the next position at or after another cost
//! one binary search and the decoding of one block. See `docs/formats/index.md`, "Posting lists".

use std::{io::Write, ops::Range};

use super::{Towards, pages::Body};
use crate::error::Result;

/// Positions in a block.
pub(super) const BLOCK_POSTINGS: usize = 128;
/// Bytes of an entry of the block table.
const SKIP_BYTES: usize = 8;
/// Most bytes in the head of a record: three varints.
const HEAD_BYTES_MAX: usize = 30;
/// Most bytes in a block: gaps are below 2^32.
const BLOCK_BYTES_MAX: usize = 5 * BLOCK_POSTINGS;

/// Where a list is, and what it says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct List {
    /// How many events carried the term before this run.
    pub(super) base: u64,
    /// How many do in this run.
    pub(super) count: u64,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    One(u32),
    /// The gaps are here.
    Short(u64),
    Long {
        blocks: u64,
        blocks_length: u64,
        skips: u64,
    },
}

impl List {
    /// Reads the head of the list a dictionary value stands for.
    pub(super) fn read(body: &Body, value: u64) -> Result<Self> {
        let offset = value >> 1;
        if value & 1 == 1 {
            let only = u32::try_from(offset).ok().filter(|&only| u64::from(only) < body.positions());
            let only = only.ok_or_else(|| body.damage("posting is outside its run", 0))?;
            return Ok(Self { base: 0, count: 1, form: Form::One(only) });
        }
        let head = body.bytes_up_to(offset, HEAD_BYTES_MAX)?;
        let mut rest = head;
        let read = |rest: &mut &[u8]| take_varint(rest).ok_or_else(|| body.damage("posting list has no head", offset));
        let count = read(&mut rest)?;
        let base = read(&mut rest)?;
        if count == 0 || count > body.positions() || base.checked_add(count).is_none() {
            return Err(body.damage("posting list has more positions than its run", offset));
        }
        if count <= BLOCK_POSTINGS as u64 {
            let gaps = offset + (head.len() - rest.len()) as u64;
            return Ok(Self { base, count, form: Form::Short(gaps) });
        }
        let blocks_length = read(&mut rest)?;
        let skips = offset + (head.len() - rest.len()) as u64;
        let blocks = offset
            .checked_sub(blocks_length)
            .ok_or_else(|| body.damage("posting list points outside its run", offset))?;
        Ok(Self { base, count, form: Form::Long { blocks, blocks_length, skips } })
    }

    fn blocks(&self) -> u64 {
        self.count.div_ceil(BLOCK_POSTINGS as u64)
    }
}

/// A place in a list, and the block around it.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    list: List,
    /// Which block is decoded in `items`; past all blocks if none is.
    block: u64,
    items: Vec<u32>,
    /// Where in `items` the last answer was.
    hint: usize,
}

impl Cursor {
    pub(super) fn new(list: List) -> Self {
        Self { list, block: u64::MAX, items: Vec::new(), hint: 0 }
    }

    /// Goes over to another list of the same run, keeping the memory.
    pub(super) fn reuse(&mut self, list: List) {
        self.list = list;
        self.block = u64::MAX;
        self.items.clear();
        self.hint = 0;
    }

    /// How many positions are in the list.
    pub(super) fn count(&self) -> u64 {
        self.list.count
    }

    /// Going to newer ones the first position at or after `at`, going to older ones the last at or before it.
    pub(super) fn seek(&mut self, body: &Body, at: u32, towards: Towards) -> Result<Option<u32>> {
        match towards {
            Towards::Newer => {
                let index = self.enter(body, at)?;
                if let Some(&item) = self.items.get(index) {
                    return Ok(Some(item));
                }
                if self.block + 1 >= self.list.blocks() {
                    return Ok(None);
                }
                self.load(body, self.block + 1)?;
                Ok(self.items.first().copied())
            }
            Towards::Older => {
                let index = self.enter(body, at)?;
                if self.items.get(index) == Some(&at) {
                    return Ok(Some(at));
                }
                Ok(index.checked_sub(1).map(|index| self.items[index]))
            }
        }
    }

    /// How many positions of the list are before `at`.
    pub(super) fn rank(&mut self, body: &Body, at: u32) -> Result<u64> {
        let index = self.enter(body, at)?;
        Ok(self.block * BLOCK_POSTINGS as u64 + index as u64)
    }

    /// The position with ordinal `n` within the list, which must be below its count.
    pub(super) fn nth(&mut self, body: &Body, n: u64) -> Result<u32> {
        self.load(body, n / BLOCK_POSTINGS as u64)?;
        let item = self.items.get((n % BLOCK_POSTINGS as u64) as usize).copied();
        item.ok_or_else(|| body.damage("posting list is shorter than it says", 0))
    }

    /// Visits the positions with these ordinals within the list, in order.
    pub(super) fn for_each(&mut self, body: &Body, ordinals: Range<u64>, mut visit: impl FnMut(u32)) -> Result<()> {
        let mut next = ordinals.start;
        while next < ordinals.end {
            self.load(body, next / BLOCK_POSTINGS as u64)?;
            let from = (next % BLOCK_POSTINGS as u64) as usize;
            let wanted = (ordinals.end - next).min((self.items.len().saturating_sub(from)) as u64);
            if wanted == 0 {
                return Err(body.damage("posting list is shorter than it says", 0));
            }
            self.items[from..from + wanted as usize].iter().copied().for_each(&mut visit);
            next += wanted;
        }
        Ok(())
    }

    /// Decodes the block in which `at` is or would be: the last one that begins at or before `at`, else the first. Returns the
    /// place within it of the first position at or after `at`.
    fn enter(&mut self, body: &Body, at: u32) -> Result<usize> {
        let inside = match (self.items.first(), self.items.last()) {
            (Some(&first), Some(&last)) if self.block < self.list.blocks() => {
                first <= at && (at <= last || self.block + 1 == self.list.blocks())
            }
            (None | Some(_), None | Some(_)) => false,
        };
        if !inside {
            let block = self.block_of(body, at)?;
            self.load(body, block)?;
        }
        // Leapfrogging mostly asks for a place just after the last one.
        let from = if self.items.get(self.hint).is_some_and(|&item| item < at) { self.hint + 1 } else { 0 };
        let near = self.items[from..].iter().take(8).position(|&item| item >= at);
        self.hint = match near {
            Some(distance) if from > 0 => from + distance,
            Some(_) | None => from + self.items[from..].partition_point(|&item| item < at),
        };
        Ok(self.hint)
    }

    /// The last block that begins at or before `at`, else the first. Gallops from the current block.
    fn block_of(&self, body: &Body, at: u32) -> Result<u64> {
        let blocks = self.list.blocks();
        let (mut low, mut high) = (0, blocks);
        if self.block < blocks {
            let mut step = 1;
            if self.first_of(body, self.block)? <= at {
                low = self.block;
                while low + step < blocks && self.first_of(body, low + step)? <= at {
                    low += step;
                    step *= 2;
                }
                high = (low + step).min(blocks);
            } else {
                high = self.block;
                while high > step && self.first_of(body, high - step)? > at {
                    high -= step;
                    step *= 2;
                }
                low = high.saturating_sub(step);
            }
        }
        // `low` begins at or before `at` (or is the first block), `high` after it (or is past the last block).
        while low + 1 < high {
            let middle = low.midpoint(high);
            if self.first_of(body, middle)? <= at {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// The first position of a block of a long list; other lists have one block, whose first position does not matter.
    fn first_of(&self, body: &Body, block: u64) -> Result<u32> {
        match self.list.form {
            Form::One(_) | Form::Short(_) => Ok(0),
            Form::Long { skips, .. } => Ok(skip(body, skips, block)?.0),
        }
    }

    fn load(&mut self, body: &Body, block: u64) -> Result<()> {
        if self.block == block {
            return Ok(());
        }
        // Until it is decoded, no block is: an error in between must not leave half of one.
        self.block = u64::MAX;
        self.items.clear();
        self.hint = 0;
        self.read_block(body, block)?;
        self.block = block;
        Ok(())
    }

    fn read_block(&mut self, body: &Body, block: u64) -> Result<()> {
        match self.list.form {
            Form::One(only) => self.items.push(only),
            Form::Short(gaps) => {
                let mut bytes = body.bytes_up_to(gaps, BLOCK_BYTES_MAX)?;
                let first = take_varint(&mut bytes).and_then(|first| u32::try_from(first).ok());
                let first = first.ok_or_else(|| body.damage("posting list is cut short", gaps))?;
                self.decode(body, gaps, bytes, first, self.list.count as usize, body.positions())?;
            }
            Form::Long { blocks, blocks_length, skips } => {
                let (first, start) = skip(body, skips, block)?;
                let (below, end) = match block + 1 == self.list.blocks() {
                    true => (body.positions(), blocks_length),
                    false => skip(body, skips, block + 1).map(|(first, end)| (u64::from(first), u64::from(end)))?,
                };
                let length = end.checked_sub(u64::from(start)).and_then(|length| usize::try_from(length).ok());
                let length = length.ok_or_else(|| body.damage("posting blocks overlap", skips))?;
                let start = blocks + u64::from(start);
                let before = block * BLOCK_POSTINGS as u64;
                let count = (self.list.count - before).min(BLOCK_POSTINGS as u64) as usize;
                self.decode(body, start, body.bytes(start, length)?, first, count, below)?;
            }
        }
        Ok(())
    }

    /// All positions must be `below` what comes after them: searching and merging rely on their order.
    fn decode(
        &mut self,
        body: &Body,
        offset: u64,
        mut bytes: &[u8],
        first: u32,
        count: usize,
        below: u64,
    ) -> Result<()> {
        let mut item = first;
        self.items.push(item);
        for _ in 1..count {
            let gap = take_varint(&mut bytes).and_then(|gap| u32::try_from(gap).ok());
            let next = gap.and_then(|gap| item.checked_add(gap)?.checked_add(1));
            item = next.ok_or_else(|| body.damage("posting list is cut short", offset))?;
            self.items.push(item);
        }
        match u64::from(item) < below {
            true => Ok(()),
            false => Err(body.damage("posting list is out of order", offset)),
        }
    }
}

/// An entry of the block table: the block's first position, and where the rest of it begins.
fn skip(body: &Body, skips: u64, block: u64) -> Result<(u32, u32)> {
    let entry = body.bytes(skips + block * SKIP_BYTES as u64, SKIP_BYTES)?;
    let (first, offset) = entry.split_at(4);
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte));
    Ok((number(first), number(offset)))
}

/// Encodes one list after the other. Holds one block, and 8 bytes for every 128 positions of the list at hand.
#[derive(Debug, Default)]
pub(super) struct ListWriter {
    block: Vec<u32>,
    count: u64,
    skips: Vec<u8>,
    blocks_length: u64,
    encoded: Vec<u8>,
}

impl ListWriter {
    /// Adds a position, greater than all before it.
    pub(super) fn push(&mut self, item: u32, out: &mut impl Write) -> std::io::Result<()> {
        if self.block.len() == BLOCK_POSTINGS {
            self.write_block(out)?;
        }
        debug_assert!(self.block.last().is_none_or(|&last| last < item), "positions increase");
        self.block.push(item);
        self.count += 1;
        Ok(())
    }

    fn write_block(&mut self, out: &mut impl Write) -> std::io::Result<()> {
        let offset = u32::try_from(self.blocks_length).expect("a run spans less than 2^30 positions");
        self.skips.extend_from_slice(&self.block[0].to_le_bytes());
        self.skips.extend_from_slice(&offset.to_le_bytes());
        self.encoded.clear();
        put_gaps(&mut self.encoded, &self.block);
        out.write_all(&self.encoded)?;
        self.blocks_length += self.encoded.len() as u64;
        self.block.clear();
        Ok(())
    }

    /// Ends the list, whose head is then at `offset(out)`, and returns the dictionary's value for it; `None` if it is empty.
    pub(super) fn finish<W: Write>(
        &mut self,
        base: u64,
        out: &mut W,
        offset: impl Fn(&W) -> u64,
    ) -> std::io::Result<Option<(u64, u64)>> {
        let count = std::mem::take(&mut self.count);
        let value = match (count, base) {
            (0, _) => return Ok(None),
            (1, 0) => u64::from(self.block[0]) << 1 | 1,
            _ => {
                let is_long = count > BLOCK_POSTINGS as u64;
                if is_long {
                    self.write_block(out)?;
                }
                let value = offset(out) << 1;
                self.encoded.clear();
                put_varint(&mut self.encoded, count);
                put_varint(&mut self.encoded, base);
                if is_long {
                    put_varint(&mut self.encoded, self.blocks_length);
                    self.encoded.extend_from_slice(&self.skips);
                } else {
                    put_varint(&mut self.encoded, u64::from(self.block[0]));
                    put_gaps(&mut self.encoded, &self.block);
                }
                out.write_all(&self.encoded)?;
                value
            }
        };
        self.block.clear();
        self.skips.clear();
        self.blocks_length = 0;
        Ok(Some((value, count)))
    }
}

/// What lies between neighbouring positions.
fn put_gaps(out: &mut Vec<u8>, items: &[u32]) {
    for pair in items.windows(2) {
        put_varint(out, u64::from(pair[1] - pair[0] - 1));
    }
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

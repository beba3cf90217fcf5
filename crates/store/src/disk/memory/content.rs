//! What one file holds, and what of it a crash may leave.
//!
//! Two images are kept: `current`, which reads see, and `durable`, which a crash cannot take. Between them stand the changes
//! that were made but not synced, in order. Each of their bytes must be, after a crash, what it was before or after the change.
//!
//! A failed sync *abandons* the writes it was asked to keep, as Linux does: the pages count as clean afterwards, so that a second
//! sync succeeds without making anything durable, even one by the next process, which still reads what was written. A store that
//! retries a failed sync loses data on this disk as on a real one; only writing the bytes again helps. Lengths are metadata, which a
//! file system keeps in a journal and does not forget.

use rand::RngExt;
use rand_chacha::ChaCha12Rng;

use crate::disk::BLOCK;

/// What a device writes as a whole, in bytes.
const SECTOR: usize = 512;

/// The bytes of one file.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    current: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Unsynced>,
    /// Which blocks take up space: those that were written, not those a longer length only promises.
    allocated: Vec<bool>,
}

#[derive(Clone, Debug)]
struct Unsynced {
    change: Change,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The next successful sync makes it durable.
    Syncable,
    /// A sync of it failed: no sync will make it durable any more.
    Abandoned,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Content {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.current
    }

    /// Bytes of the device that the file takes up.
    pub(super) fn allocated_bytes(&self) -> u64 {
        (self.allocated.iter().filter(|taken| **taken).count() * BLOCK) as u64
    }

    /// How many of `length` bytes at `offset` can be written while at most `room` more bytes of the device are taken up.
    pub(super) fn fitting(&self, offset: usize, length: usize, room: u64) -> usize {
        let mut blocks_left = room / BLOCK as u64;
        for block in blocks(offset, length) {
            if self.allocated.get(block).copied().unwrap_or(false) {
                continue;
            }
            if blocks_left == 0 {
                return (block * BLOCK).saturating_sub(offset);
            }
            blocks_left -= 1;
        }
        length
    }

    /// Writes; a crash may lose it.
    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        self.change(Change::Write { offset, bytes: bytes.to_vec() }, Fate::Syncable);
    }

    /// Writes as a failed durable write leaves it: a crash may lose it, and no sync will help.
    pub(super) fn write_abandoned(&mut self, bytes: &[u8], offset: usize) {
        self.change(Change::Write { offset, bytes: bytes.to_vec() }, Fate::Abandoned);
    }

    /// Writes durably, and only that.
    pub(super) fn write_durable(&mut self, bytes: &[u8], offset: usize) {
        let change = Change::Write { offset, bytes: bytes.to_vec() };
        self.allocate(offset, bytes.len());
        change.apply(&mut self.current);
        self.settle(&change);
    }

    pub(super) fn set_len(&mut self, length: usize) {
        self.allocated.truncate(length.div_ceil(BLOCK));
        self.change(Change::Length(length), Fate::Syncable);
    }

    fn change(&mut self, change: Change, fate: Fate) {
        if let Change::Write { offset, bytes } = &change {
            self.allocate(*offset, bytes.len());
        }
        change.apply(&mut self.current);
        self.unsynced.push(Unsynced { change, fate });
    }

    fn allocate(&mut self, offset: usize, length: usize) {
        for block in blocks(offset, length) {
            if self.allocated.len() <= block {
                self.allocated.resize(block + 1, false);
            }
            self.allocated[block] = true;
        }
    }

    /// Makes every change durable that was not abandoned.
    pub(super) fn sync(&mut self) {
        for unsynced in std::mem::take(&mut self.unsynced) {
            match unsynced.fate {
                Fate::Syncable => self.settle(&unsynced.change),
                Fate::Abandoned => self.unsynced.push(unsynced),
            }
        }
    }

    /// What a failed sync does.
    pub(super) fn abandon(&mut self) {
        for Unsynced { change, fate } in &mut self.unsynced {
            match change {
                Change::Write { .. } => *fate = Fate::Abandoned,
                Change::Length(_) => {}
            }
        }
    }

    /// Makes `change` durable; it is newer than everything unsynced, so nothing unsynced may undo it any more.
    fn settle(&mut self, change: &Change) {
        change.apply(&mut self.durable);
        self.unsynced = std::mem::take(&mut self.unsynced)
            .into_iter()
            .flat_map(|Unsynced { change: older, fate }| {
                older.outside_of(change).into_iter().map(move |change| Unsynced { change, fate })
            })
            .collect();
    }

    /// Flips bits of one byte for good; `false` when the file is too short.
    pub(super) fn corrupt(&mut self, offset: usize, xor: u8) -> bool {
        for image in [&mut self.durable, &mut self.current] {
            if let Some(byte) = image.get_mut(offset) {
                *byte ^= xor;
            }
        }
        offset < self.current.len()
    }

    /// What a crash leaves when nothing, everything, or anything unsynced survives.
    pub(super) fn after_crash(&self, survival: Survival, random: &mut ChaCha12Rng) -> Self {
        let mut image = self.durable.clone();
        for unsynced in &self.unsynced {
            match survival {
                Survival::Nothing => {}
                Survival::Everything => unsynced.change.apply(&mut image),
                Survival::Anything => unsynced.change.apply_partly(&mut image, random),
            }
        }
        let mut after = Self { current: image.clone(), durable: image, ..Self::default() };
        after.allocate(0, after.current.len());
        after
    }
}

/// How lucky a crash is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Survival {
    /// Nothing that was not synced is left.
    Nothing,
    /// The caches happened to be written back just in time.
    Everything,
    /// Each change by itself: whole, in part, or not at all.
    Anything,
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => put(image, *offset, bytes),
            Self::Length(length) => image.resize(*length, 0),
        }
    }

    /// Applies what a crash happens to leave of the change.
    fn apply_partly(&self, image: &mut Vec<u8>, random: &mut ChaCha12Rng) {
        match self {
            Self::Length(length) => {
                if random.random_bool(0.5) {
                    image.resize(*length, 0);
                }
            }
            Self::Write { offset, bytes } => {
                // The file system may have recorded the new length before the bytes: they read as zeros then.
                if random.random_bool(0.25) && image.len() < offset + bytes.len() {
                    image.resize(offset + bytes.len(), 0);
                }
                put_partly(image, *offset, bytes, random);
            }
        }
    }

    /// What is left of this change once `newer` is durable: the bytes it does not cover.
    fn outside_of(self, newer: &Self) -> Vec<Self> {
        match (self, newer) {
            (Self::Write { offset, bytes }, Self::Write { offset: from, bytes: covering }) => {
                let to = from + covering.len();
                let before = &bytes[..from.saturating_sub(offset).min(bytes.len())];
                let after = &bytes[to.saturating_sub(offset).min(bytes.len())..];
                let after_offset = offset + bytes.len() - after.len();
                [(offset, before), (after_offset, after)]
                    .into_iter()
                    .filter(|(_, part)| !part.is_empty())
                    .map(|(offset, part)| Self::Write { offset, bytes: part.to_vec() })
                    .collect()
            }
            // The durable write needs its bytes to stay within the file.
            (Self::Length(length), Self::Write { offset, bytes }) => {
                vec![Self::Length(length.max(offset + bytes.len()))]
            }
            (Self::Write { offset, mut bytes }, Self::Length(length)) => {
                bytes.truncate(length.saturating_sub(offset));
                if bytes.is_empty() { Vec::new() } else { vec![Self::Write { offset, bytes }] }
            }
            (Self::Length(_), Self::Length(_)) => Vec::new(),
        }
    }
}

fn put(image: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[offset..end].copy_from_slice(bytes);
}

fn put_partly(image: &mut Vec<u8>, offset: usize, bytes: &[u8], random: &mut ChaCha12Rng) {
    match random.random_range(0..5) {
        0 => {}
        1 => put(image, offset, bytes),
        // Torn at any byte, from the front or, since devices reorder, from the back.
        2 => put(image, offset, &bytes[..random.random_range(0..=bytes.len())]),
        3 => {
            let from = random.random_range(0..=bytes.len());
            put(image, offset + from, &bytes[from..]);
        }
        _ => {
            let mut from = 0;
            while from < bytes.len() {
                let to = (SECTOR - (offset + from) % SECTOR + from).min(bytes.len());
                match random.random_range(0..8) {
                    0..4 => {}
                    4 => put(image, offset + from, &bytes[from..random.random_range(from..=to)]),
                    _ => put(image, offset + from, &bytes[from..to]),
                }
                from = to;
            }
        }
    }
}

/// The blocks that `length` bytes at `offset` touch.
fn blocks(offset: usize, length: usize) -> std::ops::Range<usize> {
    if length == 0 { 0..0 } else { offset / BLOCK..(offset + length).div_ceil(BLOCK) }
}

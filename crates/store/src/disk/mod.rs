//! The only door to files.
//!
//! [`Disk`] is what the store asks of a file system and nothing more; [`FileDisk`] is the real one, `memory::MemoryDisk` the one
//! that loses, tears and refuses on demand. Whatever an implementation reports as synced must survive a crash; whatever
//! it does not, may be lost or half written, in any order (each byte then holds its old or its new value).

#[cfg(test)]
mod contract;
mod file;
mod map;
#[cfg(any(test, feature = "testing"))]
pub mod memory;

use std::{fmt, io, path::Path, sync::Arc};

use bytes::Bytes;

pub use file::FileDisk;

use crate::limits::GROUP_BYTES_MAX;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading; it must exist.
    Read,
    /// For reading and writing; it must exist.
    Write,
    /// For reading and writing; it must not exist, and is empty.
    CreateNew,
}

/// A directory tree that survives crashes. Paths are relative to the store's directory.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Creates a directory and its parents, durably; an existing one is fine.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// The names of the files (not directories) in a directory, sorted. A missing directory has none.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// The names of the directories in a directory, sorted. A missing directory has none.
    fn directories(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Whether the file or directory exists.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name in the same directory, replacing what has it. Durable after [`Disk::sync_dir`]; a crash before
    /// leaves either the old or the new state. `InvalidInput` for another directory, where no file system promises as much.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Durable after [`Disk::sync_dir`].
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the store's lock, or fails with `WouldBlock` while another process or handle has it. Given back on drop.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn fmt::Debug + Send + Sync>>;

    /// Bytes that may still be written; `None` where nobody can tell.
    fn available_bytes(&self) -> io::Result<Option<u64>>;

    /// How the last [`DiskFile::write_durable`] reached the device; `None` before the first.
    fn durable_write(&self) -> Option<DurableWrite>;

    /// Where the tree is, for messages.
    fn describe(&self) -> String;
}

/// Whether `bytes` of something that can wait fit on the disk and leave room for the next group of the log: a write of the log that finds none
/// is final, while work that can wait gives its room back in vain. Yes, where nobody can tell.
pub(crate) fn leaves_room(disk: &dyn Disk, bytes: u64) -> bool {
    match disk.available_bytes() {
        Ok(Some(available)) => available >= bytes.saturating_add(GROUP_BYTES_MAX as u64),
        Ok(None) | Err(_) => true,
    }
}

/// One file. All methods take `&self`: positions are explicit, and the store sees to it that writes do not overlap.
#[allow(clippy::len_without_is_empty)] // nobody asks whether a file is empty
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset`; `UnexpectedEof` when the file ends before.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`. Lost in a crash until [`DiskFile::sync`].
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`, and returns when they are durable (with the metadata needed to find them).
    /// The implementation picks the fastest honest way: direct synchronous I/O where `bytes` is aligned and the
    /// file system allows it, else a write and `fdatasync`.
    fn write_durable(&self, bytes: &AlignedBuffer, offset: u64) -> io::Result<()>;

    /// Makes everything written so far durable.
    fn sync(&self) -> io::Result<()>;

    /// Cuts or extends (with zeros) the file. Durable after [`DiskFile::sync`].
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// The whole content of a file that will never change again, without reading it into memory where the system allows.
    fn map(&self) -> io::Result<Bytes>;
}

/// How durable writes reach the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DurableWrite {
    /// Past the cache of the operating system, in one call (`O_DIRECT` and `O_DSYNC`): the fast way.
    Direct,
    /// Through the cache, and a flush after it: where the file system refuses the fast way.
    Flushed,
}

/// Fails unless both paths are in the same directory.
fn check_same_directory(from: &Path, to: &Path) -> io::Result<()> {
    if from.parent() == to.parent() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "files are only renamed within their directory"))
}

/// The unit of direct I/O the log asks for: every device in use accepts it.
pub const BLOCK: usize = 4096;

/// A byte buffer that begins on a [`BLOCK`] boundary in memory, so that it can be written directly.
#[derive(Default)]
pub struct AlignedBuffer {
    /// Over-allocated by a block; the content begins at `start`.
    bytes: Vec<u8>,
    start: usize,
}

impl AlignedBuffer {
    /// An empty buffer with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let mut buffer = Self::default();
        buffer.reserve(capacity);
        buffer
    }

    /// The content.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// The content, to be changed in place.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    /// Bytes held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Empties the buffer; the memory stays.
    pub fn clear(&mut self) {
        self.bytes.truncate(self.start);
    }

    /// Cuts the content to its first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(self.start + length);
    }

    /// Appends bytes. Amortised constant per byte.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends zeros up to a multiple of `multiple` bytes.
    pub fn pad_to(&mut self, multiple: usize) {
        let target = self.len().next_multiple_of(multiple);
        self.reserve(target - self.len());
        let end = self.start + target;
        self.bytes.resize(end, 0);
    }

    /// Makes room for `more` bytes while keeping the content aligned.
    pub fn reserve(&mut self, more: usize) {
        if self.bytes.capacity() - self.bytes.len() >= more && self.bytes.capacity() > 0 {
            return;
        }
        let length = self.len();
        let mut bytes: Vec<u8> = Vec::with_capacity((length + more).max(2 * length) + BLOCK);
        let start = bytes.as_ptr().align_offset(BLOCK);
        bytes.resize(start, 0);
        bytes.extend_from_slice(self.as_slice());
        *self = Self { bytes, start };
    }
}

impl fmt::Debug for AlignedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlignedBuffer({} bytes)", self.len())
    }
}

//! A disk in memory that tells somebody what it is about to do: who may hold it up, refuse it, or count it.
//!
//! For looking at a store in the middle of an operation, of a chosen kind on a chosen file; what [`MemoryDisk`] itself offers strikes by
//! number. The watch is called with no lock held, so one operation can be held up while others go on.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, PoisonError},
};

use bytes::Bytes;

use super::{MemoryDisk, Operation};
use crate::disk::{AlignedBuffer, Disk, DiskFile, DurableWrite, OpenMode};

/// What a disk is about to do.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What. Looking names up and listing are not told.
    pub operation: Operation,
    /// To which file or directory, by the name it was opened with.
    pub path: &'a Path,
    /// How many bytes are to be read or written; 0 where that means nothing.
    pub bytes: usize,
}

type Watch = Arc<dyn Fn(Request<'_>) -> io::Result<()> + Send + Sync>;

/// A disk in memory, and who watches it.
#[derive(Clone)]
pub struct WatchedDisk {
    inner: MemoryDisk,
    watch: Watch,
}

impl WatchedDisk {
    /// A disk that asks `watch` before each operation, and fails with what it answers.
    pub fn new(inner: MemoryDisk, watch: impl Fn(Request<'_>) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self { inner, watch: Arc::new(watch) }
    }

    fn ask(&self, operation: Operation, path: &Path) -> io::Result<()> {
        (self.watch)(Request { operation, path, bytes: 0 })
    }
}

impl fmt::Debug for WatchedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WatchedDisk").field(&self.inner).finish()
    }
}

struct WatchedFile {
    inner: Arc<dyn DiskFile>,
    path: PathBuf,
    watch: Watch,
}

impl WatchedFile {
    fn ask(&self, operation: Operation, bytes: usize) -> io::Result<()> {
        (self.watch)(Request { operation, path: &self.path, bytes })
    }
}

impl fmt::Debug for WatchedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WatchedFile").field(&self.path).finish()
    }
}

impl Disk for WatchedDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.ask(Operation::CreateDir, path)?;
        self.inner.create_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.inner.list(dir)
    }

    fn directories(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.inner.directories(dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.inner.exists(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let operation = match mode {
            OpenMode::Read | OpenMode::Write => Operation::Read,
            OpenMode::CreateNew => Operation::Create,
        };
        self.ask(operation, path)?;
        let inner = self.inner.open(path, mode)?;
        Ok(Arc::new(WatchedFile { inner, path: path.to_owned(), watch: Arc::clone(&self.watch) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(Operation::Rename, from)?;
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.ask(Operation::Remove, path)?;
        self.inner.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.ask(Operation::SyncDir, dir)?;
        self.inner.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn fmt::Debug + Send + Sync>> {
        self.inner.lock(path)
    }

    fn available_bytes(&self) -> io::Result<Option<u64>> {
        self.inner.available_bytes()
    }

    fn durable_write(&self) -> Option<DurableWrite> {
        self.inner.durable_write()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

impl DiskFile for WatchedFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.ask(Operation::Read, buffer.len())?;
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.ask(Operation::Write, bytes.len())?;
        self.inner.write_at(bytes, offset)
    }

    fn write_durable(&self, bytes: &AlignedBuffer, offset: u64) -> io::Result<()> {
        self.ask(Operation::WriteDurable, bytes.len())?;
        self.inner.write_durable(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.ask(Operation::Sync, 0)?;
        self.inner.sync()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.ask(Operation::SetLength, 0)?;
        self.inner.set_len(length)
    }

    fn map(&self) -> io::Result<Bytes> {
        self.ask(Operation::Read, 0)?;
        self.inner.map()
    }
}

/// Where a watch lets operations pass, or holds them up. Clones are one gate.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    shared: Arc<(Mutex<GateState>, Condvar)>,
}

#[derive(Debug, Default)]
struct GateState {
    closed: bool,
    held_up: usize,
}

impl Gate {
    /// Holds up who comes until what this gives is dropped: also by a test that fails, whose store could else never close.
    #[must_use]
    pub fn close(&self) -> ClosedGate {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        ClosedGate(self.clone())
    }

    /// Passes, as soon as the gate is open.
    pub fn pass(&self) {
        let (state, changed) = &*self.shared;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.held_up += 1;
        changed.notify_all();
        state = changed.wait_while(state, |state| state.closed).unwrap_or_else(PoisonError::into_inner);
        state.held_up -= 1;
    }

    /// Returns when somebody is held up.
    pub fn wait_for_held_up(&self) {
        let (state, changed) = &*self.shared;
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        drop(changed.wait_while(state, |state| state.held_up == 0).unwrap_or_else(PoisonError::into_inner));
    }
}

/// A gate that is closed as long as this lives.
#[derive(Debug)]
pub struct ClosedGate(Gate);

impl Drop for ClosedGate {
    fn drop(&mut self) {
        let (state, changed) = &*self.0.shared;
        state.lock().unwrap_or_else(PoisonError::into_inner).closed = false;
        changed.notify_all();
    }
}

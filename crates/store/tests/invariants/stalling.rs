//! A disk whose durable writes can be held up, to look at a store while one is under way.

use std::{
    fmt, io,
    path::Path,
    sync::{Arc, Condvar, Mutex},
};

use bytes::Bytes;
use gesta_store::disk::{AlignedBuffer, Disk, DiskFile, DurableWrite, OpenMode, memory::MemoryDisk};

/// See the module's words.
#[derive(Clone, Debug, Default)]
pub(crate) struct StallingDisk {
    pub(crate) inner: MemoryDisk,
    gate: Arc<Gate>,
}

#[derive(Debug, Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    stalled: usize,
}

impl StallingDisk {
    /// Durable writes wait until what this gives is dropped: also by a test that fails, whose store could else never close.
    pub(crate) fn stall(&self) -> Stall {
        self.gate.state.lock().unwrap().closed = true;
        Stall(Arc::clone(&self.gate))
    }

    /// Returns when a durable write waits.
    pub(crate) fn wait_for_stalled(&self) {
        let state = self.gate.state.lock().unwrap();
        drop(self.gate.changed.wait_while(state, |state| state.stalled == 0).unwrap());
    }
}

/// Durable writes wait.
pub(crate) struct Stall(Arc<Gate>);

impl Drop for Stall {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().closed = false;
        self.0.changed.notify_all();
    }
}

impl Gate {
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.stalled += 1;
        self.changed.notify_all();
        state = self.changed.wait_while(state, |state| state.closed).unwrap();
        state.stalled -= 1;
    }
}

#[derive(Debug)]
struct StallingFile(Arc<dyn DiskFile>, Arc<Gate>);

impl Disk for StallingDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
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
        Ok(Arc::new(StallingFile(self.inner.open(path, mode)?, Arc::clone(&self.gate))))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
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

impl DiskFile for StallingFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_at(bytes, offset)
    }

    fn write_durable(&self, bytes: &AlignedBuffer, offset: u64) -> io::Result<()> {
        self.1.pass();
        self.0.write_durable(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn map(&self) -> io::Result<Bytes> {
        self.0.map()
    }
}

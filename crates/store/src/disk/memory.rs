//! A disk in memory that keeps, through a crash, only what was synced.
//!
//! Two uses: a fast store for tests, and a hostile world for the store: [`MemoryDisk::crash`] loses, tears and reorders what was not
//! synced, [`MemoryDisk::fail_after`] refuses the n-th operation, [`MemoryDisk::set_capacity`] fills the disk up,
//! [`MemoryDisk::corrupt`] flips bits. Deterministic: everything random comes from the seed a crash is given.
//!
//! Clones share one tree, as two processes on one machine do; a crash gives a new tree, and the old one lives on for whoever
//! still holds it, so that a test can crash the same moment in many ways.

mod content;
mod fault;
mod names;
#[cfg(test)]
mod tests;
mod watched;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use self::{
    content::{Content, Survival},
    fault::Meter,
    names::{Inode, Names},
};
use super::{AlignedBuffer, Disk, DiskFile, DurableWrite, OpenMode, check_same_directory};

pub use self::{
    fault::{Done, Fault, Lasting, Operation, Operations, Scope},
    watched::{ClosedGate, Gate, Request, WatchedDisk},
};

/// A tree of files in memory. See the module's words.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    tree: Arc<Mutex<Tree>>,
}

#[derive(Debug, Default)]
struct Tree {
    names: Names,
    /// Directories below the root, which is always there. Durable at once, as `Disk::create_dir` demands.
    dirs: BTreeSet<PathBuf>,
    locked: BTreeSet<PathBuf>,
    meter: Meter,
    capacity: Option<u64>,
}

impl MemoryDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The disk as the machine may find it after losing power now: of what was not synced, nothing, everything, or any part.
    /// The same seed leaves the same. Counters start anew, faults and locks are gone, the capacity stays.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        let mut random = ChaCha12Rng::seed_from_u64(seed);
        let survival = match random.random_range(0..6) {
            0 => Survival::Nothing,
            1 => Survival::Everything,
            _ => Survival::Anything,
        };
        self.crash_with(survival, &mut random)
    }

    /// The disk after losing power now, with everything lost that can be.
    #[must_use]
    pub fn crash_losing_all(&self) -> Self {
        self.crash_with(Survival::Nothing, &mut ChaCha12Rng::seed_from_u64(0))
    }

    fn crash_with(&self, survival: Survival, random: &mut ChaCha12Rng) -> Self {
        let tree = self.lock_tree();
        let names = tree.names.after_crash(survival, random);
        Tree { names, dirs: tree.dirs.clone(), capacity: tree.capacity, ..Tree::default() }.into()
    }

    /// The disk as another process finds it after this one was killed: nothing is lost, but what was not synced still is not.
    #[must_use]
    pub fn kill(&self) -> Self {
        let tree = self.lock_tree();
        let names = tree.names.copied();
        Tree { names, dirs: tree.dirs.clone(), capacity: tree.capacity, ..Tree::default() }.into()
    }

    /// Lets `passing` more operations in the fault's scope succeed, and fails the next. Replaces a fault set before.
    pub fn fail_after(&self, passing: u64, fault: Fault) {
        self.lock_tree().meter.schedule(passing, fault);
    }

    /// Takes back a fault.
    pub fn heal(&self) {
        self.lock_tree().meter.heal();
    }

    /// Bounds the space files may take up, in bytes (whole blocks of [`super::BLOCK`]); `None` takes the bound away. Space is taken up by
    /// writing, not by setting a length, and given back by cutting and removing.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.lock_tree().capacity = bytes;
    }

    /// Bytes that files take up.
    #[must_use]
    pub fn allocated_bytes(&self) -> u64 {
        self.lock_tree().allocated_bytes()
    }

    /// What was asked of this disk so far.
    #[must_use]
    pub fn operations(&self) -> Operations {
        self.lock_tree().meter.operations
    }

    /// Every file with all its bytes, as reads see them now.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let tree = self.lock_tree();
        tree.names.iter().map(|(path, inode)| (path.clone(), held(inode).bytes().to_vec())).collect()
    }

    /// Flips the bits of `xor` in one byte of a file, durably.
    ///
    /// # Errors
    /// `NotFound` without such a file, `UnexpectedEof` when it ends before `offset`.
    pub fn corrupt(&self, path: impl AsRef<Path>, offset: u64, xor: u8) -> io::Result<()> {
        let inode = self.lock_tree().names.get(path.as_ref()).cloned().ok_or(io::ErrorKind::NotFound)?;
        if held(&inode).corrupt(to_index(offset)?, xor) { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn lock_tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation that can only succeed or do nothing.
    fn begin(&self, operation: Operation) -> io::Result<MutexGuard<'_, Tree>> {
        let mut tree = self.lock_tree();
        match tree.meter.count(operation) {
            None => Ok(tree),
            Some(fault) => Err(fault.error()),
        }
    }

    /// Counts a change of names; a fault may let it happen and still report it as failed.
    fn change_names(&self, operation: Operation, change: impl FnOnce(&mut Tree) -> io::Result<()>) -> io::Result<()> {
        let mut tree = self.lock_tree();
        match tree.meter.count(operation) {
            None => change(&mut tree),
            Some(fault) => {
                if fault.done == Done::Everything {
                    change(&mut tree)?;
                }
                Err(fault.error())
            }
        }
    }
}

impl From<Tree> for MemoryDisk {
    fn from(tree: Tree) -> Self {
        Self { tree: Arc::new(Mutex::new(tree)) }
    }
}

impl Tree {
    fn allocated_bytes(&self) -> u64 {
        self.names.iter().map(|(_, inode)| held(inode).allocated_bytes()).sum()
    }

    /// Bytes that may still be taken up.
    fn room(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.allocated_bytes()))
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.dirs.contains(path)
    }

    /// Fails unless a file may be placed at `path`.
    fn check_place(&self, path: &Path) -> io::Result<()> {
        if self.is_dir(path) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !path.parent().is_some_and(|parent| self.is_dir(parent)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(())
    }

    fn file(&self, path: &Path) -> io::Result<Inode> {
        if self.is_dir(path) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.names.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Disk for MemoryDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut tree = self.begin(Operation::CreateDir)?;
        let chain: Vec<&Path> = path.ancestors().filter(|part| !part.as_os_str().is_empty()).collect();
        if chain.iter().any(|part| tree.names.get(part).is_some()) {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        tree.dirs.extend(chain.into_iter().map(Path::to_path_buf));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let tree = self.begin(Operation::Read)?;
        let inside = tree.names.iter().filter(|(path, _)| path.parent() == Some(dir));
        let mut names: Vec<String> =
            inside.filter_map(|(path, _)| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn directories(&self, dir: &Path) -> io::Result<Vec<String>> {
        let tree = self.begin(Operation::Read)?;
        let inside = tree.dirs.iter().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let tree = self.begin(Operation::Read)?;
        Ok(tree.is_dir(path) || tree.names.get(path).is_some())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let inode = match mode {
            OpenMode::Read | OpenMode::Write => self.begin(Operation::Read)?.file(path)?,
            OpenMode::CreateNew => {
                let inode = Inode::default();
                self.change_names(Operation::Create, |tree| {
                    if tree.names.get(path).is_some() {
                        return Err(io::ErrorKind::AlreadyExists.into());
                    }
                    tree.check_place(path)?;
                    tree.names.place(path, Arc::clone(&inode));
                    Ok(())
                })?;
                inode
            }
        };
        Ok(Arc::new(MemoryFile { disk: self.clone(), inode, mode }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        check_same_directory(from, to)?;
        self.change_names(Operation::Rename, |tree| {
            let inode = tree.file(from)?;
            tree.check_place(to)?;
            tree.names.place(to, inode);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change_names(Operation::Remove, |tree| {
            if tree.is_dir(path) {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            if tree.names.remove(path) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut tree = self.begin(Operation::SyncDir)?;
        if !tree.is_dir(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        tree.names.sync(dir);
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn fmt::Debug + Send + Sync>> {
        let mut tree = self.begin(Operation::Create)?;
        tree.check_place(path)?;
        if !tree.locked.insert(path.into()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if tree.names.get(path).is_none() {
            tree.names.place(path, Inode::default());
        }
        Ok(Box::new(Lock { disk: self.clone(), path: path.into() }))
    }

    fn available_bytes(&self) -> io::Result<Option<u64>> {
        let tree = self.begin(Operation::Read)?;
        Ok(tree.capacity.map(|_| tree.room()))
    }

    fn durable_write(&self) -> Option<DurableWrite> {
        let written = self.lock_tree().meter.operations.of(Operation::WriteDurable) > 0;
        written.then_some(DurableWrite::Direct)
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }
}

/// The lock of a store, given back on drop.
struct Lock {
    disk: MemoryDisk,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.disk.lock_tree().locked.remove(&self.path);
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lock({})", self.path.display())
    }
}

/// A file by its inode: it outlives its name.
struct MemoryFile {
    disk: MemoryDisk,
    inode: Inode,
    mode: OpenMode,
}

impl MemoryFile {
    fn check_writable(&self) -> io::Result<()> {
        match self.mode {
            OpenMode::Write | OpenMode::CreateNew => Ok(()),
            OpenMode::Read => Err(io::Error::new(io::ErrorKind::PermissionDenied, "file was opened for reading")),
        }
    }

    /// Writes as much as a fault and the capacity let through.
    fn write(&self, bytes: &[u8], offset: u64, operation: Operation) -> io::Result<()> {
        self.check_writable()?;
        let offset = to_index(offset)?;
        let mut tree = self.disk.lock_tree();
        let fault = tree.meter.count(operation);
        let room = tree.room();
        let mut content = held(&self.inode);
        let wanted = fault.map_or(bytes.len(), |fault| fault.bytes_done(bytes.len()));
        let written = &bytes[..content.fitting(offset, wanted, room)];
        let error = match fault {
            Some(fault) => Some(fault.error()),
            None if written.len() < wanted => Some(io::ErrorKind::StorageFull.into()),
            None => None,
        };
        match error {
            None if operation == Operation::WriteDurable => content.write_durable(written, offset),
            Some(_) if operation == Operation::WriteDurable => content.write_abandoned(written, offset),
            _ => content.write(written, offset),
        }
        error.map_or(Ok(()), Err)
    }
}

impl DiskFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        let _tree = self.disk.begin(Operation::Read)?;
        Ok(held(&self.inode).bytes().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let _tree = self.disk.begin(Operation::Read)?;
        let content = held(&self.inode);
        let from = to_index(offset)?;
        let found = content.bytes().get(from..from.saturating_add(buffer.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(found);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write(bytes, offset, Operation::Write)
    }

    fn write_durable(&self, bytes: &AlignedBuffer, offset: u64) -> io::Result<()> {
        self.write(bytes.as_slice(), offset, Operation::WriteDurable)
    }

    fn sync(&self) -> io::Result<()> {
        let synced = self.disk.begin(Operation::Sync);
        match synced {
            Ok(_tree) => {
                held(&self.inode).sync();
                Ok(())
            }
            Err(error) => {
                held(&self.inode).abandon();
                Err(error)
            }
        }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.check_writable()?;
        let length = to_index(length)?;
        self.disk.change_names(Operation::SetLength, |_| {
            held(&self.inode).set_len(length);
            Ok(())
        })
    }

    fn map(&self) -> io::Result<Bytes> {
        let _tree = self.disk.begin(Operation::Read)?;
        Ok(Bytes::copy_from_slice(held(&self.inode).bytes()))
    }
}

impl fmt::Debug for MemoryFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryFile").field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// The content of a file. Always locked after the tree, if both are.
fn held(inode: &Inode) -> MutexGuard<'_, Content> {
    inode.lock().unwrap_or_else(PoisonError::into_inner)
}

fn to_index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

//! The real file system.
//!
//! Errors come as the operating system gives them (a directory that may not be written, a full disk, a file where a directory
//! should be): whoever knows what was being done adds that.

use std::{
    fmt,
    fs::{self, File, FileType, OpenOptions, TryLockError},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

use bytes::Bytes;

use super::{AlignedBuffer, BLOCK, Disk, DiskFile, DurableWrite, OpenMode, check_same_directory, map};

/// Files below a directory of the operating system.
#[derive(Debug)]
pub struct FileDisk {
    root: PathBuf,
    last_durable_write: Arc<LastDurableWrite>,
}

impl FileDisk {
    /// The tree below `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), last_durable_write: Arc::default() }
    }

    /// The sorted names of the entries of a directory that are of a kind; none if there is no such directory.
    #[allow(clippy::disallowed_methods)] // this is the door
    fn entries(&self, dir: &Path, of_kind: impl Fn(&FileType) -> bool) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.root.join(dir)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if of_kind(&entry.file_type()?) {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// A cell for an `Option<DurableWrite>`, written by every durable write of every file.
#[derive(Debug, Default)]
struct LastDurableWrite(AtomicU8);

impl LastDurableWrite {
    fn set(&self, write: DurableWrite) {
        let code = match write {
            DurableWrite::Direct => 1,
            DurableWrite::Flushed => 2,
        };
        self.0.store(code, Ordering::Relaxed);
    }

    fn get(&self) -> Option<DurableWrite> {
        match self.0.load(Ordering::Relaxed) {
            1 => Some(DurableWrite::Direct),
            2 => Some(DurableWrite::Flushed),
            _ => None,
        }
    }
}

#[allow(clippy::disallowed_methods)] // this is the door
impl Disk for FileDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let full = self.root.join(path);
        let mut missing: Vec<PathBuf> = Vec::new();
        for dir in full.ancestors().filter(|dir| !dir.as_os_str().is_empty()) {
            match fs::metadata(dir) {
                Ok(found) if found.is_dir() => break,
                Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(dir.into()),
                Err(error) => return Err(error),
            }
        }
        for dir in missing.iter().rev() {
            match fs::create_dir(dir) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        // A directory is durable when the one that names it is. Those below the root are synced even if they were found: whoever made
        // them may have been killed in between. Found parents of the root are the operator's.
        let below_root = full.ancestors().take(path.components().count());
        for dir in missing.iter().map(PathBuf::as_path).chain(below_root) {
            sync_directory(dir.parent().unwrap_or(dir))?;
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.entries(dir, FileType::is_file)
    }

    fn directories(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.entries(dir, FileType::is_dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.root.join(path).try_exists()
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.root.join(path);
        if mode != OpenMode::CreateNew && fs::metadata(&path)?.is_dir() {
            // The system would open it and fail at the first read.
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let file = OpenOptions::new()
            .read(true)
            .write(mode != OpenMode::Read)
            .create_new(mode == OpenMode::CreateNew)
            .open(&path)?;
        Ok(Arc::new(RealFile {
            file,
            path,
            direct: OnceLock::new(),
            // A handle for reading must not gain a descriptor for writing.
            direct_refused: AtomicBool::new(mode == OpenMode::Read),
            last_durable_write: Arc::clone(&self.last_durable_write),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        check_same_directory(from, to)?;
        fs::rename(self.root.join(from), self.root.join(to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(self.root.join(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        sync_directory(&self.root.join(dir))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn fmt::Debug + Send + Sync>> {
        Ok(Box::new(Lock::take(&self.root.join(path))?))
    }

    fn available_bytes(&self) -> io::Result<Option<u64>> {
        let space = rustix::fs::statvfs(&self.root)?;
        Ok(Some(space.f_bavail.saturating_mul(space.f_frsize)))
    }

    fn durable_write(&self) -> Option<DurableWrite> {
        self.last_durable_write.get()
    }

    fn describe(&self) -> String {
        self.root.display().to_string()
    }
}

#[allow(clippy::disallowed_methods)] // this is the door
fn sync_directory(dir: &Path) -> io::Result<()> {
    // An empty parent is the current directory.
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir)?.sync_all()
}

/// The lock of a store, given back on drop.
#[derive(Debug)]
struct Lock(File);

impl Lock {
    #[allow(clippy::disallowed_methods)] // this is the door
    fn take(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would not do: a process that is just being started, or was forked, still has it open. Where this fails, closing
        // is all that is left.
        let _ = self.0.unlock();
    }
}

/// A file, and a second descriptor for direct synchronous writes, opened when first needed.
#[derive(Debug)]
struct RealFile {
    file: File,
    /// Where it was when it was opened; it may have been renamed since.
    path: PathBuf,
    direct: OnceLock<Option<File>>,
    direct_refused: AtomicBool,
    last_durable_write: Arc<LastDurableWrite>,
}

impl RealFile {
    /// The descriptor for direct writes; `None` where the file system refuses them (tmpfs before Linux 6.6, some FUSE).
    fn direct(&self) -> Option<&File> {
        if self.direct_refused.load(Ordering::Relaxed) {
            return None;
        }
        self.direct.get_or_init(|| open_direct(&self.file, &self.path)).as_ref()
    }
}

/// Opens `file` once more, past the cache. By its descriptor, since `path` may by now be the name of another file.
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods)] // this is the door
fn open_direct(file: &File, path: &Path) -> Option<File> {
    use rustix::fs::OFlags;

    let flags = (OFlags::DIRECT | OFlags::DSYNC).bits().cast_signed();
    let open = |path: &Path| OpenOptions::new().write(true).custom_flags(flags).open(path).ok();
    let by_descriptor = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    // `/proc` may be missing in a container; the path will do then, if it still leads to this file.
    let direct = open(&by_descriptor).or_else(|| open(path))?;
    let identity = |file: &File| file.metadata().map(|found| (found.dev(), found.ino())).ok();
    (identity(&direct)? == identity(file)?).then_some(direct)
}

#[cfg(not(target_os = "linux"))]
fn open_direct(_file: &File, _path: &Path) -> Option<File> {
    None
}

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn write_durable(&self, bytes: &AlignedBuffer, offset: u64) -> io::Result<()> {
        let aligned = offset.is_multiple_of(BLOCK as u64) && bytes.len().is_multiple_of(BLOCK);
        if aligned && let Some(direct) = self.direct() {
            match direct.write_all_at(bytes.as_slice(), offset) {
                // Some file systems accept the flag at open and refuse it at the first write.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    self.direct_refused.store(true, Ordering::Relaxed);
                }
                result => {
                    self.last_durable_write.set(DurableWrite::Direct);
                    return result;
                }
            }
        }
        self.last_durable_write.set(DurableWrite::Flushed);
        self.file.write_all_at(bytes.as_slice(), offset)?;
        self.file.sync_data()
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn map(&self) -> io::Result<Bytes> {
        map::map(&self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store that was closed while another thread started a process could not be opened again, until that process had let go of what it was
    /// born with. A fork that never lets go kept it locked for good.
    #[test]
    fn a_lock_is_given_back_although_a_fork_has_the_file_open() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("LOCK");
        let lock = Lock::take(&path).expect("free");
        let forked = lock.0.try_clone().expect("what a fork has");
        assert_eq!(Lock::take(&path).expect_err("held").kind(), io::ErrorKind::WouldBlock);
        drop(lock);
        drop(Lock::take(&path).expect("given back"));
        drop(forked);
    }
}

//! The real file system.

use std::{
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;

use super::{AlignedBuffer, BLOCK, Disk, DiskFile, OpenMode, map};

/// Files below a directory of the operating system.
#[derive(Debug)]
pub struct FileDisk {
    root: PathBuf,
}

impl FileDisk {
    /// The tree below `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

#[allow(clippy::disallowed_methods)] // this is the door
impl Disk for FileDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let full = self.root.join(path);
        if full.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(&full)?;
        // A directory is durable when the one that names it is; parents above the root are the operator's.
        for dir in [Some(&*full), full.parent()].into_iter().flatten() {
            sync_directory(dir)?;
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.root.join(dir)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.root.join(path).try_exists()
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.root.join(path);
        let file = OpenOptions::new()
            .read(true)
            .write(mode != OpenMode::Read)
            .create_new(mode == OpenMode::CreateNew)
            .open(&path)?;
        Ok(Arc::new(RealFile { file, path, direct: OnceLock::new(), direct_refused: AtomicBool::new(false) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(self.root.join(from), self.root.join(to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(self.root.join(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        sync_directory(&self.root.join(dir))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn fmt::Debug + Send + Sync>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(self.root.join(path))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
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

/// A file, and a second descriptor for direct synchronous writes, opened when first needed.
#[derive(Debug)]
struct RealFile {
    file: File,
    path: PathBuf,
    direct: OnceLock<Option<File>>,
    direct_refused: AtomicBool,
}

impl RealFile {
    /// The descriptor for direct writes; `None` where the file system refuses them (tmpfs before Linux 6.6, some FUSE).
    #[allow(clippy::disallowed_methods)] // this is the door
    fn direct(&self) -> Option<&File> {
        if self.direct_refused.load(Ordering::Relaxed) {
            return None;
        }
        self.direct
            .get_or_init(|| {
                OpenOptions::new().write(true).custom_flags(libc::O_DIRECT | libc::O_DSYNC).open(&self.path).ok()
            })
            .as_ref()
    }
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
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                    self.direct_refused.store(true, Ordering::Relaxed);
                }
                result => return result,
            }
        }
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

//! What the bare disk does: durable writes, one after the other, into a file that was filled with zeros before.
//!
//! Two ways to the disk are measured, since which is faster depends on the file system: a write and `fdatasync`, and whole blocks
//! through `O_DIRECT | O_DSYNC`. The better of both is what the store stands beside.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::fs::OFlags;

use super::samples::Latencies;
use crate::exit::{Exit, Failure, Outcome};

/// A way to make bytes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncMethod {
    /// `pwrite`, `fdatasync`.
    WriteAndSync,
    /// `pwrite` of whole blocks on a file opened with `O_DIRECT | O_DSYNC`.
    Direct,
}

impl SyncMethod {
    /// Both ways.
    pub(super) const ALL: [Self; 2] = [Self::WriteAndSync, Self::Direct];

    /// Its name in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::WriteAndSync => "write + fdatasync",
            Self::Direct => "O_DIRECT|O_DSYNC",
        }
    }
}

/// What the file is filled to.
const FILE_BYTES: usize = 16 << 20;
/// What direct writes are aligned to.
const BLOCK: usize = 4096;

/// A file being written in one of the ways.
#[derive(Debug)]
pub(super) struct RawDisk {
    file: File,
    method: SyncMethod,
    offset: usize,
}

/// How long durable operations took, one by one and in all.
#[derive(Clone, Debug, Default)]
pub(super) struct Measured {
    pub(super) latencies: Latencies,
    pub(super) elapsed: Duration,
}

impl Measured {
    /// Operations a second.
    #[allow(clippy::cast_precision_loss)] // three digits are shown
    pub(super) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

impl RawDisk {
    /// Files in `dir`, ready to be written in each way the file system knows.
    pub(super) fn all(dir: &Path) -> Outcome<Vec<Self>> {
        let mut disks = Vec::new();
        for method in SyncMethod::ALL {
            disks.extend(Self::new(dir, method)?);
        }
        Ok(disks)
    }

    fn new(dir: &Path, method: SyncMethod) -> Outcome<Option<Self>> {
        let path = dir.join(format!("raw-{method:?}"));
        let failed = |error: io::Error| Failure::io(format_args!("writing {}", path.display()), &error);
        let mut file = File::create(&path).map_err(failed)?;
        file.write_all(&vec![0; FILE_BYTES]).and_then(|()| file.sync_all()).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.write(true);
        if method == SyncMethod::Direct {
            options.custom_flags((OFlags::DIRECT | OFlags::DSYNC).bits().cast_signed());
        }
        match options.open(&path) {
            Ok(file) => Ok(Some(Self { file, method, offset: 0 })),
            // Some file systems have no direct writes.
            Err(_) if method == SyncMethod::Direct => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// The way it is written.
    pub(super) fn method(&self) -> SyncMethod {
        self.method
    }

    /// Makes `bytes` bytes durable again and again for about so long. Later calls go on where earlier ones stopped.
    ///
    /// On a thread of its own, as the store's clients have: on a busy machine a fresh thread is preferred to one that has run for long.
    pub(super) fn measure(&mut self, bytes: usize, length: Duration) -> Outcome<Measured> {
        let panicked = |_| Failure::new(Exit::Other, "the thread that measures the raw disk panicked");
        thread::scope(|scope| scope.spawn(|| self.write(bytes, length)).join().map_err(panicked)?)
    }

    fn write(&mut self, bytes: usize, length: Duration) -> Outcome<Measured> {
        let failed = |error: io::Error| Failure::io("measuring the raw disk", &error);
        let buffer = vec![0x67; bytes.next_multiple_of(BLOCK) + BLOCK];
        let payload = match self.method {
            SyncMethod::WriteAndSync => &buffer[..bytes],
            SyncMethod::Direct => {
                let start = buffer.as_ptr().align_offset(BLOCK);
                &buffer[start..start + bytes.next_multiple_of(BLOCK)]
            }
        };
        let mut measured = Measured::default();
        let begun = Instant::now();
        if self.method == SyncMethod::Direct {
            self.offset = self.offset.next_multiple_of(BLOCK);
        }
        while begun.elapsed() < length {
            if self.offset + payload.len() > FILE_BYTES {
                self.offset = 0;
            }
            let write = Instant::now();
            self.file.write_all_at(payload, self.offset as u64).map_err(failed)?;
            if self.method == SyncMethod::WriteAndSync {
                self.file.sync_data().map_err(failed)?;
            }
            measured.latencies.record(write.elapsed());
            self.offset += payload.len();
        }
        measured.elapsed = begun.elapsed();
        Ok(measured)
    }
}

/// A directory of one run, removed with everything in it when the run ends.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// A new directory inside `parent`.
    pub(super) fn inside(parent: &Path) -> Outcome<Self> {
        let path = parent.join(format!("gesta-bench-{}", std::process::id()));
        fs::create_dir_all(parent)
            .and_then(|()| fs::create_dir(&path))
            .map_err(|error| Failure::io(format_args!("making {}", path.display()), &error))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // what is left is in a temporary directory, under a name that says what it is
    }
}

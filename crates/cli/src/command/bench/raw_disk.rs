//! What the bare disk does: durable writes of a few bytes, one after the other, into a file that is filled with zeros before.
//!
//! Two ways to the disk are measured, since which is faster depends on the file system: a write and `fdatasync`, and a
//! whole block through `O_DIRECT | O_DSYNC`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use rustix::fs::OFlags;

use crate::exit::{Failure, Outcome};

/// A way to make bytes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncMethod {
    /// `pwrite`, `fdatasync`.
    WriteAndSync,
    /// `pwrite` of whole blocks on a file opened with `O_DIRECT | O_DSYNC`.
    Direct,
}

/// How long each way is measured.
const MEASURED_FOR: Duration = Duration::from_secs(2);
/// What the file is filled to.
const FILE_BYTES: usize = 16 << 20;
/// What direct writes are aligned to.
const BLOCK: usize = 4096;

/// A file being written in one of the ways.
#[derive(Debug)]
pub(super) struct RawDisk {
    file: Option<File>,
    method: SyncMethod,
}

/// How long durable writes took.
#[derive(Debug)]
pub(super) struct Measured {
    latencies: Histogram<u64>,
    elapsed: Duration,
}

impl Measured {
    /// Writes a second, one after the other.
    #[allow(clippy::cast_precision_loss)] // three digits are shown
    pub(super) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }
}

impl RawDisk {
    /// A file in `scratch`, ready to be written.
    pub(super) fn new(scratch: &Scratch, method: SyncMethod) -> Outcome<Self> {
        let path = scratch.path().join(format!("{method:?}"));
        let failed = |error: io::Error| Failure::io(format_args!("writing {}", path.display()), &error);
        let mut file = File::create(&path).map_err(failed)?;
        file.write_all(&vec![0; FILE_BYTES]).and_then(|()| file.sync_all()).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.write(true);
        if method == SyncMethod::Direct {
            let flags = OFlags::DIRECT | OFlags::DSYNC;
            options.custom_flags(flags.bits().cast_signed());
        }
        match options.open(&path) {
            Ok(file) => Ok(Self { file: Some(file), method }),
            // Some file systems have no direct writes.
            Err(_) if method == SyncMethod::Direct => Ok(Self { file: None, method }),
            Err(error) => Err(failed(error)),
        }
    }

    /// Makes `bytes` bytes durable again and again. `None` where the file system refuses this way.
    pub(super) fn measure(&self, bytes: usize) -> Outcome<Option<Measured>> {
        let Some(file) = &self.file else { return Ok(None) };
        let failed = |error: io::Error| Failure::io("measuring the raw disk", &error);
        let buffer = vec![0x67; bytes.next_multiple_of(BLOCK) + BLOCK];
        let (payload, step) = match self.method {
            SyncMethod::WriteAndSync => (&buffer[..bytes], bytes),
            SyncMethod::Direct => {
                let start = buffer.as_ptr().align_offset(BLOCK);
                let whole = bytes.next_multiple_of(BLOCK);
                (&buffer[start..start + whole], whole)
            }
        };
        let mut latencies = Histogram::new(3).expect("three digits are a valid precision");
        let begun = Instant::now();
        let mut offset = 0;
        while begun.elapsed() < MEASURED_FOR {
            let write = Instant::now();
            file.write_all_at(payload, offset as u64).map_err(failed)?;
            if self.method == SyncMethod::WriteAndSync {
                file.sync_data().map_err(failed)?;
            }
            latencies.saturating_record(u64::try_from(write.elapsed().as_nanos()).unwrap_or(u64::MAX));
            offset = if offset + 2 * step > FILE_BYTES { 0 } else { offset + step };
        }
        Ok(Some(Measured { latencies, elapsed: begun.elapsed() }))
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

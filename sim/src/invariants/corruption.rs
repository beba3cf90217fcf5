//! I6: only a torn tail may be cut. Any other bad byte is reported, never skipped, never believed.
//!
//! A byte of a store that was closed properly is changed. Nothing can be torn then, so the store must either say `Corrupted`, when it
//! is opened, read or verified, or give every answer it gave before (the byte was in an index that can be built anew, or in space
//! that holds nothing).

use std::{path::PathBuf, sync::Arc};

use gesta_store::{
    ErrorKind, EventStore, ReadOptions, Timestamp,
    clock::{Clock, ManualClock},
    disk::memory::MemoryDisk,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use crate::{Violation, model::Model, reads, settings::Settings, world::open};

/// Changes a byte of `disk`, which holds what the model holds, and looks.
///
/// # Errors
/// When the change is not noticed and makes a difference.
pub fn probe(
    settings: &Settings,
    disk: &MemoryDisk,
    model: &Model,
    now: Timestamp,
    seed: u64,
) -> Result<(), Violation> {
    let options = || settings.options(Arc::new(ManualClock::at(now)) as Arc<dyn Clock>, u64::MAX - 1);
    let closing = open(disk, options())?.close();
    closing.map_err(|error| Violation::new("open", format!("closing failed: {error}")))?;

    let mut random = ChaCha12Rng::seed_from_u64(seed);
    let Some((path, offset, xor)) = rot(disk, &mut random) else { return Ok(()) };
    let place = format!("file={} offset={offset} xor={xor:#x}", path.display());
    let blind = |what: String| Violation::new("I6", format!("{what}, {place}"));
    disk.corrupt(&path, offset, xor).map_err(|error| blind(error.to_string()))?;

    let is_identity = path.components().count() == 1;
    match EventStore::open_on(Arc::new(disk.clone()), options()) {
        Err(error) if error.kind() == ErrorKind::Corrupted || is_identity => Ok(()),
        Err(error) => Err(blind(format!("opening failed, but not as corrupted: {error}"))),
        Ok(store) => {
            read_what_is_left(&store, model).map_err(&blind)?;
            let report = store.verify(|_| ()).map_err(|error| blind(error.to_string()))?;
            if !report.problems.is_empty() {
                return Ok(());
            }
            reads::check_everything(&store, model, now).map_err(|violation| blind(violation.to_string()))
        }
    }
}

/// Every event that is read must be the right one; only an error may end the log early.
fn read_what_is_left(store: &EventStore, model: &Model) -> Result<(), String> {
    if store.head().position() != model.head() {
        return Err(format!("log was cut, head={} was={}", store.head().position(), model.head()));
    }
    let read = match store.read_all(ReadOptions::default()) {
        Ok(read) => read,
        Err(error) => return expect_corrupted(&error),
    };
    let mut next = gesta_store::Position::START;
    for event in read {
        let event = match event {
            Ok(event) => event,
            Err(error) => return expect_corrupted(&error),
        };
        let expected = model.event(next).ok_or("log is longer than it was")?;
        if let Some(difference) = expected.difference(&event) {
            return Err(format!("a changed event was believed: {difference}"));
        }
        next = next.next();
    }
    if next == model.head() { Ok(()) } else { Err(format!("log ends without an error at {next} of {}", model.head())) }
}

fn expect_corrupted(error: &gesta_store::Error) -> Result<(), String> {
    match error.kind() {
        ErrorKind::Corrupted => Ok(()),
        kind => Err(format!("bad bytes were reported as {kind}: {error}")),
    }
}

/// A byte to change: any file, mostly where it is not zero.
fn rot(disk: &MemoryDisk, random: &mut ChaCha12Rng) -> Option<(PathBuf, u64, u8)> {
    let files: Vec<(PathBuf, Vec<u8>)> = disk.snapshot().into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
    if files.is_empty() {
        return None;
    }
    let (path, bytes) = &files[random.random_range(0..files.len())];
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let end = if used == 0 || random.random_bool(0.1) { bytes.len() } else { used };
    Some((path.clone(), random.random_range(0..end) as u64, random.random_range(1..=255)))
}

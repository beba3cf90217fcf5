//! Which run files count: a list, replaced as a whole.
//!
//! A run is part of the index when the manifest names it. The manifest names runs that follow each other from position 0
//! without a gap, and a run is durable before it is named.

use std::path::{Path, PathBuf};

use crc_fast::crc32_iscsi as crc32c;
use uuid::Uuid;

use super::{
    DIRECTORY,
    run::{Extent, FORMAT, Reader},
};
use crate::{
    disk::{Disk, OpenMode},
    error::{Error, Result},
};

pub(super) const FILE_NAME: &str = "manifest";
const UNFINISHED: &str = "manifest.tmp";
const MAGIC: [u8; 8] = *b"GESTAMAN";

/// The runs of the manifest, oldest first.
///
/// # Errors
/// `Corrupted` when it is damaged or of another store; `NotFound` when there is none.
pub(super) fn read(disk: &dyn Disk, store_id: Uuid) -> Result<Vec<Extent>> {
    let path = path(FILE_NAME);
    let read = || -> std::io::Result<Vec<u8>> {
        let file = disk.open(&path, OpenMode::Read)?;
        let mut bytes = vec![0; usize::try_from(file.len()?).map_err(std::io::Error::other)?];
        file.read_at(&mut bytes, 0)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| Error::io("cannot read the index manifest, file=index/manifest", error))?;
    decode(&bytes, store_id).map_err(|why| Error::corrupted(format!("index manifest {why}"), FILE_NAME, 0))
}

/// The runs a manifest names, oldest first, or why the bytes are not a manifest of this store and format.
///
/// # Errors
/// What is wrong, as the end of a sentence about it.
pub fn decode(bytes: &[u8], store_id: Uuid) -> Result<Vec<Extent>, &'static str> {
    let content = bytes.split_last_chunk::<4>().filter(|(content, crc)| crc32c(content).to_le_bytes() == **crc);
    let mut reader = Reader(content.ok_or("has a bad checksum")?.0);
    if reader.take(8) != Some(&MAGIC[..]) || reader.u16() != Some(FORMAT) {
        return Err("has another format");
    }
    let mut parse = || {
        reader.u16()?;
        let count = reader.u32()?;
        if reader.take(16)? != store_id.as_bytes() {
            return None;
        }
        (0..count).map(|_| Some(Extent { first: reader.u64()?, end: reader.u64()? })).collect()
    };
    parse().ok_or("is of another store, or cut short")
}

/// A manifest that names these runs.
///
/// # Panics
/// With more runs than a 32-bit number counts.
#[must_use]
pub fn encode(store_id: Uuid, runs: &[Extent]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    bytes.extend_from_slice(&u32::try_from(runs.len()).expect("merging keeps runs to a few dozen").to_le_bytes());
    bytes.extend_from_slice(store_id.as_bytes());
    for run in runs {
        bytes.extend_from_slice(&run.first.to_le_bytes());
        bytes.extend_from_slice(&run.end.to_le_bytes());
    }
    let crc = crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// Replaces the manifest, durably.
pub(super) fn write(disk: &dyn Disk, store_id: Uuid, runs: &[Extent]) -> Result<()> {
    let bytes = encode(store_id, runs);
    let unfinished = path(UNFINISHED);
    let replace = || -> std::io::Result<()> {
        if disk.exists(&unfinished)? {
            disk.remove(&unfinished)?;
        }
        let file = disk.open(&unfinished, OpenMode::CreateNew)?;
        file.write_at(&bytes, 0)?;
        file.sync()?;
        disk.rename(&unfinished, &path(FILE_NAME))?;
        disk.sync_dir(Path::new(DIRECTORY))
    };
    replace().map_err(|error| {
        Error::io("cannot write the index manifest, it will be tried again, file=index/manifest", error)
    })
}

fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

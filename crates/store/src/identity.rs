//! Which store a directory holds: `store.toml`, written once when the store is created.
//!
//! The file is written under another name, synced and renamed, so that a directory either has a whole one or none.

use std::{io, path::Path};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    disk::{Disk, OpenMode},
    error::{Error, ErrorKind, Result},
    limits,
    options::{Options, within},
    position::Timestamp,
};

/// The newest format this program reads and the one it writes.
pub const FORMAT: u16 = 1;

const FILE: &str = "store.toml";
const TEMPORARY: &str = "store.toml.new";
/// Far more than the few lines the file has; a larger one is not ours.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// What never changes about a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Identity of the store.
    pub id: Uuid,
    /// Format of its files.
    pub format: u16,
    /// When it was created, in nanoseconds since the Unix epoch.
    pub created: Timestamp,
    /// Size at which its segments are sealed, in bytes.
    pub segment_bytes: u64,
    /// Events at which its segments are sealed.
    pub segment_events: u64,
}

impl Identity {
    /// Reads the identity of the store in `disk`; `None` when there is none.
    ///
    /// # Errors
    /// `Invalid` for a newer format, `Corrupted` for a file that does not parse, or says what no store's does.
    pub fn read(disk: &dyn Disk) -> Result<Option<Self>> {
        let path = Path::new(FILE);
        let doing = || format!("reading {FILE} in {}", disk.describe());
        match disk.exists(path) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            // The store's directory is a file.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
            Err(error) => return Err(Error::io(doing(), error)),
        }
        let file = disk.open(path, OpenMode::Read).map_err(|error| Error::io(doing(), error))?;
        let length = file.len().map_err(|error| Error::io(doing(), error))?;
        if length > FILE_BYTES_MAX {
            return Err(Error::corrupted("store.toml is far too large to be one", FILE, length));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        file.read_at(&mut bytes, 0).map_err(|error| Error::io(doing(), error))?;
        Self::parse(&bytes, &disk.describe()).map(Some)
    }

    /// Parses the file's text.
    ///
    /// # Errors
    /// As [`Identity::read`].
    pub fn parse(bytes: &[u8], place: &str) -> Result<Self> {
        /// The one field every format has.
        #[derive(Deserialize)]
        struct Versioned {
            format: u16,
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Error::corrupted("store.toml is not text", FILE, 0))?;
        let damaged = |error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start as u64);
            Error::corrupted(format!("store.toml does not parse ({})", error.message()), FILE, at)
        };
        let Versioned { format } = toml::from_str(text).map_err(damaged)?;
        if format == 0 {
            return Err(Error::corrupted("store.toml names a format that never was, format=0", FILE, 0));
        }
        if format > FORMAT {
            return Err(Error::invalid(format!(
                "store is newer than this program, use a newer gesta, dir={place} format={format} format_max={FORMAT}"
            )));
        }
        let identity: Self = toml::from_str(text).map_err(damaged)?;
        identity.check_sizes().map_err(|error| {
            // No store was ever made so: the file is to be restored, not a setting corrected.
            Error::corrupted(format!("store.toml is damaged ({})", error.doing()), FILE, 0)
        })?;
        Ok(identity)
    }

    fn check_sizes(&self) -> Result<()> {
        within("segment_bytes", self.segment_bytes, limits::SEGMENT_BYTES_MIN..=limits::SEGMENT_BYTES_MAX)?;
        within("segment_events", self.segment_events, 1..=limits::SEGMENT_EVENTS_MAX)
    }

    /// Makes the identity of a new store, from settings that were checked, and writes it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(disk: &dyn Disk, options: &Options) -> Result<Self> {
        let created = options.clock.now();
        let identity = Self {
            id: options.store_id.unwrap_or_else(|| options.entropy.uuid(created)),
            format: FORMAT,
            created,
            segment_bytes: options.segment_bytes,
            segment_events: options.segment_events,
        };
        let text = toml::to_string(&identity)
            .map_err(|error| Error::new(ErrorKind::Internal, format!("store.toml cannot be written: {error}")))?;
        let write = || {
            let temporary = Path::new(TEMPORARY);
            if disk.exists(temporary)? {
                disk.remove(temporary)?;
            }
            let file = disk.open(temporary, OpenMode::CreateNew)?;
            file.write_at(text.as_bytes(), 0)?;
            file.sync()?;
            disk.rename(temporary, Path::new(FILE))?;
            disk.sync_dir(Path::new(""))
        };
        write().map_err(|error| Error::io(format!("creating a store in {}", disk.describe()), error))?;
        Ok(identity)
    }

    /// Whether `name` is a file that a store keeps in its directory, or leaves there when creating one is interrupted.
    #[must_use]
    pub fn owns(name: &str) -> bool {
        [FILE, TEMPORARY, "LOCK"].contains(&name)
    }
}

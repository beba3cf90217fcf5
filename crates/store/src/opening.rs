//! From a directory to a running store: identity, lock, log recovery, and whatever the index and the commit rules' memory lack,
//! read again from the log.

use std::{fmt, io, path::Path, sync::Arc};

use crate::{
    commit::{Kernel, RememberedCommit},
    correlation::correlation_of,
    disk::Disk,
    error::{Error, ErrorKind, Result},
    identity::Identity,
    index::{Index, IndexedEvent},
    limits,
    log::{CutTail, Log, LogOptions},
    name::StreamName,
    options::Options,
    order::{Head, LocalParts, Upkeep},
    position::Position,
};

/// What opening a store found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// The store had been closed properly.
    pub clean: bool,
    /// A torn, never answered tail was cut.
    pub cut: Option<CutTail>,
    /// Index files that were missing or damaged and are rebuilt.
    pub index_dropped: Vec<String>,
    /// Events read again to complete the index.
    pub events_reindexed: u64,
}

/// The directory of the log.
const LOG: &str = "log";

/// A store ready to be started.
pub(crate) struct Opened {
    pub(crate) identity: Identity,
    pub(crate) lock: Box<dyn fmt::Debug + Send + Sync>,
    pub(crate) parts: LocalParts,
    pub(crate) recovery: Recovery,
}

/// Opens what `disk` holds.
pub(crate) fn open(disk: &Arc<dyn Disk>, options: &Options) -> Result<Opened> {
    options.check()?;
    let (identity, origin, lock) = claim(&**disk, options)?;
    let log_options = LogOptions {
        store_id: identity.id,
        segment_bytes: identity.segment_bytes,
        segment_events: identity.segment_events,
        tail_cache_bytes: options.tail_cache_bytes,
    };
    let (log, writer, flusher, recovered) = Log::open(Arc::clone(disk), log_options)?;
    let (index, index_opened) = Index::open(Arc::clone(disk), identity.id)?;
    let head = recovered.head;
    if index_opened.covered > head {
        // Runs are only written of durable events, so the log has lost its end.
        let what = format!("log ends before its index, head={head} indexed_to={}", index_opened.covered);
        return Err(Error::corrupted(what, "log", 0));
    }
    let events_reindexed = reindex(&log, &index, index_opened.covered, head)?;
    let kernel = remember(&log, head, recovered.last_recorded_at)?;
    let recovery = Recovery {
        clean: recovered.opened_clean,
        cut: recovered.cut,
        index_dropped: index_opened.dropped,
        events_reindexed,
    };
    let upkeep = Arc::new(Upkeep::default());
    if origin == Origin::Made {
        upkeep.want_spare();
    }
    let parts = LocalParts {
        log,
        index,
        writer,
        flusher,
        kernel,
        head: Head::at(head),
        upkeep,
        clock: Arc::clone(&options.clock),
        meters: Arc::default(),
        queue_timeout: options.queue_timeout,
        threads: options.threads,
    };
    Ok(Opened { identity, lock, parts, recovery })
}

/// The settings of a program that serves a store may lie beside it before it is made.
const SETTINGS: &str = "gesta.toml";

/// Where a store comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Found,
    /// Just now: it will be written to.
    Made,
}

/// Finds or makes the store's identity, and takes its lock.
fn claim(disk: &dyn Disk, options: &Options) -> Result<(Identity, Origin, Box<dyn fmt::Debug + Send + Sync>)> {
    let place = disk.describe();
    let root = Path::new("");
    let known = Identity::read(disk)?;
    known.as_ref().map_or(Ok(()), |identity| check_meant(identity, options, &place))?;
    if known.is_none() {
        if !options.create {
            if disk.exists(Path::new(LOG)).unwrap_or(false) {
                check_free(disk, &place).map_err(|error| unusable(&place, error))??;
            }
            let message = format!("no store here, name its directory or append to make one, dir={place}");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        check_free(disk, &place).map_err(|error| unusable(&place, error))??;
        disk.create_dir(root).map_err(|error| unusable(&place, error))?;
    }
    let lock = disk.lock(Path::new("LOCK")).map_err(|error| {
        if error.kind() == io::ErrorKind::WouldBlock {
            let message = format!("store is open in another process, close it there or wait, dir={place}");
            Error::new(ErrorKind::Unavailable, message)
        } else if error.kind() == io::ErrorKind::IsADirectory {
            Error::io(format!("cannot lock the store, file=LOCK dir={place}"), error)
        } else {
            unusable(&place, error)
        }
    })?;
    // Whoever held the lock before may have just made the store.
    if let Some(identity) = Identity::read(disk)? {
        if !disk.exists(Path::new(LOG)).map_err(|error| unusable(&place, error))? {
            let what = format!("the log of the store is missing, restore it from a backup, dir={place}");
            return Err(Error::corrupted(what, LOG, 0));
        }
        check_meant(&identity, options, &place)?;
        return Ok((identity, Origin::Found, lock));
    }
    // The log's directory comes first: a store that has its identity and no log has lost it.
    disk.create_dir(Path::new(LOG)).map_err(|error| unusable(&place, error))?;
    Ok((Identity::create(disk, options)?, Origin::Made, lock))
}

/// Fails when the settings ask for another store than there is.
fn check_meant(identity: &Identity, options: &Options, place: &str) -> Result<()> {
    match options.store_id {
        Some(meant) if meant != identity.id => {
            let found = identity.id;
            let message = format!(
                "another store is here, name its directory or leave the id out, dir={place} store_id={meant} store_id_found={found}"
            );
            Err(Error::invalid(message))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether a directory without a store may become one: it holds nothing but what an interrupted creation leaves.
fn check_free(disk: &dyn Disk, place: &str) -> io::Result<Result<()>> {
    let root = Path::new("");
    if !disk.list(Path::new(LOG))?.is_empty() {
        let what = format!("directory holds a log but no store.toml, restore it from a backup, dir={place}");
        return Ok(Err(Error::corrupted(what, "store.toml", 0)));
    }
    let files = disk.list(root)?.into_iter().filter(|name| !Identity::owns(name) && name != SETTINGS);
    let mut foreign = files.chain(disk.directories(root)?.into_iter().filter(|name| name != LOG));
    Ok(match foreign.next() {
        None => Ok(()),
        Some(foreign) => {
            let message =
                format!("directory is not a store and not empty, name another one, dir={place} holds={foreign}");
            Err(Error::invalid(message))
        }
    })
}

fn unusable(place: &str, error: io::Error) -> Error {
    let is = |kinds: [io::ErrorKind; 2]| kinds.contains(&error.kind());
    if is([io::ErrorKind::NotADirectory, io::ErrorKind::AlreadyExists]) {
        Error::invalid(format!("store directory is a file, name another one, dir={place}"))
    } else if is([io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem]) {
        Error::io(format!("store directory cannot be written, check its permissions, dir={place}"), error)
    } else {
        Error::io(format!("opening the store directory, dir={place}"), error)
    }
}

/// Adds to the index what it has not on disk: the open segment, and whatever was lost.
fn reindex(log: &Log, index: &Index, from: Position, head: Position) -> Result<u64> {
    let mut next = from;
    let mut segments = log.segments().into_iter().filter(|segment| segment.sealed() && segment.end > from).peekable();
    while next < head {
        // Parts of the index end where segments end, however it is rebuilt.
        let end = segments.peek().map_or(head, |segment| segment.end);
        let batch = log.read_forward(next, end, limits::BATCH_EVENTS, limits::BATCH_BYTES)?;
        let correlations: Vec<_> = batch.iter().map(|event| correlation_of(event.metadata)).collect();
        index.insert(
            batch
                .iter()
                .zip(&correlations)
                .map(|(event, correlation)| IndexedEvent::recorded(&event, correlation.as_deref())),
        );
        next = Position(next.0 + batch.len() as u64);
        if segments.next_if(|segment| segment.end == next).is_some() {
            index.seal(next);
            // Bounds the memory of a full rebuild to a few segments.
            while index.pending(head) > limits::INDEX_BACKLOG_MAX {
                index.build(head)?;
            }
        }
    }
    Ok(head.0 - from.0)
}

/// The commit rules, with the memory they had when the last commit was applied.
fn remember(log: &Log, head: Position, last_recorded_at: Option<crate::position::Timestamp>) -> Result<Kernel> {
    let mut kernel = Kernel::resume(head, last_recorded_at);
    for frame in log.frames(Kernel::remembered_from(head), head) {
        let frame = frame?;
        let events = frame.events().map(|event| {
            let view = event.view();
            (view.id, StreamName::trusted(view.stream), view.revision)
        });
        let (proposal_id, first_position) = (frame.header.proposal_id, frame.header.first);
        kernel.remember(RememberedCommit { proposal_id, first_position, events });
    }
    Ok(kernel)
}

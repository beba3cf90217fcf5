//! The front door: every method delegates.

use std::{path::Path, sync::Arc};

use uuid::Uuid;

use crate::{
    append::Append,
    error::{Error, ErrorKind, Result},
    event::EventData,
    integrity::VerifyReport,
    name::StreamName,
    options::Options,
    order::Ticket,
    position::{ExpectedRevision, Position, Revision, Timestamp},
    query::Query,
    read::{Plan, Read, ReadOptions, Source},
    subscribe::Subscription,
};

/// An event store: a directory on disk, opened. Cheap to clone; the last clone closes it.
#[derive(Clone, Debug)]
pub struct EventStore {
    inner: Arc<()>,
}

/// Facts about a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreInfo {
    /// Identity of the store.
    pub store_id: Uuid,
    /// When it was created.
    pub created: Timestamp,
    /// Format of its log.
    pub format: u16,
    /// The position the next event will get: the number of events.
    pub head: Position,
    /// When the last event was recorded.
    pub last_recorded_at: Option<Timestamp>,
    /// Log files.
    pub segments: u64,
    /// Bytes of log, without preallocated space.
    pub log_bytes: u64,
    /// Index files.
    pub index_runs: u64,
    /// Bytes of index.
    pub index_bytes: u64,
    /// Streams that were ever written.
    pub streams: u64,
}

/// A stream in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Its name.
    pub name: StreamName,
    /// The revision of its last event.
    pub last_revision: Revision,
    /// The position of its last event.
    pub last_position: Position,
}

/// How far the log is. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Head {
    inner: Arc<()>,
}

impl Head {
    /// The position the next event will get: everything below can be read.
    #[must_use]
    pub fn position(&self) -> Position {
        unimplemented!()
    }

    /// Waits until the event at `position` can be read.
    ///
    /// # Errors
    /// `Closed` when the store closes before; `Unavailable` when `timeout` passes before.
    pub fn wait_past(&self, _position: Position, _timeout: Option<std::time::Duration>) -> Result<Position> {
        unimplemented!()
    }
}

impl EventStore {
    /// Opens the store in `dir`, or makes a new one there.
    ///
    /// # Errors
    /// `Invalid` when the directory holds something else, a newer format, or may not be written; `Unavailable` while another
    /// process has it open; `Corrupted` when the log contradicts itself.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(dir, Options::default())
    }

    /// Opens the store in `dir` with settings.
    ///
    /// # Errors
    /// As [`EventStore::open`].
    pub fn open_with(_dir: impl AsRef<Path>, _options: Options) -> Result<Self> {
        Err(Error::new(ErrorKind::Internal, "not written yet"))
    }

    /// Opens the store on any disk: tests and simulation.
    ///
    /// # Errors
    /// As [`EventStore::open_with`].
    #[cfg(any(test, feature = "testing"))]
    pub fn open_on(_disk: Arc<dyn crate::disk::Disk>, _options: Options) -> Result<Self> {
        Err(Error::new(ErrorKind::Internal, "not written yet"))
    }

    /// Appends events to one stream.
    pub fn append(
        &self,
        stream: StreamName,
        expected: ExpectedRevision,
        events: impl IntoIterator<Item = EventData>,
    ) -> Ticket {
        self.commit(Append::to(stream, expected, events))
    }

    /// Commits a request over any number of streams, all or nothing.
    pub fn commit(&self, _append: Append) -> Ticket {
        unimplemented!()
    }

    /// Sets the metadata document of a stream (`$maxAge`, `$maxCount`, `$tb`, `$acl`, and the application's own keys): JSON.
    /// `expected` is about the metadata stream.
    pub fn set_stream_metadata(&self, _stream: &StreamName, _expected: ExpectedRevision, _document: &str) -> Ticket {
        unimplemented!()
    }

    /// The metadata document of a stream and its revision; `None` if it has none.
    ///
    /// # Errors
    /// As [`EventStore::read`].
    pub fn stream_metadata(&self, _stream: &StreamName) -> Result<Option<(Revision, String)>> {
        unimplemented!()
    }

    /// Reads a source.
    ///
    /// # Errors
    /// `NotFound` for a stream that was never written or is deleted; `Invalid` for contradicting options; `Corrupted` for bad bytes.
    pub fn read(&self, _source: Source, _options: ReadOptions) -> Result<Read> {
        unimplemented!()
    }

    /// Reads one stream.
    ///
    /// # Errors
    /// As [`EventStore::read`].
    pub fn read_stream(&self, stream: StreamName, options: ReadOptions) -> Result<Read> {
        self.read(Source::Stream(stream), options)
    }

    /// Reads the whole log.
    ///
    /// # Errors
    /// As [`EventStore::read`].
    pub fn read_all(&self, options: ReadOptions) -> Result<Read> {
        self.read(Source::All, options)
    }

    /// Reads the events a query matches.
    ///
    /// # Errors
    /// As [`EventStore::read`].
    pub fn read_query(&self, query: Query, options: ReadOptions) -> Result<Read> {
        self.read(Source::Query(query), options)
    }

    /// How a query would be answered, and why.
    ///
    /// # Errors
    /// As [`EventStore::read`].
    pub fn explain(&self, _query: &Query, _options: &ReadOptions) -> Result<Plan> {
        unimplemented!()
    }

    /// Follows a source: a read that waits at the end. `options.limit`, `as_of` and `Backward` are `Invalid`.
    ///
    /// # Errors
    /// As [`EventStore::read`]; a stream that does not exist yet is waited for.
    pub fn subscribe(&self, _source: Source, _options: ReadOptions) -> Result<Subscription> {
        unimplemented!()
    }

    /// How far the log is.
    #[must_use]
    pub fn head(&self) -> Head {
        unimplemented!()
    }

    /// Lists streams whose names begin with `prefix` and come after `after`, in order of their bytes, at most `limit`.
    ///
    /// # Errors
    /// `Corrupted` or `Unavailable` when the index cannot be read.
    pub fn streams(&self, _prefix: &str, _after: Option<&StreamName>, _limit: usize) -> Result<Vec<StreamInfo>> {
        unimplemented!()
    }

    /// Facts about the store.
    ///
    /// # Errors
    /// `Unavailable` when the files cannot be looked at.
    pub fn info(&self) -> Result<StoreInfo> {
        unimplemented!()
    }

    /// Checks every byte of the log and the index against it. `progress` hears of the events checked so far.
    ///
    /// # Errors
    /// `Unavailable` when a file cannot be read. What is wrong with the bytes is in the report, not an error.
    pub fn verify(&self, _progress: impl FnMut(u64)) -> Result<VerifyReport> {
        unimplemented!()
    }

    /// Waits until maintenance has nothing left to do: index runs written and merged, the next segment prepared.
    ///
    /// # Errors
    /// What maintenance met.
    pub fn settle(&self) -> Result<()> {
        unimplemented!()
    }

    /// Closes the store: answers what is queued, stops the threads. Also done by dropping the last clone; here, errors are told.
    ///
    /// # Errors
    /// What the last work met.
    pub fn close(self) -> Result<()> {
        unimplemented!()
    }
}

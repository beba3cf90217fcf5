//! The front door: every method delegates.

use std::{
    fmt,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    task::Waker,
};

use uuid::Uuid;

use crate::{
    append::Append,
    clock::Clock,
    disk::{Disk, DurableWrite, FileDisk},
    entropy::Entropy,
    error::{Error, Result},
    event::{EventData, EventRef},
    identity::Identity,
    index::{Kind, Term},
    integrity::{self, VerifyReport},
    maintenance::{Maintenance, MaintenanceThreads},
    measures::Measures,
    name::{ContentType, EventType, StreamName, system},
    opening::{self, Opened, Recovery},
    options::Options,
    order::{Head, Local, Order, Ticket, prepare, spawn},
    position::{ExpectedRevision, Position, Revision, Timestamp},
    query::Query,
    read::{self, Direction, From, Library, Plan, Read, ReadOptions, Source, StreamStatus, visible},
    subscribe::{
        SubscribeOptions, Subscription,
        group::{Backing, ConsumerGroups, Registry},
        handler::Handlers,
    },
};

/// An event store: a directory on disk, opened. Cheap to clone; dropping the last clone closes it.
#[derive(Clone)]
pub struct EventStore {
    inner: Arc<Inner>,
}

struct Inner {
    identity: Identity,
    library: Library,
    entropy: Arc<Entropy>,
    clock: Arc<dyn Clock>,
    order: Arc<Local>,
    groups: Arc<Registry>,
    maintenance: Maintenance,
    maintenance_threads: Option<MaintenanceThreads>,
    recovery: Recovery,
    disk: Arc<dyn Disk>,
    /// Held until everything else is gone.
    _lock: Box<dyn fmt::Debug + Send + Sync>,
}

/// Facts about a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreInfo {
    /// Identity of the store.
    pub store_id: Uuid,
    /// When it was created.
    pub created: Timestamp,
    /// Format of its files.
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
    /// What opening the store found.
    pub recovery: Recovery,
    /// How the last durable write since the store was opened reached the device; `None` before the first.
    pub durable_writes: Option<DurableWrite>,
    /// Why appends are refused, if a write failed since the store was opened.
    pub refusing_appends: Option<String>,
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
    /// As [`EventStore::open`]; `NotFound` when there is none and `options.create` is off.
    pub fn open_with(dir: impl AsRef<Path>, options: Options) -> Result<Self> {
        Self::start(Arc::new(FileDisk::new(PathBuf::from(dir.as_ref()))), options)
    }

    /// Opens the store on any disk: tests and simulation.
    ///
    /// # Errors
    /// As [`EventStore::open_with`].
    #[cfg(any(test, feature = "testing"))]
    pub fn open_on(disk: Arc<dyn Disk>, options: Options) -> Result<Self> {
        Self::start(disk, options)
    }

    fn start(disk: Arc<dyn Disk>, options: Options) -> Result<Self> {
        let Opened { identity, lock, parts, recovery } = opening::open(&disk, &options)?;
        let library = Library {
            log: Arc::clone(&parts.log),
            index: Arc::clone(&parts.index),
            clock: Arc::clone(&options.clock),
            meters: Arc::clone(&parts.meters),
        };
        let maintenance = Maintenance {
            log: Arc::clone(&parts.log),
            index: Arc::clone(&parts.index),
            head: parts.head.clone(),
            upkeep: Arc::clone(&parts.upkeep),
        };
        let order = Arc::new(Local::start(parts, &mut spawn)?);
        let backing = Backing {
            library: library.clone(),
            order: Arc::clone(&order) as Arc<dyn Order>,
            entropy: Arc::clone(&options.entropy),
        };
        let maintenance_threads =
            if options.threads { Some(MaintenanceThreads::start(&maintenance, &mut spawn)?) } else { None };
        let inner = Inner {
            identity,
            library,
            entropy: options.entropy,
            clock: options.clock,
            order,
            groups: Arc::new(Registry::new(backing)),
            maintenance,
            maintenance_threads,
            recovery,
            disk,
            _lock: lock,
        };
        Ok(Self { inner: Arc::new(inner) })
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
    ///
    /// Waits for room in the bounded queue, up to `Options::queue_timeout`; then returns at once.
    pub fn commit(&self, append: Append) -> Ticket {
        match prepare(append, &*self.inner.clock, &self.inner.entropy) {
            Ok(prepared) => self.inner.order.propose(prepared),
            Err(error) => Ticket::answered(Err(error.into())),
        }
    }

    /// Has tasks that wait for the store, for a ticket, the head, or an event, woken by `wake_all`, all those of a group of appends at once. It must
    /// wake each of them, and not block. Without, and for a single task, whatever thread has something for them wakes one after the other.
    ///
    /// For who serves many tasks on a runtime of his own: waking a task costs a thread that is not the runtime's a system call and often its processor;
    /// a task of the runtime that wakes the others costs that once for all of them. What was set before is replaced. Threads that wait
    /// (`Head::wait_past`, `Subscription::next`) are woken so too: none of those that `wake_all` relies on may be among them.
    pub fn wake_through(&self, wake_all: impl Fn(Vec<Waker>) + Send + Sync + 'static) {
        self.inner.order.head().wake_through(Arc::new(wake_all));
    }

    /// Soft-deletes a stream: it reads as not found until somebody appends to it again; its events stay in the log.
    pub fn delete_stream(&self, stream: StreamName, expected: ExpectedRevision) -> Ticket {
        self.commit(Append::new().delete(stream, expected))
    }

    /// Ends a stream for ever; its events stay in the log.
    pub fn tombstone_stream(&self, stream: StreamName, expected: ExpectedRevision) -> Ticket {
        self.commit(Append::new().tombstone(stream, expected))
    }

    /// Sets the metadata document of a stream (`$maxAge`, `$maxCount`, `$tb`, `$acl`, and the application's own keys): a JSON
    /// object. `expected` is about the metadata stream.
    pub fn set_stream_metadata(&self, stream: &StreamName, expected: ExpectedRevision, document: &str) -> Ticket {
        let append = || {
            serde_json::from_str::<serde_json::Map<_, _>>(document).map_err(|error| {
                Error::invalid(format!("stream metadata must be a JSON object ({error}), stream={stream}"))
            })?;
            let event = EventData {
                content_type: ContentType::Json,
                ..EventData::json(EventType::new(system::METADATA)?, document.as_bytes().to_vec())
            };
            Ok(Append::to(stream.metadata_stream()?, expected, [event]))
        };
        match append() {
            Ok(append) => self.commit(append),
            Err(error) => Ticket::answered(Err(Error::into(error))),
        }
    }

    /// The metadata document of a stream and its revision; `None` if it has none.
    ///
    /// # Errors
    /// As [`EventStore::read`].
    pub fn stream_metadata(&self, stream: &StreamName) -> Result<Option<(Revision, String)>> {
        let found = visible::metadata_event(&self.inner.library, stream, self.head().position())?;
        Ok(found.map(|event| {
            let view = event.view();
            (view.revision, String::from_utf8_lossy(view.data).into_owned())
        }))
    }

    /// Whether a stream can be read, and from which revision.
    ///
    /// # Errors
    /// `Corrupted` or `Unavailable` when log or index cannot be read.
    pub fn stream_status(&self, stream: &StreamName) -> Result<StreamStatus> {
        visible::status(&self.inner.library, stream, self.head().position(), self.inner.clock.now())
    }

    /// Reads a source. The read is pinned at the head there is now.
    ///
    /// # Errors
    /// `NotFound` for a stream that was never written or is deleted; `Invalid` for contradicting options; `Corrupted` for bad
    /// bytes.
    #[allow(clippy::needless_pass_by_value)] // reads as what it is: read this source
    pub fn read(&self, source: Source, options: ReadOptions) -> Result<Read> {
        Read::open(&self.inner.library, &source, &options, self.head().position())
    }

    /// Reads one stream, written or virtual.
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
    pub fn explain(&self, query: &Query, options: &ReadOptions) -> Result<Plan> {
        query.check()?;
        if matches!(options.from, From::Revision(_)) {
            return Err(Error::invalid("only a stream can be read from a revision, name a position or a time"));
        }
        let library = &self.inner.library;
        let to = read::pin(library, options.as_of, self.head().position())?;
        let begin = read::cursor::begin(library, options, to)?;
        let range = match options.direction {
            Direction::Forward => begin..to,
            Direction::Backward => Position::START..begin,
        };
        read::explain(library, query, range)
    }

    /// The first event after `after` that matches; `after: None` looks at the whole log. What an
    /// [`AppendCondition`](crate::AppendCondition) of the same query stands on: with `None` it would hold now.
    ///
    /// Costs a few microseconds near the head and some ten over a long log; reads no event.
    ///
    /// # Errors
    /// `Invalid` for a query over its limits; else as [`EventStore::read`].
    pub fn first_match(&self, query: &Query, after: Option<Position>) -> Result<Option<Position>> {
        query.check()?;
        // Nothing is after the largest position.
        let from = after.map_or(Position::START, |after| Position(after.0.saturating_add(1)));
        self.inner.library.index.first_match(query, from, self.head().position())
    }

    /// Whether a stream has an event at or after `from`: what whoever has read it so far asks before he reads on. Costs a look-up in memory, if
    /// `from` is near the head.
    ///
    /// # Errors
    /// `Corrupted` or `Unavailable` when the index cannot be read.
    pub fn is_written_since(&self, stream: &StreamName, from: Position) -> Result<bool> {
        self.inner.library.index.any(Term::Stream(stream), from, self.head().position())
    }

    /// Follows a source: a read that waits at the end. A stream that does not exist yet is waited for.
    ///
    /// # Errors
    /// `Invalid` for a position beyond the head, or for options that contradict; else as [`EventStore::read`].
    #[allow(clippy::needless_pass_by_value)] // as `read`
    pub fn subscribe(&self, source: Source, options: SubscribeOptions) -> Result<Subscription> {
        Subscription::open(self.inner.library.clone(), &source, &options, self.head())
    }

    /// The consumer groups of this store.
    #[must_use]
    pub fn groups(&self) -> ConsumerGroups {
        ConsumerGroups::of(Arc::clone(&self.inner.groups))
    }

    /// The handlers of this store: code that follows the log under a name.
    #[must_use]
    pub fn handlers(&self) -> Handlers {
        Handlers::of(self.groups())
    }

    /// What the store takes the time from.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// How far the log is.
    #[must_use]
    pub fn head(&self) -> Head {
        self.inner.order.head().clone()
    }

    /// Lists streams whose names begin with `prefix` and come after `after`, in order of their bytes, at most `limit`. Deleted ones too.
    ///
    /// # Errors
    /// `Corrupted` or `Unavailable` when the index cannot be read.
    pub fn streams(&self, prefix: &str, after: Option<&StreamName>, limit: usize) -> Result<Vec<StreamInfo>> {
        let index = &self.inner.library.index;
        let found = index.streams(prefix, after.map(StreamName::as_str), limit, self.head().position())?;
        let info = |(name, last_revision, last_position)| StreamInfo { name, last_revision, last_position };
        Ok(found.into_iter().map(info).collect())
    }

    /// Lists the types of events there are that come after `after`, in order of their bytes, at most `limit`, each with the number of events.
    ///
    /// # Errors
    /// `Corrupted` or `Unavailable` when the index cannot be read.
    pub fn event_types(&self, after: Option<&EventType>, limit: usize) -> Result<Vec<(EventType, u64)>> {
        let index = &self.inner.library.index;
        let found = index.terms(Kind::Type, "", after.map(|after| &**after), limit, self.head().position())?;
        found.into_iter().map(|(name, events)| Ok((EventType::new(&name)?, events))).collect()
    }

    /// Facts about the store.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupted` when the files cannot be read.
    pub fn info(&self) -> Result<StoreInfo> {
        let Library { log, index, .. } = &self.inner.library;
        let head = self.head().position();
        let (log_info, index_info) = (log.info(), index.info());
        let last = head.0.checked_sub(1).map(|last| log.event(Position(last))).transpose()?;
        Ok(StoreInfo {
            store_id: self.inner.identity.id,
            created: self.inner.identity.created,
            format: self.inner.identity.format,
            head,
            last_recorded_at: last.map(|event| event.view().recorded_at),
            segments: log_info.segments,
            log_bytes: log_info.bytes,
            index_runs: index_info.runs as u64,
            index_bytes: index_info.bytes,
            streams: index.count(Term::Created, head)?,
            recovery: self.inner.recovery.clone(),
            durable_writes: self.inner.disk.durable_write(),
            refusing_appends: self.refusing_appends(),
        })
    }

    /// Why appends are refused until the store is opened again; `None` while they are not. Asks nobody and nothing: an atomic load.
    #[must_use]
    pub fn refusing_appends(&self) -> Option<String> {
        self.inner.order.poisoned().map(ToString::to_string)
    }

    /// What it has done since it was opened, and what waits in it. Costs some hundred loads from memory, and no lock appends wait for.
    #[must_use]
    pub fn measures(&self) -> Measures {
        let Inner { order, library, .. } = &*self.inner;
        Measures {
            queued_appends: order.queued() as u64,
            index_backlog: library.index.pending(order.head().position()) as u64,
            ..library.meters.shown()
        }
    }

    /// Checks every byte of the log, and the index against it. `progress` hears of the events checked so far.
    ///
    /// # Errors
    /// `Unavailable` when a file cannot be read. What is wrong with the bytes is in the report, not an error.
    pub fn verify(&self, mut progress: impl FnMut(u64)) -> Result<VerifyReport> {
        integrity::verify(&self.inner.library, self.head().position(), &mut progress)
    }

    /// Checks the log of a store that cannot be opened, and shows `see` every event that is intact, in order, until it has seen enough.
    /// Of each log file that is what lies before its first bad byte. Changes nothing.
    ///
    /// # Errors
    /// `Unavailable` while somebody has the store open, or when a file cannot be read; `Invalid` when a newer version wrote it. What
    /// is wrong with the bytes is in the report, not an error.
    pub fn inspect(
        dir: impl AsRef<Path>,
        mut see: impl FnMut(&EventRef<'_>) -> ControlFlow<()>,
    ) -> Result<VerifyReport> {
        integrity::inspect(&FileDisk::new(PathBuf::from(dir.as_ref())), &mut see)
    }

    /// Waits until maintenance has nothing left to do: index runs written and merged, the next segment prepared.
    ///
    /// # Errors
    /// What maintenance met.
    pub fn settle(&self) -> Result<()> {
        self.inner.maintenance.upkeep.want_spare();
        if self.inner.maintenance_threads.is_none() {
            return self.inner.maintenance.run();
        }
        self.inner.maintenance.upkeep.ring();
        self.inner.maintenance.upkeep.wait_for_rest()
    }

    /// Closes the store for all clones: answers what is queued, stops the threads, marks the log as cleanly closed. Also done
    /// when the last clone is dropped; here, errors are told. Reads in progress may go on.
    ///
    /// # Errors
    /// What the last work met.
    pub fn close(self) -> Result<()> {
        self.inner.stop()
    }
}

impl Inner {
    fn stop(&self) -> Result<()> {
        // Before the order, which takes what they have to write.
        self.groups.close();
        let closed = self.order.close();
        // After the order, which may have to wait for maintenance before it takes what is still queued.
        if let Some(threads) = &self.maintenance_threads {
            threads.stop();
        }
        closed
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Errors of closing are told by `close`; a dropped store is as safe as a crashed one.
        let _ = self.stop();
    }
}

impl fmt::Debug for EventStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStore")
            .field("id", &self.inner.identity.id)
            .field("head", &self.head().position())
            .field("disk", &self.inner.disk)
            .finish_non_exhaustive()
    }
}

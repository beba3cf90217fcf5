//! The log through its public door: on a disk in memory, and where it matters on real files.

mod crashing;
mod decoding;
mod golden;
mod reading;
mod recovering;
mod writing;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use uuid::Uuid;

use super::{Log, LogFlusher, LogOptions, LogWriter, Recovered};
use crate::{
    commit::{Appended, Commit, CommittedEvent, ProposedEvent},
    disk::{Disk, DiskFile, FileDisk, OpenMode, memory::MemoryDisk},
    error::{Error, Result},
    event::{EventData, RecordedEvent},
    leaf::{self, Hash, LeafHeader},
    name::{ContentType, EventType, StreamName, Tag},
    position::{Position, Revision, Timestamp},
};

const STORE: Uuid = Uuid::from_u128(0x6765_7374_6100_7000_8000_0000_0000_0001);

/// Sizes small enough that a few commits fill a segment.
fn small() -> LogOptions {
    LogOptions { segment_bytes: 8192, segment_events: 40, tail_cache_bytes: 2000, ..LogOptions::new(STORE) }
}

/// What a commit is made of: stream number, data length, tags.
type Shape = Vec<(u8, usize, u8)>;

/// Makes commits as the commit rules would, deterministically, and remembers what must be read back.
#[derive(Clone, Debug, Default)]
struct Author {
    streams: BTreeMap<u8, (u64, Hash)>,
    recorded: Vec<RecordedEvent>,
    leaves: Vec<Hash>,
    commits: u64,
}

impl Author {
    fn head(&self) -> Position {
        Position(self.recorded.len() as u64)
    }

    fn commit(&mut self, shape: &[(u8, usize, u8)]) -> Commit {
        self.commits += 1;
        let first_position = self.head();
        let recorded_at = Timestamp(1_000 * i64::try_from(self.commits / 3).expect("few commits"));
        let events = shape.iter().map(|event| self.event(*event, recorded_at)).collect();
        Commit {
            proposal_id: Uuid::from_u128(u128::from(self.commits) << 64),
            first_position,
            recorded_at,
            order_sequence: self.commits * 7,
            events,
            appended: Appended { first_position: None, last_position: None, next_revisions: vec![], idempotent: false },
        }
    }

    fn event(&mut self, (stream, length, tags): (u8, usize, u8), recorded_at: Timestamp) -> CommittedEvent {
        let position = self.head();
        let (revision, previous) = self.streams.get(&stream).copied().unwrap_or_default();
        let name = StreamName::new(format!("ström-{stream}")).expect("valid name");
        let content_type = match stream % 3 {
            0 => ContentType::Json,
            1 => ContentType::Binary,
            _ => ContentType::new("text/plain").expect("valid content type"),
        };
        let data = EventData {
            id: None,
            event_type: EventType::new("Happened").expect("valid type"),
            content_type,
            data: Bytes::from(vec![b'd'; length]),
            metadata: Bytes::from(vec![b'm'; length / 7]),
            tags: (0..tags).map(|tag| Tag::new(format!("/tags/{tag}")).expect("valid tag")).collect(),
        };
        let id = Uuid::from_u128(0x1234_0000 + u128::from(position.0));
        let salt = [position.0 as u8 ^ 0x5a; 16];
        let event = ProposedEvent::new(0, id, data, salt);
        let tag_block: Vec<u8> = event
            .data
            .tags
            .iter()
            .flat_map(|tag| [&u16::try_from(tag.len()).expect("short tag").to_le_bytes()[..], tag.as_bytes()].concat())
            .collect();
        let leaf = leaf::leaf_hash(&LeafHeader {
            id,
            revision: Revision(revision),
            recorded_at,
            stream: &name,
            event_type: &event.data.event_type,
            content_type: event.data.content_type.as_str(),
            tags: &tag_block,
            data: &event.data_commitment,
            metadata: &event.metadata_commitment,
            previous: &previous,
        });
        self.streams.insert(stream, (revision + 1, leaf));
        self.leaves.push(leaf);
        self.recorded.push(RecordedEvent {
            position,
            revision: Revision(revision),
            recorded_at,
            id,
            stream: name.clone(),
            event_type: event.data.event_type.clone(),
            content_type: event.data.content_type.clone(),
            tags: event.data.tags.clone(),
            data: event.data.data.clone(),
            metadata: event.data.metadata.clone(),
            erased: false,
            link: None,
        });
        CommittedEvent { event, stream: name, revision: Revision(revision), previous, leaf }
    }
}

/// A log, opened.
struct Fixture {
    options: LogOptions,
    log: Arc<Log>,
    writer: LogWriter,
    flusher: LogFlusher,
    recovered: Recovered,
}

impl Fixture {
    fn open(disk: &MemoryDisk, options: LogOptions) -> Result<Self> {
        let (log, writer, flusher, recovered) = Log::open(Arc::new(disk.clone()), options.clone())?;
        Ok(Self { options, log, writer, flusher, recovered })
    }

    fn new(disk: &MemoryDisk) -> Self {
        Self::open(disk, small()).expect("open a new log")
    }

    /// Drops the handle as the end of the process would, and opens the directory again.
    fn reopen(self, disk: &MemoryDisk) -> Result<Self> {
        Self::open(disk, self.options)
    }

    fn flush(&mut self) {
        let group = self.writer.take_group();
        self.flusher.flush(group).expect("flush");
    }

    fn write(&mut self, author: &mut Author, shape: &[(u8, usize, u8)]) {
        let commit = author.commit(shape);
        self.writer.append(&commit);
        self.flush();
    }

    /// Writes commits of one event of 100 bytes until there are `events` events.
    fn write_until(&mut self, author: &mut Author, events: u64) {
        while author.head().0 < events {
            self.write(author, &[((author.head().0 % 5) as u8, 100, 1)]);
        }
    }

    fn read_all(&self, to: Position) -> Result<Vec<RecordedEvent>> {
        let mut events = Vec::new();
        let mut next = Position::START;
        while next < to {
            let batch = self.log.read_forward(next, to, 7, 3000)?;
            assert!(!batch.is_empty(), "a read below the head makes progress");
            events.extend(batch.to_recorded());
            next = Position(events.len() as u64);
        }
        Ok(events)
    }

    /// Checks that the log holds exactly what the author wrote, by every way of reading.
    fn check(&self, author: &Author) {
        let head = author.head();
        assert_eq!(self.writer.next_position(), head);
        assert_eq!(self.read_all(head).expect("read"), author.recorded);
        for (expected, leaf) in author.recorded.iter().zip(&author.leaves) {
            let event = self.log.event(expected.position).expect("read one");
            assert_eq!(event.to_recorded(), *expected);
            assert_eq!(event.leaf(), *leaf);
        }
        let mut next = Position::START;
        for frame in self.log.frames(Position::START, head) {
            let frame = frame.expect("read frame");
            assert_eq!(frame.header.first, next);
            for event in frame.events() {
                assert_eq!(event.position(), next);
                next = next.next();
            }
        }
        assert_eq!(next, head);
    }
}

/// Every file of the log, by name.
/// The files of the log, without the note of what was durable lately: it is about the log and no part of it.
fn contents(disk: &dyn Disk) -> BTreeMap<String, Vec<u8>> {
    let names = disk.list(Path::new("log")).expect("list");
    names
        .into_iter()
        .filter(|name| name != "durable")
        .map(|name| (name.clone(), read(disk, &Path::new("log").join(name))))
        .collect()
}

fn read(disk: &dyn Disk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, OpenMode::Read).expect("open");
    let mut bytes = vec![0; usize::try_from(file.len().expect("length")).expect("small file")];
    file.read_at(&mut bytes, 0).expect("read");
    bytes
}

fn file(disk: &dyn Disk, path: &Path) -> Arc<dyn DiskFile> {
    disk.open(path, OpenMode::Write).expect("open for writing")
}

/// Replaces the files of the log.
fn put(disk: &dyn Disk, files: &BTreeMap<String, Vec<u8>>) {
    disk.create_dir(Path::new("log")).expect("create");
    for name in disk.list(Path::new("log")).expect("list") {
        disk.remove(&Path::new("log").join(name)).expect("remove");
    }
    for (name, bytes) in files {
        let file = disk.open(&Path::new("log").join(name), OpenMode::CreateNew).expect("create");
        file.write_at(bytes, 0).expect("write");
    }
}

fn last_segment(disk: &dyn Disk) -> PathBuf {
    let name = contents(disk).into_keys().rfind(|name| name.ends_with(".seg")).expect("a segment");
    Path::new("log").join(name)
}

fn kind(result: Result<Fixture>) -> (crate::error::ErrorKind, String) {
    let error: Error = result.err().expect("must be refused");
    (error.kind(), error.to_string())
}

fn temporary() -> MemoryDisk {
    MemoryDisk::new()
}

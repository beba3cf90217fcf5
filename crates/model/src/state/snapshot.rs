//! States kept in files, so that a program that starts anew need not fold what was folded before.
//!
//! A snapshot is never the truth. It is used only if everything it depends on is what it was: the store, the model and its version, the kinds
//! of its events with their upcasts, the shape of its state, the bytes of the file, and the event it ends with. One that does not fit is
//! ignored and counted; what a file system does not want to write is not written. So any of them may be removed at any time. What it depends on
//! and cannot be seen, the code of `apply`, is what `distrust` is for.
//! The layout of a file is in `docs/formats/snapshots.md`.

use std::{
    fmt::{self, Write},
    io,
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gesta_store::{
    EventStore, From, Position, ReadOptions, Revision,
    disk::{Disk, FileDisk, OpenMode},
    entropy::Entropy,
};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{cache::Known, distrust::Distrust};
use crate::{
    demotion::Demotion,
    error::Result,
    event::{Event, Format},
    model::Model,
    scope::Scope,
};

/// The first bytes of a file, the last of which counts formats.
const MAGIC: &[u8; 8] = b"GESTASN1";
/// What names of files, identities and checksums are derived under.
const NAMESPACE: Uuid = Uuid::from_u128(0x6765_7374_6120_736e_6170_7368_6f74_7320);
/// Bytes before the state: magic, identity, head, revision, skipped, last event.
const HEADER: usize = 8 + 16 + 8 + 8 + 8 + 16;
/// Bytes of the checksum at the end.
const CHECKSUM: usize = 16;
/// Opening a file and finding that it fits.
const READING: Duration = Duration::from_micros(200);
/// Bytes of state that are decoded in a second, at least.
const DECODED_PER_SECOND: u64 = 50 << 20;
/// Events of the largest state that is compared with its fold: whoever draws the lot waits for it, some 25 ms.
const AUDITED_EVENTS_MAX: u64 = 64 * 1_024;
/// Largest state that is kept.
const STATE_BYTES_MAX: usize = 64 << 20;

/// Where and when snapshots are taken.
#[derive(Clone, Debug)]
pub struct SnapshotOptions {
    /// Where the files are. Several models, and stores, may share a directory.
    pub disk: Arc<dyn Disk>,
    /// How long folding must have taken since the last snapshot for another one to be worth it. Reading it must be quicker in any case. Default: 5 ms.
    pub worth: Duration,
    /// Of so many snapshots that are used, drawn by lot, one is compared with the fold of its events, if these are at most 65 536; 0: none. What is found ends the use of the model's
    /// snapshots: [`Snapshots::demotion`]. Default: 64.
    pub audit_share: u64,
}

impl SnapshotOptions {
    /// In a directory, which need not exist. Not the store's own.
    pub fn in_dir(dir: impl Into<PathBuf>) -> Self {
        Self { disk: Arc::new(FileDisk::new(dir)), worth: Duration::from_millis(5), audit_share: 64 }
    }
}

/// What became of snapshots of a model. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Snapshots {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    taken: AtomicU64,
    used: AtomicU64,
    ignored: AtomicU64,
    failed: AtomicU64,
    distrust: Distrust,
}

/// Counts since snapshots of a model are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotInfo {
    /// Written.
    pub taken: u64,
    /// Read, and folded on from.
    pub used: u64,
    /// Found, but did not fit: of another version of the model, damaged, or later than what was asked for.
    pub ignored: u64,
    /// Not written, because the file system did not.
    pub failed: u64,
    /// Of those that were used, compared with the fold of their events.
    pub audited: u64,
}

impl Snapshots {
    /// How often what happened.
    #[must_use]
    pub fn info(&self) -> SnapshotInfo {
        let Counts { taken, used, ignored, failed, distrust } = &*self.counts;
        let [taken, used, ignored, failed] = [taken, used, ignored, failed].map(|count| count.load(Ordering::Relaxed));
        SnapshotInfo { taken, used, ignored, failed, audited: distrust.audited() }
    }

    /// Why no snapshot is believed any more: one was not what its events come to. States are folded from then on, and snapshots written anew, but those
    /// that are not are believed again by the next program: the model needs another `VERSION`.
    #[must_use]
    pub fn demotion(&self) -> Option<Demotion> {
        self.counts.distrust.found().cloned()
    }
}

/// The seam between `get`, which takes any model, and snapshots, which take those that can be written.
pub(crate) trait Keep<M>: Send + Sync {
    /// A snapshot that fits and is not later than `head`.
    fn load(&self, store: &EventStore, scope: &Scope, head: Position) -> Option<Known<M>>;

    /// Whether one that is about to be used is compared with the fold first.
    fn is_audited(&self, store: &EventStore, scope: &Scope, known: &Known<M>, entropy: &Entropy) -> bool;

    /// Whether one is what its events come to. If not, none is believed from now on.
    fn is_the_fold(&self, known: &Known<M>, fold: Result<&M>) -> bool;

    /// Takes one, if that is worth it.
    fn save(&self, store: &EventStore, scope: &Scope, known: &mut Known<M>);
}

/// Snapshots of one model.
pub(crate) struct Kept<M> {
    options: SnapshotOptions,
    snapshots: Snapshots,
    /// What every identity begins with: the store, and what the model depends on.
    prefix: OnceLock<Option<String>>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model + Serialize + DeserializeOwned> Kept<M> {
    pub(crate) fn new(options: SnapshotOptions, snapshots: Snapshots) -> Self {
        Self { options, snapshots, prefix: OnceLock::new(), model: PhantomData }
    }

    fn place(&self, store: &EventStore, scope: &Scope) -> Option<Place> {
        let prefix = self.prefix.get_or_init(|| dependencies::<M>(store)).as_ref()?;
        let (store_and_model, _) = prefix.split_once('\n')?;
        let scope = format!("{:?}", scope.source());
        let hash = |text: &str| Uuid::new_v5(&NAMESPACE, format!("{text}\n{scope}").as_bytes());
        Some(Place { name: hash(store_and_model).simple().to_string(), identity: hash(prefix) })
    }

    fn read(&self, store: &EventStore, scope: &Scope, head: Position) -> Option<Known<M>> {
        let place = self.place(store, scope)?;
        let file = self.options.disk.open(&place.file(), OpenMode::Read).ok()?;
        let known = self.parse(store, &place, &file.map().ok()?, head);
        let count = if known.is_some() { &self.snapshots.counts.used } else { &self.snapshots.counts.ignored };
        count.fetch_add(1, Ordering::Relaxed);
        known
    }

    fn parse(&self, store: &EventStore, place: &Place, bytes: &[u8], wanted: Position) -> Option<Known<M>> {
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM>()?;
        let (mut header, state) = body.split_at_checked(HEADER)?;
        let (magic, identity) = (take::<8>(&mut header)?, take::<16>(&mut header)?);
        let fits = magic == *MAGIC && identity == *place.identity.as_bytes() && checksum_of(body) == *checksum;
        let mut number = || take::<8>(&mut header).map(u64::from_le_bytes);
        let (head, revision, skipped) = (number()?, number()?, number()?);
        let last = Uuid::from_bytes(take::<16>(&mut header)?);
        if !fits || head == 0 || head > wanted.0 || event_before(store, Position(head)) != Some(last) {
            return None;
        }
        let state: M = serde_json::from_slice(state).ok()?;
        let bytes = state.bytes();
        Some(Known {
            state: Arc::new(state),
            head: Position(head),
            last_revision: revision.checked_sub(1).map(Revision),
            skipped,
            parked: None,
            checked_at: Duration::ZERO,
            bytes,
            folding: Duration::ZERO,
        })
    }

    fn write(&self, store: &EventStore, place: &Place, known: &Known<M>, state: &[u8]) -> io::Result<()> {
        let Some(last) = event_before(store, known.head) else { return Ok(()) };
        let mut bytes = Vec::with_capacity(HEADER + state.len() + CHECKSUM);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(place.identity.as_bytes());
        let revision = known.last_revision.map_or(0, |last| last.0 + 1);
        for number in [known.head.0, revision, known.skipped] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(last.as_bytes());
        bytes.extend_from_slice(state);
        bytes.extend_from_slice(&checksum_of(&bytes));
        // Under another name first: a file that is half written is only a file to be removed. Nothing is synced: what a crash spoils does not fit.
        let (disk, file) = (&self.options.disk, place.file());
        let unfinished = file.with_extension("new");
        disk.create_dir(place.dir())?;
        // What a crash has left of an earlier one.
        let _ = disk.remove(&unfinished);
        let written = disk.open(&unfinished, OpenMode::CreateNew)?;
        written.write_at(&bytes, 0)?;
        disk.rename(&unfinished, &file)
    }
}

impl<M: Model + Serialize + DeserializeOwned> Keep<M> for Kept<M> {
    fn load(&self, store: &EventStore, scope: &Scope, head: Position) -> Option<Known<M>> {
        if self.snapshots.counts.distrust.found().is_some() {
            return None;
        }
        self.read(store, scope, head)
    }

    fn is_audited(&self, store: &EventStore, scope: &Scope, known: &Known<M>, entropy: &Entropy) -> bool {
        Distrust::draws(self.options.audit_share, entropy) && events_of(store, scope, known) <= AUDITED_EVENTS_MAX
    }

    fn is_the_fold(&self, known: &Known<M>, fold: Result<&M>) -> bool {
        let fold = fold.map_err(|error| error.to_string());
        self.snapshots.counts.distrust.compare(M::name(), known.head, &*known.state, fold)
    }

    fn save(&self, store: &EventStore, scope: &Scope, known: &mut Known<M>) {
        // What is parked has no place in a file: it is looked at anew by each program, which may be the one that can read it.
        if known.folding < self.options.worth || known.head == Position::START || known.parked.is_some() {
            return;
        }
        let took = std::mem::take(&mut known.folding);
        let Ok(state) = serde_json::to_vec(&*known.state) else { return };
        let reading = READING + Duration::from_nanos(state.len() as u64 * 1_000_000_000 / DECODED_PER_SECOND);
        let free = self.options.worth.is_zero();
        if state.len() > STATE_BYTES_MAX || (took <= reading && !free) {
            return;
        }
        let Some(place) = self.place(store, scope) else { return };
        let written = self.write(store, &place, known, &state);
        let count = if written.is_ok() { &self.snapshots.counts.taken } else { &self.snapshots.counts.failed };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Where the snapshot of an instance is, and what it must say to be one.
struct Place {
    name: String,
    identity: Uuid,
}

impl Place {
    /// Spread over 256 directories.
    fn dir(&self) -> &Path {
        Path::new(&self.name[..2])
    }

    fn file(&self) -> PathBuf {
        self.dir().join(&self.name[2..])
    }
}

/// What states of a model in a store depend on; the first line says which model and store.
fn dependencies<M: Model + Serialize>(store: &EventStore) -> Option<String> {
    let store = store.info().ok()?.store_id;
    // Fields that come, go or change their names change how the state of nothing is written.
    let shape = serde_json::to_string(&M::default()).ok()?;
    let model = std::any::type_name::<M>();
    let mut depends = format!("{store} {model}\n{} {} {:?}\n{shape}\n", M::VERSION, M::AT, M::UNREADABLE);
    describe_kinds::<M::Event>(&mut depends).ok()?;
    Some(depends)
}

/// What a state depends on of its events: names, versions, places and upcasts.
fn describe_kinds<E: Event>(out: &mut String) -> fmt::Result {
    writeln!(out, "{} {:?}", E::Format::content_type(), E::IGNORES)?;
    for kind in E::KINDS {
        write!(out, "{} {} {:?}", kind.wire, kind.at, kind.also)?;
        for upcast in kind.upcasts {
            write!(out, " {} {}", upcast.wire, upcast.name)?;
        }
        out.push('\n');
    }
    Ok(())
}

/// How many events a state is made of, at most.
fn events_of<M>(store: &EventStore, scope: &Scope, known: &Known<M>) -> u64 {
    match known.last_revision {
        Some(last) => last.0 + 1,
        None => store
            .explain(&scope.condition(), &ReadOptions::default())
            .ok()
            .and_then(|plan| plan.matches_at_most)
            .unwrap_or(u64::MAX),
    }
}

/// The id of the last event below `head`: another log has another one.
fn event_before(store: &EventStore, head: Position) -> Option<Uuid> {
    let last = Position(head.0.checked_sub(1)?);
    let options = ReadOptions { from: From::Position(last), limit: Some(1), ..ReadOptions::default() };
    let batch = store.read_all(options).ok()?.next_batch().ok()??;
    batch.recorded(0).map(|event| event.id)
}

fn checksum_of(bytes: &[u8]) -> [u8; CHECKSUM] {
    *Uuid::new_v5(&NAMESPACE, bytes).as_bytes()
}

fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(*taken)
}

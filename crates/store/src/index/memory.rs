//! Where are the newest events: the part of the index that is in memory.
//!
//! Holds the positions that no run file covers yet. One writer inserts, many readers look up, each holding the lock for one short section.
//! Must stay below about 100 bytes for an event with its stream: terms live in one arena, a table of 4-byte ids points to 48-byte
//! entries, positions are 4-byte distances from the part's first position, and three of them fit into the entry.
//!
//! Lists only grow at their end and ids never change, so a reader may let go of the lock and go on later where it was.

use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use hashbrown::{HashTable, hash_table};

use super::term::{IndexedEvent, Key, Kind, Term, indexed_category};

/// A number of a term in one part.
pub(super) type TermId = u32;

const NO_TERM: TermId = TermId::MAX;

/// The index of the positions from `first` on.
#[derive(Debug)]
pub(super) struct Memory {
    first: u64,
    tables: RwLock<Tables>,
    /// The terms of each kind in the order of their texts, brought up to date by those who need the order.
    ordered: Mutex<[Vec<TermId>; 6]>,
}

/// What the lock guards.
#[derive(Debug)]
pub(super) struct Tables {
    first: u64,
    events: u32,
    table: HashTable<TermId>,
    entries: Vec<Entry>,
    /// The texts of all terms, one after the other.
    texts: String,
    /// The terms of each kind, in the order they came.
    by_kind: [Vec<TermId>; 6],
}

#[derive(Debug)]
struct Entry {
    postings: Postings,
    /// For streams: the revision of the first event in this part. Other kinds learn their base from older parts.
    base: u64,
    text_start: u32,
    /// The upper half of the term's hash.
    hash: u32,
    /// For streams: the term of the stream's category.
    category: TermId,
    text_length: u16,
    kind: Kind,
}

/// Distances from the part's first position, increasing.
#[derive(Debug)]
enum Postings {
    Few { length: u8, items: [u32; 3] },
    Many(Vec<u32>),
}

impl Postings {
    const EMPTY: Self = Self::Few { length: 0, items: [0; 3] };

    fn as_slice(&self) -> &[u32] {
        match self {
            Self::Few { length, items } => &items[..usize::from(*length)],
            Self::Many(items) => items,
        }
    }

    fn push(&mut self, item: u32) {
        match self {
            // An event that names a tag twice is found once.
            _ if self.as_slice().last() == Some(&item) => {}
            Self::Few { length, items } if usize::from(*length) < items.len() => {
                items[usize::from(*length)] = item;
                *length += 1;
            }
            Self::Few { items, .. } => {
                let mut many = Vec::with_capacity(8);
                many.extend_from_slice(items);
                many.push(item);
                *self = Self::Many(many);
            }
            Self::Many(items) => items.push(item),
        }
    }
}

impl Memory {
    pub(super) fn new(first: u64) -> Self {
        Self { first, tables: RwLock::new(Tables::new(first)), ordered: Mutex::default() }
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds events, in the order of their positions, without a gap.
    pub(super) fn insert<'a>(&self, events: impl Iterator<Item = IndexedEvent<'a>>) {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            tables.insert(&event);
        }
    }

    /// The terms of a kind whose texts begin with `prefix` and are at or after `start`, in the order of their bytes, with the lock that
    /// gives meaning to the ids. The newest few are looked through, the others found by binary search, so that a look-up after
    /// every insert does not sort everything every time.
    pub(super) fn ordered(&self, kind: Kind, prefix: &str, start: &str) -> (RwLockReadGuard<'_, Tables>, Vec<TermId>) {
        let mut ordered = self.ordered.lock().unwrap_or_else(PoisonError::into_inner);
        let tables = self.read();
        let place = usize::from(kind.byte()) - 1;
        let (sorted, all) = (&mut ordered[place], &tables.by_kind[place]);
        if all.len() - sorted.len() > 256 + sorted.len() / 64 {
            sorted.extend_from_slice(&all[sorted.len()..]);
            sorted.sort_by(|&left, &right| tables.text(left).cmp(tables.text(right)));
        }
        let from = sorted.partition_point(|&id| tables.text(id) < prefix.max(start));
        let until = from + sorted[from..].partition_point(|&id| tables.text(id).starts_with(prefix));
        let mut found = sorted[from..until].to_vec();
        let recent = &all[sorted.len()..];
        found.extend(recent.iter().filter(|&&id| tables.text(id) >= start && tables.text(id).starts_with(prefix)));
        found.sort_by(|&left, &right| tables.text(left).cmp(tables.text(right)));
        drop(ordered);
        (tables, found)
    }

    /// A part with the events from `first` on.
    pub(super) fn split_off(&self, first: u64) -> Self {
        let tables = self.read();
        let skipped = u32::try_from(first - self.first).expect("a part spans less than 2^32 positions");
        let mut tail = Tables::new(first);
        tail.events = tables.events.saturating_sub(skipped);
        for (id, entry) in tables.entries.iter().enumerate() {
            let postings = entry.postings.as_slice();
            let kept = postings.partition_point(|&at| at < skipped);
            if kept == postings.len() {
                continue;
            }
            let key = Key::from(Term::new(entry.kind, tables.text(id as TermId)));
            let copy = tail.id_of(key);
            for at in &postings[kept..] {
                tail.entries[copy as usize].postings.push(at - skipped);
            }
            if entry.kind == Kind::Stream {
                tail.entries[copy as usize].base = entry.base + kept as u64;
                tail.entries[copy as usize].category = tail.category_id(key.text);
            }
        }
        Self { first, tables: RwLock::new(tail), ordered: Mutex::default() }
    }
}

impl Tables {
    fn new(first: u64) -> Self {
        Self {
            first,
            events: 0,
            table: HashTable::new(),
            entries: Vec::new(),
            texts: String::new(),
            by_kind: Default::default(),
        }
    }

    /// The position after the last event.
    pub(super) fn end(&self) -> u64 {
        self.first + u64::from(self.events)
    }

    fn insert(&mut self, event: &IndexedEvent<'_>) {
        assert_eq!(event.position.0, self.end(), "events are indexed in the order of their positions, without gaps");
        let at = self.events;
        let terms_before = self.entries.len();
        let stream = self.id_of(Key::from(Term::Stream(event.stream)));
        if stream as usize == terms_before {
            self.entries[stream as usize].base = event.revision.0;
            self.entries[stream as usize].category = self.category_id(event.stream);
        }
        let entry = &mut self.entries[stream as usize];
        entry.postings.push(at);
        let (category, revision) = (entry.category, entry.base + entry.postings.as_slice().len() as u64 - 1);
        assert_eq!(revision, event.revision.0, "revisions of a stream are dense");
        if category != NO_TERM {
            self.entries[category as usize].postings.push(at);
        }
        event.for_each_term_beside_stream(|term| {
            let id = self.id_of(Key::from(term));
            self.entries[id as usize].postings.push(at);
        });
        self.events = at.checked_add(1).expect("a part spans less than 2^32 positions");
    }

    fn category_id(&mut self, stream: &str) -> TermId {
        indexed_category(stream).map_or(NO_TERM, |category| self.id_of(Key::from(Term::Category(category))))
    }

    /// The id of a term, given now if it has none.
    fn id_of(&mut self, key: Key<'_>) -> TermId {
        let Self { table, entries, texts, by_kind, .. } = self;
        let hash = (key.hash >> 32) as u32;
        let is_same = |&id: &TermId| entries[id as usize].is(texts, key.kind, hash, key.text);
        let vacant = match table.entry(spread(hash), is_same, |&id| spread(entries[id as usize].hash)) {
            hash_table::Entry::Occupied(occupied) => return *occupied.get(),
            hash_table::Entry::Vacant(vacant) => vacant,
        };
        let id =
            TermId::try_from(entries.len()).expect("a part has less than 2^32 terms, which its log segment bounds");
        vacant.insert(id);
        by_kind[usize::from(key.kind.byte()) - 1].push(id);
        entries.push(Entry {
            postings: Postings::EMPTY,
            base: 0,
            text_start: u32::try_from(texts.len()).expect("a part's texts are shorter than its log segment"),
            hash,
            category: NO_TERM,
            text_length: u16::try_from(key.text.len()).expect("names are at most 1 KiB long"),
            kind: key.kind,
        });
        texts.push_str(key.text);
        id
    }

    /// The term `key`, if some event has it.
    pub(super) fn find(&self, key: Key<'_>) -> Option<TermId> {
        let hash = (key.hash >> 32) as u32;
        self.table
            .find(spread(hash), |&id| self.entries[id as usize].is(&self.texts, key.kind, hash, key.text))
            .copied()
    }

    /// The text of a term.
    pub(super) fn text(&self, id: TermId) -> &str {
        self.entries[id as usize].text(&self.texts)
    }

    /// Where the term is: distances from the part's first position.
    pub(super) fn postings(&self, id: TermId) -> &[u32] {
        self.entries[id as usize].postings.as_slice()
    }

    /// How many events had the term before this part, where the part knows.
    pub(super) fn base(&self, id: TermId) -> Option<u64> {
        let entry = &self.entries[id as usize];
        (entry.kind == Kind::Stream).then_some(entry.base)
    }
}

impl Entry {
    fn text<'a>(&self, texts: &'a str) -> &'a str {
        let start = self.text_start as usize;
        &texts[start..start + usize::from(self.text_length)]
    }

    fn is(&self, texts: &str, kind: Kind, hash: u32, text: &str) -> bool {
        self.hash == hash && self.kind == kind && self.text(texts) == text
    }
}

/// A table hash from half a term hash: the table looks at the lowest and the highest bits.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

//! I7: the log is the reference. An index with some of its bytes changed, or with files cut: each answer is what the log says, or an error.
//!
//! Input: pieces of four bytes: which file (1), where (2), what is done there (1: the bits to flip; 0: the file is cut).

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use gesta_store::{
    ErrorKind, Position, Query, QueryItem, Result, StreamFilter,
    disk::{Disk, OpenMode, memory::MemoryDisk},
    index::{Index, Term, Towards},
};

use crate::sample::{self, ENDS, Event, STORE};

/// Changes in one input: more make the index no less damaged.
const CHANGES_MAX: usize = 8;

struct Whole {
    disk: MemoryDisk,
    files: Vec<(PathBuf, u64)>,
    events: Vec<Event>,
    terms: Vec<(Term<'static>, Vec<Position>)>,
    queries: Vec<(Query, Vec<Position>)>,
}

fn whole() -> &'static Whole {
    static WHOLE: OnceLock<Whole> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let events = sample::events();
        let (disk, _) = sample::index(&events);
        let files = disk.snapshot().into_iter().map(|(path, bytes)| (path, bytes.len() as u64)).collect();
        let terms = sample::terms().into_iter().map(|term| (term, sample::positions(&events, term))).collect();
        let path = QueryItem::default().path("/accounts/**".parse().expect("a valid pattern"));
        let streams = QueryItem::default().stream(StreamFilter::Pattern("*-1".into()));
        let all = 0..events.len() as u64;
        let queries = [Query::of(path.clone()), Query::of(streams.clone()).or(path)];
        let queries = queries.map(|query| (query.clone(), sample::matches(&events, &query, all.clone()))).to_vec();
        Whole { disk, files, events, terms, queries }
    })
}

/// Damages an index and asks it everything.
pub fn run(input: &[u8]) {
    let Whole { disk, files, events, terms, queries } = whole();
    let disk = disk.kill();
    for change in input.chunks_exact(4).take(CHANGES_MAX) {
        let (path, length) = &files[usize::from(change[0]) % files.len()];
        damage(&disk, path, u64::from(u16::from_le_bytes([change[1], change[2]])) % length, change[3]);
    }
    let head = *ENDS.last().expect("four ends");
    let (index, opened) = Index::open(Arc::new(disk), STORE).expect("damage is no reason not to open");
    assert!(opened.covered.0 == ENDS[1] || !opened.dropped.is_empty(), "lost something without a word");
    index.insert(sample::indexed(events, opened.covered.0..head));
    let mut found = Vec::new();
    for (term, expected) in terms {
        found.clear();
        let answer = index.postings_forward(*term, 0, usize::MAX, Position(head), &mut found);
        right(answer, &found, expected, term);
    }
    for (query, expected) in queries {
        found.clear();
        let mut matches = index.matches(query, Position::START..Position(head), Towards::Newer);
        let answer = matches.next_chunk(usize::MAX, &mut found);
        right(answer.map(drop), &found, expected, query);
    }
}

fn damage(disk: &MemoryDisk, path: &Path, at: u64, bits: u8) {
    let file = disk.open(path, OpenMode::Write).expect("the file is there");
    if at >= file.len().expect("a disk that works") {
        return; // it was cut before
    }
    match bits {
        0 => file.set_len(at).expect("a disk that works"),
        bits => disk.corrupt(path, at, bits).expect("a disk that works"),
    }
}

fn right(answer: Result<()>, found: &[Position], expected: &[Position], what: &dyn std::fmt::Debug) {
    match answer {
        Ok(()) => assert_eq!(found, expected, "{what:?}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupted, "{what:?}: {error}"),
    }
}

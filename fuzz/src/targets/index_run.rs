//! Index runs whose checksums are right and whose content may be anything: every question is answered or refused, without a panic, without
//! an endless search, without more memory than the run's range justifies.
//!
//! Input: the body of a run, then the offset of its directory (4 bytes), then how many positions it covers (2 bytes). Eight
//! such runs follow each other, so that maintenance merges them too. The checksum inside a dictionary shard is left as it is: what
//! walks through a shard relies on it.

use std::{ops::Range, sync::Arc};

use gesta_store::{
    ErrorKind, Position, Query, QueryItem, Result, StreamFilter,
    disk::memory::MemoryDisk,
    index::{
        Index, Kind, Step, Towards,
        decode::{Extent, Trailer, encode_manifest},
    },
};

use crate::sample::{self, STORE};

const PAGE: usize = 4096;
const RUNS: u64 = 8;

/// Opens an index of such runs and asks it everything.
pub fn run(input: &[u8]) {
    let Some((body, [at0, at1, at2, at3, low, high])) = input.split_last_chunk::<6>() else { return };
    let directory = u64::from(u32::from_le_bytes([*at0, *at1, *at2, *at3]));
    let positions = u64::from(u16::from_le_bytes([*low, *high]) % 4096) + 1;
    let disk = MemoryDisk::new();
    let extents: Vec<Extent> =
        (0..RUNS).map(|run| Extent { first: run * positions, end: (run + 1) * positions }).collect();
    for extent in &extents {
        sample::put(&disk, &format!("index/{}", extent.file_name()), &file(body, directory, *extent));
    }
    sample::put(&disk, "index/manifest", &encode_manifest(STORE, &extents));
    let (index, opened) = Index::open(Arc::new(disk.clone()), STORE).expect("damage is no reason not to open");
    let head = RUNS * positions;
    assert!(opened.covered.0 == head || !opened.dropped.is_empty(), "lost something without a word");
    ask(&index, Position(opened.covered.0));
    while refused(index.maintain(Position(head))).is_some_and(|step| step != Step::Idle) {}
    ask(&index, Position(opened.covered.0));
    let _ = Index::open(Arc::new(disk), STORE).expect("what maintenance leaves can be opened");
}

/// A run file around a body, with right checksums.
fn file(body: &[u8], directory: u64, extent: Extent) -> Vec<u8> {
    let sums: Vec<u8> = body.chunks(PAGE).flat_map(|page| crc_fast::crc32_iscsi(page).to_le_bytes()).collect();
    let body_length = body.len() as u64;
    let trailer = Trailer {
        store_id: STORE,
        extent,
        level: 0,
        body_length,
        directory: (directory, body_length.saturating_sub(directory)),
        terms: 0,
        postings: 0,
        page_sums_crc: crc_fast::crc32_iscsi(&sums),
    };
    [body, &sums, &trailer.encode()].concat()
}

/// The answer, if there is one; else it must be refused as damage.
fn refused<T>(answer: Result<T>) -> Option<T> {
    answer.map_err(|error| assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}")).ok()
}

fn ask(index: &Index, to: Position) {
    let whole = Position::START..to;
    let most = usize::try_from(to.0).expect("eight times 4 096 positions");
    let mut found = Vec::new();
    for term in sample::terms() {
        found.clear();
        let _ = refused(index.count(term, to));
        let _ = refused(index.nth(term, 130, to));
        let _ = refused(index.rank(term, Position(to.0 / 2), to));
        let _ = refused(index.postings_forward(term, 0, usize::MAX, to, &mut found));
        assert!(found.len() <= most, "found={} most={most}", found.len());
        found.clear();
        let _ = refused(index.postings_backward(term, u64::MAX - 1, 200, to, &mut found));
        // A limit is kept only as far as the runs agree on how many events came before each of them.
        assert!(found.len() <= most, "found={} most={most}", found.len());
    }
    for kind in Kind::ALL {
        let _ = refused(index.terms(kind, "", None, 300, to));
    }
    let _ = refused(index.streams("order", Some("order-1"), 10, to));
    for query in queries() {
        let _ = refused(index.estimate(&query, whole.clone()));
        for towards in [Towards::Newer, Towards::Older] {
            search(index, &query, whole.clone(), towards);
        }
    }
    for audit in index.audits() {
        let _ = refused(audit.finish());
    }
}

fn search(index: &Index, query: &Query, range: Range<Position>, towards: Towards) {
    let mut found = Vec::new();
    let mut matches = index.matches(query, range.clone(), towards);
    while refused(matches.next_chunk(100, &mut found)) == Some(true) {}
    assert!(found.iter().all(|position| range.contains(position)), "{towards:?} outside of the range");
    let in_order = found.is_sorted_by(|one, next| match towards {
        Towards::Newer => one < next,
        Towards::Older => one > next,
    });
    assert!(in_order, "{towards:?} out of order");
}

fn queries() -> [Query; 4] {
    let placed = || QueryItem::default().event_type("Placed".try_into().expect("a valid type"));
    let accounts = || QueryItem::default().path("/accounts/**".parse().expect("a valid pattern"));
    let order = QueryItem::default().stream(StreamFilter::Category("order".try_into().expect("a valid category")));
    let every = QueryItem::default().stream(StreamFilter::Pattern("*-*".into()));
    let both = QueryItem { types: placed().types, ..accounts() };
    [Query::of(placed()), Query::of(accounts()), Query::of(both), Query::of(order).or(every)]
}

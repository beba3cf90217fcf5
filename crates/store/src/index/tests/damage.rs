//! Damaged files are found or do no harm; failing operations and crashes cost work, never an answer.

use std::io;

use proptest::strategy::ValueTree as _;

use super::{
    super::{maintain::runs, run::Run},
    *,
};
use crate::{
    disk::memory::{Done, Fault},
    error::ErrorKind,
};

/// Flips every byte of an index in turn. Each time it is either found at open, or met as an error, or does no harm.
#[test]
fn no_flipped_byte_gives_a_wrong_answer() {
    let mut both = Both::new();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..3 {
        let events = events(40).new_tree(&mut runner).expect("events").current();
        both.insert(&events);
        both.insert(&vec![(0, 0, vec![0], Some(1)); 45]);
        both.seal(0);
        both.settle();
    }
    let head = both.reference.head();
    let expected = Expected::of(&both.reference);
    for (path, original) in both.disk.snapshot() {
        for at in 0..original.len() {
            let disk = both.disk.kill();
            disk.corrupt(&path, at as u64, 0x41).expect("corrupt");
            let (index, opened) = open(&disk);
            let covered = opened.covered.0;
            assert!(covered == head || !opened.dropped.is_empty(), "{path:?} {at}: lost something without a word");
            index.insert(both.reference.indexed(covered..head));
            expected.check_or_corrupted(&index, &format!("{path:?} {at}"));
        }
    }
}

/// What an index must answer, worked out once.
struct Expected {
    terms: Vec<(Term<'static>, Vec<Position>)>,
    query: Query,
    matches: Vec<Position>,
    head: u64,
}

impl Expected {
    fn of(reference: &Reference) -> Self {
        let head = reference.head();
        let path = QueryItem::default().path(PathPattern::new("/accounts/**").expect("valid"));
        let query = Query::of(path).or(QueryItem::default().stream(StreamFilter::Pattern("*-1".into())));
        let matches = reference.matches(&query, 0..head, Towards::Older);
        let terms = all_terms().into_iter().map(|term| (term, reference.positions(term, head))).collect();
        Self { terms, query, matches, head }
    }

    /// Every answer is right, or says that the index is damaged.
    fn check_or_corrupted(&self, index: &Index, what: &str) {
        let check = |answer: crate::Result<()>, found: &[Position], expected: &[Position]| match answer {
            Ok(()) => assert_eq!(found, expected, "{what}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupted, "{what}: {error}"),
        };
        let mut found = Vec::new();
        for (term, expected) in &self.terms {
            found.clear();
            let answer = index.postings_forward(*term, 0, usize::MAX, Position(self.head), &mut found);
            check(answer, &found, expected);
        }
        found.clear();
        let mut matches = index.matches(&self.query, Position(0)..Position(self.head), Towards::Older);
        let answer = matches.next_chunk(usize::MAX, &mut found).map(drop);
        check(answer, &found, &self.matches);
    }
}

/// Fails every operation of a life in turn, lets maintenance try again, and loses power at that moment in several ways.
#[test]
fn maintenance_survives_every_failing_operation_and_every_crash() {
    let reference = many(170);
    let run = |disk: &MemoryDisk, heal: bool| -> Option<Arc<Index>> {
        let open = || Index::open(Arc::new(disk.clone()), STORE);
        let (index, opened) = match open() {
            Err(_) if heal => open().expect("the second time"),
            opened => opened.ok()?,
        };
        for start in (opened.covered.0..170).step_by(10) {
            index.insert(reference.indexed(start..start + 10));
            index.seal(Position(start + 10));
            let mut failures = 0;
            loop {
                match index.maintain(EVERYTHING) {
                    Ok(Step::Idle) => break,
                    Ok(Step::Built | Step::Merged | Step::Dropped) => {}
                    Err(_) if heal && failures == 0 => failures += 1,
                    Err(_) => return None,
                }
            }
        }
        Some(index)
    };
    let check = |index: &Index, what: &str| {
        for term in [Term::Category("order"), Term::Created, Term::Tag("usual"), Term::Stream("order-77")] {
            let count = index.count(term, Position(170)).expect("count");
            assert_eq!(count, reference.positions(term, 170).len() as u64, "{what} {term:?}");
        }
    };
    let whole = MemoryDisk::new();
    run(&whole, false).expect("no fault");
    for n in 0..whole.operations().changes() {
        for done in [Done::Nothing, Done::Half, Done::Everything] {
            let disk = MemoryDisk::new();
            disk.fail_after(n, Fault::once(io::ErrorKind::Other).leaving(done));
            check(&run(&disk, true).expect("healed"), &format!("operation {n} failed once, {done:?}"));
            let disk = MemoryDisk::new();
            disk.fail_after(n, Fault::forever(io::ErrorKind::Other).leaving(done));
            let _ = run(&disk, false);
            for seed in 0..2 {
                let crashed = disk.crash(seed);
                check(&run(&crashed, false).expect("no fault"), &format!("crash at {n}, seed {seed}, {done:?}"));
            }
        }
    }
}

#[test]
fn a_run_found_damaged_in_use_is_rebuilt_at_the_next_open() {
    let both = filled(many(3_000), 1_000, true);
    let name = "index/00000000000000001000-00000000000000002000.run";
    both.disk.corrupt(name, 100, 0xff).expect("corrupt");
    let (index, opened) = open(&both.disk);
    assert_eq!(opened.covered, Position(3_000), "the damage is in a page that opening does not touch");
    let mut found = Vec::new();
    let asked = index.postings_forward(Term::Category("order"), 0, usize::MAX, Position(3_000), &mut found);
    assert_eq!(asked.expect_err("damage").kind(), ErrorKind::Corrupted);
    assert_eq!(index.maintain(EVERYTHING).expect("maintenance"), Step::Dropped);
    assert_eq!(index.maintain(EVERYTHING).expect("maintenance"), Step::Idle);
    let (index, opened) = open(&both.disk);
    assert_eq!((opened.covered, opened.dropped.len()), (Position(1_000), 2));
    index.insert(both.reference.indexed(1_000..3_000));
    assert_eq!(index.count(Term::Category("order"), Position(3_000)).expect("count"), 3_000);
}

/// A run is found damaged while a merge reads it: what the merge makes of it must not count, and what came before it still does.
#[test]
#[allow(clippy::disallowed_methods)] // threads are the matter here
fn a_merge_of_what_was_found_damaged_meanwhile_does_not_count() {
    let both = filled(many(800), 100, false);
    let (gated, gate) = merges_gated(&both.disk);
    while both.index.build(EVERYTHING).expect("build") != Step::Idle {}
    // When it writes, it has read everything, and saw nothing wrong.
    let (index, _) = Index::open(gated, STORE).expect("open");
    let held = gate.close();
    std::thread::scope(|scope| {
        let merge = scope.spawn(|| index.merge(&|| true).expect("merge"));
        gate.wait_for_held_up();
        let view = index.parts.load_full();
        let reader = |run: &&Arc<Run>| run.trailer.extent.first == 300;
        let _ = runs(&view).find(reader).expect("a run").body().damage("a reader met damage", 0);
        assert_eq!(index.build(EVERYTHING).expect("build"), Step::Dropped);
        drop(held);
        assert_eq!(merge.join().expect("no panic"), Step::Dropped);
    });
    assert_eq!(index.info().runs, 8);
    assert_eq!(open(&both.disk.kill()).1.covered, Position(300), "the runs before the damaged one are still named");
}

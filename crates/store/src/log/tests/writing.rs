//! Where bytes go: segments, seals, spares, groups.

use sha2::{Digest, Sha256};

use super::*;

#[test]
fn what_is_appended_is_read_at_once_and_after_every_flush_and_reopening() {
    let (dir, mut author) = (temporary(), Author::default());
    let mut fixture = Fixture::new(&dir);
    let shapes: [Shape; 5] = [
        vec![(1, 10, 0)],
        vec![(1, 900, 2), (2, 0, 1), (1, 33, 0)],
        vec![(3, 5000, 3)],
        vec![(4, 9000, 0)],
        vec![(5, 1, 1); 45],
    ];
    for round in 0..4 {
        for shape in &shapes {
            fixture.writer.append(&author.commit(shape));
            fixture.check(&author);
        }
        assert!(fixture.writer.group_bytes() > 0);
        let group = fixture.writer.take_group();
        fixture.writer.append(&author.commit(&shapes[round]));
        fixture.check(&author);
        fixture.flusher.flush(group).expect("flush");
        fixture.check(&author);
        fixture.flush();
        fixture.check(&author);
        fixture = fixture.reopen(&dir).expect("reopen");
        assert_eq!(fixture.recovered.head, author.head());
        assert_eq!(fixture.recovered.cut, None);
        fixture.check(&author);
    }
    assert!(fixture.log.segments().len() > 8, "{:?}", fixture.log.segments());
}

#[test]
fn bytes_depend_on_the_commits_alone() {
    let shapes: Vec<Shape> =
        (0..120_u8).map(|n| vec![(n % 7, usize::from(n) * 5, n % 3); 1 + usize::from(n) % 4]).collect();
    let written = |group_of: usize, spare: bool, restarts: bool| {
        let (dir, mut author) = (temporary(), Author::default());
        let mut fixture = Fixture::new(&dir);
        for (at, shape) in shapes.iter().enumerate() {
            fixture.writer.append(&author.commit(shape));
            if at % group_of == 0 {
                fixture.flush();
                if spare {
                    fixture.log.prepare_spare(&|| true).expect("spare");
                }
                if restarts {
                    fixture = fixture.reopen(&dir).expect("reopen");
                }
            }
        }
        fixture.flush();
        fixture.check(&author);
        let mut files = contents(&dir);
        files.retain(|name, _| name.ends_with(".seg"));
        // What is preallocated behind the frames of the last segment is not part of the log.
        let last = files.values_mut().next_back().expect("segments");
        let end = last.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        last.truncate(end);
        files
    };
    let reference = written(1, false, false);
    assert!(reference.len() > 5);
    for (group_of, spare, restarts) in
        [(7, false, false), (1, true, false), (1, false, true), (13, true, true), (1000, false, false)]
    {
        assert!(
            reference == written(group_of, spare, restarts),
            "groups of {group_of}, spare {spare}, restarts {restarts}"
        );
    }
}

#[test]
fn a_segment_is_sealed_with_the_frame_that_fills_it() {
    let (dir, mut author) = (temporary(), Author::default());
    let mut fixture = Fixture::open(&dir, LogOptions { segment_bytes: 16384, ..small() }).expect("open");
    // By events: 40 fill it.
    fixture.write(&mut author, &[(1, 0, 0); 39]);
    fixture.writer.append(&author.commit(&[(1, 0, 0)]));
    let group = fixture.writer.take_group();
    let flushed = fixture.flusher.flush(group).expect("flush");
    assert_eq!((flushed.end, flushed.sealed), (Position(40), vec![Position(40)]));
    // A frame may be larger than a segment.
    fixture.write(&mut author, &[(1, 0, 0)]);
    fixture.write(&mut author, &[(2, 20_000, 0)]);
    fixture.write(&mut author, &[(2, 1, 0)]);
    let ends: Vec<u64> = fixture.log.segments().iter().map(|range| range.end.0).collect();
    assert_eq!(ends, [40, 42, 43]);
    let sealed: Vec<bool> = fixture.log.segments().iter().map(super::super::SegmentRange::sealed).collect();
    assert_eq!(sealed, [true, true, false]);
    fixture.check(&author);
    // The digest of a sealed segment is over 0x04 and its leaf hashes.
    let mut digest = Sha256::new_with_prefix([4]);
    author.leaves[..40].iter().for_each(|leaf| digest.update(leaf));
    assert_eq!(fixture.log.segments()[0].digest, Some(digest.finalize().into()));
}

#[test]
fn a_spare_is_filled_once_and_becomes_the_next_segment() {
    let (dir, mut author) = (temporary(), Author::default());
    let mut fixture = Fixture::new(&dir);
    fixture.log.prepare_spare(&|| true).expect("spare");
    fixture.log.prepare_spare(&|| true).expect("spare again");
    let files = contents(&dir);
    assert_eq!(files.keys().collect::<Vec<_>>(), ["spare"]);
    assert!(files["spare"].len() == 8192 && files["spare"].iter().all(|byte| *byte == 0));
    fixture.write_until(&mut author, 3);
    let files = contents(&dir);
    assert_eq!(files.keys().collect::<Vec<_>>(), ["00000000000000000000.seg"]);
    assert_eq!(files["00000000000000000000.seg"].len(), 8192);
    fixture = fixture.reopen(&dir).expect("reopen");
    fixture.write_until(&mut author, 100);
    fixture.check(&author);
}

#[test]
fn the_clean_mark_lives_from_close_to_the_first_write() {
    let (dir, mut author) = (temporary(), Author::default());
    let mut fixture = Fixture::new(&dir);
    assert!(!fixture.recovered.opened_clean);
    fixture.write_until(&mut author, 3);
    fixture.flusher.close().expect("close");
    for _ in 0..2 {
        fixture = fixture.reopen(&dir).expect("reopen");
        assert!(fixture.recovered.opened_clean);
        fixture.check(&author);
        fixture.flusher.close().expect("close without a write");
    }
    fixture = fixture.reopen(&dir).expect("reopen");
    assert!(contents(&dir).contains_key("clean"));
    fixture.write_until(&mut author, 4);
    assert!(!contents(&dir).contains_key("clean"));
    fixture = fixture.reopen(&dir).expect("reopen");
    assert!(!fixture.recovered.opened_clean);
    fixture.check(&author);
}

//! What opening makes of a directory that a crash, a fault or a person left behind.

use super::*;
use crate::{disk::BLOCK, error::ErrorKind, log::decode};

/// A log of a few segments whose last has some frames, not closed in order.
fn crashed(events: u64) -> (MemoryDisk, Author) {
    let (dir, mut author) = (temporary(), Author::default());
    let mut fixture = Fixture::new(&dir);
    fixture.write_until(&mut author, events);
    (dir, author)
}

/// The author as it was when it had written `events`, one by one.
fn author_at(author: &Author, events: u64) -> Author {
    let mut earlier = Author::default();
    while earlier.head().0 < events {
        earlier.commit(&[((earlier.head().0 % 5) as u8, 100, 1)]);
    }
    assert_eq!(earlier.recorded, author.recorded[..usize::try_from(events).expect("few")]);
    earlier
}

fn open_and_continue(dir: &MemoryDisk, author: &Author) -> Fixture {
    let mut fixture = Fixture::open(dir, small()).expect("open");
    let mut author = author_at(author, fixture.recovered.head.0);
    fixture.check(&author);
    let more = author.head().0 + 60;
    fixture.write_until(&mut author, more);
    fixture.check(&author);
    let fixture = Fixture::open(dir, small()).expect("open again");
    assert_eq!(fixture.recovered.cut, None);
    fixture.check(&author);
    fixture
}

#[test]
fn a_tail_cut_at_any_byte_is_recovered() {
    let (dir, author) = crashed(25);
    let files = contents(&dir);
    let (name, bytes) = files.iter().next_back().expect("a segment");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("frames") + 1;
    let end = end.next_multiple_of(crate::limits::FRAME_ALIGN);
    let scratch = temporary();
    for length in (end - 900)..=end {
        let mut files = files.clone();
        files.get_mut(name).expect("the segment").truncate(length);
        put(&scratch, &files);
        let fixture = Fixture::open(&scratch, small()).expect("open");
        let head = fixture.recovered.head.0;
        assert!((22..=25).contains(&head) && (head == 25) == (length == end), "length {length} head {head}");
        if let Some(cut) = &fixture.recovered.cut {
            assert_eq!(cut.offset + cut.bytes, length as u64 - trailing_zeros(&bytes[..length]));
            let kept = &contents(&scratch)[&format!("{head:020}.cut")];
            assert_eq!(kept[..], bytes[usize::try_from(cut.offset).expect("small")..][..kept.len()]);
        }
        if length % 37 == 0 {
            open_and_continue(&scratch, &author);
        } else {
            fixture.check(&author_at(&author, head));
        }
    }
}

fn trailing_zeros(bytes: &[u8]) -> u64 {
    bytes.iter().rev().take_while(|byte| **byte == 0).count() as u64
}

/// Each block of the last write, frames and footer, may be there or not.
#[test]
fn a_write_that_lost_any_of_its_blocks_is_recovered() {
    let (dir, mut author) = (temporary(), Author::default());
    let mut fixture = Fixture::open(&dir, LogOptions { segment_bytes: 16384, ..small() }).expect("open");
    fixture.write(&mut author, &[(1, 200, 0)]);
    let before = contents(&dir);
    let durable = author.clone();
    for n in 0..4 {
        fixture.writer.append(&author.commit(&[(n, 3000, 1)]));
    }
    // The last of them fills the segment: the write ends with the footer.
    fixture.flush();
    let name = "00000000000000000000.seg";
    let sealed = contents(&dir)[name].clone();
    assert!(decode::Trailer::decode(&sealed, sealed.len() as u64).is_ok());
    let blocks = sealed.len().div_ceil(BLOCK);
    let scratch = temporary();
    for lost in 0..(1_u32 << (blocks - 1)) {
        let mut bytes = sealed.clone();
        bytes.resize(20 * BLOCK, 0);
        for block in 0..blocks - 1 {
            let range = (block + 1) * BLOCK..(block + 2) * BLOCK;
            if lost & (1 << block) != 0 {
                bytes[range.clone()].fill(0);
                let old = before[name].get(range.start..).unwrap_or_default();
                let old = &old[..old.len().min(BLOCK)];
                bytes[range.start..range.start + old.len()].copy_from_slice(old);
            }
        }
        put(&scratch, &BTreeMap::from([(name.to_owned(), bytes)]));
        let options = LogOptions { segment_bytes: 16384, ..small() };
        let mut fixture = Fixture::open(&scratch, options).expect("open");
        let head = usize::try_from(fixture.recovered.head.0).expect("few");
        assert!(head >= durable.recorded.len());
        assert_eq!(fixture.read_all(fixture.recovered.head).expect("read"), author.recorded[..head]);
        if head == 5 {
            // All frames are there: nothing was cut, whatever is left of the footer, and sealing again makes the same bytes.
            assert_eq!(fixture.recovered.cut, None, "lost {lost:b}");
            let mut writer = author_of(5);
            fixture.writer.append(&writer.commit(&[(1, 6000, 0)]));
            fixture.flush();
            assert!(contents(&scratch)[name] == sealed);
        }
    }
}

/// The author of the test above after `events` events.
fn author_of(events: u64) -> Author {
    let mut author = Author::default();
    author.commit(&[(1, 200, 0)]);
    for n in 0..u8::try_from(events - 1).expect("few") {
        author.commit(&[(n, 3000, 1)]);
    }
    author
}

#[test]
fn a_bit_flipped_anywhere_is_found() {
    let (dir, mut author) = (temporary(), Author::default());
    let mut fixture = Fixture::new(&dir);
    while fixture.log.segments().len() < 3 {
        fixture.write(&mut author, &[(1, 300, 1), (2, 450, 0)]);
    }
    fixture.flusher.close().expect("close");
    let files = contents(&dir);
    let scratch = temporary();
    put(&scratch, &files);
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".seg")) {
        let written = bytes.iter().rposition(|byte| *byte != 0).expect("content") + 1;
        // Every byte of structure, and every seventh of payload.
        for at in (0..written).filter(|at| at % 7 == 0 || bytes[*at] != b'd') {
            let damaged = file(&scratch, &Path::new("log").join(name));
            damaged.write_at(&[bytes[at] ^ 1 << (at % 8)], at as u64).expect("damage");
            let found = Fixture::open(&scratch, small()).and_then(|fixture| {
                for frame in fixture.log.frames(Position::START, author.head()) {
                    frame?;
                }
                // Verification also reads the offset table and the digest.
                for position in 0..author.head().0 {
                    fixture.log.event(Position(position))?;
                }
                Ok(())
            });
            let error = found.expect_err(&format!("flip at {at} of {name} was not found"));
            assert!(matches!(error.kind(), ErrorKind::Corrupted | ErrorKind::Invalid), "{error}");
            damaged.write_at(&bytes[at..=at], at as u64).expect("mend");
        }
    }
    assert!(contents(&scratch) == files, "damage after a clean shutdown changes nothing");
}

#[test]
fn damage_before_the_clean_shutdown_is_corruption_and_changes_nothing() {
    let (dir, mut author) = (temporary(), Author::default());
    let mut fixture = Fixture::new(&dir);
    fixture.write_until(&mut author, 25);
    fixture.flusher.close().expect("close");
    let last = last_segment(&dir);
    file(&dir, &last).write_at(b"damage", 4096 + 500).expect("damage");
    let before = contents(&dir);
    let (kind, message) = kind(Fixture::open(&dir, small()));
    assert_eq!(kind, ErrorKind::Corrupted);
    assert!(
        message.contains(&format!("file={}", last.display())) && message.contains("head_at_shutdown=25"),
        "{message}"
    );
    assert!(before == contents(&dir));
}

#[test]
fn good_frames_far_behind_a_bad_one_are_corruption() {
    let (dir, mut author) = (temporary(), Author::default());
    let options = LogOptions { segment_bytes: 64 << 20, segment_events: 1000, ..small() };
    let mut fixture = Fixture::open(&dir, options.clone()).expect("open");
    for n in 0..5 {
        fixture.write(&mut author, &[(n, 10 << 20, 0)]);
    }
    let path = last_segment(&dir);
    let clean = author.recorded.len();
    // Within reach of one group: taken for torn.
    let damage = |event: u64| {
        let offset = 4096 + event * (12 << 20);
        file(&dir, &path).write_at(b"damage", offset + 4096).expect("damage");
    };
    damage(0);
    let before = contents(&dir);
    let (kind, message) = kind(Fixture::open(&dir, options.clone()));
    assert_eq!(kind, ErrorKind::Corrupted, "{message}");
    // The event, not its commit: what a reader of it would name.
    assert!(message.contains("offset=4160"), "{message}");
    assert!(before == contents(&dir) && clean == 5);
}

type Change<'a> = &'a dyn Fn(&mut BTreeMap<String, Vec<u8>>);

#[test]
fn missing_foreign_and_newer_segments_are_named() {
    let (dir, _) = crashed(120);
    let files = contents(&dir);
    let names: Vec<&String> = files.keys().collect();
    assert!(names.len() >= 4);
    let scratch = temporary();
    let refused = |change: Change<'_>, kind_expected: ErrorKind, part: &str| {
        let mut files = files.clone();
        change(&mut files);
        put(&scratch, &files);
        let (kind, message) = kind(Fixture::open(&scratch, small()));
        assert!(kind == kind_expected && message.contains(part), "{kind:?} {message}");
        assert!(contents(&scratch) == files, "nothing is changed by a refused opening");
    };
    let header = |files: &BTreeMap<String, Vec<u8>>, name: &str, change: &dyn Fn(&mut decode::SegmentHeader)| {
        let mut header = decode::SegmentHeader::decode(&files[name]).expect("header");
        change(&mut header);
        header.encode()
    };
    refused(&|files| drop(files.remove(names[1])), ErrorKind::Corrupted, "segment is missing");
    refused(&|files| drop(files.remove(names[0])), ErrorKind::Corrupted, "first_position=0");
    refused(&|files| files.get_mut(names[1]).expect("segment").truncate(5000), ErrorKind::Corrupted, names[1]);
    refused(&|files| files.get_mut(names[3]).expect("segment").truncate(4000), ErrorKind::Corrupted, names[3]);
    refused(&|files| drop(files.insert("17.seg".to_owned(), vec![])), ErrorKind::Corrupted, "log/17.seg");
    let replace = |files: &mut BTreeMap<String, Vec<u8>>, name: &str, block: [u8; BLOCK]| {
        files.get_mut(name).expect("segment")[..BLOCK].copy_from_slice(&block);
    };
    refused(
        &|files| {
            let block = header(files, names[2], &|header| header.store_id = Uuid::from_u128(7));
            replace(files, names[2], block);
        },
        ErrorKind::Corrupted,
        "another store",
    );
    refused(
        &|files| {
            let block = header(files, names[2], &|header| header.previous ^= 1);
            replace(files, names[2], block);
        },
        ErrorKind::Corrupted,
        "does not continue",
    );
    refused(
        &|files| {
            let mut block = header(files, names[0], &|_| ());
            block[8] = 2;
            let crc = crate::log::layout::crc32c(&block[..BLOCK - 4]);
            block[BLOCK - 4..].copy_from_slice(&crc.to_le_bytes());
            replace(files, names[0], block);
        },
        ErrorKind::Invalid,
        "newer version",
    );
}

#[test]
fn leftovers_of_interrupted_operations_do_no_harm() {
    let (dir, author) = crashed(25);
    let files = contents(&dir);
    let scratch = temporary();
    for leftover in ["spare.tmp", "segment.tmp", "clean.tmp", "clean", "spare"] {
        let mut files = files.clone();
        files.insert(leftover.to_owned(), vec![0; if leftover == "spare" { 8192 } else { 33 }]);
        put(&scratch, &files);
        open_and_continue(&scratch, &author);
        assert!(!contents(&scratch).contains_key(leftover), "{leftover}");
    }
    // A spare that already has the header of the segment it did not become.
    let mut spare =
        decode::SegmentHeader::decode(&files["00000000000000000000.seg"]).expect("header").encode().to_vec();
    spare.resize(8192, 0);
    let mut files = files.clone();
    files.insert("spare".to_owned(), spare);
    put(&scratch, &files);
    open_and_continue(&scratch, &author);
}

#[test]
fn a_segment_begun_but_empty_is_continued() {
    let (dir, author) = crashed(200);
    let mut files = contents(&dir);
    let last = files.values_mut().next_back().expect("segment");
    last[BLOCK..].fill(0);
    let first = decode::SegmentHeader::decode(last).expect("header").first;
    last.truncate(BLOCK);
    put(&dir, &files);
    let fixture = open_and_continue(&dir, &author);
    assert!(fixture.recovered.head > first);
    // And one whose file was not made yet.
    files.pop_last();
    put(&dir, &files);
    open_and_continue(&dir, &author);
}

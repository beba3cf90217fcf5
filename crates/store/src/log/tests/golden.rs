//! Bytes of the format's first version, kept: they must be made again exactly, and be readable for ever.
//!
//! After a deliberate change of the format, `GESTA_GOLDEN=write cargo test -p gesta-store golden` writes them anew, under the new version's name.

use super::*;
use crate::log::{
    decode::{Entry, FrameHeader, SegmentHeader, erase, verify_frame},
    layout::crc32c,
};

fn golden(name: &str) -> FileDisk {
    FileDisk::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name))
}

/// Checks that the kept files are `files`; or writes them, when asked to.
fn compare(name: &str, files: &BTreeMap<String, Vec<u8>>) {
    if std::env::var_os("GESTA_GOLDEN").is_some_and(|wish| wish == "write") {
        put(&golden(name), files);
    }
    let kept = contents(&golden(name));
    assert_eq!(kept.keys().collect::<Vec<_>>(), files.keys().collect::<Vec<_>>());
    for (file, bytes) in files {
        let differs = bytes.iter().zip(&kept[file]).position(|(made, kept)| made != kept);
        assert_eq!((differs, bytes.len()), (None, kept[file].len()), "{name}/log/{file}");
    }
}

fn author() -> (Author, Vec<Commit>) {
    let mut author = Author::default();
    let mut commits = Vec::new();
    for n in 0..30_u8 {
        let wide = usize::from(n);
        let shape: Shape =
            (0..=n % 4).map(|part| ((n + part) % 5, wide * 13 + usize::from(part), (n + part) % 4)).collect();
        commits.push(author.commit(&shape));
    }
    (author, commits)
}

#[test]
fn a_small_log_has_the_bytes_it_always_had() {
    let (dir, (author, commits)) = (temporary(), author());
    let mut fixture = Fixture::new(&dir);
    for commit in &commits {
        fixture.writer.append(commit);
    }
    fixture.flush();
    fixture.flusher.close().expect("close");
    let files = contents(&dir);
    assert!(files.len() >= 4 && files.values().map(Vec::len).sum::<usize>() < 60_000);
    compare("log-v1", &files);

    let scratch = temporary();
    put(&scratch, &contents(&golden("log-v1")));
    let fixture = Fixture::open(&scratch, small()).expect("open");
    assert!(fixture.recovered.opened_clean);
    fixture.check(&author);
}

/// The frame with the payload of its event `ordinal` erased, and the frame after it chained to what it has become.
fn erase_in_frame(frame: &[u8], ordinal: usize, previous: u32) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut header = verify_frame(frame, |_, entry| {
        entries.push(entry.to_vec());
        Ok(())
    })
    .expect("good frame");
    if let Some(entry) = entries.get_mut(ordinal) {
        *entry = erase(entry).expect("erase");
    }
    let (mut content, mut crcs) = (vec![0; 64], Vec::new());
    for entry in &mut entries {
        let at = u32::try_from(content.len()).expect("small");
        entry[8..12].copy_from_slice(&at.to_le_bytes());
        let crc = crc32c(&entry[8..]).to_le_bytes();
        entry[4..8].copy_from_slice(&crc);
        crcs.extend_from_slice(&crc);
        content.extend_from_slice(entry);
    }
    header.length = u32::try_from(content.len()).expect("small");
    header.entries_crc = crc32c(&crcs);
    header.previous = previous;
    content[..64].copy_from_slice(&header.encode());
    content.resize(content.len().next_multiple_of(8), 0);
    content
}

#[test]
fn erased_events_are_read_with_their_hashes() {
    let (dir, mut author) = (temporary(), Author::default());
    let mut fixture = Fixture::new(&dir);
    let shapes: [Shape; 3] = [vec![(0, 100, 2)], vec![(1, 50, 1), (0, 90, 3), (2, 20, 0)], vec![(0, 10, 0)]];
    shapes.iter().for_each(|shape| fixture.write(&mut author, shape));
    let mut bytes = contents(&dir)["00000000000000000000.seg"][..4096].to_vec();
    let mut previous = SegmentHeader::decode(&bytes).expect("header").previous;
    for (frame, erased) in fixture.log.frames(Position(0), author.head()).zip([0, 1, usize::MAX]) {
        let frame = erase_in_frame(frame.expect("frame").bytes(), erased, previous);
        previous = FrameHeader::decode(&frame).expect("header").crc;
        bytes.extend_from_slice(&frame);
    }
    compare("log-v1-erased", &BTreeMap::from([("00000000000000000000.seg".to_owned(), bytes)]));

    let scratch = temporary();
    put(&scratch, &contents(&golden("log-v1-erased")));
    let fixture = Fixture::open(&scratch, small()).expect("open");
    assert_eq!((fixture.recovered.head, &fixture.recovered.cut), (author.head(), &None));
    for (written, leaf) in author.recorded.iter().zip(&author.leaves) {
        let event = fixture.log.event(written.position).expect("event");
        assert_eq!(event.leaf(), *leaf, "position {}", written.position);
        let erased = [0, 2].contains(&written.position.0);
        assert_eq!((event.erased(), event.salt().is_none()), (erased, erased));
        let mut expected = written.clone();
        if erased {
            (expected.data, expected.metadata, expected.erased) = (Bytes::new(), Bytes::new(), true);
        }
        assert_eq!(event.to_recorded(), expected);
        assert!(Entry::decode(event.bytes()).is_ok());
    }
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The vectors of `docs/formats/log.md`, which were computed by another program.
#[test]
fn hashes_are_those_of_the_format_document() {
    let salt = std::array::from_fn(|at| at as u8);
    let (data, metadata) = (leaf::commit_to_data(&salt, b"{\"n\":1}"), leaf::commit_to_metadata(&salt, b"{}"));
    let leaf = |revision, previous: &Hash, tags: &[u8]| {
        leaf::leaf_hash(&LeafHeader {
            id: Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff),
            revision: Revision(revision),
            recorded_at: Timestamp(1_700_000_000_000_000_000),
            stream: "order-17",
            event_type: "OrderPlaced",
            content_type: "application/json",
            tags,
            data: &data,
            metadata: &metadata,
            previous,
        })
    };
    let first = leaf(0, &[0; 32], b"");
    let second = leaf(1, &first, b"\x0b\0/accounts/7\x03\0vip");
    let document = include_str!("../../../../../docs/formats/log.md");
    let vectors = [
        ("data commitment", data),
        ("metadata commitment", metadata),
        ("empty data commitment", leaf::commit_to_data(&[0; 16], b"")),
        ("empty metadata commitment", leaf::commit_to_metadata(&[0; 16], b"")),
        ("leaf at revision 0", first),
        ("leaf at revision 1", second),
        ("digest", {
            use sha2::Digest as _;
            sha2::Sha256::new_with_prefix([4]).chain_update(first).chain_update(second).finalize().into()
        }),
    ];
    for (name, hash) in vectors {
        let line = format!("| {name} | `{}` |", hex(&hash));
        assert!(document.contains(&line), "docs/formats/log.md must have {line}");
    }
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}

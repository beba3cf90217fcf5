//! What a crash leaves, what a fault does, what a full disk refuses.

use std::collections::BTreeSet;

use super::*;

const SEEDS: u64 = 400;

fn create(disk: &MemoryDisk, path: &str, bytes: &[u8]) -> Arc<dyn DiskFile> {
    let file = disk.open(Path::new(path), OpenMode::CreateNew).expect("create");
    file.write_at(bytes, 0).expect("write");
    file
}

/// A file that is durable in every respect.
fn settled(disk: &MemoryDisk, path: &str, bytes: &[u8]) -> Arc<dyn DiskFile> {
    let file = create(disk, path, bytes);
    file.sync().expect("sync");
    disk.sync_dir(Path::new(path).parent().expect("parent")).expect("sync directory");
    file
}

fn content(disk: &MemoryDisk, path: &str) -> Option<Vec<u8>> {
    disk.snapshot().remove(Path::new(path))
}

/// What the file may hold after a crash, over many seeds.
fn outcomes(disk: &MemoryDisk, path: &str) -> BTreeSet<Option<Vec<u8>>> {
    (0..SEEDS).map(|seed| content(&disk.crash(seed), path)).collect()
}

fn some(texts: &[&[u8]]) -> BTreeSet<Option<Vec<u8>>> {
    texts.iter().map(|text| Some(text.to_vec())).collect()
}

fn aligned(bytes: &[u8]) -> AlignedBuffer {
    let mut buffer = AlignedBuffer::default();
    buffer.extend_from_slice(bytes);
    buffer
}

#[test]
fn what_was_synced_survives_every_crash() {
    let disk = MemoryDisk::new();
    settled(&disk, "a", b"durable");
    assert_eq!(outcomes(&disk, "a"), some(&[b"durable"]));
    assert_eq!(disk.crash_losing_all().snapshot(), disk.snapshot());
}

#[test]
fn an_unsynced_write_leaves_each_byte_old_or_new() {
    let disk = MemoryDisk::new();
    let old = vec![b'o'; 2000];
    let file = settled(&disk, "a", &old);
    file.write_at(&[b'n'; 1500], 300).expect("write");
    let outcomes = outcomes(&disk, "a");
    for outcome in &outcomes {
        let bytes = outcome.as_ref().expect("the name is durable");
        assert_eq!(bytes.len(), 2000);
        assert!(bytes[..300].iter().chain(&bytes[1800..]).all(|byte| *byte == b'o'), "outside of the write");
        assert!(bytes.iter().all(|byte| b"on".contains(byte)));
    }
    assert!(outcomes.contains(&Some(old)), "all lost");
    assert!(outcomes.iter().flatten().any(|bytes| bytes[300..1800].iter().all(|byte| *byte == b'n')), "all kept");
    assert!(
        outcomes.iter().flatten().any(|bytes| bytes[300] == b'o' && bytes[1799] == b'n'),
        "the end without the start"
    );
    assert!(
        outcomes.iter().flatten().any(|bytes| bytes[300] == b'n' && bytes[1799] == b'o'),
        "the start without the end"
    );
}

#[test]
fn an_unsynced_growth_may_leave_zeros() {
    let disk = MemoryDisk::new();
    let file = settled(&disk, "a", b"");
    file.write_at(b"new", 0).expect("write");
    let outcomes = outcomes(&disk, "a");
    for expected in [&b""[..], b"new", b"\0\0\0", b"n"] {
        assert!(outcomes.contains(&Some(expected.to_vec())), "{expected:?} is missing from {outcomes:?}");
    }
}

#[test]
fn unsynced_writes_are_kept_or_lost_independently() {
    let disk = MemoryDisk::new();
    let file = settled(&disk, "a", b"....");
    file.write_at(b"1", 0).expect("write");
    file.write_at(b"2", 2).expect("write");
    assert_eq!(outcomes(&disk, "a"), some(&[b"....", b"1...", b"..2.", b"1.2."]));
}

#[test]
fn a_durable_write_keeps_itself_and_nothing_else() {
    let disk = MemoryDisk::new();
    let file = settled(&disk, "a", b"....");
    file.write_at(b"1", 0).expect("write");
    file.write_durable(&aligned(b"2"), 2).expect("durable write");
    assert_eq!(outcomes(&disk, "a"), some(&[b"..2.", b"1.2."]));
}

#[test]
fn a_durable_write_wins_over_older_unsynced_ones() {
    let disk = MemoryDisk::new();
    let file = settled(&disk, "a", b"....");
    file.write_at(b"xx", 0).expect("write");
    file.write_at(b"yyy", 1).expect("write");
    file.write_durable(&aligned(b"DD"), 1).expect("durable write");
    assert_eq!(outcomes(&disk, "a"), some(&[b".DD.", b"xDD.", b".DDy", b"xDDy"]));
}

#[test]
fn a_durable_write_keeps_the_length_it_needs() {
    let disk = MemoryDisk::new();
    let file = settled(&disk, "a", b"abcd");
    file.set_len(0).expect("cut");
    file.write_durable(&aligned(b"X"), 1).expect("durable write");
    for outcome in outcomes(&disk, "a").into_iter().flatten() {
        assert_eq!(outcome[1], b'X', "{outcome:?}");
    }
    let grown = settled(&disk, "b", b"");
    grown.write_durable(&aligned(b"X"), 2).expect("durable write");
    assert_eq!(outcomes(&disk, "b"), some(&[b"\0\0X"]));
}

#[test]
fn unsynced_lengths_may_be_lost() {
    let disk = MemoryDisk::new();
    let file = settled(&disk, "a", b"abcd");
    file.set_len(2).expect("cut");
    assert_eq!(outcomes(&disk, "a"), some(&[b"abcd", b"ab"]));
    file.sync().expect("sync");
    file.set_len(4).expect("grow");
    assert_eq!(outcomes(&disk, "a"), some(&[b"ab", b"ab\0\0"]));
}

#[test]
fn a_cut_that_was_synced_ends_older_writes() {
    let disk = MemoryDisk::new();
    let file = settled(&disk, "a", b"ab");
    disk.fail_after(1, Fault::once(io::ErrorKind::Other));
    file.write_at(b"lost", 2).expect("write");
    file.sync().expect_err("sync fails");
    file.set_len(3).expect("cut");
    file.sync().expect("sync");
    for outcome in outcomes(&disk, "a").into_iter().flatten() {
        assert!(outcome == b"ab\0" || outcome == b"abl", "{outcome:?}");
    }
}

#[test]
fn names_are_durable_with_their_directory_only() {
    let disk = MemoryDisk::new();
    let file = create(&disk, "a", b"x");
    file.sync().expect("sync");
    assert_eq!(outcomes(&disk, "a"), BTreeSet::from([None, Some(b"x".to_vec())]));
    disk.sync_dir(Path::new("")).expect("sync directory");
    assert_eq!(outcomes(&disk, "a"), some(&[b"x"]));
    disk.remove(Path::new("a")).expect("remove");
    assert_eq!(outcomes(&disk, "a"), BTreeSet::from([None, Some(b"x".to_vec())]));
    disk.sync_dir(Path::new("")).expect("sync directory");
    assert_eq!(outcomes(&disk, "a"), BTreeSet::from([None]));
}

#[test]
fn syncing_one_directory_says_nothing_of_another() {
    let disk = MemoryDisk::new();
    for dir in ["d", "e"] {
        disk.create_dir(Path::new(dir)).expect("create directory");
        create(&disk, &format!("{dir}/a"), b"x").sync().expect("sync");
    }
    disk.sync_dir(Path::new("d")).expect("sync directory");
    assert_eq!(outcomes(&disk, "d/a"), some(&[b"x"]));
    assert_eq!(outcomes(&disk, "e/a").len(), 2);
    assert!(disk.crash_losing_all().exists(Path::new("e")).expect("exists"), "directories are durable at once");
}

#[test]
fn a_rename_shows_the_old_or_the_new_state() {
    let disk = MemoryDisk::new();
    settled(&disk, "manifest", b"old");
    settled(&disk, "manifest.new", b"new");
    disk.rename(Path::new("manifest.new"), Path::new("manifest")).expect("rename");
    let states: BTreeSet<_> = (0..SEEDS).map(|seed| disk.crash(seed).snapshot()).collect();
    let state = |files: &[(&str, &[u8])]| files.iter().map(|(name, text)| (name.into(), text.to_vec())).collect();
    let before = state(&[("manifest", b"old"), ("manifest.new", b"new")]);
    let after = state(&[("manifest", b"new")]);
    assert_eq!(states, BTreeSet::from([before, after]));
}

#[test]
fn a_file_never_has_two_names_after_a_crash() {
    let disk = MemoryDisk::new();
    settled(&disk, "a", b"x");
    for (from, to) in [("a", "b"), ("b", "c"), ("c", "d")] {
        disk.rename(Path::new(from), Path::new(to)).expect("rename");
    }
    let names: BTreeSet<_> = (0..SEEDS).map(|seed| disk.crash(seed).list(Path::new("")).expect("list")).collect();
    assert_eq!(names, ["a", "b", "c", "d"].map(|name| vec![name.to_owned()]).into());
}

#[test]
fn a_renamed_new_file_may_be_empty_unless_it_was_synced() {
    let disk = MemoryDisk::new();
    create(&disk, "new", b"content");
    disk.rename(Path::new("new"), Path::new("file")).expect("rename");
    disk.sync_dir(Path::new("")).expect("sync directory");
    assert!(outcomes(&disk, "file").contains(&Some(Vec::new())));
}

#[test]
fn crashes_are_decided_by_their_seed_and_leave_the_disk_alone() {
    let disk = MemoryDisk::new();
    settled(&disk, "a", &[0; 3000]).write_at(&[1; 3000], 0).expect("write");
    let before = disk.snapshot();
    for seed in 0..20 {
        assert_eq!(disk.crash(seed).snapshot(), disk.crash(seed).snapshot());
    }
    assert_eq!(disk.snapshot(), before);
}

#[test]
fn what_a_crash_left_is_durable() {
    let disk = MemoryDisk::new();
    create(&disk, "a", &[1; 3000]);
    for seed in 0..20 {
        let after = disk.crash(seed);
        assert_eq!(after.crash_losing_all().snapshot(), after.snapshot());
    }
}

#[test]
fn a_killed_process_loses_nothing_and_syncs_nothing() {
    let disk = MemoryDisk::new();
    let _lock = disk.lock(Path::new("LOCK")).expect("lock");
    let file = settled(&disk, "a", b"old");
    file.write_at(b"new", 0).expect("write");
    let next = disk.kill();
    file.write_at(b"???", 0).expect("the dead process writes to its own world");
    assert_eq!(content(&next, "a").expect("there"), b"new");
    assert_eq!(content(&next.crash_losing_all(), "a").expect("there"), b"old");
    drop(next.lock(Path::new("LOCK")).expect("locks die with their process"));
}

#[test]
fn the_operation_after_those_that_pass_fails_once() {
    let disk = MemoryDisk::new();
    let file = create(&disk, "a", b"a");
    disk.fail_after(1, Fault::once(io::ErrorKind::StorageFull));
    file.write_at(b"b", 0).expect("passes");
    file.read_at(&mut [0], 0).expect("reads are not counted");
    assert_eq!(file.write_at(b"c", 0).expect_err("strikes").kind(), io::ErrorKind::StorageFull);
    file.write_at(b"d", 1).expect("over");
    assert_eq!(content(&disk, "a").expect("there"), b"bd");
}

#[test]
fn a_lasting_fault_fails_everything_until_healed() {
    let disk = MemoryDisk::new();
    let file = create(&disk, "a", b"a");
    disk.fail_after(0, Fault::forever(io::ErrorKind::Other).of_everything());
    for _ in 0..3 {
        file.read_at(&mut [0], 0).expect_err("read");
        file.write_at(b"b", 0).expect_err("write");
        disk.create_dir(Path::new("d")).expect_err("create directory");
        disk.lock(Path::new("LOCK")).expect_err("lock");
    }
    disk.heal();
    file.read_at(&mut [0], 0).expect("healed");
    assert_eq!(disk.list(Path::new("")).expect("list"), ["a"]);
}

#[test]
fn every_changing_operation_can_be_struck() {
    let run = |disk: &MemoryDisk| -> io::Result<()> {
        disk.create_dir(Path::new("d"))?;
        let file = disk.open(Path::new("d/a"), OpenMode::CreateNew)?;
        file.write_at(b"a", 0)?;
        file.write_durable(&aligned(b"b"), 1)?;
        file.set_len(9)?;
        file.sync()?;
        disk.rename(Path::new("d/a"), Path::new("d/b"))?;
        disk.sync_dir(Path::new("d"))?;
        disk.remove(Path::new("d/b"))
    };
    let whole = MemoryDisk::new();
    run(&whole).expect("without a fault");
    assert_eq!(whole.operations().changes(), 9);
    for passing in 0..9 {
        let disk = MemoryDisk::new();
        disk.fail_after(passing, Fault::once(io::ErrorKind::Other));
        run(&disk).expect_err("struck");
        assert_eq!(disk.operations().changes(), passing + 1);
    }
}

#[test]
fn a_failing_write_may_be_done_in_part_but_not_durably() {
    for (done, left) in [(Done::Nothing, &b"...."[..]), (Done::Half, b"ab.."), (Done::Everything, b"abcd")] {
        let disk = MemoryDisk::new();
        let file = settled(&disk, "a", b"....");
        disk.fail_after(0, Fault::once(io::ErrorKind::Other).leaving(done));
        file.write_durable(&aligned(b"abcd"), 0).expect_err("struck");
        assert_eq!(content(&disk, "a").expect("there"), left);
        assert_eq!(content(&disk.crash_losing_all(), "a").expect("there"), b"....");
    }
}

/// Linux marks pages clean when writing them back fails: the next sync reports success and has done nothing.
#[test]
fn a_retried_sync_succeeds_and_keeps_nothing() {
    let disk = MemoryDisk::new();
    let file = settled(&disk, "a", b"old");
    file.write_at(b"new", 0).expect("write");
    disk.fail_after(0, Fault::once(io::ErrorKind::Other));
    file.sync().expect_err("struck");
    file.sync().expect("looks fine");
    assert_eq!(content(&disk, "a").expect("there"), b"new");
    assert_eq!(content(&disk.crash_losing_all(), "a").expect("there"), b"old");
    file.write_at(b"new", 0).expect("writing again");
    file.sync().expect("and syncing that");
    assert_eq!(content(&disk.crash_losing_all(), "a").expect("there"), b"new");
}

#[test]
fn a_full_disk_refuses_growth_and_takes_space_back() {
    let disk = MemoryDisk::new();
    let block = BLOCK_BYTES;
    disk.set_capacity(Some(3 * block));
    let file = create(&disk, "a", &[1; 2 * BLOCK_BYTES as usize]);
    file.set_len(100 * block).expect("a length takes no space");
    assert_eq!(disk.available_bytes().expect("available"), Some(block));
    let error = file.write_at(&[2; 2 * BLOCK_BYTES as usize], 2 * block).expect_err("full");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.available_bytes().expect("available"), Some(0), "what fitted was written");
    file.write_at(&[3; 10], 0).expect("space that is taken may be written again");
    assert_eq!(file.write_durable(&aligned(b"x"), 4 * block).expect_err("full").kind(), io::ErrorKind::StorageFull);
    file.set_len(block).expect("cut");
    assert_eq!(disk.available_bytes().expect("available"), Some(2 * block));
    create(&disk, "b", &[1; 2 * BLOCK_BYTES as usize]);
    disk.remove(Path::new("b")).expect("remove");
    assert_eq!(disk.available_bytes().expect("available"), Some(2 * block));
    disk.set_capacity(None);
    assert_eq!(disk.available_bytes().expect("available"), None);
}

const BLOCK_BYTES: u64 = crate::disk::BLOCK as u64;

#[test]
fn flipped_bits_are_durable() {
    let disk = MemoryDisk::new();
    settled(&disk, "a", b"abc");
    disk.corrupt("a", 1, 1).expect("corrupt");
    assert_eq!(outcomes(&disk, "a"), some(&[b"acc"]));
    assert_eq!(disk.corrupt("a", 3, 1).expect_err("too short").kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(disk.corrupt("b", 0, 1).expect_err("missing").kind(), io::ErrorKind::NotFound);
}

#[test]
fn clones_share_a_tree_and_its_locks() {
    let disk = MemoryDisk::new();
    let twin = disk.clone();
    let lock = disk.lock(Path::new("LOCK")).expect("lock");
    assert_eq!(twin.lock(Path::new("LOCK")).expect_err("held").kind(), io::ErrorKind::WouldBlock);
    drop(lock);
    drop(twin.lock(Path::new("LOCK")).expect("free"));
    create(&twin, "a", b"x");
    assert!(disk.exists(Path::new("a")).expect("exists"));
}

/// Random histories against the rule itself: after a crash every byte of a file holds a value that was there at its last sync or
/// later, and every byte written durably since is what it was.
#[test]
fn every_byte_is_one_that_was_written_since_it_was_synced() {
    for seed in 0..300 {
        let mut random = ChaCha12Rng::seed_from_u64(seed);
        let disk = MemoryDisk::new();
        let file = settled(&disk, "a", &[0; 64]);
        let mut possible: Vec<BTreeSet<u8>> = vec![BTreeSet::from([0]); 64];
        for value in 1..40_u8 {
            let from = random.random_range(0..64_usize);
            let to = random.random_range(from..=64);
            let bytes = vec![value; to - from];
            match random.random_range(0..5) {
                0 => {
                    file.sync().expect("sync");
                    let now = content(&disk, "a").expect("there");
                    possible = now.into_iter().map(|byte| BTreeSet::from([byte])).collect();
                }
                1 => {
                    file.write_durable(&aligned(&bytes), from as u64).expect("durable write");
                    possible[from..to].fill(BTreeSet::from([value]));
                }
                _ => {
                    file.write_at(&bytes, from as u64).expect("write");
                    for byte in &mut possible[from..to] {
                        byte.insert(value);
                    }
                }
            }
        }
        for crash in 0..20 {
            let left = content(&disk.crash(crash), "a").expect("there");
            assert_eq!(left.len(), 64);
            for (at, (byte, possible)) in left.iter().zip(&possible).enumerate() {
                assert!(possible.contains(byte), "seed={seed} crash={crash} at={at} byte={byte} possible={possible:?}");
            }
        }
    }
}

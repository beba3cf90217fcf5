//! What every disk must do, run against every disk.

use std::{io, path::Path, sync::Arc};

use super::{AlignedBuffer, BLOCK, Disk, DiskFile, FileDisk, OpenMode, memory::MemoryDisk};

/// A disk, and what must live as long as it.
type Subject = (Arc<dyn Disk>, Option<tempfile::TempDir>);

fn real() -> Subject {
    let dir = tempfile::tempdir().expect("temporary directory");
    (Arc::new(FileDisk::new(dir.path())), Some(dir))
}

fn memory() -> Subject {
    (Arc::new(MemoryDisk::new()), None)
}

/// Runs each case on a fresh disk of each kind.
macro_rules! contract {
    ($($case:ident),* $(,)?) => {
        mod on_files { $(#[test] fn $case() { super::$case(&*super::real().0); })* }
        mod in_memory { $(#[test] fn $case() { super::$case(&*super::memory().0); })* }
    };
}

contract!(
    writes_are_read_back,
    a_write_may_leave_a_hole_of_zeros,
    reading_past_the_end_fails,
    lengths_grow_with_zeros_and_cut,
    durable_writes_of_any_shape_are_read_back,
    a_file_is_followed_through_renames,
    a_renamed_file_takes_durable_writes_though_its_old_name_is_taken,
    renames_replace,
    renames_across_directories_are_refused,
    removed_files_stay_readable_while_open,
    creating_needs_a_free_name_in_a_directory,
    opening_needs_a_file,
    reading_handles_do_not_write,
    directories_nest_and_may_exist,
    a_file_is_no_directory,
    lists_are_sorted_and_hold_only_files,
    maps_hold_the_content,
    locks_exclude,
    syncing_a_missing_directory_fails,
);

fn create(disk: &dyn Disk, path: &str, bytes: &[u8]) -> Arc<dyn DiskFile> {
    let file = disk.open(Path::new(path), OpenMode::CreateNew).expect("create");
    file.write_at(bytes, 0).expect("write");
    file
}

fn open(disk: &dyn Disk, path: &str, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
    disk.open(Path::new(path), mode)
}

fn all(file: &dyn DiskFile) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.len().expect("length")).expect("small")];
    file.read_at(&mut bytes, 0).expect("read");
    bytes
}

fn content(disk: &dyn Disk, path: &str) -> Vec<u8> {
    all(&*open(disk, path, OpenMode::Read).expect("open"))
}

fn aligned(bytes: &[u8]) -> AlignedBuffer {
    let mut buffer = AlignedBuffer::default();
    buffer.extend_from_slice(bytes);
    buffer
}

fn kind<T>(result: io::Result<T>) -> io::ErrorKind {
    result.err().expect("must fail").kind()
}

fn writes_are_read_back(disk: &dyn Disk) {
    let file = create(disk, "a", b"hello world");
    file.write_at(b"W", 6).expect("overwrite");
    file.sync().expect("sync");
    let mut middle = [0; 5];
    file.read_at(&mut middle, 6).expect("read");
    assert_eq!(&middle, b"World");
    assert_eq!(content(disk, "a"), b"hello World");
}

fn a_write_may_leave_a_hole_of_zeros(disk: &dyn Disk) {
    let file = create(disk, "a", b"ab");
    file.write_at(b"z", 4).expect("write");
    assert_eq!(content(disk, "a"), b"ab\0\0z");
}

fn reading_past_the_end_fails(disk: &dyn Disk) {
    let file = create(disk, "a", b"abc");
    for (offset, length) in [(0, 4), (3, 1), (9, 1), (1 << 40, 1)] {
        assert_eq!(kind(file.read_at(&mut vec![0; length], offset)), io::ErrorKind::UnexpectedEof, "offset={offset}");
    }
    file.read_at(&mut [], 3).expect("nothing at the end");
}

fn lengths_grow_with_zeros_and_cut(disk: &dyn Disk) {
    let file = create(disk, "a", b"abcdef");
    file.set_len(2).expect("cut");
    file.set_len(4).expect("grow");
    assert_eq!((file.len().expect("length"), all(&*file)), (4, b"ab\0\0".to_vec()));
}

fn durable_writes_of_any_shape_are_read_back(disk: &dyn Disk) {
    assert_eq!(disk.durable_write(), None);
    let file = create(disk, "a", &[]);
    let block = vec![7; BLOCK];
    file.write_durable(&aligned(&block), 0).expect("aligned");
    file.write_durable(&aligned(&block), BLOCK as u64).expect("aligned, growing");
    file.write_durable(&aligned(b"odd"), 5).expect("unaligned");
    file.write_durable(&aligned(&[]), 0).expect("empty");
    let mut expected = vec![7; 2 * BLOCK];
    expected[5..8].copy_from_slice(b"odd");
    assert_eq!(all(&*file), expected);
    assert!(disk.durable_write().is_some());
}

fn a_file_is_followed_through_renames(disk: &dyn Disk) {
    let file = create(disk, "spare", b"zeros");
    disk.rename(Path::new("spare"), Path::new("0.seg")).expect("rename");
    file.write_at(b"F", 0).expect("write");
    assert_eq!(content(disk, "0.seg"), b"Feros");
    assert!(!disk.exists(Path::new("spare")).expect("exists"));
}

/// The descriptor for direct writes is opened late. It used to be opened by the name the file was opened under; once a spare segment
/// had become a segment and the next spare had been made, commits went into the spare.
fn a_renamed_file_takes_durable_writes_though_its_old_name_is_taken(disk: &dyn Disk) {
    let file = create(disk, "spare", &[0; BLOCK]);
    disk.rename(Path::new("spare"), Path::new("0.seg")).expect("rename");
    create(disk, "spare", &[0; BLOCK]);
    file.write_durable(&aligned(&[1; BLOCK]), 0).expect("write");
    assert_eq!(content(disk, "0.seg"), [1; BLOCK]);
    assert_eq!(content(disk, "spare"), [0; BLOCK]);
}

fn renames_replace(disk: &dyn Disk) {
    create(disk, "old", b"old");
    create(disk, "new", b"new");
    disk.rename(Path::new("new"), Path::new("old")).expect("rename");
    disk.sync_dir(Path::new("")).expect("sync directory");
    assert_eq!(content(disk, "old"), b"new");
    assert_eq!(disk.list(Path::new("")).expect("list"), ["old"]);
    assert_eq!(kind(disk.rename(Path::new("gone"), Path::new("x"))), io::ErrorKind::NotFound);
}

fn renames_across_directories_are_refused(disk: &dyn Disk) {
    disk.create_dir(Path::new("d")).expect("create directory");
    create(disk, "a", b"a");
    assert_eq!(kind(disk.rename(Path::new("a"), Path::new("d/a"))), io::ErrorKind::InvalidInput);
}

fn removed_files_stay_readable_while_open(disk: &dyn Disk) {
    let file = create(disk, "a", b"still here");
    disk.remove(Path::new("a")).expect("remove");
    assert_eq!(all(&*file), b"still here");
    assert_eq!(kind(open(disk, "a", OpenMode::Read)), io::ErrorKind::NotFound);
    assert_eq!(kind(disk.remove(Path::new("a"))), io::ErrorKind::NotFound);
}

fn creating_needs_a_free_name_in_a_directory(disk: &dyn Disk) {
    create(disk, "a", b"a");
    assert_eq!(kind(open(disk, "a", OpenMode::CreateNew)), io::ErrorKind::AlreadyExists);
    assert_eq!(kind(open(disk, "none/a", OpenMode::CreateNew)), io::ErrorKind::NotFound);
    assert_eq!(content(disk, "a"), b"a");
}

fn opening_needs_a_file(disk: &dyn Disk) {
    disk.create_dir(Path::new("d")).expect("create directory");
    for mode in [OpenMode::Read, OpenMode::Write] {
        assert_eq!(kind(open(disk, "a", mode)), io::ErrorKind::NotFound);
        assert_eq!(kind(open(disk, "d", mode)), io::ErrorKind::IsADirectory);
    }
}

fn reading_handles_do_not_write(disk: &dyn Disk) {
    create(disk, "a", b"a");
    let file = open(disk, "a", OpenMode::Read).expect("open");
    assert!(file.write_at(b"b", 0).is_err());
    assert!(file.write_durable(&aligned(b"b"), 0).is_err());
    assert!(file.write_durable(&aligned(&[1; BLOCK]), 0).is_err());
    assert!(file.set_len(0).is_err());
    assert_eq!(content(disk, "a"), b"a");
}

fn directories_nest_and_may_exist(disk: &dyn Disk) {
    for _ in 0..2 {
        disk.create_dir(Path::new("")).expect("the root");
        disk.create_dir(Path::new("index/runs")).expect("nested");
    }
    create(disk, "index/runs/1", b"x");
    disk.sync_dir(Path::new("index/runs")).expect("sync directory");
    assert!(disk.exists(Path::new("index")).expect("exists"));
    assert!(disk.exists(Path::new("index/runs/1")).expect("exists"));
    assert!(!disk.exists(Path::new("index/runs/2")).expect("exists"));
}

fn a_file_is_no_directory(disk: &dyn Disk) {
    create(disk, "a", b"a");
    assert_eq!(kind(disk.create_dir(Path::new("a"))), io::ErrorKind::NotADirectory);
    assert_eq!(kind(disk.create_dir(Path::new("a/b"))), io::ErrorKind::NotADirectory);
}

fn lists_are_sorted_and_hold_only_files(disk: &dyn Disk) {
    disk.create_dir(Path::new("log/deeper")).expect("create directory");
    for name in ["log/b", "log/a", "log/deeper/x", "c"] {
        create(disk, name, b"");
    }
    assert_eq!(disk.list(Path::new("log")).expect("list"), ["a", "b"]);
    assert_eq!(disk.list(Path::new("")).expect("list"), ["c"]);
    assert!(disk.list(Path::new("none")).expect("a missing directory is empty").is_empty());
}

fn maps_hold_the_content(disk: &dyn Disk) {
    let map = create(disk, "a", b"sealed").map().expect("map");
    disk.remove(Path::new("a")).expect("remove");
    assert_eq!(&map[..], b"sealed");
    assert!(create(disk, "b", b"").map().expect("map").is_empty());
}

fn locks_exclude(disk: &dyn Disk) {
    let lock = disk.lock(Path::new("LOCK")).expect("free");
    assert_eq!(kind(disk.lock(Path::new("LOCK"))), io::ErrorKind::WouldBlock);
    drop(lock);
    drop(disk.lock(Path::new("LOCK")).expect("free again"));
    assert!(disk.exists(Path::new("LOCK")).expect("exists"));
    assert_eq!(kind(disk.lock(Path::new("none/LOCK"))), io::ErrorKind::NotFound);
}

fn syncing_a_missing_directory_fails(disk: &dyn Disk) {
    assert_eq!(kind(disk.sync_dir(Path::new("none"))), io::ErrorKind::NotFound);
}

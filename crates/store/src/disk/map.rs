//! Maps of sealed files.
//!
//! The one place of this crate that needs `unsafe`: a map of a file is only sound while nobody cuts the file. The store maps
//! nothing but files it has sealed (segments with a footer, index runs), never writes or cuts a file after it was mapped
//! (retention replaces files by rename, and the old inode lives as long as its map), and holds the directory's lock, so that no other
//! Gesta process does. Somebody else who truncates a sealed file under a running store ends the process with SIGBUS: stated in
//! `docs/operations.md`. Guarded by `maps_outlive_rename_and_removal` below.

use std::{fs::File, io};

use bytes::Bytes;
use memmap2::Mmap;

/// The content of `file`, mapped.
#[allow(unsafe_code)]
pub(super) fn map(file: &File) -> io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: only sealed files are mapped; see the module's words.
    let map = unsafe { Mmap::map(file)? };
    Ok(Bytes::from_owner(map))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Disk, FileDisk, OpenMode};

    #[test]
    fn maps_outlive_rename_and_removal() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let disk = FileDisk::new(dir.path());
        let write = |name: &str, bytes: &[u8]| {
            let file = disk.open(Path::new(name), OpenMode::CreateNew).expect("create");
            file.write_at(bytes, 0).expect("write");
            file
        };
        let old = write("old", b"sealed").map().expect("map");
        write("new", b"rewritten");
        disk.rename(Path::new("new"), Path::new("old")).expect("rename");
        assert_eq!(&old[..], b"sealed");
        disk.remove(Path::new("old")).expect("remove");
        assert_eq!(&old[..], b"sealed");
    }
}

//! A whole frame: when it verifies, its entries tile it, decode, and say where they are.

use gesta_store::log::decode::{Entry, FrameHeader, verify_frame};

use crate::repair::{both, put_crc};

/// Feeds verification of frames.
pub fn run(input: &[u8]) {
    both(input, repair, check);
}

/// Entries first, then what covers their checksums, then the header.
fn repair(input: &mut [u8]) -> Option<()> {
    let mut crcs = Vec::new();
    let mut at = 64;
    while let Some(length) = input.get(at..at + 4) {
        let length = usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?;
        if length < 60 || put_crc(input, at + 8..at.checked_add(length)?, at + 4).is_none() {
            break;
        }
        crcs.extend_from_slice(&input[at + 4..at + 8]);
        at += length;
    }
    input.get_mut(12..16)?.copy_from_slice(&crc_fast::crc32_iscsi(&crcs).to_le_bytes());
    input.get_mut(4..8)?.fill(0);
    put_crc(input, 0..64, 4)
}

fn check(input: &[u8]) {
    let mut next = 64;
    let mut entries = 0;
    let verified = verify_frame(input, |at, bytes| {
        assert_eq!(at, next, "entries must follow each other");
        next += u32::try_from(bytes.len()).expect("an entry is shorter than its frame");
        entries += 1;
        let entry = Entry::decode(bytes)?;
        assert_eq!(entry.frame_back, at);
        Ok(())
    });
    let Ok(header) = verified else { return };
    assert_eq!((entries, next), (header.events, header.length));
    assert_eq!(FrameHeader::decode(input), Ok(header));
}

//! One event in a frame: decoding reads nothing outside of it, and erasing its payload keeps its hash.

use gesta_store::{
    Timestamp,
    log::decode::{Entry, erase},
};

use crate::repair::{both, put_crc};

/// Feeds the decoder of entries.
pub fn run(input: &[u8]) {
    // Decoding trusts a checksum that was verified before; it must hold out without one all the same.
    let _ = Entry::decode(input);
    both(input, repair, check);
}

fn repair(input: &mut [u8]) -> Option<()> {
    let length = usize::try_from(u32::from_le_bytes(*input.first_chunk()?)).ok()?;
    (length >= 60).then(|| put_crc(input, 8..length, 4)).flatten()
}

fn check(input: &[u8]) {
    let Ok(bytes) = Entry::verify(input) else { return };
    assert!(bytes.len() <= input.len() && bytes.len() >= 60);
    let Ok(entry) = Entry::decode(bytes) else { return };
    let parts = entry.stream.len() + entry.event_type.len() + entry.data().len() + entry.metadata().len();
    assert!(parts <= bytes.len(), "parts={parts} bytes={}", bytes.len());

    let now = Timestamp(1);
    let erased = erase(bytes).expect("what decodes can be erased");
    let erased = Entry::verify(&erased).expect("an erased entry has a right checksum");
    let erased = Entry::decode(erased).expect("an erased entry decodes");
    assert_eq!(erased.leaf(now), entry.leaf(now), "erasing must keep the leaf hash");
    assert!(erased.erased() && erased.data().is_empty() && erased.metadata().is_empty());
}

//! The end of a sealed segment: a trailer that is accepted fits its file, and is written again as it was.

use gesta_store::log::decode::Trailer;

use crate::repair::{both, put_crc};

const BYTES: usize = 128;

/// Feeds the decoder of trailers, with the length of file the input itself claims.
pub fn run(input: &[u8]) {
    let repair = |input: &mut [u8]| {
        let start = input.len().checked_sub(BYTES)?;
        // The checksum stands before the eight magic bytes at the end.
        let place = start + BYTES - 12;
        put_crc(input, start..place, place)
    };
    both(input, repair, check);
}

fn check(input: &[u8]) {
    let Some(start) = input.len().checked_sub(BYTES) else {
        return assert!(Trailer::decode(input, input.len() as u64).is_err());
    };
    let number = |at: usize| u64::from_le_bytes(input[start + at..start + at + 8].try_into().expect("eight bytes"));
    let table = number(8) & 0xffff_ffff;
    let claimed = number(0).wrapping_add(table).wrapping_add(BYTES as u64);
    if let Ok(trailer) = Trailer::decode(input, claimed) {
        assert_eq!(trailer.file_bytes(), claimed);
        assert!(trailer.events() > 0);
        assert_eq!(Trailer::decode(&trailer.encode(), claimed), Ok(trailer));
        assert!(Trailer::decode(input, claimed ^ 1).is_err(), "a file of another length must not do");
    }
}

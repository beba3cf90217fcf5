//! The mark of a clean shutdown: what is accepted is written again as it was.

use gesta_store::log::decode::CleanMark;

use crate::repair::{both, put_crc};

/// Feeds the decoder of the mark.
pub fn run(input: &[u8]) {
    both(
        input,
        |input| put_crc(input, 0..44, 44),
        |input| {
            if let Ok(mark) = CleanMark::decode(input) {
                assert_eq!(CleanMark::decode(&mark.encode()), Ok(mark));
            }
        },
    );
}

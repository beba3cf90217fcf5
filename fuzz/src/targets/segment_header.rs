//! The first block of a segment: what is accepted is written again as it was, but for bytes the format leaves free.

use gesta_store::log::decode::SegmentHeader;

use crate::repair::{both, put_crc};

/// Feeds the decoder of segment headers.
pub fn run(input: &[u8]) {
    // Its checksum is in the last four bytes of its block.
    both(
        input,
        |input| put_crc(input, 0..4092, 4092),
        |input| {
            if let Ok(header) = SegmentHeader::decode(input) {
                assert_eq!(SegmentHeader::decode(&header.encode()), Ok(header));
            }
        },
    );
}

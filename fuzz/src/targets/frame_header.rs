//! The header of a frame: what is accepted keeps its promises about lengths and positions.

use gesta_store::log::decode::FrameHeader;

use crate::repair::{both, put_crc};

/// Feeds the decoder of frame headers.
pub fn run(input: &[u8]) {
    both(
        input,
        |input| {
            input.get_mut(4..8)?.fill(0);
            put_crc(input, 0..64, 4)
        },
        check,
    );
}

fn check(input: &[u8]) {
    let Ok(header) = FrameHeader::decode(input) else { return };
    assert!(header.events > 0 && header.end() > header.first, "{header:?}");
    assert!(header.padded() >= u64::from(header.length) && header.padded().is_multiple_of(8), "{header:?}");
    // The next bytes do not matter to a header.
    assert_eq!(FrameHeader::decode(&input[..64]), Ok(header));
}

//! The end of an index run: what is accepted is written again as it was.

use gesta_store::index::decode::Trailer;

use crate::repair::{both, put_crc};

/// Feeds the decoder of trailers.
pub fn run(input: &[u8]) {
    let repair = |input: &mut [u8]| {
        let place = input.len().checked_sub(4)?;
        put_crc(input, 0..place, place)
    };
    both(input, repair, |input| {
        let Ok(trailer) = Trailer::decode(input) else { return };
        assert_eq!(Trailer::decode(&trailer.encode()), Ok(trailer));
    });
}

//! The list of index runs: what is accepted is written again as it was, and takes no more memory than its bytes.

use gesta_store::index::decode::{encode_manifest, manifest};

use crate::{
    repair::{both, put_crc},
    sample::STORE,
};

/// Feeds the decoder of manifests.
pub fn run(input: &[u8]) {
    let repair = |input: &mut [u8]| {
        let place = input.len().checked_sub(4)?;
        put_crc(input, 0..place, place)
    };
    both(input, repair, check);
}

fn check(input: &[u8]) {
    let Ok(runs) = manifest(input, STORE) else { return };
    assert!(runs.len() * 16 <= input.len(), "runs={} bytes={}", runs.len(), input.len());
    assert_eq!(manifest(&encode_manifest(STORE, &runs), STORE).as_ref(), Ok(&runs));
}

//! Was this term never seen: binary fuse filters over term hashes, about 9 bits a term, wrong in 0.4 % of the absent ones.
//!
//! Held in memory so that a look-up of something new reads no file.

use xorf::{BinaryFuse8, BinaryFuse8Ref, DmaSerializable, Filter as _, FilterRef};

/// Bytes of a filter's parameters.
pub(super) const PARAMETERS_BYTES: usize = 20;

/// A filter over one stretch of a dictionary.
#[derive(Debug)]
pub(super) struct Filter {
    parameters: [u8; PARAMETERS_BYTES],
    fingerprints: Box<[u8]>,
}

impl Filter {
    /// Builds a filter. `None` in the case, less likely than a flipped bit, that no seed works: the dictionary is then asked.
    pub(super) fn build(mut hashes: Vec<u64>) -> Option<Self> {
        hashes.sort_unstable();
        hashes.dedup();
        let filter = BinaryFuse8::try_from(hashes).ok()?;
        let mut parameters = [0; PARAMETERS_BYTES];
        filter.dma_copy_descriptor_to(&mut parameters);
        Some(Self { parameters, fingerprints: filter.fingerprints })
    }

    /// Takes a filter as it was stored; `None` when its parameters do not belong to that many fingerprints.
    pub(super) fn load(parameters: [u8; PARAMETERS_BYTES], fingerprints: &[u8]) -> Option<Self> {
        let number =
            |at: usize| parameters[at..at + 4].iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        let (segment, mask, segments) = (number(8), number(12), number(16));
        let fits = segment.is_power_of_two()
            && mask == segment - 1
            && segments % segment == 0
            && segments + 2 * segment == fingerprints.len() as u64;
        fits.then(|| Self { parameters, fingerprints: fingerprints.into() })
    }

    /// Whether the hash may be among those the filter was built from; if not, it certainly is not.
    pub(super) fn may_contain(&self, hash: u64) -> bool {
        BinaryFuse8Ref::from_dma(&self.parameters, &self.fingerprints).contains(&hash)
    }

    pub(super) fn parameters(&self) -> &[u8; PARAMETERS_BYTES] {
        &self.parameters
    }

    pub(super) fn fingerprints(&self) -> &[u8] {
        &self.fingerprints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_of_every_small_size_contain_their_keys_and_survive_storage() {
        for size in (0..200).chain([1_000, 4_096, 30_000]) {
            let hashes: Vec<u64> = (0..size).map(|n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
            let built = Filter::build(hashes.clone()).expect("distinct hashes");
            let loaded = Filter::load(*built.parameters(), built.fingerprints()).expect("as stored");
            assert!(hashes.iter().all(|&hash| loaded.may_contain(hash)), "size {size}");
        }
    }

    #[test]
    fn parameters_that_would_reach_outside_are_refused() {
        let filter = Filter::build((0..1000).collect()).expect("distinct hashes");
        assert!(Filter::load(*filter.parameters(), &filter.fingerprints()[1..]).is_none());
    }
}

//! The blind mutations of the driver: what bytes on a disk or a wire suffer, and what tends to break parsers.
//!
//! Everything comes from one seeded generator; the same seed gives the same inputs on every machine.

/// Longest input that is made.
pub const INPUT_BYTES_MAX: usize = 4096;

/// SplitMix64: small, seedable, good enough to choose places and bytes.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of a seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 if there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = (bound as u64).max(1);
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// Numbers at the edges of what length and count fields hold.
const EDGES: [u64; 12] =
    [0, 1, 7, 8, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, u64::MAX];

/// Makes a new input of one of the corpus by one to eight changes.
pub fn mutated(random: &mut Random, corpus: &[Vec<u8>], tokens: &[&[u8]]) -> Vec<u8> {
    let mut input = corpus.get(random.below(corpus.len())).cloned().unwrap_or_default();
    for _ in 0..=random.below(8) {
        mutate(random, &mut input, corpus, tokens);
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

fn mutate(random: &mut Random, input: &mut Vec<u8>, corpus: &[Vec<u8>], tokens: &[&[u8]]) {
    let at = random.below(input.len());
    let end = at + random.below(input.len() - at + 1);
    match random.below(9) {
        0 if !input.is_empty() => input[at] ^= 1 << random.below(8),
        1 if !input.is_empty() => input[at] = random.byte(),
        2 => insert(input, at, &[random.byte()]),
        3 => drop(input.drain(at..end)),
        4 => {
            let copied = input[at..end].to_vec();
            let to = random.below(input.len() + 1);
            insert(input, to, &copied);
        }
        5 => input.truncate(at),
        6 => {
            let edge = EDGES[random.below(EDGES.len())].wrapping_add(random.below(3) as u64).wrapping_sub(1);
            overwrite(input, at, &edge.to_le_bytes()[..1 << random.below(4)]);
        }
        7 if !tokens.is_empty() => insert(input, at, tokens[random.below(tokens.len())]),
        _ => {
            // The head of this input and the tail of another.
            let other = corpus.get(random.below(corpus.len())).map_or(&[][..], Vec::as_slice);
            input.truncate(at);
            input.extend_from_slice(&other[random.below(other.len() + 1)..]);
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    input.splice(at..at, bytes.iter().copied());
}

fn overwrite(input: &mut [u8], at: usize, bytes: &[u8]) {
    for (slot, byte) in input[at..].iter_mut().zip(bytes) {
        *slot = *byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_inputs() {
        let inputs = |seed| {
            let mut random = Random::seeded(seed);
            let corpus = [b"one".to_vec(), Vec::new(), vec![0; INPUT_BYTES_MAX]];
            (0..1000).map(|_| mutated(&mut random, &corpus, &[b"/"])).collect::<Vec<_>>()
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
        assert!(inputs(7).iter().all(|input| input.len() <= INPUT_BYTES_MAX));
    }
}

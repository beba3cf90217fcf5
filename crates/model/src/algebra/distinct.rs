//! How many different values, about: [`Hll`] (`HyperLogLog`; Flajolet, Fusy, Gandouet, Meunier, 2007), in fixed space.
//!
//! The summary keeps the laws of a semilattice exactly; only the number read from it is approximate, and says so: [`Approx`].

use std::collections::BTreeMap;

use super::{Codec, Commutative, Idempotent, Monoid};

/// Bits of a hash that choose a register.
const INDEX_BITS: u32 = 12;
const REGISTERS: usize = 1 << INDEX_BITS;
/// Registers up to which a map of them is smaller than all of them.
const SPARSE_MAX: usize = REGISTERS / 16;

/// A number that is only about right.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Approx<T> {
    /// The estimate.
    pub value: T,
    /// The relative standard error: two times out of three the truth is within so much of the estimate.
    pub standard_error: f64,
}

/// The number of distinct values, within about 1.6 %, in at most 4 KiB.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hll(Registers);

/// Each register holds the most leading zeros, plus one, seen in the rest of a hash. Sparse up to `SPARSE_MAX`, dense above: which of the two
/// depends on the content alone, so equal content is equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Registers {
    Sparse(BTreeMap<u16, u8>),
    Dense(Box<[u8]>),
}

impl Hll {
    /// This value alone.
    pub fn of(value: impl AsRef<[u8]>) -> Self {
        let hash = hash(value.as_ref());
        let rest = (hash << INDEX_BITS) | (1 << (INDEX_BITS - 1)); // the bit bounds the zeros
        let rank = u8::try_from(rest.leading_zeros() + 1).expect("a 64-bit word has at most 64 leading zeros");
        let index = u16::try_from(hash >> (64 - INDEX_BITS)).expect("12 bits fit into 16");
        Self(Registers::Sparse(BTreeMap::from([(index, rank)])))
    }

    /// How many distinct values were seen.
    #[must_use]
    #[allow(clippy::cast_precision_loss, clippy::cast_sign_loss, clippy::cast_possible_truncation)] // it is an estimate
    pub fn estimate(&self) -> Approx<u64> {
        let registers = REGISTERS as f64;
        let (mut harmonic, mut empty) = (registers, registers);
        self.each(|_, rank| {
            harmonic += f64::exp2(-f64::from(rank)) - 1.0;
            empty -= 1.0;
        });
        let raw = 0.7213 / (1.0 + 1.079 / registers) * registers * registers / harmonic;
        // Few values leave registers empty, and their number says more than the ranks.
        let value = if raw <= 2.5 * registers && empty > 0.0 { registers * (registers / empty).ln() } else { raw };
        Approx { value: value.round() as u64, standard_error: 1.04 / registers.sqrt() }
    }

    fn each(&self, mut see: impl FnMut(u16, u8)) {
        match &self.0 {
            Registers::Sparse(map) => map.iter().for_each(|(&index, &rank)| see(index, rank)),
            Registers::Dense(all) => {
                (0_u16..).zip(all).filter(|(_, rank)| **rank > 0).for_each(|(index, &rank)| see(index, rank));
            }
        }
    }

    fn raise(&mut self, index: u16, rank: u8) {
        match &mut self.0 {
            Registers::Dense(all) => {
                let held = &mut all[usize::from(index)];
                *held = rank.max(*held);
            }
            Registers::Sparse(map) => {
                let held = map.entry(index).or_default();
                *held = rank.max(*held);
                if map.len() > SPARSE_MAX {
                    let mut all = vec![0; REGISTERS].into_boxed_slice();
                    map.iter().for_each(|(&index, &rank)| all[usize::from(index)] = rank);
                    self.0 = Registers::Dense(all);
                }
            }
        }
    }
}

/// FNV-1a, and the finalizer of `SplitMix64` over it: the same on every machine and in every release, which a summary that is kept must be.
fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Default for Hll {
    fn default() -> Self {
        Self(Registers::Sparse(BTreeMap::new()))
    }
}

impl Monoid for Hll {
    fn identity() -> Self {
        Self::default()
    }

    fn combine(&mut self, later: &Self) {
        later.each(|index, rank| self.raise(index, rank));
    }

    fn heap_bytes(&self) -> usize {
        match &self.0 {
            Registers::Sparse(map) => map.len() * 8,
            Registers::Dense(all) => all.len(),
        }
    }
}

impl Commutative for Hll {}
impl Idempotent for Hll {}

impl Codec for Hll {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut entries = Vec::new();
        self.each(|index, rank| entries.push((index, rank)));
        entries.encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        let mut all = Self::default();
        for (index, rank) in Vec::<(u16, u8)>::decode(input)? {
            if usize::from(index) >= REGISTERS || rank == 0 {
                return None;
            }
            all.raise(index, rank);
        }
        Some(all)
    }
}

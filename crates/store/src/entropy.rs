//! The only door to randomness: event ids, proposal ids and salts, all drawn before anything is ordered (I3).

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;
use uuid::Uuid;

use crate::position::Timestamp;

/// A source of unpredictable bytes, seeded by the operating system, or of reproducible ones, seeded by a test.
pub struct Entropy(Mutex<ChaCha12Rng>);

impl Entropy {
    /// Seeded by the operating system.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // this is the door
    pub fn from_os() -> Self {
        Self(Mutex::new(ChaCha12Rng::from_rng(&mut rand::rng())))
    }

    /// The same bytes for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(ChaCha12Rng::seed_from_u64(seed)))
    }

    /// Fills `bytes`.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }

    /// A UUID v7 of the moment `now` (RFC 9562).
    pub fn uuid(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy") // the state would let a reader predict salts
    }
}

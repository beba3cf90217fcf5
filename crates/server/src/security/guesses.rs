//! How often somebody may guess a password: whoever was wrong several times must wait, longer each time, before he is looked at again.
//!
//! Counted by the address a call comes from and the user it names together, so that nobody can keep a user out from elsewhere. A call that must
//! wait is not checked, and so costs nothing and learns nothing. Who is known by what he sent before is never asked to wait: he is not checked.
//!
//! **Bounded:** of so many pairs; when there are more, those who were wrong least often are forgotten.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::limits::{
    GUESS_PAUSE_FIRST, GUESS_PAUSE_MAX, GUESSERS_REMEMBERED_MAX, GUESSES_FORGOTTEN_AFTER, GUESSES_FREE,
};

/// Who guesses whose password.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Guesser {
    network: Option<IpAddr>,
    login: String,
}

impl Guesser {
    /// Somebody at this address, who says that he is this user. Of an address of version 6 the network counts: one host has all of it.
    pub(super) fn new(address: Option<IpAddr>, login: &str) -> Self {
        let network = address.map(|address| match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(address) => IpAddr::V4(address),
                None => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
            },
        });
        Self { network, login: login.to_owned() }
    }
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    /// How long he must wait after the last one.
    fn pause(self) -> Duration {
        match self.count.checked_sub(GUESSES_FREE) {
            None => Duration::ZERO,
            Some(beyond) => GUESS_PAUSE_FIRST.saturating_mul(1 << beyond.min(20)).min(GUESS_PAUSE_MAX),
        }
    }
}

/// Who was wrong, and how often.
#[derive(Debug, Default)]
pub(super) struct Guesses(Mutex<HashMap<Guesser, Failures>>);

impl Guesses {
    fn lock(&self) -> MutexGuard<'_, HashMap<Guesser, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether he may be looked at.
    pub(super) fn may(&self, guesser: &Guesser, now: Instant) -> bool {
        self.lock().get(guesser).is_none_or(|failures| now >= failures.last + failures.pause())
    }

    /// He was wrong.
    pub(super) fn wrong(&self, guesser: Guesser, now: Instant) {
        let mut guesses = self.lock();
        let is_old = |failures: &Failures| now >= failures.last + GUESSES_FORGOTTEN_AFTER;
        if !guesses.contains_key(&guesser) && guesses.len() >= GUESSERS_REMEMBERED_MAX {
            guesses.retain(|_, failures| !is_old(failures));
            let least = guesses.iter().min_by_key(|(_, failures)| (failures.count, failures.last));
            if let Some(least) =
                least.map(|(least, _)| least.clone()).filter(|_| guesses.len() >= GUESSERS_REMEMBERED_MAX)
            {
                guesses.remove(&least);
            }
        }
        let failures = guesses.entry(guesser).or_insert(Failures { count: 0, last: now });
        let before = if is_old(failures) { 0 } else { failures.count };
        *failures = Failures { count: before + 1, last: now };
    }

    /// He was right.
    pub(super) fn right(&self, guesser: &Guesser) {
        self.lock().remove(guesser);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guesser(address: &str, login: &str) -> Guesser {
        Guesser::new(Some(address.parse().expect("an address")), login)
    }

    #[test]
    fn who_was_wrong_several_times_waits_longer_each_time() {
        let guesses = Guesses::default();
        let eve = guesser("10.0.0.1", "admin");
        let mut now = Instant::now();
        for _ in 0..GUESSES_FREE {
            assert!(guesses.may(&eve, now));
            guesses.wrong(eve.clone(), now);
        }
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert!(!guesses.may(&eve, now + Duration::from_secs(pause) - Duration::from_nanos(1)), "{pause}");
            now += Duration::from_secs(pause);
            assert!(guesses.may(&eve, now), "{pause}");
            guesses.wrong(eve.clone(), now);
        }
        assert!(!guesses.may(&eve, now));
        guesses.right(&eve);
        assert!(guesses.may(&eve, now));
    }

    #[test]
    fn others_do_not_wait_for_him() {
        let guesses = Guesses::default();
        let now = Instant::now();
        for _ in 0..10 {
            guesses.wrong(guesser("10.0.0.1", "admin"), now);
            guesses.wrong(guesser("2001:db8::1", "admin"), now);
        }
        let waits = [("10.0.0.1", "admin"), ("::ffff:10.0.0.1", "admin"), ("2001:db8::2", "admin")];
        assert!(waits.iter().all(|(address, login)| !guesses.may(&guesser(address, login), now)));
        let free = [("10.0.0.2", "admin"), ("10.0.0.1", "ada"), ("2001:db8:0:1::1", "admin")];
        assert!(free.iter().all(|(address, login)| guesses.may(&guesser(address, login), now)));
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let guesses = Guesses::default();
        let (eve, now) = (guesser("10.0.0.1", "admin"), Instant::now());
        (0..10).for_each(|_| guesses.wrong(eve.clone(), now));
        let later = now + GUESSES_FORGOTTEN_AFTER;
        guesses.wrong(eve.clone(), later);
        assert!(guesses.may(&eve, later));
    }

    #[test]
    fn many_names_do_not_make_room_for_one() {
        let guesses = Guesses::default();
        let (eve, now) = (guesser("10.0.0.1", "admin"), Instant::now());
        (0..10).for_each(|_| guesses.wrong(eve.clone(), now));
        for number in 0..GUESSERS_REMEMBERED_MAX + 10 {
            guesses.wrong(guesser("10.0.0.1", &number.to_string()), now);
        }
        assert_eq!(guesses.lock().len(), GUESSERS_REMEMBERED_MAX);
        assert!(!guesses.may(&eve, now));
    }
}

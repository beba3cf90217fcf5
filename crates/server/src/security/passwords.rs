//! Passwords: what is kept of them, whether one is right, and new ones.
//!
//! Kept is Argon2id with a salt of its own, in the text form of its reference implementation, parameters included: 19 MiB, two passes, one lane, some
//! 20 ms. Whoever checks one does so on a thread that may wait (`authentication`).

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use gesta_store::{Error, entropy::Entropy};

use crate::limits::PASSWORD_BYTES_MAX;

/// Signs of generated passwords: those that are not taken for one another. A power of two of them, so that each is as likely.
const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Signs of a generated password: 100 bits.
const SIGNS_GENERATED: usize = 20;
/// Bytes of a salt.
const SALT_BYTES: usize = 16;
/// The kept form of a password nobody has: checked where there is none to check, so that it takes as long to be told that a user is unknown.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGlzIGhlcmUu$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Whether `password` can be one.
///
/// # Errors
/// `Invalid`, with the reason.
pub fn check(password: &str) -> Result<(), Error> {
    if password.is_empty() {
        return Err(Error::invalid("a password must not be empty"));
    }
    if password.len() > PASSWORD_BYTES_MAX {
        let bytes = password.len();
        return Err(Error::invalid(format!("a password is too long, bytes={bytes} bytes_max={PASSWORD_BYTES_MAX}")));
    }
    Ok(())
}

/// What is kept of a password. Takes its time.
///
/// # Errors
/// `Invalid`, as [`check`].
pub fn kept(password: &str, entropy: &Entropy) -> Result<String, Error> {
    check(password)?;
    let mut salt = [0; SALT_BYTES];
    entropy.fill(&mut salt);
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    Ok(hash.expect("a salt of 16 bytes and a password within its limit are what Argon2 takes").to_string())
}

/// Whether `password` is the one of which `kept` is kept. Takes its time, for nobody's password too.
#[must_use]
pub fn is_right(password: &str, kept: Option<&str>) -> bool {
    let right = Argon2::default().verify_password(password.as_bytes(), kept.unwrap_or(NOBODYS)).is_ok();
    right && kept.is_some()
}

/// A new password nobody can guess, in groups that can be read out.
#[must_use]
pub fn generated(entropy: &Entropy) -> String {
    let mut random = [0; SIGNS_GENERATED];
    entropy.fill(&mut random);
    let signs = random.map(|byte| char::from(SIGNS[usize::from(byte) % SIGNS.len()]));
    let groups: Vec<String> = signs.chunks(5).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_right_for_what_was_kept_of_it_and_no_other_is() {
        let entropy = Entropy::seeded(1);
        let (one, other) = (kept("secret", &entropy).unwrap(), kept("secret", &entropy).unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other, "each has a salt of its own");
        assert!(is_right("secret", Some(&one)) && is_right("secret", Some(&other)));
        for wrong in ["Secret", "secret ", "", &one] {
            assert!(!is_right(wrong, Some(&one)), "{wrong:?}");
        }
        assert!(!is_right("secret", Some("secret")), "what is no kept form is nobody's");
    }

    #[test]
    fn nobodys_password_is_checked_and_wrong() {
        assert!(argon2::PasswordHash::new(NOBODYS).is_ok(), "or it would take no time");
        assert!(!is_right("", None));
    }

    #[test]
    fn a_password_is_there_and_within_its_limit() {
        assert!(kept("", &Entropy::seeded(1)).is_err());
        assert!(check(&"x".repeat(PASSWORD_BYTES_MAX)).is_ok());
        assert!(check(&"x".repeat(PASSWORD_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn generated_passwords_differ() {
        let entropy = Entropy::seeded(7);
        let (one, other) = (generated(&entropy), generated(&entropy));
        assert_eq!(one.len(), SIGNS_GENERATED + 3);
        assert_ne!(one, other);
    }
}

//! The first administrator, and the way back in for who has lost the password: both without anybody to ask.

use gesta_store::{AppendError, Error, EventStore, StreamStatus, entropy::Entropy};

use super::{User, find, stream};
use crate::security::{caller::ADMINS, passwords};

/// The name of the administrator that the first run makes.
pub const FIRST_ADMIN: &str = "admin";
/// What whoever is made administrator so is called.
pub const FIRST_NAME: &str = "Administrator";
/// The group such a user is in.
pub const FIRST_GROUP: &str = ADMINS;

/// What a server that asks for users found when it started.
#[derive(Clone, PartialEq, Eq)]
pub enum FirstRun {
    /// It had been run before.
    Not,
    /// It had not: the administrator was made, with the password that was given.
    Given,
    /// It had not: the administrator was made, with this password, which nobody else knows and which is not kept.
    Generated(String),
}

/// Makes the administrator if nobody of that name was ever there. Durable when it is back.
///
/// # Errors
/// `Invalid` for a password that is none; as [`EventStore::read`] and [`EventStore::commit`].
pub fn first_run(store: &EventStore, password: Option<&str>, entropy: &Entropy) -> Result<FirstRun, AppendError> {
    match store.stream_status(&stream(FIRST_ADMIN)?)? {
        StreamStatus::Missing => {}
        StreamStatus::Live { .. } | StreamStatus::SoftDeleted { .. } | StreamStatus::Tombstoned { .. } => {
            return Ok(FirstRun::Not);
        }
    }
    let (password, first_run) = match password {
        Some(password) => (password.to_owned(), FirstRun::Given),
        None => {
            let generated = passwords::generated(entropy);
            (generated.clone(), FirstRun::Generated(generated))
        }
    };
    store.commit(admin(FIRST_ADMIN, &password, entropy)?.creation()?).wait()?;
    Ok(first_run)
}

/// Gives `login` another password and lets the user sign in again; makes an administrator of that name if there is nobody. Durable when it is
/// back.
///
/// # Errors
/// As [`first_run`].
pub fn reset_password(store: &EventStore, login: &str, password: &str, entropy: &Entropy) -> Result<(), AppendError> {
    let append = match find(store, login)? {
        Some(found) => {
            let hash = passwords::kept(password, entropy)?;
            User { hash, disabled: false, ..found.user }.change(found.revision)?
        }
        None => admin(login, password, entropy)?.creation()?,
    };
    store.commit(append).wait()?;
    Ok(())
}

fn admin(login: &str, password: &str, entropy: &Entropy) -> Result<User, Error> {
    Ok(User {
        login_name: login.to_owned(),
        full_name: FIRST_NAME.to_owned(),
        groups: vec![FIRST_GROUP.to_owned()],
        disabled: false,
        hash: passwords::kept(password, entropy)?,
    })
}

//! Users, as the store keeps them: a stream for each, whose last event says what the user is, and a list of the names there ever were.
//!
//! Streams and types of events are KurrentDB's; what is kept of passwords is not (`docs/security.md`). A deleted user is a deleted stream. This is
//! what a store says; what somebody may do with it is for others to ask.

mod first_run;

use gesta_store::{
    Append, Direction, Error, ErrorKind, EventData, EventStore, EventType, ExpectedRevision, From, ReadOptions,
    Revision, StreamName, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::limits::{GROUP_BYTES_MAX, GROUPS_PER_USER_MAX, LOGIN_BYTES_MAX, NAME_BYTES_MAX};

pub use first_run::{FIRST_ADMIN, FIRST_GROUP, FIRST_NAME, FirstRun, first_run, reset_password};

/// What the stream of a user is called, without the user's name.
pub const USER_PREFIX: &str = "$user-";
/// The stream of the names there ever were.
pub const USERS: &str = "$users";
/// The stream of the default access control lists.
pub const SETTINGS: &str = "$settings";

const USER_CREATED: &str = "$UserCreated";
const USER_UPDATED: &str = "$UserUpdated";
const USER: &str = "$User";

/// A user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The name to sign in with.
    pub login_name: String,
    /// The name to be called by.
    #[serde(default)]
    pub full_name: String,
    /// The groups the user is in.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether the user cannot sign in for now.
    #[serde(default)]
    pub disabled: bool,
    /// What is kept of the password.
    pub hash: String,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is kept of a password does not belong into a log.
        f.debug_struct("User")
            .field("login_name", &self.login_name)
            .field("groups", &self.groups)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}

/// A user that is there.
#[derive(Clone, Debug)]
pub struct FoundUser {
    /// Who.
    pub user: User,
    /// Since which revision of the user's stream; a change expects it.
    pub revision: Revision,
    /// Since when.
    pub updated: Timestamp,
}

impl User {
    /// Checks that somebody can sign in under that name, and that nothing is too long.
    ///
    /// # Errors
    /// `Invalid`, with the reason.
    pub fn check(&self) -> Result<(), Error> {
        let login = &self.login_name;
        within("a login name", login, LOGIN_BYTES_MAX)?;
        if login.is_empty() {
            return Err(Error::invalid("a login name must not be empty"));
        }
        // A role is a name or a group: nobody may be called like a group of the system. And in what clients send a name ends at the colon.
        if login.starts_with('$') || login.contains(':') || login.chars().any(char::is_control) {
            return Err(Error::invalid(format!(
                "a login name must not begin with $, nor have colons or control characters, login={login:?}"
            )));
        }
        within("a full name", &self.full_name, NAME_BYTES_MAX)?;
        if self.groups.len() > GROUPS_PER_USER_MAX {
            let groups = self.groups.len();
            return Err(Error::invalid(format!("too many groups, groups={groups} groups_max={GROUPS_PER_USER_MAX}")));
        }
        self.groups.iter().try_for_each(|group| within("a group", group, GROUP_BYTES_MAX))
    }

    fn event(&self, event_type: &str) -> Result<EventData, Error> {
        let document = serde_json::to_vec(self).expect("a user is text, flags and lists");
        Ok(EventData::json(EventType::new(event_type)?, document))
    }

    /// The request that makes the user, who must not be there.
    ///
    /// # Errors
    /// `Invalid`, as [`check`](Self::check).
    pub fn creation(&self) -> Result<Append, Error> {
        self.check()?;
        let named = EventData::binary(EventType::new(USER)?, self.login_name.clone());
        Ok(Append::new()
            .stream(stream(&self.login_name)?, ExpectedRevision::NoStream, [self.event(USER_CREATED)?])
            .stream(StreamName::new(USERS)?, ExpectedRevision::Any, [named]))
    }

    /// The request that makes the user what this says, who must still be what was found at `revision`.
    ///
    /// # Errors
    /// `Invalid`, as [`check`](Self::check).
    pub fn change(&self, revision: Revision) -> Result<Append, Error> {
        self.check()?;
        let expected = ExpectedRevision::Exact(revision);
        Ok(Append::to(stream(&self.login_name)?, expected, [self.event(USER_UPDATED)?]))
    }

    /// The request that deletes the user, who must still be what was found at `revision`.
    ///
    /// # Errors
    /// `Invalid` for a name that is none.
    pub fn deletion(&self, revision: Revision) -> Result<Append, Error> {
        Ok(Append::new().delete(stream(&self.login_name)?, ExpectedRevision::Exact(revision)))
    }
}

fn within(what: &str, text: &str, bytes_max: usize) -> Result<(), Error> {
    if text.len() <= bytes_max {
        return Ok(());
    }
    Err(Error::invalid(format!("{what} is too long, bytes={} bytes_max={bytes_max}", text.len())))
}

fn stream(login: &str) -> Result<StreamName, Error> {
    StreamName::new(format!("{USER_PREFIX}{login}"))
}

/// The user of a name, if there is one. What stands in a user's stream and is no user is none.
///
/// # Errors
/// As [`EventStore::read`].
pub fn find(store: &EventStore, login: &str) -> Result<Option<FoundUser>, Error> {
    // A name that is none is nobody's.
    let Ok(stream) = stream(login) else { return Ok(None) };
    let options =
        ReadOptions { direction: Direction::Backward, from: From::Beginning, limit: Some(1), ..ReadOptions::default() };
    let batch = match store.read_stream(stream, options) {
        Ok(mut read) => read.next_batch()?,
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let Some(event) = batch.as_ref().and_then(|batch| batch.recorded(0)) else { return Ok(None) };
    let user: Option<User> = serde_json::from_slice(&event.data).ok();
    let user = user.filter(|user| user.login_name == login);
    Ok(user.map(|user| FoundUser { user, revision: event.revision, updated: event.recorded_at }))
}

/// All users there are, by name.
///
/// # Errors
/// As [`EventStore::read`].
pub fn all(store: &EventStore) -> Result<Vec<FoundUser>, Error> {
    let mut logins = Vec::new();
    match store.read_stream(StreamName::new(USERS)?, ReadOptions::default()) {
        Ok(mut read) => {
            while let Some(batch) = read.next_batch()? {
                logins.extend(batch.iter().filter_map(|event| Some(std::str::from_utf8(event.data).ok()?.to_owned())));
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    logins.sort_unstable();
    logins.dedup();
    logins.iter().filter_map(|login| find(store, login).transpose()).collect()
}

#[cfg(test)]
mod tests;

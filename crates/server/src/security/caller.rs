//! Who is calling.

use std::sync::Arc;

/// The group that may do everything.
pub(super) const ADMINS: &str = "$admins";
/// The group that may run the server: not its users, nor what is in its streams.
pub(super) const OPERATORS: &str = "$ops";
/// The role of every user.
pub(super) const EVERYBODY: &str = "$all";

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody who did not say.
    Anonymous,
    /// A user whose password was right.
    User(Arc<Identity>),
}

/// A user, as far as rules ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// By which name.
    pub login: String,
    /// The groups the user is in.
    pub groups: Vec<String>,
}

impl Caller {
    /// A user of some groups.
    #[must_use]
    pub fn user(login: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        Self::User(Arc::new(Identity { login: login.to_owned(), groups }))
    }

    /// The name; `None` for somebody who did not say.
    #[must_use]
    pub fn login(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::User(identity) => Some(&identity.login),
        }
    }

    /// Whether the caller is an administrator.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.is_in(ADMINS)
    }

    /// Whether the caller may run the server.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.is_in(OPERATORS) || self.is_admin()
    }

    fn is_in(&self, group: &str) -> bool {
        match self {
            Self::Anonymous => false,
            Self::User(identity) => identity.groups.iter().any(|one| one == group),
        }
    }

    /// Whether a role in a list means this caller: it is the caller's name, a group of the caller, or everybody.
    #[must_use]
    pub fn plays(&self, role: &str) -> bool {
        match self {
            Self::Anonymous => false,
            Self::User(identity) => role == EVERYBODY || role == identity.login || self.is_in(role),
        }
    }
}

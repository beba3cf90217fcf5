//! Whether somebody may: a pure function of who, what, and the lists.
//!
//! - An administrator may do everything, whatever a list says: who can lock himself out cannot let himself in again.
//! - Who did not say a name may ask what the server is, and nothing else.
//! - What is kept of users, and the default lists, are the administrators', whatever a list says: who can write them can become one.
//! - For everything else on a stream its own list decides, and where that says nothing, the default for its kind.

use super::{
    acl::{DefaultAcls, StreamAcl},
    action::{Action, StreamAction},
    caller::Caller,
};
use crate::security::users::{SETTINGS, USER_PREFIX, USERS};

/// What the rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is allowed.
    Granted,
    /// It is not.
    Denied,
}

impl Verdict {
    fn granted_if(granted: bool) -> Self {
        if granted { Self::Granted } else { Self::Denied }
    }
}

/// Whether `caller` may, given the list of the stream it is about and the default lists.
#[must_use]
pub fn decide(caller: &Caller, action: Action<'_>, acl: &StreamAcl, defaults: &DefaultAcls) -> Verdict {
    match by_caller(caller, action) {
        Ok(verdict) => verdict,
        Err((action, stream)) => by_lists(caller, action, stream, acl, defaults),
    }
}

/// What can be said without any list; otherwise, on which stream a list must be asked about what.
///
/// # Errors
/// The question for the lists.
pub(super) fn by_caller<'a>(caller: &Caller, action: Action<'a>) -> Result<Verdict, (StreamAction, &'a str)> {
    if action == Action::Greet || caller.is_admin() {
        return Ok(Verdict::Granted);
    }
    let Some(login) = caller.login() else { return Ok(Verdict::Denied) };
    match action {
        Action::Stream(_, stream) if is_kept(stream) => Ok(Verdict::Denied),
        Action::Stream(action, stream) => Err((action, stream)),
        Action::Greet | Action::Observe => Ok(Verdict::Granted),
        Action::Operate => Ok(Verdict::granted_if(caller.is_operator())),
        Action::ManageUsers => Ok(Verdict::Denied),
        Action::SeeUser(user) | Action::ChangePassword(user) => Ok(Verdict::granted_if(user == login)),
    }
}

/// What the lists say.
pub(super) fn by_lists(
    caller: &Caller,
    action: StreamAction,
    stream: &str,
    acl: &StreamAcl,
    defaults: &DefaultAcls,
) -> Verdict {
    let roles = acl.roles(action).or_else(|| defaults.of(stream).roles(action));
    Verdict::granted_if(roles.is_some_and(|roles| roles.iter().any(|role| caller.plays(role))))
}

/// Whether a stream is the administrators', whatever its list says.
pub(super) fn is_kept(stream: &str) -> bool {
    stream == USERS || stream == SETTINGS || stream.starts_with(USER_PREFIX)
}

#[cfg(test)]
mod tests;

//! Who is calling, and what they may do.
//!
//! A server is either *open*, and then nothing here costs a call anything; or *guarded*, and then every call says who makes it, by name and
//! password, and may do what the rules say. Names, groups and passwords are in the store (`users/`); so are the access control lists of streams,
//! in their metadata.
//!
//! **Invariant:** what is not known to be allowed is refused. A call without a name may ask what the server is and nothing else; a method without a
//! row in `methods.rs` is for administrators; a list that cannot be read grants nothing.
//!
//! **Invariant:** whoever was told that a list, a password or a user is changed never meets the old one: what is remembered of it is
//! forgotten before the change is answered (`watching.rs`).
//!
//! # Reading order
//! `caller`, `action`, `acl` and `rules` are pure: who, what, by which lists, with which verdict. `guard` knows the lists, as far as `acls` remembers
//! them; `authentication` knows the users, as far as `verified` remembers their passwords; `watching` makes both forget. `methods` says what a
//! call needs before its message is read. `rights` is what a service holds of all this.

mod acl;
mod acls;
mod action;
mod authentication;
mod basic;
mod caller;
mod guard;
mod guesses;
mod methods;
mod password_threads;
pub mod passwords;
mod refusal;
mod rights;
mod rules;
pub mod tls;
pub mod users;
mod verified;
mod watching;

pub use acl::{DefaultAcls, StreamAcl};
pub use action::{Action, StreamAction};
pub use caller::{Caller, Identity};
pub use guard::Guard;
pub(crate) use password_threads::PasswordThreads;
pub use refusal::Refusal;
pub use rights::{Rights, Security, Sight};
pub use rules::{Verdict, decide};

#[cfg(test)]
mod tests;

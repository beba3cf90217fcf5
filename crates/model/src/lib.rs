//! Models of Gesta.

extern crate self as gesta_model;

pub mod algebra;
pub mod error;
pub mod event;
pub mod command;
pub mod domain;
mod fold;
pub mod key;
pub mod laws;
pub mod model;
mod scope;
pub mod state;
pub mod testing;
pub mod tree;

pub use crate::{
    algebra::Monoid,
    command::{Command, Decide, Knows, Receipt, SendError, Sending},
    domain::{Domain, DomainOptions},
    error::{Error, Result},
    event::{Event, Format, Found, Json, Kind, Place, Upcast},
    key::Key,
    laws::Laws,
    model::{Algebraic, Model, Unreadable},
    state::{Base, CacheInfo, Explain, Get, Moment, ReadLevel, State, Token},
    tree::{Demotion, OnCaller, Run, Summaries, Threads, TreeOptions, Workers},
};
pub use gesta_model_derive::{Command, Event, Key, Monoid};

/// What derives write, and nobody else needs.
#[doc(hidden)]
pub mod __private {
    pub use crate::event::Name;
}

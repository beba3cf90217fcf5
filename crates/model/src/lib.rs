//! Models of Gesta.

extern crate self as gesta_model;

pub mod algebra;
pub mod error;
pub mod event;
mod fold;
pub mod key;
pub mod laws;
pub mod model;
mod scope;

pub use crate::{
    error::{Error, Result},
    event::{Event, Format, Found, Json, Kind, Place, Upcast},
    key::Key,
    model::{Algebraic, Model, Unreadable},
};
pub use gesta_model_derive::{Command, Event, Key, Monoid};

/// What derives write, and nobody else needs.
#[doc(hidden)]
pub mod __private {
    pub use crate::event::Name;
}

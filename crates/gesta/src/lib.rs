//! Gesta, an event-sourcing database: the store, and the models on top of it; with the features `sqlite` and `postgres`, read models in SQL tables.
//!
//! What both crates have goes by its plain name for the store, and as [`model`]`::…` for models: [`model::Error`], [`model::event`].

pub use gesta_model as model;
#[doc(hidden)]
pub use gesta_model::__private;
pub use gesta_model::{
    Algebraic, Base, CacheInfo, Command, Decide, Demotion, Domain, DomainOptions, Effect, Envelope, Event, Explain,
    Failure, Format, Found, Get, Halt, Hearing, History, Json, Key, Kind, Knows, Laws, Middleware, Model, Moment,
    Monoid, OnCaller, ParkedEvent, Place, Process, ProcessOptions, ReadLevel, Receipt, Run, RunningProcess, SendError,
    Sending, State, Summaries, Threads, Token, TreeOptions, Unreadable, Upcast, Workers, algebra, laws, process,
    testing,
};
#[cfg(feature = "projector")]
pub use gesta_projector as projector;
pub use gesta_store::*;

/// The examples of the project's README, which are run with the examples of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;

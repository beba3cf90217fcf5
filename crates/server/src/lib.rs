//! Gesta as a server: KurrentDB's gRPC protocol in front of the event store.
//!
//! The one crate with an asynchronous runtime. A request comes in through `grpc/`, is turned into the words of the store by `convert/`
//! (pure functions), and is answered by the store; what fails is put into the protocol's words by `fault`. No rule of the
//! store lives here.
//!
//! **Invariant:** no thread of the runtime waits for a disk, or works for longer than a moment. Appends are tickets, which are futures, and are admitted only when the store's
//! queue has room ([`admission`]); reads are pulled, batch by batch, on threads made for waiting ([`pump`]).
//!
//! # Reading order
//! [`limits`] and [`fault`]; [`convert`]; [`pump`] and [`admission`]; [`security`]; [`consumers`]; [`grpc`]; `connections`, `door`, `heard` and `calls`, the way of a request; `health` and
//! [`metrics`]; `routes` and [`serve`].

pub mod admission;
mod calls;
pub mod client;
pub mod client_consumer;
pub mod client_health;
pub mod client_users;
mod codec;
mod connections;
pub mod consumers;
pub mod convert;
mod door;
#[cfg(test)]
mod faces;
pub mod fault;
pub mod group_fault;
pub mod grpc;
mod health;
mod heard;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod native;
pub mod options;
#[doc(hidden)]
pub mod proto;
pub mod pump;
pub mod rich;
mod routes;
mod runtimes;
pub mod security;
pub mod serve;
pub mod stopping;
mod traces;
mod waiting;
mod wakes;

pub use options::Options;
pub use serve::{Bound, Callers, Exposure, ServeError, Server};

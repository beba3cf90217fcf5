//! Following: a subscription is a read that waits at the end (I4), the same cursor, advanced to the head there is now instead of one it was
//! pinned at. There is no hand-over from catching up to live, so nothing can be lost or doubled between them.
//!
//! At the end it waits among the [followers](crate::order) of the head, from where it is woken by what it waits for and by nothing else.

pub mod group;
pub mod group_error;
pub mod group_key;
pub mod group_settings;
pub(crate) mod group_state;
pub mod handler;
mod name_expression;
mod options;
mod subscription;

use crate::{position::Position, read::Batch};

pub use group_error::{Discard, GroupError, MessageId, Nack, NotInFlight, Replay, WhyNotInFlight};
pub use group_key::KeyOf;
pub use group_settings::{AfterPark, GroupName, GroupSettings, Strategy};
pub use name_expression::{NameExpression, NameOf};
pub use options::SubscribeOptions;
pub use subscription::{Ready, Subscription};

/// What a subscription delivers next. The position in a notice is where the subscriber is: everything below has been delivered or did not match.
#[derive(Debug)]
#[non_exhaustive]
pub enum Delivery {
    /// Events.
    Events(Batch),
    /// The subscriber has everything there was, up to the head: what comes next is new. Told once when he gets there, at the start as
    /// after [`FellBehind`](Self::FellBehind).
    CaughtUp(Position),
    /// A subscriber who had caught up is now so far behind the head that he is no longer live
    /// ([`FALLEN_BEHIND_EVENTS`](crate::limits::FALLEN_BEHIND_EVENTS)). Told once, before the events he has missed.
    FellBehind(Position),
    /// Nothing matched for a while: the subscriber has nothing to do, but could begin here the next time. Each is larger than the positions told
    /// before.
    Checkpoint(Position),
}

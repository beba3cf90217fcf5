//! The event store of Gesta: facts appended in one strict order, durable before they are answered, read back by stream, by query, by
//! time. Sync and without a runtime: plain threads and blocking I/O; tickets and the head can be awaited as well as waited for.
//!
//! ```
//! use gesta_store::{AppendCondition, AppendError, Append, EventData, EventStore, ExpectedRevision, Query, QueryItem, ReadOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path();
//! let store = EventStore::open(dir)?;
//!
//! // Two events, one commit, if nobody wrote the stream before.
//! let opened = EventData::json("AccountOpened".try_into()?, r#"{"owner":"ada"}"#).with_tag("/accounts/7".try_into()?);
//! let paid = EventData::json("MoneyDeposited".try_into()?, r#"{"cents":1250}"#).with_tag("/accounts/7".try_into()?);
//! let appended = store.append("account-7".try_into()?, ExpectedRevision::NoStream, [opened, paid]).wait()?;
//!
//! // A decision that stands on everything about one account, wherever it is recorded.
//! let about = Query::of(QueryItem::default().path("/accounts/7/**".parse()?));
//! let withdrawal = Append::to(
//!     "account-7".try_into()?,
//!     ExpectedRevision::Any,
//!     [EventData::json("MoneyWithdrawn".try_into()?, r#"{"cents":200}"#).with_tag("/accounts/7".try_into()?)],
//! )
//! .condition(AppendCondition { none_matching: about, after: appended.last_position });
//! store.commit(withdrawal.clone()).wait()?;
//!
//! // The same decision again has not seen the withdrawal: refused, with the facts.
//! match store.commit(withdrawal).wait() {
//!     Err(AppendError::Rejected(verdict)) => assert_eq!(verdict.to_string(), "append condition failed, condition=0 first_conflict=2"),
//!     other => panic!("{other:?}"),
//! }
//!
//! for event in store.read_stream("account-7".try_into()?, ReadOptions::default())? {
//!     let event = event?;
//!     println!("{}@{} {}", event.stream, event.revision, event.event_type);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Reading order
//! The vocabulary first: [`position`], [`name`], [`path`], [`event`], [`query`], [`limits`], [`error`]. Then upwards: [`disk`] and
//! [`clock`] are the only doors to files and time; [`log`] is bytes; [`index`] is where things are; [`commit`] is the pure rules; `order` is who is
//! first; [`read`] and [`subscribe`] are how it comes back; [`store`] is the front door. `ARCHITECTURE.md` draws the map.

pub mod append;
pub mod clock;
pub mod commit;
pub mod correlation;
#[allow(clippy::disallowed_methods, clippy::disallowed_types)] // the door to files
pub mod disk;
pub mod entropy;
pub mod error;
pub mod event;
pub mod identity;
pub mod index;
pub mod integrity;
pub mod leaf;
pub mod limits;
pub mod log;
mod maintenance;
pub mod measures;
pub mod name;
mod opening;
pub mod options;
pub mod order;
pub mod path;
pub mod position;
pub mod query;
pub mod read;
pub mod store;
pub mod subscribe;

pub use crate::{
    append::{Append, AppendError, Outcome},
    commit::{Appended, Found, NextRevision, Rejection, Violation},
    disk::DurableWrite,
    error::{Error, ErrorKind, Result},
    event::{EventData, EventRef, Link, RecordedEvent, Tags},
    integrity::VerifyReport,
    log::CutTail,
    measures::Measures,
    name::{Category, ContentType, EventType, StreamName, Tag},
    opening::Recovery,
    options::Options,
    order::{Head, Past, Ticket},
    path::{Path, PathPattern},
    position::{ExpectedRevision, Position, Revision, Timestamp},
    query::{AppendCondition, Query, QueryItem, StreamFilter, TagFilter, TypeFilter},
    read::{Access, AsOf, Batch, Direction, From, ItemPlan, Plan, Read, ReadOptions, Source, StreamStatus},
    store::{EventStore, StoreInfo, StreamInfo},
    subscribe::{
        AfterPark, Delivery, Discard, GroupError, GroupName, GroupSettings, KeyOf, MessageId, Nack, NameExpression,
        NameOf, NotInFlight, Ready, Replay, Strategy, SubscribeOptions, Subscription, WhyNotInFlight,
        group::{
            AnswerTimes, Consumer, ConsumerGroups, ConsumerInfo, ConsumerOptions, GroupConfig, GroupInfo, GroupStatus,
            Message, MessagesReady, ParkedMessage, ParkedOnReset, WakeUp,
        },
        handler::{
            Backoff, Handler, HandlerFailure, HandlerOptions, HandlerRunner, HandlerState, HandlerStatus, Handlers,
            HandlingOrder, Reaction, RunningHandler,
        },
    },
};

//! The event store of Gesta.

pub mod append;
pub mod clock;
pub mod commit;
#[allow(clippy::disallowed_methods, clippy::disallowed_types)] // the door to files
pub mod disk;
pub mod entropy;
pub mod error;
pub mod event;
pub mod index;
pub mod integrity;
pub mod leaf;
pub mod limits;
pub mod log;
pub mod name;
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
    commit::{Appended, NextRevision, Rejection},
    error::{Error, ErrorKind, Result},
    event::{EventData, EventRef, Link, RecordedEvent, Tags},
    integrity::VerifyReport,
    name::{Category, ContentType, EventType, StreamName, Tag},
    options::Options,
    order::Ticket,
    path::{Path, PathPattern},
    position::{ExpectedRevision, Position, Revision, Timestamp},
    query::{AppendCondition, Query, QueryItem, StreamFilter, TagFilter, TypeFilter},
    read::{Access, AsOf, Batch, Direction, From, ItemPlan, Plan, Read, ReadOptions, Source},
    store::{EventStore, Head, StoreInfo, StreamInfo},
    subscribe::{Delivery, Subscription},
};

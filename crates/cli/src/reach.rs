//! The store a command reached: in a directory, or behind a server. Both are asked alike, and answer alike.

use gesta::{
    Append, AppendError, Appended, Batch, ErrorKind, GroupName, Plan, Position, Query, Read, ReadOptions,
    RecordedEvent, Source, StreamName,
};
use gesta_server::{
    client::{Client, RemoteRead},
    native::{
        self, AppendRequest, ClientError, GroupChange, GroupRefusal,
        messages::{Group, InfoResp, parked_resp},
    },
};

use crate::{
    exit::{Exit, Failure, MORE_FILES, Outcome},
    ndjson::EventView,
    target::Target,
};

/// A store.
#[derive(Debug)]
pub(crate) enum Reached {
    /// In a directory.
    Directory(gesta::EventStore),
    /// Behind a server.
    Server(Box<Client>),
}

/// A stream, as it is listed.
pub(crate) struct StreamRow {
    pub(crate) name: String,
    pub(crate) last_revision: u64,
    pub(crate) last_position: u64,
}

impl Reached {
    /// The store, if it is in a directory.
    pub(crate) fn directory(&self) -> Option<&gesta::EventStore> {
        match self {
            Self::Directory(store) => Some(store),
            Self::Server(_) => None,
        }
    }

    /// Where its log ends.
    pub(crate) fn head(&self) -> Outcome<Position> {
        Ok(match self {
            Self::Directory(store) => store.head().position(),
            Self::Server(client) => Position(client.info()?.head),
        })
    }

    /// Facts about it.
    pub(crate) fn info(&self, target: &Target) -> Outcome<InfoResp> {
        Ok(match self {
            Self::Directory(store) => native::describe(&store.info()?, target.dir().to_string_lossy().into_owned()),
            Self::Server(client) => client.info()?,
        })
    }

    /// Streams in order of their names, as `EventStore::streams`.
    pub(crate) fn streams(&self, prefix: &str, after: Option<&StreamName>, limit: usize) -> Outcome<Vec<StreamRow>> {
        Ok(match self {
            Self::Directory(store) => {
                let row = |stream: gesta::StreamInfo| StreamRow {
                    name: stream.name.to_string(),
                    last_revision: stream.last_revision.0,
                    last_position: stream.last_position.0,
                };
                store.streams(prefix, after, limit)?.into_iter().map(row).collect()
            }
            Self::Server(client) => {
                let row = |stream: native::messages::streams_resp::Stream| StreamRow {
                    name: stream.name,
                    last_revision: stream.last_revision,
                    last_position: stream.last_position,
                };
                client.streams(prefix, after.map(|after| after.as_str()), limit)?.into_iter().map(row).collect()
            }
        })
    }

    /// Appends, and waits for the verdict.
    pub(crate) fn append(&self, request: AppendRequest) -> Outcome<Result<Appended, AppendError>> {
        Ok(match self {
            Self::Directory(store) => store.commit(Append::from(request)).wait(),
            Self::Server(client) => client.append(request)?,
        })
    }

    /// Reads.
    pub(crate) fn read(&self, source: Source, options: ReadOptions) -> Result<Reading, ClientError> {
        Ok(match self {
            Self::Directory(store) => Reading::Here(Box::new(store.read(source, options).map_err(ClientError::Store)?)),
            Self::Server(client) => Reading::There(Box::new(client.read(&source, &options)?)),
        })
    }

    /// What there is first of a read; nothing, if there is nothing to read from.
    pub(crate) fn first(&self, source: Source, options: ReadOptions) -> Outcome<Option<RecordedEvent>> {
        let mut read = match self.read(source, ReadOptions { limit: Some(1), ..options }) {
            Ok(read) => read,
            Err(ClientError::Store(error)) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(read.next()?.and_then(|events| events.into_recorded().into_iter().next()))
    }

    /// How a query would be answered.
    pub(crate) fn explain(&self, query: &Query, options: &ReadOptions) -> Outcome<Plan> {
        Ok(match self {
            Self::Directory(store) => store.explain(query, options)?,
            Self::Server(client) => client.explain(query, options)?,
        })
    }

    /// Where all its groups stand.
    pub(crate) fn groups(&self) -> Outcome<Vec<Group>> {
        Ok(match self {
            Self::Directory(store) => native::describe_groups(&store.groups(), None)?,
            Self::Server(client) => client.groups(None)?,
        })
    }

    /// Where a group stands.
    pub(crate) fn group(&self, group: &GroupName) -> Outcome<Group> {
        let mut told = match self {
            Self::Directory(store) => native::describe_groups(&store.groups(), Some(group))?,
            Self::Server(client) => client.groups(Some(group))?,
        };
        told.pop()
            .ok_or_else(|| Failure::new(Exit::Other, format!("the server did not tell of the group, group={group}")))
    }

    /// Does something with a group; returns how many messages were replayed or given up.
    pub(crate) fn change_group(&self, group: &GroupName, change: GroupChange) -> Outcome<u64> {
        Ok(match self {
            Self::Directory(store) => change.carry_out(&store.groups(), group)?,
            Self::Server(client) => client.change_group(group, &change)?,
        })
    }

    /// Parked messages of a group, from a position on: at most `limit`, and perhaps fewer than there are.
    pub(crate) fn parked(&self, group: &GroupName, from: Position, limit: usize) -> Outcome<Vec<parked_resp::Message>> {
        Ok(match self {
            Self::Directory(store) => {
                let parked = store.groups().parked(group, from, limit)?;
                parked.into_iter().map(native::describe_parked).collect()
            }
            Self::Server(client) => client.parked(group, from, limit)?,
        })
    }

    /// Closes it, so that what could not be written is told.
    pub(crate) fn close(self) -> Outcome<()> {
        match self {
            Self::Directory(store) => Ok(store.close()?),
            Self::Server(_) => Ok(()),
        }
    }
}

/// A read in progress.
pub(crate) enum Reading {
    Here(Box<Read>),
    There(Box<RemoteRead>),
}

/// Events that came together.
pub(crate) enum Events {
    /// Views into the log.
    Batch(Batch),
    /// Copies.
    Recorded(Vec<RecordedEvent>),
}

impl Reading {
    /// The head the read is pinned at.
    pub(crate) fn head(&self) -> Position {
        match self {
            Self::Here(read) => read.head(),
            Self::There(read) => read.head(),
        }
    }

    /// The next events; `None` at the end.
    pub(crate) fn next(&mut self) -> Outcome<Option<Events>> {
        Ok(match self {
            Self::Here(read) => read.next_batch()?.map(Events::Batch),
            Self::There(read) => read.next_batch()?.map(Events::Recorded),
        })
    }
}

impl Events {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.len(),
            Self::Recorded(events) => events.len(),
        }
    }

    /// The events as copies, which know of their links.
    pub(crate) fn into_recorded(self) -> Vec<RecordedEvent> {
        match self {
            Self::Batch(batch) => batch.to_recorded(),
            Self::Recorded(events) => events,
        }
    }

    /// Shows each event, without its link where it comes from a batch.
    pub(crate) fn each(&self, mut see: impl FnMut(EventView<'_>) -> Outcome<()>) -> Outcome<()> {
        match self {
            Self::Batch(batch) => batch.iter().try_for_each(|event| see(event.into())),
            Self::Recorded(events) => events.iter().try_for_each(|event| see(event.into())),
        }
    }
}

/// What a group refused, and what to do.
fn refused(refusal: GroupRefusal, what: String) -> Failure {
    #[allow(clippy::wildcard_enum_match_arm, reason = "one this program does not know is an other error")]
    match refusal {
        GroupRefusal::NoSuchGroup => {
            Failure::new(Exit::NotFound, what).with_remedy("`gesta group list` shows which there are")
        }
        GroupRefusal::NotInFlight => Failure::new(Exit::Conflict, what),
        GroupRefusal::GroupExists => Failure::new(Exit::Conflict, what)
            .with_remedy("change it with `gesta group update`, or delete it first with `gesta group delete`"),
        GroupRefusal::NotParked => Failure::new(Exit::NotFound, what),
        GroupRefusal::Invalid => Failure::new(Exit::Usage, what),
        GroupRefusal::Unavailable => Failure::new(Exit::Unavailable, what),
        _ => Failure::new(Exit::Other, what),
    }
}

impl From<ClientError> for Failure {
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "errors may be added; one this program does not know is an other error"
    )]
    fn from(error: ClientError) -> Self {
        let what = error.to_string();
        match error {
            ClientError::Store(error) => error.into(),
            ClientError::Group(refusal, _) => refused(refusal, what),
            ClientError::Denied(_) => Self::new(Exit::Denied, what),
            ClientError::NoRuntime(_) => Self::new(Exit::Unavailable, what).with_remedy(MORE_FILES),
            ClientError::Unreachable(_) => {
                Self::new(Exit::Unavailable, what).with_remedy("is it running, and is --url its address?")
            }
            _ => Self::new(Exit::Other, what),
        }
    }
}

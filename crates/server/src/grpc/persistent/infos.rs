//! What is told of groups to those who look after them. All of it waits for disks.

use gesta_store::{
    ConsumerGroups, Direction, ErrorKind, EventStore, From, GroupError, GroupInfo, GroupName, Position, ReadOptions,
    Source, StreamName,
};

use crate::{
    consumers::Connections,
    convert::{
        group_info::{self, Places},
        stream,
    },
    fault::Fault,
    group_fault::GroupFault,
    proto::event_store::client::persistent_subscriptions::{ListReq, SubscriptionInfo, list_req},
};

/// Which groups are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Every,
    OnAll,
    On(StreamName),
}

impl Which {
    fn includes(&self, group: &GroupName) -> bool {
        match self {
            Self::Every => true,
            Self::OnAll => group.stream().is_none(),
            Self::On(stream) => group.stream() == Some(stream),
        }
    }

    fn stream(&self) -> &str {
        match self {
            Self::Every => "",
            Self::OnAll => "$all",
            Self::On(stream) => stream,
        }
    }
}

/// Which groups a request asks for.
///
/// # Errors
/// `Invalid` for what is missing.
pub(super) fn which(request: &ListReq) -> Result<Which, Fault> {
    use list_req::{options::ListOption, stream_option::StreamOption};
    let missing = || Fault::Invalid("list option is missing".to_owned());
    let options = request.options.as_ref().ok_or_else(missing)?;
    match options.list_option.as_ref().ok_or_else(missing)? {
        ListOption::ListAllSubscriptions(_) => Ok(Which::Every),
        ListOption::ListForStream(on) => match on.stream_option.as_ref().ok_or_else(missing)? {
            StreamOption::All(_) => Ok(Which::OnAll),
            StreamOption::Stream(name) => {
                let stream = stream::from_wire(Some(name))?;
                Ok(if stream.as_str() == "$all" { Which::OnAll } else { Which::On(stream) })
            }
        },
    }
}

/// Where these groups stand.
///
/// # Errors
/// `Group` when there are none.
pub(super) fn list(
    store: &EventStore,
    connections: &Connections,
    which: &Which,
) -> Result<Vec<SubscriptionInfo>, Fault> {
    let groups = store.groups();
    let mut infos = Vec::new();
    for config in groups.list().map_err(|error| GroupFault::none_listed(which.stream(), error))? {
        if which.includes(&config.name) {
            // One may have been deleted meanwhile.
            infos.extend(info(&groups, &config.name)?.map(|info| told(store, connections, &info)).transpose()?);
        }
    }
    if infos.is_empty() { Err(GroupFault::none_on(which.stream())) } else { Ok(infos) }
}

/// Where a group stands.
///
/// # Errors
/// `Group` when there is none of this name.
pub(super) fn of(store: &EventStore, connections: &Connections, group: &GroupName) -> Result<SubscriptionInfo, Fault> {
    let info = store.groups().info(group).map_err(|error| GroupFault::refused(group, error))?;
    told(store, connections, &info)
}

fn info(groups: &ConsumerGroups, group: &GroupName) -> Result<Option<GroupInfo>, Fault> {
    match groups.info(group) {
        Ok(info) => Ok(Some(info)),
        Err(GroupError::NoSuchGroup { .. }) => Ok(None),
        Err(error) => Err(GroupFault::refused(group, error)),
    }
}

fn told(store: &EventStore, connections: &Connections, info: &GroupInfo) -> Result<SubscriptionInfo, Fault> {
    let group = &info.config.name;
    let places = match &info.config.source {
        Source::Stream(stream) => Places {
            checkpointed: last_before(store, stream, info.checkpoint)?,
            last_known: last_before(store, stream, info.head)?,
        },
        Source::All | Source::Query(_) => {
            let last = |end: Position| end.0.checked_sub(1).map(|last| group_info::position(Position(last)));
            Places {
                checkpointed: last(info.checkpoint).unwrap_or_default(),
                last_known: last(info.head).unwrap_or_default(),
            }
        }
    };
    Ok(group_info::to_wire(info, places, |number| connections.peer(group, number)))
}

/// The revision of the last event of a stream below a position.
fn last_before(store: &EventStore, stream: &StreamName, end: Position) -> Result<String, Fault> {
    let Some(last) = end.0.checked_sub(1) else { return Ok(String::new()) };
    let options = ReadOptions {
        direction: Direction::Backward,
        from: From::Position(Position(last)),
        limit: Some(1),
        ..ReadOptions::default()
    };
    let read = match store.read_stream(stream.clone(), options) {
        Ok(read) => Some(read),
        // Nobody has written it yet, or it was deleted.
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let Some(event) = read.into_iter().flatten().next().transpose()? else { return Ok(String::new()) };
    Ok(group_info::revision(event.link.as_ref().map_or(event.revision, |link| link.revision)))
}

//! Consumer groups as they are told, and what is to be done with one, both ways.

use gesta_store::{
    ConsumerGroups, Discard, Error, From as Begin, GroupError, GroupInfo, GroupName, GroupSettings, GroupStatus,
    MessageId, ParkedMessage, ParkedOnReset, Position, Replay, Result, Source,
};

use super::{
    events::recorded_to_wire,
    messages as wire,
    query::{from_from_wire, from_to_wire, missing, source_from_wire, source_to_wire},
    settings::{nanos, settings_from_wire, settings_to_wire},
};

/// What is done with a group.
#[derive(Clone, Debug)]
pub enum GroupChange {
    /// It is made.
    Create(Source, GroupSettings),
    /// It gets other settings.
    Update(GroupSettings),
    /// It is deleted.
    Delete,
    /// It begins anew at a place.
    Reset(Begin, ParkedOnReset),
    /// Parked messages are delivered again.
    Replay(Replay),
    /// Parked messages are given up.
    Discard(Discard),
}

impl GroupChange {
    /// Does it; answers with how many messages were replayed or given up.
    ///
    /// # Errors
    /// As the method of [`ConsumerGroups`] it stands for.
    pub fn carry_out(self, groups: &ConsumerGroups, group: &GroupName) -> std::result::Result<u64, GroupError> {
        match self {
            Self::Create(source, settings) => groups.create(group, source, settings).map(|()| 0),
            Self::Update(settings) => groups.update(group, settings).map(|()| 0),
            Self::Delete => groups.delete(group).map(|()| 0),
            Self::Reset(from, parked) => groups.reset(group, from, parked).map(|()| 0),
            Self::Replay(which) => groups.replay(group, which),
            Self::Discard(which) => groups.discard_parked(group, which),
        }
    }

    /// As it goes over the wire.
    ///
    /// # Errors
    /// `Invalid` for what this protocol has no words for.
    pub(crate) fn to_wire(&self, group: &GroupName) -> Result<wire::ChangeGroupReq> {
        use wire::change_group_req::{self as req, Change, replay::Which};
        let change = match self {
            Self::Create(source, settings) => Change::Create(req::Creation {
                source: Some(source_to_wire(source)),
                settings: Some(settings_to_wire(settings)),
            }),
            Self::Update(settings) => Change::Update(settings_to_wire(settings)),
            Self::Delete => Change::Delete(wire::Nothing {}),
            Self::Reset(from, parked) => Change::Reset(req::Reset {
                from: Some(from_to_wire(*from)),
                keep_parked: *parked == ParkedOnReset::Keep,
            }),
            Self::Replay(which) => Change::Replay(req::Replay {
                which: Some(match which {
                    Replay::All => Which::All(wire::Nothing {}),
                    Replay::Count(count) => Which::Count(*count),
                    Replay::One(MessageId(position)) => Which::One(position.0),
                }),
            }),
            Self::Discard(which) => Change::Discard(req::Discard {
                one: match which {
                    Discard::All => None,
                    Discard::One(MessageId(position)) => Some(position.0),
                    Discard::Before(_) => {
                        return Err(Error::invalid("parked messages are discarded by their position"));
                    }
                },
            }),
        };
        Ok(wire::ChangeGroupReq { group: group.to_string(), change: Some(change) })
    }

    /// From the wire, with the group it is about.
    pub(super) fn from_wire(request: wire::ChangeGroupReq) -> Result<(GroupName, Self)> {
        use wire::change_group_req::{Change, replay::Which};
        let group = request.group.parse()?;
        let change = match request.change.ok_or_else(|| missing("change"))? {
            Change::Create(creation) => {
                let settings = creation.settings.ok_or_else(|| missing("settings"))?;
                Self::Create(source_from_wire(creation.source)?, settings_from_wire(settings)?)
            }
            Change::Update(settings) => Self::Update(settings_from_wire(settings)?),
            Change::Delete(_) => Self::Delete,
            Change::Reset(reset) => {
                let parked = if reset.keep_parked { ParkedOnReset::Keep } else { ParkedOnReset::Discard };
                Self::Reset(from_from_wire(reset.from)?, parked)
            }
            Change::Replay(replay) => Self::Replay(match replay.which.ok_or_else(|| missing("which"))? {
                Which::All(_) => Replay::All,
                Which::Count(count) => Replay::Count(count),
                Which::One(position) => Replay::One(MessageId(Position(position))),
            }),
            Change::Discard(discard) => {
                Self::Discard(discard.one.map_or(Discard::All, |one| Discard::One(MessageId(Position(one)))))
            }
        };
        Ok((group, change))
    }
}

/// Where a group stands, in the form in which it goes over the wire.
#[must_use]
pub fn describe_group(info: &GroupInfo) -> wire::Group {
    use wire::group::{AnswerTime, Consumer, Status};
    #[allow(clippy::wildcard_enum_match_arm, reason = "one that is not known yet is told as the nearest")]
    let status = match info.status {
        GroupStatus::Idle => Status::Idle,
        GroupStatus::CatchingUp => Status::CatchingUp,
        _ => Status::Live,
    };
    let consumer = |consumer: &gesta_store::ConsumerInfo| Consumer {
        name: consumer.name.clone(),
        connected: consumer.connected.0,
        slots: consumer.slots as u64,
        in_flight: consumer.in_flight as u64,
        total: consumer.total,
    };
    let times = info.answer_times.iter().flat_map(gesta_store::AnswerTimes::named);
    wire::Group {
        name: info.config.name.to_string(),
        source: Some(source_to_wire(&info.config.source)),
        settings: Some(settings_to_wire(&info.config.settings)),
        created: info.config.created.0,
        status: status.into(),
        consumers: info.consumers.iter().map(consumer).collect(),
        checkpoint: info.checkpoint.0,
        settled_to: info.settled_to.0,
        read_to: info.read_to.0,
        head: info.head.0,
        lag_events: info.lag_events,
        lag_ns: nanos(info.lag),
        buffered: info.buffered as u64,
        retrying: info.retrying as u64,
        in_flight: info.in_flight as u64,
        parked: info.parked,
        replaying: info.replaying as u64,
        epoch: info.epoch,
        answers: info.answer_times.as_ref().map_or(0, |times| times.answers),
        answer_times: times.map(|(name, time)| AnswerTime { name: name.to_owned(), ns: nanos(time) }).collect(),
        stalled: info.stalled.clone(),
    }
}

/// What a group follows.
///
/// # Errors
/// `Invalid`, for what is missing or no name.
pub fn source_of(group: &wire::Group) -> Result<Source> {
    source_from_wire(group.source.clone())
}

/// Where groups stand: one, or all.
///
/// # Errors
/// `NoSuchGroup`; `Store`.
pub fn describe_groups(
    groups: &ConsumerGroups,
    which: Option<&GroupName>,
) -> std::result::Result<Vec<wire::Group>, GroupError> {
    if let Some(group) = which {
        return Ok(vec![describe_group(&groups.info(group)?)]);
    }
    let mut described = Vec::new();
    for config in groups.list()? {
        match groups.info(&config.name) {
            Ok(info) => described.push(describe_group(&info)),
            // Deleted meanwhile.
            Err(GroupError::NoSuchGroup { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(described)
}

/// A parked message, in the form in which it goes over the wire.
#[must_use]
pub fn describe_parked(message: ParkedMessage) -> wire::parked_resp::Message {
    wire::parked_resp::Message {
        position: message.id.0.0,
        revision: message.revision.0,
        event: Some(recorded_to_wire(message.event)),
        reason: message.reason,
        retries: message.retries,
        consumer: message.consumer,
        held: message.held,
        parked: message.parked.0,
    }
}

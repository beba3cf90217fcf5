//! Consumer groups: any number of consumers share the events of a source, each event goes to one of them, and comes again until somebody has
//! acked it. At least once: whatever is not known to be settled is delivered again, after a crash too.
//!
//! Which message goes where, and when again, is decided by `group_state`, which knows no I/O. Here is what carries it out.
//! In reading order: `documents` is what a group keeps in the log (`docs/formats/groups.md`); `catalog` is which groups there are;
//! `loading` brings a group's state back; `feed` reads its source; `keys` says what the state needs to know of an event; `writing` is the one commit
//! that makes progress durable; `guarded` is what is under the group's lock; `live` drives it, on the thread of whoever calls; `consumer` is who
//! calls; `registry` keeps the groups in use; and this file is the door.
//!
//! **A group has no thread and needs none.** While a consumer waits, it wakes for what falls due; where no consumer is connected, nothing does.

mod answer_times;
mod backing;
mod catalog;
mod consumer;
mod documents;
mod feed;
mod guarded;
mod info;
mod keys;
mod live;
mod loading;
mod message;
mod parked;
mod registry;
mod waiters;
mod writing;

use std::{sync::Arc, time::Duration};

use self::{
    backing::failure,
    documents::{Action, KEEP_ONE, encode_progress},
    live::LiveGroup,
    writing::hide_before,
};
use super::{Discard, GroupError, GroupName, GroupSettings, Replay, group_settings::setting};
use crate::{
    append::Append,
    commit::metadata::StreamMetadata,
    error::{Error, ErrorKind},
    event::EventData,
    limits,
    name::{EventType, StreamName, system},
    position::{ExpectedRevision, Position, Revision},
    read::{From, Source, StreamStatus, virtual_stream::term_of, visible},
};

pub use answer_times::AnswerTimes;
pub(crate) use backing::Backing;
pub use catalog::GroupConfig;
pub use consumer::{Consumer, ConsumerOptions, MessagesReady, WakeUp};
use info::Asking;
pub use info::{ConsumerInfo, GroupInfo, GroupStatus};
pub(super) use live::Driven;
pub use message::Message;
pub use parked::ParkedMessage;
pub(crate) use registry::Registry;

/// The consumer groups of a store. Cheap to clone; does not keep the store open.
#[derive(Clone, Debug)]
pub struct ConsumerGroups {
    registry: Arc<Registry>,
}

/// What becomes of parked messages when a group is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkedOnReset {
    /// They stay parked, and are not delivered as part of the source until they are replayed.
    Keep,
    /// They are given up as parked messages; from the new beginning on, they are delivered like all others.
    Discard,
}

impl ConsumerGroups {
    pub(crate) fn of(registry: Arc<Registry>) -> Self {
        Self { registry }
    }

    /// Time for deadlines.
    pub(crate) fn elapsed(&self) -> Duration {
        self.backing().elapsed()
    }

    /// What a group is: costs no more than looking it up.
    ///
    /// # Errors
    /// `NoSuchGroup`; `Store`.
    pub fn config(&self, group: &GroupName) -> Result<GroupConfig, GroupError> {
        self.registry.config(group)
    }

    fn backing(&self) -> &Backing {
        &self.registry.backing
    }

    /// Creates a group that follows `source`, which must be the stream it is named for, or, for a name on `$all`, the whole log or a query.
    ///
    /// # Errors
    /// `GroupExists`; `Setting` for settings out of bounds; `BeyondHead` for a start that does not exist yet; `Store`.
    pub fn create(&self, group: &GroupName, source: Source, settings: GroupSettings) -> Result<(), GroupError> {
        settings.check()?;
        check_source(group, &source)?;
        let now = self.backing().now();
        let config = GroupConfig { name: group.clone(), source, settings, created: now, updated: now };
        self.registry.change(|catalog| {
            if catalog.get(group).is_some() {
                return Err(GroupError::GroupExists { group: group.to_string() });
            }
            if catalog.len() >= limits::GROUPS_MAX {
                let max = limits::GROUPS_MAX;
                let what = format!("the store has as many consumer groups as it may, delete some, groups_max={max}");
                return Err(Error::new(ErrorKind::Unavailable, what).into());
            }
            // After the group was looked for: whether a place can be begun at says nothing of one that has begun.
            let start = self.start_of(&config.source, config.settings.start)?;
            let epoch = loading::newest_progress(self.backing(), group)?.map_or(1, |progress| progress.epoch + 1);
            let progress = encode_progress(&loading::fresh(start, epoch));
            let append = Append::to(group.checkpoint_stream(), ExpectedRevision::Any, [progress]);
            let append = self.compacted(append, &group.checkpoint_stream())?;
            Ok((self.registry.change_of(Action::Created, &config), append))
        })
    }

    /// Changes the settings of a group. Its consumers are dropped and have to connect again. `start` is only where a group begins that is
    /// reset.
    ///
    /// # Errors
    /// `NoSuchGroup`; `Setting` for settings out of bounds; `Store`.
    pub fn update(&self, group: &GroupName, settings: GroupSettings) -> Result<(), GroupError> {
        settings.check()?;
        let place = self.registry.place(group)?;
        let mut here = place.lock();
        self.registry.change(|catalog| {
            let no_such = || GroupError::NoSuchGroup { group: group.to_string() };
            let before = catalog.get(group).ok_or_else(no_such)?;
            let config = GroupConfig { settings: settings.clone(), ..before.clone() };
            Ok((self.registry.change_of(Action::Updated, &config), Append::new()))
        })?;
        // The change stands. What cannot be written of the progress is delivered again.
        let _ = end(here.take(), "the settings of the group were changed");
        Ok(())
    }

    /// Deletes a group, its progress and its parked messages; their events stay in the log.
    ///
    /// # Errors
    /// `NoSuchGroup`; `Store`.
    pub fn delete(&self, group: &GroupName) -> Result<(), GroupError> {
        let place = self.registry.place(group)?;
        let mut here = place.lock();
        let config = self.registry.config(group)?;
        // Before, so that nothing is written to its streams afterwards. What cannot be written now is deleted anyway.
        let _ = end(here.take(), "the group was deleted");
        self.registry.change(|catalog| {
            if catalog.get(group).is_none() {
                return Err(GroupError::NoSuchGroup { group: group.to_string() });
            }
            let mut append = Append::new();
            for stream in [group.checkpoint_stream(), group.parked_stream()] {
                if let StreamStatus::Live { .. } = self.status(&stream)? {
                    append = append.delete(stream, ExpectedRevision::Any);
                }
            }
            Ok((self.registry.change_of(Action::Deleted, &config), append))
        })
    }

    /// What all groups are, in the order of their names.
    ///
    /// # Errors
    /// `Store`.
    pub fn list(&self) -> Result<Vec<GroupConfig>, GroupError> {
        self.registry.configs()
    }

    /// Where a group stands.
    ///
    /// # Errors
    /// `NoSuchGroup`; `Store`.
    pub fn info(&self, group: &GroupName) -> Result<GroupInfo, GroupError> {
        self.registry.group(group)?.info(Asking::Counts)
    }

    /// Where a group stands, for somebody who only watches: `since_last_asked` goes on counting from when [`info`](Self::info) was asked.
    ///
    /// # Errors
    /// `NoSuchGroup`; `Store`.
    pub fn watch(&self, group: &GroupName) -> Result<GroupInfo, GroupError> {
        self.registry.group(group)?.info(Asking::Passes)
    }

    /// Connects a consumer.
    ///
    /// # Errors
    /// `NoSuchGroup`; `Setting` for options out of bounds; `MaximumSubscribers`; `Store`.
    pub fn connect(&self, group: &GroupName, options: &ConsumerOptions) -> Result<Consumer, GroupError> {
        options.check()?;
        Consumer::connect(self.registry.group(group)?, options)
    }

    /// The parked messages of a group in the order of the source, from a position on, at most `max`.
    ///
    /// # Errors
    /// `NoSuchGroup`; `Store`.
    pub fn parked(&self, group: &GroupName, from: Position, max: usize) -> Result<Vec<ParkedMessage>, GroupError> {
        let live = self.registry.group(group)?;
        let entries = live.parked(from, max.min(limits::BATCH_EVENTS));
        Ok(parked::messages(self.backing(), live.config(), &entries)?)
    }

    /// Delivers parked messages again; answers with how many. That they were asked for is durable, and they stay parked until they are acked: whoever
    /// follows the group after a crash gets them.
    ///
    /// # Errors
    /// `NoSuchGroup`; `NotParked`; `Store`.
    pub fn replay(&self, group: &GroupName, which: Replay) -> Result<u64, GroupError> {
        self.registry.group(group)?.replay(which)
    }

    /// Gives parked messages up, durably; answers with how many.
    ///
    /// # Errors
    /// `NoSuchGroup`; `NotParked`; `Store`.
    pub fn discard_parked(&self, group: &GroupName, which: Discard) -> Result<u64, GroupError> {
        self.registry.group(group)?.discard_parked(which)
    }

    /// Makes durable what has been settled: none of it is delivered again, whatever happens.
    ///
    /// # Errors
    /// `NoSuchGroup`; `Store`.
    pub fn flush(&self, group: &GroupName) -> Result<(), GroupError> {
        self.registry.group(group)?.flush()
    }

    /// Begins anew at `from`. Consumers are dropped and have to connect again.
    ///
    /// # Errors
    /// `NoSuchGroup`; `BeyondHead` for a beginning that does not exist yet; `Setting` for one its source does not have; `Store`.
    pub fn reset(&self, group: &GroupName, from: From, parked: ParkedOnReset) -> Result<(), GroupError> {
        let place = self.registry.place(group)?;
        let mut here = place.lock();
        let config = self.registry.config(group)?;
        let start = self.start_of(&config.source, from)?;
        end(here.take(), "the group was reset")?;
        let before = loading::progress(self.backing(), group)?;
        let mut progress = loading::fresh(start, before.epoch + 1);
        let hidden = match parked {
            ParkedOnReset::Keep => {
                progress.resolved = before.resolved;
                None
            }
            ParkedOnReset::Discard => match self.status(&group.parked_stream())? {
                StreamStatus::Live { last, .. } => Some(last.next()),
                StreamStatus::Missing | StreamStatus::SoftDeleted { .. } | StreamStatus::Tombstoned { .. } => None,
            },
        };
        let document = encode_progress(&progress);
        let mut append = Append::to(group.checkpoint_stream(), ExpectedRevision::Any, [document]);
        if let Some(first) = hidden {
            append = hide_before(append, self.backing(), &group.parked_stream(), first)?;
        }
        self.backing().commit(append).wait().map_err(failure)?;
        Ok(())
    }

    fn status(&self, stream: &StreamName) -> Result<StreamStatus, GroupError> {
        Ok(visible::status(&self.backing().library, stream, self.backing().to(), self.backing().now())?)
    }

    /// Adds to a commit that readers of a stream see its newest event only, if they do not yet.
    fn compacted(&self, append: Append, stream: &StreamName) -> Result<Append, GroupError> {
        let document = visible::metadata_event(&self.backing().library, stream, self.backing().to())?;
        let metadata = document.map(|event| StreamMetadata::parse(event.view().data));
        if metadata.and_then(|metadata| metadata.max_count) == Some(1) {
            return Ok(append);
        }
        let event = EventData::json(EventType::trusted(system::METADATA), KEEP_ONE);
        Ok(append.stream(stream.metadata_stream()?, ExpectedRevision::Any, [event]))
    }

    /// The position at which a group begins.
    fn start_of(&self, source: &Source, from: From) -> Result<Position, GroupError> {
        let (library, head) = (&self.backing().library, self.backing().to());
        match (from, source) {
            (From::Beginning, _) => Ok(Position::START),
            (From::Now, _) => Ok(head),
            (From::Position(position), _) if position > head => Err(GroupError::BeyondHead { position, head }),
            (From::Position(position), _) => Ok(position),
            (From::Time(time), _) if time > self.backing().now() => {
                Err(setting("start", format!("time {time}"), "a time that has come"))
            }
            (From::Time(time), _) => Ok(library.log.position_at(time, head)?),
            (From::Revision(revision), Source::Stream(stream)) => self.position_of(stream, revision, head),
            (From::Revision(revision), Source::All | Source::Query(_)) => Err(setting(
                "start",
                format!("revision {revision}"),
                "a position or a time: only streams have revisions",
            )),
        }
    }

    fn position_of(&self, stream: &StreamName, revision: Revision, head: Position) -> Result<Position, GroupError> {
        let index = &self.backing().library.index;
        let count = index.count(term_of(stream), head)?;
        if revision.0 == count {
            return Ok(head);
        }
        index.nth(term_of(stream), revision.0, head)?.ok_or_else(|| {
            setting(
                "start",
                format!("revision {revision}"),
                format!("at most {count}, the next revision of the stream"),
            )
        })
    }
}

/// Ends the life of a group that is in use.
fn end(group: Option<Arc<LiveGroup>>, reason: &str) -> Result<(), GroupError> {
    group.map_or(Ok(()), |group| group.end(GroupError::Dropped { reason: reason.to_owned() }))
}

fn check_source(group: &GroupName, source: &Source) -> Result<(), GroupError> {
    let (shown, fits) = match source {
        Source::Stream(stream) => (stream.as_str(), group.stream() == Some(stream)),
        Source::All => ("$all", group.stream().is_none()),
        Source::Query(query) => {
            query.check()?;
            ("a query", group.stream().is_none())
        }
    };
    if fits {
        Ok(())
    } else {
        Err(setting("source", shown, format!("what the group is named for: {}", group.source())))
    }
}

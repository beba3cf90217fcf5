//! A group's state as its streams have it.

use super::{
    backing::Backing,
    documents::{ParkedNote, decode_progress},
};
use crate::{
    error::{Error, ErrorKind, Result},
    limits,
    position::{Position, Revision},
    read::{
        Direction, From, ReadOptions, Source, StreamStatus,
        cursor::{Advance, Budget, Cursor},
        visible,
    },
    subscribe::{
        GroupName,
        group_state::{Intervals, ParkedEntry, Progress},
    },
};

/// The newest progress of a group, also of one that was deleted; `None` if it never had any.
pub(super) fn newest_progress(backing: &Backing, group: &GroupName) -> Result<Option<Progress>> {
    let (library, to) = (&backing.library, backing.to());
    let Some((_, position)) = library.index.stream_last(&group.checkpoint_stream(), to)? else { return Ok(None) };
    let event = library.log.event(position)?;
    decode_progress(&event.view(), to).map(Some)
}

/// The progress of a group that exists.
pub(super) fn progress(backing: &Backing, group: &GroupName) -> Result<Progress> {
    newest_progress(backing, group)?.ok_or_else(|| {
        let what = format!("consumer group has no progress, group={group} stream={}", group.checkpoint_stream());
        Error::corrupted(what, "log", backing.to().0)
    })
}

/// The parked messages of a group that are not resolved; and the first one that is not hidden, even if it is: from it the state knows what
/// it can hide.
pub(super) fn parked(backing: &Backing, group: &GroupName, resolved: &Intervals) -> Result<Vec<ParkedEntry>> {
    let mut entries = Vec::new();
    each_parked(backing, group, Revision::START, |revision, note, _| {
        if resolved.contains(revision.0) && !entries.is_empty() {
            return Ok(Continue::Yes);
        }
        if entries.len() > limits::GROUP_PARKED_MAX {
            let max = limits::GROUP_PARKED_MAX;
            return Err(Error::new(
                ErrorKind::Corrupted,
                format!("consumer group has more parked messages than it may, group={group} max={max}"),
            ));
        }
        entries.push(ParkedEntry { position: note.position, revision, key: note.key });
        Ok(Continue::Yes)
    })?;
    Ok(entries)
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Continue {
    Yes,
    No,
}

/// Calls `see` with the parked links of a group from a revision on, as far as they are not hidden.
pub(super) fn each_parked(
    backing: &Backing,
    group: &GroupName,
    from: Revision,
    mut see: impl FnMut(Revision, ParkedNote, crate::event::EventRef<'_>) -> Result<Continue>,
) -> Result<()> {
    let (stream, to) = (group.parked_stream(), backing.to());
    let library = &backing.library;
    let StreamStatus::Live { first, .. } = visible::status(library, &stream, to, backing.now())? else {
        return Ok(());
    };
    let options =
        ReadOptions { direction: Direction::Forward, from: From::Revision(from.max(first)), ..ReadOptions::default() };
    let mut cursor = Cursor::open(library.clone(), &Source::Stream(stream), &options, to)?;
    let budget = Budget { events: limits::BATCH_EVENTS, bytes: limits::BATCH_BYTES };
    loop {
        match cursor.advance(to, budget)? {
            Advance::Events(batch) => {
                for event in batch.iter() {
                    if see(event.revision, ParkedNote::read(&event)?, event)? == Continue::No {
                        return Ok(());
                    }
                }
            }
            Advance::Nothing => {}
            Advance::End => return Ok(()),
        }
    }
}

/// A reason as it is kept.
pub(super) fn shortened(reason: &str) -> &str {
    let end = reason.floor_char_boundary(limits::GROUP_REASON_BYTES_MAX);
    &reason[..end]
}

/// The progress of a group that begins at `checkpoint`.
pub(super) fn fresh(checkpoint: Position, epoch: u64) -> Progress {
    Progress { checkpoint, epoch, ..Progress::default() }
}

//! Link events: `$>`, whose data is `revision@stream`.

use super::{Library, visible};
use crate::{
    error::Result,
    event::{EventRef, Link},
    index::Term,
    log::StoredEvent,
    name::{StreamName, system},
    position::{Position, Revision},
};

/// What a link points to, if `event` is one and its data can be read.
fn target<'a>(event: &EventRef<'a>) -> Option<(Revision, &'a str)> {
    if event.event_type != system::LINK {
        return None;
    }
    let (revision, stream) = std::str::from_utf8(event.data).ok()?.split_once('@')?;
    StreamName::new(stream).ok()?;
    Some((Revision(revision.parse().ok()?), stream))
}

/// The event a link points to, and the link as the way to it. `None` when `event` is no link, or its target is gone: hidden,
/// deleted, or never written. A link to a link is followed once.
pub(super) fn resolve(
    library: &Library,
    event: &StoredEvent,
    to: Position,
) -> Result<Option<(StoredEvent, Box<Link>)>> {
    let view = event.view();
    let Some((revision, stream)) = target(&view) else {
        return Ok(None);
    };
    let status = visible::status(library, stream, to, library.clock.now())?;
    let readable = matches!(status, visible::StreamStatus::Live { first, last } if (first..=last).contains(&revision));
    if !readable {
        return Ok(None);
    }
    let Some(position) = library.index.nth(Term::Stream(stream), revision.0, to)? else {
        return Ok(None);
    };
    let link = Link {
        stream: StreamName::trusted(view.stream),
        revision: view.revision,
        position: view.position,
        id: view.id,
        recorded_at: view.recorded_at,
    };
    Ok(Some((library.log.event(position)?, Box::new(link))))
}

//! A read in progress.

use std::{collections::VecDeque, sync::Arc};

use super::{
    AsOf, Batch, Library, ReadOptions, Source,
    cursor::{Advance, Budget, Cursor},
};
use crate::{
    clock::ManualClock,
    error::{Error, Result},
    event::RecordedEvent,
    measures::Meters,
    position::{Position, Timestamp},
};

/// A read in progress, pinned at the head it began with. Pull-based; holds no lock and no more memory than a batch.
///
/// Iterating yields owned events.
#[derive(Debug)]
pub struct Read {
    cursor: Cursor,
    meters: Arc<Meters>,
    to: Position,
    left: u64,
    budget: Budget,
    /// Events of the last batch that the iterator has not yielded yet.
    ahead: VecDeque<RecordedEvent>,
    ended: bool,
}

impl Read {
    pub(crate) fn open(library: &Library, source: &Source, options: &ReadOptions, head: Position) -> Result<Self> {
        let to = pin(library, options.as_of, head)?;
        let library = at_its_time(library, options.as_of)?;
        Ok(Self {
            meters: Arc::clone(&library.meters),
            cursor: Cursor::open(library, source, options, to)?,
            to,
            left: options.limit.unwrap_or(u64::MAX),
            budget: budget(options)?,
            ahead: VecDeque::new(),
            ended: false,
        })
    }

    /// The next batch; `None` at the end.
    ///
    /// # Errors
    /// `Corrupted` for bad bytes, `Unavailable` when a file cannot be read. The read has ended then.
    pub fn next_batch(&mut self) -> Result<Option<Batch>> {
        while !self.ended && self.left > 0 {
            let events = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.budget.events);
            match self.cursor.advance(self.to, Budget { events, ..self.budget }) {
                Ok(Advance::Events(batch)) => {
                    self.left -= batch.len() as u64;
                    self.meters.handed_out(batch.len(), batch.bytes());
                    return Ok(Some(batch));
                }
                Ok(Advance::Nothing) => {}
                Ok(Advance::End) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    /// The head the read is pinned at: it sees every position below and none from here on.
    #[must_use]
    pub fn head(&self) -> Position {
        self.to
    }
}

impl Iterator for Read {
    type Item = Result<RecordedEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ahead.is_empty() {
            match self.next_batch() {
                Ok(Some(batch)) => self.ahead = batch.to_recorded().into(),
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
        self.ahead.pop_front().map(Ok)
    }
}

/// The budget the options ask for.
pub(crate) fn budget(options: &ReadOptions) -> Result<Budget> {
    if options.batch_events == 0 || options.batch_bytes == 0 {
        let (events, bytes) = (options.batch_events, options.batch_bytes);
        return Err(Error::invalid(format!(
            "batches must be able to hold an event, batch_events={events} batch_bytes={bytes}"
        )));
    }
    Ok(Budget { events: options.batch_events, bytes: options.batch_bytes })
}

/// The library as a reader of the past sees it: his clock shows the time of what he reads, so that he finds too old (`$maxAge`) what was too
/// old then.
fn at_its_time(library: &Library, as_of: Option<AsOf>) -> Result<Library> {
    let now = library.clock.now();
    let then = match as_of {
        None => return Ok(library.clone()),
        Some(AsOf::Position(last)) => library.log.event(last)?.recorded_at(),
        Some(AsOf::Time(time)) => time,
    };
    Ok(Library { clock: Arc::new(ManualClock::at(then.min(now))), ..library.clone() })
}

/// The head a reader of the past sees.
pub(crate) fn pin(library: &Library, as_of: Option<AsOf>, head: Position) -> Result<Position> {
    match as_of {
        None => Ok(head),
        Some(AsOf::Position(last)) if last >= head => {
            Err(Error::invalid(format!("position is not recorded yet, position={last} head={head}")))
        }
        Some(AsOf::Position(last)) => Ok(last.next()),
        Some(AsOf::Time(time)) => match time.0.checked_add(1) {
            Some(next) => library.log.position_at(Timestamp(next), head),
            None => Ok(head),
        },
    }
}

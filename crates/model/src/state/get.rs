//! Asking for a state: which, how fresh, and then `.wait()` or `.await`.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    time::Duration,
};

use gesta_store::{AsOf, ErrorKind, Position, ReadOptions, Timestamp};

use super::{
    Explain, Moment, ReadLevel, Reader, State,
    load::{self, Loaded},
};
use crate::{
    error::{Error, Result},
    model::Model,
};

/// A question for a state. [`wait`](Get::wait) for the answer, or `.await` it; both read on the thread that asks.
#[must_use = "a question is asked by `.wait()` or `.await`"]
#[derive(Debug)]
pub struct Get<'d, M: Model> {
    reader: &'d Reader,
    key: M::Key,
    level: ReadLevel,
    timeout: Option<Duration>,
}

impl<'d, M: Model> Get<'d, M> {
    pub(crate) fn new(reader: &'d Reader, key: M::Key) -> Self {
        Self { reader, key, level: ReadLevel::Latest, timeout: None }
    }

    /// With this freshness.
    pub fn level(mut self, level: ReadLevel) -> Self {
        self.level = level;
        self
    }

    /// At least what `token` stands for, such as the position of a receipt. A token of another store may stand for what is never recorded here: where that can be,
    /// [`wait`](Get::wait) with a [`timeout`](Get::timeout).
    pub fn at_least(self, token: impl Into<Token>) -> Self {
        let Token(position) = token.into();
        self.level(position.map_or(ReadLevel::Latest, ReadLevel::AtLeast))
    }

    /// What is cached, if it was checked no longer ago than `age`. With an age of zero, the latest.
    pub fn stale(self, age: Duration) -> Self {
        self.level(ReadLevel::Stale(age))
    }

    /// As of a position, a time or a revision. A time that has not come yet is now.
    pub fn as_of(self, moment: impl Into<Moment>) -> Self {
        self.level(ReadLevel::AsOf(moment.into()))
    }

    /// At most how long [`wait`](Get::wait) waits for what `at_least` asks for. For ever, unless said.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The state.
    ///
    /// # Errors
    /// An event on the model's path that cannot be read, unless the model skips such; a panic of its code; `Unanswerable` for a moment that is
    /// not recorded yet, or a key that names nothing; what the store may fail with.
    pub fn wait(self) -> Result<State<M>> {
        self.explain().map(|(state, _)| state)
    }

    /// The state, and how it came about.
    ///
    /// # Errors
    /// As [`wait`](Get::wait).
    pub fn explain(self) -> Result<(State<M>, Explain)> {
        if let ReadLevel::AtLeast(position) = self.level {
            self.reader.store.head().wait_past(position, self.timeout)?;
        }
        self.answer()
    }

    /// The answer, once everything it needs is recorded.
    fn answer(&self) -> Result<(State<M>, Explain)> {
        let clock = &self.reader.options.clock;
        let started = clock.elapsed();
        let Loaded { known, base, events, .. } = self.load()?;
        let (head, skipped) = (known.head, known.skipped);
        let took = clock.elapsed().saturating_sub(started);
        let state = State::of(known);
        let parked = state.parked().len() as u64;
        Ok((state, Explain { base, events, skipped, parked, head, took }))
    }

    fn load(&self) -> Result<Loaded<M>> {
        let (reader, key) = (self.reader, &self.key);
        let store = &reader.store;
        let head = store.head().position();
        let slot = reader.cache.slot::<M>(key)?;
        // What was checked in this very moment may still lack what came after, if the clock is coarse: no staleness is none.
        if let ReadLevel::Stale(age) = self.level
            && !age.is_zero()
        {
            let known = slot.lock().clone();
            let now = reader.options.clock.elapsed();
            if let Some(known) = known.filter(|known| now.saturating_sub(known.checked_at) <= age) {
                return Ok(Loaded::cached(known));
            }
        }
        match self.level {
            ReadLevel::Latest | ReadLevel::AtLeast(_) | ReadLevel::Stale(_) => {
                load::load_latest(reader, key, &slot, head)
            }
            ReadLevel::AsOf(Moment::Position(last)) => load::load_as_of(reader, key, &slot, head_after(last, head)?),
            ReadLevel::AsOf(Moment::Time(time)) => load::load_as_of(reader, key, &slot, head_at(reader, time)?),
            ReadLevel::AsOf(Moment::Revision(revision)) => {
                let then = load::head_at_revision::<M>(store, &slot.scope, revision, head)?;
                load::load_as_of(reader, key, &slot, then)
            }
        }
    }
}

/// The head there was when `last` was the last event, if it is recorded.
pub(super) fn head_after(last: Position, head: Position) -> Result<Position> {
    if last < head {
        return Ok(last.next());
    }
    Err(Error::Unanswerable(format!("position is not recorded yet, position={last} head={head}")))
}

/// The head there was at the end of a nanosecond.
pub(super) fn head_at(reader: &Reader, time: Timestamp) -> Result<Position> {
    let options = ReadOptions { as_of: Some(AsOf::Time(time)), limit: Some(0), ..ReadOptions::default() };
    match reader.store.read_all(options) {
        Ok(read) => Ok(read.head()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Position::START),
        Err(error) => Err(error.into()),
    }
}

impl<'d, M: Model> IntoFuture for Get<'d, M> {
    type Output = Result<State<M>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'd>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            if let ReadLevel::AtLeast(position) = self.level {
                self.reader.store.head().past(position).await?;
            }
            self.answer().map(|(state, _)| state)
        })
    }
}

/// What a state must at least have seen; nothing, if nothing was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(pub Option<Position>);

impl From<Position> for Token {
    fn from(position: Position) -> Self {
        Self(Some(position))
    }
}

impl From<&gesta_store::Appended> for Token {
    fn from(appended: &gesta_store::Appended) -> Self {
        Self(appended.last_position)
    }
}

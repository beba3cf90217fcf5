//! The rules of a consumer group: what happens to which message when, as a function of what was done and of time as a value.
#![allow(unused_variables, dead_code)] // SKELETON

mod intervals;
mod rules;
mod words;

use std::{marker::PhantomData, time::Duration};

pub(crate) use intervals::Intervals;
pub(crate) use rules::{Rules, StrategyRule};
pub(crate) use words::{
    ConsumerFacts, ConsumerId, Delivered, Facts, Offer, Park, ParkReason, ParkedEntry, Progress, Reach, Urgency, Write,
    Written,
};

use super::group_error::{Discard, GroupError, MessageId, Nack, Replay};
use crate::position::Position;

/// Where every message of a group is.
#[derive(Debug)]
pub(crate) struct GroupState<M>(PhantomData<M>);

impl<M: Clone> GroupState<M> {
    pub(crate) fn new(rules: Rules, progress: Progress, parked: Vec<ParkedEntry>, now: Duration) -> Self {
        unimplemented!("skeleton")
    }
    /// How many events may be offered now.
    pub(crate) fn room(&self) -> usize {
        unimplemented!("skeleton")
    }
    /// Takes the next event of the source.
    pub(crate) fn offer(&mut self, offer: Offer<M>, now: Duration) {
        unimplemented!("skeleton")
    }
    /// Everything below `to` was offered or does not match.
    pub(crate) fn considered(&mut self, to: Position, reach: Reach) {
        unimplemented!("skeleton")
    }
    pub(crate) fn connect(&mut self, slots: usize, now: Duration) -> Result<ConsumerId, GroupError> {
        unimplemented!("skeleton")
    }
    pub(crate) fn set_slots(&mut self, consumer: ConsumerId, slots: usize) -> Result<(), GroupError> {
        unimplemented!("skeleton")
    }
    pub(crate) fn disconnect(&mut self, consumer: ConsumerId, now: Duration) {
        unimplemented!("skeleton")
    }
    /// Gives waiting messages to consumers with room. To be called after every change.
    pub(crate) fn dispatch(&mut self, now: Duration) {
        unimplemented!("skeleton")
    }
    pub(crate) fn take(
        &mut self,
        consumer: ConsumerId,
        max: usize,
        out: &mut Vec<Delivered<M>>,
        now: Duration,
    ) -> Result<(), GroupError> {
        unimplemented!("skeleton")
    }
    pub(crate) fn has_deliveries(&self, consumer: ConsumerId) -> bool {
        unimplemented!("skeleton")
    }
    /// Who has got messages, or was dropped, since this was last asked.
    pub(crate) fn ready_consumers(&mut self) -> Vec<ConsumerId> {
        unimplemented!("skeleton")
    }
    pub(crate) fn ack(&mut self, consumer: ConsumerId, ids: &[MessageId], now: Duration) -> Result<(), GroupError> {
        unimplemented!("skeleton")
    }
    pub(crate) fn nack(
        &mut self,
        consumer: ConsumerId,
        ids: &[MessageId],
        action: Nack,
        reason: &str,
        now: Duration,
    ) -> Result<(), GroupError> {
        unimplemented!("skeleton")
    }
    /// Timeouts, and retries that are due.
    pub(crate) fn tick(&mut self, now: Duration) {
        unimplemented!("skeleton")
    }
    /// When `tick` or `write_due` will next have something to say.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        unimplemented!("skeleton")
    }
    pub(crate) fn write_due(&self, now: Duration) -> bool {
        unimplemented!("skeleton")
    }
    /// What is to be written; `None` when there is nothing, or a write is under way. `end_write` must follow.
    pub(crate) fn begin_write(&mut self, urgency: Urgency, now: Duration) -> Option<Write<M>> {
        unimplemented!("skeleton")
    }
    pub(crate) fn end_write(&mut self, written: Written, now: Duration) {
        unimplemented!("skeleton")
    }
    /// Marks parked messages to be delivered again: how many.
    pub(crate) fn replay(&mut self, which: Replay, now: Duration) -> Result<u64, GroupError> {
        unimplemented!("skeleton")
    }
    /// Parked messages whose bodies are to be loaded and offered by `offer_replay`, at most `max`.
    pub(crate) fn wanted_replays(&self, max: usize) -> Vec<ParkedEntry> {
        unimplemented!("skeleton")
    }
    /// Takes the body of a wanted replay. If it is gone, call `discard_parked` instead.
    pub(crate) fn offer_replay(&mut self, offer: Offer<M>, now: Duration) {
        unimplemented!("skeleton")
    }
    /// Gives parked messages up: how many.
    pub(crate) fn discard_parked(&mut self, which: Discard, now: Duration) -> Result<u64, GroupError> {
        unimplemented!("skeleton")
    }
    /// The parked messages in the order of the source, beginning at a position, at most `max`.
    pub(crate) fn parked(&self, from: Position, max: usize) -> Vec<ParkedEntry> {
        unimplemented!("skeleton")
    }
    pub(crate) fn facts(&self) -> Facts {
        unimplemented!("skeleton")
    }
}

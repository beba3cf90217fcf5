//! Where a group stands, in the words of those who monitor KurrentDB's.

use std::time::Duration;

use gesta_store::{AnswerTimes, ConsumerInfo, From, GroupInfo, GroupSettings, GroupStatus, Position, Revision};

use super::strategy;
use crate::proto::event_store::client::persistent_subscriptions::{
    SubscriptionInfo,
    subscription_info::{ConnectionInfo, Measurement},
};

/// Where a consumer comes from, as far as the server knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: String,
    /// Who it says it is.
    pub user: String,
}

/// Two places of a group's source, as clients write them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The last event everything up to which is settled, durably; empty if there is none.
    pub checkpointed: String,
    /// The last event there is; empty if there is none.
    pub last_known: String,
}

/// A position as clients write it.
#[must_use]
pub fn position(Position(position): Position) -> String {
    format!("C:{position}/P:{position}")
}

/// A revision as clients write it.
#[must_use]
pub fn revision(Revision(revision): Revision) -> String {
    revision.to_string()
}

/// Where a group stands. `peer` tells of a consumer by its number.
#[must_use]
pub fn to_wire(info: &GroupInfo, places: Places, peer: impl Fn(u64) -> Peer) -> SubscriptionInfo {
    let settings = &info.config.settings;
    let is_live = is_live(info);
    SubscriptionInfo {
        event_source: info.config.name.source().to_owned(),
        group_name: info.config.name.name().to_owned(),
        status: if is_live { "Live" } else { "Behind" }.to_owned(),
        connections: info.consumers.iter().map(|consumer| connection(consumer, peer(consumer.number))).collect(),
        average_per_second: small(info.average_per_second),
        total_items: large(info.total),
        count_since_last_measurement: large(info.since_last_asked),
        last_checkpointed_event_position: places.checkpointed,
        last_known_event_position: places.last_known,
        resolve_link_tos: settings.resolve_links,
        start_from: start(settings, info.config.name.stream().is_some()),
        message_timeout_milliseconds: millis(settings.message_timeout.unwrap_or_default()),
        extra_statistics: settings.extra_statistics,
        max_retry_count: small(settings.max_retry_count.into()),
        live_buffer_size: count(settings.live_buffer),
        buffer_size: count(settings.history_buffer),
        read_batch_size: count(settings.read_batch),
        check_point_after_milliseconds: millis(settings.checkpoint_after),
        min_check_point_count: small(settings.min_checkpoint_count.into()),
        max_check_point_count: small(settings.max_checkpoint_count.into()),
        read_buffer_count: if is_live { 0 } else { count(info.buffered) },
        live_buffer_count: if is_live { count(info.buffered).into() } else { 0 },
        retry_buffer_count: count(info.retrying),
        total_in_flight_messages: count(info.in_flight),
        outstanding_messages_count: count(info.in_flight),
        named_consumer_strategy: strategy::name(&settings.strategy),
        max_subscriber_count: count(settings.max_subscribers),
        parked_message_count: large(info.parked),
    }
}

/// Whether there is nothing behind: a group nobody is connected to does not read, and is live if there is nothing to be read.
fn is_live(info: &GroupInfo) -> bool {
    info.status == GroupStatus::Live || (info.status == GroupStatus::Idle && info.lag_events == 0)
}

fn connection(consumer: &ConsumerInfo, peer: Peer) -> ConnectionInfo {
    ConnectionInfo {
        from: peer.address,
        username: peer.user,
        average_items_per_second: small(consumer.average_per_second),
        total_items: large(consumer.total),
        count_since_last_measurement: large(consumer.since_last_asked),
        observed_measurements: consumer.answer_times.iter().flat_map(measurements).collect(),
        available_slots: count(consumer.slots.saturating_sub(consumer.in_flight)),
        in_flight_messages: count(consumer.in_flight),
        connection_name: consumer.name.clone(),
    }
}

/// How long answers took, in milliseconds.
fn measurements(times: &AnswerTimes) -> impl Iterator<Item = Measurement> + use<> {
    times.named().into_iter().map(|(key, time)| Measurement { key: key.to_owned(), value: millis(time).into() })
}

/// The beginning that was asked for. A time is none in this protocol; it is told as the beginning.
fn start(settings: &GroupSettings, is_on_stream: bool) -> String {
    let number = match settings.start {
        From::Beginning | From::Time(_) => "0".to_owned(),
        From::Now => "-1".to_owned(),
        From::Revision(Revision(number)) | From::Position(Position(number)) => number.to_string(),
    };
    if is_on_stream { number } else { format!("C:{number}/P:{number}") }
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn small(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn large(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

//! Consumer groups of a soak, two consumers each: they ack, fail, park, leave messages until their time is over, and are gone with messages in their
//! hands. What counts is what was acked and not refused, and what is parked at the end: together each event exactly once.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use gesta_store::{
    AfterPark, Consumer, ConsumerOptions, EventStore, GroupError, GroupName, GroupSettings, KeyOf, Message, MessageId,
    Nack, Position, Source, Strategy,
};

use crate::{
    scope::{Scope, Tally, mix},
    subscribers::{CALM, REST, STALL, Temper},
};

/// Messages taken at once.
const BATCH: usize = 50;

pub(crate) fn create(store: &EventStore, number: usize, scope: Scope) -> GroupName {
    let strategy = match number % 5 {
        0 => Strategy::RoundRobin,
        1 => Strategy::DispatchToSingle,
        2 => Strategy::Pinned,
        3 => Strategy::PinnedByCorrelation,
        _ => {
            let after_park = if number.is_multiple_of(2) { AfterPark::Flow } else { AfterPark::Hold };
            Strategy::KeyOrdered { key: KeyOf::Stream, after_park }
        }
    };
    let name = format!("soak-{number}");
    let group = match scope.source() {
        Source::Stream(stream) => GroupName::on_stream(stream, &name).unwrap(),
        Source::All | Source::Query(_) => GroupName::on_all(&name).unwrap(),
    };
    // Shorter than a stall, so that messages go to others meanwhile.
    let message_timeout = Some(STALL / 2);
    let settings = GroupSettings { strategy, message_timeout, read_batch: 100, ..GroupSettings::default() };
    store.groups().create(&group, scope.source(), settings).unwrap();
    group
}

/// Works until it is told that everything is done; what it acked.
pub(crate) fn consume(store: &EventStore, group: &GroupName, temper: Temper, done: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    let connect = || {
        let options = ConsumerOptions { name: format!("{temper:?}"), slots: 2 * BATCH };
        store.groups().connect(group, &options).unwrap()
    };
    let mut consumer = connect();
    for turn in 1_u64.. {
        let messages = consumer.next(BATCH, Some(Duration::from_millis(200))).unwrap();
        if messages.is_empty() && done.load(Ordering::Relaxed) {
            break;
        }
        match temper {
            Temper::Slow => thread::sleep(REST),
            Temper::Stalling if turn % CALM == 0 => thread::sleep(STALL),
            Temper::Dying if turn % CALM == 7 => {
                // Dropped with what it has.
                consumer = connect();
                continue;
            }
            Temper::Fast | Temper::Failing | Temper::Stalling | Temper::Dying => {}
        }
        let failing = |message: &&Message| temper == Temper::Failing && fails(message).is_some();
        for message in messages.iter().filter(failing) {
            let nacked = consumer.nack(&[message.id], fails(message).unwrap_or(Nack::Park), "the soak has it so");
            nacked.unwrap();
        }
        let well: Vec<MessageId> =
            messages.iter().filter(|message| !failing(message)).map(|message| message.id).collect();
        ack(&consumer, &well, &mut tally);
    }
    tally
}

/// What becomes of a message the first time, of few.
fn fails(message: &Message) -> Option<Nack> {
    match mix(message.id.0.0) % 4000 {
        0 => Some(Nack::Park),
        1..20 if message.retries == 0 => Some(Nack::Retry { after: Duration::from_millis(20) }),
        _ => None,
    }
}

fn ack(consumer: &Consumer, ids: &[MessageId], tally: &mut Tally) {
    let refused = match consumer.ack(ids) {
        Ok(()) => Vec::new(),
        // Its time was over, and somebody else has it, or had it.
        Err(GroupError::NotInFlight { refused }) => refused.into_iter().map(|one| one.id).collect(),
        Err(error) => panic!("{error}"),
    };
    ids.iter().filter(|id| !refused.contains(id)).for_each(|id| tally.add(id.0.0));
}

/// Whether a group has nothing left to do below `end`.
pub(crate) fn has_finished(store: &EventStore, group: &GroupName, end: u64) -> bool {
    let info = store.groups().info(group).unwrap();
    let left = info.buffered + info.retrying + info.in_flight + info.parking;
    // One that waits at the end has not looked at what others were woken for.
    left == 0 && (info.read_to.0 >= end || info.lag_events == 0)
}

/// What a group has parked.
pub(crate) fn parked(store: &EventStore, group: &GroupName) -> Tally {
    let mut tally = Tally::default();
    let mut from = Position::START;
    loop {
        let page = store.groups().parked(group, from, 1000).unwrap();
        let Some(last) = page.last() else { return tally };
        from = last.id.0.next();
        page.iter().for_each(|message| tally.add(message.id.0.0));
    }
}

//! What is recorded: the same events in every run, made from their numbers.
//!
//! Event *n* belongs to an `order-…` stream; every tenth event opens a new one, which gets its ten events spread over the next
//! 90 000. At any time 9 000 streams are alive, and a commit of a thousand events touches about a thousand streams. One event in
//! fifty belongs to a `ledger-…` stream instead: those have fifty events each, spread evenly over the whole log, so that reading one
//! touches every part of it. Ten event types, and `OrderFlagged` on one event in a hundred; one tag, `/accounts/…`, shared by the
//! ten streams of an account; 256 bytes of JSON; no metadata.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use gesta::{Append, Category, EventData, EventType, ExpectedRevision, StreamName, Tag};

/// Bytes of data of an event.
pub(super) const EVENT_BYTES: usize = 256;
/// Events of a `ledger-…` stream.
pub(super) const LEDGER_EVENTS: u64 = 50;

/// One event in so many belongs to a ledger.
const LEDGER_EVERY: u64 = 50;
/// Events of an `order-…` stream, and so how many events open one stream.
const ORDER_EVENTS: u64 = 10;
/// Streams opened between two events of an order, in a store that is large enough.
const STRIDE_MAX: u64 = 1000;
/// One event in so many is of the rare type.
const RARE_EVERY: u64 = 100;
const RARE: &str = "OrderFlagged";
const TYPES: [&str; 10] = [
    "OrderPlaced",
    "OrderPaid",
    "OrderPacked",
    "OrderShipped",
    "OrderDelivered",
    "OrderReturned",
    "OrderRefunded",
    "OrderNoted",
    "OrderMoved",
    "OrderClosed",
];

/// The events of a run.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    events: u64,
    stride: u64,
    ledgers: u64,
    types: Vec<EventType>,
    rare: EventType,
}

/// An event and where it goes.
pub(super) type Placed = (StreamName, EventData);

impl Workload {
    pub(super) fn new(events: u64) -> Self {
        Self {
            events,
            stride: (events / 1000).clamp(1, STRIDE_MAX),
            ledgers: (events / LEDGER_EVERY / LEDGER_EVENTS).max(1),
            types: TYPES.map(event_type).to_vec(),
            rare: event_type(RARE),
        }
    }

    /// How many events there are.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// The type one event in a hundred has.
    pub(super) fn rare(&self) -> EventType {
        self.rare.clone()
    }

    /// The category of the streams of fifty events. None of theirs is of the rare type.
    pub(super) fn ledger_category(&self) -> Category {
        Category::new("ledger").expect("a short name without control characters")
    }

    /// The streams of fifty events, of which all are complete when the log is.
    pub(super) fn ledgers(&self) -> impl Iterator<Item = StreamName> {
        (0..self.ledgers).map(ledger)
    }

    /// Streams of ten events that were complete when the log had `filled` events: up to `count`, from all over it.
    pub(super) fn orders(&self, filled: u64, count: u64) -> Vec<StreamName> {
        let complete = (filled / ORDER_EVENTS).saturating_sub((ORDER_EVENTS - 1) * self.stride).max(1);
        (0..count).map(|n| order(ORDER_EVENTS * self.stride + scattered(n) % complete)).collect()
    }

    /// Accounts of orders that began before the log had `filled` events: `count`, from all over it.
    pub(super) fn accounts(&self, filled: u64, count: u64) -> Vec<Tag> {
        let streams = (filled / ORDER_EVENTS).max(1);
        (0..count).map(|n| account(ORDER_EVENTS * self.stride + scattered(n) % streams)).collect()
    }

    /// Event number `n`.
    pub(super) fn event(&self, n: u64) -> Placed {
        let order_number = self.order_number(n);
        let stream = if n % LEDGER_EVERY == LEDGER_EVERY - 1 {
            ledger((n / LEDGER_EVERY) % self.ledgers)
        } else {
            order(order_number)
        };
        let event_type = if n % RARE_EVERY == 37 { &self.rare } else { &self.types[(n % ORDER_EVENTS) as usize] };
        (stream, EventData::json(event_type.clone(), data(n)).with_tag(account(order_number)))
    }

    /// Of ten events in a row, the first belongs to a stream just opened, the others to one opened a stride earlier each.
    fn order_number(&self, n: u64) -> u64 {
        n / ORDER_EVENTS + (ORDER_EVENTS - n % ORDER_EVENTS) * self.stride
    }

    /// Events as one commit.
    pub(super) fn commit(events: impl IntoIterator<Item = Placed>) -> Append {
        let add = |append: Append, (stream, event)| append.stream(stream, ExpectedRevision::Any, [event]);
        events.into_iter().fold(Append::new(), add)
    }

    /// Bytes of names and data of an event: what no store could leave out.
    pub(super) fn bytes((stream, event): &Placed) -> u64 {
        let tags: usize = event.tags.iter().map(|tag| tag.len()).sum();
        (stream.len() + event.event_type.len() + tags + event.data.len()) as u64
    }

    /// Time it takes to make an event, which is the client's work and not the store's: the best of several rounds.
    pub(super) fn cost(&self) -> Duration {
        const EVENTS: u32 = 10_000;
        let round = |range: Range<u64>| {
            let begun = Instant::now();
            range.for_each(|n| drop(std::hint::black_box(self.event(n))));
            begun.elapsed()
        };
        (0..5).map(|_| round(0..u64::from(EVENTS)) / EVENTS).min().unwrap_or_default()
    }
}

/// Durable appends of one event each, into a stream of the client's own.
pub(super) fn single(client: usize, n: u64) -> Placed {
    let stream = StreamName::new(format!("client-{client}")).expect("a short name without control characters");
    (stream, EventData::json(event_type(TYPES[0]), data(n)))
}

/// Numbers without order, the same in every run.
pub(super) fn scattered(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

fn event_type(name: &str) -> EventType {
    EventType::new(name).expect("a short name without control characters")
}

fn order(number: u64) -> StreamName {
    StreamName::new(format!("order-{number}")).expect("a short name without control characters")
}

fn ledger(number: u64) -> StreamName {
    StreamName::new(format!("ledger-{number}")).expect("a short name without control characters")
}

fn account(order_number: u64) -> Tag {
    Tag::new(format!("/accounts/{}", order_number / 10)).expect("a short path")
}

/// JSON of `EVENT_BYTES` bytes.
fn data(n: u64) -> Vec<u8> {
    let mut data = format!(r#"{{"n":{n},"cents":{},"note":""#, scattered(n) % 100_000).into_bytes();
    data.resize(EVENT_BYTES - 2, b'.');
    data.extend_from_slice(b"\"}");
    data
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn streams_have_the_lengths_they_are_said_to_have() {
        let workload = Workload::new(20_000);
        let (mut streams, mut rare) = (BTreeMap::<StreamName, u64>::new(), 0);
        for n in 0..workload.events() {
            let (stream, event) = workload.event(n);
            *streams.entry(stream).or_default() += 1;
            rare += u64::from(event.event_type == workload.rare());
            assert_eq!(event.data.len(), EVENT_BYTES);
            assert!(serde_json::from_slice::<serde_json::Value>(&event.data).is_ok());
        }
        assert_eq!(rare, 200);
        assert!(workload.ledgers().all(|ledger| streams.get(&ledger) == Some(&LEDGER_EVENTS)));
        // One slot of ten gives every fifth event of it to a ledger.
        assert!(workload.orders(workload.events(), 50).iter().all(|order| (9..=10).contains(&streams[order])));
    }
}

//! `KeyOrdered`: a line for every key, of which only the first may go, and only while nothing of the key is away.
//!
//! A message is *away* in an outbox, in flight, or on its way to be parked: until that is durable the next one stays, else a crash
//! could deliver them in the wrong order. A message that waits for its retry stays at its place in line, and so blocks its key alone.

use std::collections::{BTreeMap, HashMap, VecDeque};

use foldhash::fast::FixedState;

use super::{
    holds::Holds,
    outstanding::{Place, Slot},
};
use crate::position::Position;

#[derive(Clone, Copy, Debug)]
struct InLine {
    place: Place,
    /// Whether it does not wait for a time.
    ripe: bool,
}

#[derive(Debug, Default)]
struct Line {
    /// In the order of the source.
    waiting: VecDeque<InLine>,
    away: usize,
    /// Under which position the line is in `Keys::ready`.
    ready: Option<Position>,
}

impl Line {
    fn find(&self, position: Position) -> Option<usize> {
        self.waiting.binary_search_by_key(&position, |other| other.place.position).ok()
    }

    /// Decides anew whether the first may go. To be called after every change of the line, or of what holds its key.
    fn refresh(&mut self, key: u64, ready: &mut BTreeMap<Position, (Slot, u64)>, holds: Option<&Holds>) {
        let first = self.waiting.front().filter(|first| self.away == 0 && first.ripe).map(|first| first.place);
        let is_held = |place: &Place| holds.is_some_and(|holds| holds.before(key, place.position).is_some());
        let first = first.filter(|place| !is_held(place));
        let position = first.map(|place| place.position);
        if self.ready == position {
            return;
        }
        if let Some(before) = self.ready {
            ready.remove(&before);
        }
        ready.extend(first.map(|place| (place.position, (place.slot, key))));
        self.ready = position;
    }
}

/// The lines of all keys.
#[derive(Debug)]
pub(super) struct Keys {
    // Looked into by key only: its order is never seen.
    lines: HashMap<u64, Line, FixedState>,
    /// The first of every line that may go, and its key.
    ready: BTreeMap<Position, (Slot, u64)>,
    /// Under `AfterPark::Hold`.
    pub(super) holds: Option<Holds>,
}

impl Keys {
    pub(super) fn new(holds: Option<Holds>) -> Self {
        Self { lines: HashMap::default(), ready: BTreeMap::new(), holds }
    }

    /// Puts a message in line. In nearly every case it goes to the end, or back to the front.
    pub(super) fn push(&mut self, place: Place, ripe: bool) {
        let line = self.lines.entry(place.key).or_default();
        let at = match line.waiting.back() {
            Some(last) if last.place.position > place.position => {
                line.waiting.partition_point(|other| other.place.position < place.position)
            }
            Some(_) | None => line.waiting.len(),
        };
        line.waiting.insert(at, InLine { place, ripe });
        if at == 0 {
            line.refresh(place.key, &mut self.ready, self.holds.as_ref());
        }
    }

    /// Takes a message out of line.
    pub(super) fn remove(&mut self, place: Place) {
        self.change(place.key, |line| {
            if let Some(at) = line.find(place.position) {
                line.waiting.remove(at);
            }
        });
    }

    /// A message in line no longer waits for a time.
    pub(super) fn ripen(&mut self, place: Place) {
        self.change(place.key, |line| {
            if let Some(at) = line.find(place.position) {
                line.waiting[at].ripe = true;
            }
        });
    }

    /// Sends the first message away that may go: of all lines, the earliest.
    pub(super) fn pop(&mut self) -> Option<Slot> {
        let (_, (slot, key)) = self.ready.pop_first()?;
        let line = self.lines.get_mut(&key).expect("a message that may go is the first of its line");
        line.ready = None;
        line.waiting.pop_front();
        line.away += 1;
        Some(slot)
    }

    /// A message of the key goes away without having stood in line since it was last back.
    pub(super) fn depart(&mut self, key: u64) {
        self.lines.entry(key).or_default();
        self.change(key, |line| line.away += 1);
    }

    /// A message of the key is no longer away.
    pub(super) fn arrive(&mut self, key: u64) {
        self.change(key, |line| line.away -= 1);
    }

    /// Decides anew whether the first of a line may go, because its holds have changed.
    pub(super) fn refresh(&mut self, key: u64) {
        self.change(key, |_| {});
    }

    fn change(&mut self, key: u64, change: impl FnOnce(&mut Line)) {
        let Some(line) = self.lines.get_mut(&key) else {
            return;
        };
        change(line);
        line.refresh(key, &mut self.ready, self.holds.as_ref());
        if line.waiting.is_empty() && line.away == 0 {
            self.lines.remove(&key);
        }
    }

    /// The messages in line of a key.
    pub(super) fn line(&self, key: u64) -> Vec<Place> {
        let line = self.lines.get(&key);
        line.into_iter().flat_map(|line| line.waiting.iter().map(|in_line| in_line.place)).collect()
    }
}

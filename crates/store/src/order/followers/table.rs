//! Who waits for what: the table that says, of an event, whose wait it ends. No locks, no time, no I/O.
//!
//! **Invariant: everybody in the table has been looked for from where he came in to [`Table::announced_to`].** He comes in at the head, ranges are
//! announced in order and without gaps, and he leaves with the first event that matches. So whoever leaves knows, without looking
//! again, that nothing below the position he leaves with matched.
//!
//! An event costs one look-up for each of its terms and, of those, each length of beginning that somebody waits for; not for each follower.
//! A term that begins as nothing anybody waits for costs no look-up at all, nor do kinds of terms nobody waits for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    task::Waker,
};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{
    interest::{Anchor, Anchors, Interest, Looked, hash, lead},
    shown::Shown,
};
use crate::{
    index::Kind,
    position::{Position, Timestamp},
};

/// Rooms kept for those who come next when nobody waits any more.
const EMPTY_SLOTS_MAX: usize = 256;

/// What a follower waits for.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    /// Which events end the wait.
    pub(crate) interest: Arc<Interest>,
    /// Everything below was looked at: the head.
    pub(crate) from: Position,
    /// Events recorded before do not count.
    pub(crate) since: Option<Timestamp>,
    /// The head that ends the wait even if nothing matched.
    pub(crate) mark: Option<Position>,
}

/// A follower's place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u32);

/// Everybody who waits.
#[derive(Debug)]
pub(super) struct Table {
    slots: Vec<Option<Slot>>,
    free: Vec<Key>,
    /// Those who are still to be woken.
    waiting: usize,
    /// Those whom every event wakes.
    every: BTreeSet<Key>,
    /// Those to whom every event must be shown.
    unanchored: BTreeSet<Key>,
    anchored: HashMap<u64, Vec<Key>, FixedState>,
    marks: BTreeSet<(Position, Key)>,
    kinds: [Anchored; Kind::ALL.len()],
    announced_to: Position,
    closed: bool,
}

#[derive(Debug)]
struct Slot {
    wait: Wait,
    waker: Waker,
    /// Where the first match is, or how far nothing matched; `None` while he waits.
    ended_at: Option<Position>,
}

/// Leads there are.
const LEADS: usize = 1 << u8::BITS;

/// Which anchors of one kind there are: how long, and how they begin.
#[derive(Debug, Default)]
struct Anchored {
    whole: usize,
    /// By length, how many there are.
    beginnings: BTreeMap<usize, usize>,
    /// By lead, how many there are; empty while there was none.
    leads: Vec<u32>,
    /// Those too short to have one.
    without_lead: usize,
}

impl Anchored {
    /// Whether one of them may fit a term.
    fn may_fit(&self, text: &[u8]) -> bool {
        self.without_lead > 0 || self.leads.get(usize::from(lead(text))).is_some_and(|count| *count > 0)
    }

    fn add(&mut self, anchor: &Anchor) {
        match anchor.prefix {
            None => self.whole += 1,
            Some(length) => *self.beginnings.entry(length).or_default() += 1,
        }
        match anchor.lead {
            Some(lead) => {
                self.leads.resize(LEADS, 0);
                self.leads[usize::from(lead)] += 1;
            }
            None => self.without_lead += 1,
        }
    }

    fn remove(&mut self, anchor: &Anchor) {
        match anchor.prefix {
            None => self.whole -= 1,
            Some(length) => {
                let count = self.beginnings.entry(length).or_default();
                *count -= 1;
                if *count == 0 {
                    self.beginnings.remove(&length);
                }
            }
        }
        match anchor.lead {
            Some(lead) => self.leads[usize::from(lead)] -= 1,
            None => self.without_lead -= 1,
        }
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        let leads = self.without_lead == 0 && self.leads.iter().all(|count| *count == 0);
        leads && self.whole == 0 && self.beginnings.is_empty()
    }
}

impl Table {
    pub(super) fn new(head: Position) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            waiting: 0,
            every: BTreeSet::new(),
            unanchored: BTreeSet::new(),
            anchored: HashMap::default(),
            marks: BTreeSet::new(),
            kinds: Default::default(),
            announced_to: head,
            closed: false,
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether nothing is left of anybody.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let lists = self.every.is_empty() && self.unanchored.is_empty() && self.anchored.is_empty();
        let kinds = self.kinds.iter().all(Anchored::is_empty);
        lists && kinds && self.marks.is_empty() && self.waiting == 0 && self.slots.iter().all(Option::is_none)
    }

    /// Where the next announcement begins.
    pub(super) fn announced_to(&self) -> Position {
        self.announced_to
    }

    /// Whether an event must be looked at to know whom it wakes.
    pub(super) fn looks_at_events(&self) -> bool {
        self.every.len() < self.waiting
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Lets somebody wait. `wait.from` must be the head.
    pub(super) fn enter(&mut self, wait: Wait, waker: Waker) -> Key {
        if self.waiting == 0 {
            // Nobody was looked for in the meantime.
            self.announced_to = wait.from;
        }
        assert!(wait.from >= self.announced_to, "who comes in stands at the head");
        let key = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            Key(u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 followers fit into memory"))
        });
        match &wait.interest.anchors {
            // What was recorded too early must be told apart.
            Anchors::Everything if wait.since.is_none() => drop(self.every.insert(key)),
            Anchors::Everything | Anchors::None => drop(self.unanchored.insert(key)),
            Anchors::Terms(anchors) => anchors.iter().for_each(|anchor| self.add(*anchor, key)),
        }
        self.marks.extend(wait.mark.map(|mark| (mark, key)));
        self.waiting += 1;
        self.slots[key.0 as usize] = Some(Slot { wait, waker, ended_at: None });
        key
    }

    /// Whether somebody's wait has ended; if not, `waker` is the one to be called from now on. Answers with the one that is not.
    pub(super) fn look(&mut self, key: Key, waker: Waker) -> (bool, Waker) {
        let slot = self.slots[key.0 as usize].as_mut().expect("a key is used until its follower leaves");
        match slot.ended_at {
            Some(_) => (true, waker),
            None => (false, std::mem::replace(&mut slot.waker, waker)),
        }
    }

    /// Lets somebody go, with the position below which nothing matched, and his waker.
    pub(super) fn leave(&mut self, key: Key) -> (Position, Waker) {
        if self.slots[key.0 as usize].as_ref().is_some_and(|slot| slot.ended_at.is_none()) {
            self.unlist(key);
        }
        let slot = self.slots[key.0 as usize].take().expect("a key is used until its follower leaves");
        self.free.push(key);
        if self.free.len() == self.slots.len() && self.slots.len() > EMPTY_SLOTS_MAX {
            *self = Self { closed: self.closed, ..Self::new(self.announced_to) };
        }
        (slot.ended_at.unwrap_or(slot.wait.from.max(self.announced_to)), slot.waker)
    }

    /// Announces events without gaps, the first of them no later than at `announced_to`; whom they wake goes to `woken`. Answers with the position after the last.
    pub(super) fn announce<'a>(
        &mut self,
        events: impl IntoIterator<Item = Shown<'a>>,
        woken: &mut Vec<Waker>,
    ) -> Position {
        let mut found = Vec::new();
        let mut end = self.announced_to;
        for event in events {
            end = event.position.next();
            // What another leader was faster to announce; or what is behind those who came when nobody waited.
            if event.position >= self.announced_to {
                self.show(event, &mut found, woken);
            }
        }
        self.pass(end, woken);
        end
    }

    /// Announces that there are events up to `to`, when nobody needs to see them. Answers with `to`.
    pub(super) fn pass(&mut self, to: Position, woken: &mut Vec<Waker>) -> Position {
        if to <= self.announced_to {
            return to;
        }
        let slots = &self.slots;
        let from = |key: &Key| slots[key.0 as usize].as_ref().map(|slot| slot.wait.from);
        let every: Vec<_> = self.every.iter().filter_map(|key| Some((*key, from(key)?))).collect();
        for (key, from) in every {
            // Some may have come in behind what is announced.
            if from < to {
                self.wake(key, from, woken);
            }
        }
        self.announced_to = to;
        while let Some(&(mark, key)) = self.marks.first()
            && mark <= to
        {
            self.wake(key, to, woken);
        }
        to
    }

    /// Wakes everybody without a reason to: they must look for themselves.
    pub(super) fn wake_all(&mut self, woken: &mut Vec<Waker>) {
        for place in 0..self.slots.len() {
            if let Some(slot) = &self.slots[place]
                && slot.ended_at.is_none()
            {
                let at = slot.wait.from.max(self.announced_to);
                self.wake(Key(u32::try_from(place).expect("as many as there are keys")), at, woken);
            }
        }
    }

    /// From now on nobody waits.
    pub(super) fn close(&mut self, woken: &mut Vec<Waker>) {
        self.closed = true;
        self.wake_all(woken);
    }

    /// Shows an event to whom it may concern.
    fn show(&mut self, event: Shown<'_>, found: &mut Vec<Key>, woken: &mut Vec<Waker>) {
        let looked = Looked::at(event, self.kinds[place_of(Kind::Correlation)].whole > 0);
        found.extend(&self.unanchored);
        looked.for_each_term(|term| {
            let (kind, text) = (term.kind(), term.text().as_bytes());
            let anchored = &self.kinds[place_of(kind)];
            if !anchored.may_fit(text) {
                return;
            }
            let whole = (anchored.whole > 0).then(|| hash(kind, None, text));
            let beginnings = anchored.beginnings.keys().take_while(|length| **length <= text.len());
            let hashes = beginnings.map(|&length| hash(kind, Some(length), &text[..length]));
            for hash in whole.into_iter().chain(hashes) {
                found.extend(self.anchored.get(&hash).into_iter().flatten());
            }
        });
        for key in found.drain(..) {
            let Some(slot) = &self.slots[key.0 as usize] else { continue };
            let wait = &slot.wait;
            let counts = event.position >= wait.from && wait.since.is_none_or(|since| event.recorded_at >= since);
            if slot.ended_at.is_none() && counts && wait.interest.matches(&looked) {
                self.wake(key, event.position, woken);
            }
        }
    }

    /// Ends a wait.
    fn wake(&mut self, key: Key, at: Position, woken: &mut Vec<Waker>) {
        self.unlist(key);
        if let Some(slot) = &mut self.slots[key.0 as usize] {
            slot.ended_at = Some(at);
            woken.push(slot.waker.clone());
        }
    }

    /// Takes somebody who waits out of all lists.
    fn unlist(&mut self, key: Key) {
        let Some(slot) = &self.slots[key.0 as usize] else { return };
        let (interest, mark) = (Arc::clone(&slot.wait.interest), slot.wait.mark);
        self.every.remove(&key);
        self.unanchored.remove(&key);
        if let Anchors::Terms(anchors) = &interest.anchors {
            anchors.iter().for_each(|anchor| self.remove(*anchor, key));
        }
        if let Some(mark) = mark {
            self.marks.remove(&(mark, key));
        }
        self.waiting -= 1;
    }

    fn add(&mut self, anchor: Anchor, key: Key) {
        self.anchored.entry(anchor.hash).or_default().push(key);
        self.kinds[place_of(anchor.kind)].add(&anchor);
    }

    fn remove(&mut self, anchor: Anchor, key: Key) {
        if let Some(keys) = self.anchored.get_mut(&anchor.hash) {
            if let Some(place) = keys.iter().position(|known| *known == key) {
                keys.swap_remove(place);
            }
            if keys.is_empty() {
                self.anchored.remove(&anchor.hash);
            }
        }
        self.kinds[place_of(anchor.kind)].remove(&anchor);
    }
}

/// Where a kind is in a table by kinds.
fn place_of(kind: Kind) -> usize {
    kind as usize - 1
}

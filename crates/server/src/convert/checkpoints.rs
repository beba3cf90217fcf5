//! When a filtered subscription tells how far it has looked: every so many events, and when it comes to the end.
//!
//! Positions are dense, so events looked at are counted by subtraction. The checkpoints of one subscription are strictly increasing.

use gesta_store::Position;

/// The checkpoints of one subscription.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    every: u64,
    /// When everything below has been looked at, a checkpoint is due.
    due: u64,
    told: Option<Position>,
}

impl Checkpoints {
    /// Those of a subscription that begins at `from`, one every `every` events.
    #[must_use]
    pub fn new(from: Position, every: u64) -> Self {
        let every = every.max(1);
        Self { every, due: from.0.saturating_add(every), told: None }
    }

    /// The checkpoint that is due now that everything below `end` has been looked at, if one is.
    pub fn passed(&mut self, end: Position) -> Option<Position> {
        if end.0 < self.due {
            return None;
        }
        // Of several that are due the last one says it all.
        let last = self.due + (end.0 - self.due) / self.every * self.every;
        self.due = last.saturating_add(self.every);
        self.tell(Position(last - 1))
    }

    /// The checkpoint of a subscription that has come to the end of the log, if it is a new one.
    pub fn caught_up(&mut self, head: Position) -> Option<Position> {
        head.0.checked_sub(1).and_then(|last| self.tell(Position(last)))
    }

    fn tell(&mut self, position: Position) -> Option<Position> {
        if self.told.is_some_and(|told| told >= position) {
            return None;
        }
        self.told = Some(position);
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_due_every_so_many_events() {
        let mut checkpoints = Checkpoints::new(Position(100), 10);
        let mut passed = |end| checkpoints.passed(Position(end)).map(|position| position.0);
        assert_eq!(passed(109), None);
        assert_eq!(passed(110), Some(109));
        assert_eq!(passed(110), None);
        assert_eq!(passed(145), Some(139), "only the last of several");
        assert_eq!(passed(149), None);
        assert_eq!(passed(150), Some(149));
    }

    #[test]
    fn they_never_go_back() {
        let mut checkpoints = Checkpoints::new(Position(0), 10);
        assert_eq!(checkpoints.caught_up(Position(0)), None, "nothing is there to have been looked at");
        assert_eq!(checkpoints.caught_up(Position(15)), Some(Position(14)));
        assert_eq!(checkpoints.passed(Position(15)), None);
        assert_eq!(checkpoints.caught_up(Position(15)), None);
        assert_eq!(checkpoints.passed(Position(20)), Some(Position(19)));
    }
}

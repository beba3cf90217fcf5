//! What can happen to a store and those who follow it. As all steps, these mean the same whatever came before them: who is not there does nothing,
//! and a choice is made among what there is.

use std::time::Duration;

use gesta_store::{
    EventData, From, GroupSettings, ParkedOnReset, Reaction, Timestamp,
    disk::memory::{Done, Lasting},
};

/// One thing that happens. Readers, groups, handlers and the seats of a group are numbered.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a trace has a few hundred of them")]
pub enum Step {
    /// Events are appended to a stream.
    Append(&'static str, Vec<EventData>),
    /// A reader takes so many deliveries, if there are as many.
    Read(usize, usize),
    /// A reader notes where it is.
    Save(usize),
    /// A reader dies; it will go on where it noted to be.
    Lose(usize),
    /// Somebody does something with a group.
    Group(usize, Act),
    /// A handler is started, if it is not running, and takes so many steps; each batch it is given ends as one of these.
    Handle(usize, usize, Vec<Ending>),
    /// A handler goes down in the midst of its work.
    Halt(usize),
    /// A handler is told something, if it is running.
    Tell(usize, Word),
    /// Time passes.
    Advance(Duration),
    /// The wall clock is set, forward or back.
    JumpTo(Timestamp),
    /// Maintenance does all it can.
    Maintain,
    /// After this many more changes the disk fails.
    Fail(u64, Lasting, Done),
    /// The disk has only this many bytes left.
    Fill(u64),
    /// The disk works again, and has room.
    Heal,
    /// The store is closed and opened again.
    Reopen,
    /// The process is killed; the machine goes on.
    Kill,
    /// The machine loses power; the seed says what is left.
    Crash(u64),
    /// Everybody works off what there is, until nothing is left to do; then everything is checked.
    Settle,
}

/// What is done with a group.
#[derive(Clone, Debug)]
pub enum Act {
    /// It is created.
    Create(GroupSettings),
    /// Its settings are changed.
    Update(GroupSettings),
    /// It is deleted.
    Delete,
    /// It begins anew.
    Reset(From, ParkedOnReset),
    /// Its progress is made durable.
    Flush,
    /// It is asked where it stands.
    Inspect,
    /// Parked messages are asked for again.
    Replay(Which),
    /// Parked messages are given up.
    Discard(Which),
    /// A consumer takes a seat, with so many slots; nothing, if somebody sits there.
    Connect(usize, usize),
    /// The consumer on a seat takes at most so many messages.
    Take(usize, usize),
    /// The consumer on a seat answers messages: of these choices most are of those it has, some of those it ever had.
    Answer(usize, Vec<u64>, Answer),
    /// The consumer on a seat is gone.
    Die(usize),
}

/// Which parked messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// The first so many; of those to be given up, those of the first so many revisions.
    First(u64),
    /// One of them.
    One(u64),
}

/// What a consumer says of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// They are worked off.
    Ack,
    /// They are to come again after this long.
    Retry(Duration),
    /// They are to be parked.
    Park,
    /// They are to be passed over.
    Skip,
    /// The consumer stops.
    Stop,
}

/// What a handler is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It is to wait.
    Pause,
    /// It is to go on.
    Resume,
    /// It is to begin anew there.
    Reset(From),
    /// It is to begin anew there, and refuses.
    ResetInVain(From),
}

/// How the handling of a batch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Well.
    Well,
    /// It fails at this event of the batch, if it has so many; else nobody knows at which.
    Fail(usize, Option<Reaction>),
    /// It panics.
    Panic,
}

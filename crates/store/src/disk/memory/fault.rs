//! Counting what is asked of a disk, and refusing it at a chosen moment.

use std::io;

/// What a store asks of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Opening, reading, mapping, listing, looking up: nothing that changes the disk.
    Read,
    /// Creating a directory.
    CreateDir,
    /// Creating a file.
    Create,
    /// Writing without syncing.
    Write,
    /// Writing durably.
    WriteDurable,
    /// Syncing a file.
    Sync,
    /// Changing the length of a file.
    SetLength,
    /// Renaming a file.
    Rename,
    /// Removing a file.
    Remove,
    /// Syncing a directory.
    SyncDir,
}

impl Operation {
    const COUNT: usize = Self::SyncDir as usize + 1;
}

/// How many operations of each kind a disk was asked for, failed ones included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    counts: [u64; Operation::COUNT],
}

impl Operations {
    /// How many of one kind.
    #[must_use]
    pub fn of(&self, operation: Operation) -> u64 {
        self.counts[operation as usize]
    }

    /// How many of all kinds but [`Operation::Read`]: the number of moments at which a fault of [`Scope::Changes`] can strike.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.counts.iter().sum::<u64>() - self.of(Operation::Read)
    }
}

/// A failure to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What the operation fails with.
    pub kind: io::ErrorKind,
    /// Whether the disk recovers afterwards.
    pub lasting: Lasting,
    /// Which operations it counts and strikes.
    pub scope: Scope,
    /// What the failing operation has done when it fails; it is never durable.
    pub done: Done,
}

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// One operation fails.
    Once,
    /// Every operation in scope fails from then on.
    Forever,
}

/// Which operations a fault counts and strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All but [`Operation::Read`].
    Changes,
    /// All.
    Everything,
}

/// How much of a failing operation was done nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing.
    Nothing,
    /// The first half of the bytes of a write; nothing of other operations.
    Half,
    /// Everything but the answer.
    Everything,
}

impl Fault {
    /// One changing operation fails and does nothing.
    #[must_use]
    pub const fn once(kind: io::ErrorKind) -> Self {
        Self { kind, lasting: Lasting::Once, scope: Scope::Changes, done: Done::Nothing }
    }

    /// Every changing operation fails from a moment on, and does nothing.
    #[must_use]
    pub const fn forever(kind: io::ErrorKind) -> Self {
        Self { lasting: Lasting::Forever, ..Self::once(kind) }
    }

    /// The same fault, leaving the failing operation half or wholly done.
    #[must_use]
    pub const fn leaving(mut self, done: Done) -> Self {
        self.done = done;
        self
    }

    /// The same fault, for reads too.
    #[must_use]
    pub const fn of_everything(mut self) -> Self {
        self.scope = Scope::Everything;
        self
    }

    pub(super) fn error(&self) -> io::Error {
        io::Error::new(self.kind, "injected fault")
    }

    /// How many of `length` bytes are written nevertheless.
    pub(super) fn bytes_done(&self, length: usize) -> usize {
        match self.done {
            Done::Nothing => 0,
            Done::Half => length / 2,
            Done::Everything => length,
        }
    }
}

/// Counts operations and says which fail.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    pub(super) operations: Operations,
    /// Operations that still pass, and what comes then.
    pending: Option<(u64, Fault)>,
}

impl Meter {
    pub(super) fn schedule(&mut self, passing: u64, fault: Fault) {
        self.pending = Some((passing, fault));
    }

    pub(super) fn heal(&mut self) {
        self.pending = None;
    }

    /// Counts an operation; the fault that strikes it, if one does.
    pub(super) fn count(&mut self, operation: Operation) -> Option<Fault> {
        self.operations.counts[operation as usize] += 1;
        let (passing, fault) = self.pending.as_mut()?;
        if operation == Operation::Read && fault.scope == Scope::Changes {
            return None;
        }
        if *passing > 0 {
            *passing -= 1;
            return None;
        }
        let fault = *fault;
        if fault.lasting == Lasting::Once {
            self.pending = None;
        }
        Some(fault)
    }
}

//! `gesta follow --group`: takes the messages of a consumer group, and acks them as they are printed.
//!
//! As `follow` does, it looks at the store and closes it again, so that others can append. A message is acked when it has been written to the output, and
//! what was acked is durable when the store is closed: whoever reads the output gets every message at least once.

use gesta::{Consumer, ConsumerOptions, EventStore, GroupName, Message, MessageId};

use super::follow::{FollowArgs, Looked, interrupted, watch};
use crate::{
    event_list::EventList,
    exit::{Exit, Failure, Outcome},
    interrupt::Interrupt,
    shell::Shell,
    target::Target,
};

/// Messages taken at a time.
pub(super) const BATCH: usize = 100;

/// How this program takes part in a group: the next messages are made ready while it prints the last.
pub(super) fn as_consumer() -> ConsumerOptions {
    ConsumerOptions { name: "gesta follow".to_owned(), slots: 2 * BATCH }
}

/// How many messages are taken next, if so many were printed.
pub(super) fn most(args: &FollowArgs, printed: u64) -> usize {
    let room = args.limit.map_or(BATCH as u64, |limit| limit.saturating_sub(printed));
    BATCH.min(usize::try_from(room).unwrap_or(BATCH))
}

/// Somebody wants the program to end.
pub(super) fn interrupted_between_acks() -> Failure {
    interrupted(", what was printed is acked")
}

/// Prints messages as they come.
pub(super) fn run(args: &FollowArgs, group: &GroupName, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let interrupt = Interrupt::listen()?;
    let source = target.open()?.groups().config(group)?.source;
    let mut following = Following { args, group, list: EventList::new(&source, true) };
    watch(args, target, &interrupt, |store| {
        let heard = following.take_all(&store, &interrupt, shell)?;
        store.close()?;
        if interrupt.is_requested() {
            return Err(interrupted_between_acks());
        }
        Ok(Looked { heard, printed: following.list.printed() })
    })
}

struct Following<'a> {
    args: &'a FollowArgs,
    group: &'a GroupName,
    list: EventList,
}

impl Following<'_> {
    /// Takes, prints and acks what there is. Returns whether there was anything.
    fn take_all(&mut self, store: &EventStore, interrupt: &Interrupt, shell: &mut Shell) -> Outcome<bool> {
        let consumer = store.groups().connect(self.group, &as_consumer())?;
        let printed = self.list.printed();
        loop {
            let most = most(self.args, self.list.printed());
            let messages = if most == 0 { Vec::new() } else { consumer.try_next(most)? };
            if messages.is_empty() || interrupt.is_requested() {
                return Ok(self.list.printed() > printed);
            }
            self.print(&messages, &consumer, shell)?;
        }
    }

    fn print(&mut self, messages: &[Message], consumer: &Consumer, shell: &mut Shell) -> Outcome<()> {
        for message in messages {
            self.list.add((&*message.event).into(), shell)?;
        }
        self.list.finish(shell)?;
        shell.flush()?;
        let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
        Ok(consumer.ack(&ids)?)
    }
}

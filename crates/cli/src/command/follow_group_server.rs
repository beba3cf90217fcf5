//! `gesta follow --group --url`: as `follow_group`, of a server.
//!
//! It is one consumer as long as the connection lasts, and asks for no more messages than it prints next. One that is sent away, since somebody changed or
//! reset the group, comes back as one who looks at a directory does.

use std::time::{Duration, Instant};

use gesta::{GroupName, MessageId, RecordedEvent, Source};
use gesta_server::{
    client::Client,
    client_consumer::RemoteConsumer,
    native::{ClientError, GroupRefusal},
};

use super::{
    follow::{DEAF_FOR, FollowArgs},
    follow_group::{as_consumer, interrupted_between_acks, most},
};
use crate::{
    event_list::EventList,
    exit::{Exit, Failure, Outcome},
    interrupt::Interrupt,
    shell::Shell,
};

/// How long messages are waited for before it is asked again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Prints messages as they come.
pub(super) fn run(args: &FollowArgs, group: &GroupName, client: &Client, shell: &mut Shell) -> Outcome<Exit> {
    let interrupt = Interrupt::listen()?;
    // Events know of their links, whatever the source.
    let list = EventList::new(&Source::All, true);
    let mut following = Following { args, list, heard: Instant::now() };
    loop {
        let mut consumer = client.consume(group, &as_consumer())?;
        match following.follow(&mut consumer, &interrupt, shell) {
            Ok(()) => {
                consumer.leave()?;
                return Ok(Exit::Ok);
            }
            Err(Ended::SentAway) => {}
            Err(Ended::Interrupted) => {
                consumer.leave()?;
                return Err(interrupted_between_acks());
            }
            Err(Ended::Failed(failure)) => return Err(failure),
        }
    }
}

/// Why a consumer is one no more.
enum Ended {
    /// The group is not what it was.
    SentAway,
    Interrupted,
    Failed(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<ClientError> for Ended {
    fn from(error: ClientError) -> Self {
        let sent_away = matches!(error, ClientError::Group(GroupRefusal::Dropped, _));
        if sent_away { Self::SentAway } else { Self::Failed(error.into()) }
    }
}

struct Following<'a> {
    args: &'a FollowArgs,
    list: EventList,
    /// When the last messages came.
    heard: Instant,
}

impl Following<'_> {
    /// Takes, prints and acks, until `--limit` or `--until-idle` ends it.
    fn follow(&mut self, consumer: &mut RemoteConsumer, interrupt: &Interrupt, shell: &mut Shell) -> Result<(), Ended> {
        // What is there already is not waited for.
        let mut patience = Duration::ZERO;
        loop {
            let most = most(self.args, self.list.printed());
            if most == 0 {
                return Ok(());
            }
            let messages = next(consumer, most, patience, interrupt)?;
            patience = if messages.is_empty() {
                let silent = self.heard.elapsed();
                let left = self.args.until_idle.map(|until| until.saturating_sub(silent));
                match left {
                    Some(Duration::ZERO) => return Ok(()),
                    Some(left) => left.min(PATIENCE),
                    None => PATIENCE,
                }
            } else {
                self.print(messages, consumer, shell)?;
                self.heard = Instant::now();
                Duration::ZERO
            };
        }
    }

    fn print(
        &mut self,
        messages: Vec<(MessageId, RecordedEvent)>,
        consumer: &mut RemoteConsumer,
        shell: &mut Shell,
    ) -> Result<(), Ended> {
        for (_, event) in &messages {
            self.list.add(event.into(), shell)?;
        }
        self.list.finish(shell)?;
        shell.flush()?;
        let ids: Vec<_> = messages.iter().map(|(id, _)| *id).collect();
        Ok(consumer.ack(&ids)?)
    }
}

/// The next messages; none, when the patience is over.
fn next(
    consumer: &mut RemoteConsumer,
    most: usize,
    patience: Duration,
    interrupt: &Interrupt,
) -> Result<Vec<(MessageId, RecordedEvent)>, Ended> {
    loop {
        if interrupt.is_requested() {
            return Err(Ended::Interrupted);
        }
        if let Some(messages) = consumer.next(most, patience, DEAF_FOR)? {
            return Ok(messages);
        }
    }
}

//! `gesta follow --url`: what a server tells as it comes.
//!
//! The server keeps the place while the connection lasts; when it ends, it is told where to go on.

use std::time::Instant;

use gesta::{ErrorKind, From, ReadOptions, Source};
use gesta_server::{
    client::{Client, Followed},
    native::ClientError,
};

use super::follow::{DEAF_FOR, FollowArgs, interrupted, last_events};
use crate::{
    event_list::EventList,
    exit::{Exit, Failure, Outcome},
    interrupt::Interrupt,
    reach::Reached,
    shell::Shell,
};

/// Prints events as they come.
pub(super) fn run(
    args: &FollowArgs,
    client: &Client,
    source: &Source,
    mut from: From,
    shell: &mut Shell,
) -> Outcome<Exit> {
    let interrupt = Interrupt::listen()?;
    let mut list = EventList::new(source, args.resolve_links);
    if let Some(last) = args.last {
        from = print_last(client, args, source, last, &mut list, shell)?;
    }
    let mut following = client.follow(source, from, args.resolve_links)?;
    let (mut heard, mut next, mut caught_up) = (Instant::now(), None, false);
    loop {
        if interrupt.is_requested() {
            let on = next.map_or_else(String::new, |next| format!(", go on with --from @{next}"));
            return Err(interrupted(&on));
        }
        match following.next(DEAF_FOR)? {
            Followed::Events(events, checked_to) => {
                let room = args.limit.map_or(u64::MAX, |limit| limit.saturating_sub(list.printed()));
                for event in events.iter().take(usize::try_from(room).unwrap_or(usize::MAX)) {
                    list.add(event.into(), shell)?;
                    heard = Instant::now();
                }
                list.finish(shell)?;
                shell.flush()?;
                next = Some(checked_to);
            }
            Followed::CaughtUp(checked_to) => (next, caught_up) = (Some(checked_to), true),
            Followed::Nothing => {}
            Followed::End => return Err(Failure::new(Exit::Unavailable, "the server ended the call")),
        }
        let done = args.limit.is_some_and(|limit| list.printed() >= limit);
        // What is still being sent is no silence.
        if done || caught_up && args.until_idle.is_some_and(|patience| heard.elapsed() >= patience) {
            return Ok(Exit::Ok);
        }
    }
}

/// Prints the last `last` events; what follows begins behind them.
fn print_last(
    client: &Client,
    args: &FollowArgs,
    source: &Source,
    last: u64,
    list: &mut EventList,
    shell: &mut Shell,
) -> Outcome<From> {
    let options: ReadOptions = last_events(last, args.resolve_links);
    let store = Reached::Server(Box::new(client.clone()));
    let head = store.head()?;
    let mut read = match store.read(source.clone(), options) {
        Ok(read) => read,
        // A stream that is not there yet has no last events.
        Err(ClientError::Store(error)) if error.kind() == ErrorKind::NotFound => return Ok(From::Position(head)),
        Err(error) => return Err(error.into()),
    };
    let from = From::Position(read.head());
    let mut events = Vec::new();
    while let Some(batch) = read.next()? {
        events.extend(batch.into_recorded());
    }
    for event in events.iter().rev() {
        list.add(event.into(), shell)?;
    }
    list.finish(shell)?;
    shell.flush()?;
    Ok(from)
}

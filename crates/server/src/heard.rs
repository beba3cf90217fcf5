//! What a call has said and the server holds, counted, so that no connection has it hold more than its share.
//!
//! Flow control bounds what a client sends ahead of the server's reading, not what was read and is kept: a message until its last byte is there, and
//! all that was said by a call that is answered at its end, until it is answered. A client that begins many calls and ends none would have it all kept, and making it
//! wait would make its other calls wait too, which could free nothing. So a call that would go beyond the share is refused.
//!
//! **Invariant:** what a connection has counted here never exceeds its share, and is given back with each call. The first bytes of a call are not counted:
//! most calls have no others, and cost nothing here.

use std::{
    error::Error,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tonic::Status;

use crate::limits::CALL_BYTES_UNCOUNTED;

/// Calls that are answered while they go on: of what they said, what is not whole yet is held. What they keep of whole messages, they count themselves.
const CONVERSATIONS: [&str; 3] = [
    "/event_store.client.streams.Streams/BatchAppend",
    "/event_store.client.persistent_subscriptions.PersistentSubscriptions/Read",
    "/gesta.store.v1.Store/Consume",
];
/// Bytes in front of each message: whether it is compressed, and how long it is.
const PREFIX_BYTES: usize = 5;

/// How much of what one connection's calls have said may be held at once.
#[derive(Debug)]
pub(crate) struct Share {
    held: AtomicUsize,
    max: usize,
}

/// A connection holds more than its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    max: usize,
}

impl From<Exceeded> for Status {
    fn from(Exceeded { max }: Exceeded) -> Self {
        Self::resource_exhausted(format!(
            "requests that have begun hold too much on this connection, end some first, bytes_max={max}"
        ))
    }
}

impl Share {
    pub(crate) fn of(max: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), max })
    }

    fn take(&self, bytes: usize) -> Result<(), Exceeded> {
        let within = |held: usize| held.checked_add(bytes).filter(|&held| held <= self.max);
        let taken = self.held.fetch_update(Relaxed, Relaxed, within);
        taken.map(drop).map_err(|_| Exceeded { max: self.max })
    }

    fn give_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Relaxed);
    }
}

/// What one call has of its connection's share. Given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Holding {
    share: Arc<Share>,
    counted: usize,
}

impl Default for Holding {
    /// Of a share that has no end.
    fn default() -> Self {
        Self::of(Share::of(usize::MAX))
    }
}

impl Holding {
    /// Nothing yet.
    pub(crate) fn of(share: Arc<Share>) -> Self {
        Self { share, counted: 0 }
    }

    /// So many bytes are held now, of which the first are not counted.
    ///
    /// # Errors
    /// If that would be more than the share; then as much is counted as before.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), Exceeded> {
        let counted = bytes.saturating_sub(CALL_BYTES_UNCOUNTED);
        match counted.checked_sub(self.counted) {
            Some(0) => {}
            Some(more) => self.share.take(more)?,
            None => self.share.give_back(self.counted - counted),
        }
        self.counted = counted;
        Ok(())
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        if self.counted > 0 {
            self.share.give_back(self.counted);
        }
    }
}

/// The body of a request, as it is heard.
#[derive(Debug)]
pub(crate) struct Heard<B> {
    body: B,
    kept: Kept,
    holding: Arc<Mutex<Holding>>,
}

/// What is held of a request.
#[derive(Debug)]
enum Kept {
    /// All that was said, in bytes.
    All(usize),
    /// The message that has begun.
    Begun(Message),
}

impl<B> Heard<B> {
    /// The body of a call of the method at `path`.
    pub(crate) fn new(body: B, path: &str, share: Arc<Share>) -> Self {
        let kept = if CONVERSATIONS.contains(&path) { Kept::Begun(Message::default()) } else { Kept::All(0) };
        Self { body, kept, holding: Arc::new(Mutex::new(Holding::of(share))) }
    }

    /// What it holds, to be kept until the call is answered: its body is gone as soon as all was heard, and what was said is not.
    pub(crate) fn holding(&self) -> Arc<Mutex<Holding>> {
        Arc::clone(&self.holding)
    }

    /// Whether its call counts itself what it keeps of whole messages.
    pub(crate) fn is_conversation(&self) -> bool {
        matches!(self.kept, Kept::Begun(_))
    }

    fn heard(&mut self, bytes: &[u8]) -> Result<(), Exceeded> {
        let held = match &mut self.kept {
            Kept::All(held) => {
                *held += bytes.len();
                *held
            }
            Kept::Begun(message) => {
                message.heard(bytes);
                message.held
            }
        };
        self.holding.lock().unwrap_or_else(PoisonError::into_inner).hold(held)
    }
}

impl<B> Body for Heard<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => return Poll::Ready(None),
        };
        if let Some(bytes) = frame.data_ref()
            && let Err(exceeded) = self.heard(bytes)
        {
            return Poll::Ready(Some(Err(Status::from(exceeded).into())));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How far the message has come that is not whole yet.
#[derive(Debug, Default)]
struct Message {
    prefix: [u8; PREFIX_BYTES],
    prefix_heard: usize,
    left: usize,
    held: usize,
}

impl Message {
    fn heard(&mut self, mut bytes: &[u8]) {
        while let Some((&next, behind)) = bytes.split_first() {
            if self.left > 0 {
                let now = self.left.min(bytes.len());
                self.left -= now;
                self.held = if self.left == 0 { 0 } else { self.held + now };
                bytes = &bytes[now..];
                continue;
            }
            self.prefix[self.prefix_heard] = next;
            self.prefix_heard += 1;
            bytes = behind;
            if self.prefix_heard == PREFIX_BYTES {
                let [_, length @ ..] = self.prefix;
                self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                self.prefix_heard = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: usize = 100;
    const APPEND: &str = "/event_store.client.streams.Streams/Append";

    fn call(path: &str, share: &Arc<Share>) -> Heard<()> {
        Heard::new((), path, Arc::clone(share))
    }

    fn message(bytes: usize) -> Vec<u8> {
        let length = u32::try_from(bytes).unwrap().to_be_bytes();
        [&[0][..], &length, &vec![7; bytes]].concat()
    }

    #[test]
    fn every_call_on_which_both_sides_go_on_is_a_conversation() {
        let offered = [
            include_str!("../proto/streams.proto"),
            include_str!("../proto/persistent_subscriptions.proto"),
            include_str!("../proto/gesta/store.proto"),
            include_str!("../proto/v2/streams.proto"),
        ];
        let mut conversations = Vec::new();
        for definitions in offered {
            let after = |word: &str| definitions.split(word).nth(1).unwrap().split([';', ' ']).next().unwrap();
            let service = format!("/{}.{}/", after("\npackage "), after("\nservice "));
            let calls = definitions.lines().filter_map(|line| line.trim().strip_prefix("rpc "));
            let both = calls.filter(|call| call.matches("stream ").count() == 2);
            conversations.extend(both.map(|call| format!("{service}{}", call.split(['(', ' ']).next().unwrap())));
        }
        assert_eq!(conversations, CONVERSATIONS);
    }

    #[test]
    fn calls_that_end_once_they_have_said_all_hold_all_of_it() {
        let share = Share::of(MAX);
        let (mut one, mut other) = (call(APPEND, &share), call(APPEND, &share));
        let uncounted = vec![0; CALL_BYTES_UNCOUNTED];
        one.heard(&uncounted).unwrap();
        other.heard(&uncounted).unwrap();
        one.heard(&[0; 60]).unwrap();
        other.heard(&[0; 40]).unwrap();
        let refused = Status::from(other.heard(&[0]).unwrap_err());
        assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
        drop(one);
        other.heard(&[0; 59]).unwrap();
        drop(other);
        assert_eq!(share.held.load(Relaxed), 0);
    }

    /// A request that was heard to its end was counted no more while it waited for its turn, of which a client may have thousands.
    #[test]
    fn what_was_said_is_held_until_it_is_answered() {
        let share = Share::of(MAX);
        let mut one = call(APPEND, &share);
        one.heard(&[0; CALL_BYTES_UNCOUNTED + 60]).unwrap();
        let waiting = one.holding();
        drop(one);
        assert_eq!(share.held.load(Relaxed), 60);
        drop(waiting);
        assert_eq!(share.held.load(Relaxed), 0);
    }

    #[test]
    fn conversations_hold_the_message_that_is_not_whole() {
        let share = Share::of(MAX);
        let mut talk = call(CONVERSATIONS[0], &share);
        let large = message(CALL_BYTES_UNCOUNTED + MAX + 1);
        for _ in 0..10 {
            talk.heard(&large[..large.len() - 1]).unwrap();
            assert_eq!(share.held.load(Relaxed), MAX);
            talk.heard(&large[large.len() - 1..]).unwrap();
            assert_eq!(share.held.load(Relaxed), 0);
        }
        talk.heard(&message(CALL_BYTES_UNCOUNTED + MAX + 2)[..large.len()]).unwrap_err();
    }

    proptest! {
        /// Wherever the network cuts, the same is held at the end.
        #[test]
        fn cuts_change_nothing(sizes in prop::collection::vec(0_usize..20, 0..10), cut in 1_usize..30, last in 0_usize..20) {
            let mut said: Vec<u8> = sizes.iter().flat_map(|&size| message(size)).collect();
            said.extend(&message(20)[..PREFIX_BYTES + last]);
            let mut heard = Message::default();
            said.chunks(cut).for_each(|chunk| heard.heard(chunk));
            prop_assert_eq!((heard.held, heard.left), (last, 20 - last));
        }
    }
}

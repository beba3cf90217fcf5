//! Clients that do not go on before what they sent is acknowledged, and so wait for us in vain.
//!
//! A client that leaves Nagle's algorithm on sends the headers of a call and holds its small body back until the headers are acknowledged; the system
//! delays acknowledgements by some 40 ms, in the hope of an answer to send them with, which cannot come before the body. Such a pause, between two reads with nothing sent between
//! them, gives the client away. From then on what begins a call is acknowledged at once, until the call is whole or something is sent, which acknowledges by itself;
//! a client that waits nonetheless has from then on every read acknowledged. For all others that would be a system call and a packet for each request, and nothing gained: it is
//! 7 % of what an append on an open call costs the server.

use std::{ops::RangeInclusive, time::Duration};

use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::server::TlsStream;

use super::begun::Begun;

/// How long a delayed acknowledgement takes, with room for a busy machine: Linux delays it by 40 to 200 ms.
const PAUSES: RangeInclusive<Duration> = Duration::from_millis(30)..=Duration::from_millis(250);

/// What is known of one connection's client.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    /// When it was last read from, if nothing has been sent since.
    read: Option<Instant>,
    /// Whether what was read last has been acknowledged at once.
    acknowledged: bool,
    acknowledge: Acknowledge,
    begun: Begun,
}

/// What is acknowledged at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Acknowledge {
    /// Nothing: the client has never waited for it.
    #[default]
    Nothing,
    /// What belongs to a call that has begun and to which nothing can be answered yet.
    CallsBegun,
    /// Whatever comes.
    Everything,
}

impl Stalls {
    /// Bytes were read; whether they are to be acknowledged at once.
    pub(super) fn received(&mut self, bytes: &[u8], now: Instant) -> bool {
        let pause = self.read.replace(now).map(|read| now.duration_since(read));
        if pause.is_some_and(|pause| PAUSES.contains(&pause)) && !self.acknowledged {
            self.acknowledge = match self.acknowledge {
                Acknowledge::Nothing => Acknowledge::CallsBegun,
                Acknowledge::CallsBegun | Acknowledge::Everything => Acknowledge::Everything,
            };
        }
        self.begun.received(bytes);
        self.acknowledged = match self.acknowledge {
            Acknowledge::Nothing => false,
            Acknowledge::CallsBegun => self.begun.is_open(),
            Acknowledge::Everything => true,
        };
        self.acknowledged
    }

    /// Bytes were sent, and with them everything was acknowledged.
    pub(super) fn sent(&mut self) {
        self.read = None;
        self.begun.forget();
    }
}

/// A stream over a socket.
pub(super) trait OverSocket {
    /// Acknowledges what has been received, at once. The system forgets that it was asked: it is asked each time.
    fn acknowledge(&self);
}

impl OverSocket for TcpStream {
    fn acknowledge(&self) {
        // Where it cannot be asked, or refuses, the client waits as long as the system likes.
        #[cfg(target_os = "linux")]
        let _ = self.set_quickack(true);
    }
}

impl OverSocket for TlsStream<TcpStream> {
    fn acknowledge(&self) {
        self.get_ref().0.acknowledge();
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::begun::tests::{DATA, DATA_END, HEADERS, PREFACE, frame},
        *,
    };

    enum Step {
        Read(u64, Vec<u8>),
        Sent,
    }

    use Step::{Read, Sent};

    /// Whether the reads, at these milliseconds, are acknowledged at once.
    fn acknowledged(steps: &[Step]) -> Vec<bool> {
        let (mut stalls, begun) = (Stalls::default(), Instant::now());
        assert!(!stalls.received(PREFACE, begun));
        stalls.sent();
        let answered = steps.iter().map(|step| match step {
            Read(millis, bytes) => Some(stalls.received(bytes, begun + Duration::from_millis(*millis))),
            Sent => {
                stalls.sent();
                None
            }
        });
        answered.flatten().collect()
    }

    /// A call that stalls between its headers and its body.
    fn stall() -> [Step; 3] {
        [Read(0, frame(HEADERS, 1, b"h")), Read(41, frame(DATA_END, 1, b"d")), Sent]
    }

    #[test]
    fn a_client_that_waited_for_an_acknowledgement_gets_them_at_once_for_the_beginnings_of_calls() {
        let calls = [
            Read(50, frame(HEADERS, 3, b"h")),
            Read(51, frame(DATA, 3, b"a part")),
            Read(52, frame(DATA_END, 3, b"the last part")),
            Sent,
            Read(1000, frame(HEADERS, 5, b"h")),
        ];
        let steps: Vec<Step> = stall().into_iter().chain(calls).collect();
        assert_eq!(acknowledged(&steps), [false, false, true, true, false, true]);
    }

    #[test]
    fn an_open_call_is_acknowledged_by_its_answers() {
        let calls = [
            Read(50, frame(HEADERS, 3, b"h")),
            Sent,
            Read(60, frame(DATA, 3, b"a request")),
            Sent,
            Read(70, frame(DATA, 3, b"another")),
        ];
        let steps: Vec<Step> = stall().into_iter().chain(calls).collect();
        assert_eq!(acknowledged(&steps), [false, false, true, false, false]);
    }

    #[test]
    fn a_client_that_waits_nonetheless_has_everything_acknowledged() {
        // Something was sent between the headers and the first part; the second is held back until the first is acknowledged.
        let calls = [
            Read(50, frame(HEADERS, 3, b"h")),
            Sent,
            Read(51, frame(DATA, 3, b"a part")),
            Read(92, frame(DATA_END, 3, b"the last part")),
            Sent,
            Read(100, frame(DATA, 3, b"whatever")),
        ];
        let steps: Vec<Step> = stall().into_iter().chain(calls).collect();
        assert_eq!(acknowledged(&steps), [false, false, true, false, true, true]);
    }

    #[test]
    fn a_client_that_has_nothing_to_say_is_no_such_client() {
        let read = |millis| Read(millis, frame(HEADERS, 1, b"h"));
        assert_eq!(acknowledged(&[read(0), Sent, read(40), Sent, read(80)]), [false; 3]);
        assert_eq!(acknowledged(&[read(0), read(1), read(2), read(1000)]), [false; 4]);
    }
}

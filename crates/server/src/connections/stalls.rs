//! Clients that do not go on before what they sent is acknowledged, and so wait for us in vain.
//!
//! A client that leaves Nagle's algorithm on sends the headers of a call and holds its small body back until the headers are acknowledged; the system
//! delays acknowledgements by some 40 ms, in the hope of an answer to send them with, which cannot come before the body. Such a pause, between two reads with nothing sent between
//! them, gives the client away, and from then on its connection acknowledges at once what it reads. For all others that would be a system call and
//! a packet for each request, and nothing gained.

use std::{ops::RangeInclusive, time::Duration};

use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::server::TlsStream;

/// How long a delayed acknowledgement takes, with room for a busy machine: Linux delays it by 40 to 200 ms.
const PAUSES: RangeInclusive<Duration> = Duration::from_millis(30)..=Duration::from_millis(250);

/// What is known of one connection's client.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    /// When it was last read from, if nothing has been sent since.
    read: Option<Instant>,
    seen: bool,
}

impl Stalls {
    /// Bytes were read; whether they are to be acknowledged at once.
    pub(super) fn received(&mut self, now: Instant) -> bool {
        let pause = self.read.replace(now).map(|read| now.duration_since(read));
        self.seen |= pause.is_some_and(|pause| PAUSES.contains(&pause));
        self.seen
    }

    /// Bytes were sent, and with them everything was acknowledged.
    pub(super) fn sent(&mut self) {
        self.read = None;
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
    use super::*;

    /// What reads at these milliseconds come to; `None` is something sent.
    fn acknowledged(steps: &[Option<u64>]) -> Vec<bool> {
        let (mut stalls, begun) = (Stalls::default(), Instant::now());
        let answered = steps.iter().map(|step| match step {
            Some(millis) => Some(stalls.received(begun + Duration::from_millis(*millis))),
            None => {
                stalls.sent();
                None
            }
        });
        answered.flatten().collect()
    }

    #[test]
    fn a_client_that_waited_for_an_acknowledgement_gets_them_at_once_from_then_on() {
        let calls = [Some(0), Some(41), None, Some(42), Some(43), None, Some(1000)];
        assert_eq!(acknowledged(&calls), [false, true, true, true, true]);
    }

    #[test]
    fn a_client_that_has_nothing_to_say_is_no_such_client() {
        assert_eq!(acknowledged(&[Some(0), None, Some(40), None, Some(80)]), [false; 3]);
        assert_eq!(acknowledged(&[Some(0), Some(1), Some(2), Some(1000)]), [false; 4]);
    }
}

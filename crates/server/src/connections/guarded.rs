//! A connection's bytes, counted, and acknowledged at once where the client waits for that; and an end to clients that never say what they speak.
//!
//! HTTP/2 watches its clients by pings, and HTTP/1.1 by the time headers take, but both only from the moment on at which it is known which of them is
//! spoken. That takes the first [`PREFACE_BYTES`], for which there is a deadline here, however slowly they trickle in.
//!
//! And an end that is heard: a socket that is closed while something the client has sent lies there unread is reset, and with it goes what the client has not
//! read yet, the last answers and that the server stops. So whoever has been told the end is listened to for a moment more, until he hangs up.

use std::{
    future::Future,
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep, sleep_until},
};

use super::{
    Traffic,
    stalls::{OverSocket, Stalls},
};
use crate::limits::FAREWELL_TIME;

/// Bytes HTTP/2 begins with; no request of HTTP/1.1 is shorter.
const PREFACE_BYTES: usize = 24;
/// What is passed over at once of what a client says that has been told the end.
const PASSED_BYTES: usize = 4 << 10;

/// A stream that is guarded.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    stream: S,
    traffic: Arc<Traffic>,
    greeting: Option<Greeting>,
    stalls: Stalls,
    /// The client was told the end: until when it is listened to.
    farewell: Option<Pin<Box<Sleep>>>,
}

/// What is missing of the preface, and until when.
#[derive(Debug)]
struct Greeting {
    missing: usize,
    deadline: Pin<Box<Sleep>>,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, deadline: Instant, traffic: Arc<Traffic>) -> Self {
        let greeting = Greeting { missing: PREFACE_BYTES, deadline: Box::pin(sleep_until(deadline)) };
        Self { stream, traffic, greeting: Some(greeting), stalls: Stalls::default(), farewell: None }
    }
}

impl<S: AsyncRead + OverSocket + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(greeting) = &mut this.greeting
            && greeting.deadline.as_mut().poll(context).is_ready()
        {
            this.traffic.timed_out();
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client did not say what it speaks")));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        let bytes = &buffer.filled()[before..];
        let read = bytes.len();
        this.traffic.received(read);
        if this.stalls.received(bytes, Instant::now()) {
            this.stream.acknowledge();
        }
        if let Some(greeting) = &mut this.greeting {
            greeting.missing = greeting.missing.saturating_sub(read);
            if greeting.missing == 0 {
                this.greeting = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> Guarded<S> {
    /// Passes over what the client says, until it hangs up or was listened to for long enough.
    fn poll_farewell(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let farewell = self.farewell.get_or_insert_with(|| Box::pin(sleep(FAREWELL_TIME)));
        let mut passed = [MaybeUninit::uninit(); PASSED_BYTES];
        loop {
            if farewell.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            let mut buffer = ReadBuf::uninit(&mut passed);
            let heard = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
            if heard.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
            self.traffic.received(buffer.filled().len());
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.traffic.sent(written);
        self.stalls.sent();
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        self.traffic.sent(written);
        self.stalls.sent();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.farewell.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        self.poll_farewell(context).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    /// A client, and its connection.
    async fn connected() -> (TcpStream, Guarded<TcpStream>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        (client, Guarded::new(stream, Instant::now() + FAREWELL_TIME, Arc::default()))
    }

    /// A server that stopped while a client was sending reset its connection: the client, whose next request failed, had its last answers and why there are no
    /// more no longer told.
    #[tokio::test]
    async fn a_client_that_goes_on_sending_hears_the_end() {
        let (mut client, mut guarded) = connected().await;
        client.write_all(b"what nobody reads any more").await.unwrap();
        guarded.write_all(b"the end").await.unwrap();
        let ending = tokio::spawn(async move { guarded.shutdown().await });
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"the end");
        for _ in 0..3 {
            client.write_all(&[b'7'; 2 * PASSED_BYTES]).await.unwrap();
            tokio::task::yield_now().await;
        }
        drop(client);
        ending.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn nobody_is_listened_to_for_ever() {
        let (client, mut guarded) = connected().await;
        guarded.shutdown().await.unwrap();
        drop(client);
    }
}

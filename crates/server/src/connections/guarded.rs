//! A connection's bytes, counted, and acknowledged at once where the client waits for that; and an end to clients that never say what they speak.
//!
//! HTTP/2 watches its clients by pings, and HTTP/1.1 by the time headers take, but both only from the moment on at which it is known which of them is
//! spoken. That takes the first [`PREFACE_BYTES`], for which there is a deadline here, however slowly they trickle in.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::{
    Traffic,
    stalls::{OverSocket, Stalls},
};

/// Bytes HTTP/2 begins with; no request of HTTP/1.1 is shorter.
const PREFACE_BYTES: usize = 24;

/// A stream that is guarded.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    stream: S,
    traffic: Arc<Traffic>,
    greeting: Option<Greeting>,
    stalls: Stalls,
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
        Self { stream, traffic, greeting: Some(greeting), stalls: Stalls::default() }
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
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
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

//! HTTP/2 by hand, as far as a test must say things a client library does not: bad frames, silence, calls nobody reads.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
};

use prost::Message;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;

pub(crate) const PRIORITY: u8 = 2;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// What a connection goes over.
pub(crate) trait Over: Read + Write {}

impl<S: Read + Write> Over for S {}

/// A connection.
pub(crate) struct Wire {
    stream: Box<dyn Over>,
    next_call: u32,
}

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) call: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Whether it is the last of its call.
    pub(crate) fn ends(&self) -> bool {
        self.kind == RST_STREAM || (matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0)
    }
}

impl Wire {
    /// A connection nothing was said on.
    pub(crate) fn silent(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("connects"))
    }

    /// The same over something else.
    pub(crate) fn over(stream: impl Over + 'static) -> Self {
        Self { stream: Box::new(stream), next_call: 1 }
    }

    /// A connection on which HTTP/2 is spoken, with a window of so many bytes for each call.
    pub(crate) fn open(address: SocketAddr, call_window: u32) -> Self {
        let mut wire = Self::silent(address);
        wire.greet(call_window);
        wire
    }

    /// Begins to speak HTTP/2.
    pub(crate) fn greet(&mut self, call_window: u32) {
        self.send(PREFACE);
        let [a, b, c, d] = call_window.to_be_bytes();
        self.frame(SETTINGS, 0, 0, &[0, 4, a, b, c, d]);
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        // Whether somebody hears it is seen by what comes back.
        let _ = self.stream.write_all(bytes);
    }

    pub(crate) fn frame(&mut self, kind: u8, flags: u8, call: u32, payload: &[u8]) {
        self.send(&encoded(kind, flags, call, payload));
    }

    /// Begins a call, with further headers.
    pub(crate) fn begin(&mut self, path: &str, further: &[(&str, &str)]) -> u32 {
        let call = self.next_call;
        self.next_call += 2;
        self.frame(HEADERS, END_HEADERS, call, &headers(path, further));
        call
    }

    /// Calls, and says all there is to say.
    pub(crate) fn call(&mut self, path: &str, messages: &[impl Message]) -> u32 {
        let call = self.begin(path, &[]);
        for (at, message) in messages.iter().enumerate() {
            let last = at + 1 == messages.len();
            self.frame(DATA, if last { END_STREAM } else { 0 }, call, &framed(message));
        }
        call
    }

    /// Lets the server send so many bytes more: of a call, or (0) of all of them together.
    pub(crate) fn allow(&mut self, call: u32, bytes: u32) {
        self.frame(WINDOW_UPDATE, 0, call, &bytes.to_be_bytes());
    }

    /// The next frame, of any kind; `None` when the server has closed the connection.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.read(&mut head)?;
        let [a, b, c, kind, flags, rest @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.read(&mut payload)?;
        Some(Frame { kind, flags, call: u32::from_be_bytes(rest) & 0x7fff_ffff, payload })
    }

    /// The next frame of one of these kinds; answers settings and pings meanwhile, as a client does.
    pub(crate) fn await_frame(&mut self, kinds: &[u8]) -> Option<Frame> {
        loop {
            let frame = self.next()?;
            if matches!(frame.kind, SETTINGS | PING) && frame.flags & ACK == 0 {
                let payload = if frame.kind == PING { frame.payload.clone() } else { Vec::new() };
                self.frame(frame.kind, ACK, 0, &payload);
            }
            if kinds.contains(&frame.kind) {
                return Some(frame);
            }
        }
    }

    /// Everything of a call until it ends; whether there was anything, and what came last.
    pub(crate) fn finish(&mut self, call: u32) -> Option<(Vec<u8>, Frame)> {
        let mut data = Vec::new();
        loop {
            let frame = self.await_frame(&[DATA, HEADERS, RST_STREAM])?;
            if frame.call != call {
                continue;
            }
            if frame.kind == DATA {
                data.extend(&frame.payload);
                let bytes = u32::try_from(frame.payload.len()).expect("short");
                if bytes > 0 {
                    self.allow(0, bytes);
                    self.allow(call, bytes);
                }
            }
            if frame.ends() {
                return Some((data, frame));
            }
        }
    }

    /// Waits until the server closes the connection, without answering anything.
    pub(crate) fn closed(mut self) {
        let mut buffer = [0; 4096];
        while self.stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
    }

    fn read(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => None,
            Err(error) => panic!("reading failed: {error}"),
        }
    }
}

/// What a call begins with, as the payload of its headers.
pub(crate) fn headers(path: &str, further: &[(&str, &str)]) -> Vec<u8> {
    let headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "gesta"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    block(headers.iter().chain(further))
}

/// Headers, each written out.
pub(crate) fn block<'a>(headers: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        for text in [name, value] {
            length(text.len(), &mut block);
            block.extend(text.as_bytes());
        }
    }
    block
}

/// The bytes of a frame.
pub(crate) fn encoded(kind: u8, flags: u8, call: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(call.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A message as it stands in the data of a call.
pub(crate) fn framed(message: &impl Message) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(message.encoded_len()).expect("short").to_be_bytes());
    message.encode(&mut bytes).expect("memory");
    bytes
}

/// A length of HPACK, with a prefix of seven bits.
fn length(length: usize, block: &mut Vec<u8>) {
    let Some(mut rest) = length.checked_sub(127) else {
        block.push(u8::try_from(length).expect("below 127"));
        return;
    };
    block.push(127);
    while rest >= 128 {
        block.push(128 | u8::try_from(rest % 128).expect("below 128"));
        rest /= 128;
    }
    block.push(u8::try_from(rest).expect("below 128"));
}

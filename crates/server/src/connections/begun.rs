//! Whether a client has begun a call whose end has not come: read from the heads of its frames as they pass (RFC 9113, section 4.1), and from nothing else.
//!
//! Only the newest call is looked at. What does not begin as HTTP/2 does is taken to have always begun something.

/// How a client begins that speaks HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a frame's head.
const HEAD_BYTES: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
/// The bits of a call's number; the other is to be ignored.
const CALL_BITS: u32 = u32::MAX >> 1;
/// The flag of the last frame of a call's request.
const END_STREAM: u8 = 1;

/// What has been said so far.
#[derive(Debug, Default)]
pub(super) struct Begun {
    place: Place,
    /// The call that was begun last, if it has not ended and nothing has been sent since.
    call: Option<u32>,
}

/// Where in the conversation it is.
#[derive(Debug)]
enum Place {
    /// Behind so many bytes of the preface.
    Preface(usize),
    /// Behind so many bytes of a frame's head.
    Head([u8; HEAD_BYTES], usize),
    /// So many bytes before the end of a frame.
    Payload(usize),
    /// This is not HTTP/2.
    Other,
}

impl Default for Place {
    fn default() -> Self {
        Self::Preface(0)
    }
}

impl Begun {
    /// Looks at what came. O(frames).
    pub(super) fn received(&mut self, mut bytes: &[u8]) {
        while let Some(&first) = bytes.first() {
            let passed = match &mut self.place {
                Place::Other => return,
                Place::Preface(at) if first != PREFACE[*at] => {
                    self.place = Place::Other;
                    return;
                }
                Place::Preface(at) => {
                    *at += 1;
                    if *at == PREFACE.len() {
                        self.place = Place::Head([0; HEAD_BYTES], 0);
                    }
                    1
                }
                Place::Head(head, at) => {
                    let passed = bytes.len().min(HEAD_BYTES - *at);
                    head[*at..*at + passed].copy_from_slice(&bytes[..passed]);
                    *at += passed;
                    if *at == HEAD_BYTES {
                        let head = *head;
                        self.frame(head);
                    }
                    passed
                }
                Place::Payload(left) => {
                    let passed = bytes.len().min(*left);
                    *left -= passed;
                    if *left == 0 {
                        self.place = Place::Head([0; HEAD_BYTES], 0);
                    }
                    passed
                }
            };
            bytes = &bytes[passed..];
        }
    }

    /// A frame begins.
    fn frame(&mut self, head: [u8; HEAD_BYTES]) {
        let [a, b, c, kind, flags, stream @ ..] = head;
        let bytes = u32::from_be_bytes([0, a, b, c]) as usize;
        self.place = if bytes == 0 { Place::Head([0; HEAD_BYTES], 0) } else { Place::Payload(bytes) };
        let call = u32::from_be_bytes(stream) & CALL_BITS;
        match kind {
            HEADERS if flags & END_STREAM == 0 => self.call = Some(call),
            HEADERS | RST_STREAM => self.end(call),
            DATA if flags & END_STREAM != 0 => self.end(call),
            // Parts of a call, and what belongs to none.
            _ => {}
        }
    }

    fn end(&mut self, call: u32) {
        if self.call == Some(call) {
            self.call = None;
        }
    }

    /// Whether a call has begun, and neither has its end come nor was anything sent since.
    pub(super) fn is_open(&self) -> bool {
        self.call.is_some() || matches!(self.place, Place::Other)
    }

    /// Something was sent.
    pub(super) fn forget(&mut self) {
        self.call = None;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const PREFACE: &[u8] = super::PREFACE;
    pub(in super::super) const HEADERS: (u8, u8) = (super::HEADERS, 4);
    pub(in super::super) const DATA: (u8, u8) = (super::DATA, 0);
    pub(in super::super) const DATA_END: (u8, u8) = (super::DATA, END_STREAM);

    /// A frame of a kind and with flags.
    pub(in super::super) fn frame((kind, flags): (u8, u8), call: u32, payload: &[u8]) -> Vec<u8> {
        let bytes = u32::try_from(payload.len()).expect("small").to_be_bytes();
        let head = [bytes[1], bytes[2], bytes[3], kind, flags];
        [&head[..], &call.to_be_bytes(), payload].concat()
    }

    /// Whether a call is open after each frame, however they are cut into reads.
    fn open_after(frames: &[Vec<u8>]) -> Vec<bool> {
        let whole = |step: usize| {
            let mut begun = Begun::default();
            PREFACE.chunks(step).for_each(|part| begun.received(part));
            let open = frames.iter().map(|frame| {
                frame.chunks(step).for_each(|part| begun.received(part));
                begun.is_open()
            });
            open.collect::<Vec<bool>>()
        };
        let answer = whole(usize::MAX);
        for step in 1..40 {
            assert_eq!(whole(step), answer, "cut into pieces of {step} bytes");
        }
        answer
    }

    #[test]
    fn a_call_is_open_from_its_headers_to_its_last_frame() {
        let settings = frame((4, 0), 0, &[]);
        let frames = [
            settings,
            frame(HEADERS, 1, b"headers"),
            frame(DATA, 1, &[1; 300]),
            frame(DATA_END, 3, b"of another call"),
            frame(DATA_END, 1, b""),
            frame(HEADERS, 5, b"headers"),
            frame((RST_STREAM, 0), 5, &[0; 4]),
            frame((super::HEADERS, 4 | END_STREAM), 7, b"without a body"),
        ];
        assert_eq!(open_after(&frames), [false, true, true, true, false, true, false, false]);
    }

    /// The bit in front of a call's number means nothing, and a call whose frames did not agree in it was held to be open for ever.
    #[test]
    fn a_call_is_known_by_its_number_alone() {
        let frames = [frame(HEADERS, 1 << 31 | 1, b"headers"), frame(DATA_END, 1, b"")];
        assert_eq!(open_after(&frames), [true, false]);
    }

    #[test]
    fn what_was_sent_answers_what_had_begun() {
        let mut begun = Begun::default();
        begun.received(PREFACE);
        begun.received(&frame(HEADERS, 1, b"headers"));
        begun.forget();
        begun.received(&frame(DATA, 1, b"data"));
        assert!(!begun.is_open());
    }

    #[test]
    fn what_is_not_http_2_has_always_begun() {
        let mut begun = Begun::default();
        begun.received(b"POST / HTTP/1.1\r\n");
        begun.forget();
        assert!(begun.is_open());
    }
}

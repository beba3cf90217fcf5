//! Stream names: bytes on the wire, checked text in the store.

use bytes::Bytes;
use gesta_store::{StreamName, limits::STREAM_NAME_BYTES_MAX};

use crate::{fault::Fault, proto::event_store::client::StreamIdentifier};

/// The stream a message names.
///
/// # Errors
/// `Invalid` when it is missing, not UTF-8, or cannot be a stream name.
pub fn from_wire(stream: Option<&StreamIdentifier>) -> Result<StreamName, Fault> {
    let bytes = stream.ok_or_else(|| Fault::Invalid("stream identifier is missing".to_owned()))?;
    let name = std::str::from_utf8(&bytes.stream_name)
        .map_err(|error| Fault::Invalid(format!("stream name is not UTF-8, valid_bytes={}", error.valid_up_to())))?;
    Ok(StreamName::new(name)?)
}

/// The name a message has, to be repeated, apart from the message: a part of its bytes would keep all of them. Of one that is too long for a name, as much
/// as a name may have.
#[must_use]
pub fn apart(stream: &StreamIdentifier) -> StreamIdentifier {
    let name = &stream.stream_name[..stream.stream_name.len().min(STREAM_NAME_BYTES_MAX)];
    StreamIdentifier { stream_name: Bytes::copy_from_slice(name) }
}

/// A stream name for the wire.
#[must_use]
pub fn to_wire(stream: &str) -> StreamIdentifier {
    StreamIdentifier { stream_name: Bytes::copy_from_slice(stream.as_bytes()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of a batch append that nobody took kept their requests, of up to 36 MiB each, for the sake of a name in them.
    #[test]
    fn a_name_that_is_repeated_does_not_keep_its_message() {
        let message = Bytes::from(vec![b'x'; 1 << 20]);
        let repeated = apart(&StreamIdentifier { stream_name: message.slice(7..17) });
        assert_eq!(&repeated.stream_name[..], b"xxxxxxxxxx");
        assert!(message.is_unique());
        assert_eq!(apart(&StreamIdentifier { stream_name: message }).stream_name.len(), STREAM_NAME_BYTES_MAX);
    }

    #[test]
    fn names_that_are_none_are_refused() {
        let named = |name: &[u8]| from_wire(Some(&StreamIdentifier { stream_name: Bytes::copy_from_slice(name) }));
        assert_eq!(named("café-1".as_bytes()).unwrap().as_str(), "café-1");
        assert!(from_wire(None).is_err());
        assert!(named(b"").is_err());
        assert!(named(b"\xff").is_err());
        assert!(named(b"a\nb").is_err());
    }
}

//! Messages of clients, turned into the words of the store: whatever a client sends is understood or refused, and what is understood is within the limits.
//!
//! Input: a byte that says which message it is, and the message. Of the store's own protocol, what is understood goes back over the wire and is
//! understood as the same.

use gesta_server::{
    convert::{expected, filter::Selection, id, proposed, record, request, stream},
    native::{self, AppendRequest, messages},
    proto::{
        event_store::client::streams::{AppendReq, BatchAppendReq, ReadReq, append_req::Content},
        kurrentdb::protocol::v2::streams::AppendRecordsRequest,
    },
};
use gesta_store::{EventData, limits};
use prost::Message;

/// Pieces of messages: tags of fields with lengths, names, numbers that are too large.
pub const TOKENS: &[&[u8]] = &[
    b"\x0a\x04",
    b"\x12\x00",
    b"\x1a\x02",
    b"\x08\x01",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"order-1",
    b"$ce-order",
    b"type",
    b"content-type",
    b"application/json",
    b"(?=a)",
];

/// Feeds a message.
pub fn run(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind % 6 {
        0 => read(bytes),
        1 => batch_append(bytes),
        2 => append(bytes),
        3 => records(bytes),
        4 => native_read(bytes),
        _ => native_append(bytes),
    }
}

fn read(bytes: &[u8]) {
    let Ok(message) = ReadReq::decode(bytes) else { return };
    let Ok(understood) = request::from_wire(&message) else { return };
    if let request::Subject::All(_, Some(filter)) = &understood.subject {
        match &filter.selection {
            Selection::Indexed(query) => query.check().expect("a query that was understood is within the limits"),
            // It may fail, and it may not go on for ever.
            Selection::Scanned(expressed) => drop(expressed.matches("order-1", "OrderPlaced")),
        }
    }
}

fn batch_append(bytes: &[u8]) {
    let Ok(message) = BatchAppendReq::decode(bytes) else { return };
    let _ = id::from_wire(message.correlation_id.as_ref(), "correlation id");
    if let Some(options) = &message.options {
        let _ = expected::from_wire(options.expected_stream_position.as_ref());
        let _ = stream::from_wire(options.stream_identifier.as_ref());
    }
    message.proposed_messages.into_iter().filter_map(|message| proposed::from_batch(message).ok()).for_each(fits);
}

fn append(bytes: &[u8]) {
    match AppendReq::decode(bytes).ok().and_then(|message| message.content) {
        Some(Content::Options(options)) => {
            let _ = expected::from_wire(options.expected_stream_revision.as_ref());
            let _ = stream::from_wire(options.stream_identifier.as_ref());
        }
        Some(Content::ProposedMessage(message)) => {
            if let Ok(event) = proposed::from_append(message) {
                fits(event);
            }
        }
        None => {}
    }
}

fn records(bytes: &[u8]) {
    let Ok(message) = AppendRecordsRequest::decode(bytes) else { return };
    for record in message.records {
        let Ok(stream) = record::stream(&record.stream) else { continue };
        if let Ok(event) = record::event(record, &stream) {
            fits(event);
        }
    }
}

fn native_read(bytes: &[u8]) {
    let Ok(message) = messages::ReadReq::decode(bytes) else { return };
    let Ok((source, options)) = native::read_options(message) else { return };
    let again = native::read_options(native::read_request(&source, &options)).expect("what was understood is");
    assert_eq!(again, (source, options));
}

fn native_append(bytes: &[u8]) {
    let Ok(message) = messages::AppendReq::decode(bytes) else { return };
    let Ok(understood) = AppendRequest::from_wire(message) else { return };
    let sent = understood.clone().to_wire();
    let again = AppendRequest::from_wire(sent.clone()).expect("what was understood is");
    assert_eq!(again.to_wire(), sent);
}

/// What is handed to the store has names within their limits: anything else is refused there.
fn fits(event: EventData) {
    assert!(event.event_type.len() <= limits::EVENT_TYPE_BYTES_MAX, "{}", event.event_type);
}

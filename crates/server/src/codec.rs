//! How messages are decoded: as they are said, but no more of them than the largest request has parts.
//!
//! A part of a message may take two bytes on the wire and two hundred in memory, and its time: one request of thirty mebibytes, of records that say nothing,
//! was three gibibytes and held up for twelve seconds everybody whom the same thread serves. Nobody had looked yet who asked. So there is a bound for what stands side by
//! side in a message, and one for all that is in it, at any depth.

use std::marker::PhantomData;

use bytes::{Buf, Bytes};
use prost::{Message, encoding::decode_varint};
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder},
};
use tonic_prost::ProstEncoder;

use crate::limits::{MESSAGE_FIELDS_MAX, MESSAGE_READS_MAX};

/// The codec of all calls, by which the generated code knows it.
#[derive(Debug)]
pub(crate) struct Sparing<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Sparing<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for Sparing<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = SparingDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        SparingDecoder(PhantomData)
    }
}

/// Decodes messages of a kind.
#[derive(Debug)]
pub(crate) struct SparingDecoder<U>(PhantomData<U>);

impl<U: Message + Default> Decoder for SparingDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, said: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        decode(said).map(Some)
    }
}

fn decode<U: Message + Default>(said: &mut impl Buf) -> Result<U, Status> {
    // Each field takes two bytes: of what is short enough nobody has to count.
    if said.remaining() > 2 * MESSAGE_FIELDS_MAX && has_more_fields(said.chunk(), MESSAGE_FIELDS_MAX) {
        return Err(too_many("fields", MESSAGE_FIELDS_MAX));
    }
    // Each look takes a byte at least.
    let decoded = if said.remaining() < MESSAGE_READS_MAX {
        U::decode(said)
    } else {
        let mut counted = Counted { said, left: MESSAGE_READS_MAX };
        let decoded = U::decode(&mut counted);
        if counted.left == 0 {
            return Err(too_many("parts", MESSAGE_READS_MAX));
        }
        decoded
    };
    decoded.map_err(|error| Status::internal(error.to_string()))
}

fn too_many(what: &str, max: usize) -> Status {
    Status::invalid_argument(format!("a message has too many {what}, {what}_max={max}"))
}

/// Whether more than so many fields stand side by side. What is no message has no more than were found before that was seen.
fn has_more_fields(mut said: &[u8], max: usize) -> bool {
    (0..=max).all(|_| pass_field(&mut said).is_some())
}

/// Passes over a field, if there is one.
fn pass_field(said: &mut &[u8]) -> Option<()> {
    let key = decode_varint(said).ok()?;
    // The kinds of value there are; groups, which nobody uses, count as what is in them.
    let bytes = match key & 7 {
        0 => decode_varint(said).ok().map(|_| 0)?,
        1 => 8,
        2 => usize::try_from(decode_varint(said).ok()?).ok()?,
        5 => 4,
        _ => 0,
    };
    *said = said.get(bytes..)?;
    Some(())
}

/// What is decoded, each look at it counted: one for each key, length and value. It ends where it has been looked at too often, which is an error wherever
/// something was to follow.
struct Counted<'a, B> {
    said: &'a mut B,
    left: usize,
}

impl<B: Buf> Buf for Counted<'_, B> {
    fn remaining(&self) -> usize {
        if self.left == 0 { 0 } else { self.said.remaining() }
    }

    fn chunk(&self) -> &[u8] {
        if self.left == 0 { &[] } else { self.said.chunk() }
    }

    fn advance(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(1);
        self.said.advance(bytes);
    }

    // Not counted, of which there are ten at most: the last bytes of a message are looked at one by one, after one look at how many remain.
    fn get_u8(&mut self) -> u8 {
        self.said.get_u8()
    }

    fn copy_to_bytes(&mut self, bytes: usize) -> Bytes {
        self.left = self.left.saturating_sub(1);
        self.said.copy_to_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use gesta_store::limits::EVENTS_PER_COMMIT_MAX;
    use uuid::Uuid;

    use super::*;
    use crate::{
        convert::id::{self, IdForm},
        proto::{
            event_store::client::streams::{BatchAppendReq, batch_append_req::ProposedMessage},
            kurrentdb::protocol::v2::streams::{AppendRecord, AppendRecordsRequest},
        },
    };

    fn decoded<U: Message + Default>(said: &impl Message) -> Result<U, Status> {
        let mut said = Bytes::from(said.encode_to_vec());
        decode(&mut said)
    }

    fn events(count: usize) -> BatchAppendReq {
        let properties = [("type", "T"), ("content-type", "application/json")];
        let event = ProposedMessage {
            id: Some(id::to_wire(Uuid::from_u128(u128::MAX), IdForm::Structured)),
            metadata: properties.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            custom_metadata: "{}".into(),
            data: "{}".into(),
        };
        BatchAppendReq { proposed_messages: vec![event; count], ..BatchAppendReq::default() }
    }

    #[test]
    fn the_largest_requests_are_decoded() {
        let events = events(EVENTS_PER_COMMIT_MAX);
        assert!(decoded::<BatchAppendReq>(&events).unwrap() == events);
    }

    /// Where a message ended in a number that did not, and was looked at too often within it, its call was cut off with a panic.
    #[test]
    fn a_message_is_refused_that_ends_within_a_number_when_too_much_was_said() {
        const PADDING: usize = 2 << 20;
        for fewer in 0..12 {
            let mut record = b"\x7a\x80\x80\x80\x01".to_vec();
            record.resize(record.len() + PADDING, 0);
            record.extend(b"\x78\x00".repeat(MESSAGE_READS_MAX / 3 - fewer));
            record.push(b'\x78');
            record.extend([0x80; 9]);
            let mut said = vec![b'\x0a'];
            prost::encode_length_delimiter(record.len(), &mut said).unwrap();
            said.append(&mut record);
            assert!(decode::<AppendRecordsRequest>(&mut Bytes::from(said)).is_err());
        }
    }

    #[test]
    fn payloads_are_parts_of_what_was_said() {
        let mut said = Bytes::from(events(1).encode_to_vec());
        let memory = said.as_ptr_range();
        let request: BatchAppendReq = decode(&mut said).unwrap();
        assert!(memory.contains(&request.proposed_messages[0].data.as_ptr()));
    }

    #[test]
    fn no_more_is_decoded_side_by_side_than_the_largest_request_has() {
        let records =
            |count| AppendRecordsRequest { records: vec![AppendRecord::default(); count], checks: Vec::new() };
        assert!(decoded::<AppendRecordsRequest>(&records(MESSAGE_FIELDS_MAX)).is_ok());
        let refused = decoded::<AppendRecordsRequest>(&records(MESSAGE_FIELDS_MAX + 1)).unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (tonic::Code::InvalidArgument, "a message has too many fields, fields_max=262144")
        );
    }

    #[test]
    fn no_more_is_decoded_at_any_depth() {
        use prost_types::{ListValue, Value, value::Kind};
        let refused = |nulls| {
            let list = Kind::ListValue(ListValue { values: vec![Value { kind: None }; nulls] });
            let properties = [("list".to_owned(), Value { kind: Some(list) })].into();
            let record = AppendRecord { properties, ..AppendRecord::default() };
            let request = AppendRecordsRequest { records: vec![record], checks: Vec::new() };
            decoded::<AppendRecordsRequest>(&request).err()
        };
        assert!(refused(MESSAGE_READS_MAX / 2 - 100).is_none());
        let refused = refused(MESSAGE_READS_MAX / 2).expect("too many");
        assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains("parts_max"), "{refused}");
    }

    #[test]
    fn what_is_no_message_is_told() {
        let mut said = Bytes::from(vec![0xff; 1 << 20]);
        assert_eq!(decode::<AppendRecordsRequest>(&mut said).unwrap_err().code(), tonic::Code::Internal);
    }
}

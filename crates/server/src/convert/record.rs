//! Events as clients of the second protocol propose them: a schema instead of a type, and typed properties instead of metadata.
//!
//! What is recorded is an event like any other: its metadata are the properties as a JSON object, with the schema beside them.

use std::collections::HashMap;

use gesta_store::{ContentType, EventData, EventType, ExpectedRevision, Revision, StreamName, limits::EVENT_BYTES_MAX};
use prost_types::value::Kind;
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use crate::{
    proto::kurrentdb::protocol::v2::streams::{AppendRecord, SchemaFormat, SchemaInfo},
    rich::RichFault,
};

/// What the keys of the schema among the properties begin with; no other key may.
const SCHEMA: &str = "$schema.";
/// Deepest nesting of a property: deeper ones are meant to exhaust the stack.
const DEPTH_MAX: usize = 32;
/// Integers up to here are the same as a double.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The stream a request names.
///
/// # Errors
/// `BadRequest`.
pub fn stream(name: &str) -> Result<StreamName, RichFault> {
    match name {
        "" | "$$" => Err(RichFault::bad("stream", "must name a stream")),
        name => StreamName::new(name).map_err(|error| RichFault::bad("stream", error.to_string())),
    }
}

/// The expectation a number stands for; none is *any*.
///
/// The protocol names fewer of a part of a session than of a check: its `ExpectedRevisionConstants` have no word for *deleted* and *tombstoned*, and
/// KurrentDB refuses their numbers too.
///
/// # Errors
/// `BadRequest` for numbers that stand for nothing that can be expected of a stream that is appended to.
pub fn expected(number: Option<i64>) -> Result<ExpectedRevision, RichFault> {
    match number {
        None | Some(-2) => Ok(ExpectedRevision::Any),
        Some(number) => named(number).ok_or_else(|| {
            let elsewhere = match number {
                -5 | -6 => "; whether a stream is deleted (-5) or tombstoned (-6) is checked by AppendRecords",
                _ => "",
            };
            let names = "-1 (no stream), -2 (any) or -4 (exists)";
            RichFault::bad("expected_revision", format!("must be a revision, {names}{elsewhere}, found={number}"))
        }),
    }
}

/// What a check expects of a stream, be it written to or not.
///
/// # Errors
/// `BadRequest`, for *any* too, which is nothing to check.
pub fn state(number: i64) -> Result<ExpectedRevision, RichFault> {
    match number {
        -5 => Ok(ExpectedRevision::SoftDeleted),
        -6 => Ok(ExpectedRevision::Tombstoned),
        number => named(number).ok_or_else(|| {
            let states = "-1 (no stream), -4 (exists), -5 (deleted) or -6 (tombstoned)";
            let what = format!("must be a revision, {states}, any state is nothing to check, found={number}");
            RichFault::bad("checks.expected_state", what)
        }),
    }
}

fn named(number: i64) -> Option<ExpectedRevision> {
    match number {
        -1 => Some(ExpectedRevision::NoStream),
        -4 => Some(ExpectedRevision::StreamExists),
        number => u64::try_from(number).ok().map(|revision| ExpectedRevision::Exact(Revision(revision))),
    }
}

/// An event for `stream`.
///
/// # Errors
/// `BadRequest` or `RecordTooLarge`.
pub fn event(record: AppendRecord, stream: &StreamName) -> Result<EventData, RichFault> {
    let id = record.record_id.as_deref().map(record_id).transpose()?;
    let schema = record.schema.unwrap_or_default();
    let (format, content_type) = format_of(&schema)?;
    let event_type = event_type(&schema)?;
    let metadata = metadata(record.properties, &schema, format)?;
    let data = record.data;
    let bytes = data.len() + metadata.len() + event_type.len();
    if bytes > EVENT_BYTES_MAX {
        let id = record.record_id.unwrap_or_default();
        return Err(RichFault::RecordTooLarge { stream: stream.clone(), id, bytes });
    }
    let event = EventData { id, content_type, ..EventData::json(event_type, data) };
    Ok(event.with_metadata(metadata))
}

fn record_id(text: &str) -> Result<Uuid, RichFault> {
    match Uuid::try_parse(text) {
        Ok(id) if !id.is_nil() => Ok(id),
        Ok(_) | Err(_) => Err(RichFault::bad("record_id", format!("must be a UUID and not nil, found={text:?}"))),
    }
}

fn format_of(schema: &SchemaInfo) -> Result<(&'static str, ContentType), RichFault> {
    match SchemaFormat::try_from(schema.format) {
        Ok(SchemaFormat::Json) => Ok(("Json", ContentType::Json)),
        Ok(SchemaFormat::Protobuf) => Ok(("Protobuf", ContentType::Binary)),
        Ok(SchemaFormat::Avro) => Ok(("Avro", ContentType::Binary)),
        Ok(SchemaFormat::Bytes) => Ok(("Bytes", ContentType::Binary)),
        Ok(SchemaFormat::Unspecified) | Err(_) => {
            Err(RichFault::bad("schema.format", "must be one of those there are"))
        }
    }
}

fn event_type(schema: &SchemaInfo) -> Result<EventType, RichFault> {
    let name = schema.name.as_str();
    let fits = |c: char| c.is_alphanumeric() || "_.$:-".contains(c);
    if let Some(bad) = name.chars().find(|&c| !fits(c)) {
        return Err(RichFault::bad(
            "schema.name",
            format!("must be letters, numbers and any of _.$:-, name={name:?} found={bad:?}"),
        ));
    }
    EventType::new(name).map_err(|error| RichFault::bad("schema.name", error.to_string()))
}

fn metadata(
    properties: HashMap<String, prost_types::Value>,
    schema: &SchemaInfo,
    format: &str,
) -> Result<Vec<u8>, RichFault> {
    let mut document = Map::new();
    for (key, value) in properties {
        if key.starts_with(SCHEMA) {
            return Err(RichFault::bad("properties", format!("{SCHEMA} is for the schema, key={key:?}")));
        }
        let value = json(value, 0)?;
        document.insert(key, value);
    }
    let mut insert = |key: &str, value: &str| document.insert(format!("{SCHEMA}{key}"), value.into());
    insert("name", &schema.name);
    insert("format", format);
    if let Some(id) = schema.id.as_deref().filter(|id| !id.is_empty()) {
        insert("id", id);
    }
    serde_json::to_vec(&document).map_err(|error| RichFault::bad("properties", error.to_string()))
}

fn json(value: prost_types::Value, depth: usize) -> Result<Value, RichFault> {
    if depth > DEPTH_MAX {
        return Err(RichFault::bad("properties", format!("are nested too deep, depth_max={DEPTH_MAX}")));
    }
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => value.into(),
        Some(Kind::StringValue(value)) => value.into(),
        Some(Kind::NumberValue(value)) => number(value)?.into(),
        Some(Kind::ListValue(list)) => {
            list.values.into_iter().map(|value| json(value, depth + 1)).collect::<Result<Vec<_>, _>>()?.into()
        }
        Some(Kind::StructValue(object)) => object
            .fields
            .into_iter()
            .map(|(key, value)| Ok((key, json(value, depth + 1)?)))
            .collect::<Result<Map<_, _>, RichFault>>()?
            .into(),
    })
}

/// A number as JSON writes it: without a point, if it has none.
fn number(value: f64) -> Result<Number, RichFault> {
    #[allow(clippy::cast_possible_truncation, reason = "it is whole, and less than 2^53")]
    if value.fract() == 0.0 && value.abs() < EXACT_MAX {
        return Ok((value as i64).into());
    }
    Number::from_f64(value).ok_or_else(|| RichFault::bad("properties", "infinity and NaN are no numbers of JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(format: SchemaFormat, name: &str, properties: &[(&str, Kind)]) -> AppendRecord {
        let value = |kind: &Kind| prost_types::Value { kind: Some(kind.clone()) };
        AppendRecord {
            record_id: Some(Uuid::from_u128(7).to_string()),
            properties: properties.iter().map(|(key, kind)| ((*key).to_owned(), value(kind))).collect(),
            schema: Some(SchemaInfo { format: format.into(), name: name.to_owned(), id: None }),
            data: "{}".into(),
            stream: String::new(),
        }
    }

    fn refused(record: AppendRecord) -> &'static str {
        match event(record, &StreamName::new("s").unwrap()) {
            Err(RichFault::BadRequest { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn properties_and_schema_become_metadata() {
        let properties = [
            ("who", Kind::StringValue("ada".to_owned())),
            ("n", Kind::NumberValue(3.0)),
            ("x", Kind::NumberValue(0.5)),
        ];
        let event =
            event(record(SchemaFormat::Protobuf, "Größe.v1", &properties), &StreamName::new("s").unwrap()).unwrap();
        let metadata = String::from_utf8(event.metadata.to_vec()).unwrap();
        assert_eq!(metadata, r#"{"$schema.format":"Protobuf","$schema.name":"Größe.v1","n":3,"who":"ada","x":0.5}"#);
        assert_eq!((event.event_type.as_str(), event.content_type), ("Größe.v1", ContentType::Binary));
    }

    #[test]
    fn what_cannot_be_is_named_by_its_field() {
        assert_eq!(refused(record(SchemaFormat::Unspecified, "T", &[])), "schema.format");
        assert_eq!(refused(record(SchemaFormat::Json, "", &[])), "schema.name");
        assert_eq!(refused(record(SchemaFormat::Json, "a b", &[])), "schema.name");
        assert_eq!(refused(record(SchemaFormat::Json, "T", &[("$schema.name", Kind::BoolValue(true))])), "properties");
        assert_eq!(refused(record(SchemaFormat::Json, "T", &[("n", Kind::NumberValue(f64::NAN))])), "properties");
        let nil = AppendRecord { record_id: Some(Uuid::nil().to_string()), ..record(SchemaFormat::Json, "T", &[]) };
        assert_eq!(refused(nil), "record_id");
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = (0..DEPTH_MAX + 2).fold(Kind::BoolValue(true), |inner, _| {
            let values = vec![prost_types::Value { kind: Some(inner) }];
            Kind::ListValue(prost_types::ListValue { values })
        });
        assert_eq!(refused(record(SchemaFormat::Json, "T", &[("deep", nested)])), "properties");
    }

    #[test]
    fn numbers_stand_for_expectations() {
        assert_eq!(expected(None).unwrap(), ExpectedRevision::Any);
        assert_eq!(expected(Some(0)).unwrap(), ExpectedRevision::Exact(Revision(0)));
        assert_eq!(expected(Some(-4)).unwrap(), ExpectedRevision::StreamExists);
        for number in [-3, -5, -6, i64::MIN] {
            assert!(expected(Some(number)).is_err(), "{number}");
        }
        assert_eq!(state(7).unwrap(), ExpectedRevision::Exact(Revision(7)));
        assert_eq!(state(-5).unwrap(), ExpectedRevision::SoftDeleted);
        assert_eq!(state(-6).unwrap(), ExpectedRevision::Tombstoned);
        for number in [-2, -3, -7, i64::MIN] {
            assert!(state(number).is_err(), "{number}");
        }
    }
}

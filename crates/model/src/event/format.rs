//! The serde format of event data.

use gesta_store::ContentType;
use serde::{Deserializer, Serialize, Serializer, de::DeserializeOwned};

use super::fields::{FieldsOf, VariantOf};

/// A serde format for event data.
///
/// It must be self-describing (as JSON and CBOR are) for upcasts and for reading fields of a variant by name.
pub trait Format: 'static {
    /// The media type its data is recorded with.
    fn content_type() -> ContentType;

    /// Encodes a value.
    ///
    /// # Errors
    /// What the format says.
    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, String>;

    /// Decodes a value.
    ///
    /// # Errors
    /// What the format says.
    fn decode<T: DeserializeOwned>(data: &[u8]) -> Result<T, String>;

    /// Encodes the fields of an enum's variant, without its name.
    ///
    /// # Errors
    /// What the format says.
    fn encode_fields<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
        Self::encode(&FieldsOf(value))
    }

    /// Decodes the fields of the variant at `index`.
    ///
    /// # Errors
    /// What the format says.
    fn decode_fields<T: DeserializeOwned>(index: usize, data: &[u8]) -> Result<T, String>;
}

/// `application/json`, by `serde_json`.
#[derive(Clone, Copy, Debug)]
pub struct Json;

impl Format for Json {
    fn content_type() -> ContentType {
        ContentType::Json
    }

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
        serde_json::to_vec(value).map_err(|error| error.to_string())
    }

    fn decode<T: DeserializeOwned>(data: &[u8]) -> Result<T, String> {
        serde_json::from_slice(data).map_err(|error| error.to_string())
    }

    fn decode_fields<T: DeserializeOwned>(index: usize, data: &[u8]) -> Result<T, String> {
        let mut json = serde_json::Deserializer::from_slice(data);
        let value = decode_variant(index, &mut json)?;
        json.end().map_err(|error| error.to_string())?;
        Ok(value)
    }
}

/// Decodes the variant at `index` from its fields alone, in any self-describing format: what [`Format::decode_fields`] is made of.
///
/// # Errors
/// What the format says.
pub fn decode_variant<'de, T: serde::Deserialize<'de>, D: Deserializer<'de>>(
    index: usize,
    fields: D,
) -> Result<T, String> {
    let index = u32::try_from(index).map_err(|_| "an enum has too many variants".to_owned())?;
    T::deserialize(VariantOf { index, fields }).map_err(|error: D::Error| error.to_string())
}

impl<T: Serialize> Serialize for FieldsOf<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(super::fields::Unwrapping(serializer))
    }
}

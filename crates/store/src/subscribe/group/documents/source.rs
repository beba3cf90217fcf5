//! The source of a group as JSON.

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    name::{Category, EventType, StreamName, Tag},
    path::PathPattern,
    query::{Query, QueryItem, StreamFilter, TagFilter, TypeFilter},
    read::Source,
};

/// [`Source`].
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireSource {
    All,
    Stream(String),
    Query(Vec<WireItem>),
}

/// [`QueryItem`].
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct WireItem {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    streams: Vec<WireStreams>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    types: Vec<WireTypes>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<WireTags>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum WireStreams {
    Exact(String),
    Category(String),
    Prefix(String),
    Pattern(String),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum WireTypes {
    Exact(String),
    Prefix(String),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum WireTags {
    Exact(String),
    Path(String),
}

impl From<&Source> for WireSource {
    fn from(source: &Source) -> Self {
        match source {
            Source::All => Self::All,
            Source::Stream(stream) => Self::Stream(stream.to_string()),
            Source::Query(query) => Self::Query(query.items.iter().map(WireItem::from).collect()),
        }
    }
}

impl From<&QueryItem> for WireItem {
    fn from(item: &QueryItem) -> Self {
        let stream = |filter: &StreamFilter| match filter {
            StreamFilter::Exact(name) => WireStreams::Exact(name.to_string()),
            StreamFilter::Category(category) => WireStreams::Category(category.to_string()),
            StreamFilter::Prefix(prefix) => WireStreams::Prefix(prefix.to_string()),
            StreamFilter::Pattern(pattern) => WireStreams::Pattern(pattern.to_string()),
        };
        let event_type = |filter: &TypeFilter| match filter {
            TypeFilter::Exact(name) => WireTypes::Exact(name.to_string()),
            TypeFilter::Prefix(prefix) => WireTypes::Prefix(prefix.to_string()),
        };
        let tag = |filter: &TagFilter| match filter {
            TagFilter::Exact(tag) => WireTags::Exact(tag.to_string()),
            TagFilter::Path(pattern) => WireTags::Path(pattern.to_string()),
        };
        Self {
            streams: item.streams.iter().map(stream).collect(),
            types: item.types.iter().map(event_type).collect(),
            tags: item.tags.iter().map(tag).collect(),
        }
    }
}

impl TryFrom<WireSource> for Source {
    type Error = Error;

    fn try_from(source: WireSource) -> Result<Self> {
        Ok(match source {
            WireSource::All => Self::All,
            WireSource::Stream(stream) => Self::Stream(StreamName::new(stream)?),
            WireSource::Query(items) => {
                let query = Query { items: items.into_iter().map(QueryItem::try_from).collect::<Result<_>>()? };
                query.check()?;
                Self::Query(query)
            }
        })
    }
}

impl TryFrom<WireItem> for QueryItem {
    type Error = Error;

    fn try_from(item: WireItem) -> Result<Self> {
        let stream = |filter| {
            Ok(match filter {
                WireStreams::Exact(name) => StreamFilter::Exact(StreamName::new(name)?),
                WireStreams::Category(name) => StreamFilter::Category(Category::new(name)?),
                WireStreams::Prefix(prefix) => StreamFilter::Prefix(prefix.into()),
                WireStreams::Pattern(pattern) => StreamFilter::Pattern(pattern.into()),
            })
        };
        let event_type = |filter| {
            Ok(match filter {
                WireTypes::Exact(name) => TypeFilter::Exact(EventType::new(name)?),
                WireTypes::Prefix(prefix) => TypeFilter::Prefix(prefix.into()),
            })
        };
        let tag = |filter| {
            Ok(match filter {
                WireTags::Exact(tag) => TagFilter::Exact(Tag::new(tag)?),
                WireTags::Path(pattern) => TagFilter::Path(PathPattern::new(&pattern)?),
            })
        };
        Ok(Self {
            streams: item.streams.into_iter().map(stream).collect::<Result<_>>()?,
            types: item.types.into_iter().map(event_type).collect::<Result<_>>()?,
            tags: item.tags.into_iter().map(tag).collect::<Result<_>>()?,
        })
    }
}

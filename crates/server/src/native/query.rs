//! What is asked for, both ways.

use gesta_store::{
    AsOf, Category, Error, EventType, From as Begin, PathPattern, Position, Query, QueryItem, Result, Revision, Source,
    StreamFilter, StreamName, Tag, TagFilter, Timestamp, TypeFilter,
};

use super::messages as wire;

pub(super) fn missing(what: &str) -> Error {
    Error::invalid(format!("request is incomplete, missing={what}"))
}

pub(crate) fn source_to_wire(source: &Source) -> wire::Source {
    use wire::source::Source as Kind;
    wire::Source {
        source: Some(match source {
            Source::All => Kind::All(wire::Nothing {}),
            Source::Stream(stream) => Kind::Stream(stream.to_string()),
            Source::Query(query) => Kind::Query(query_to_wire(query)),
        }),
    }
}

pub(super) fn source_from_wire(source: Option<wire::Source>) -> Result<Source> {
    use wire::source::Source as Kind;
    Ok(match source.and_then(|source| source.source).ok_or_else(|| missing("source"))? {
        Kind::All(_) => Source::All,
        Kind::Stream(stream) => Source::Stream(StreamName::new(&stream)?),
        Kind::Query(query) => Source::Query(query_from_wire(query)?),
    })
}

pub(crate) fn query_to_wire(query: &Query) -> wire::Query {
    use wire::{stream_filter::Filter as ByStream, tag_filter::Filter as ByTag, type_filter::Filter as ByType};
    let stream = |filter: &StreamFilter| match filter {
        StreamFilter::Exact(name) => ByStream::Exact(name.to_string()),
        StreamFilter::Category(category) => ByStream::Category(category.to_string()),
        StreamFilter::Prefix(prefix) => ByStream::Prefix(prefix.to_string()),
        StreamFilter::Pattern(pattern) => ByStream::Pattern(pattern.to_string()),
    };
    let event_type = |filter: &TypeFilter| match filter {
        TypeFilter::Exact(name) => ByType::Exact(name.to_string()),
        TypeFilter::Prefix(prefix) => ByType::Prefix(prefix.to_string()),
    };
    let tag = |filter: &TagFilter| match filter {
        TagFilter::Exact(tag) => ByTag::Exact(tag.to_string()),
        TagFilter::Path(pattern) => ByTag::Path(pattern.to_string()),
    };
    let item = |item: &QueryItem| wire::QueryItem {
        streams: item.streams.iter().map(|filter| wire::StreamFilter { filter: Some(stream(filter)) }).collect(),
        types: item.types.iter().map(|filter| wire::TypeFilter { filter: Some(event_type(filter)) }).collect(),
        tags: item.tags.iter().map(|filter| wire::TagFilter { filter: Some(tag(filter)) }).collect(),
    };
    wire::Query { items: query.items.iter().map(item).collect() }
}

pub(super) fn query_from_wire(query: wire::Query) -> Result<Query> {
    let items = query.items.into_iter().map(item_from_wire).collect::<Result<Vec<_>>>()?;
    let query = Query { items };
    query.check()?;
    Ok(query)
}

fn item_from_wire(item: wire::QueryItem) -> Result<QueryItem> {
    use wire::{stream_filter::Filter as ByStream, tag_filter::Filter as ByTag, type_filter::Filter as ByType};
    let stream = |filter: wire::StreamFilter| {
        Ok(match filter.filter.ok_or_else(|| missing("filter"))? {
            ByStream::Exact(name) => StreamFilter::Exact(StreamName::new(&name)?),
            ByStream::Category(category) => StreamFilter::Category(Category::new(&category)?),
            ByStream::Prefix(prefix) => StreamFilter::Prefix(prefix.into()),
            ByStream::Pattern(pattern) => StreamFilter::Pattern(pattern.into()),
        })
    };
    let event_type = |filter: wire::TypeFilter| {
        Ok(match filter.filter.ok_or_else(|| missing("filter"))? {
            ByType::Exact(name) => TypeFilter::Exact(EventType::new(&name)?),
            ByType::Prefix(prefix) => TypeFilter::Prefix(prefix.into()),
        })
    };
    let tag = |filter: wire::TagFilter| {
        Ok(match filter.filter.ok_or_else(|| missing("filter"))? {
            ByTag::Exact(tag) => TagFilter::Exact(Tag::new(&tag)?),
            ByTag::Path(pattern) => TagFilter::Path(PathPattern::new(&pattern)?),
        })
    };
    Ok(QueryItem {
        streams: item.streams.into_iter().map(stream).collect::<Result<_>>()?,
        types: item.types.into_iter().map(event_type).collect::<Result<_>>()?,
        tags: item.tags.into_iter().map(tag).collect::<Result<_>>()?,
    })
}

pub(crate) fn from_to_wire(from: Begin) -> wire::From {
    use wire::from::From as Kind;
    wire::From {
        from: Some(match from {
            Begin::Beginning => Kind::Beginning(wire::Nothing {}),
            Begin::Now => Kind::Now(wire::Nothing {}),
            Begin::Revision(Revision(revision)) => Kind::Revision(revision),
            Begin::Position(Position(position)) => Kind::Position(position),
            Begin::Time(Timestamp(time)) => Kind::Time(time),
        }),
    }
}

pub(super) fn from_from_wire(from: Option<wire::From>) -> Result<Begin> {
    use wire::from::From as Kind;
    Ok(match from.and_then(|from| from.from).ok_or_else(|| missing("from"))? {
        Kind::Beginning(_) => Begin::Beginning,
        Kind::Now(_) => Begin::Now,
        Kind::Revision(revision) => Begin::Revision(Revision(revision)),
        Kind::Position(position) => Begin::Position(Position(position)),
        Kind::Time(time) => Begin::Time(Timestamp(time)),
    })
}

pub(super) fn as_of_to_wire(as_of: AsOf) -> wire::AsOf {
    use wire::as_of::Moment;
    wire::AsOf {
        moment: Some(match as_of {
            AsOf::Position(Position(position)) => Moment::Position(position),
            AsOf::Time(Timestamp(time)) => Moment::Time(time),
        }),
    }
}

pub(super) fn as_of_from_wire(as_of: wire::AsOf) -> Result<AsOf> {
    use wire::as_of::Moment;
    Ok(match as_of.moment.ok_or_else(|| missing("moment"))? {
        Moment::Position(position) => AsOf::Position(Position(position)),
        Moment::Time(time) => AsOf::Time(Timestamp(time)),
    })
}

//! Which events, from where, as of when: the arguments that `read`, `follow`, `export` and `explain` share.

use clap::Args;
use gesta::{
    AsOf, Category, Direction, EventType, From, PathPattern, Position, Query, QueryItem, ReadOptions, Revision, Source,
    StreamFilter, StreamName, Tag, TagFilter, TypeFilter,
};

use crate::{
    exit::{Failure, Outcome},
    time,
};

/// Which events.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Which events")]
pub(crate) struct FilterArgs {
    /// Events of this type; with a `*` at the end, of types that begin so. Repeat for any of several
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// Events with this tag. Repeat for all of several
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Events with a tag that is a path and matches: `/files/src/**`, `/accounts/{id}`. Repeat for all of several
    #[arg(long = "path", value_name = "PATTERN")]
    pub(crate) paths: Vec<String>,
    /// Events of this stream; `*` stands for any characters. Repeat for any of several
    #[arg(long = "stream", value_name = "NAME")]
    pub(crate) streams: Vec<String>,
    /// Events of streams whose name begins with CATEGORY and a `-`. Repeat for any of several
    #[arg(long = "category", value_name = "CATEGORY")]
    pub(crate) categories: Vec<String>,
}

/// What is looked at: a stream, or a model of the application and one of its instances.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SubjectArgs {
    /// The stream [default: the whole log]; with --model, the key: a word for each `*` of its path
    #[arg(value_name = "STREAM")]
    words: Vec<String>,
    /// A model of the application, in a program that knows it
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    filters: FilterArgs,
}

impl SubjectArgs {
    /// The key, if a model was named; its events are not chosen by filters.
    pub(crate) fn key(&self) -> Outcome<&[String]> {
        if self.filters.is_empty() {
            return Ok(&self.words);
        }
        Err(Failure::usage("--model cannot be combined with what says which events: a model knows its own"))
    }

    /// The events that are looked at without a model.
    pub(crate) fn source(&self) -> Outcome<Source> {
        match &self.words[..] {
            [] => self.filters.source(None),
            [stream] => self.filters.source(Some(stream)),
            [_, second, ..] => {
                Err(Failure::usage(format!("one stream at most, unless a model is named, found={second}")))
            }
        }
    }
}

/// Where a read begins, which way it goes and where it ends.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "From where, how many")]
pub(crate) struct RangeArgs {
    /// Where to begin: `start`, a revision (with STREAM), a position as `@118`, or a time
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    pub(crate) from: Option<String>,
    /// Newest first
    #[arg(short, long)]
    pub(crate) reverse: bool,
    /// At most so many events
    #[arg(short = 'n', long, value_name = "COUNT")]
    pub(crate) limit: Option<u64>,
    /// As of a moment in the past: a time, or a position as `@118`
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    pub(crate) at: Option<String>,
    /// Show what links point to instead of the links
    #[arg(long)]
    pub(crate) resolve_links: bool,
}

impl FilterArgs {
    fn is_empty(&self) -> bool {
        self.types.is_empty()
            && self.tags.is_empty()
            && self.paths.is_empty()
            && self.streams.is_empty()
            && self.categories.is_empty()
    }

    /// What is read: `stream`, narrowed by the filters; without either, the whole log.
    pub(crate) fn source(&self, stream: Option<&str>) -> Outcome<Source> {
        let stream = stream.map(StreamName::new).transpose()?;
        match stream {
            None if self.is_empty() => Ok(Source::All),
            Some(stream) if self.is_empty() => Ok(Source::Stream(stream)),
            stream => Ok(Source::Query(Query::of(self.item(stream.as_ref())?))),
        }
    }

    /// The query the filters are.
    pub(crate) fn query(&self, stream: Option<&str>) -> Outcome<Query> {
        let stream = stream.map(StreamName::new).transpose()?;
        if stream.is_none() && self.is_empty() {
            return Ok(Query::all());
        }
        Ok(Query::of(self.item(stream.as_ref())?))
    }

    fn item(&self, stream: Option<&StreamName>) -> Outcome<QueryItem> {
        let mut item = QueryItem::default();
        if let Some(stream) = stream {
            if !(self.streams.is_empty() && self.categories.is_empty()) {
                return Err(Failure::usage("STREAM cannot be combined with --stream or --category"));
            }
            narrow_to(stream, &mut item)?;
        }
        for stream in &self.streams {
            item.streams.push(stream_filter(stream)?);
        }
        for category in &self.categories {
            item.streams.push(StreamFilter::Category(Category::new(category)?));
        }
        for event_type in &self.types {
            item.types.push(type_filter(event_type)?);
        }
        for tag in &self.tags {
            item.tags.push(TagFilter::Exact(Tag::new(tag)?));
        }
        for path in &self.paths {
            item.tags.push(TagFilter::Path(PathPattern::new(path)?));
        }
        Ok(item)
    }
}

/// Restricts `item` to the events of `stream`. A virtual stream is itself a query, of which two can be said here.
fn narrow_to(stream: &StreamName, item: &mut QueryItem) -> Outcome<()> {
    use gesta::name::system::{CATEGORY_PREFIX, TYPE_PREFIX};
    if let Some(category) = stream.strip_prefix(CATEGORY_PREFIX) {
        item.streams.push(StreamFilter::Category(Category::new(category)?));
    } else if let Some(event_type) = stream.strip_prefix(TYPE_PREFIX) {
        item.types.push(TypeFilter::Exact(EventType::new(event_type)?));
    } else if stream.is_system() && !stream.starts_with("$$") {
        return Err(Failure::usage(format!("a virtual stream cannot be filtered, stream={stream}"))
            .with_remedy("read it without --type, --tag and --path, or use them without STREAM"));
    } else {
        item.streams.push(StreamFilter::Exact(stream.clone()));
    }
    Ok(())
}

/// `order-*` and the like.
pub(crate) fn stream_filter(text: &str) -> Outcome<StreamFilter> {
    Ok(match text.split_once('*') {
        None => StreamFilter::Exact(StreamName::new(text)?),
        Some((prefix, "")) => StreamFilter::Prefix(prefix.into()),
        Some(_) => StreamFilter::Pattern(text.into()),
    })
}

/// `OrderPlaced`, or `Order*`.
pub(crate) fn type_filter(text: &str) -> Outcome<TypeFilter> {
    match text.split_once('*') {
        None => Ok(TypeFilter::Exact(EventType::new(text)?)),
        Some((prefix, "")) => Ok(TypeFilter::Prefix(prefix.into())),
        Some(_) => Err(Failure::usage(format!("a type may have * only at its end, type={text:?}")).with_remedy(
            "name a type (`OrderPlaced`) or what types begin with (`Order*`); several --type mean any of them",
        )),
    }
}

impl RangeArgs {
    /// How `source` is read.
    pub(crate) fn options(&self, source: &Source) -> Outcome<ReadOptions> {
        Ok(ReadOptions {
            direction: if self.reverse { Direction::Backward } else { Direction::Forward },
            from: self.from.as_deref().map_or(Ok(From::Beginning), |from| place(from, source))?,
            as_of: self.at.as_deref().map(moment).transpose()?,
            limit: self.limit,
            resolve_links: self.resolve_links,
            ..ReadOptions::default()
        })
    }
}

/// Where to begin in `source`.
pub(crate) fn place(text: &str, source: &Source) -> Outcome<From> {
    if let Some(position) = text.strip_prefix('@') {
        return Ok(From::Position(position_of(position)?));
    }
    match text {
        "start" => return Ok(From::Beginning),
        "now" => return Ok(From::Now),
        _ => {}
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        let Source::Stream(_) = source else {
            return Err(Failure::usage(format!("a revision has a meaning only in one stream, from={text}"))
                .with_remedy(format!("name STREAM without filters, or give a position: --from @{text}")));
        };
        let revision = text.parse().map_err(|_| Failure::usage(format!("revision is too large, from={text}")))?;
        return Ok(From::Revision(Revision(revision)));
    }
    time::parse(text, &time::now()).map(From::Time).map_err(Failure::usage)
}

/// A moment to read as of.
pub(crate) fn moment(text: &str) -> Outcome<AsOf> {
    match text.strip_prefix('@') {
        Some(position) => Ok(AsOf::Position(position_of(position)?)),
        None => time::parse(text, &time::now()).map(AsOf::Time).map_err(Failure::usage),
    }
}

/// A position, with or without its `@`.
pub(crate) fn position_of(text: &str) -> Outcome<Position> {
    let digits = text.strip_prefix('@').unwrap_or(text);
    digits.parse().map(Position).map_err(|_| Failure::usage(format!("not a position, given={text:?}; write @118")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_of(filters: &FilterArgs, stream: Option<&str>) -> Source {
        filters.source(stream).unwrap()
    }

    #[test]
    fn arguments_become_the_narrowest_source() {
        let none = FilterArgs::default();
        assert_eq!(all_of(&none, None), Source::All);
        assert_eq!(all_of(&none, Some("order-17")), Source::Stream(StreamName::new("order-17").unwrap()));
        let types = FilterArgs { types: vec!["Order*".into(), "Paid".into()], ..FilterArgs::default() };
        let Source::Query(query) = all_of(&types, Some("$ce-order")) else { panic!("a query") };
        assert!(query.matches("order-1", "OrderPlaced", std::iter::empty()));
        assert!(query.matches("order-1", "Paid", std::iter::empty()));
        assert!(!query.matches("order-1", "Shipped", std::iter::empty()));
        assert!(!query.matches("invoice-1", "Paid", std::iter::empty()));
    }

    #[test]
    fn tags_and_paths_must_all_match() {
        let filters =
            FilterArgs { tags: vec!["vip".into()], paths: vec!["/files/src/**".into()], ..FilterArgs::default() };
        let query = filters.query(None).unwrap();
        assert!(query.matches("s", "T", ["/files/src/a.rs", "vip"].into_iter()));
        assert!(!query.matches("s", "T", ["/files/src/a.rs"].into_iter()));
    }

    #[test]
    fn contradictions_are_usage_errors() {
        let filters = FilterArgs { streams: vec!["a*".into()], ..FilterArgs::default() };
        assert!(filters.source(Some("b")).is_err());
        for pattern in ["A*B*", "A*B", "*B"] {
            let filters = FilterArgs { types: vec![pattern.into()], ..FilterArgs::default() };
            assert!(filters.source(None).is_err(), "{pattern}");
        }
        let filters = FilterArgs { types: vec!["A".into()], ..FilterArgs::default() };
        assert!(filters.source(Some("$bc-7")).is_err());
    }

    #[test]
    fn places_are_told_apart() {
        let stream = Source::Stream(StreamName::new("s").unwrap());
        assert_eq!(place("start", &Source::All).unwrap(), From::Beginning);
        assert_eq!(place("17", &stream).unwrap(), From::Revision(Revision(17)));
        assert_eq!(place("@17", &Source::All).unwrap(), From::Position(Position(17)));
        assert!(matches!(place("2026-01-31", &Source::All).unwrap(), From::Time(_)));
        assert!(place("17", &Source::All).is_err());
        assert!(place("99999999999999999999", &stream).is_err());
        assert!(place("@x", &stream).is_err());
    }

    #[test]
    fn globs_become_the_cheapest_filter() {
        assert_eq!(stream_filter("a-*").unwrap(), StreamFilter::Prefix("a-".into()));
        assert_eq!(stream_filter("a-*-b").unwrap(), StreamFilter::Pattern("a-*-b".into()));
        assert!(matches!(stream_filter("a-1").unwrap(), StreamFilter::Exact(_)));
    }
}

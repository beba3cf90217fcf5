//! Which events a model is made of: from its path and a key to a read and to the condition a decision stands on.

use std::borrow::Cow;

use gesta_store::{
    Category, EventRef, EventStore, PathPattern, Query, QueryItem, Source, StreamFilter, StreamName, StreamStatus, Tag,
    TypeFilter,
};

use crate::{
    error::{Error, Result},
    event::{Event, Kind, Name, meets},
    key::Key,
    model::{Checked, Model},
};

/// The events one instance of a model is made of.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The stream, if it is exactly one, and the one of its metadata; else there is only the query.
    stream: Option<(StreamName, Option<StreamName>)>,
    query: Query,
    /// Of what the query finds, only events with a tag that fits: the index has no patterns for tags that are not paths.
    tagged: Option<StreamFilter>,
}

impl Scope {
    /// The scope of the instance of `M` under `key`.
    pub(crate) fn of<M: Model>(key: &M::Key) -> Result<Self> {
        if let Some(query) = M::query(key) {
            return Ok(Self { stream: None, query, tagged: None });
        }
        if M::Key::PARTS == 0 {
            return Self::only::<M>();
        }
        if Checked::<M>::EVERYTHING {
            let model = M::name();
            return Err(Error::Unanswerable(format!("a model of everything has no keys, model={model}")));
        }
        Self::at_path::<M>(&path_of::<M>(key)?)
    }

    /// The scope of the only instance of a model without keys.
    pub(crate) fn only<M: Model>() -> Result<Self> {
        if Checked::<M>::EVERYTHING {
            return Ok(Self::query(QueryItem { types: types(M::Event::KINDS), ..QueryItem::default() }));
        }
        if M::AT.contains('*') { Self::pattern::<M>() } else { Self::at_path::<M>(M::AT) }
    }

    /// The scope of one path that fits the pattern of `M`.
    pub(crate) fn at_path<M: Model>(path: &str) -> Result<Self> {
        let reach = Checked::<M>::REACH;
        let stream = || StreamName::new(path);
        let item = QueryItem::default;
        Ok(match (reach.home, reach.further) {
            (true, false) => {
                let (stream, query) = (stream()?, Query { items: Vec::new() });
                let metadata = stream.metadata_stream().ok();
                Self { stream: Some((stream, metadata)), query, tagged: None }
            }
            (false, _) => Self::query(item().tag(Tag::new(path)?)),
            (true, true) => {
                let mut both = Self::query(item().stream(StreamFilter::Exact(stream()?)));
                both.query = both.query.or(item().tag(Tag::new(path)?));
                both
            }
        })
    }

    /// The scope of all instances of `M` together: of every path that fits.
    pub(crate) fn pattern<M: Model>() -> Result<Self> {
        let reach = Checked::<M>::REACH;
        if Checked::<M>::EVERYTHING {
            return Err(Error::Unanswerable(format!("a model of everything has no paths, model={}", M::name())));
        }
        if M::AT.starts_with('/') {
            return Ok(Self::query(QueryItem::default().path(PathPattern::new(M::AT)?)));
        }
        let mut scope = Self { stream: None, query: Query { items: Vec::new() }, tagged: None };
        if reach.home {
            scope.query = scope.query.or(QueryItem::default().stream(stream_filter(M::AT)?));
        }
        if reach.further {
            let tagged = |kind: &&Kind| kind.also.iter().any(|also| meets(M::AT, also));
            let kinds: Vec<Kind> = M::Event::KINDS.iter().filter(tagged).copied().collect();
            scope.query = scope.query.or(QueryItem { types: types(&kinds), ..QueryItem::default() });
            scope.tagged = Some(StreamFilter::Pattern(M::AT.into()));
        }
        Ok(scope)
    }

    fn query(item: QueryItem) -> Self {
        Self { stream: None, query: Query::of(item), tagged: None }
    }

    /// The only stream, if there is only one.
    pub(crate) fn stream(&self) -> Option<&StreamName> {
        self.stream.as_ref().map(|(stream, _)| stream)
    }

    /// The stream of its metadata, if there is only one stream and it can have some.
    pub(crate) fn metadata_stream(&self) -> Option<&StreamName> {
        self.stream.as_ref().and_then(|(_, metadata)| metadata.as_ref())
    }

    /// Whether what was read once of it stays what its readers see.
    ///
    /// Events never change, but a stream with a metadata document may hide some (`$maxCount`, `$tb`, deletion), and one that was ended shows none.
    /// Such streams are folded anew each time; they are short by intention.
    pub(crate) fn is_steady(&self, store: &EventStore) -> Result<bool> {
        let Some(stream) = self.stream() else { return Ok(true) };
        if stream.is_system() {
            return Ok(false); // computed, or a metadata stream itself
        }
        // Without metadata a stream is missing, ended, or shows everything.
        let has_metadata = self.metadata_stream().is_some_and(|metadata| is_written(store, metadata).unwrap_or(true));
        Ok(!has_metadata && !matches!(store.stream_status(stream)?, StreamStatus::Tombstoned { .. }))
    }

    /// What a decision stands on: nothing more of this. A scope that is kept has no query that says what its stream says.
    pub(crate) fn condition(&self) -> Cow<'_, Query> {
        match self.stream() {
            Some(stream) => Cow::Owned(Query::of(QueryItem::default().stream(StreamFilter::Exact(stream.clone())))),
            None => Cow::Borrowed(&self.query),
        }
    }

    /// What is read.
    pub(crate) fn source(&self) -> Source {
        match self.stream() {
            Some(stream) => Source::Stream(stream.clone()),
            None => Source::Query(self.query.clone()),
        }
    }

    /// Whether an event that was read belongs.
    pub(crate) fn admits(&self, event: &EventRef<'_>) -> bool {
        let Some(filter) = &self.tagged else { return true };
        // By its home: then the first item of the query found it.
        let home = self.query.items.iter().flat_map(|item| &item.streams).any(|streams| streams.matches(event.stream));
        home || event.tags.iter().any(|tag| filter.matches(tag))
    }
}

fn is_written(store: &EventStore, stream: &StreamName) -> Result<bool> {
    Ok(store.stream_status(stream)? != StreamStatus::Missing)
}

/// The paths of one event that fit the pattern of `M`: the instances it belongs to. Each once. Only such as the scope of one instance looks at: a tag that
/// somebody else gave the event is no path of a model whose events are found by their homes.
pub(crate) fn paths_of<'e, M: Model>(
    stream: &'e str,
    tags: impl Iterator<Item = &'e str>,
) -> impl Iterator<Item = &'e str> {
    let fits = |path: &str| {
        if path.starts_with('/') { fits_path(M::AT, path) } else { StreamFilter::Pattern(M::AT.into()).matches(path) }
    };
    let reach = Checked::<M>::REACH;
    let home = Some(stream).filter(|stream| reach.home && fits(stream));
    home.into_iter().chain(tags.filter(move |tag| reach.further && Some(*tag) != home && fits(tag)))
}

fn fits_path(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(literal), Some(segment)) if literal == segment => {}
            (_, _) => return false,
        }
    }
}

/// The path of the instance of `M` under `key`.
pub(crate) fn path_of<M: Model>(key: &M::Key) -> Result<String> {
    let mut name = Name::of(M::AT);
    for (index, literal) in M::AT.split('*').enumerate() {
        if index > 0 {
            let mut part = String::new();
            key.part(index - 1, &mut part);
            name.hole(&part);
        }
        name.literal(literal);
    }
    name.finish().map_err(|reason| Error::Unanswerable(format!("key names no instance: {reason}, model={}", M::name())))
}

/// Streams whose names fit a pattern: by category if that says the same, which the index answers at once.
fn stream_filter(pattern: &str) -> Result<StreamFilter> {
    Ok(match (pattern.strip_suffix("-*"), pattern.contains('*')) {
        (Some(category), _) if !category.is_empty() && !category.contains(['-', '*']) => {
            StreamFilter::Category(Category::new(category)?)
        }
        (_, true) => StreamFilter::Pattern(pattern.into()),
        (_, false) => StreamFilter::Exact(StreamName::new(pattern)?),
    })
}

/// The wire types of kinds.
pub(crate) fn types(kinds: &[Kind]) -> Vec<TypeFilter> {
    kinds.iter().flat_map(Kind::types).map(TypeFilter::Exact).collect()
}

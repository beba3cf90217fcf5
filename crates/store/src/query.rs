//! Which events: queries by stream, type and tag, and the conditions that stand on them.

use std::sync::Arc;

use crate::{
    error::Error,
    limits,
    name::{Category, EventType, StreamName, Tag, category_of},
    path::PathPattern,
    position::Position,
};

/// Events that match any of the items. Without items: every event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The alternatives.
    pub items: Vec<QueryItem>,
}

/// Events that are in one of `streams`, have one of `types` and carry all of `tags`. An empty list does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryItem {
    /// Any of these.
    pub streams: Vec<StreamFilter>,
    /// Any of these.
    pub types: Vec<TypeFilter>,
    /// All of these.
    pub tags: Vec<TagFilter>,
}

/// Which streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamFilter {
    /// This one.
    Exact(StreamName),
    /// Those of a category.
    Category(Category),
    /// Those whose name begins so.
    Prefix(Arc<str>),
    /// Those whose name matches: `*` stands for any run of characters, also none.
    Pattern(Arc<str>),
}

/// Which event types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeFilter {
    /// This one.
    Exact(EventType),
    /// Those that begin so.
    Prefix(Arc<str>),
}

/// Which tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagFilter {
    /// This one.
    Exact(Tag),
    /// Any path this pattern matches.
    Path(PathPattern),
}

impl StreamFilter {
    /// Whether the stream named `stream` passes.
    #[must_use]
    pub fn matches(&self, stream: &str) -> bool {
        match self {
            Self::Exact(name) => name.as_str() == stream,
            Self::Category(category) => category_of(stream) == Some(category.as_str()),
            Self::Prefix(prefix) => stream.starts_with(&**prefix),
            Self::Pattern(pattern) => glob_matches(pattern, stream),
        }
    }

    /// The text every passing name begins with: where to look in an ordered dictionary.
    #[must_use]
    pub fn literal_prefix(&self) -> &str {
        match self {
            Self::Exact(name) => name,
            Self::Category(category) => category,
            Self::Prefix(prefix) => prefix,
            Self::Pattern(pattern) => pattern.split('*').next().unwrap_or_default(),
        }
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any run of characters. Linear but for overlapping literals.
fn glob_matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut literals: Vec<&str> = rest.split('*').collect();
    let last = literals.pop().unwrap_or_default();
    // Leftmost matches are enough: an earlier match of a literal leaves more text for the next one.
    for literal in literals {
        match text.find(literal) {
            Some(at) => text = &text[at + literal.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

impl TypeFilter {
    /// Whether the event type passes.
    #[must_use]
    pub fn matches(&self, event_type: &str) -> bool {
        match self {
            Self::Exact(name) => name.as_str() == event_type,
            Self::Prefix(prefix) => event_type.starts_with(&**prefix),
        }
    }
}

impl TagFilter {
    /// Whether the tag passes.
    #[must_use]
    pub fn matches(&self, tag: &str) -> bool {
        match self {
            Self::Exact(name) => name.as_str() == tag,
            Self::Path(pattern) => pattern.matches(tag),
        }
    }
}

impl QueryItem {
    /// Whether an event with these names passes.
    #[must_use]
    pub fn matches<'t>(&self, stream: &str, event_type: &str, tags: impl Iterator<Item = &'t str> + Clone) -> bool {
        (self.streams.is_empty() || self.streams.iter().any(|filter| filter.matches(stream)))
            && (self.types.is_empty() || self.types.iter().any(|filter| filter.matches(event_type)))
            && self.tags.iter().all(|filter| tags.clone().any(|tag| filter.matches(tag)))
    }

    /// Restricts to one more stream filter (any of them may match).
    #[must_use]
    pub fn stream(mut self, filter: StreamFilter) -> Self {
        self.streams.push(filter);
        self
    }

    /// Restricts to one more type (any of them may match).
    #[must_use]
    pub fn event_type(mut self, event_type: EventType) -> Self {
        self.types.push(TypeFilter::Exact(event_type));
        self
    }

    /// Requires one more tag.
    #[must_use]
    pub fn tag(mut self, tag: Tag) -> Self {
        self.tags.push(TagFilter::Exact(tag));
        self
    }

    /// Requires a tag that is a path matching `pattern`.
    #[must_use]
    pub fn path(mut self, pattern: PathPattern) -> Self {
        self.tags.push(TagFilter::Path(pattern));
        self
    }
}

impl Query {
    /// Every event.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Events that match `item`, or any item added with [`Query::or`].
    #[must_use]
    pub fn of(item: QueryItem) -> Self {
        Self { items: vec![item] }
    }

    /// Events that match this query or `item`. On [`Query::all`] it narrows to `item`.
    #[must_use]
    pub fn or(mut self, item: QueryItem) -> Self {
        self.items.push(item);
        self
    }

    /// Whether an event with these names passes.
    #[must_use]
    pub fn matches<'t>(&self, stream: &str, event_type: &str, tags: impl Iterator<Item = &'t str> + Clone) -> bool {
        self.items.is_empty() || self.items.iter().any(|item| item.matches(stream, event_type, tags.clone()))
    }

    /// How many filters it has.
    pub(crate) fn terms(&self) -> usize {
        self.items.iter().map(|item| item.streams.len() + item.types.len() + item.tags.len()).sum()
    }

    /// Whether a filter stands for a stretch of names, so that all of them must be looked through to know which pass.
    pub(crate) fn has_ranges(&self) -> bool {
        self.items.iter().any(|item| {
            item.streams.iter().any(|filter| matches!(filter, StreamFilter::Prefix(_) | StreamFilter::Pattern(_)))
                || item.types.iter().any(|filter| matches!(filter, TypeFilter::Prefix(_)))
                || item.tags.iter().any(|filter| matches!(filter, TagFilter::Path(_)))
        })
    }

    /// Checks the bounds of a query.
    ///
    /// # Errors
    /// `Invalid`, naming the limit.
    pub fn check(&self) -> Result<(), Error> {
        if self.items.len() > limits::QUERY_ITEMS_MAX {
            let (items, max) = (self.items.len(), limits::QUERY_ITEMS_MAX);
            return Err(Error::invalid(format!("query has too many items, items={items} items_max={max}")));
        }
        let terms = self.terms();
        if terms > limits::QUERY_TERMS_MAX {
            let max = limits::QUERY_TERMS_MAX;
            return Err(Error::invalid(format!(
                "query names too many streams, types and tags, terms={terms} terms_max={max}"
            )));
        }
        Ok(())
    }
}

/// A dynamic consistency boundary: the append stands only if nothing that matches has been recorded after `after`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendCondition {
    /// What must not have been recorded.
    pub none_matching: Query,
    /// The last position the decision has seen; `None`: nothing may match in the whole log.
    pub after: Option<Position>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_patterns_are_globs() {
        let cases: &[(&str, &str, bool)] = &[
            ("order-*", "order-1", true),
            ("order-*", "order-", true),
            ("order-*", "orders", false),
            ("*-1", "order-1", true),
            ("*-1", "order-12", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*", "", true),
            ("plain", "plain", true),
            ("a**b", "ab", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(glob_matches(pattern, text), *expected, "{pattern} on {text}");
        }
    }
}

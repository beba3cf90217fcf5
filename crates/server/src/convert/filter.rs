//! Filters of the whole log: by event type or by stream, by prefixes or by a regular expression.
//!
//! Prefixes become a query, which the index answers. An expression must be tried on every event.

use std::sync::Arc;

use gesta_store::{Category, EventType, NameExpression, NameOf, Query, QueryItem, StreamFilter, TypeFilter};

use crate::{
    fault::Fault,
    proto::event_store::client::streams::read_req::options::{
        FilterOptions,
        filter_options::{self, Expression},
    },
};

/// How clients name the secondary indexes of KurrentDB, as a prefix of stream names.
const INDEX_PREFIX: &str = "$idx-";
/// Events looked at between two checkpoints, before they are multiplied, when no window is given.
const WINDOW_DEFAULT: u64 = 32;

/// Which events of the log are wanted.
#[derive(Clone, Debug)]
pub struct Filter {
    /// How they are found.
    pub selection: Selection,
    /// How many events are looked at between two checkpoints of a subscription.
    pub checkpoint_every: CheckpointEvery,
}

/// How the wanted events are found.
#[derive(Clone, Debug)]
pub enum Selection {
    /// The store finds them.
    Indexed(Query),
    /// Each is looked at.
    Scanned(NameExpression),
}

/// The distance of checkpoints, as far as the client has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointEvery {
    /// So many events.
    Events(u64),
    /// Neither `max` nor `count`: only a subscription must say.
    NoWindow,
    /// The multiplier is 0: only a subscription must not say so.
    Never,
}

/// Whether it takes its time to make the filter ready.
#[must_use]
pub fn takes_time(options: &FilterOptions) -> bool {
    use filter_options::Filter as Wire;
    match &options.filter {
        Some(Wire::StreamIdentifier(expression) | Wire::EventType(expression)) => !expression.regex.is_empty(),
        None => false,
    }
}

/// The filter a read names.
///
/// # Errors
/// `Invalid` when the expression cannot be read, there are too many prefixes or one cannot begin a name; `IndexNotFound`.
pub fn from_wire(options: &FilterOptions) -> Result<Filter, Fault> {
    use filter_options::Filter as Wire;
    let (subject, expression) = match &options.filter {
        Some(Wire::StreamIdentifier(expression)) => (NameOf::Stream, expression),
        Some(Wire::EventType(expression)) => (NameOf::Type, expression),
        None => return Err(Fault::Invalid("filter names neither streams nor event types".to_owned())),
    };
    Ok(Filter { selection: selection(subject, expression)?, checkpoint_every: checkpoint_every(options) })
}

fn selection(subject: NameOf, expression: &Expression) -> Result<Selection, Fault> {
    let Expression { regex, prefix } = expression;
    if !regex.is_empty() {
        return Ok(Selection::Scanned(NameExpression::new(subject, regex)?));
    }
    if subject == NameOf::Stream && prefix.iter().any(|prefix| prefix.starts_with(INDEX_PREFIX)) {
        return match &prefix[..] {
            [index] => secondary_index(index).map(Selection::Indexed),
            several => Err(Fault::Invalid(format!("only one index can be read at a time, found={}", several.len()))),
        };
    }
    let mut item = QueryItem::default();
    for prefix in prefix {
        let prefix: Arc<str> = prefix.as_str().into();
        match subject {
            NameOf::Stream => item.streams.push(StreamFilter::Prefix(prefix)),
            NameOf::Type => item.types.push(TypeFilter::Prefix(prefix)),
        }
    }
    let query = Query::of(item);
    query.check()?;
    Ok(Selection::Indexed(query))
}

/// The query that answers what a secondary index does; here they need not be made.
fn secondary_index(index: &str) -> Result<Query, Fault> {
    let unknown = || Fault::IndexNotFound(index.to_owned());
    let kind = &index[INDEX_PREFIX.len()..];
    let item = QueryItem::default();
    let item = if let Some(category) = kind.strip_prefix("ce-") {
        item.stream(StreamFilter::Category(Category::new(category).map_err(|_| unknown())?))
    } else if let Some(event_type) = kind.strip_prefix("et-") {
        item.event_type(EventType::new(event_type).map_err(|_| unknown())?)
    } else {
        return Err(unknown());
    };
    Ok(Query::of(item))
}

fn checkpoint_every(options: &FilterOptions) -> CheckpointEvery {
    let window = match options.window {
        None => return CheckpointEvery::NoWindow,
        Some(filter_options::Window::Max(max)) => u64::from(max).max(1),
        Some(filter_options::Window::Count(_)) => WINDOW_DEFAULT,
    };
    match options.checkpoint_interval_multiplier {
        0 => CheckpointEvery::Never,
        multiplier => CheckpointEvery::Events(window * u64::from(multiplier)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(filter: filter_options::Filter) -> FilterOptions {
        let window = Some(filter_options::Window::Max(10));
        FilterOptions { filter: Some(filter), window, checkpoint_interval_multiplier: 3 }
    }

    fn streams(regex: &str, prefix: &[&str]) -> FilterOptions {
        let prefix = prefix.iter().map(|&prefix| prefix.to_owned()).collect();
        options(filter_options::Filter::StreamIdentifier(Expression { regex: regex.to_owned(), prefix }))
    }

    fn wanted(options: &FilterOptions, stream: &str, event_type: &str) -> bool {
        match from_wire(options).unwrap().selection {
            Selection::Indexed(query) => query.matches(stream, event_type, std::iter::empty()),
            Selection::Scanned(expressed) => expressed.matches(stream, event_type).unwrap(),
        }
    }

    #[test]
    fn prefixes_and_expressions_pick_names() {
        let cases: &[(&str, &[&str], &str, bool)] = &[
            ("", &["order-", "user-"], "user-1", true),
            ("", &["order-"], "orders", false),
            ("", &[], "anything", true),
            ("der", &[], "order-1", true), // not anchored
            (r"^\$.+$", &[], "$settings", true),
            (r"^(?!\$.+|PersistentConfig\d+$).*$", &[], "$settings", false), // look-ahead
            (r"^(?!\$.+|PersistentConfig\d+$).*$", &[], "order-1", true),
            ("", &["$idx-ce-order"], "order-1", true),
            ("", &["$idx-ce-order"], "orders-1", false),
        ];
        for (regex, prefix, name, expected) in cases {
            assert_eq!(wanted(&streams(regex, prefix), name, "T"), *expected, "{regex} {prefix:?} {name}");
        }
        let types = Expression { regex: String::new(), prefix: vec!["Order".to_owned()] };
        let types = options(filter_options::Filter::EventType(types));
        assert!(wanted(&types, "s", "OrderPlaced") && !wanted(&types, "Order", "Placed"));
        assert!(wanted(&streams("", &["$idx-et-Placed"]), "s", "Placed"));
    }

    #[test]
    fn what_cannot_be_a_filter_is_refused() {
        assert!(matches!(from_wire(&streams("(", &[])), Err(Fault::Store(_))));
        assert!(matches!(from_wire(&streams("", &["$idx-ce-a", "$idx-ce-b"])), Err(Fault::Invalid(_))));
        assert!(matches!(from_wire(&streams("", &["$idx-mine"])), Err(Fault::IndexNotFound(_))));
        assert!(matches!(from_wire(&streams("", &["a"; 2000])), Err(Fault::Store(_))));
        assert!(from_wire(&FilterOptions { filter: None, ..FilterOptions::default() }).is_err());
    }

    #[test]
    fn checkpoints_are_so_many_windows_apart() {
        let mut options = streams("", &[]);
        let every = |options: &FilterOptions| from_wire(options).unwrap().checkpoint_every;
        assert_eq!(every(&options), CheckpointEvery::Events(30));
        options.window = Some(filter_options::Window::Count(Default::default()));
        assert_eq!(every(&options), CheckpointEvery::Events(96));
        options.checkpoint_interval_multiplier = 0;
        assert_eq!(every(&options), CheckpointEvery::Never);
        options.window = None;
        assert_eq!(every(&options), CheckpointEvery::NoWindow);
    }
}

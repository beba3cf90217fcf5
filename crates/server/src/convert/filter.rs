//! Filters of the whole log: by event type or by stream, by prefixes or by a regular expression.
//!
//! Prefixes become a query, which the index answers. An expression must be tried on every event.

use std::sync::Arc;

use fancy_regex::{Regex, RegexBuilder};
use gesta_store::{Category, EventType, Query, QueryItem, StreamFilter, TypeFilter};

use crate::{
    fault::Fault,
    limits::{REGEX_BACKTRACKS_MAX, REGEX_BYTES_MAX},
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
    Scanned(Expressed),
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

/// A regular expression, and what it is tried on.
#[derive(Clone, Debug)]
pub struct Expressed {
    regex: Regex,
    subject: Subject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Stream,
    Type,
}

impl Expressed {
    /// Whether an event is wanted.
    ///
    /// # Errors
    /// `Invalid` when the expression takes too many steps back to decide.
    pub fn matches(&self, stream: &str, event_type: &str) -> Result<bool, Fault> {
        let subject = match self.subject {
            Subject::Stream => stream,
            Subject::Type => event_type,
        };
        self.regex.is_match(subject).map_err(|error| {
            Fault::Invalid(format!("regular expression of the filter is too costly ({error}), name={subject:?}"))
        })
    }
}

/// The filter a read names.
///
/// # Errors
/// `Invalid` when the expression cannot be read, there are too many prefixes or one cannot begin a name; `IndexNotFound`.
pub fn from_wire(options: &FilterOptions) -> Result<Filter, Fault> {
    use filter_options::Filter as Wire;
    let (subject, expression) = match &options.filter {
        Some(Wire::StreamIdentifier(expression)) => (Subject::Stream, expression),
        Some(Wire::EventType(expression)) => (Subject::Type, expression),
        None => return Err(Fault::Invalid("filter names neither streams nor event types".to_owned())),
    };
    Ok(Filter { selection: selection(subject, expression)?, checkpoint_every: checkpoint_every(options) })
}

fn selection(subject: Subject, expression: &Expression) -> Result<Selection, Fault> {
    let Expression { regex, prefix } = expression;
    if !regex.is_empty() {
        return expressed(subject, regex).map(Selection::Scanned);
    }
    if subject == Subject::Stream && prefix.iter().any(|prefix| prefix.starts_with(INDEX_PREFIX)) {
        return match &prefix[..] {
            [index] => secondary_index(index).map(Selection::Indexed),
            several => Err(Fault::Invalid(format!("only one index can be read at a time, found={}", several.len()))),
        };
    }
    let mut item = QueryItem::default();
    for prefix in prefix {
        let prefix: Arc<str> = prefix.as_str().into();
        match subject {
            Subject::Stream => item.streams.push(StreamFilter::Prefix(prefix)),
            Subject::Type => item.types.push(TypeFilter::Prefix(prefix)),
        }
    }
    let query = Query::of(item);
    query.check()?;
    Ok(Selection::Indexed(query))
}

fn expressed(subject: Subject, regex: &str) -> Result<Expressed, Fault> {
    if regex.len() > REGEX_BYTES_MAX {
        let bytes = regex.len();
        return Err(Fault::Invalid(format!(
            "regular expression is too long, bytes={bytes} bytes_max={REGEX_BYTES_MAX}"
        )));
    }
    let built = RegexBuilder::new(regex).backtrack_limit(REGEX_BACKTRACKS_MAX).build();
    let regex = built.map_err(|error| Fault::Invalid(format!("regular expression cannot be read ({error})")))?;
    Ok(Expressed { regex, subject })
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
        assert!(matches!(from_wire(&streams("(", &[])), Err(Fault::Invalid(_))));
        assert!(matches!(from_wire(&streams(&"x".repeat(5000), &[])), Err(Fault::Invalid(_))));
        assert!(matches!(from_wire(&streams("", &["$idx-ce-a", "$idx-ce-b"])), Err(Fault::Invalid(_))));
        assert!(matches!(from_wire(&streams("", &["$idx-mine"])), Err(Fault::IndexNotFound(_))));
        assert!(matches!(from_wire(&streams("", &["a"; 2000])), Err(Fault::Store(_))));
        assert!(from_wire(&FilterOptions { filter: None, ..FilterOptions::default() }).is_err());
    }

    #[test]
    fn an_expression_that_takes_too_long_ends_the_read() {
        let Selection::Scanned(costly) = from_wire(&streams(r"(?=(a+)+$)(a|aa)+\1b", &[])).unwrap().selection else {
            panic!("an expression is tried on every event");
        };
        assert!(matches!(costly.matches(&"a".repeat(200), "T"), Err(Fault::Invalid(_))));
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

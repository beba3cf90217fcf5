//! Groups of consumers: which one a request names, what a new one follows, and from where.
//!
//! Older clients name the stream and the beginning in fields of their own, which count only where the newer ones are missing.

use gesta_store::{From, GroupName, GroupSettings, NameExpression, Position, Revision, Source};

use super::{
    filter::{self, Selection},
    group_settings::{self, Asked},
    stream,
};
use crate::{
    fault::Fault,
    group_fault::GroupFault,
    proto::event_store::client::{
        StreamIdentifier,
        persistent_subscriptions::{
            CreateReq, UpdateReq, create_req, delete_req, get_info_req, read_req, replay_parked_req,
            truncate_parked_req, update_req,
        },
        streams::read_req::options::{FilterOptions, filter_options},
    },
};

/// What the whole log is called where a stream is expected.
const ALL: &str = "$all";

/// A group that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Creation {
    /// Its name.
    pub group: GroupName,
    /// What it follows.
    pub source: Source,
    /// How it behaves.
    pub settings: GroupSettings,
}

/// How a group is to behave from now on. What it follows, and which events of that are its own, cannot be changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its name.
    pub group: GroupName,
    /// How it behaves.
    pub settings: GroupSettings,
}

/// A choice between a stream and the whole log.
pub trait OnStream {
    /// The stream; `None` for the whole log.
    fn stream(&self) -> Option<&StreamIdentifier>;
}

macro_rules! on_stream {
    ($($request:ident)*) => {$(
        impl OnStream for $request::options::StreamOption {
            fn stream(&self) -> Option<&StreamIdentifier> {
                match self {
                    Self::StreamIdentifier(stream) => Some(stream),
                    Self::All(_) => None,
                }
            }
        }
    )*};
}

on_stream!(read_req delete_req get_info_req replay_parked_req truncate_parked_req);

/// The group a request names.
///
/// # Errors
/// `Invalid` when it names neither a stream nor the whole log; `Store` for what cannot be a name.
pub fn named<C: OnStream>(on: Option<&C>, group: &str) -> Result<GroupName, Fault> {
    match on.ok_or_else(|| missing("stream option"))?.stream() {
        Some(stream) => on_stream(stream, group),
        None => Ok(GroupName::on_all(group)?),
    }
}

/// The group on a stream, which may be the whole log by its name.
fn on_stream(stream: &StreamIdentifier, group: &str) -> Result<GroupName, Fault> {
    let stream = stream::from_wire(Some(stream))?;
    Ok(if stream.as_str() == ALL { GroupName::on_all(group)? } else { GroupName::on_stream(stream, group)? })
}

/// The group a client wants.
///
/// # Errors
/// `Invalid` for what is missing; `Group` for settings that cannot be; as [`filter::from_wire`].
#[allow(deprecated, reason = "older clients send them")]
pub fn creation(request: &CreateReq) -> Result<Creation, Fault> {
    use create_req::options::StreamOption;
    let options = request.options.as_ref().ok_or_else(|| missing("options"))?;
    let wire = options.settings.as_ref().ok_or_else(|| missing("settings"))?;
    let (group, source, start, only) = match &options.stream_option {
        Some(StreamOption::Stream(stream)) => {
            let group = on_identified(stream.stream_identifier.as_ref(), &options.group_name)?;
            let source = source_of(&group);
            (group, source, created_start(stream.revision_option.as_ref())?, None)
        }
        Some(StreamOption::All(all)) => {
            let (source, only) = filtered(all.filter_option.as_ref())?;
            (GroupName::on_all(&options.group_name)?, source, created_start_of_all(all.all_option.as_ref())?, only)
        }
        None => {
            let group = on_identified(options.stream_identifier.as_ref(), &options.group_name)?;
            let source = source_of(&group);
            (group, source, revision(wire.revision), None)
        }
    };
    let settings = group_settings::from_wire(&group, &Asked::from(wire))?;
    Ok(Creation { group, source, settings: GroupSettings { start, only, ..settings } })
}

/// The change a client wants.
///
/// # Errors
/// `Invalid` for what is missing; `Group` for settings that cannot be.
#[allow(deprecated, reason = "older clients send them")]
pub fn change(request: &UpdateReq) -> Result<Change, Fault> {
    use update_req::{all_options::AllOption, options::StreamOption, stream_options::RevisionOption};
    let options = request.options.as_ref().ok_or_else(|| missing("options"))?;
    let wire = options.settings.as_ref().ok_or_else(|| missing("settings"))?;
    let (group, start) = match &options.stream_option {
        Some(StreamOption::Stream(stream)) => {
            let start = match stream.revision_option.as_ref().ok_or_else(|| missing("revision option"))? {
                RevisionOption::Revision(number) => revision(*number),
                RevisionOption::Start(_) => From::Beginning,
                RevisionOption::End(_) => From::Now,
            };
            (on_identified(stream.stream_identifier.as_ref(), &options.group_name)?, start)
        }
        Some(StreamOption::All(all)) => {
            let start = match all.all_option.as_ref().ok_or_else(|| missing("position option"))? {
                AllOption::Position(at) => position(at.commit_position),
                AllOption::Start(_) => From::Beginning,
                AllOption::End(_) => From::Now,
            };
            (GroupName::on_all(&options.group_name)?, start)
        }
        None => (on_identified(options.stream_identifier.as_ref(), &options.group_name)?, revision(wire.revision)),
    };
    let settings = group_settings::from_wire(&group, &Asked::from(wire))?;
    Ok(Change { group, settings: GroupSettings { start, ..settings } })
}

fn missing(what: &str) -> Fault {
    Fault::Invalid(format!("{what} is missing"))
}

fn on_identified(stream: Option<&StreamIdentifier>, group: &str) -> Result<GroupName, Fault> {
    on_stream(stream.ok_or_else(|| missing("stream identifier"))?, group)
}

fn source_of(group: &GroupName) -> Source {
    group.stream().map_or(Source::All, |stream| Source::Stream(stream.clone()))
}

fn created_start(option: Option<&create_req::stream_options::RevisionOption>) -> Result<From, Fault> {
    use create_req::stream_options::RevisionOption;
    Ok(match option.ok_or_else(|| missing("revision option"))? {
        RevisionOption::Revision(number) => revision(*number),
        RevisionOption::Start(_) => From::Beginning,
        RevisionOption::End(_) => From::Now,
    })
}

fn created_start_of_all(option: Option<&create_req::all_options::AllOption>) -> Result<From, Fault> {
    use create_req::all_options::AllOption;
    Ok(match option.ok_or_else(|| missing("position option"))? {
        AllOption::Position(at) => position(at.commit_position),
        AllOption::Start(_) => From::Beginning,
        AllOption::End(_) => From::Now,
    })
}

/// The end is written as the largest number by clients that have no other word for it, and the beginning as 0.
fn revision(number: u64) -> From {
    match number {
        0 => From::Beginning,
        u64::MAX => From::Now,
        number => From::Revision(Revision(number)),
    }
}

fn position(number: u64) -> From {
    match number {
        0 => From::Beginning,
        u64::MAX => From::Now,
        number => From::Position(Position(number)),
    }
}

fn filtered(option: Option<&create_req::all_options::FilterOption>) -> Result<(Source, Option<NameExpression>), Fault> {
    use create_req::all_options::FilterOption;
    let Some(FilterOption::Filter(options)) = option else { return Ok((Source::All, None)) };
    Ok(match filter::from_wire(&as_of_reads(options))?.selection {
        Selection::Indexed(query) => (Source::Query(query), None),
        Selection::Scanned(expression) => (Source::All, Some(expression)),
    })
}

/// The same filter as a read would have it.
fn as_of_reads(options: &create_req::all_options::FilterOptions) -> FilterOptions {
    use create_req::all_options::filter_options as wire;
    let expression = |wire::Expression { regex, prefix }: &wire::Expression| filter_options::Expression {
        regex: regex.clone(),
        prefix: prefix.clone(),
    };
    let filter = options.filter.as_ref().map(|filter| match filter {
        wire::Filter::StreamIdentifier(names) => filter_options::Filter::StreamIdentifier(expression(names)),
        wire::Filter::EventType(names) => filter_options::Filter::EventType(expression(names)),
    });
    // Where checkpoints are is for the group to say.
    FilterOptions { filter, window: None, checkpoint_interval_multiplier: options.checkpoint_interval_multiplier }
}

/// A parked message count that stops a replay.
///
/// # Errors
/// `Group` when it is negative.
pub fn count(group: &GroupName, stop_at: i64) -> Result<u64, Fault> {
    u64::try_from(stop_at).map_err(|_| GroupFault::failed(group, format!("stop_at is negative, stop_at={stop_at}")))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gesta_store::{Query, QueryItem, StreamFilter};

    use super::*;
    use crate::proto::event_store::client::Empty;

    fn identifier(stream: &str) -> Option<StreamIdentifier> {
        Some(StreamIdentifier { stream_name: Bytes::copy_from_slice(stream.as_bytes()) })
    }

    fn settings() -> create_req::Settings {
        create_req::Settings {
            live_buffer_size: 500,
            read_batch_size: 20,
            history_buffer_size: 500,
            max_checkpoint_count: 1000,
            ..Default::default()
        }
    }

    fn create(options: create_req::Options) -> Result<Creation, Fault> {
        let options = create_req::Options { group_name: "mail".to_owned(), settings: Some(settings()), ..options };
        creation(&CreateReq { options: Some(options) })
    }

    #[test]
    #[allow(deprecated)]
    fn old_clients_say_it_in_other_fields() {
        for (revision, start) in [(0, From::Beginning), (u64::MAX, From::Now), (7, From::Revision(Revision(7)))] {
            let settings = create_req::Settings { revision, ..settings() };
            let options = create_req::Options {
                stream_identifier: identifier("order-1"),
                group_name: "mail".to_owned(),
                settings: Some(settings),
                stream_option: None,
            };
            let created = creation(&CreateReq { options: Some(options) }).unwrap();
            assert_eq!((created.group.to_string(), created.settings.start), ("order-1::mail".to_owned(), start));
            assert_eq!(created.source, Source::Stream("order-1".try_into().unwrap()));
        }
    }

    #[test]
    fn a_filter_becomes_a_query_or_an_expression() {
        use create_req::{
            all_options::{AllOption, FilterOption, FilterOptions, filter_options as wire},
            options::StreamOption,
        };
        let on_all = |regex: &str, prefix: &[&str]| {
            let prefix = prefix.iter().map(|&prefix| prefix.to_owned()).collect();
            let names = wire::Expression { regex: regex.to_owned(), prefix };
            let filter = FilterOptions { filter: Some(wire::Filter::StreamIdentifier(names)), ..Default::default() };
            let all = create_req::AllOptions {
                all_option: Some(AllOption::Start(Empty {})),
                filter_option: Some(FilterOption::Filter(filter)),
            };
            create(create_req::Options { stream_option: Some(StreamOption::All(all)), ..Default::default() })
        };
        let by_prefix = on_all("", &["order-"]).unwrap();
        let query = Query::of(QueryItem::default().stream(StreamFilter::Prefix("order-".into())));
        assert_eq!((by_prefix.source, by_prefix.settings.only), (Source::Query(query), None));
        let by_expression = on_all("^order", &[]).unwrap();
        assert_eq!(by_expression.source, Source::All);
        assert_eq!(by_expression.settings.only.unwrap().as_str(), "^order");
        assert!(on_all("(", &[]).is_err());
    }

    #[test]
    fn whatever_is_missing_is_named() {
        assert!(matches!(creation(&CreateReq::default()), Err(Fault::Invalid(what)) if what == "options is missing"));
        let nothing = create(create_req::Options::default());
        assert!(matches!(nothing, Err(Fault::Invalid(what)) if what == "stream identifier is missing"));
        assert!(named::<delete_req::options::StreamOption>(None, "mail").is_err());
        let all =
            named(Some(&delete_req::options::StreamOption::StreamIdentifier(identifier("$all").unwrap())), "mail");
        assert_eq!(all.unwrap(), GroupName::on_all("mail").unwrap());
    }
}

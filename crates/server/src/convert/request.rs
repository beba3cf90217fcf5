//! What a read asks for.

use gesta_store::{Direction, Position, Revision, StreamName};

use super::{
    filter::{self, Filter},
    id::IdForm,
    stream,
};
use crate::{
    fault::Fault,
    proto::event_store::client::streams::{
        ReadReq,
        read_req::{
            Options,
            options::{
                AllOptions, CountOption, FilterOption, ReadDirection, StreamOption, StreamOptions, UuidOption,
                all_options::AllOption, stream_options::RevisionOption, uuid_option,
            },
        },
    },
};

/// A read or a subscription.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// What is read, and from where.
    pub subject: Subject,
    /// Which way.
    pub direction: Direction,
    /// Whether links are followed.
    pub links: Links,
    /// How much is wanted.
    pub extent: Extent,
    /// How ids are written.
    pub id_form: IdForm,
    /// Which additions to the protocol the client knows: from 1 on, the ends of a stream are told.
    pub compatibility: u32,
}

/// What is read.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A stream.
    Stream(StreamName, Place<Revision>),
    /// The log, or what a filter picks of it.
    All(Place<Position>, Option<Filter>),
}

impl Subject {
    /// What it is called; of the log, `$all`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Stream(name, _) => name,
            Self::All(..) => "$all",
        }
    }
}

/// A place the read begins at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<P> {
    /// Before the first event.
    Start,
    /// Behind the last event.
    End,
    /// Here.
    At(P),
}

/// Whether links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Links are delivered with what they point to.
    Resolved,
    /// Links are delivered as they are.
    AsTheyAre,
}

/// How much is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// At most so many events.
    Count(u64),
    /// All there are and all that will be.
    Subscription,
}

/// Whether it takes its time to see what is asked for: an expression must be made ready.
#[must_use]
pub fn takes_time(request: &ReadReq) -> bool {
    let options = request.options.as_ref().and_then(|options| options.filter_option.as_ref());
    match options {
        Some(FilterOption::Filter(filter)) => filter::takes_time(filter),
        Some(FilterOption::NoFilter(_)) | None => false,
    }
}

/// What a client asks for.
///
/// # Errors
/// `Invalid` for what is missing or contradicts itself.
pub fn from_wire(request: &ReadReq) -> Result<ReadRequest, Fault> {
    let options = request.options.as_ref().ok_or_else(|| missing("options"))?;
    let extent = match options.count_option {
        Some(CountOption::Count(count)) => Extent::Count(count),
        Some(CountOption::Subscription(_)) => Extent::Subscription,
        None => return Err(missing("count option")),
    };
    let direction = match ReadDirection::try_from(options.read_direction) {
        Ok(ReadDirection::Forwards) => Direction::Forward,
        Ok(ReadDirection::Backwards) => Direction::Backward,
        Err(_) => return Err(Fault::Invalid(format!("no such read direction, found={}", options.read_direction))),
    };
    if extent == Extent::Subscription && direction == Direction::Backward {
        return Err(Fault::Invalid("a subscription goes forward".to_owned()));
    }
    Ok(ReadRequest {
        subject: subject(options)?,
        direction,
        links: if options.resolve_links { Links::Resolved } else { Links::AsTheyAre },
        extent,
        id_form: id_form(options.uuid_option.as_ref())?,
        compatibility: options.control_option.map_or(0, |control| control.compatibility),
    })
}

fn missing(what: &str) -> Fault {
    Fault::Invalid(format!("{what} is missing"))
}

fn subject(options: &Options) -> Result<Subject, Fault> {
    let filter = match &options.filter_option {
        Some(FilterOption::Filter(filter)) => Some(filter::from_wire(filter)?),
        Some(FilterOption::NoFilter(_)) | None => None,
    };
    match (&options.stream_option, filter) {
        (Some(StreamOption::Stream(_)), Some(_)) => {
            Err(Fault::Invalid("only the whole log can be read through a filter".to_owned()))
        }
        (Some(StreamOption::Stream(options)), None) => {
            Ok(Subject::Stream(stream::from_wire(options.stream_identifier.as_ref())?, stream_place(options)?))
        }
        (Some(StreamOption::All(options)), filter) => Ok(Subject::All(all_place(options)?, filter)),
        (None, _) => Err(missing("stream option")),
    }
}

fn stream_place(options: &StreamOptions) -> Result<Place<Revision>, Fault> {
    match options.revision_option {
        // Older clients write the end as the largest number.
        Some(RevisionOption::Revision(u64::MAX) | RevisionOption::End(_)) => Ok(Place::End),
        Some(RevisionOption::Revision(revision)) => Ok(Place::At(Revision(revision))),
        Some(RevisionOption::Start(_)) => Ok(Place::Start),
        None => Err(missing("revision option")),
    }
}

fn all_place(options: &AllOptions) -> Result<Place<Position>, Fault> {
    match &options.all_option {
        Some(AllOption::Position(position)) if position.commit_position == u64::MAX => Ok(Place::End),
        Some(AllOption::Position(position)) => Ok(Place::At(Position(position.commit_position))),
        Some(AllOption::Start(_)) => Ok(Place::Start),
        Some(AllOption::End(_)) => Ok(Place::End),
        None => Err(missing("position option")),
    }
}

fn id_form(option: Option<&UuidOption>) -> Result<IdForm, Fault> {
    match option.and_then(|option| option.content.as_ref()) {
        Some(uuid_option::Content::Structured(_)) => Ok(IdForm::Structured),
        Some(uuid_option::Content::String(_)) => Ok(IdForm::Text),
        None => Err(missing("UUID option")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::event_store::client::{Empty, streams::read_req::options::SubscriptionOptions};

    fn request() -> ReadReq {
        let all = AllOptions { all_option: Some(AllOption::Start(Empty {})) };
        let options = Options {
            stream_option: Some(StreamOption::All(all)),
            count_option: Some(CountOption::Count(5)),
            uuid_option: Some(UuidOption { content: Some(uuid_option::Content::String(Empty {})) }),
            ..Options::default()
        };
        ReadReq { options: Some(options) }
    }

    #[test]
    fn whatever_is_missing_is_named() {
        type Break = fn(&mut Options);
        let cases: [(&str, Break); 4] = [
            ("stream option is missing", |options| options.stream_option = None),
            ("count option is missing", |options| options.count_option = None),
            ("UUID option is missing", |options| options.uuid_option = None),
            ("no such read direction, found=7", |options| options.read_direction = 7),
        ];
        assert!(from_wire(&request()).is_ok());
        for (expected, break_it) in cases {
            let mut request = request();
            break_it(request.options.as_mut().unwrap());
            assert!(matches!(from_wire(&request), Err(Fault::Invalid(what)) if what == expected), "{expected}");
        }
        assert!(matches!(from_wire(&ReadReq::default()), Err(Fault::Invalid(_))));
    }

    #[test]
    fn a_subscription_goes_forward() {
        let mut request = request();
        let options = request.options.as_mut().unwrap();
        options.count_option = Some(CountOption::Subscription(SubscriptionOptions {}));
        options.read_direction = ReadDirection::Backwards.into();
        assert!(from_wire(&request).is_err());
    }
}

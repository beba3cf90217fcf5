//! `gesta append`: one event, or many in one commit.

use std::{
    collections::HashMap,
    io::{self, Read},
};

use clap::Args;
use gesta::{
    AppendCondition, Appended, AsOf, ContentType, EventData, EventType, ExpectedRevision, From, Path, PathPattern,
    Position, Query, QueryItem, ReadOptions, Revision, Source, StreamName, Tag, TagFilter, entropy::Entropy, limits,
};
use gesta_server::native::{AppendRequest, Change, Write};
use serde::de::IgnoredAny;
use serde_json::json;
use uuid::Uuid;

use crate::{
    exit::{Exit, Failure, Outcome},
    metadata::with_members,
    ndjson::{ImportedEvent, LINE_BYTES_MAX, Line, Lines, parse},
    query_args::{position_of, stream_filter, type_filter},
    reach::Reached,
    shell::{BOLD, Format, Shell, printable},
    target::Target,
    time,
};

/// Arguments of `gesta append`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta append order-17 OrderPlaced '{\"cents\":1250}' --expect none
  gesta append order-17 Paid '{\"cents\":1250}' --expect 0 --tag /customers/7
  gesta append photo-1 Taken @cat.jpg --content-type image/jpeg
  gesta append user-7 Registered --tag name:ada --condition-tag name:ada
      only if nobody has the name
  gesta append order-17 Shipped --condition-stream order-17 --after 118
      only if nothing came after 118
  jq -c . events.json | gesta append order-17 --ndjson
      many, all or nothing
A refused append exits with 4 and names what stood in the way.")]
pub(crate) struct AppendArgs {
    /// The stream
    #[arg(required_unless_present = "ndjson")]
    stream: Option<StreamName>,
    /// The type of the event
    #[arg(required_unless_present = "ndjson")]
    event_type: Option<EventType>,
    /// The data: JSON, `@file`, or `-` for standard input [default: {}]
    data: Option<String>,
    /// What the stream must look like: a revision, `none`, `exists` or `any`
    #[arg(long, value_name = "REVISION", default_value = "any", value_parser = parse_expected)]
    expect: ExpectedRevision,
    /// Identity of the event; appending it again is recognised [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<Uuid>,
    /// Metadata: a JSON object
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    /// A tag to find the event by. Repeat for several
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Tag>,
    /// A tag that is a path: `/accounts/7`. Repeat for several
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<Path>,
    /// How the data is encoded [default: application/json]
    #[arg(long, value_name = "MEDIA-TYPE", value_parser = ContentType::new)]
    content_type: Option<ContentType>,
    /// What this event belongs to: `$correlationId` of its metadata
    #[arg(long, value_name = "ID")]
    correlation: Option<String>,
    /// What this event follows from: `$causationId` of its metadata
    #[arg(long, value_name = "ID")]
    causation: Option<String>,
    /// Identity of the request; sending it again answers with the first outcome
    #[arg(long, value_name = "UUID")]
    proposal_id: Option<Uuid>,
    /// Read events as NDJSON from standard input and record them in one commit
    #[arg(long, conflicts_with_all = ["event_type", "data", "id", "metadata", "tags", "paths", "content_type", "correlation", "causation"])]
    ndjson: bool,
    #[command(flatten)]
    condition: ConditionArgs,
}

/// What must not have been recorded.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Only if nothing like this was recorded")]
struct ConditionArgs {
    /// An event of this type (`*` at the end: types that begin so)
    #[arg(id = "condition_types", long = "condition-type", value_name = "TYPE")]
    types: Vec<String>,
    /// An event with this tag
    #[arg(id = "condition_tags", long = "condition-tag", value_name = "TAG")]
    tags: Vec<Tag>,
    /// An event with a path that matches
    #[arg(id = "condition_paths", long = "condition-path", value_name = "PATTERN")]
    paths: Vec<PathPattern>,
    /// An event of this stream (`*` stands for any characters)
    #[arg(id = "condition_streams", long = "condition-stream", value_name = "NAME")]
    streams: Vec<String>,
    /// Only events after this position count [default: all of them]
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
}

impl ConditionArgs {
    fn condition(&self) -> Outcome<Option<AppendCondition>> {
        let item = QueryItem {
            streams: self.streams.iter().map(|stream| stream_filter(stream)).collect::<Outcome<_>>()?,
            types: self.types.iter().map(|event_type| type_filter(event_type)).collect::<Outcome<_>>()?,
            tags: self
                .tags
                .iter()
                .cloned()
                .map(TagFilter::Exact)
                .chain(self.paths.iter().cloned().map(TagFilter::Path))
                .collect(),
        };
        let after = self.after.as_deref().map(position_of).transpose()?;
        if item == QueryItem::default() {
            return match after {
                None => Ok(None),
                // Nothing at all may have come: the strictest boundary, and worth being able to say.
                Some(after) => Ok(Some(AppendCondition { none_matching: Query::all(), after: Some(after) })),
            };
        }
        Ok(Some(AppendCondition { none_matching: Query::of(item), after }))
    }
}

fn parse_expected(text: &str) -> Result<ExpectedRevision, String> {
    Ok(match text {
        "any" => ExpectedRevision::Any,
        "none" => ExpectedRevision::NoStream,
        "exists" => ExpectedRevision::StreamExists,
        "deleted" => ExpectedRevision::SoftDeleted,
        revision => {
            let revision = revision.parse();
            let revision = revision.map_err(|_| "write a revision, `none`, `exists`, `deleted` or `any`".to_owned())?;
            ExpectedRevision::Exact(Revision(revision))
        }
    })
}

/// Appends, and prints what became of it.
pub(crate) fn run(args: &AppendArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let mut events = if args.ndjson { from_ndjson(args.stream.as_ref())? } else { vec![from_arguments(args)?] };
    let entropy = Entropy::from_os();
    for imported in &mut events {
        // Chosen here, so that it can be printed.
        imported.event.id.get_or_insert_with(|| entropy.uuid(time::now_timestamp()));
    }
    let write = |ImportedEvent { stream, event, .. }: &ImportedEvent| Write {
        stream: stream.clone(),
        expected: args.expect,
        change: Change::Append(vec![event.clone()]),
    };
    let condition = args.condition.condition()?;
    let after = condition.as_ref().and_then(|condition| condition.after);
    let request = AppendRequest {
        writes: events.iter().map(write).collect(),
        conditions: condition.into_iter().collect(),
        proposal_id: args.proposal_id,
        recorded_at: None,
    };
    let store = target.reach_or_create()?;
    let head = if after.is_some() { store.head()? } else { Position::START };
    if let Some(after) = after.filter(|after| *after >= head) {
        // A condition after what is not recorded yet would hold whatever was recorded.
        return Err(Failure::usage(format!("position of --after is not recorded yet, position={after} head={head}")));
    }
    let appended = store.append(request)??;
    let told = places(&store, &events, &appended).and_then(|places| print(&events, &places, &appended, shell));
    told.and_then(|()| shell.flush()).map_err(|failure| untold(failure, &appended))?;
    Ok(Exit::Ok)
}

/// What stands although the output failed: whoever does not know would append it again.
fn untold(failure: Failure, appended: &Appended) -> Failure {
    let (Some(first), Some(last)) = (appended.first_position, appended.last_position) else { return failure };
    let what = if first == last {
        format!("the event was recorded, position={first}")
    } else {
        format!("the events were recorded, first_position={first} last_position={last}")
    };
    failure.after(what).with_remedy("only the answer was lost: do not append again")
}

fn from_arguments(args: &AppendArgs) -> Outcome<ImportedEvent> {
    let (Some(stream), Some(event_type)) = (args.stream.clone(), args.event_type.clone()) else {
        return Err(Failure::usage("STREAM and TYPE are needed without --ndjson"));
    };
    let content_type = args.content_type.clone().unwrap_or_default();
    let data = data_of(args.data.as_deref())?;
    if data.len() > limits::EVENT_BYTES_MAX {
        // Not all of it was read, so how much it is nobody knows, nor whether it is JSON.
        let what = format!("the data is too large for an event, bytes_max={}", limits::EVENT_BYTES_MAX);
        return Err(Failure::usage(what).with_remedy("keep it elsewhere, and record where"));
    }
    if content_type == ContentType::Json {
        serde_json::from_slice::<IgnoredAny>(&data).map_err(|error| {
            Failure::usage(format!("the data is not JSON: {error}"))
                .with_remedy("quote it for the shell ('{\"a\":1}'), or give its --content-type")
        })?;
    }
    let paths = args.paths.iter().map(|path| Tag::new(path.as_str())).collect::<Result<Vec<_>, _>>()?;
    let event = EventData {
        id: args.id,
        event_type,
        content_type,
        data: data.into(),
        metadata: metadata_of(args)?.into(),
        tags: args.tags.iter().cloned().chain(paths).collect(),
    };
    event.check()?;
    Ok(ImportedEvent { stream, event, recorded_at: None })
}

fn data_of(given: Option<&str>) -> Outcome<Vec<u8>> {
    let mut data = Vec::new();
    // One byte more than may be, so that more is noticed without being read.
    let bytes_max = limits::EVENT_BYTES_MAX as u64 + 1;
    match given {
        None => data.extend_from_slice(b"{}"),
        Some("-") => {
            io::stdin()
                .lock()
                .take(bytes_max)
                .read_to_end(&mut data)
                .map_err(|error| Failure::io("reading standard input", &error))?;
        }
        Some(given) => match given.strip_prefix('@') {
            None => data.extend_from_slice(given.as_bytes()),
            Some(file) => {
                std::fs::File::open(file)
                    .and_then(|file| file.take(bytes_max).read_to_end(&mut data))
                    .map_err(|error| Failure::io(format_args!("reading {file}"), &error))?;
            }
        },
    }
    Ok(data)
}

fn metadata_of(args: &AppendArgs) -> Outcome<Vec<u8>> {
    use gesta::name::system::{CAUSATION_ID, CORRELATION_ID};
    let document = args.metadata.as_deref().unwrap_or_default();
    if !document.is_empty() {
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(document)
            .map_err(|error| Failure::usage(format!("the metadata is not a JSON object: {error}")))?;
    }
    let mut members = Vec::new();
    if let Some(id) = &args.correlation {
        members.push((CORRELATION_ID, id.as_str()));
    }
    if let Some(id) = &args.causation {
        members.push((CAUSATION_ID, id.as_str()));
    }
    with_members(document.as_bytes(), &members)
        .ok_or_else(|| Failure::usage("--metadata holds an id that --correlation or --causation gives as well"))
}

fn from_ndjson(home: Option<&StreamName>) -> Outcome<Vec<ImportedEvent>> {
    let mut lines = Lines::new(io::stdin().lock());
    let mut events = Vec::new();
    let mut bytes = 0;
    loop {
        let number = lines.number() + 1;
        let failed =
            |what: String| Failure::usage(format!("line {number}: {what}")).with_remedy("nothing was recorded");
        let line = match lines.next_line().map_err(|error| Failure::io("reading standard input", &error))? {
            None => return Ok(events),
            Some(Line::TooLong(length)) => {
                return Err(failed(format!("line is too long, bytes={length} bytes_max={LINE_BYTES_MAX}")));
            }
            Some(Line::Whole(line) | Line::Unended(line)) => line,
        };
        if line.trim_ascii().is_empty() {
            continue;
        }
        let event = parse(line, home).map_err(failed)?;
        bytes += event.event.data.len() + event.event.metadata.len();
        if bytes > limits::COMMIT_BYTES_MAX || events.len() == limits::EVENTS_PER_COMMIT_MAX {
            let (bytes_max, events_max) = (limits::COMMIT_BYTES_MAX, limits::EVENTS_PER_COMMIT_MAX);
            let what = format!("too much for one commit, bytes_max={bytes_max} events_max={events_max}");
            return Err(failed(what).with_remedy("nothing was recorded; `gesta import ndjson` makes several commits"));
        }
        events.push(event);
    }
}

/// Where an event is in the log, and in its stream.
type EventPlace = (Position, Revision);

/// Prints where every event is now.
fn print(
    events: &[ImportedEvent],
    places: &[Option<EventPlace>],
    appended: &Appended,
    shell: &mut Shell,
) -> Outcome<()> {
    if appended.idempotent {
        shell.say("recorded before: this is where");
    }
    for (place, imported) in places.iter().zip(events) {
        let Some((position, revision)) = place else { continue };
        let (stream, id) = (&imported.stream, imported.event.id.unwrap_or_default());
        match shell.format() {
            Format::Table => shell
                .line(format_args!("{BOLD}{}@{revision}{BOLD:#}  position {position}  id {id}", printable(stream)))?,
            Format::Plain => shell.line(format_args!("{stream}\t{revision}\t{position}\t{id}"))?,
            Format::Ndjson => shell.json(&json!({
                "stream": stream.as_str(), "revision": revision.0, "position": position.to_string(),
                "id": id, "idempotent": appended.idempotent,
            }))?,
        }
    }
    Ok(())
}

/// The place of every event. Events that were just recorded side by side are where their number says; others are looked for: between those
/// that were recorded before, and around what the store writes to revive a stream, others stand.
fn places(store: &Reached, events: &[ImportedEvent], appended: &Appended) -> Outcome<Vec<Option<EventPlace>>> {
    let (Some(first), Some(last)) = (appended.first_position, appended.last_position) else {
        return Ok(vec![None; events.len()]);
    };
    let side_by_side = last.0 - first.0 + 1 == events.len() as u64;
    if side_by_side && (!appended.idempotent || events.len() == 1) {
        return Ok(counted_places(events, first, appended));
    }
    let options =
        ReadOptions { from: From::Position(first), as_of: Some(AsOf::Position(last)), ..ReadOptions::default() };
    let mut read = store.read(Source::All, options)?;
    let mut found = vec![None; events.len()];
    let mut wanted: HashMap<(&str, Option<Uuid>), Vec<usize>> = HashMap::new();
    for (at, event) in events.iter().enumerate() {
        wanted.entry((event.stream.as_str(), event.event.id)).or_default().push(at);
    }
    while let Some(events) = read.next()? {
        events.each(|event| {
            let Some(places) = wanted.get(&(event.stream, Some(event.id))) else { return Ok(()) };
            // An id that stands twice in the request is recorded twice, in the same order.
            let due = places.iter().find(|at| found[**at].is_none()).or(places.last());
            due.into_iter().for_each(|at| found[*at] = Some((event.position, event.revision)));
            Ok(())
        })?;
    }
    Ok(found)
}

/// The places of events that stand side by side from `first` on, by where their streams stand after all of them.
fn counted_places(events: &[ImportedEvent], first: Position, appended: &Appended) -> Vec<Option<EventPlace>> {
    let mut next: HashMap<&str, u64> =
        appended.next_revisions.iter().map(|next| (next.stream.as_str(), next.next.0)).collect();
    let mut places: Vec<_> = events
        .iter()
        .enumerate()
        .rev()
        .map(|(at, event)| {
            let revision = next.get_mut(event.stream.as_str())?;
            *revision = revision.checked_sub(1)?;
            Some((Position(first.0 + at as u64), Revision(*revision)))
        })
        .collect();
    places.reverse();
    places
}

#[cfg(test)]
mod tests {
    use gesta::NextRevision;

    use super::*;

    fn event(stream: &str) -> ImportedEvent {
        let event = EventData::json(EventType::new("T").unwrap(), "{}");
        ImportedEvent { stream: StreamName::new(stream).unwrap(), event, recorded_at: None }
    }

    #[test]
    fn events_of_several_streams_get_their_places() {
        let next = |stream: &str, next| NextRevision { stream: StreamName::new(stream).unwrap(), next: Revision(next) };
        let appended = Appended {
            first_position: Some(Position(10)),
            last_position: Some(Position(12)),
            next_revisions: vec![next("a", 7), next("b", 1)],
            idempotent: false,
        };
        let places = counted_places(&[event("a"), event("b"), event("a")], Position(10), &appended);
        let place = |position, revision| Some((Position(position), Revision(revision)));
        assert_eq!(places, [place(10, 5), place(11, 0), place(12, 6)]);
    }

    #[test]
    fn expectations_are_read_as_documented() {
        assert_eq!(parse_expected("none"), Ok(ExpectedRevision::NoStream));
        assert_eq!(parse_expected("exists"), Ok(ExpectedRevision::StreamExists));
        assert_eq!(parse_expected("deleted"), Ok(ExpectedRevision::SoftDeleted));
        assert_eq!(parse_expected("17"), Ok(ExpectedRevision::Exact(Revision(17))));
        assert!(parse_expected("-1").is_err());
    }

    #[test]
    fn no_arguments_make_no_condition_and_after_alone_the_strictest() {
        assert_eq!(ConditionArgs::default().condition().unwrap(), None);
        let strict = ConditionArgs { after: Some("@7".into()), ..ConditionArgs::default() };
        let condition = strict.condition().unwrap().unwrap();
        assert_eq!((condition.none_matching, condition.after), (Query::all(), Some(Position(7))));
    }
}

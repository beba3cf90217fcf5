//! The store as a library.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use gesta_store::{
    Append, AppendError, Consumer, ConsumerOptions, Direction, ExpectedRevision, From, GroupError, GroupName,
    GroupSettings, MessageId, Nack, NameExpression, NameOf, NextRevision, Position, Query, QueryItem, ReadOptions,
    RecordedEvent, Rejection, Replay, Revision, Source, Strategy, StreamFilter, StreamName, StreamStatus, Ticket,
    TypeFilter, Violation, name::is_virtual,
};

use super::{Answer, End, Face, Kept, Only, Verdict, event, shown};
use crate::{
    convert::request::{Links, Place},
    fault::{actual_number, expected_number, found_number},
};

/// What a stream is that was ended, as a number.
const ENDED: i64 = -6;

pub(super) struct Library {
    kept: Kept,
    consumer: Option<Consumer>,
    taken: BTreeMap<u64, MessageId>,
}

impl Library {
    pub(super) fn new() -> Self {
        Self { kept: Kept::new(), consumer: None, taken: BTreeMap::new() }
    }

    fn commit(&self, append: Append, expected: ExpectedRevision) -> Verdict {
        verdict(self.kept.store.commit(append), expected)
    }

    /// As `commit`, of what is done to many streams, of which so many were written to.
    fn commit_many(&self, append: Append, written: usize) -> Verdict {
        match self.kept.store.commit(append.tell_all()).wait() {
            Ok(appended) => {
                let revision = |next: &NextRevision| (next.stream.to_string(), actual_number(next.current()));
                let revisions = appended.next_revisions.iter().take(written).map(revision).collect();
                Verdict::WrittenTo(revisions, appended.last_position.map_or(-1, |it| i64::try_from(it.0).unwrap()))
            }
            Err(AppendError::Rejected(Rejection::NotAsExpected { violations })) => {
                let conflict = |Violation { stream, expected, found }: Violation| {
                    (stream.to_string(), expected_number(expected), found_number(found))
                };
                Verdict::Conflicts(violations.into_iter().map(conflict).collect())
            }
            Err(AppendError::Rejected(Rejection::IdempotencyViolated { stream, actual })) => {
                let any = expected_number(ExpectedRevision::Any);
                Verdict::Conflicts(vec![(stream.to_string(), any, actual_number(actual))])
            }
            Err(error) => Verdict::Other(error.to_string()),
        }
    }

    fn consumer(&self) -> &Consumer {
        self.consumer.as_ref().unwrap()
    }
}

fn verdict(ticket: Ticket, expected: ExpectedRevision) -> Verdict {
    match ticket.wait() {
        Ok(appended) => {
            let revision = appended.next_revisions.first().and_then(|next| next.current());
            Verdict::Written(revision.map(|it| it.0), appended.last_position.map(|it| it.0))
        }
        Err(AppendError::Rejected(Rejection::WrongRevision { expected, actual, .. })) => {
            Verdict::WrongRevision(expected_number(expected), actual_number(actual))
        }
        Err(AppendError::Rejected(Rejection::IdempotencyViolated { actual, .. })) => {
            Verdict::WrongRevision(expected_number(expected), actual_number(actual))
        }
        Err(AppendError::Rejected(Rejection::StreamDeleted { .. })) => Verdict::StreamDeleted,
        Err(error) => Verdict::Other(error.to_string()),
    }
}

fn group(stream: &str) -> GroupName {
    GroupName::on_stream(stream.try_into().unwrap(), "g").unwrap()
}

fn told(answer: Result<(), GroupError>) -> Verdict {
    match answer {
        Ok(()) => Verdict::Done,
        Err(GroupError::GroupExists { .. }) => Verdict::GroupExists,
        Err(GroupError::NoSuchGroup { .. }) => Verdict::NoSuchGroup,
        Err(GroupError::MaximumSubscribers { .. }) => Verdict::MaximumSubscribers,
        Err(error) => Verdict::Other(error.to_string()),
    }
}

fn seen(event: &RecordedEvent, links: Links) -> String {
    match (&event.link, links) {
        (Some(link), Links::AsTheyAre) => {
            let target = format!("{}@{}", event.revision, event.stream);
            shown(link.revision.0, &link.stream, target.as_bytes())
        }
        (Some(_) | None, _) => shown(event.revision.0, &event.stream, &event.data),
    }
}

impl Face for Library {
    fn append(&mut self, stream: &str, expected: ExpectedRevision, numbers: &[u64]) -> Verdict {
        let events: Vec<_> = numbers.iter().map(|&number| event(number)).collect();
        self.commit(Append::to(stream.try_into().unwrap(), expected, events), expected)
    }

    fn append_many(&mut self, writes: &[(&str, ExpectedRevision, &[u64])]) -> Verdict {
        let add = |append: Append, &(stream, expected, numbers): &(&str, ExpectedRevision, &[u64])| {
            append.stream(stream.try_into().unwrap(), expected, numbers.iter().map(|&number| event(number)))
        };
        let mut verdict = self.commit_many(writes.iter().fold(Append::new(), add), writes.len());
        if let Verdict::Conflicts(conflicts) = &mut verdict {
            // A client that appends so is told of the first.
            conflicts.truncate(1);
            if conflicts[0].2 == ENDED {
                verdict = Verdict::StreamDeleted;
            }
        }
        verdict
    }

    fn append_in_turn(&mut self, events: &[(&str, u64)], checks: &[(&str, ExpectedRevision)]) -> Verdict {
        let written: BTreeSet<_> = events.iter().map(|(stream, _)| *stream).collect();
        let checks: BTreeMap<_, _> = checks.iter().copied().collect();
        let add = |append: Append, &(stream, number): &(&str, u64)| {
            let expected = checks.get(stream).copied().unwrap_or(ExpectedRevision::Any);
            append.stream(stream.try_into().unwrap(), expected, [event(number)])
        };
        let append = events.iter().fold(Append::new(), add);
        let looked_at = checks.iter().filter(|(stream, _)| !written.contains(*stream));
        let look = |append: Append, (stream, expected): (&&str, &ExpectedRevision)| {
            append.stream((*stream).try_into().unwrap(), *expected, [])
        };
        self.commit_many(looked_at.fold(append, look), written.len())
    }

    fn set_metadata(&mut self, stream: &str, expected: ExpectedRevision, document: &str) -> Verdict {
        let stream = stream.try_into().unwrap();
        verdict(self.kept.store.set_stream_metadata(&stream, expected, document), expected)
    }

    fn metadata(&mut self, stream: &str) -> Verdict {
        let found = self.kept.store.stream_metadata(&stream.try_into().unwrap()).unwrap();
        Verdict::Metadata(found.map(|(revision, document)| (revision.0, document)))
    }

    fn wait(&mut self, time: Duration) -> Verdict {
        self.kept.wait(time)
    }

    fn end(&mut self, end: End, stream: &str, expected: ExpectedRevision) -> Verdict {
        let stream = stream.try_into().unwrap();
        let append = match end {
            End::Delete => Append::new().delete(stream, expected),
            End::Tombstone => Append::new().tombstone(stream, expected),
        };
        let verdict = self.commit(append, expected);
        if let Verdict::Written(_, position) = verdict { Verdict::Written(None, position) } else { verdict }
    }

    fn read(&mut self, stream: &str, from: Place<Revision>, direction: Direction, count: u64, links: Links) -> Verdict {
        let stream = StreamName::new(stream).unwrap();
        if !is_virtual(&stream) {
            match self.kept.store.stream_status(&stream).unwrap() {
                StreamStatus::Tombstoned { .. } => return Verdict::StreamDeleted,
                StreamStatus::Missing | StreamStatus::SoftDeleted { .. } => return Verdict::StreamNotFound,
                StreamStatus::Live { .. } => {}
            }
        }
        let from = match (from, direction) {
            (Place::Start, Direction::Forward) | (Place::End, Direction::Backward) => From::Beginning,
            (Place::Start, Direction::Backward) => From::Revision(Revision::START),
            (Place::End, Direction::Forward) => From::Now,
            (Place::At(revision), _) => From::Revision(revision),
        };
        let resolve_links = links == Links::Resolved;
        let options = ReadOptions { direction, from, limit: Some(count), resolve_links, ..ReadOptions::default() };
        let read = self.kept.store.read_stream(stream, options).unwrap();
        Verdict::Events(read.map(|event| seen(&event.unwrap(), links)).collect())
    }

    fn read_all(&mut self, from: Place<Position>, direction: Direction, count: u64, only: Option<&Only>) -> Verdict {
        let from = match (from, direction) {
            (Place::Start, _) | (Place::End, Direction::Backward) => From::Beginning,
            (Place::End, Direction::Forward) => From::Now,
            (Place::At(position), Direction::Forward) => From::Position(position),
            // The library begins at an event, the wire behind it.
            (Place::At(Position(position)), Direction::Backward) => From::Position(Position(position - 1)),
        };
        let (source, expression) = match only {
            None => (Source::All, None),
            Some(Only::StreamPrefix(prefix)) => {
                let item = QueryItem::default().stream(StreamFilter::Prefix((*prefix).into()));
                (Source::Query(Query::of(item)), None)
            }
            Some(Only::TypePrefix(prefix)) => {
                let types = vec![TypeFilter::Prefix((*prefix).into())];
                (Source::Query(Query::of(QueryItem { types, ..QueryItem::default() })), None)
            }
            Some(Only::StreamExpression(text)) => {
                (Source::All, Some(NameExpression::new(NameOf::Stream, text).unwrap()))
            }
        };
        let read = match self.kept.store.read(source, ReadOptions { direction, from, ..ReadOptions::default() }) {
            Ok(read) => read,
            Err(error) => return Verdict::Other(error.to_string()),
        };
        let wanted = |event: &RecordedEvent| {
            expression.as_ref().is_none_or(|only| only.matches(&event.stream, &event.event_type).unwrap())
        };
        let events = read.map(Result::unwrap).filter(wanted).take(usize::try_from(count).unwrap());
        Verdict::Events(events.map(|event| seen(&event, Links::AsTheyAre)).collect())
    }

    fn create_group(&mut self, stream: &str) -> Verdict {
        let settings = GroupSettings { strategy: Strategy::RoundRobin, max_subscribers: 1, ..GroupSettings::default() };
        told(self.kept.store.groups().create(&group(stream), Source::Stream(stream.try_into().unwrap()), settings))
    }

    fn connect(&mut self, stream: &str) -> Verdict {
        match self.kept.store.groups().connect(&group(stream), &ConsumerOptions::default()) {
            Ok(consumer) => {
                self.consumer = Some(consumer);
                Verdict::Done
            }
            Err(error) => told(Err(error)),
        }
    }

    fn take(&mut self, count: usize) -> Verdict {
        let mut events = Vec::new();
        while events.len() < count {
            for message in self.consumer().next(count - events.len(), None).unwrap() {
                let number: serde_json::Value = serde_json::from_slice(&message.event.data).unwrap();
                self.taken.insert(number["n"].as_u64().unwrap(), message.id);
                events.push(format!("{} retries={}", seen(&message.event, Links::AsTheyAre), message.retries));
            }
        }
        Verdict::Events(events)
    }

    fn answer(&mut self, answer: Answer, numbers: &[u64]) -> Verdict {
        let ids: Vec<_> = numbers.iter().map(|number| self.taken[number]).collect();
        let nack = match answer {
            Answer::Ack => return told(self.consumer().ack(&ids)),
            Answer::Retry => Nack::Retry { after: Duration::ZERO },
            Answer::Park => Nack::Park,
            Answer::Skip => Nack::Skip,
        };
        told(self.consumer().nack(&ids, nack, "because"))
    }

    fn replay(&mut self, stream: &str) -> Verdict {
        told(self.kept.store.groups().replay(&group(stream), Replay::All).map(drop))
    }

    fn delete_group(&mut self, stream: &str) -> Verdict {
        told(self.kept.store.groups().delete(&group(stream)))
    }
}

//! Which events a commit of git becomes.
//!
//! One atomic commit of the store: `CommitRecorded` in the stream of the repository, then `FileAdded`, `FileChanged` or `FileRemoved` in
//! the stream of every file. A commit that touches more files than one commit of the store may name streams is recorded in
//! parts: the first says how many there are, and each further one begins with `CommitContinued`, so that an import that was cut off
//! knows where to go on.

use std::ops::Range;

use gesta::{EventData, EventType, ExpectedRevision, StreamName, Tag, Timestamp, limits};
use gesta_server::native::{AppendRequest, Change, Write};
use serde::Serialize;
use uuid::{Uuid, uuid};

use super::{
    log::{Blob, FileChange, GitCommit, LineCounts, Person},
    names,
};
use crate::{base64, time};

/// The types of events about files.
pub(crate) const FILE_TYPES: [&str; 3] = [FILE_ADDED, FILE_CHANGED, FILE_REMOVED];
pub(super) const FILE_ADDED: &str = "FileAdded";
pub(super) const FILE_CHANGED: &str = "FileChanged";
pub(super) const FILE_REMOVED: &str = "FileRemoved";
const COMMIT_RECORDED: &str = "CommitRecorded";
const COMMIT_CONTINUED: &str = "CommitContinued";

/// Under which the ids of imported events are made: the same history gives the same ids, whenever it is imported.
const NAMESPACE: Uuid = uuid!("5f1f4e2c-3f0a-5f3e-9a37-6d1c2b8e7a54");
/// Files of one part: their streams and the repository's.
const PART_FILES_MAX: usize = limits::STREAMS_PER_COMMIT_MAX - 1;
/// Bytes of one part, by the estimate of [`bytes_of`]: half of what a commit may hold.
const PART_BYTES_MAX: usize = limits::COMMIT_BYTES_MAX / 2;
/// Longest message that is kept whole; the longest in the wild are generated change lists.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// The stream of a repository.
pub(super) fn repository_stream(name: &str) -> Result<StreamName, gesta::Error> {
    StreamName::new(format!("repository-{name}"))
}

/// Where and as what a repository is recorded.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) stream: StreamName,
    /// Put in front of every path, with its `/`; empty for none.
    pub(super) under: String,
}

/// The commits of the store that a commit of git becomes.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    place: &'a Place,
    commit: &'a GitCommit,
    parts: Vec<Range<usize>>,
    author: Option<Tag>,
    commit_event: Uuid,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CommitData<'a> {
    // What people look for comes first: a table shows the beginning.
    subject: &'a str,
    files: usize,
    additions: u64,
    deletions: u64,
    commit: &'a str,
    parents: &'a [String],
    author: PersonData<'a>,
    committer: PersonData<'a>,
    message: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    message_cut: bool,
    parts: usize,
}

#[derive(Serialize)]
struct PersonData<'a> {
    name: &'a str,
    email: &'a str,
    /// RFC 3339, in the person's own offset; null for a date outside the calendar.
    time: Option<String>,
}

#[derive(Serialize)]
struct ContinuedData<'a> {
    commit: &'a str,
    part: usize,
    parts: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileData<'a> {
    /// Null for a binary file.
    additions: Option<u64>,
    deletions: Option<u64>,
    binary: bool,
    path: &'a str,
    /// The exact path, when `path` had to write bytes out.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_mode: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_blob: Option<&'a str>,
    commit: &'a str,
}

#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(rename = "$correlationId")]
    correlation_id: &'a str,
    #[serde(rename = "$causationId", skip_serializing_if = "Option::is_none")]
    causation_id: Option<Uuid>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(commit: &'a GitCommit, place: &'a Place) -> Self {
        Self {
            place,
            commit,
            parts: parts(&commit.changes),
            author: names::author_tag(&commit.author.email),
            commit_event: event_id(place, &commit.id, b""),
        }
    }

    /// How many commits of the store it takes.
    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Part `part` (the first is 0), its events and its bytes, if the stream of the repository stands at `expected`.
    pub(super) fn part(&self, part: usize, expected: ExpectedRevision) -> (AppendRequest, usize, usize) {
        let files = &self.commit.changes[self.parts[part].clone()];
        let head = if part == 0 { self.recorded() } else { self.continued(part) };
        let bytes = head.data.len() + files.iter().map(bytes_of).sum::<usize>();
        let of_files = files.iter().map(|change| {
            let (stream, event) = self.file(change);
            Write { stream, expected: ExpectedRevision::Any, change: Change::Append(vec![event]) }
        });
        let first = Write { stream: self.place.stream.clone(), expected, change: Change::Append(vec![head]) };
        let nanos = self.commit.committer.seconds.saturating_mul(1_000_000_000);
        let append = AppendRequest {
            writes: std::iter::once(first).chain(of_files).collect(),
            recorded_at: Some(Timestamp(nanos)),
            ..AppendRequest::default()
        };
        (append, files.len() + 1, bytes)
    }

    fn recorded(&self) -> EventData {
        let commit = self.commit;
        let message = &commit.message[..commit.message.floor_char_boundary(MESSAGE_BYTES_MAX)];
        let (additions, deletions) = totals(&commit.changes);
        let data = CommitData {
            commit: &commit.id,
            parents: &commit.parents,
            author: person(&commit.author),
            committer: person(&commit.committer),
            subject: message.trim_start().lines().next().unwrap_or_default(),
            message,
            message_cut: message.len() < commit.message.len(),
            files: commit.changes.len(),
            additions,
            deletions,
            parts: self.parts.len(),
        };
        self.event(COMMIT_RECORDED, self.commit_event, None, &data)
    }

    fn continued(&self, part: usize) -> EventData {
        let data = ContinuedData { commit: &self.commit.id, part: part + 1, parts: self.parts.len() };
        let id = event_id(self.place, &self.commit.id, format!("\0part {part}").as_bytes());
        self.event(COMMIT_CONTINUED, id, Some(self.commit_event), &data)
    }

    fn file(&self, change: &FileChange) -> (StreamName, EventData) {
        let text = std::str::from_utf8(&change.path).ok();
        let escaped = names::escaped(&change.path);
        let name = format!("{}{escaped}", self.place.under);
        let event_type = match (&change.before, &change.after) {
            (None, _) => FILE_ADDED,
            (Some(_), Some(_)) => FILE_CHANGED,
            (Some(_), None) => FILE_REMOVED,
        };
        let (additions, deletions) = match change.lines {
            LineCounts::Text { added, removed } => (Some(added), Some(removed)),
            LineCounts::Binary => (None, None),
        };
        let data = FileData {
            path: text.unwrap_or(&escaped),
            path_base64: text.is_none().then(|| encoded(&change.path)),
            mode: change.after.as_ref().map(mode),
            blob: change.after.as_ref().map(blob),
            previous_mode: change.before.as_ref().map(mode),
            previous_blob: change.before.as_ref().map(blob),
            additions,
            deletions,
            binary: change.lines == LineCounts::Binary,
            commit: &self.commit.id,
        };
        let id = event_id(self.place, &self.commit.id, &change.path);
        let event = self.event(event_type, id, Some(self.commit_event), &data).with_tag(names::path_tag(&name));
        (names::file_stream(&name), event)
    }

    fn event(&self, event_type: &str, id: Uuid, cause: Option<Uuid>, data: &impl Serialize) -> EventData {
        let metadata = Metadata { correlation_id: &self.commit.id, causation_id: cause };
        let event_type = EventType::new(event_type).expect("the types above are names");
        let event = EventData::json(event_type, json(data)).with_id(id).with_metadata(json(&metadata));
        match &self.author {
            Some(author) => event.with_tag(author.clone()),
            None => event,
        }
    }
}

/// Divides the files of a commit so that each part fits into a commit of the store. Depends on nothing but the files.
fn parts(changes: &[FileChange]) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, change) in changes.iter().enumerate() {
        let more = bytes_of(change);
        if at - start == PART_FILES_MAX || (bytes + more > PART_BYTES_MAX && at > start) {
            parts.push(start..at);
            (start, bytes) = (at, 0);
        }
        bytes += more;
    }
    parts.push(start..changes.len());
    parts
}

/// At most what an event about a file takes: its path stands in its stream, its tag and its data, every byte of it written out.
fn bytes_of(change: &FileChange) -> usize {
    768 + 8 * change.path.len().min(limits::PATH_BYTES_MAX) + 6 * change.path.len()
}

fn event_id(place: &Place, commit: &str, path: &[u8]) -> Uuid {
    let name = [place.stream.as_bytes(), b"\0", commit.as_bytes(), b"\0", path].concat();
    Uuid::new_v5(&NAMESPACE, &name)
}

fn totals(changes: &[FileChange]) -> (u64, u64) {
    changes.iter().fold((0, 0), |(additions, deletions), change| match change.lines {
        LineCounts::Text { added, removed } => (additions + added, deletions + removed),
        LineCounts::Binary => (additions, deletions),
    })
}

fn person(person: &Person) -> PersonData<'_> {
    let time = time::rfc3339_with_offset(person.seconds, person.offset_minutes);
    PersonData { name: &person.name, email: &person.email, time }
}

fn mode(blob: &Blob) -> &str {
    &blob.mode
}

fn blob(blob: &Blob) -> &str {
    &blob.id
}

fn encoded(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    base64::encode_into(bytes, &mut out);
    String::from_utf8(out).expect("base64 is ASCII")
}

fn json(data: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(data).expect("structs of text and numbers are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(count: usize, path_bytes: usize) -> Vec<FileChange> {
        let blob = Blob { mode: "100644".into(), id: "b".into() };
        let path = |at: usize| format!("{at:0path_bytes$}").into_bytes();
        let lines = LineCounts::Text { added: 1, removed: 0 };
        let change = |at| FileChange { path: path(at), before: None, after: Some(blob.clone()), lines };
        (0..count).map(change).collect()
    }

    #[test]
    fn a_commit_is_one_part_unless_it_is_too_large() {
        let whole = |count| parts(&changes(count, 8)) == std::iter::once(0..count).collect::<Vec<_>>();
        assert!(whole(0) && whole(3));
        assert_eq!(parts(&changes(25_000, 8)), [0..9_999, 9_999..19_998, 19_998..25_000]);
        let long = parts(&changes(2_000, 4_000));
        assert!(long.len() > 2 && long.last().is_some_and(|last| last.end == 2_000), "{long:?}");
    }

    #[test]
    fn ids_tell_commits_paths_and_repositories_apart_and_nothing_else() {
        let place = |name| Place { stream: repository_stream(name).unwrap(), under: String::new() };
        let (one, other) = (place("one"), place("other"));
        assert_eq!(event_id(&one, "c", b"p"), event_id(&one, "c", b"p"));
        let ids = [
            event_id(&one, "c", b"p"),
            event_id(&one, "c", b"q"),
            event_id(&one, "d", b"p"),
            event_id(&other, "c", b"p"),
        ];
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len());
    }

    #[test]
    fn a_file_says_what_it_is_now_and_was_before() {
        let place = Place { stream: repository_stream("r").unwrap(), under: "lib/".into() };
        let mut change = changes(1, 1).remove(0);
        change.path = b"a\xff.bin".to_vec();
        change.before = Some(Blob { mode: "100755".into(), id: "old".into() });
        change.lines = LineCounts::Binary;
        let commit = GitCommit {
            id: "c0ffee".into(),
            parents: vec![],
            author: Person { email: "ada@x".into(), ..Person::default() },
            committer: Person::default(),
            message: String::new(),
            changes: vec![change],
        };
        let facts = Facts::of(&commit, &place);
        let (stream, event) = facts.file(&commit.changes[0]);
        assert_eq!(&*stream, "file-lib/a%FF.bin");
        assert_eq!(&*event.event_type, FILE_CHANGED);
        assert_eq!(
            std::str::from_utf8(&event.data).unwrap(),
            concat!(
                r#"{"additions":null,"deletions":null,"binary":true,"path":"a%FF.bin","pathBase64":"Yf8uYmlu","#,
                r#""mode":"100644","blob":"b","previousMode":"100755","previousBlob":"old","commit":"c0ffee"}"#
            )
        );
        let tags: Vec<&str> = event.tags.iter().map(Tag::as_str).collect();
        assert_eq!(tags, ["author:ada@x", "/files/lib/a%FF.bin"]);
        assert!(
            std::str::from_utf8(&event.metadata).unwrap().starts_with(r#"{"$correlationId":"c0ffee","$causationId":"#)
        );
    }
}

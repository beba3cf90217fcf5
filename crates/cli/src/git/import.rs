//! Recording the history of a repository, from where the last import ended.
//!
//! Every commit of the store expects the stream of the repository at the revision the import knows: two imports at a time cannot
//! interleave, and one that was cut off goes on exactly behind its last recorded part.

use std::time::{Duration, Instant};

use gesta::{Direction, ExpectedRevision, ReadOptions, Revision, Source, StreamName};
use serde::Deserialize;

use super::{
    error::GitError,
    facts::{Facts, Place, repository_stream},
    process::{Repository, RunningLog},
    room,
};
use crate::{
    exit::{Exit, Failure, Outcome},
    interrupt::Interrupt,
    progress::Progress,
    reach::Reached,
    sending::{Answer, Sending},
    shell::Shell,
    target::Destination,
};

/// What is imported, and as what.
#[derive(Clone, Debug)]
pub(crate) struct ImportOptions {
    /// The last commit to record.
    pub(crate) revision: String,
    /// What the repository is called in the store.
    pub(crate) name: String,
    /// Put in front of every path, so that several repositories have room in one store.
    pub(crate) under: Option<String>,
}

/// What an import did.
#[derive(Clone, Debug)]
pub(crate) struct Imported {
    /// The commit the store is at now.
    pub(crate) commit: String,
    /// The stream of the repository.
    pub(crate) stream: StreamName,
    /// Commits recorded by this import.
    pub(crate) commits: u64,
    /// Commits that had been recorded before.
    pub(crate) commits_before: u64,
    /// Events recorded by this import.
    pub(crate) events: u64,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// How much of that was spent waiting for git to say more.
    pub(crate) waited_for_git: Duration,
}

/// Where the import goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Resume {
    /// Commits to leave out.
    skip: usize,
    /// Parts of the next one that are recorded.
    parts: usize,
    /// What the stream of the repository stands at.
    expected: ExpectedRevision,
}

impl Resume {
    /// Nothing is recorded yet.
    const BEGINNING: Self = Self { skip: 0, parts: 0, expected: ExpectedRevision::NoStream };
}

/// The last event of a repository's stream.
#[derive(Deserialize)]
struct LastFields {
    commit: String,
    #[serde(default = "first_part")]
    part: usize,
    parts: usize,
}

fn first_part() -> usize {
    1
}

/// Records what `repository` has and the store has not.
pub(crate) fn import(
    destination: &Destination<'_>,
    repository: &Repository,
    options: &ImportOptions,
    interrupt: &Interrupt,
    shell: &Shell,
) -> Outcome<Imported> {
    let begun = Instant::now();
    let place = place(options)?;
    let commit = repository.commit(&options.revision)?;
    let history = repository.first_parents(&commit)?;
    let resume = match destination.found() {
        Some(store) => resume(store, &place, &history, &options.revision)?,
        None => Resume::BEGINNING,
    };
    let mut imported = Imported {
        commit: commit.clone(),
        stream: place.stream.clone(),
        commits: 0,
        commits_before: resume.skip as u64,
        events: 0,
        elapsed: Duration::ZERO,
        waited_for_git: Duration::ZERO,
    };
    if resume.skip < history.len() {
        let excluded = resume.skip.checked_sub(1).map(|last| history[last].as_str());
        let progress = Progress::new(shell, "recorded", "commits", Some((history.len() - resume.skip) as u64));
        let log = repository.log(&commit, excluded)?;
        record(destination, log, &place, resume, &progress, interrupt, &mut imported)?;
        let expected = (history.len() - resume.skip) as u64;
        if imported.commits != expected {
            let found = format!("{} commits of {expected}", imported.commits);
            return Err(GitError::Malformed { what: "the length of the history", found }.into());
        }
    }
    imported.elapsed = begun.elapsed();
    Ok(imported)
}

fn record(
    destination: &Destination<'_>,
    mut log: RunningLog,
    place: &Place,
    mut resume: Resume,
    progress: &Progress,
    interrupt: &Interrupt,
    imported: &mut Imported,
) -> Outcome<()> {
    // A store is not made before git has said something that is worth one.
    let mut sending: Option<Sending<'_, ()>> = None;
    let finish = |sending: Option<Sending<'_, ()>>| sending.map_or(Ok(()), |mut sent| sent.finish(answered));
    loop {
        let asked = Instant::now();
        let commit = log.next_commit();
        imported.waited_for_git += asked.elapsed();
        if interrupt.is_requested() {
            finish(sending)?;
            return Err(Failure::new(Exit::Interrupted, format!("interrupted, commits={}", imported.commits))
                .with_remedy("everything so far is recorded; run the same import again to go on"));
        }
        let Some(commit) = commit? else {
            return finish(sending);
        };
        let facts = Facts::of(&commit, place);
        let sending = sending.get_or_insert(Sending::to(destination.store()?));
        for part in std::mem::take(&mut resume.parts)..facts.parts() {
            let (append, events, bytes) = facts.part(part, resume.expected);
            sending.send(append, (), bytes, answered)?;
            resume.expected = next(resume.expected);
            imported.events += events as u64;
        }
        imported.commits += 1;
        progress.advance(1);
    }
}

fn answered((): (), answer: Answer) -> Outcome<()> {
    answer?.map(|_| ()).map_err(|error| {
        Failure::from(error)
            .with_remedy("another import may be under way; run this one again to go on where the store is")
    })
}

/// What the stream stands at once one more event was appended.
fn next(expected: ExpectedRevision) -> ExpectedRevision {
    match expected {
        ExpectedRevision::Exact(revision) => ExpectedRevision::Exact(revision.next()),
        ExpectedRevision::NoStream
        | ExpectedRevision::Any
        | ExpectedRevision::StreamExists
        | ExpectedRevision::SoftDeleted
        | ExpectedRevision::Tombstoned => ExpectedRevision::Exact(Revision::START),
    }
}

fn place(options: &ImportOptions) -> Outcome<Place> {
    let under = match options.under.as_deref().map(|under| under.trim_matches('/')) {
        None | Some("") => String::new(),
        Some(under) => format!("{}/", super::names::escaped(under.as_bytes())),
    };
    Ok(Place { stream: repository_stream(&options.name)?, under })
}

fn resume(store: &Reached, place: &Place, history: &[String], revision: &str) -> Outcome<Resume> {
    let Some((last, at)) = last_recorded(store, &place.stream)? else {
        room::check_free(store, place)?;
        return Ok(Resume::BEGINNING);
    };
    room::check_same(store, place)?;
    let Some(index) = history.iter().position(|commit| *commit == last.commit) else {
        return Err(GitError::Rewritten { recorded: last.commit, revision: revision.to_owned() }.into());
    };
    let expected = ExpectedRevision::Exact(at);
    let whole = last.part >= last.parts;
    Ok(if whole {
        Resume { skip: index + 1, parts: 0, expected }
    } else {
        Resume { skip: index, parts: last.part, expected }
    })
}

fn last_recorded(store: &Reached, stream: &StreamName) -> Outcome<Option<(LastFields, Revision)>> {
    let options = ReadOptions { direction: Direction::Backward, ..ReadOptions::default() };
    let Some(event) = store.first(Source::Stream(stream.clone()), options)? else { return Ok(None) };
    let fields = serde_json::from_slice(&event.data).map_err(|error| {
        let place = format!("{stream}@{}", event.revision);
        Failure::new(Exit::Other, format!("the last event was not written by an import, event={place} error={error}"))
            .with_remedy("import under another --name")
    })?;
    Ok(Some((fields, event.revision)))
}

//! Where the files of a repository have room in a store: two repositories whose files share streams would be one muddle.

use gesta::{From, ReadOptions, RecordedEvent, Source};
use serde::Deserialize;

use super::{
    facts::Place,
    names::{escaped, file_stream},
};
use crate::{
    base64,
    exit::{Failure, Outcome},
    reach::Reached,
};

/// What a commit's event says of its files.
#[derive(Deserialize)]
struct CommitFields {
    #[serde(default)]
    files: u64,
}

/// What a file's event says of its path.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileFields {
    path: String,
    path_base64: Option<String>,
}

/// Whether a repository that is new to `store` may be recorded at `place`.
pub(super) fn check_free(store: &Reached, place: &Place) -> Outcome<()> {
    if !place.under.is_empty() {
        return Ok(());
    }
    match store.streams("repository-", None, 1)?.first() {
        None => Ok(()),
        Some(other) => {
            let what =
                format!("the store has another repository already, stream={} asked={}", other.name, place.stream);
            Err(Failure::usage(what)
                .with_remedy("keep their files apart with --under DIR, or name the one that is there with --name NAME"))
        }
    }
}

/// Whether the files of a repository that `store` has are recorded as `place` would name them. Whatever else is in the store,
/// it goes on where it was.
pub(super) fn check_same(store: &Reached, place: &Place) -> Outcome<()> {
    let Some(file) = first_file(store, place)? else { return Ok(()) };
    let Ok(fields) = serde_json::from_slice::<FileFields>(&file.data) else { return Ok(()) };
    let exact = fields.path_base64.as_deref().and_then(base64::decode);
    let path = escaped(&exact.unwrap_or(fields.path.into_bytes()));
    let due = file_stream(&format!("{}{path}", place.under));
    if file.stream == due {
        return Ok(());
    }
    let what = format!("the files of the repository are elsewhere, stream={} asked={due}", file.stream);
    Err(Failure::usage(what).with_remedy("give the same --under as before, or another --name for a second copy"))
}

/// The event about the first file that is recorded of a repository.
fn first_file(store: &Reached, place: &Place) -> Outcome<Option<RecordedEvent>> {
    let has_files = |commit: &RecordedEvent| {
        serde_json::from_slice::<CommitFields>(&commit.data).is_ok_and(|fields| fields.files > 0)
    };
    let mut commits = store.read(Source::Stream(place.stream.clone()), ReadOptions::default())?;
    while let Some(batch) = commits.next()? {
        if let Some(commit) = batch.into_recorded().into_iter().find(has_files) {
            // The files of a commit stand right behind it.
            let from = From::Position(commit.position.next());
            return store.first(Source::All, ReadOptions { from, ..ReadOptions::default() });
        }
    }
    Ok(None)
}

//! What the program says of itself when it ends: the exit codes (documented in `docs/cli.md`) and the failure that leads to one.

use std::{fmt, io, process::ExitCode};

use gesta::{AppendError, ErrorKind, Rejection};
use rustix::io::Errno;

/// What the exit code of the program means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    Other = 1,
    Usage = 2,
    NotFound = 3,
    Conflict = 4,
    Denied = 5,
    Unavailable = 6,
    Integrity = 7,
    Partial = 8,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked: what happened with the facts, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    what: String,
    remedy: Option<String>,
    /// Whoever read our output is gone: end without a word, as if by SIGPIPE.
    quiet: bool,
}

/// What a command comes to.
pub(crate) type Outcome<T = Exit> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), remedy: None, quiet: false }
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// The same failure with a line that says what to do.
    pub(crate) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The same failure with the place it happened at in front.
    pub(crate) fn at(mut self, place: impl fmt::Display) -> Self {
        self.what = format!("{place}: {}", self.what);
        self
    }

    /// The same failure with what was done all the same.
    pub(crate) fn after(mut self, done: impl fmt::Display) -> Self {
        self.what = format!("{}; {done}", self.what);
        self
    }

    /// A failure of the file system while `doing` something (`reading x`).
    #[allow(clippy::wildcard_enum_match_arm, reason = "the kinds of the standard library are many, and grow")]
    pub(crate) fn io(doing: impl fmt::Display, error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        let exit = match error.kind() {
            Kind::NotFound => Exit::NotFound,
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Exit::Denied,
            Kind::IsADirectory | Kind::NotADirectory | Kind::InvalidFilename => Exit::Usage,
            Kind::StorageFull | Kind::QuotaExceeded | Kind::TimedOut | Kind::WouldBlock => Exit::Unavailable,
            _ if is_out_of_files(error) => Exit::Unavailable,
            _ => Exit::Other,
        };
        let failure = Self::new(exit, format!("{doing}: {error}"));
        if is_full(error) {
            return failure.with_remedy("make room, or write somewhere else");
        }
        if is_out_of_files(error) { failure.with_remedy(MORE_FILES) } else { failure }
    }

    /// A failure to write our own output. A reader that went away (`gesta read | head`) is not worth a word.
    pub(crate) fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { quiet: true, ..Self::new(Exit::Ok, "") };
        }
        Self::io("writing the output", error)
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    pub(crate) fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::output(&error)
    }
}

impl From<gesta::Error> for Failure {
    fn from(error: gesta::Error) -> Self {
        let denied = error.io_source().is_some_and(|source| {
            matches!(source.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
        });
        let kind = error.kind();
        let failure = Self::new(if denied { Exit::Denied } else { exit_of(kind) }, error.to_string());
        if error.io_source().is_some_and(is_full) {
            return failure.with_remedy(
                "make room where the store is. What was answered is safe; what was not may have been recorded all the same: look before you try again",
            );
        }
        if error.io_source().is_some_and(is_out_of_files) {
            return failure.with_remedy(MORE_FILES);
        }
        if denied {
            return failure.with_remedy("the directory and its files must be readable and writable for this user");
        }
        if kind == ErrorKind::Corrupted {
            return failure.with_remedy(
                "restore what is named from a backup; `gesta verify` says what else is wrong, `gesta export --intact` writes what is not",
            );
        }
        if kind == ErrorKind::Internal {
            return failure.with_remedy("this is a fault of gesta: please report it with this message");
        }
        failure
    }
}

/// Whether there was no room left for what was to be written.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether the system lets this process open no more files.
pub(crate) fn is_out_of_files(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::MFILE)
}

/// What to do then.
pub(crate) const MORE_FILES: &str =
    "the system lets this process open too few files: raise its limit (`ulimit -n`, `LimitNOFILE=` in a unit)";

/// The exit code for a kind of error of the store.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "kinds may be added; one this program does not know is an other error"
)]
fn exit_of(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::Invalid => Exit::Usage,
        ErrorKind::NotFound => Exit::NotFound,
        ErrorKind::Unavailable | ErrorKind::Closed => Exit::Unavailable,
        ErrorKind::Corrupted => Exit::Integrity,
        _ => Exit::Other,
    }
}

impl From<AppendError> for Failure {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Rejected(rejection) => rejection.into(),
            AppendError::Failed(error) => error.into(),
        }
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        let failure = Self::new(Exit::Conflict, format!("refused: {rejection}"));
        match remedy_of(&rejection) {
            Some(remedy) => failure.with_remedy(remedy),
            None => failure,
        }
    }
}

/// What somebody can do whose append was refused.
#[allow(clippy::wildcard_enum_match_arm, reason = "verdicts may be added, and some say all there is to say")]
fn remedy_of(rejection: &Rejection) -> Option<String> {
    Some(match rejection {
        Rejection::WrongRevision { stream, actual: Some(actual), .. } => format!(
            "somebody appended between the read and this append: look at `gesta read {}`, decide again, then retry with --expect {actual}",
            quoted(stream)
        ),
        Rejection::WrongRevision { actual: None, .. } => {
            "the stream has no events that can be read: retry with --expect none if it should begin here".to_owned()
        }
        Rejection::ConditionFailed { first_conflict, .. } => format!(
            "read what stands in the way with `gesta read --from @{first_conflict} -n 1`, decide again, then retry with --after {first_conflict} or later"
        ),
        Rejection::StreamDeleted { .. } => "a tombstone is for ever: append to another stream".to_owned(),
        Rejection::IdempotencyViolated { .. } => {
            "the ids were used before for other events or in another order: give new events new ids".to_owned()
        }
        Rejection::ProposalReused { .. } => "give every different request its own --proposal-id".to_owned(),
        _ => return None,
    })
}

/// `text` as a shell takes it for one word.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use gesta::{ExpectedRevision, Position, Revision, StreamName};

    use super::*;

    #[test]
    fn kinds_of_errors_have_their_codes() {
        let exit = |kind| Failure::from(gesta::Error::new(kind, "x")).exit;
        assert_eq!(exit(ErrorKind::Invalid), Exit::Usage);
        assert_eq!(exit(ErrorKind::NotFound), Exit::NotFound);
        assert_eq!(exit(ErrorKind::Unavailable), Exit::Unavailable);
        assert_eq!(exit(ErrorKind::Corrupted), Exit::Integrity);
        let denied = gesta::Error::io("opening x", io::ErrorKind::PermissionDenied.into());
        assert_eq!(Failure::from(denied).exit, Exit::Denied);
    }

    #[test]
    fn a_full_disk_asks_for_room() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let full = Failure::from(gesta::Error::io("cannot write the log", kind.into()));
            assert_eq!(full.exit, Exit::Unavailable);
            assert!(full.remedy().is_some_and(|remedy| remedy.contains("make room")));
            let output = Failure::io("writing facts.ndjson", &kind.into());
            assert!(output.exit == Exit::Unavailable && output.remedy().is_some());
        }
    }

    #[test]
    fn too_few_files_ask_for_more() {
        let out_of_files = || io::Error::from(Errno::MFILE);
        let failures = [
            Failure::io("reading facts.ndjson", &out_of_files()),
            Failure::from(gesta::Error::io("opening the log", out_of_files())),
        ];
        for failure in failures {
            assert_eq!((failure.exit, failure.remedy()), (Exit::Unavailable, Some(MORE_FILES)));
        }
    }

    #[test]
    fn a_refusal_names_the_facts_and_the_way_on() {
        let rejection = Rejection::WrongRevision {
            stream: StreamName::new("order 17").unwrap(),
            expected: ExpectedRevision::Exact(Revision(7)),
            actual: Some(Revision(0)),
        };
        let failure = Failure::from(rejection);
        assert_eq!(failure.exit, Exit::Conflict);
        assert_eq!(
            failure.to_string(),
            "refused: stream is not at the expected revision, stream=order 17 expected=7 actual=0"
        );
        assert!(failure.remedy().unwrap().contains("gesta read 'order 17'"));
        let failure = Failure::from(Rejection::ConditionFailed { index: 0, first_conflict: Position(9) });
        assert!(failure.remedy().unwrap().contains("--after 9"));
    }

    #[test]
    fn a_reader_that_went_away_ends_us_quietly() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(failure.is_quiet());
        assert_eq!(failure.exit, Exit::Ok);
    }

    #[test]
    fn words_are_quoted_only_when_a_shell_needs_it() {
        assert_eq!(quoted("file-src/lib.rs"), "file-src/lib.rs");
        assert_eq!(quoted("/files/**"), "'/files/**'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}

//! The walk over log and index that `gesta verify` makes.

use sha2::{Digest, Sha256};

use super::{audit::Audits, chains::Chains};
use crate::{
    error::{Error, ErrorKind, Result},
    index::Term,
    log::{SegmentRange, StoredEvent},
    position::{Position, Timestamp},
    read::Library,
};

/// Findings kept in a report; more are only counted.
const PROBLEMS_MAX: usize = 100;
/// Progress is told this often, in events.
const PROGRESS_EVERY: u64 = 4096;

/// First byte of the input of a segment's digest; see `docs/formats/log.md`.
const SEGMENT_DIGEST: u8 = 0x04;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Events checked.
    pub events: u64,
    /// Commits checked.
    pub commits: u64,
    /// Segments checked.
    pub segments: u64,
    /// Streams seen.
    pub streams: u64,
    /// Bytes of the log checked.
    pub log_bytes: u64,
    /// The head at which the verification was pinned.
    pub head: Position,
    /// Digest over all leaf hashes in order, in hexadecimal: equal for equal logs.
    pub digest: String,
    /// What is wrong: file, offset, what. At most the first hundred findings.
    pub problems: Vec<String>,
    /// How many findings there are.
    pub problem_count: u64,
}

impl VerifyReport {
    /// Whether nothing was found wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problem_count == 0
    }

    pub(super) fn problem(&mut self, problem: String) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

/// Checks the log below `head`, and the index against it.
pub(crate) fn verify(library: &Library, head: Position, progress: &mut dyn FnMut(u64)) -> Result<VerifyReport> {
    let mut walk = Walk {
        library,
        report: VerifyReport { head, ..VerifyReport::default() },
        chains: Chains::new(library),
        audits: Audits::new(library),
        leaves: Sha256::new(),
        next: Position::START,
        recorded_at: Timestamp::MIN,
        progress,
    };
    for segment in library.log.segments() {
        if segment.first >= head && head > Position::START {
            break;
        }
        walk.segment(&segment, head)?;
    }
    walk.finish(head)
}

struct Walk<'a> {
    library: &'a Library,
    report: VerifyReport,
    chains: Chains<'a>,
    audits: Audits,
    leaves: Sha256,
    next: Position,
    recorded_at: Timestamp,
    progress: &'a mut dyn FnMut(u64),
}

impl Walk<'_> {
    /// Checks one segment; one that breaks off is passed over from there, the next is checked all the same.
    fn segment(&mut self, segment: &SegmentRange, head: Position) -> Result<()> {
        self.report.segments += 1;
        let end = segment.end.min(head);
        let mut leaves = Sha256::new_with_prefix([SEGMENT_DIGEST]);
        for frame in self.library.log.frames(segment.first, end) {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => {
                    self.report.problem(finding(error)?);
                    break;
                }
            };
            self.report.commits += 1;
            self.report.log_bytes += frame.bytes().len() as u64;
            for event in frame.events() {
                leaves.update(event.leaf());
                self.event(&event)?;
            }
        }
        let complete = self.next == segment.end;
        if let Some(digest) = segment.digest.filter(|_| complete)
            && digest != *leaves.finalize()
        {
            self.report.problem(format!("segment's digest is not that of its events, segment={}", segment.first));
        }
        if self.next < end {
            self.chains.forget();
            self.audits.skip();
        }
        self.next = end;
        Ok(())
    }

    fn event(&mut self, event: &StoredEvent) -> Result<()> {
        let view = event.view();
        let at = |what: String| {
            format!("{what}, position={} stream={} revision={}", view.position, view.stream, view.revision)
        };
        if view.position != self.next {
            self.report.problem(at(format!("position is not dense, due={}", self.next)));
        }
        self.next = view.position.next();
        if view.recorded_at < self.recorded_at {
            self.report.problem(at("time goes backwards".to_owned()));
        }
        self.recorded_at = view.recorded_at;
        self.leaves.update(event.leaf());
        self.report.events += 1;
        self.report.streams += u64::from(view.revision.0 == 0);
        match self.library.log.event(view.position) {
            Ok(found) if found.bytes() == event.bytes() => {}
            Ok(_) => self.report.problem(at("segment's table points elsewhere".to_owned())),
            Err(error) => self.report.problem(at(finding(error)?)),
        }
        match self.chains.check(event) {
            Ok(None) => {}
            Ok(Some(problem)) => self.report.problem(at(problem)),
            Err(error) => self.report.problem(at(finding(error)?)),
        }
        match self.audits.event(self.library, &view) {
            Ok(None) => {}
            Ok(Some(problem)) => self.report.problem(at(problem)),
            Err(error) => self.report.problem(at(finding(error)?)),
        }
        for judged in self.audits.shown_to(self.next) {
            if let Err(error) = judged {
                self.report.problem(finding(error)?);
            }
        }
        if self.report.events.is_multiple_of(PROGRESS_EVERY) {
            (self.progress)(self.report.events);
        }
        Ok(())
    }

    fn finish(mut self, head: Position) -> Result<VerifyReport> {
        (self.progress)(self.report.events);
        if self.report.is_sound() && self.report.events != head.0 {
            self.report
                .problem(format!("log has fewer events than its head says, events={} head={head}", self.report.events));
        }
        match self.library.index.count(Term::Created, head) {
            Ok(streams) if streams == self.report.streams || !self.report.is_sound() => {}
            Ok(streams) => {
                let found = self.report.streams;
                self.report.problem(format!("index counts other streams than the log, index={streams} log={found}"));
            }
            Err(error) => self.report.problem(finding(error)?),
        }
        self.report.digest = hexadecimal(self.leaves);
        Ok(self.report)
    }
}

/// A digest as it is told.
pub(super) fn hexadecimal(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What an error says of the bytes; errors that say nothing of them end the verification.
pub(super) fn finding(error: Error) -> Result<String> {
    match error.kind() {
        ErrorKind::Corrupted => Ok(error.to_string()),
        ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Unavailable | ErrorKind::Closed | ErrorKind::Internal => {
            Err(error)
        }
    }
}

//! `gesta import ndjson`: events from a file or a pipe.
//!
//! A bad line stops the import: everything before it is recorded, nothing after it, and the exit code says so. With `--continue`
//! bad lines are told and counted instead.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;
use gesta::{AppendError, ExpectedRevision, Rejection, Timestamp, limits};
use gesta_server::native::{AppendRequest, Change, Write};
use serde_json::json;

use crate::{
    exit::{Exit, Failure, Outcome},
    interrupt::{Interrupt, InterruptibleInput},
    ndjson::{ImportedEvent, LINE_BYTES_MAX, Line, Lines, parse},
    progress::Progress,
    reach::Reached,
    sending::{Answer, Sending},
    shell::{Format, Shell, counted, printable},
    table::cut,
    target::{Destination, Target},
    time,
};

mod ended;
mod group;
mod times;

use ended::Ended;
use group::Group;
use times::Times;

/// Arguments of `gesta import ndjson`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta import ndjson facts.ndjson
  gesta --dir ./old export | gesta --dir ./copy import ndjson -
  gesta import ndjson facts.ndjson --dry-run            only checks the lines
  gesta import ndjson facts.ndjson --from-line 4711     goes on where an import stopped
The format is described in docs/formats/ndjson.md. Exit code 8: stopped at a bad line, or skipped some.")]
pub(crate) struct ImportNdjsonArgs {
    /// The file; `-` is standard input
    file: PathBuf,
    /// Skip bad lines instead of stopping at the first
    #[arg(long = "continue")]
    keep_going: bool,
    /// Most events in one commit
    #[arg(long, value_name = "EVENTS", default_value_t = 1000, value_parser = parse_batch)]
    batch: usize,
    /// Begin at this line
    #[arg(long, value_name = "LINE", default_value_t = 1, value_parser = parse_line_number)]
    from_line: u64,
    /// Check the lines, record nothing
    #[arg(long)]
    dry_run: bool,
}

/// Bytes of events after which a commit is closed: a quarter of what it may hold, so that what surrounds them fits as well.
const BATCH_BYTES: usize = limits::COMMIT_BYTES_MAX / 4;
/// Characters shown of a bad line.
const EXCERPT_CHARS: usize = 60;

fn parse_batch(text: &str) -> Result<usize, String> {
    // Every event may be of a stream of its own.
    let max = limits::STREAMS_PER_COMMIT_MAX;
    text.parse().ok().filter(|batch| (1..=max).contains(batch)).ok_or_else(|| format!("write a number from 1 to {max}"))
}

fn parse_line_number(text: &str) -> Result<u64, String> {
    let number = text.parse().map_err(|_| "write the number of a line".to_owned())?;
    if number == 0 { Err("the first line is line 1".to_owned()) } else { Ok(number) }
}

/// What an import did.
#[derive(Debug, Default)]
struct Counts {
    events: u64,
    recorded_before: u64,
    commits: u64,
    bad_lines: u64,
    refused: u64,
}

/// Imports the lines.
pub(crate) fn run(args: &ImportNdjsonArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let interrupt = Interrupt::listen()?;
    let (input, bytes) = open(&args.file, &interrupt)?;
    let destination = if args.dry_run { None } else { Some(target.destination()?) };
    let found = destination.as_ref().and_then(Destination::found);
    let info = found.map(|store| store.info(target)).transpose()?;
    let last_recorded_at = info.and_then(|info| info.last_recorded_at).map(Timestamp);
    let begun = Instant::now();
    let mut import = Import {
        args,
        shell,
        progress: Progress::new(shell, "read", "bytes", bytes),
        destination: destination.as_ref(),
        sending: None,
        times: Times::after(last_recorded_at),
        ended: Ended::default(),
        group: Group::default(),
        counts: Counts::default(),
        stopped: false,
    };
    let outcome = import.lines(Lines::new(input), &interrupt);
    let finished = import.finish();
    let sent = import.sending.is_some();
    // What failed first is told: commits that were under way are of lines before the one that could not be read.
    let outcome = if import.stopped { outcome.and(finished) } else { finished.and(outcome) };
    let counts = import.counts;
    let done = done(&counts, args.dry_run);
    outcome.map_err(|failure| match counts.events {
        // What was under way when a write failed may stand all the same; nobody knows before the store is opened again.
        _ if sent && failure.exit == Exit::Unavailable => {
            failure.after(format_args!("{done} for certain, others perhaps"))
        }
        0 => failure,
        _ => failure.after(format_args!("{done} before it")),
    })?;
    // Whoever is not told would import again.
    print(&counts, args.dry_run, begun, shell).and_then(|()| shell.flush()).map_err(|failure| failure.after(done))?;
    Ok(if counts.bad_lines + counts.refused == 0 { Exit::Ok } else { Exit::Partial })
}

/// What was done so far, or would have been.
fn done(counts: &Counts, dry_run: bool) -> String {
    format!("{} {}", counted(counts.events, "event"), if dry_run { "would be recorded" } else { "recorded" })
}

fn open(file: &Path, interrupt: &Interrupt) -> Outcome<(BufReader<InterruptibleInput>, Option<u64>)> {
    let failed = |error: io::Error| Failure::io(format_args!("reading {}", file.display()), &error);
    let opened = if file == Path::new("-") {
        io::stdin().as_fd().try_clone_to_owned().map(File::from)
    } else {
        File::open(file)
    };
    let opened = opened.map_err(failed)?;
    let metadata = opened.metadata().map_err(failed)?;
    if metadata.is_dir() {
        let what = format!("an import reads a file, and this is a directory, file={}", file.display());
        return Err(Failure::usage(what));
    }
    let bytes = metadata.is_file().then_some(metadata.len());
    let input = InterruptibleInput::new(opened, interrupt.clone());
    Ok((BufReader::with_capacity(1 << 20, input), bytes))
}

struct Import<'a> {
    args: &'a ImportNdjsonArgs,
    shell: &'a Shell,
    progress: Progress,
    /// None if nothing is to be recorded.
    destination: Option<&'a Destination<'a>>,
    /// None until there is something to record.
    sending: Option<Sending<'a, (u64, u64, u64)>>,
    times: Times,
    ended: Ended,
    group: Group,
    counts: Counts,
    /// A commit that was sent failed.
    stopped: bool,
}

impl Import<'_> {
    fn lines(&mut self, mut lines: Lines<impl BufRead>, interrupt: &Interrupt) -> Outcome<()> {
        let failed = |error: io::Error| Failure::io("reading the input", &error);
        loop {
            let number = lines.number() + 1;
            let line = lines.next_line().map_err(failed)?;
            // An interrupt ends the input too: the line may be part of one, or none may have come.
            if interrupt.is_requested() {
                return Err(Failure::new(Exit::Interrupted, format!("interrupted, go on with --from-line {number}")));
            }
            let parsed = match line {
                None => return Ok(()),
                Some(_) if number < self.args.from_line => continue,
                Some(Line::Whole(line) | Line::Unended(line)) if line.trim_ascii().is_empty() => continue,
                Some(Line::TooLong(length)) => {
                    Err(format!("line is too long, bytes={length} bytes_max={LINE_BYTES_MAX}"))
                }
                Some(Line::Whole(line)) => parse(line, None).map_err(|what| with_excerpt(&what, line)),
                Some(Line::Unended(line)) => parse(line, None)
                    .map_err(|what| with_excerpt(&format!("{what} (the input ends in the middle of this line)"), line)),
            };
            match parsed {
                Ok(event) => self.add(event, number)?,
                Err(what) => self.bad_line(number, &what)?,
            }
            if number.is_multiple_of(1024) {
                self.progress.at(lines.bytes());
            }
        }
    }

    fn bad_line(&mut self, number: u64, what: &str) -> Outcome<()> {
        if !self.args.keep_going {
            return Err(Failure::new(Exit::Partial, format!("line {number}: {what}")).with_remedy(format!(
                "correct the line and go on with --from-line {number}, or skip bad lines with --continue"
            )));
        }
        self.counts.bad_lines += 1;
        self.progress.above(|| self.shell.warn(format_args!("line {number}: {what}")));
        Ok(())
    }

    fn add(&mut self, mut event: ImportedEvent, number: u64) -> Outcome<()> {
        let store = self.destination.and_then(Destination::found).and_then(Reached::directory);
        if self.ended.has(&event.stream, store)? {
            return self.refused_line(number, Rejection::StreamDeleted { stream: event.stream });
        }
        let ends_stream = event.ends_stream();
        if !self.group.has_room_for(&event, self.args.batch, BATCH_BYTES) || ends_stream {
            self.send()?;
        }
        if ends_stream {
            self.ended.end(&event.stream);
        }
        self.times.note(&mut event, time::now_timestamp());
        self.group.add(number, event);
        if ends_stream { self.send() } else { Ok(()) }
    }

    /// A line the store would refuse, and the commit it is in.
    fn refused_line(&mut self, number: u64, rejection: Rejection) -> Outcome<()> {
        if !self.args.keep_going {
            return Err(Failure::from(rejection).at(format_args!("line {number}")));
        }
        self.counts.refused += 1;
        self.progress.above(|| self.shell.warn(format_args!("line {number}: refused: {rejection}")));
        Ok(())
    }

    /// Sends the group as a commit.
    fn send(&mut self) -> Outcome<()> {
        let group = std::mem::take(&mut self.group);
        let Some(note) = group.extent() else { return Ok(()) };
        let Some(destination) = self.destination else {
            self.counts.events += note.2;
            self.counts.commits += 1;
            return Ok(());
        };
        let store = destination.store()?;
        // Of a server it is not known beforehand which streams have ended.
        let whole = store.directory().is_none().then(|| group.clone());
        let (counts, args, shell, progress) = (&mut self.counts, self.args, self.shell, &self.progress);
        let (bytes, mut refused) = (group.bytes(), None);
        let sending = self.sending.get_or_insert(Sending::to(store));
        let sent = sending.send(group.into(), note, bytes, |note, answer| match answer {
            Ok(Err(AppendError::Rejected(rejection))) if whole.is_some() => {
                refused = Some(rejection);
                Ok(())
            }
            answer => answered(note, answer, counts, args, shell, progress),
        });
        let sent = match (sent, refused, whole) {
            (Ok(()), Some(rejection), Some(group)) if self.has_ended_streams(&group, store)? => {
                return self.send_without_ended(group, rejection);
            }
            (Ok(()), Some(rejection), _) => {
                let refused = Ok(Err(AppendError::Rejected(rejection)));
                answered(note, refused, &mut self.counts, args, shell, &self.progress)
            }
            (sent, ..) => sent,
        };
        self.stopped |= sent.is_err();
        sent
    }

    /// Asks a store that refused a group which of its streams have ended: whether there are any.
    fn has_ended_streams(&mut self, group: &Group, store: &Reached) -> Outcome<bool> {
        let mut found = false;
        for stream in group.streams() {
            // An append of nothing that expects the stream to be there: a look at it.
            let change = Change::Append(Vec::new());
            let look = Write { stream: stream.clone(), expected: ExpectedRevision::StreamExists, change };
            let looked = store.append(AppendRequest { writes: vec![look], ..AppendRequest::default() })?;
            if matches!(looked, Err(AppendError::Rejected(Rejection::StreamDeleted { .. }))) {
                self.ended.end(&stream);
                found = true;
            }
        }
        Ok(found)
    }

    /// Sends what was refused as a whole without the lines for streams that have ended, as if that had been known of each.
    fn send_without_ended(&mut self, group: Group, rejection: Rejection) -> Outcome<()> {
        let refused = |stream| Rejection::StreamDeleted { stream };
        let (others, ends) = group.clone().divided(|event| !self.ended.is_known_of(&event.stream));
        let mut ends = ends.into_iter();
        let Some((number, first)) = ends.next() else { return Err(rejection.into()) };
        if !self.args.keep_going {
            self.group = group.before(number);
            self.send()?;
        }
        self.refused_line(number, refused(first.stream))?;
        ends.try_for_each(|(number, event)| self.refused_line(number, refused(event.stream)))?;
        self.group = others;
        self.send()
    }

    /// Sends what is left, and waits for every answer.
    fn finish(&mut self) -> Outcome<()> {
        self.send()?;
        let (counts, args, shell, progress) = (&mut self.counts, self.args, self.shell, &self.progress);
        match &mut self.sending {
            None => Ok(()),
            Some(sending) => sending.finish(|note, answer| answered(note, answer, counts, args, shell, progress)),
        }
    }
}

fn answered(
    (first, last, events): (u64, u64, u64),
    answer: Answer,
    counts: &mut Counts,
    args: &ImportNdjsonArgs,
    shell: &Shell,
    progress: &Progress,
) -> Outcome<()> {
    let lines = if first == last { format!("line {first}") } else { format!("lines {first} to {last}") };
    let go_on = || format!("go on with --from-line {first}");
    match answer.map_err(|failure| failure.at(&lines).after(go_on()))? {
        Ok(appended) => {
            counts.commits += 1;
            if appended.idempotent {
                counts.recorded_before += events;
            } else {
                counts.events += events;
            }
            Ok(())
        }
        Err(AppendError::Rejected(rejection)) if args.keep_going => {
            counts.refused += events;
            progress.above(|| shell.warn(format_args!("{lines}: refused: {rejection}")));
            Ok(())
        }
        Err(AppendError::Rejected(rejection)) => Err(Failure::from(rejection).at(lines)),
        Err(AppendError::Failed(error)) => Err(Failure::from(error).at(lines).after(go_on())),
    }
}

fn with_excerpt(what: &str, line: &[u8]) -> String {
    let start = &line[..line.len().min(4 * EXCERPT_CHARS)];
    let excerpt = cut(&printable(&String::from_utf8_lossy(start)), EXCERPT_CHARS);
    format!("{what}, line begins: {excerpt}")
}

fn print(counts: &Counts, dry_run: bool, begun: Instant, shell: &mut Shell) -> Outcome<()> {
    let Counts { events, recorded_before, commits, bad_lines, refused } = counts;
    match shell.format() {
        Format::Ndjson => shell.json(&json!({
            "events": events, "recordedBefore": recorded_before, "commits": commits, "badLines": bad_lines,
            "refused": refused, "dryRun": dry_run,
        })),
        Format::Table | Format::Plain => {
            let verb = if dry_run { "would record" } else { "recorded" };
            let spent = time::short(begun.elapsed());
            let mut line = format!("{verb} {} in {}, {spent}", counted(*events, "event"), counted(*commits, "commit"));
            for (count, what) in
                [(recorded_before, "recorded before"), (bad_lines, "on bad lines, skipped"), (refused, "refused")]
            {
                if *count > 0 {
                    line.push_str(&format!("; {} {what}", counted(*count, "event")));
                }
            }
            shell.line(line)
        }
    }
}

//! `gesta export`: events as NDJSON, so that an import makes the same facts again.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use clap::Args;
use gesta::{ReadOptions, Source, VerifyReport};

use crate::{
    exit::{Exit, Failure, Outcome},
    interrupt::Interrupt,
    ndjson::write_event,
    progress::Progress,
    query_args::{FilterArgs, moment},
    reach::Reached,
    shell::{Shell, counted},
    target::Target,
};

/// Arguments of `gesta export`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta export > facts.ndjson
  gesta export facts.ndjson                         to a file, which appears when it is whole
  gesta export --intact rescued.ndjson              what can be read of a damaged store
  gesta export --category order --at 2026-01-31     the orders as of a date
  gesta export | gesta --dir ./copy import ndjson -")]
pub(crate) struct ExportArgs {
    /// The file to write; `-` is standard output
    #[arg(default_value = "-")]
    file: PathBuf,
    /// What is intact of a damaged store, and nothing else: of each log file, what lies before its first bad byte
    #[arg(long, conflicts_with_all = ["types", "tags", "paths", "streams", "categories", "at"])]
    intact: bool,
    #[command(flatten)]
    filters: FilterArgs,
    /// As of a moment in the past: a time, or a position as `@118`
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    at: Option<String>,
}

/// Writes the events.
pub(crate) fn run(args: &ExportArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    if args.intact {
        return intact(&args.file, target, shell);
    }
    let source = args.filters.source(None)?;
    let as_of = args.at.as_deref().map(moment).transpose()?;
    let options = ReadOptions { as_of, ..ReadOptions::default() };
    let store = target.reach()?;
    let interrupt = Interrupt::listen()?;
    let total = if source == Source::All { Some(store.head()?.0) } else { None };
    let progress = Progress::new(shell, "exported", "events", total);
    if args.file == Path::new("-") {
        copy(&store, source, options, &progress, &interrupt, shell.out(), Failure::output)?;
        return Ok(Exit::Ok);
    }
    let events = to_file(&args.file, |file| {
        let doing = format!("writing {}", args.file.display());
        copy(&store, source, options, &progress, &interrupt, file, |error| Failure::io(&doing, error))
    })?;
    drop(progress);
    shell.say(format_args!("{} in {}", counted(events, "event"), args.file.display()));
    Ok(Exit::Ok)
}

/// Writes what can be read of a store that may not open.
fn intact(file: &Path, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let interrupt = Interrupt::listen()?;
    let progress = Progress::new(shell, "exported", "events", None);
    let report = if file == Path::new("-") {
        copy_intact(target, &progress, &interrupt, shell.out(), Failure::output)?
    } else {
        let doing = format!("writing {}", file.display());
        let failed = |error: &std::io::Error| Failure::io(&doing, error);
        to_file(file, |file| copy_intact(target, &progress, &interrupt, file, failed))?
    };
    drop(progress);
    if report.is_sound() {
        return Ok(Exit::Ok);
    }
    for problem in &report.problems {
        shell.warn(problem);
    }
    let what = format!("the store is damaged, exported={} problems={}", report.events, report.problem_count);
    Err(Failure::new(Exit::Integrity, what).with_remedy("what is behind bad bytes is missing from the export"))
}

fn copy_intact(
    target: &Target,
    progress: &Progress,
    interrupt: &Interrupt,
    out: &mut impl Write,
    failed: impl Fn(&std::io::Error) -> Failure,
) -> Outcome<VerifyReport> {
    let (mut line, mut broken) = (Vec::new(), None);
    let report = target.inspect(|event| {
        line.clear();
        write_event((*event).into(), &mut line);
        progress.advance(1);
        if let Err(error) = out.write_all(&line) {
            broken = Some(failed(&error));
        } else if interrupt.is_requested() {
            broken = Some(Failure::new(Exit::Interrupted, "interrupted"));
        }
        if broken.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    broken.map_or(Ok(report), Err)
}

/// Writes to a file, a device or a pipe. A file is written under another name, and gets its own when it is whole and on disk; a link to
/// one is followed. Anything else must not be replaced, and is written as it is.
fn to_file<T>(file: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Outcome<T>) -> Outcome<T> {
    let doing = |error: &std::io::Error| Failure::io(format_args!("writing {}", file.display()), error);
    match fs::metadata(file) {
        Ok(found) if found.is_dir() => {
            Err(Failure::usage(format!("an export goes to a file, and this is a directory, file={}", file.display())))
        }
        Ok(found) if found.is_file() => whole_file(&fs::canonicalize(file).map_err(|error| doing(&error))?, write),
        Ok(_) => {
            let opened = File::options().write(true).open(file).map_err(|error| doing(&error))?;
            let mut out = BufWriter::with_capacity(1 << 20, opened);
            let events = write(&mut out)?;
            out.into_inner().map_err(|error| doing(error.error()))?;
            Ok(events)
        }
        Err(_) => whole_file(file, write),
    }
}

fn whole_file<T>(file: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Outcome<T>) -> Outcome<T> {
    let mut partial = file.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let failed = |error: &std::io::Error| Failure::io(format_args!("writing {}", partial.display()), error);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&partial).map_err(|error| failed(&error))?);
    let written = write(&mut out).and_then(|events| {
        let file = out.into_inner().map_err(|error| failed(error.error()))?;
        file.sync_all().map_err(|error| failed(&error))?;
        Ok(events)
    });
    match written {
        Ok(events) => fs::rename(&partial, file).map_err(|error| failed(&error)).map(|()| events),
        Err(failure) => {
            let _ = fs::remove_file(&partial); // the first failure is the one worth telling
            Err(failure)
        }
    }
}

fn copy(
    store: &Reached,
    source: Source,
    options: ReadOptions,
    progress: &Progress,
    interrupt: &Interrupt,
    out: &mut impl Write,
    failed: impl Fn(&std::io::Error) -> Failure,
) -> Outcome<u64> {
    let mut read = store.read(source, options)?;
    let mut lines = Vec::new();
    let mut events = 0;
    while let Some(batch) = read.next()? {
        if interrupt.is_requested() {
            return Err(Failure::new(Exit::Interrupted, format!("interrupted, events={events}")));
        }
        lines.clear();
        batch.each(|event| {
            write_event(event, &mut lines);
            Ok(())
        })?;
        out.write_all(&lines).map_err(|error| failed(&error))?;
        events += batch.len() as u64;
        progress.advance(batch.len() as u64);
    }
    Ok(events)
}

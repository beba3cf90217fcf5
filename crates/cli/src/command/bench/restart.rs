//! What is measured in processes of their own: one fills a store and is killed with SIGKILL while it appends; the next opens what
//! is left. Both are this program, asked by a hidden argument; they print their rows as JSON.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use clap::ValueEnum;
use gesta::EventStore;

use super::{
    EVENTS_FULL, process,
    row::{Hold, Row},
};
use crate::{
    exit::{Exit, Failure, Outcome},
    shell::Shell,
};

/// What a process of the bench does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Role {
    /// Fills a store, and appends until it is killed.
    Fill,
    /// Opens it again.
    Reopen,
}

/// How long the process that is killed appends before.
const APPENDS_FOR: Duration = Duration::from_millis(700);

/// Fills a store in `dir` and kills whoever did it while it appends.
pub(super) fn fill_and_kill(dir: &Path, events: u64) -> Outcome<Vec<Row>> {
    let mut child = Playing::start(Role::Fill, dir, events)?;
    let rows = child.rows()?;
    thread::sleep(APPENDS_FOR);
    child.kill()?;
    Ok(rows)
}

/// Opens the store in a new process.
pub(super) fn reopen(dir: &Path, events: u64) -> Outcome<Vec<Row>> {
    let mut child = Playing::start(Role::Reopen, dir, events)?;
    let rows = child.rows()?;
    child.finish()?;
    Ok(rows)
}

/// The process that opens a store whose last owner was killed.
#[allow(clippy::cast_precision_loss)] // three digits are shown
pub(super) fn run_reopen(dir: &Path, events: u64, shell: &mut Shell) -> Outcome<Exit> {
    let begun = Instant::now();
    let store = EventStore::open(dir)?;
    let elapsed = begun.elapsed();
    let memory = process::memory();
    let judged = |row: Row, most: f64| row.hold(Hold::AtMost(most)).in_store_of(events, EVENTS_FULL);
    let mut rows = vec![judged(Row::new("reopen after kill -9", elapsed.as_secs_f64() * 1e3, "ms"), 1_000.0)];
    rows.extend(memory.into_iter().flat_map(|memory| {
        let row = |what: &str, mib: f64| Row::new(format!("memory when reopened, {what}"), mib, "MiB");
        [
            row("heap and stacks", memory.anonymous),
            judged(row("mapped files too", memory.resident), 64.0),
            row("peak", memory.peak),
        ]
    }));
    rows.iter().try_for_each(|row| shell.json(row))?;
    shell.line("")?;
    shell.flush()?;
    let head = store.head().position().0;
    if head < events {
        return Err(Failure::new(Exit::Integrity, format!("acked events are gone, head={head} acked={events}")));
    }
    store.close()?;
    Ok(Exit::Ok)
}

/// A process that plays a role. It does not outlive its owner.
struct Playing(Child);

impl Playing {
    fn start(role: Role, dir: &Path, events: u64) -> Outcome<Self> {
        let failed = |error| Failure::io("starting a process to measure in", &error);
        let program = std::env::current_exe().map_err(failed)?;
        let role = role.to_possible_value().expect("no role is hidden from the command line");
        let child = Command::new(program)
            .args([OsStr::new("bench"), OsStr::new("--dir"), dir.as_os_str()])
            .args(["--events", &events.to_string(), "--role", role.get_name(), "--output", "ndjson"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        Ok(Self(child))
    }

    /// Its rows, up to the blank line behind them.
    fn rows(&mut self) -> Outcome<Vec<Row>> {
        let failed = |error| Failure::io("reading from a process that is measured", &error);
        let Some(stdout) = self.0.stdout.take() else { return Ok(Vec::new()) };
        let mut rows = Vec::new();
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(failed)?;
            if line.is_empty() {
                return Ok(rows);
            }
            rows.push(serde_json::from_str(&line).map_err(|error| failed(error.into()))?);
        }
        // It has said why on the standard error it shares with us.
        Err(Failure::new(Exit::Other, "a process that is measured ended early"))
    }

    /// Waits until it has ended well.
    fn finish(&mut self) -> Outcome<()> {
        let status = self.0.wait().map_err(|error| Failure::io("waiting for a process that is measured", &error))?;
        // It has said why, as above.
        let ended_badly = || Failure::new(Exit::Other, format!("a process that is measured failed, status={status}"));
        status.success().then_some(()).ok_or_else(ended_badly)
    }

    fn kill(&mut self) -> Outcome<()> {
        let killed = self.0.kill().and_then(|()| self.0.wait());
        killed.map(drop).map_err(|error| Failure::io("killing a process that is measured", &error))
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        // Whoever ended already is not there to be killed.
        let _ = self.kill();
    }
}

//! `gesta info`: facts about the store.

use clap::Args;
use gesta::{Recovery, StoreInfo};
use serde::Serialize;

use crate::{
    exit::{Exit, Outcome},
    shell::{Format, Shell, bytes, grouped},
    table::{Column, Table},
    target::Target,
    time,
};

/// Arguments of `gesta info`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  gesta info\n  gesta info -o ndjson | jq -r .head")]
pub(crate) struct InfoArgs {}

/// What is printed as NDJSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InfoLine {
    dir: String,
    store_id: String,
    created: String,
    format: u16,
    head: String,
    last_recorded_at: Option<String>,
    streams: u64,
    segments: u64,
    log_bytes: u64,
    index_runs: u64,
    index_bytes: u64,
    recovery: RecoveryLine,
}

/// What opening the store found, as NDJSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecoveryLine {
    clean: bool,
    cut_bytes: u64,
    cut_kept_in: Option<String>,
    index_dropped: Vec<String>,
    events_reindexed: u64,
}

/// Prints the facts.
pub(crate) fn run(_args: &InfoArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let store = target.open()?;
    let info = store.info()?;
    let dir = target.dir().to_string_lossy().into_owned();
    match shell.format() {
        Format::Ndjson => shell.json(&line(&info, dir))?,
        Format::Plain => {
            for [name, value] in facts(&info, dir) {
                shell.line(format_args!("{name}\t{value}"))?;
            }
        }
        Format::Table => {
            let mut table = Table::new([Column::text(""), Column::text("")]);
            for fact in facts(&info, dir) {
                table.row(fact);
            }
            table.print(shell)?;
        }
    }
    Ok(Exit::Ok)
}

fn line(info: &StoreInfo, dir: String) -> InfoLine {
    InfoLine {
        dir,
        store_id: info.store_id.to_string(),
        created: time::rfc3339(info.created),
        format: info.format,
        head: info.head.to_string(),
        last_recorded_at: info.last_recorded_at.map(time::rfc3339),
        streams: info.streams,
        segments: info.segments,
        log_bytes: info.log_bytes,
        index_runs: info.index_runs,
        index_bytes: info.index_bytes,
        recovery: recovery_line(&info.recovery),
    }
}

fn recovery_line(recovery: &Recovery) -> RecoveryLine {
    let cut = recovery.cut.as_ref();
    RecoveryLine {
        clean: recovery.clean,
        cut_bytes: cut.map_or(0, |cut| cut.bytes),
        cut_kept_in: cut.and_then(|cut| Some(cut.kept_in.as_ref()?.display().to_string())),
        index_dropped: recovery.index_dropped.clone(),
        events_reindexed: recovery.events_reindexed,
    }
}

/// What opening the store found, in words.
fn opened(recovery: &Recovery) -> String {
    let closed = if recovery.clean { "it had been closed" } else { "it had not been closed (a crash, or a kill)" };
    let cut = recovery.cut.as_ref().map(|cut| {
        let kept = cut.kept_in.as_ref().map_or_else(String::new, |path| format!(", kept in {}", path.display()));
        format!("; {} of commits nobody was answered for were cut{kept}", bytes(cut.bytes))
    });
    let dropped = match recovery.index_dropped.len() {
        0 => String::new(),
        count => format!(
            "; {count} damaged index file(s) were dropped, {} events indexed again",
            grouped(recovery.events_reindexed)
        ),
    };
    format!("{closed}{}{dropped}", cut.unwrap_or_default())
}

fn facts(info: &StoreInfo, dir: String) -> [[String; 2]; 10] {
    let last = info.last_recorded_at.map_or_else(|| "never".to_owned(), time::civil);
    let fact = |name: &str, value: String| [name.to_owned(), value];
    [
        fact("directory", dir),
        fact("store id", info.store_id.to_string()),
        fact("created", time::civil(info.created)),
        fact("format", info.format.to_string()),
        fact("events", grouped(info.head.0)),
        fact("streams", grouped(info.streams)),
        fact("last recorded", last),
        fact("log", format!("{} in {} segment(s)", bytes(info.log_bytes), grouped(info.segments))),
        fact("opened", opened(&info.recovery)),
        fact("index", format!("{} in {} run(s)", bytes(info.index_bytes), grouped(info.index_runs))),
    ]
}

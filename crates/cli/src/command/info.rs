//! `gesta info`: facts about the store.

use clap::Args;
use gesta::Timestamp;
use gesta_server::native::messages::InfoResp;
use serde::Serialize;
use uuid::Uuid;

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
    format: u32,
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
    let info = target.reach()?.info(target)?;
    match shell.format() {
        Format::Ndjson => shell.json(&line(info))?,
        Format::Plain => {
            for [name, value] in facts(&info) {
                shell.line(format_args!("{name}\t{value}"))?;
            }
        }
        Format::Table => {
            let mut table = Table::new([Column::text(""), Column::text("")]);
            for fact in facts(&info) {
                table.row(fact);
            }
            table.print(shell)?;
        }
    }
    Ok(Exit::Ok)
}

fn store_id(info: &InfoResp) -> String {
    Uuid::from_slice(&info.store_id).unwrap_or_default().to_string()
}

fn line(info: InfoResp) -> InfoLine {
    InfoLine {
        store_id: store_id(&info),
        created: time::rfc3339(Timestamp(info.created)),
        format: info.format,
        head: info.head.to_string(),
        last_recorded_at: info.last_recorded_at.map(|time| time::rfc3339(Timestamp(time))),
        streams: info.streams,
        segments: info.segments,
        log_bytes: info.log_bytes,
        index_runs: info.index_runs,
        index_bytes: info.index_bytes,
        recovery: RecoveryLine {
            clean: info.opened_clean,
            cut_bytes: info.cut.as_ref().map_or(0, |cut| cut.bytes),
            cut_kept_in: info.cut.and_then(|cut| cut.kept_in),
            index_dropped: info.index_dropped,
            events_reindexed: info.events_reindexed,
        },
        dir: info.dir,
    }
}

/// What opening the store found, in words.
fn opened(info: &InfoResp) -> String {
    let closed = if info.opened_clean { "it had been closed" } else { "it had not been closed (a crash, or a kill)" };
    let cut = info.cut.as_ref().map(|cut| {
        let kept = cut.kept_in.as_ref().map_or_else(String::new, |path| format!(", kept in {path}"));
        format!("; {} of commits nobody was answered for were cut{kept}", bytes(cut.bytes))
    });
    let dropped = match info.index_dropped.len() {
        0 => String::new(),
        count => format!(
            "; {count} damaged index file(s) were dropped, {} events indexed again",
            grouped(info.events_reindexed)
        ),
    };
    format!("{closed}{}{dropped}", cut.unwrap_or_default())
}

fn facts(info: &InfoResp) -> [[String; 2]; 10] {
    let last = info.last_recorded_at.map_or_else(|| "never".to_owned(), |time| time::civil(Timestamp(time)));
    let fact = |name: &str, value: String| [name.to_owned(), value];
    [
        fact("directory", info.dir.clone()),
        fact("store id", store_id(info)),
        fact("created", time::civil(Timestamp(info.created))),
        fact("format", info.format.to_string()),
        fact("events", grouped(info.head)),
        fact("streams", grouped(info.streams)),
        fact("last recorded", last),
        fact("log", format!("{} in {} segment(s)", bytes(info.log_bytes), grouped(info.segments))),
        fact("opened", opened(info)),
        fact("index", format!("{} in {} run(s)", bytes(info.index_bytes), grouped(info.index_runs))),
    ]
}

//! `gesta info`: facts about the store.

use clap::Args;
use gesta::StoreInfo;
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
    }
}

fn facts(info: &StoreInfo, dir: String) -> [[String; 2]; 9] {
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
        fact("index", format!("{} in {} run(s)", bytes(info.index_bytes), grouped(info.index_runs))),
    ]
}

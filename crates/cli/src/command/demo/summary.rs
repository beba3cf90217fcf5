//! Step 2: what was recorded; and what of it is worth showing in the steps behind.

use std::collections::HashMap;

use gesta::{Position, ReadOptions, Timestamp};

use super::{Demo, heading};
use crate::{
    exit::{Exit, Failure, Outcome},
    git::{FILE_TYPES, path_tag},
    shell::{NAME, bytes, counted, grouped},
    table::{Column, Table},
    time,
};

/// What is worth showing.
pub(super) struct Summary {
    /// The stream of the file with most events.
    pub(super) busiest_file: String,
    /// Its events.
    pub(super) busiest_events: u64,
    /// Where its first event is.
    pub(super) first_position: Position,
    /// Its path tag.
    pub(super) path: String,
    /// The directory with most events, as a pattern.
    pub(super) pattern: String,
    /// When half of the commits had been recorded. As all times here, one that can be written in whole seconds.
    pub(super) middle: Timestamp,
    /// When both half of the commits and the first event of the busiest file had been recorded.
    pub(super) seen: Timestamp,
}

#[derive(Default)]
struct Census {
    by_type: HashMap<String, u64>,
    by_file: HashMap<String, File>,
    by_directory: HashMap<String, u64>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    middle: Option<Timestamp>,
}

struct File {
    events: u64,
    first: Position,
    first_recorded_at: Timestamp,
    path: String,
}

impl Demo<'_> {
    pub(super) fn summarize(&mut self) -> Outcome<Summary> {
        heading(self.shell, "2  what was recorded")?;
        let census = self.census()?;
        let mut table =
            Table::new([Column::text("type").styled(NAME), Column::number("events"), Column::long("in the stream")])
                .indented("   ");
        let mut types: Vec<_> = census.by_type.iter().collect();
        types.sort();
        for (event_type, events) in types {
            let about_files = FILE_TYPES.contains(&event_type.as_str());
            let stream = if about_files { "file-<path>" } else { self.imported.stream.as_str() };
            table.row([event_type.clone(), grouped(*events), stream.to_owned()]);
        }
        table.print(self.shell)?;
        let info = self.store.info()?;
        let (Some(first), Some(last)) = (census.first, census.last) else {
            return Err(Failure::new(Exit::Other, "the history has no events to show"));
        };
        self.shell.line(format_args!(
            "   {} from {} to {}; log {}, index {}",
            counted(info.streams, "stream"),
            time::civil(first),
            time::civil(last),
            bytes(info.log_bytes),
            bytes(info.index_bytes),
        ))?;
        census
            .summary()
            .ok_or_else(|| Failure::new(Exit::Other, "the history touches no file, so there is nothing more to show"))
    }

    fn census(&mut self) -> Outcome<Census> {
        let mut census = Census::default();
        let mut read = self.store.read_all(ReadOptions::default())?;
        let half = self.imported.commits.saturating_sub(1) / 2;
        while let Some(batch) = read.next_batch()? {
            for event in batch.iter() {
                census.first.get_or_insert(event.recorded_at);
                census.last = Some(event.recorded_at);
                if event.stream == self.imported.stream.as_str() && event.revision.0 <= half {
                    census.middle = Some(event.recorded_at);
                }
                count(&mut census.by_type, event.event_type);
                let Some(path) = event.stream.strip_prefix("file-") else { continue };
                if let Some((directory, _)) = path.split_once('/') {
                    count(&mut census.by_directory, directory);
                }
                if let Some(file) = census.by_file.get_mut(event.stream) {
                    file.events += 1;
                    continue;
                }
                let path = event.tags.iter().find(|tag| tag.starts_with('/')).unwrap_or_default().to_owned();
                let (first, first_recorded_at) = (event.position, event.recorded_at);
                census.by_file.insert(event.stream.to_owned(), File { events: 1, first, first_recorded_at, path });
            }
        }
        Ok(census)
    }
}

impl Census {
    fn summary(&self) -> Option<Summary> {
        // Ties go to the smaller name, so that the demo shows the same twice.
        let (stream, file) =
            self.by_file.iter().max_by(|one, other| one.1.events.cmp(&other.1.events).then(other.0.cmp(one.0)))?;
        let directory = self.by_directory.iter().max_by(|one, other| one.1.cmp(other.1).then(other.0.cmp(one.0)));
        // A star or brace at the start of a pattern's segment would be read as one.
        let plain = |name: &&String| !name.contains(['*', '{', '}', '~']);
        let pattern = match directory.map(|(name, _)| name).filter(plain) {
            Some(name) => format!("{}/**", path_tag(name)),
            None => "/files/**".to_owned(),
        };
        Some(Summary {
            busiest_file: stream.clone(),
            busiest_events: file.events,
            first_position: file.first,
            path: file.path.clone(),
            pattern,
            middle: time::next_second(self.middle?),
            seen: time::next_second(self.middle?.max(file.first_recorded_at)),
        })
    }
}

fn count(counts: &mut HashMap<String, u64>, key: &str) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => {
            counts.insert(key.to_owned(), 1);
        }
    }
}

//! Printing events in the format that was asked for, batch by batch.

use std::io::Write;

use gesta::{Batch, Source};

use crate::{
    exit::Outcome,
    ndjson::{EventView, write_event},
    reach::Events,
    shell::{DIM, Format, NAME, Shell, printable},
    table::{Column, Table},
    time,
};

/// A list of events being printed.
#[derive(Debug)]
pub(crate) struct EventList {
    table: Table,
    buffer: Vec<u8>,
    /// Whether events may come through links, of which only owned events know.
    has_links: bool,
    printed: u64,
}

/// Rows that wait to be laid out together.
const ROWS_MAX: usize = 500;
/// Longest data that is measured for a table: more never fits on a line.
const DATA_CHARS_MAX: usize = 400;

impl EventList {
    /// A list of the events of `source`.
    pub(crate) fn new(source: &Source, resolve_links: bool) -> Self {
        let virtual_stream = matches!(source, Source::Stream(stream) if stream.starts_with('$'));
        Self {
            table: Table::new([
                Column::number("position").styled(DIM),
                Column::text("recorded").styled(DIM),
                Column::long("stream@revision"),
                Column::text("type").styled(NAME),
                Column::long("data"),
            ]),
            buffer: Vec::new(),
            has_links: resolve_links || virtual_stream,
            printed: 0,
        }
    }

    /// The same list, set in by `indent` if it is a table.
    pub(crate) fn indented(mut self, indent: &'static str) -> Self {
        self.table = self.table.indented(indent);
        self
    }

    /// Events printed so far.
    pub(crate) fn printed(&self) -> u64 {
        self.printed
    }

    /// Adds the events of `batch`. Rows of a table may wait for more, so that columns fit more of them.
    pub(crate) fn print(&mut self, batch: &Batch, shell: &mut Shell) -> Outcome<()> {
        if self.has_links {
            for event in &batch.to_recorded() {
                self.add(event.into(), shell)?;
            }
        } else {
            for event in batch.iter() {
                self.add(event.into(), shell)?;
            }
        }
        if self.table.waiting() >= ROWS_MAX { self.table.print(shell) } else { Ok(()) }
    }

    /// As `print`, for events that came from wherever the store is.
    pub(crate) fn print_all(&mut self, events: Events, shell: &mut Shell) -> Outcome<()> {
        match events {
            Events::Batch(batch) => self.print(&batch, shell),
            Events::Recorded(events) => {
                for event in &events {
                    self.add(event.into(), shell)?;
                }
                if self.table.waiting() >= ROWS_MAX { self.table.print(shell) } else { Ok(()) }
            }
        }
    }

    /// Prints what waits.
    pub(crate) fn finish(&mut self, shell: &mut Shell) -> Outcome<()> {
        self.table.print(shell)
    }

    /// Adds one event.
    pub(crate) fn add(&mut self, event: EventView<'_>, shell: &mut Shell) -> Outcome<()> {
        self.printed += 1;
        match shell.format() {
            Format::Table => self.table.row(cells(event)),
            Format::Plain => shell.line(cells(event).map(|cell| printable(&cell)).join("\t"))?,
            Format::Ndjson => {
                self.buffer.clear();
                write_event(event, &mut self.buffer);
                shell.out().write_all(&self.buffer)?;
            }
        }
        Ok(())
    }
}

fn cells(event: EventView<'_>) -> [String; 5] {
    let data = event.data_shown();
    let short: String = data.chars().take(DATA_CHARS_MAX).collect();
    [
        event.position.to_string(),
        time::civil(event.recorded_at),
        format!("{}@{}", event.stream, event.revision),
        event.event_type.to_owned(),
        short,
    ]
}

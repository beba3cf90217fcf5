//! Step 3: three ways to read.

use gesta::{AsOf, Direction, EventType, PathPattern, Query, QueryItem, ReadOptions, Source, StreamName};

use super::{Demo, Summary, fold_files, heading};
use crate::{
    command::read::print_all,
    event_list::EventList,
    exit::{Outcome, quoted},
    reach::Reached,
    shell::{DIM, counted, grouped},
    time,
};

/// Events shown of each read.
const SHOWN: u64 = 4;

impl Demo<'_> {
    pub(super) fn read_three_ways(&mut self, summary: &Summary) -> Outcome<()> {
        heading(self.shell, "3  three ways to read")?;
        self.read_stream(summary)?;
        self.read_path(summary)?;
        self.read_as_of(summary)
    }

    fn read_stream(&mut self, summary: &Summary) -> Outcome<()> {
        self.say(&format!(
            "a stream: what happened to the file that changed most ({} times)",
            grouped(summary.busiest_events)
        ))?;
        self.command(&format!("read {} -rn {SHOWN}", quoted(&summary.busiest_file)))?;
        self.show(Source::Stream(StreamName::new(&summary.busiest_file)?), newest())?;
        self.shell.line("")
    }

    fn read_path(&mut self, summary: &Summary) -> Outcome<()> {
        self.say("a query: files that appeared in a directory, at any depth")?;
        self.command(&format!("read --path {} --type FileAdded -rn {SHOWN}", quoted(&summary.pattern)))?;
        let item =
            QueryItem::default().path(PathPattern::new(&summary.pattern)?).event_type(EventType::new("FileAdded")?);
        let query = Query::of(item);
        self.show(Source::Query(query.clone()), newest())?;
        let plan = self.store.explain(&query, &newest())?;
        self.say(&format!("how: {}", plan.reason))?;
        self.shell.line("")
    }

    fn read_as_of(&mut self, summary: &Summary) -> Outcome<()> {
        let as_of = Some(AsOf::Time(summary.middle));
        self.say("as of a date: the commits there were half-way, and the files of that day")?;
        let (stream, middle) = (self.imported.stream.clone(), time::civil(summary.middle));
        self.command(&format!("read {} -rn {SHOWN} --at '{middle}'", quoted(&stream)))?;
        self.show(Source::Stream(stream), ReadOptions { as_of, ..newest() })?;
        let then = fold_files(&self.store, ReadOptions { as_of, ..ReadOptions::default() })?.len() as u64;
        let now = fold_files(&self.store, ReadOptions::default())?.len() as u64;
        self.say(&format!("{} then, {} now", counted(then, "file"), grouped(now)))
    }

    fn show(&mut self, source: Source, options: ReadOptions) -> Outcome<()> {
        let list = EventList::new(&source, false).indented("   ");
        print_all(&Reached::Directory(self.store.clone()), source, options, list, self.shell)?;
        Ok(())
    }

    fn say(&mut self, words: &str) -> Outcome<()> {
        self.shell.line(format_args!("   {DIM}{words}{DIM:#}"))
    }
}

fn newest() -> ReadOptions {
    ReadOptions { direction: Direction::Backward, limit: Some(SHOWN), ..ReadOptions::default() }
}

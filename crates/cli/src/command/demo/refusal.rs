//! Step 4: appends that are refused, and what the verdict says.

use gesta::{
    Append, AppendCondition, AppendError, EventData, EventType, ExpectedRevision, From, Position, Query, QueryItem,
    ReadOptions, Rejection, Source, StreamName, Tag,
};

use super::{Demo, Summary, heading};
use crate::{
    command::read::print_all,
    event_list::EventList,
    exit::{Exit, Failure, Outcome, quoted},
    reach::Reached,
    shell::BAD,
};

impl Demo<'_> {
    pub(super) fn refuse(&mut self, summary: &Summary) -> Outcome<()> {
        heading(self.shell, "4  decisions stand on what was read: appends that come too late are refused")?;
        let review = || EventType::new("ReviewApproved").map(|event_type| EventData::json(event_type, "{}"));
        let repository = self.imported.stream.clone();
        self.command(&format!("append {} ReviewApproved --expect none", quoted(&repository)))?;
        self.refused(Append::to(repository, ExpectedRevision::NoStream, [review()?]))?;

        // Somebody reviewed the file when it had its first event; more came since.
        let after = (summary.busiest_events > 1).then_some(summary.first_position);
        let shown = after.map_or_else(String::new, |after| format!(" --after {after}"));
        self.command(&format!("append review-1 ReviewApproved --condition-path {}{shown}", quoted(&summary.path)))?;
        let none_matching = Query::of(QueryItem::default().tag(Tag::new(&summary.path)?));
        let append = Append::to(StreamName::new("review-1")?, ExpectedRevision::Any, [review()?])
            .condition(AppendCondition { none_matching, after });
        if let Rejection::ConditionFailed { first_conflict, .. } = self.refused(append)? {
            self.show_event(first_conflict)?;
        }
        Ok(())
    }

    /// Sends an append that must be refused, and shows the verdict.
    fn refused(&mut self, append: Append) -> Outcome<Rejection> {
        match self.store.commit(append).wait() {
            Err(AppendError::Rejected(rejection)) => {
                let verdict = rejection.to_string();
                let (what, facts) = verdict.split_once(", ").unwrap_or((&verdict, ""));
                self.shell.line(format_args!("   {BAD}refused{BAD:#}  {what}"))?;
                self.shell.line(format_args!("            {facts}"))?;
                Ok(rejection)
            }
            Err(error) => Err(error.into()),
            Ok(_) => Err(Failure::new(Exit::Integrity, "an append that must be refused was accepted")
                .with_remedy("please report this")),
        }
    }

    fn show_event(&mut self, position: Position) -> Outcome<()> {
        let options = ReadOptions { from: From::Position(position), limit: Some(1), ..ReadOptions::default() };
        let list = EventList::new(&Source::All, false).indented("   ");
        print_all(&Reached::Directory(self.store.clone()), Source::All, options, list, self.shell)?;
        Ok(())
    }
}

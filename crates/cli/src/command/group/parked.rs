//! What a group has parked: shown, delivered again, given up.

use clap::Args;
use gesta::{Discard, MessageId, Position, RecordedEvent, Replay, Timestamp};
use gesta_server::native::{GroupChange, messages::parked_resp::Message, recorded_from_wire};
use serde_json::json;

use super::NameArgs;
use crate::{
    exit::{Failure, Outcome},
    ndjson::{EventView, write_event},
    query_args::position_of,
    reach::Reached,
    shell::{DIM, Format, NAME, Shell, counted, printable},
    table::{Column, Table},
    time,
};

#[derive(Args, Debug)]
pub(super) struct ParkedArgs {
    #[command(flatten)]
    name: NameArgs,
    /// At most so many
    #[arg(short = 'n', long, value_name = "COUNT")]
    limit: Option<u64>,
}

/// Which of the parked messages; without it, all.
#[derive(Args, Debug)]
#[group(multiple = false)]
struct WhichArgs {
    /// The first so many, in the order of the source
    #[arg(short = 'n', long, value_name = "COUNT")]
    count: Option<u64>,
    /// This one, by its position as `gesta group parked` shows it
    #[arg(long, value_name = "POSITION", value_parser = parse_position)]
    one: Option<Position>,
    /// All of them
    #[arg(long)]
    all: bool,
}

#[derive(Args, Debug)]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    name: NameArgs,
    #[command(flatten)]
    which: WhichArgs,
}

#[derive(Args, Debug)]
pub(super) struct DiscardArgs {
    #[command(flatten)]
    name: NameArgs,
    /// This one, by its position as `gesta group parked` shows it
    #[arg(long, value_name = "POSITION", value_parser = parse_position, conflicts_with = "all", required_unless_present = "all")]
    one: Option<Position>,
    /// All of them
    #[arg(long)]
    all: bool,
}

/// Messages asked for at a time.
const PAGE: usize = 500;

fn parse_position(text: &str) -> Result<Position, String> {
    position_of(text).map_err(|failure| failure.to_string())
}

/// Prints the parked messages.
pub(super) fn show(args: &ParkedArgs, store: &Reached, shell: &mut Shell) -> Outcome<()> {
    let group = args.name.group()?;
    let mut table = Table::new([
        Column::number("position").styled(DIM),
        Column::text("parked").styled(DIM),
        Column::long("stream@revision"),
        Column::text("type").styled(NAME),
        Column::number("retries"),
        Column::long("reason"),
    ]);
    let mut room = usize::try_from(args.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let mut from = Position::START;
    while room > 0 {
        let page = store.parked(&group, from, room.min(PAGE))?;
        let Some(last) = page.last() else { break };
        from = Position(last.position + 1);
        room -= page.len().min(room);
        for mut message in page {
            let event = recorded_from_wire(message.event.take().unwrap_or_default())?;
            print(&message, &event, &mut table, shell)?;
        }
        table.print(shell)?;
    }
    Ok(())
}

fn print(message: &Message, event: &RecordedEvent, table: &mut Table, shell: &mut Shell) -> Outcome<()> {
    let cells = [
        message.position.to_string(),
        time::civil(Timestamp(message.parked)),
        format!("{}@{}", event.stream, event.revision),
        event.event_type.to_string(),
        message.retries.to_string(),
        message.reason.clone(),
    ];
    match shell.format() {
        Format::Table => {
            table.row(cells);
            Ok(())
        }
        Format::Plain => shell.line(cells.map(|cell| printable(&cell)).join("\t")),
        Format::Ndjson => {
            let mut line = Vec::new();
            write_event(EventView::from(event), &mut line);
            let event: Box<serde_json::value::RawValue> =
                serde_json::from_slice(&line).map_err(|error| Failure::output(&error.into()))?;
            shell.json(&json!({
                "position": message.position.to_string(), "reason": message.reason, "retries": message.retries, "held": message.held,
                "consumer": message.consumer, "parked": time::rfc3339(Timestamp(message.parked)), "parkedRevision": message.revision,
                "event": event,
            }))
        }
    }
}

/// Asks for parked messages to be delivered again.
pub(super) fn replay(args: &ReplayArgs, store: &Reached, shell: &Shell) -> Outcome<()> {
    let group = args.name.group()?;
    let which = match &args.which {
        WhichArgs { count: Some(count), .. } => Replay::Count(*count),
        WhichArgs { one: Some(position), .. } => Replay::One(MessageId(*position)),
        WhichArgs { .. } => Replay::All,
    };
    let count = store.change_group(&group, GroupChange::Replay(which))?;
    shell.say(format_args!(
        "{} of {group} will be delivered again, to whoever follows it next",
        counted(count, "parked message")
    ));
    Ok(())
}

/// Gives parked messages up.
pub(super) fn discard(args: &DiscardArgs, store: &Reached, shell: &Shell) -> Outcome<()> {
    let group = args.name.group()?;
    let which = args.one.map_or(Discard::All, |position| Discard::One(MessageId(position)));
    let count = store.change_group(&group, GroupChange::Discard(which))?;
    shell.say(format_args!("gave up {} of {group}; the events stay in the log", counted(count, "parked message")));
    Ok(())
}

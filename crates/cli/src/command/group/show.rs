//! Groups for people and for programs.

use std::time::Duration;

use gesta::{
    GroupName, GroupSettings, KeyOf, NameExpression, NameOf, Query, QueryItem, Source, Strategy, StreamFilter,
    TagFilter, Timestamp, TypeFilter,
};
use gesta_server::native::{
    messages::{
        Group,
        group::{AnswerTime, Consumer, Status},
    },
    settings_from_wire, source_of,
};
use serde_json::{Value, json};

use crate::{
    exit::Outcome,
    shell::{BAD, DIM, Format, NAME, Shell, counted, grouped, printable},
    table::{Column, Table},
    time,
};

/// A group, with what of it has words of its own.
struct Told<'a> {
    group: &'a Group,
    name: GroupName,
    source: String,
    settings: GroupSettings,
    lag: Duration,
}

impl<'a> Told<'a> {
    fn of(group: &'a Group) -> Outcome<Self> {
        Ok(Self {
            group,
            name: group.name.parse()?,
            source: source_words(&source_of(group)?),
            settings: settings_from_wire(group.settings.clone().unwrap_or_default())?,
            lag: Duration::from_nanos(group.lag_ns),
        })
    }
}

/// Prints all groups.
pub(super) fn list(groups: &[Group], shell: &mut Shell) -> Outcome<()> {
    let mut table = Table::new([
        Column::text("group").styled(NAME),
        Column::long("source"),
        Column::text("strategy"),
        Column::number("position").styled(DIM),
        Column::number("lag"),
        Column::text("behind"),
        Column::number("parked"),
    ]);
    for group in groups {
        let told = Told::of(group)?;
        match shell.format() {
            Format::Table => table.row(cells(&told)),
            Format::Plain => shell.line(cells(&told).map(|cell| printable(&cell)).join("\t"))?,
            Format::Ndjson => shell.json(&document(&told))?,
        }
    }
    table.print(shell)
}

fn cells(told: &Told<'_>) -> [String; 7] {
    let group = told.group;
    [
        told.name.to_string(),
        told.source.clone(),
        strategy_words(&told.settings.strategy),
        group.settled_to.to_string(),
        grouped(group.lag_events),
        if group.lag_events == 0 { "-".to_owned() } else { time::short(told.lag) },
        grouped(group.parked),
    ]
}

/// Prints one group in full.
pub(super) fn info(info: &Group, shell: &mut Shell) -> Outcome<()> {
    let told = Told::of(info)?;
    if shell.format() == Format::Ndjson {
        return shell.json(&document(&told));
    }
    let settings = &told.settings;
    let timeout = settings.message_timeout.map_or("none".to_owned(), time::short);
    let rows = [
        ("group", told.name.to_string()),
        ("source", told.source.clone()),
        ("status", status_words(info.status()).to_owned()),
        ("created", time::civil(Timestamp(info.created))),
        ("position", format!("@{} of @{}", info.settled_to, info.head)),
        ("durably", format!("@{}", info.checkpoint)),
        ("lag", format!("{} events, {}", grouped(info.lag_events), time::short(told.lag))),
        ("parked", grouped(info.parked)),
        ("epoch", info.epoch.to_string()),
        ("strategy", strategy_words(&settings.strategy)),
        ("message timeout", timeout),
        ("retries", settings.max_retry_count.to_string()),
        (
            "buffers",
            format!(
                "{} history, {} live, {} a read",
                settings.history_buffer, settings.live_buffer, settings.read_batch
            ),
        ),
        ("checkpoint", checkpoint_words(settings)),
        (
            "consumers",
            if settings.max_subscribers == 0 {
                "any".to_owned()
            } else {
                format!("at most {}", settings.max_subscribers)
            },
        ),
        ("links resolved", if settings.resolve_links { "yes" } else { "no" }.to_owned()),
    ];
    for (what, is) in rows {
        line(what, &is, shell)?;
    }
    if let Some(only) = &settings.only {
        line("only", &printable(&only_words(only)), shell)?;
    }
    if info.replaying > 0 {
        line("replaying", &grouped(info.replaying), shell)?;
    }
    for consumer in &info.consumers {
        line("consumer", &format!("{}, {} in flight of {}", consumer.name, consumer.in_flight, consumer.slots), shell)?;
    }
    if !info.answer_times.is_empty() {
        let words =
            |time: &AnswerTime| format!("{} {}", time.name.to_lowercase(), time::short(Duration::from_nanos(time.ns)));
        let is = info.answer_times.iter().map(words).collect::<Vec<_>>().join(", ");
        line("answers", &format!("{is}, of the last {}", grouped(info.answers)), shell)?;
    }
    match &info.stalled {
        Some(why) => line("stalled", &format!("{BAD}{}{BAD:#}", printable(why)), shell),
        None => Ok(()),
    }
}

fn line(what: &str, is: &str, shell: &mut Shell) -> Outcome<()> {
    match shell.format() {
        Format::Table | Format::Ndjson => shell.line(format_args!("{DIM}{what:<16}{DIM:#} {is}")),
        Format::Plain => shell.line(format_args!("{what}\t{is}")),
    }
}

/// When progress is written.
fn checkpoint_words(settings: &GroupSettings) -> String {
    let (least, most) = (settings.min_checkpoint_count, settings.max_checkpoint_count);
    let by_count = (most > 0).then(|| format!("after {}", counted(most.into(), "message")));
    let by_time = (!settings.checkpoint_after.is_zero()).then(|| {
        let after = time::short(settings.checkpoint_after);
        if least > 1 { format!("after {after} with {least} or more") } else { format!("after {after}") }
    });
    by_count.into_iter().chain(by_time).collect::<Vec<_>>().join(", ")
}

/// Which events of its source are the group's.
fn only_words(only: &NameExpression) -> String {
    match only.of() {
        NameOf::Stream => format!("streams {}", only.as_str()),
        NameOf::Type => format!("types {}", only.as_str()),
    }
}

/// What a group is at, in a word.
fn status_words(status: Status) -> &'static str {
    match status {
        Status::Idle => "idle",
        Status::CatchingUp => "catching up",
        Status::Live => "live",
    }
}

fn document(told: &Told<'_>) -> Value {
    let (info, settings) = (told.group, &told.settings);
    json!({
        "group": told.name.name(),
        "stream": told.name.source(),
        "source": told.source,
        "status": status_words(info.status()),
        "created": time::rfc3339(Timestamp(info.created)),
        "position": info.settled_to.to_string(),
        "checkpoint": info.checkpoint.to_string(),
        "readTo": info.read_to.to_string(),
        "head": info.head.to_string(),
        "lagEvents": info.lag_events,
        "lagSeconds": told.lag.as_secs_f64(),
        "buffered": info.buffered,
        "retrying": info.retrying,
        "inFlight": info.in_flight,
        "parked": info.parked,
        "replaying": info.replaying,
        "epoch": info.epoch,
        "answerTimes": (!info.answer_times.is_empty()).then(|| times_document(&info.answer_times)),
        "stalled": info.stalled,
        "consumers": info.consumers.iter().map(consumer_document).collect::<Vec<_>>(),
        "settings": {
            "strategy": strategy_words(&settings.strategy),
            "resolveLinks": settings.resolve_links,
            "messageTimeoutSeconds": settings.message_timeout.map(|timeout| timeout.as_secs_f64()),
            "maxRetryCount": settings.max_retry_count,
            "historyBuffer": settings.history_buffer,
            "liveBuffer": settings.live_buffer,
            "readBatch": settings.read_batch,
            "minCheckpointCount": settings.min_checkpoint_count,
            "maxCheckpointCount": settings.max_checkpoint_count,
            "checkpointAfterSeconds": settings.checkpoint_after.as_secs_f64(),
            "maxSubscribers": settings.max_subscribers,
            "only": settings.only.as_ref().map(only_words),
        },
    })
}

fn consumer_document(consumer: &Consumer) -> Value {
    json!({
        "name": consumer.name, "connected": time::rfc3339(Timestamp(consumer.connected)), "slots": consumer.slots,
        "inFlight": consumer.in_flight, "total": consumer.total,
    })
}

/// What a group follows, as the arguments that say it.
pub(crate) fn source_words(source: &Source) -> String {
    match source {
        Source::All => "$all".to_owned(),
        Source::Stream(stream) => stream.to_string(),
        Source::Query(query) => query_words(query),
    }
}

fn query_words(query: &Query) -> String {
    let items: Vec<_> = query.items.iter().map(item_words).collect();
    if items.is_empty() { "$all".to_owned() } else { items.join(" or ") }
}

fn item_words(item: &QueryItem) -> String {
    let streams = item.streams.iter().map(|filter| match filter {
        StreamFilter::Exact(name) => format!("--stream {name}"),
        StreamFilter::Category(category) => format!("--category {category}"),
        StreamFilter::Prefix(prefix) => format!("--stream {prefix}*"),
        StreamFilter::Pattern(pattern) => format!("--stream {pattern}"),
    });
    let types = item.types.iter().map(|filter| match filter {
        TypeFilter::Exact(name) => format!("--type {name}"),
        TypeFilter::Prefix(prefix) => format!("--type {prefix}*"),
    });
    let tags = item.tags.iter().map(|filter| match filter {
        TagFilter::Exact(tag) => format!("--tag {tag}"),
        TagFilter::Path(pattern) => format!("--path {pattern}"),
    });
    streams.chain(types).chain(tags).collect::<Vec<_>>().join(" ")
}

/// Who gets which message, as the arguments say it.
fn strategy_words(strategy: &Strategy) -> String {
    match strategy {
        Strategy::RoundRobin => "round-robin".to_owned(),
        Strategy::DispatchToSingle => "dispatch-to-single".to_owned(),
        Strategy::Pinned => "pinned".to_owned(),
        Strategy::PinnedByCorrelation => "pinned-by-correlation".to_owned(),
        Strategy::KeyOrdered { key, after_park } => {
            let key = match key {
                KeyOf::Stream => "stream".to_owned(),
                KeyOf::Tag { prefix } => format!("tag:{prefix}"),
                KeyOf::PathSegment { pattern, .. } => format!("path:{pattern}"),
                KeyOf::Field(pointer) => pointer.to_string(),
            };
            let hold = match after_park {
                gesta::AfterPark::Hold => ", hold",
                gesta::AfterPark::Flow => "",
            };
            format!("key-ordered by {key}{hold}")
        }
    }
}

/// Seconds under the names of the figures.
fn times_document(times: &[AnswerTime]) -> Value {
    times.iter().map(|time| (time.name.clone(), json!(Duration::from_nanos(time.ns).as_secs_f64()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_as_arguments() {
        let item = QueryItem::default()
            .stream(StreamFilter::Prefix("order-".into()))
            .event_type("Paid".try_into().unwrap())
            .path("/shops/{shop}/**".parse().unwrap());
        let query = Query::of(item).or(QueryItem::default().tag("vip".try_into().unwrap()));
        let words = source_words(&Source::Query(query));
        assert_eq!(words, "--stream order-* --type Paid --path /shops/{shop}/** or --tag vip");
        assert_eq!(source_words(&Source::All), "$all");
    }

    #[test]
    fn when_progress_is_written_is_told_as_it_is() {
        let of = |min, max, seconds| GroupSettings {
            min_checkpoint_count: min,
            max_checkpoint_count: max,
            checkpoint_after: Duration::from_secs(seconds),
            ..GroupSettings::default()
        };
        for (settings, words) in [
            (of(5, 1000, 2), "after 1,000 messages, after 2.00 s with 5 or more"),
            (of(1, 0, 2), "after 2.00 s"),
            (of(0, 1, 0), "after 1 message"),
        ] {
            assert_eq!(checkpoint_words(&settings), words);
        }
    }
}

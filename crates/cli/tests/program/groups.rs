//! Consumer groups from the command line: made, followed, parked, replayed, reset, deleted.

use std::{sync::Arc, time::Duration};

use crate::place::Place;

fn place() -> Place {
    let place = Place::new();
    for (stream, event_type, data) in [
        ("order-1", "Placed", "1"),
        ("order-2", "Placed", "2"),
        ("order-1", "Paid", "3"),
        ("user-1", "Registered", "4"),
    ] {
        place.ok(&["append", stream, event_type, data]);
    }
    place
}

const DONE: &str = "--until-idle=0s";

#[test]
fn what_was_printed_is_acked_and_does_not_come_again() {
    let place = place();
    place.ok(&["group", "create", "mailer", "--category", "order"]);
    let take = |arguments: &[&str]| {
        place.ok(&[&["follow", "--group", "mailer", "-o", "ndjson", DONE], arguments].concat()).field("data").join(" ")
    };
    assert_eq!(take(&["--limit", "2"]), "1 2");
    assert_eq!(take(&[]), "3");
    assert_eq!(take(&[]), "");
    place.ok(&["append", "order-3", "Placed", "5"]);
    place.ok(&["append", "user-3", "Registered", "6"]);
    assert_eq!(take(&[]), "5");
}

#[test]
fn a_group_is_on_a_stream_a_virtual_stream_a_query_or_all() {
    let place = place();
    place.ok(&["group", "create", "g", "--on", "order-1"]);
    place.ok(&["group", "create", "$ce-order::g"]);
    place.ok(&["group", "create", "g"]);
    place.ok(&["group", "create", "paid", "--type", "Paid"]);
    let take =
        |arguments: &[&str]| place.ok(&[&["follow", "-o", "ndjson", DONE], arguments].concat()).field("data").join(" ");
    assert_eq!(take(&["order-1", "--group", "g"]), "1 3");
    assert_eq!(take(&["$ce-order", "--group", "g"]), "1 2 3");
    assert_eq!(take(&["--group", "paid"]), "3");
    // Its own events, and those of the other groups, are not part of the whole log to it. Order is kept in each stream.
    assert_eq!(take(&["--group", "g"]), "1 2 4 3");
    let listed = place.ok(&["group", "list", "-o", "ndjson"]);
    assert_eq!(listed.field("group"), ["g", "paid", "g", "g"].map(String::from));
    assert_eq!(listed.field("lagEvents"), ["0", "0", "0", "0"].map(String::from));
}

#[test]
fn a_group_can_be_reset_and_deleted() {
    let place = place();
    place.ok(&["group", "create", "g", "--from", "now"]);
    let take = || place.ok(&["follow", "--group", "g", "-o", "ndjson", DONE]).field("data").join(" ");
    assert_eq!(take(), "");
    place.ok(&["group", "reset", "g", "--from", "@2"]);
    assert_eq!(take(), "3 4");
    place.ok(&["group", "delete", "g"]);
    place.fails(3, "no such consumer group", &["follow", "--group", "g", DONE]);
    place.fails(3, "no such consumer group", &["group", "info", "g"]);
    place.ok(&["group", "create", "g"]);
    assert_eq!(take(), "1 2 4 3");
}

#[test]
fn settings_are_told_and_changed_and_bad_ones_refused() {
    let place = place();
    place.ok(&["group", "create", "g", "--strategy", "pinned", "--message-timeout", "5s", "--read-batch", "7"]);
    let info = place.ok(&["group", "info", "g", "-o", "ndjson"]);
    let settings = &info.json()[0]["settings"];
    assert_eq!((settings["strategy"].as_str(), settings["readBatch"].as_u64()), (Some("pinned"), Some(7)));
    place.ok(&["group", "update", "g", "--key", "/customer"]);
    let info = place.ok(&["group", "info", "g", "-o", "ndjson"]);
    let settings = &info.json()[0]["settings"];
    assert_eq!(settings["strategy"].as_str(), Some("key-ordered by /customer"));
    assert_eq!(settings["readBatch"].as_u64(), Some(7), "what was not given stays");
    let bad: [(&str, &[&str]); 5] = [
        ("field=read_batch value=0", &["--read-batch", "0"]),
        ("field=read_batch value=500", &["--read-batch", "500", "--history-buffer", "500"]),
        ("--key and --hold are for", &["--strategy", "pinned", "--key", "stream"]),
        ("not a key", &["--key", "nonsense"]),
        ("checkpoint", &["--max-checkpoint-count", "0", "--min-checkpoint-count", "0", "--checkpoint-after", "0s"]),
    ];
    for (words, bad) in bad {
        place.fails(2, words, &[&["group", "update", "g"], bad].concat());
    }
    place.fails(4, "exists already", &["group", "create", "g"]);
    place.fails(2, "does not exist yet", &["group", "create", "h", "--from", "@1000"]);
    place.fails(3, "no such parked message", &["group", "replay", "g", "--one", "@1"]);
}

#[test]
fn how_far_everybody_is_can_be_seen() {
    let place = place();
    place.ok(&["group", "create", "fast"]);
    place.ok(&["group", "create", "slow"]);
    place.ok(&["follow", "--group", "fast", DONE]);
    let told = place.ok(&["handlers", "-o", "ndjson"]).json();
    let of = |name: &str| told.iter().find(|one| one["group"] == format!("$all::{name}").as_str()).unwrap().clone();
    assert_eq!(of("fast")["trend"], "at the head");
    assert_eq!(of("fast")["lagEvents"], 0);
    assert_ne!(of("slow")["lagEvents"], 0);
    assert_eq!(of("slow")["caughtUpInSeconds"], serde_json::Value::Null);
    assert!(place.ok(&["handlers", "-o", "table"]).out.contains("at the head"));
    assert_eq!(place.ok(&["handlers", "--only-handlers", "-o", "ndjson"]).out, "");
}

/// Who was behind by hours was told so many thousand seconds.
#[test]
fn a_long_lag_is_told_in_hours_and_to_programs_in_seconds() {
    use gesta::{EventData, EventStore, ExpectedRevision, Options, Timestamp, clock::ManualClock};
    let place = Place::new();
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let recorded = since_1970 - hours(3) - hours(1) / 2;
    let clock = Arc::new(ManualClock::at(Timestamp(i64::try_from(recorded.as_nanos()).unwrap())));
    let store = EventStore::open_with(place.path("store"), Options { clock, ..Options::default() }).unwrap();
    let event = EventData::json("T".try_into().unwrap(), "{}");
    store.append("s".try_into().unwrap(), ExpectedRevision::Any, [event]).wait().unwrap();
    store.close().unwrap();
    place.ok(&["group", "create", "g", "--message-timeout", "90s", "--checkpoint-after", "2h"]);
    let shown = place.ok(&["handlers", "-o", "table"]).out;
    assert!(shown.contains(" 3 h "), "{shown}");
    let told = place.ok(&["handlers", "-o", "ndjson"]).json();
    let lag = told[0]["lagSeconds"].as_f64().unwrap();
    assert!((hours(3).as_secs_f64()..hours(4).as_secs_f64()).contains(&lag), "{told:?}");
    let info = place.ok(&["group", "info", "g", "-o", "table"]).out;
    for words in [" 3 h ", "1 min 30 s", "after 2 h"] {
        assert!(info.contains(words), "{words:?}: {info}");
    }
}

#[test]
fn what_is_parked_can_be_seen_delivered_again_and_given_up() {
    use gesta::{ConsumerOptions, EventStore, GroupName, Nack};
    let place = place();
    place.ok(&["group", "create", "g", "--strategy", "round-robin"]);
    {
        let store = EventStore::open(place.path("store")).unwrap();
        let options = ConsumerOptions { name: "till".to_owned(), slots: 10 };
        let consumer = store.groups().connect(&GroupName::on_all("g").unwrap(), &options).unwrap();
        let ids: Vec<_> = consumer.try_next(10).unwrap().iter().map(|message| message.id).collect();
        assert_eq!(ids.len(), 4);
        consumer.nack(&ids, Nack::Park, "the till is\u{1b}[31m closed").unwrap();
        drop(consumer);
        store.close().unwrap();
    }
    let parked = || place.ok(&["group", "parked", "g", "-o", "ndjson"]).field("position").join(" ");
    let take = || place.ok(&["follow", "--group", "g", "-o", "ndjson", DONE]).field("data").join(" ");
    assert_eq!((parked().as_str(), take().as_str()), ("0 1 2 3", ""));
    let shown = place.ok(&["group", "parked", "g", "-o", "table"]).out;
    assert!(shown.contains("the till is\\u{1b}[31m closed"), "{shown}");
    place.ok(&["group", "replay", "g", "--one", "@2"]);
    assert_eq!((parked().as_str(), take().as_str()), ("0 1 2 3", "3"));
    place.ok(&["group", "replay", "g", "-n", "1"]);
    assert_eq!((take().as_str(), parked().as_str()), ("1", "1 3"));
    place.ok(&["group", "discard", "g", "--one", "@1"]);
    assert_eq!((take().as_str(), parked().as_str()), ("", "3"));
    place.ok(&["group", "replay", "g", "--all"]);
    assert_eq!((take().as_str(), parked().as_str()), ("4", ""));
}

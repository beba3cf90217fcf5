//! The documents as they are in the log, and what is refused. What these examples show may not change: logs have it.

use expect_test::{Expect, expect};
use uuid::Uuid;

use super::*;
use crate::{
    error::{ErrorKind, Result},
    event::{RecordedEvent, Tags},
    name::ContentType,
    position::{Position, Revision, Timestamp},
    query::{Query, QueryItem, StreamFilter, TagFilter, TypeFilter},
    read::{From, Source},
    subscribe::{
        AfterPark, GroupName, GroupSettings, KeyOf, NameExpression, NameOf, Strategy,
        group_state::{Intervals, Progress},
    },
};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// An event as a reader finds it.
fn found<'a>(event_type: &'a str, data: &'a str, metadata: &'a str) -> EventRef<'a> {
    EventRef {
        position: Position(40),
        revision: Revision(2),
        recorded_at: Timestamp(0),
        id: Uuid::nil(),
        stream: "s",
        event_type,
        content_type: "application/json",
        tags: Tags::default(),
        data: data.as_bytes(),
        metadata: metadata.as_bytes(),
        erased: false,
    }
}

fn change(source: Source, settings: GroupSettings) -> Change {
    let group = match &source {
        Source::Stream(stream) => GroupName::on_stream(stream.clone(), "g").unwrap(),
        Source::All | Source::Query(_) => GroupName::on_all("g").unwrap(),
    };
    Change { action: Action::Created, group, source, settings, created: None, at: Timestamp(1_700_000_000_000_000_000) }
}

fn check_change(change: &Change, expected: &Expect) {
    let event = change.event();
    let document = text(&event.data);
    expected.assert_eq(&document);
    assert_eq!(&Change::read(&found("$PersistentConfig", &document, "")).unwrap(), change);
}

#[test]
fn a_change_of_a_group() {
    let stream = Source::Stream("$ce-order".try_into().unwrap());
    check_change(
        &change(stream, GroupSettings::default()),
        &expect![[
            r#"{"action":"created","stream":"$ce-order","group":"g","source":{"stream":"$ce-order"},"settings":{"start":"beginning","resolve_links":false,"message_timeout_ns":30000000000,"max_retry_count":10,"history_buffer":500,"live_buffer":500,"read_batch":20,"min_checkpoint_count":5,"max_checkpoint_count":1000,"checkpoint_after_ns":1000000000,"max_subscribers":0,"strategy":{"key_ordered":{"key":"stream","after_park":"flow"}},"extra_statistics":false},"at":1700000000000000000}"#
        ]],
    );
    let item = QueryItem {
        streams: vec![
            StreamFilter::Exact("a".try_into().unwrap()),
            StreamFilter::Category("b".try_into().unwrap()),
            StreamFilter::Prefix("c".into()),
            StreamFilter::Pattern("*d".into()),
        ],
        types: vec![TypeFilter::Exact("T".try_into().unwrap()), TypeFilter::Prefix("U".into())],
        tags: vec![TagFilter::Exact("x".try_into().unwrap()), TagFilter::Path("/y/*".parse().unwrap())],
    };
    let hold = GroupSettings {
        start: From::Revision(Revision(7)),
        message_timeout: None,
        strategy: Strategy::KeyOrdered {
            key: KeyOf::PathSegment { pattern: "/y/{z}".parse().unwrap(), name: "z".into() },
            after_park: AfterPark::Hold,
        },
        ..GroupSettings::default()
    };
    check_change(
        &change(Source::Query(Query::of(item)), hold),
        &expect![[
            r#"{"action":"created","stream":"$all","group":"g","source":{"query":[{"streams":[{"exact":"a"},{"category":"b"},{"prefix":"c"},{"pattern":"*d"}],"types":[{"exact":"T"},{"prefix":"U"}],"tags":[{"exact":"x"},{"path":"/y/*"}]}]},"settings":{"start":{"revision":7},"resolve_links":false,"message_timeout_ns":null,"max_retry_count":10,"history_buffer":500,"live_buffer":500,"read_batch":20,"min_checkpoint_count":5,"max_checkpoint_count":1000,"checkpoint_after_ns":1000000000,"max_subscribers":0,"strategy":{"key_ordered":{"key":{"path_segment":{"pattern":"/y/{z}","name":"z"}},"after_park":"hold"}},"extra_statistics":false},"at":1700000000000000000}"#
        ]],
    );
}

#[test]
fn every_setting_comes_back() {
    let key_ordered = |key| Strategy::KeyOrdered { key, after_park: AfterPark::Flow };
    let strategies = [
        Strategy::RoundRobin,
        Strategy::DispatchToSingle,
        Strategy::Pinned,
        Strategy::PinnedByCorrelation,
        key_ordered(KeyOf::Tag { prefix: "customer:".into() }),
        key_ordered(KeyOf::Field("/a/0".into())),
    ];
    let starts = [From::Now, From::Position(Position(3)), From::Time(Timestamp(-5))];
    for (place, strategy) in strategies.into_iter().enumerate() {
        let only = NameExpression::new([NameOf::Stream, NameOf::Type][place % 2], "^a").unwrap();
        let start = starts[place % starts.len()];
        let settings = GroupSettings { strategy, start, only: Some(only), ..GroupSettings::default() };
        let before = change(Source::All, settings);
        assert_eq!(Change::read(&found("$PersistentConfig", &text(&before.event().data), "")).unwrap(), before);
    }
}

fn progress() -> Progress {
    Progress {
        checkpoint: Position(17),
        settled: Intervals::from_iter([(18, 20), (25, 25)]),
        resolved: Intervals::from_iter([(3, 3)]),
        replaying: Intervals::from_iter([(5, 6)]),
        retries: vec![(Position(17), 2)],
        epoch: 1,
    }
}

#[test]
fn progress_of_a_group() {
    let event = encode_progress(&progress());
    let document = text(&event.data);
    expect![[r#"{"checkpoint":17,"settled":[[18,20],[25,25]],"resolved":[[3,3]],"replaying":[[5,6]],"retries":[[17,2]],"epoch":1}"#]]
        .assert_eq(&document);
    let read = decode_progress(&found(&event.event_type, &document, ""), Position(40)).unwrap();
    assert_eq!(read, progress());
    let later = document.replace('{', r#"{"later":[1,{}],"#);
    assert_eq!(decode_progress(&found(&event.event_type, &later, ""), Position(40)).unwrap(), progress());
}

fn event() -> RecordedEvent {
    RecordedEvent {
        position: Position(9),
        revision: Revision(4),
        recorded_at: Timestamp(0),
        id: Uuid::nil(),
        stream: "order-7".try_into().unwrap(),
        event_type: "Placed".try_into().unwrap(),
        content_type: ContentType::Json,
        tags: Vec::new(),
        data: "{}".into(),
        metadata: "{}".into(),
        erased: false,
        link: None,
    }
}

#[test]
fn a_parked_message() {
    let note = ParkedNote {
        reason: "no such \"account\"".into(),
        retries: 3,
        key: Some(0xab),
        position: Position(9),
        consumer: "till".into(),
        held: false,
    };
    let link = link_to(&event(), &note, Some("c-1".into()));
    assert_eq!(
        (&*link.event_type, text(&link.data).as_str(), &link.content_type),
        ("$>", "4@order-7", &ContentType::Binary)
    );
    let metadata = text(&link.metadata);
    expect![[r#"{"reason":"no such \"account\"","retries":3,"key":"00000000000000ab","position":9,"consumer":"till","held":false,"$correlationId":"c-1"}"#]]
        .assert_eq(&metadata);
    assert_eq!(ParkedNote::read(&found("$>", "4@order-7", &metadata)).unwrap(), note);
}

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}");
    error.to_string()
}

#[test]
fn what_no_group_wrote_is_corrupted() {
    let checkpoint =
        |document: &str| refusal(decode_progress(&found("$SubscriptionCheckpoint", document, ""), Position(40)));
    let many =
        format!(r#"{{"checkpoint":0,"epoch":1,"resolved":[{}[0,0]]}}"#, "[0,0],".repeat(limits::GROUP_INTERVALS_MAX));
    let large = " ".repeat(limits::GROUP_DOCUMENT_BYTES_MAX + 1);
    let cases = [
        ("", "EOF"),
        ("[]", "invalid"),
        (r#"{"checkpoint":1}"#, "epoch"),
        (r#"{"checkpoint":-1,"epoch":1}"#, "invalid value"),
        (r#"{"checkpoint":41,"epoch":1}"#, "beyond the head, checkpoint=41 head=40"),
        (r#"{"checkpoint":1,"epoch":1,"settled":[[3,40]]}"#, "beyond the head"),
        (r#"{"checkpoint":5,"epoch":1,"settled":[[4,6]]}"#, "settled below the checkpoint"),
        (r#"{"checkpoint":1,"epoch":1,"settled":[[6,4]]}"#, "do not ascend, list=settled"),
        (r#"{"checkpoint":1,"epoch":1,"resolved":[[4,6],[6,7]]}"#, "do not ascend, list=resolved"),
        (&many, "too many intervals, list=resolved found=8193"),
        (&large, "too large"),
    ];
    for (document, expected) in cases {
        let found = checkpoint(document);
        assert!(found.contains(expected) && found.contains("stream=s revision=2"), "{found} lacks {expected}");
    }
    let wrong_type = refusal(decode_progress(&found("Placed", "{}", ""), Position(40)));
    assert!(wrong_type.contains("type=Placed"), "{wrong_type}");

    let document = text(&change(Source::All, GroupSettings::default()).event().data);
    let config = |from: &str, to: &str| {
        assert!(document.contains(from));
        refusal(Change::read(&found("$PersistentConfig", &document.replace(from, to), "")))
    };
    assert!(config(r#""created""#, r#""made""#).contains("unknown variant"));
    assert!(config(r#""source":"all""#, r#""source":{"stream":"a"}"#).contains("not that of its name"));
    assert!(config(r#""read_batch":20"#, r#""read_batch":0"#).contains("field=read_batch"));
    assert!(config(r#""group":"g""#, r#""group":"""#).contains("empty or too long"));

    let parked = |metadata: &str| refusal(ParkedNote::read(&found("$>", "1@a", metadata)));
    assert!(parked("").contains("EOF"));
    assert!(parked(r#"{"reason":"","retries":0,"position":1,"key":"+0000000000000ab"}"#).contains("key="));
}

#[test]
fn the_streams_of_groups_are_known_by_name() {
    for own in [
        "$persistentSubscriptionConfig",
        "$persistentsubscription-a::g-parked",
        "$$$persistentsubscription-a::g-parked",
    ] {
        assert!(belongs_to_groups(own), "{own}");
    }
    for other in ["a", "$persistentsubscription", "$$a", "$ce-$persistentsubscription"] {
        assert!(!belongs_to_groups(other), "{other}");
    }
}

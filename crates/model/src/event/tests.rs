//! What is on the wire, what comes back, and what is refused.

use expect_test::expect;
use gesta_model_derive::Event;
use gesta_store::{EventRef, Position, Revision, Tags, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::*;

#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[event(ignores("account-viewed"))]
enum Bank {
    #[event("account-opened", at = "account-{account}")]
    Opened {
        account: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    #[event(
        "money-moved",
        at = "account-{from}",
        also = "account-{to}",
        also = "/transfers/{transfer?}",
        v = 3,
        since = 1,
        upcast(1 = moved_1, 2 = moved_2),
    )]
    Moved(Moved),
    #[event("day-closed", at = "calendar")]
    Closed,
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Moved {
    from: u32,
    to: u32,
    cents: i64,
    transfer: Option<String>,
}

fn moved_1(mut old: Value) -> Result<Value, String> {
    old["cents"] = (old["units"].as_i64().ok_or("units is not a number")? * 100).into();
    Ok(old)
}

fn moved_2(mut old: Value) -> Result<Value, String> {
    assert_ne!(old["to"], 666, "planted");
    old["cents"].as_i64().ok_or("cents is not a number: version 1 came first")?;
    old["from"] = old["account"].clone();
    Ok(old)
}

fn samples() -> [Bank; 3] {
    let moved = Moved { from: 1, to: 2, cents: 50, transfer: Some("a/b~c".to_owned()) };
    [Bank::Opened { account: 1, note: None }, Bank::Moved(moved), Bank::Closed]
}

fn recorded<'e>(event_type: &'e str, data: &'e str) -> EventRef<'e> {
    EventRef {
        position: Position(3),
        revision: Revision(0),
        recorded_at: Timestamp(0),
        id: Uuid::nil(),
        stream: "account-1",
        event_type,
        content_type: "application/json",
        tags: Tags::default(),
        data: data.as_bytes(),
        metadata: b"",
        erased: false,
    }
}

fn reading(event: &EventRef<'_>) -> String {
    match read::<Bank>(event) {
        Ok(Reading::Fact(fact)) => format!("{fact:?}"),
        Ok(Reading::Ignored) => "ignored".to_owned(),
        Err(Defect::Unknown) => "unknown".to_owned(),
        Err(Defect::Undecodable { version, reason }) => format!("version {version}: {reason}"),
    }
}

#[test]
fn the_wire_has_names_versions_paths_and_fields() {
    expect![[r#"
        account-1	account-opened	[]	{"account":1}
        account-1	money-moved.v3	["account-2", "/transfers/a~1b~0c"]	{"from":1,"to":2,"cents":50,"transfer":"a/b~c"}
        calendar	day-closed	[]	{}
    "#]]
    .assert_eq(&golden::lines(&samples()).expect("recordable"));
}

#[test]
fn what_was_recorded_is_read_back() {
    for sample in samples() {
        let (_, event) = to_recordable(&sample).expect("recordable");
        let data = String::from_utf8(event.data.to_vec()).expect("JSON");
        assert_eq!(reading(&recorded(&event.event_type, &data)), format!("{sample:?}"));
    }
    assert_eq!(
        reading(&recorded("account-opened", r#"{"account":1,"new":[{}]}"#)),
        "Opened { account: 1, note: None }"
    );
}

#[test]
fn older_versions_are_brought_up_to_date_step_by_step() {
    let moved = "Moved(Moved { from: 1, to: 2, cents: 700, transfer: None })";
    assert_eq!(reading(&recorded("money-moved", r#"{"account":1,"to":2,"units":7}"#)), moved);
    assert_eq!(reading(&recorded("money-moved.v2", r#"{"account":1,"to":2,"cents":700}"#)), moved);
    let wrong = reading(&recorded("money-moved", r#"{"account":1,"to":2}"#));
    assert_eq!(wrong, "version 1: upcast from version 1: units is not a number");
    let panicked = reading(&recorded("money-moved.v2", r#"{"to":666}"#));
    assert!(panicked.contains("planted") && panicked.starts_with("version 2: "), "{panicked}");
}

#[test]
fn what_cannot_be_read_says_why() {
    assert_eq!(reading(&recorded("something-else", "{}")), "unknown");
    assert_eq!(reading(&recorded("money-moved.v4", "{}")), "unknown");
    assert_eq!(reading(&recorded("account-viewed", "{}")), "ignored");
    assert_eq!(reading(&recorded("$>", "3@account-1")), "ignored");
    for (data, reason) in [("{}", "missing field `account`"), ("{", "EOF"), (r#"{"account":1} x"#, "trailing")] {
        let found = reading(&recorded("account-opened", data));
        assert!(found.starts_with("version 1: ") && found.contains(reason), "{data}: {found}");
    }
    let erased = EventRef { erased: true, ..recorded("day-closed", "") };
    assert_eq!(reading(&erased), "version 1: its data was erased");
    let binary = EventRef { content_type: "application/octet-stream", ..recorded("day-closed", "{}") };
    assert_eq!(reading(&binary), "version 1: its data is application/octet-stream instead of application/json");
}

#[derive(Event, Serialize, Deserialize)]
enum Named {
    #[event("renamed", at = "named-{name}")]
    Renamed { name: String },
}

#[test]
fn a_name_with_an_empty_field_is_not_recorded() {
    let error = to_recordable(&Named::Renamed { name: String::new() }).expect_err("no name");
    expect![[r#"event cannot be recorded: a field in its name is empty, name="named-", type=renamed"#]]
        .assert_eq(&error.to_string());
    assert!(to_recordable(&Named::Renamed { name: "\n".to_owned() }).is_err());
}

#[test]
fn the_golden_file_guards_the_wire() {
    let golden = golden::lines(&samples()).expect("recordable");
    let old = "account-1\tmoney-moved\t[]\t{\"account\":1,\"to\":2,\"units\":7}\n";
    assert_eq!(golden::check(&samples(), &format!("{old}{golden}")), Ok(()));
    let broken = |samples: &[Bank], golden: &str| golden::check(samples, golden).expect_err("guarded");
    assert_eq!(broken(&samples()[..2], &golden), "no sample of a kind, kind=day-closed");
    assert!(broken(&samples(), &golden.replace("cents", "amount")).starts_with("what is recorded has changed"));
    assert!(
        broken(&samples(), &format!("x\tgone\t[]\t{{}}\n{golden}"))
            .contains("golden line 1: is of a kind that is not known")
    );
    assert!(
        broken(&samples(), &format!("{golden}x\taccount-opened\t[]\t{{}}\n")).contains("golden line 4: missing field")
    );
}

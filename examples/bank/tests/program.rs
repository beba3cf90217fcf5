//! The program from outside: it does what `gesta` does, and knows its models.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    missing_docs,
    reason = "tests work on files and processes"
)]

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory with a store in it.
struct Place(TempDir);

/// What a run came to.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    /// The lines of the output as JSON.
    fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect("a line of NDJSON")).collect()
    }
}

/// The program, on the store of a place.
fn bank(place: &Place, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bank"));
    command.args(arguments).env("GESTA_DIR", place.0.path().join("store")).env("TZ", "UTC").env_remove("GESTA_URL");
    let output = command.output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("words are UTF-8");
    let code = output.status.code().expect("the program was not killed");
    Ran { code, out: text(output.stdout), err: text(output.stderr) }
}

fn append(place: &Place, stream: &str, event_type: &str, data: &str) {
    let ran = bank(place, &["append", stream, event_type, data]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

fn place() -> Place {
    let place = Place(TempDir::new().expect("a temporary directory"));
    append(&place, "account-ada", "account-opened", r#"{"account":"ada","owner":"Ada"}"#);
    append(&place, "account-ada", "money-deposited", r#"{"account":"ada","cents":50}"#);
    append(&place, "account-grace", "account-opened", r#"{"account":"grace","owner":"Grace"}"#);
    append(&place, "account-ada", "money-withdrawn", r#"{"account":"ada","cents":20}"#);
    place
}

#[test]
fn states_of_an_application_are_shown_as_of_any_moment() {
    let place = place();
    let ran = bank(&place, &["state", "--model", "account", "ada", "-o", "ndjson"]);
    let expected = json!({
        "model": "account", "key": ["ada"], "head": "4", "state": { "owner": "Ada", "cents": 30 }, "skipped": 0, "parked": [],
    });
    assert_eq!((ran.code, ran.json()), (0, vec![expected]), "{ran:?}");
    let plain = |arguments: &[&str]| bank(&place, &[&["state", "-o", "plain", "--model"], arguments].concat()).out;
    assert_eq!(plain(&["account", "ada", "--at", "@1"]), "{\"owner\":\"Ada\",\"cents\":50}\n");
    assert_eq!(plain(&["account", "nobody"]), "{\"owner\":null,\"cents\":0}\n");
    assert_eq!(plain(&["holdings"]), "{\"cents\":30,\"accounts\":2}\n");
    let table = bank(&place, &["state", "-o", "table", "--model", "account", "ada"]);
    assert_eq!(table.out, "{\n  \"owner\": \"Ada\",\n  \"cents\": 30\n}\n");
    assert!(table.err.contains("from the beginning, events=3 skipped=0 parked=0 head=4"), "{}", table.err);
}

#[test]
fn a_history_shows_the_state_after_each_event() {
    let place = place();
    let cents = |arguments: &[&str]| {
        let ran = bank(&place, &[&["history", "--model", "account", "ada", "-o", "ndjson"], arguments].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        let line = |line: &Value| format!("{} {}", line["type"], line["state"]["cents"]);
        ran.json().iter().map(line).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(cents(&[]), r#""account-opened" 0, "money-deposited" 50, "money-withdrawn" 30"#);
    assert_eq!(cents(&["--at", "@2"]), r#""account-opened" 0, "money-deposited" 50"#);
    assert_eq!(cents(&["-n", "1"]), r#""account-opened" 0"#);
    let table = bank(&place, &["history", "--model", "account", "ada", "-o", "table"]);
    assert!(table.out.contains(r#"{"owner":"Ada","cents":50}"#), "{}", table.out);
}

#[test]
fn laws_of_an_application_are_tried_on_what_is_recorded() {
    let place = place();
    let checked = bank(&place, &["laws", "check", "--model", "holdings", "-o", "plain"]);
    assert_eq!((checked.code, checked.out.as_str()), (0, "holdings\tdeclared\t4\t0\n"), "{checked:?}");
    let all = bank(&place, &["laws", "check", "-o", "plain"]).out;
    assert!(all.contains("by type\tassociative\t1\t0\n") && all.contains("holdings\tdeclared\t4\t0\n"), "{all}");
    let none = bank(&place, &["laws", "check", "--model", "account"]);
    assert!(none.code == 2 && none.err.contains("declares no laws"), "{none:?}");
}

#[test]
fn an_event_that_cannot_be_read_is_parked_and_said() {
    let place = place();
    append(&place, "account-ada", "money-burnt", "{}");
    let ran = bank(&place, &["state", "--model", "account", "ada", "-o", "ndjson"]);
    let reason = "event of a kind the model does not know, model=Account position=4 type=money-burnt";
    assert_eq!((ran.code, &ran.json()[0]["state"]["cents"]), (8, &json!(30)), "{ran:?}");
    assert_eq!(ran.json()[0]["parked"], json!([{ "position": "4", "stream": "account-ada", "reason": reason }]));
    assert!(ran.err.contains(reason), "{}", ran.err);
    assert_eq!(bank(&place, &["state", "--model", "account", "grace"]).code, 0, "others go on");
    // Another model of the same events would rather not be read.
    let failed = bank(&place, &["state", "--model", "holdings"]);
    assert!(failed.code == 1 && failed.err.contains("model=Holdings position=4"), "{failed:?}");
}

#[test]
fn what_is_not_known_is_a_usage_error_that_says_what_is() {
    let place = place();
    let ran = bank(&place, &["state", "--model", "accounts", "ada"]);
    assert!(ran.code == 2 && ran.err.contains("it knows account, holdings"), "{ran:?}");
    let ran = bank(&place, &["state", "--model", "account"]);
    assert!(ran.code == 2 && ran.err.contains("parts=1 path=account-*"), "{ran:?}");
    let ran = bank(&place, &["state", "--model", "account", "ada", "--type", "x"]);
    assert!(ran.code == 2 && ran.err.contains("cannot be combined"), "{ran:?}");
    let ran = bank(&place, &["state", "a", "b"]);
    assert!(ran.code == 2 && ran.err.contains("one stream at most"), "{ran:?}");
}

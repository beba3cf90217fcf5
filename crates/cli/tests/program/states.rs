//! States, their histories and their laws, of a store nobody wrote code for.

use crate::place::Place;

fn place() -> Place {
    let place = Place::new();
    place.ok(&["append", "order-1", "OrderPlaced", "1", "--path", "/shop/orders/1"]);
    place.ok(&["append", "order-2", "OrderPlaced", "2", "--path", "/shop/orders/2"]);
    place.ok(&["append", "order-1", "OrderPaid", "3", "--path", "/shop/orders/1"]);
    place.ok(&["append", "user-1", "Registered", "4"]);
    place
}

#[test]
fn a_state_counts_by_type_or_shows_the_last_by_stream() {
    let place = place();
    let shown = |arguments: &[&str]| {
        let lines = place.ok(&[&["state", "-o", "plain"], arguments].concat()).out;
        let line = |line: &str| {
            let cells: Vec<&str> = line.split('\t').collect();
            format!("{} {} {} {}", cells[0], cells[1], cells[2], cells[4])
        };
        lines.lines().map(line).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(shown(&[]), "OrderPaid 1 2 order-1, OrderPlaced 2 1 order-2, Registered 1 3 user-1");
    assert_eq!(shown(&["--by", "stream"]), "order-1 2 2 OrderPaid, order-2 1 1 OrderPlaced, user-1 1 3 Registered");
    assert_eq!(shown(&["--at", "@1"]), "OrderPlaced 2 1 order-2");
    assert_eq!(shown(&["order-1"]), "OrderPaid 1 2 order-1, OrderPlaced 1 0 order-1");
    assert_eq!(
        shown(&["--path", "/shop/orders/*", "--by", "stream"]),
        "order-1 2 2 OrderPaid, order-2 1 1 OrderPlaced"
    );
    assert_eq!(shown(&["--category", "user"]), "Registered 1 3 user-1");
    assert_eq!(shown(&["--at", "yesterday"]), "");
    let json = place.ok(&["state", "user-1", "-o", "ndjson"]);
    assert_eq!((json.field("events").join(" "), json.field("lastPosition").join(" ")), ("1".into(), "3".into()));
    let table = place.ok(&["state", "-o", "table"]);
    assert!(table.out.contains("first recorded"), "{}", table.out);
    place.fails(3, "stream=order-9", &["state", "order-9"]);
}

#[test]
fn a_history_shows_how_a_state_came_about() {
    let place = place();
    let counts = |arguments: &[&str]| {
        let lines = place.ok(&[&["history", "-o", "plain"], arguments].concat()).out;
        let line = |line: &str| line.split('\t').skip(3).collect::<Vec<_>>().join(" ");
        lines.lines().map(line).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(counts(&[]), "OrderPlaced 1 1, OrderPlaced 2 2, OrderPaid 1 3, Registered 1 4");
    assert_eq!(counts(&["--by", "stream", "-n", "3"]), "OrderPlaced 1 1, OrderPlaced 1 2, OrderPaid 2 3");
    assert_eq!(counts(&["order-1", "--at", "@0"]), "OrderPlaced 1 1");
    assert_eq!(place.ok(&["history", "order-1"]).field("ofType").join(" "), "1 1");
}

#[test]
fn the_laws_of_these_states_hold_on_what_is_recorded() {
    let place = place();
    let checked = place.ok(&["laws", "check", "-o", "plain"]).out;
    let expected = "by type\tassociative\t1\t0\nby type\tcommutative\t1\t0\nby stream\tassociative\t1\t0\nby stream\tcommutative\t1\t0\n";
    assert_eq!(checked, expected);
    place.fails(3, "stream=order-9", &["laws", "check", "order-9"]);
}

#[test]
fn models_are_asked_in_the_program_that_knows_them() {
    let place = place();
    place.fails(2, "knows no such model, model=account", &["state", "--model", "account", "ada"]);
    place.fails(2, "knows no such model, model=account", &["laws", "check", "--model", "account"]);
    place.fails(2, "docs/tutorial/program.md", &["history", "--model", "account", "ada"]);
    place.fails(2, "one stream at most", &["history", "order-1", "order-2"]);
}

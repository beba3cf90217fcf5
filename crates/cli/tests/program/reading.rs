//! Reading, following and looking at a store.

use crate::place::Place;

/// Four events: two of an order, one of another, one of a user.
fn place() -> Place {
    let place = Place::new();
    place.ok(&["append", "order-1", "OrderPlaced", "1", "--tag", "vip", "--path", "/shop/orders/1"]);
    place.ok(&["append", "order-2", "OrderPlaced", "2", "--path", "/shop/orders/2"]);
    place.ok(&["append", "order-1", "OrderPaid", "3", "--path", "/shop/orders/1"]);
    place.ok(&["append", "user-1", "Registered", "4", "--tag", "vip"]);
    place
}

#[test]
fn events_are_read_by_stream_query_place_and_direction() {
    let place = place();
    let data = |arguments: &[&str]| place.ok(&[&["read"], arguments].concat()).field("data").join(" ");
    let cases: &[(&[&str], &str)] = &[
        (&[], "1 2 3 4"),
        (&["order-1"], "1 3"),
        (&["$ce-order"], "1 2 3"),
        (&["$et-OrderPlaced"], "1 2"),
        (&["order-1", "--from", "1"], "3"),
        (&["--from", "@2"], "3 4"),
        (&["--from", "start", "-n", "1"], "1"),
        (&["--from", "yesterday"], "1 2 3 4"),
        (&["-r"], "4 3 2 1"),
        (&["-rn", "2"], "4 3"),
        (&["--at", "@1"], "1 2"),
        (&["--at", "yesterday"], ""),
        (&["--at", "now"], "1 2 3 4"),
        (&["--type", "OrderPaid"], "3"),
        (&["--type", "Order*"], "1 2 3"),
        (&["--type", "OrderPaid", "--type", "Registered"], "3 4"),
        (&["--tag", "vip"], "1 4"),
        (&["--path", "/shop/**"], "1 2 3"),
        (&["--path", "/shop/orders/1", "--tag", "vip"], "1"),
        (&["--stream", "order-*"], "1 2 3"),
        (&["--stream", "*-1"], "1 3 4"),
        (&["--category", "user"], "4"),
        (&["order-1", "--type", "OrderPaid"], "3"),
        (&["$ce-order", "--tag", "vip"], "1"),
    ];
    for (arguments, expected) in cases {
        assert_eq!(data(arguments), *expected, "gesta read {arguments:?}");
    }
}

#[test]
fn what_is_not_there_exits_with_3() {
    let place = place();
    place.fails(3, "stream=order-9", &["read", "order-9"]);
    assert_eq!(place.ok(&["read", "--type", "Nothing"]).out, "");
}

/// Before its first event, a stream was said not to exist, as if it never had.
#[test]
fn a_stream_that_had_not_begun_is_not_said_to_be_missing() {
    let place = place();
    place.fails(
        3,
        "stream had no events yet then, stream=order-1 first=0 recorded=",
        &["read", "order-1", "--at", "yesterday"],
    );
    place.fails(3, "--at @3", &["read", "user-1", "--at", "@2"]);
    place.fails(3, "as of then: stream does not exist, stream=order-9", &["read", "order-9", "--at", "yesterday"]);
}

#[test]
fn a_table_is_for_people_and_plain_is_for_cut() {
    let place = place();
    let table = place.ok(&["read", "-o", "table"]).out;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("position  recorded "), "{table}");
    assert!(lines[3].contains("order-1@1") && lines[3].contains("OrderPaid"), "{table}");
    let plain = place.ok(&["streams", "-o", "plain"]).out;
    assert_eq!(plain, "order-1\t1\t2\norder-2\t0\t1\nuser-1\t0\t3\n");
}

#[test]
fn streams_are_listed_in_pages() {
    let place = place();
    assert_eq!(place.ok(&["streams"]).field("stream"), ["order-1", "order-2", "user-1"]);
    assert_eq!(place.ok(&["streams", "order-"]).field("lastRevision"), ["1", "0"]);
    let page = place.ok(&["streams", "-n", "2"]);
    assert_eq!(page.field("stream"), ["order-1", "order-2"]);
    assert!(page.err.contains("--after order-2"), "{}", page.err);
    assert_eq!(place.ok(&["streams", "--after", "order-2"]).field("stream"), ["user-1"]);
}

#[test]
fn facts_plans_and_checks_are_printed() {
    let place = place();
    let info = &place.ok(&["info"]).json()[0];
    assert_eq!((info["head"].as_str(), info["streams"].as_u64()), (Some("4"), Some(3)));
    let plan = &place.ok(&["explain", "--type", "OrderPaid"]).json()[0];
    assert!(plan["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    let report = &place.ok(&["verify"]).json()[0];
    assert_eq!((report["ok"].as_bool(), report["events"].as_u64()), (Some(true), Some(4)));
    assert!(place.ok(&["verify", "-o", "table"]).out.starts_with("ok  4 events"));
}

#[test]
fn a_damaged_store_exits_with_7() {
    let place = place();
    let segment = std::fs::read_dir(place.path("store/log"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| std::fs::read(path).unwrap().windows(11).any(|window| window == b"OrderPlaced"));
    let segment = segment.expect("a segment has the event");
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.windows(11).position(|window| window == b"OrderPlaced").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let ran = place.gesta(&["verify"]);
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(ran.err.contains("restore"), "{ran:?}");
}

#[test]
fn following_begins_where_it_is_told_and_ends_when_idle_or_full() {
    let place = place();
    let follow = |arguments: &[&str]| place.ok(&[&["follow", "--until-idle", "1ms"], arguments].concat()).field("data");
    assert_eq!(follow(&[]), [""; 0]);
    assert_eq!(follow(&["--from", "start"]), ["1", "2", "3", "4"]);
    assert_eq!(follow(&["-n", "2"]), ["3", "4"]);
    assert_eq!(follow(&["order-1", "--from", "1"]), ["3"]);
    assert_eq!(follow(&["--from", "start", "--limit", "3"]), ["1", "2", "3"]);
    assert_eq!(follow(&["order-9", "-n", "2"]), [""; 0]);
}

#[test]
fn a_follower_hears_what_another_program_appends() {
    let place = place();
    std::thread::scope(|scope| {
        let follower = scope.spawn(|| place.ok(&["follow", "--from", "start", "--limit", "2", "--type", "OrderPaid"]));
        // The follower lets go of the store between two looks.
        place.ok(&["append", "order-2", "OrderPaid", "5"]);
        // Whether it began before or after the append, it saw both, and nothing twice.
        assert_eq!(follower.join().unwrap().field("data"), ["3", "5"]);
    });
}

#[test]
fn two_programs_wait_for_each_other() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for stream in ["a", "b", "c"] {
            let place = &place;
            scope.spawn(move || place.ok(&["append", stream, "T"]));
        }
    });
    assert_eq!(place.ok(&["read"]).json().len(), 3);
}

//! Tests of the tickets: rules one by one, and all of them under a hundred who book at once.
#![allow(clippy::disallowed_methods)] // writers are threads here

use std::{collections::BTreeSet, thread};

use gesta::{DomainOptions, testing::given};

use super::*;

fn registered(customer: u32) -> Tickets {
    Tickets::Registered { customer, mail: format!("{customer}@example.org") }
}

fn booked(booking: u32, seat: u32) -> Tickets {
    Tickets::Booked { booking, customer: 1, show: 1, seat }
}

#[test]
fn each_rule_refuses_for_its_own_reason() {
    let open = || given([registered(1), Tickets::Announced { show: 1, room: 2 }]);
    open().when(&book(1, 1, 7)).then([booked(1, 7)]);
    open().when(&book(1, 2, 7)).refuses(&Refused::Unknown);
    open().and([booked(1, 7)]).when(&book(2, 1, 7)).refuses(&Refused::SeatTaken);
    open().and([booked(1, 7), booked(2, 8)]).when(&book(3, 1, 9)).refuses(&Refused::SoldOut);
    let cancelled = Tickets::Cancelled { booking: 1, show: 1, seat: 7 };
    open().and([booked(1, 7), booked(2, 8), cancelled]).when(&book(3, 1, 7)).then([booked(3, 7)]);
    given([registered(1)]).when(&Register { customer: 2, mail: "1@example.org".into() }).refuses(&Refused::MailTaken);
    given([registered(1)]).when(&Register { customer: 1, mail: "1@example.org".into() }).then([]);
}

#[test]
fn a_hundred_who_book_at_once_get_as_many_seats_as_there_are_and_none_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = DomainOptions { attempts: 1_000, ..DomainOptions::default() };
    let tickets = Domain::with(EventStore::open(directory.path()).expect("opens"), options);
    tickets.record([Tickets::Announced { show: 1, room: 30 }]).expect("recorded");
    tickets.record((0..100).map(registered)).expect("recorded");
    let sold: Vec<u32> = thread::scope(|scope| {
        let writers = (0..100).map(|writer| {
            let tickets = tickets.clone();
            scope.spawn(move || tickets.send(book(writer, writer, writer % 50)).wait().is_ok().then_some(writer % 50))
        });
        writers.collect::<Vec<_>>().into_iter().filter_map(|writer| writer.join().expect("books")).collect()
    });
    assert_eq!(sold.len(), 30, "as many as there is room for");
    assert_eq!(sold.iter().collect::<BTreeSet<_>>().len(), 30, "each seat once");
    assert_eq!(tickets.get::<Show>(1_u32).wait().expect("read").sold, 30);
}

#[test]
fn the_example_runs() {
    main().expect("runs");
}

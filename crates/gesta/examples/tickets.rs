//! Tickets: rules that belong to no single entity. A seat is sold once, a show has room for so many, an address is used by one customer,
//! whoever asks at the same time. `cargo run -p gesta --example tickets`.
#![allow(clippy::print_stdout)]

use gesta::{Command, Decide, Domain, Event, EventStore, Model, Place};
use serde::{Deserialize, Serialize};

// A fact has one home stream, and any number of further paths: by these it is found by rules that know nothing of its home.
#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Tickets {
    #[event("customer-registered", at = "customer-{customer}", also = "/mail/{mail}")]
    Registered { customer: u32, mail: String },
    #[event("show-announced", at = "show-{show}", also = "/shows/{show}")]
    Announced { show: u32, room: u32 },
    #[event("seat-booked", at = "booking-{booking}", also = "/shows/{show}", also = "/shows/{show}/seats/{seat}")]
    Booked { booking: u32, customer: u32, show: u32, seat: u32 },
    #[event("booking-cancelled", at = "booking-{booking}", also = "/shows/{show}", also = "/shows/{show}/seats/{seat}")]
    Cancelled { booking: u32, show: u32, seat: u32 },
}

// Models as small as the rules are: whatever a decision reads is what it is protected from.
#[derive(Clone, Debug, Default)]
struct Mail {
    customer: Option<u32>,
}

impl Model for Mail {
    type Event = Tickets;
    type Key = String;
    const AT: &'static str = "/mail/*";
    fn apply(&mut self, event: &Tickets, _: &Place<'_>) {
        if let Tickets::Registered { customer, .. } = event {
            self.customer = Some(*customer);
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Customer {
    registered: bool,
}

impl Model for Customer {
    type Event = Tickets;
    type Key = u32;
    const AT: &'static str = "customer-*";
    fn apply(&mut self, _: &Tickets, _: &Place<'_>) {
        self.registered = true;
    }
}

#[derive(Clone, Debug, Default)]
struct Show {
    room: u32,
    sold: u32,
}

impl Model for Show {
    type Event = Tickets;
    type Key = u32;
    const AT: &'static str = "/shows/*";
    fn apply(&mut self, event: &Tickets, _: &Place<'_>) {
        match event {
            Tickets::Announced { room, .. } => self.room = *room,
            Tickets::Booked { .. } => self.sold += 1,
            Tickets::Cancelled { .. } => self.sold -= 1,
            Tickets::Registered { .. } => {}
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Seat {
    booking: Option<u32>,
}

impl Model for Seat {
    type Event = Tickets;
    type Key = (u32, u32);
    const AT: &'static str = "/shows/*/seats/*";
    fn apply(&mut self, event: &Tickets, _: &Place<'_>) {
        self.booking = match event {
            Tickets::Booked { booking, .. } => Some(*booking),
            Tickets::Cancelled { .. } | Tickets::Registered { .. } | Tickets::Announced { .. } => None,
        };
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Refused {
    MailTaken,
    Unknown,
    SeatTaken,
    SoldOut,
    NotYours,
}

#[derive(Command)]
#[command((Customer, Mail), key = (customer, mail), or = Refused)]
struct Register {
    customer: u32,
    mail: String,
}

impl Decide for Register {
    fn decide(&self, (customer, mail): (&Customer, &Mail)) -> Result<Vec<Tickets>, Refused> {
        let registered = Tickets::Registered { customer: self.customer, mail: self.mail.clone() };
        match (mail.customer, customer.registered) {
            (None, false) => Ok(vec![registered]),
            (Some(other), _) if other == self.customer => Ok(vec![]), // said again: there is nothing to do
            (Some(_), _) | (None, true) => Err(Refused::MailTaken),
        }
    }
}

/// One decision over three entities. The seat's rule and the show's are in no stream together.
#[derive(Command)]
#[command((Customer, Show, Seat), key = (customer, show, place), or = Refused)]
struct Book {
    booking: u32,
    customer: u32,
    show: u32,
    place: (u32, u32),
}

impl Decide for Book {
    fn decide(&self, (customer, show, seat): (&Customer, &Show, &Seat)) -> Result<Vec<Tickets>, Refused> {
        let Self { booking, customer: who, show: number, place: (_, place) } = *self;
        match seat.booking {
            _ if !customer.registered => Err(Refused::Unknown),
            Some(_) => Err(Refused::SeatTaken),
            None if show.sold == show.room => Err(Refused::SoldOut),
            None => Ok(vec![Tickets::Booked { booking, customer: who, show: number, seat: place }]),
        }
    }
}

#[derive(Command)]
#[command(Seat, key = place, or = Refused)]
struct Cancel {
    booking: u32,
    place: (u32, u32),
}

impl Decide for Cancel {
    fn decide(&self, seat: &Seat) -> Result<Vec<Tickets>, Refused> {
        let (show, place) = self.place;
        let cancelled = Tickets::Cancelled { booking: self.booking, show, seat: place };
        if seat.booking == Some(self.booking) { Ok(vec![cancelled]) } else { Err(Refused::NotYours) }
    }
}

fn book(booking: u32, customer: u32, seat: u32) -> Book {
    Book { booking, customer, show: 1, place: (1, seat) }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let tickets = Domain::new(EventStore::open(directory.path())?);
    tickets.record([Tickets::Announced { show: 1, room: 2 }])?;
    for customer in [1, 2] {
        tickets.send(Register { customer, mail: format!("{customer}@example.org") }).wait().expect("accepted");
    }
    let twice = tickets.send(Register { customer: 3, mail: "1@example.org".into() }).wait();
    println!("the same address again: {:?}", twice.expect_err("taken").refusal());

    tickets.send(book(1, 1, 7)).wait().expect("accepted");
    println!("the same seat again: {:?}", tickets.send(book(2, 2, 7)).wait().expect_err("taken").refusal());
    tickets.send(book(2, 2, 8)).wait().expect("accepted");
    println!("one too many: {:?}", tickets.send(book(3, 1, 9)).wait().expect_err("full").refusal());
    tickets.send(Cancel { booking: 1, place: (1, 7) }).wait().expect("accepted");
    tickets.send(book(4, 2, 7)).wait().expect("there is room again");
    assert_eq!(tickets.get::<Show>(1_u32).wait()?.sold, 2);
    Ok(())
}

#[cfg(test)]
#[path = "tickets/tests.rs"]
mod tests;

//! What derives write must also be found by a crate that knows only the facade.

use gesta::{Command, Decide, Domain, Event, EventStore, Key, Model, Monoid, Place, algebra::Sum};
use serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Counter {
    #[event("counted", at = "counter-{name}", v = 2, upcast(1 = unchanged))]
    Counted { name: String },
}

fn unchanged(old: gesta::model::event::Value) -> Result<gesta::model::event::Value, String> {
    Ok(old)
}

#[derive(Key, Clone, PartialEq, Eq, Hash)]
struct Name(String);

#[derive(Monoid, Clone, Debug, PartialEq)]
struct Total {
    sum: Sum,
}

#[derive(Clone, Default)]
struct Counts(u64);

impl Model for Counts {
    type Event = Counter;
    type Key = Name;
    const AT: &'static str = "counter-*";
    fn apply(&mut self, _: &Counter, _: &Place<'_>) {
        self.0 += 1;
    }
}

#[derive(Command)]
#[command(Counts, key = name)]
struct Count {
    name: Name,
}

impl Decide for Count {
    fn decide(&self, _: &Counts) -> Result<Vec<Counter>, std::convert::Infallible> {
        Ok(vec![Counter::Counted { name: self.name.0.clone() }])
    }
}

#[test]
fn the_facade_is_enough() {
    let directory = tempfile::tempdir().expect("a directory");
    let domain = Domain::new(EventStore::open(directory.path()).expect("opens"));
    let name = || Name("a".to_owned());
    domain.send(Count { name: name() }).wait().expect("recorded");
    domain.send(Count { name: name() }).wait().expect("recorded");
    assert_eq!(domain.get::<Counts>(name()).wait().expect("read").0, 2);
    let one = || Total { sum: Sum::of(1) };
    assert_eq!(one().then(&one()), Total { sum: Sum::of(2) });
}

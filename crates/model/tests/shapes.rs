//! Events, paths and questions of every shape: generic events and flattened fields, keys of two parts, tags that are no paths, questions to an empty store, caches that hold
//! nothing.

mod shared;

use std::{sync::Arc, time::Duration};

use gesta_model::{
    Command, Decide, Domain, DomainOptions, Error, Event, Model, Moment, Place, SendError, Summaries, testing::given,
};
use gesta_store::{
    ContentType, EventData, ExpectedRevision, Position, ReadOptions, Revision, Timestamp, clock::ManualClock,
};
use serde::{Deserialize, Serialize};
use shared::*;

#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Shape<T> {
    #[event("named", at = "shape-{id}")]
    #[serde(rename_all = "camelCase")]
    Named { id: u32, some_value: T },
    #[event("wrapped", at = "shape-{id}")]
    Wrapped(Inside),
    #[event("bare", at = "shapes")]
    Bare,
    #[event("number", at = "shapes")]
    Number(u32),
    #[event("flat", at = "shape-{id}-{r#type}")]
    Flat {
        id: u32,
        r#type: String,
        #[serde(flatten)]
        rest: Rest,
    },
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Inside {
    id: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    more: Option<String>,
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Rest {
    a: u8,
    b: Option<u8>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Shapes(Vec<Shape<Vec<u8>>>);
impl Model for Shapes {
    type Event = Shape<Vec<u8>>;
    type Key = ();
    fn apply(&mut self, event: &Shape<Vec<u8>>, _: &Place<'_>) {
        self.0.push(event.clone());
    }
}

#[test]
fn events_of_every_shape_are_read_back_as_they_were() {
    let store = store();
    let domain = domain(&store);
    let events = [
        Shape::Named { id: 1, some_value: vec![1_u8, 2] },
        Shape::Wrapped(Inside { id: 1, more: None }),
        Shape::Bare,
        Shape::Number(7),
        Shape::Flat { id: 3, r#type: "x".to_owned(), rest: Rest { a: 1, b: None } },
    ];
    domain.record(events.clone()).expect("recorded");
    assert_eq!(domain.get::<Shapes>(()).wait().expect("read").0, events);
    let lines = store.read_all(ReadOptions::default()).expect("reads").map(|event| {
        let event = event.expect("reads");
        format!("{} {} {}", event.stream, event.event_type, String::from_utf8_lossy(&event.data))
    });
    expect_test::expect![[r#"
        shape-1 named {"id":1,"someValue":[1,2]}
        shape-1 wrapped {"id":1}
        shapes bare {}
        shapes number 7
        shape-3-x flat {"id":3,"type":"x","a":1,"b":null}"#]]
    .assert_eq(&lines.collect::<Vec<_>>().join("\n"));
}

/// A format of one's own: no text, and another media type.
#[derive(Debug)]
struct Masked;
impl gesta_model::Format for Masked {
    fn content_type() -> ContentType {
        ContentType::new("application/x-masked").expect("a media type")
    }
    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
        let json = serde_json::to_vec(value).map_err(|error| error.to_string())?;
        Ok(json.into_iter().map(|byte| byte ^ 0xff).collect())
    }
    fn decode<T: serde::de::DeserializeOwned>(data: &[u8]) -> Result<T, String> {
        serde_json::from_slice(&unmasked(data)).map_err(|error| error.to_string())
    }
    fn decode_fields<T: serde::de::DeserializeOwned>(index: usize, data: &[u8]) -> Result<T, String> {
        gesta_model::event::decode_variant(index, &mut serde_json::Deserializer::from_slice(&unmasked(data)))
    }
}

fn unmasked(data: &[u8]) -> Vec<u8> {
    data.iter().map(|byte| byte ^ 0xff).collect()
}

#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[event(format = Masked)]
enum Secret {
    #[event("told", at = "secret-{id}", v = 2, upcast(1 = twice))]
    Told { id: u32, times: u32 },
}

fn twice(mut old: serde_json::Value) -> Result<serde_json::Value, String> {
    old["times"] = 2.into();
    Ok(old)
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Secrets(u32);
impl Model for Secrets {
    type Event = Secret;
    type Key = u32;
    const AT: &'static str = "secret-*";
    fn apply(&mut self, Secret::Told { times, .. }: &Secret, _: &Place<'_>) {
        self.0 += times;
    }
}

#[test]
fn events_may_be_written_in_any_format_of_serde() {
    let store = store();
    let domain = domain(&store);
    domain.record([Secret::Told { id: 1, times: 5 }]).expect("recorded");
    let written = store.read_all(ReadOptions::default()).expect("reads").next().expect("one").expect("reads");
    assert_eq!(written.content_type.as_str(), "application/x-masked");
    assert!(std::str::from_utf8(&written.data).is_err(), "not JSON");
    let put = |content_type: &str, data: Vec<u8>| {
        let content_type = ContentType::new(content_type).expect("a media type");
        let event = EventData { content_type, ..EventData::json("told".parse().expect("a type"), data) };
        store.append("secret-1".parse().expect("a name"), ExpectedRevision::Any, [event]).wait().expect("recorded");
    };
    put("application/x-masked", unmasked(br#"{"id":1}"#));
    assert_eq!(domain.get::<Secrets>(1_u32).wait().expect("an older version in the same format").0, 7);
    put("application/json", br#"{"id":1}"#.to_vec());
    let failed = domain.get::<Secrets>(1_u32).wait().expect_err("another format").to_string();
    assert!(failed.contains("its data is application/json instead of application/x-masked"), "{failed}");
}

#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Cart {
    #[event("added", at = "cart-{shop}-{cart}", also = "/shops/{shop}/carts/{cart}", also = "sku:{sku}")]
    Added { shop: String, cart: u32, sku: String },
}

macro_rules! counts {
    ($($name:ident, $key:ty, $at:literal;)*) => {$(
        #[derive(Clone, Default)]
        struct $name(u32);
        impl Model for $name {
            type Event = Cart;
            type Key = $key;
            const AT: &'static str = $at;
            fn apply(&mut self, _: &Cart, _: &Place<'_>) {
                self.0 += 1;
            }
        }
    )*};
}
counts! {
    OneCart, (String, u32), "/shops/*/carts/*";
    AllCarts, (), "/shops/*/carts/*";
    Sku, String, "sku:*";
    SkusWithX, (), "sku:x*";
}

#[test]
fn keys_have_a_part_for_each_star_and_tags_need_be_no_paths() {
    let store = store();
    let domain = domain(&store);
    let add = |shop: &str, cart, sku: &str| {
        domain.record([Cart::Added { shop: shop.into(), cart, sku: sku.into() }]).map(drop)
    };
    for (shop, cart, sku) in [("a/b", 1, "x1"), ("a", 1, "x2"), ("a", 2, "y")] {
        add(shop, cart, sku).expect("recorded");
    }
    assert_eq!(domain.get::<OneCart>(("a/b".to_owned(), 1)).wait().expect("read").0, 1);
    assert_eq!(domain.get::<OneCart>(("a".to_owned(), 1)).wait().expect("read").0, 1);
    assert_eq!(domain.get::<AllCarts>(()).wait().expect("read").0, 3);
    // Parts that come to the same text end to end are two keys.
    assert_eq!(domain.get::<OneCart>(("a/b1".to_owned(), 1)).wait().expect("read").0, 0);
    assert_eq!(domain.get::<OneCart>(("a/b".to_owned(), 11)).wait().expect("read").0, 0);
    add("a/b", 11, "z").expect("recorded");
    assert_eq!(domain.get::<OneCart>(("a/b".to_owned(), 11)).wait().expect("read").0, 1);
    assert_eq!(domain.get::<OneCart>(("a/b1".to_owned(), 1)).wait().expect("read").0, 0);
    assert_eq!(domain.get::<Sku>("x1").wait().expect("read").0, 1);
    assert_eq!(domain.get::<SkusWithX>(()).wait().expect("read").0, 2);

    // Followed by type, for the index has no patterns of such tags: events with other tags are no change.
    let mut watch = domain.watch::<SkusWithX>(());
    let mut next = || watch.next_within(Some(Duration::ZERO)).expect("read").map(|state| state.0);
    assert_eq!((next(), next()), (Some(2), None));
    add("a", 2, "y").expect("recorded");
    assert_eq!(next(), None, "another sku");
    add("a", 2, "xx").expect("recorded");
    assert_eq!((next(), next()), (Some(3), None));
}

#[test]
fn an_empty_store_answers_what_can_be_asked_of_it() {
    let clock = clock();
    let store = store_with(Arc::clone(&clock));
    let domain = Domain::with(
        store.clone(),
        DomainOptions { clock: Arc::<ManualClock>::clone(&clock), ..DomainOptions::default() },
    );
    let as_of = |moment: Moment| domain.get::<Account>(1_u32).as_of(moment).wait().map(|state| state.events);
    assert_eq!(as_of(Timestamp(0).into()).expect("nothing"), 0);
    assert_eq!(as_of(Timestamp(i64::MAX).into()).expect("nothing"), 0);
    for moment in [Moment::Position(Position(0)), Position(u64::MAX).into(), Revision(0).into()] {
        assert!(matches!(as_of(moment), Err(Error::Unanswerable(_))), "{moment:?}");
    }
    assert_eq!(
        domain
            .get::<Account>(1_u32)
            .at_least(&domain.record::<Bank>([]).expect("nothing"))
            .wait()
            .expect("read")
            .events,
        0
    );
    let accounts: Summaries<Account> = domain.accelerate().expect("accelerated");
    assert_eq!(accounts.state(&1, Position(0)).expect("nothing"), Account::default());
    assert!(accounts.state(&1, Position(1)).is_err() && accounts.between(&1, Position(0)..Position(1)).is_err());

    // A clock that stands does not make a state new that is not.
    let stale = |age| domain.get::<Account>(1_u32).stale(age).wait().expect("read").events;
    record(&store, [deposited(1, 5)]);
    assert_eq!(stale(Duration::ZERO), 1);
    record(&store, [deposited(1, 5)]);
    assert_eq!((stale(Duration::from_nanos(1)), stale(Duration::ZERO)), (1, 2));
}

#[test]
fn a_cache_that_holds_nothing_costs_time_and_no_answer() {
    for cache_bytes in [0, 1, 700] {
        let store = store();
        let (cache_idle, attempts) = (Duration::from_nanos(1), 0);
        let domain = Domain::with(
            store.clone(),
            DomainOptions { cache_bytes, cache_idle, attempts, ..DomainOptions::default() },
        );
        record(&store, [1, 2].map(|account| Bank::Opened { account, owner: "ada".into() }));
        record(&store, [deposited(1, 5)]);
        domain.send(Move { from: 1, to: 2, cents: 5 }).wait().expect("recorded");
        domain.send(Move { from: 2, to: 2, cents: 5 }).wait().expect("to itself, recorded");
        assert_eq!(domain.get::<Account>(2_u32).wait().expect("read").cents, 5);
        assert_eq!(domain.cache_info().states, 0);
    }
}

#[test]
fn states_that_grow_are_weighed_anew() {
    for (cache_bytes, fits) in [(60_000, false), (1 << 20, true)] {
        let store = store();
        let domain = Domain::with(store.clone(), DomainOptions { cache_bytes, ..DomainOptions::default() });
        for events in [1, 500] {
            for account in 0..20_u32 {
                record_together(&store, (0..events).map(|_| deposited(account, 1)));
                domain.get::<Places>(account).wait().expect("read");
            }
        }
        let info = domain.cache_info();
        assert_eq!(info.states == 20, fits, "{info:?}");
        assert!(if fits { info.bytes > 20 * 500 * 16 } else { info.bytes <= cache_bytes }, "{info:?}");
    }
}

/// Refuses with all it was told.
#[derive(Clone, Debug, Default, PartialEq)]
struct Places(Vec<(u64, u64)>);
impl Model for Places {
    type Event = Bank;
    type Key = u32;
    const AT: &'static str = "account-*";
    fn apply(&mut self, _: &Bank, place: &Place<'_>) {
        self.0.push((place.position.0, place.revision.0));
    }
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.0.len() * 16
    }
}

#[derive(Command, Debug)]
#[command(Places, key = account, or = Places)]
struct Tell {
    account: u32,
}
impl Decide for Tell {
    fn decide(&self, places: &Places) -> Result<Vec<Bank>, Places> {
        Err(places.clone())
    }
}

#[test]
fn what_is_given_to_a_test_has_the_revisions_of_its_streams() {
    let given = given([deposited(2, 1), deposited(1, 1), deposited(2, 1), deposited(1, 1)]);
    given.when(&Tell { account: 1 }).refuses(&Places(vec![(1, 0), (3, 1)]));
}

/// Decides by how often it was asked.
#[derive(Debug)]
struct Counting(std::sync::atomic::AtomicI64);
impl Command for Counting {
    const NAME: &'static str = "Counting";
    type Knows = Account;
    type Event = Bank;
    type Refusal = std::convert::Infallible;
    fn keys(&self) -> u32 {
        1
    }
}
impl Decide for Counting {
    fn decide(&self, _: &Account) -> Result<Vec<Bank>, std::convert::Infallible> {
        Ok(vec![deposited(1, self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed))])
    }
}

#[test]
#[should_panic(expected = "Counting decides otherwise each time")]
fn a_command_that_is_no_function_fails_its_test() {
    given([deposited(1, 1)]).when(&Counting(0.into())).then([deposited(1, 0)]);
}

/// Decides for an event whose path lacks its end.
#[derive(Command, Debug)]
#[command(Places, key = account)]
struct Misname {
    account: u32,
}
impl Decide for Misname {
    fn decide(&self, _: &Places) -> Result<Vec<Bank>, std::convert::Infallible> {
        Ok(vec![Bank::Deposited { account: 1, cents: 1, transfer: Some(String::new()) }])
    }
}

#[test]
fn what_could_not_be_recorded_would_not_be_and_a_request_needs_a_key() {
    let domain = domain(&store());
    let SendError::Failed(sent) = domain.send(Misname { account: 1 }).wait().expect_err("no name");
    let SendError::Failed(would) = domain.would(&Misname { account: 1 }).expect_err("no name");
    assert_eq!(sent.to_string(), would.to_string());
    assert!(matches!(would, Error::Unrecordable { event_type: "money-deposited", .. }));
    for key in ["", "a\nb"] {
        let failed = domain.send_once(key, Withdraw { account: 1, cents: 1 }).wait().expect_err("no key");
        assert!(matches!(failed, SendError::Failed(_)), "{failed:?}");
    }
}

//! What a user declares and what is not so: false laws that show only in the state many events lead to, false resets, code that is no function, events of others
//! that cannot be read, streams that hide events. None of it is served.

mod shared;

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use gesta_model::{
    Algebraic, Base, Demotion, Error, Laws, Model, Place, Summaries, TreeOptions,
    algebra::{Codec, Monoid, Reset, Sum},
};
use gesta_store::{EventData, EventStore, ExpectedRevision, Position, Revision};
use shared::*;

fn options(block: u64, audit_share: u64) -> TreeOptions {
    TreeOptions { block: Some(block), audit_share, ..TreeOptions::default() }
}

fn cents(event: &Bank) -> i64 {
    match event {
        Bank::Deposited { cents, .. } => *cents,
        Bank::Withdrawn { cents, .. } => -*cents,
        Bank::Opened { .. } | Bank::Set { .. } => 0,
    }
}

/// A sum that saturates: right as long as few are added.
#[derive(Clone, Debug, Default, PartialEq)]
struct Saturating(i64);
impl Model for Saturating {
    type Event = Bank;
    type Key = u32;
    const AT: &'static str = "account-*";
    fn apply(&mut self, event: &Bank, _: &Place<'_>) {
        self.0 = self.0.saturating_add(cents(event));
    }
}
impl Algebraic for Saturating {
    type Summary = Sum;
    fn lift(event: &Bank, _: &Place<'_>) -> Sum {
        Sum::of(cents(event))
    }
    fn act(&mut self, sum: &Sum) {
        let total = i128::from(self.0) + sum.total();
        self.0 = i64::try_from(total).unwrap_or(if total < 0 { i64::MIN } else { i64::MAX });
    }
}

/// Large amounts, of which it takes a thousand to reach the limit; then some are taken out again.
fn many(store: &EventStore) -> Saturating {
    const LARGE: i64 = 10_000_000_000_000_000;
    let events: Vec<Bank> =
        (0..2_000).map(|n| if n < 1_200 { deposited(1, LARGE) } else { withdrawn(1, LARGE) }).collect();
    events.chunks(500).for_each(|commit| record_together(store, commit.to_vec()));
    let mut state = Saturating::default();
    events.iter().for_each(|event| state.apply(event, &Place::imagined(0, "")));
    state
}

/// Blocks alone kept the law, so the audit of blocks saw nothing, and a wrong balance was served.
#[test]
fn i7_a_law_that_fails_only_after_many_blocks_is_found_when_they_are_composed() {
    let store = store();
    let folded = many(&store);
    let domain = domain(&store);
    let summaries: Summaries<Saturating> = domain.accelerate_with(options(64, 64)).expect("accelerated");
    let state = domain.get::<Saturating>(1_u32).wait().expect("read");
    assert_eq!(*state.value, folded);
    let Demotion { broken, .. } = summaries.demotion().expect("found");
    assert_eq!(broken.law, "act(a·b) = act(a), act(b)");
    assert!(matches!(summaries.state(&1, store.head().position()), Err(Error::Demoted(_))));
    // Nor is what is right as far as it goes: nobody knows how far that is.
    assert!(matches!(summaries.state(&1, Position(64)), Err(Error::Demoted(_))));
}

/// The same by runs: the instance has no stream that is looked at alone.
#[test]
fn i7_so_is_one_of_a_single_path_among_many() {
    let store = store();
    many(&store);
    let domain = domain(&store);
    let summaries: Summaries<Saturating> = domain.accelerate_with(options(64, 64)).expect("accelerated");
    let asked = summaries.point(&1, store.head().position());
    assert!(matches!(asked, Err(Error::Demoted(_))), "{asked:?}");
}

/// Windows of a log begin with nothing, and so no window reached the limit.
#[test]
fn laws_are_tried_on_a_log_from_the_states_it_led_to() {
    let store = store();
    many(&store);
    let report = domain(&store).check_laws(&Laws::<Saturating>::default(), 1_u32).expect("read");
    let Demotion { broken, events, .. } = report.broken.expect("found");
    assert!(broken.evidence.starts_with("  state: Saturating(92"), "{broken}");
    assert!((2..=3).contains(&events.len()), "the fewest: one too many, and one taken out, {events:?}");
}

/// The balance that was set last; a summary that takes a deposit for a reset as well.
#[derive(Clone, Debug, PartialEq)]
struct Hasty(i64, bool);
impl Monoid for Hasty {
    fn identity() -> Self {
        Self(0, false)
    }
    fn combine(&mut self, later: &Self) {
        *self = Self(self.0.wrapping_add(later.0), self.1 || later.1);
    }
}
impl Reset for Hasty {
    fn is_reset(&self) -> bool {
        self.1 // false: what was before is added
    }
}
impl Codec for Hasty {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.0, self.1).encode(out);
    }
    fn decode(input: &mut &[u8]) -> Option<Self> {
        <(i64, bool)>::decode(input).map(|(cents, reset)| Self(cents, reset))
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Balance(i64);
impl Model for Balance {
    type Event = Bank;
    type Key = u32;
    const AT: &'static str = "account-*";
    fn apply(&mut self, event: &Bank, _: &Place<'_>) {
        self.0 = self.0.wrapping_add(cents(event));
    }
}
impl Algebraic for Balance {
    type Summary = Hasty;
    fn lift(event: &Bank, _: &Place<'_>) -> Hasty {
        Hasty(cents(event), matches!(event, Bank::Deposited { .. }))
    }
    fn act(&mut self, sum: &Hasty) {
        self.0 = self.0.wrapping_add(sum.0);
    }
}

/// A read backwards took no nodes, and so nothing audited it: it answered by the last deposit alone.
#[test]
fn a_false_reset_is_found_by_who_reads_backwards() {
    let store = store();
    record(&store, [deposited(1, 5), withdrawn(1, 1), deposited(1, 7), withdrawn(1, 2)]);
    let summaries: Summaries<Balance> = domain(&store).accelerate().expect("accelerated");
    let asked = summaries.state_since_reset(&1, store.head().position());
    let Err(Error::Demoted(demotion)) = asked else { panic!("{asked:?}") };
    assert!(demotion.broken.law.starts_with("reset"), "{demotion}");
    assert!(demotion.events.len() == 2 && demotion.events.contains(&Position(2)), "the fewest, {demotion}");
    let again = summaries.state_since_reset(&1, store.head().position());
    assert!(matches!(again, Err(Error::Demoted(_))), "{again:?}");
}

static CALLS: AtomicI64 = AtomicI64::new(0);

/// What it comes to depends on how often it was asked.
#[derive(Clone, Debug, Default, PartialEq)]
struct Fickle(i64);
impl Model for Fickle {
    type Event = Bank;
    type Key = u32;
    const AT: &'static str = "account-*";
    fn apply(&mut self, _: &Bank, _: &Place<'_>) {
        self.0 += CALLS.fetch_add(1, Relaxed);
    }
}
impl Algebraic for Fickle {
    type Summary = Sum;
    fn lift(_: &Bank, _: &Place<'_>) -> Sum {
        Sum::of(CALLS.fetch_add(1, Relaxed))
    }
    fn act(&mut self, sum: &Sum) {
        self.0 += i64::try_from(sum.total()).expect("small");
    }
}

#[test]
fn a_model_that_is_no_function_of_its_events_is_demoted() {
    let store = store();
    record_together(&store, (0..300).map(|n| deposited(1, n)));
    let domain = domain(&store);
    let summaries: Summaries<Fickle> = domain.accelerate_with(options(16, 64)).expect("accelerated");
    let (_, explain) = domain.get::<Fickle>(1_u32).explain().expect("read");
    assert_eq!(explain.base, Base::Nothing);
    assert!(summaries.demotion().is_some());
}

/// One transfer's garbage kept every other transfer from being read, as soon as the model was accelerated.
#[test]
fn i7_an_event_that_cannot_be_read_fails_its_own_instance_and_no_other() {
    let store = store();
    let move_in = |name: &str| Bank::Deposited { account: 1, cents: 1, transfer: Some(name.to_owned()) };
    record_together(&store, (0..64).map(|_| move_in("good")));
    let garbage = EventData::json("money-deposited".parse().expect("a type"), "[]")
        .with_tag("/transfers/bad".parse().expect("a tag"));
    store.append("account-2".parse().expect("a name"), ExpectedRevision::Any, [garbage]).wait().expect("recorded");
    record_together(&store, (0..64).map(|_| move_in("good")));
    let domain = domain(&store);
    domain.accelerate_with::<Transfer>(options(8, 2)).expect("accelerated");
    assert_eq!(domain.get::<Transfer>("good").wait().expect("read").arrived, 128);
    assert!(matches!(domain.get::<Transfer>("bad").wait(), Err(Error::Undecodable { position: Position(64), .. })));
}

/// Nodes have what a stream hides, and its readers do not.
#[test]
fn i7_summaries_of_a_stream_that_hides_events_are_what_its_readers_see() {
    let store = store();
    record_together(&store, (1..=100).map(|cents| deposited(1, cents)));
    let domain = domain(&store);
    let accounts: Summaries<Account> = domain.accelerate_with(options(8, 2)).expect("accelerated");
    let head = store.head().position();
    assert_eq!(accounts.state(&1, head).expect("read").cents, 5_050);
    let stream = "account-1".parse().expect("a name");
    store.set_stream_metadata(&stream, ExpectedRevision::Any, r#"{"$maxCount":3}"#).wait().expect("recorded");
    let now = store.head().position();
    let folded = domain.get::<Account>(1_u32).wait().expect("read");
    assert_eq!(folded.cents, 98 + 99 + 100);
    assert_eq!(accounts.state(&1, now).expect("read"), *folded.value);
    assert_eq!(accounts.point(&1, now).expect("read"), *folded.value);
    let mut change = Account::default();
    change.act(&accounts.between(&1, Position::START..now).expect("read"));
    assert_eq!(change, *folded.value);

    // Revisions are those of the stream, however many of them are hidden.
    let at = |revision| domain.get::<Account>(1_u32).as_of(Revision(revision)).wait();
    assert_eq!(at(98).expect("read").revision, Some(Revision(98)));
    let hidden = at(5).expect_err("is hidden");
    assert_eq!(hidden.to_string(), "revision cannot be read, model=Account revision=5 last=99");
    let mut told = Vec::new();
    domain.history::<Account>(1_u32).until(Revision(98)).each(|event, _| told.push(event.revision.0)).expect("told");
    assert_eq!(told.last(), Some(&98), "{told:?}");
}

/// A tag that another program gave an event made it one of two instances for summaries, and of one for the fold.
#[test]
fn i7_tags_of_others_make_no_instances() {
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Homes(i128);
    impl Model for Homes {
        type Event = Bank;
        type Key = u32;
        const AT: &'static str = "account-*";
        fn apply(&mut self, event: &Bank, _: &Place<'_>) {
            self.0 += i128::from(cents(event));
        }
    }
    impl Algebraic for Homes {
        type Summary = Sum;
        fn lift(event: &Bank, _: &Place<'_>) -> Sum {
            Sum::of(cents(event))
        }
        fn act(&mut self, sum: &Sum) {
            self.0 += sum.total();
        }
    }
    let store = store();
    let append = |account: u32| {
        let (stream, event) = gesta_model::event::to_recordable(&deposited(account, 5)).expect("recordable");
        let event = event.with_tag("account-9".parse().expect("a tag"));
        store.append(stream, ExpectedRevision::Any, [event]).wait().expect("recorded");
    };
    (0..32).for_each(|_| append(1));
    let domain = domain(&store);
    let homes: Summaries<Homes> = domain.accelerate_with(options(4, 2)).expect("accelerated");
    let head = store.head().position();
    assert_eq!(domain.get::<Homes>(9_u32).wait().expect("read").0, 0);
    assert_eq!(homes.point(&9, head).expect("read"), Homes(0));
    assert_eq!(homes.by_path_between(Position::START..head).expect("read").len(), 1);
}

/// Of two programs the older one went on without what the newer one recorded, and never knew.
#[test]
fn the_next_version_of_a_kind_is_noticed_wherever_it_stands() {
    #[derive(Clone, Default)]
    struct Everything(u64);
    impl Model for Everything {
        type Event = Bank;
        type Key = ();
        fn apply(&mut self, _: &Bank, _: &Place<'_>) {
            self.0 += 1;
        }
    }
    let store = store();
    record(&store, [deposited(1, 1)]);
    let put = |event_type: &str| {
        let event = EventData::json(event_type.parse().expect("a type"), "{}");
        store.append("account-1".parse().expect("a name"), ExpectedRevision::Any, [event]).wait().expect("recorded");
    };
    put("money-deposited.void");
    let domain = domain(&store);
    assert_eq!(domain.get::<Everything>(()).wait().expect("another domain's is none of its").0, 1);
    put("money-deposited.v2");
    let failed = domain.get::<Everything>(()).wait().map(|state| state.0);
    assert!(matches!(failed, Err(Error::UnknownKind { position: Position(2), .. })), "{failed:?}");
}

//! Invariant I7, for models: every faster way equals the fold, on random logs, at random moments, across evictions; and a false law is found,
//! reported and never served.

mod shared;

use std::{collections::BTreeMap, num::NonZero};

use gesta_model::{
    Algebraic, Base, Domain, DomainOptions, Error, Laws, Model, OnCaller, Place, Summaries, Threads, TreeOptions,
    Unreadable,
    algebra::{Monoid, Register, Sum},
};
use gesta_store::{Position, ReadOptions};
use proptest::{collection::vec, prelude::*};
use shared::*;

fn any_event() -> impl Strategy<Value = Bank> {
    let account = prop_oneof![3 => Just(1_u32), 2 => 2..4_u32, 1 => 4..40_u32];
    let cents = prop_oneof![Just(i64::MAX), Just(i64::MIN), -50..50_i64];
    let transfer = proptest::option::of("[a-c]/?");
    (account, cents, transfer, 0..5_u8).prop_map(|(account, cents, transfer, kind)| match kind {
        0 | 1 => Bank::Deposited { account, cents, transfer },
        2 => Bank::Withdrawn { account, cents, transfer },
        3 => Bank::Set { account, cents },
        _ => Bank::Opened { account, owner: "ada".to_owned() },
    })
}

/// What the fold says, by reading everything: the reference, without anything of the engine but the store.
fn folded<M: Model<Event = Bank>>(events: &[(Position, Bank)], head: u64, belongs: impl Fn(&Bank) -> bool) -> M {
    let mut state = M::default();
    for (position, event) in events.iter().filter(|(position, event)| position.0 < head && belongs(event)) {
        state.apply(event, &Place { position: *position, ..Place::imagined(0, "") });
    }
    state
}

fn account_of(event: &Bank) -> u32 {
    match event {
        Bank::Opened { account, .. }
        | Bank::Deposited { account, .. }
        | Bank::Withdrawn { account, .. }
        | Bank::Set { account, .. } => *account,
    }
}

fn transfer_of(event: &Bank) -> Option<&str> {
    match event {
        Bank::Deposited { transfer, .. } | Bank::Withdrawn { transfer, .. } => transfer.as_deref(),
        Bank::Opened { .. } | Bank::Set { .. } => None,
    }
}

fn small(block: u64, cache_bytes: u64) -> TreeOptions {
    TreeOptions { block: Some(block), cache_bytes, audit_share: 2 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn i7_every_faster_way_equals_the_fold(
        events in vec(any_event(), 1..500),
        moments in vec(any::<prop::sample::Index>(), 6),
        block in 1..6_u64,
        // So little that nodes and states are evicted all the time, or plenty.
        cache_bytes in prop_oneof![Just(2_000_u64), Just(1 << 24)],
        threads in 1..4_usize,
    ) {
        let store = store();
        // In commits of three, so that a moment may be inside of one.
        events.chunks(3).for_each(|commit| record_together(&store, commit.to_vec()));
        let recorded: Vec<(Position, Bank)> = (0..).map(Position).zip(events.iter().cloned()).collect();
        let domain = Domain::with(store.clone(), DomainOptions { cache_bytes, ..DomainOptions::default() });
        let options = small(block, cache_bytes);
        let vault: Summaries<Vault> = domain.accelerate_with(options).expect("accelerated");
        let accounts: Summaries<Account> = domain.accelerate_with(options).expect("accelerated");
        let transfers: Summaries<Transfer> = domain.accelerate_with(options).expect("accelerated");
        let workers = Threads(NonZero::new(threads).expect("at least one"));
        vault.build(&workers, store.head().position()).expect("built");
        accounts.build(&OnCaller, store.head().position()).expect("built");

        let heads: Vec<u64> = moments.iter().map(|moment| moment.index(events.len() + 1) as u64).collect();
        for &head in heads.iter().chain([&0, &(events.len() as u64)]) {
            let at = Position(head);
            let whole: Vault = folded(&recorded, head, |_| true);
            prop_assert_eq!(&vault.state(&(), at).expect("read"), &whole);
            let by_path = accounts.by_path_between(Position::START..at).expect("read");
            let mut seen = 0;
            for account in 1..40_u32 {
                let reference: Account = folded(&recorded, head, |event| account_of(event) == account);
                prop_assert_eq!(&accounts.state(&account, at).expect("read"), &reference);
                prop_assert_eq!(&accounts.point(&account, at).expect("read"), &reference);
                let mut state = Account::default();
                if let Some(summary) = by_path.get(&format!("account-{account}")) {
                    state.act(summary);
                    seen += 1;
                }
                prop_assert_eq!(&state, &reference);
                if head > 0 {
                    let got = domain.get::<Account>(account).as_of(Position(head - 1)).wait().expect("read");
                    prop_assert_eq!(&*got.value, &reference);
                    prop_assert_eq!(got.revision.map(|r| r.0 + 1), Some(reference.events).filter(|events| *events > 0));
                }
            }
            prop_assert_eq!(by_path.len(), seen);
            for name in ["a", "b/", "c"] {
                let reference: Transfer = folded(&recorded, head, |event| transfer_of(event) == Some(name));
                prop_assert_eq!(&transfers.state(&name.to_owned(), at).expect("read"), &reference);
                if head > 0 {
                    let got = domain.get::<Transfer>(name).as_of(Position(head - 1)).wait().expect("read");
                    prop_assert_eq!(&*got.value, &reference);
                }
            }
        }
        // Ranges: from a state, the effect of the range leads to the other.
        for pair in heads.windows(2) {
            let (from, to) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
            let range = Position(from)..Position(to);
            let mut state: Vault = folded(&recorded, from, |_| true);
            state.act(&vault.between(&(), range.clone()).expect("read"));
            prop_assert_eq!(state, folded(&recorded, to, |_| true));
            let mut state: Account = folded(&recorded, from, |event| account_of(event) == 1);
            state.act(&accounts.between(&1, range.clone()).expect("read"));
            prop_assert_eq!(state, folded(&recorded, to, |event| account_of(event) == 1));
            let mut state: Transfer = folded(&recorded, from, |event| transfer_of(event) == Some("a"));
            state.act(&transfers.between(&"a".to_owned(), range).expect("read"));
            prop_assert_eq!(state, folded(&recorded, to, |event| transfer_of(event) == Some("a")));
        }
        // The latest, hot and cold, and after forgetting.
        vault.clear();
        for _ in 0..2 {
            let latest = domain.get::<Vault>(()).wait().expect("read");
            prop_assert_eq!(&*latest.value, &folded(&recorded, u64::MAX, |_| true));
        }
        prop_assert!(vault.demotion().is_none() && accounts.demotion().is_none() && transfers.demotion().is_none());
    }

    #[test]
    fn i7_a_cached_state_and_its_tail_equal_the_fold(
        commits in vec(vec(any_event(), 1..4), 1..40),
        asks in vec((0..40_usize, 1..5_u32), 1..60),
        cache_bytes in prop_oneof![Just(600_u64), Just(1 << 24)],
    ) {
        let store = store();
        let domain = Domain::with(store.clone(), DomainOptions { cache_bytes, ..DomainOptions::default() });
        let mut recorded = Vec::new();
        for (index, commit) in commits.iter().enumerate() {
            record_together(&store, commit.clone());
            recorded.extend((recorded.len() as u64..).map(Position).zip(commit.iter().cloned()).collect::<Vec<_>>());
            for (_, account) in asks.iter().filter(|(at, _)| *at == index) {
                let got = domain.get::<Account>(*account).wait().expect("read");
                prop_assert_eq!(&*got.value, &folded(&recorded, u64::MAX, |event| account_of(event) == *account));
                let vault = domain.get::<Vault>(()).wait().expect("read");
                prop_assert_eq!(&*vault.value, &folded(&recorded, u64::MAX, |_| true));
            }
        }
    }
}

#[test]
fn summaries_are_used_when_they_are_worth_it() {
    let store = store();
    let events = (0..3_000).map(|n| deposited(if n % 3 == 0 { 1 } else { n + 10 }, 1));
    events.collect::<Vec<_>>().chunks(500).for_each(|commit| record_together(&store, commit.to_vec()));
    let domain = domain(&store);
    domain.accelerate::<Vault>().expect("accelerated");
    domain.accelerate_with::<Account>(TreeOptions { block: Some(64), ..TreeOptions::default() }).expect("accelerated");
    let base = |account: u32, position| {
        domain.get::<Account>(account).as_of(Position(position)).explain().map(|(_, explain)| explain).expect("read")
    };
    let long = base(1, 2_999);
    assert!(matches!(long.base, Base::Summaries(1..)) && long.events < 64, "{long}");
    assert_eq!(base(1, 200).base, Base::Nothing, "a short stream is folded");
    assert_eq!(base(12, 2_999).base, Base::Nothing);
    let (_, vault) = domain.get::<Vault>(()).as_of(Position(2_500)).explain().expect("read");
    assert!(matches!(vault.base, Base::Summaries(1..)) && vault.events < 256, "{vault}");
}

/// Keeps the sum of what was added, saturating: a law that holds until it matters.
#[derive(Clone, Debug, Default, PartialEq)]
struct Saturating(i64);
impl Model for Saturating {
    type Event = Bank;
    type Key = u32;
    const AT: &'static str = "account-*";
    fn apply(&mut self, event: &Bank, _: &Place<'_>) {
        if let Bank::Deposited { cents, .. } = event {
            self.0 = self.0.saturating_add(*cents);
        }
    }
}
impl Algebraic for Saturating {
    type Summary = Sum;
    fn lift(event: &Bank, _: &Place<'_>) -> Sum {
        match event {
            Bank::Deposited { cents, .. } => Sum::of(*cents),
            Bank::Opened { .. } | Bank::Withdrawn { .. } | Bank::Set { .. } => Sum::identity(),
        }
    }
    fn act(&mut self, sum: &Sum) {
        self.0 = i64::try_from(i128::from(self.0) + sum.total()).unwrap_or(if sum.total() < 0 {
            i64::MIN
        } else {
            i64::MAX
        });
    }
}

#[test]
fn i7_a_false_law_is_found_reported_with_few_events_and_never_served() {
    let store = store();
    let mut events: Vec<Bank> = (0..600).map(|n| deposited(1, n)).collect();
    events[70] = deposited(1, i64::MAX);
    events[90] = deposited(1, -1_000_000);
    record_together(&store, events.clone());
    let domain = domain(&store);
    let options = TreeOptions { block: Some(128), audit_share: 1, ..TreeOptions::default() };
    let summaries: Summaries<Saturating> = domain.accelerate_with(options).expect("accelerated");
    // Whoever asks gets the fold, although summaries would have been used.
    let (state, explain) = domain.get::<Saturating>(1_u32).as_of(Position(599)).explain().expect("read");
    let recorded: Vec<_> = (0..).map(Position).zip(events).collect();
    assert_eq!((&*state.value, explain.base), (&folded::<Saturating>(&recorded, 600, |_| true), Base::Nothing));
    let demotion = summaries.demotion().expect("reported");
    assert!(demotion.events.len() <= 3, "{demotion}");
    assert!(demotion.events.contains(&Position(70)) && demotion.events.contains(&Position(90)), "{demotion}");
    assert!(demotion.to_string().starts_with("model is answered by its fold alone, model=Saturating positions=70,"));
    for refused in [summaries.state(&1, Position(600)), summaries.point(&1, Position(600))] {
        assert!(matches!(refused, Err(Error::Demoted(_))), "{refused:?}");
    }
    assert!(summaries.build(&OnCaller, Position(600)).is_err());
}

#[test]
fn a_head_that_is_not_reached_is_refused() {
    let store = store();
    record(&store, [deposited(1, 1)]);
    let domain = domain(&store);
    let vault: Summaries<Vault> = domain.accelerate().expect("accelerated");
    assert!(matches!(vault.state(&(), Position(2)), Err(Error::Unanswerable(_))));
    assert_eq!(vault.state(&(), Position(1)).expect("read").moved, 1);
}

/// The last balance that was set, or nothing.
#[derive(Clone, Debug, Default, PartialEq)]
struct LastSet(Option<i64>);
impl Model for LastSet {
    type Event = Bank;
    type Key = u32;
    const AT: &'static str = "account-*";
    const UNREADABLE: Unreadable = Unreadable::Skip;
    fn apply(&mut self, event: &Bank, _: &Place<'_>) {
        if let Bank::Set { cents, .. } = event {
            self.0 = Some(*cents);
        }
    }
}
impl Algebraic for LastSet {
    type Summary = Register<i64>;
    fn lift(event: &Bank, _: &Place<'_>) -> Register<i64> {
        match event {
            Bank::Set { cents, .. } => Register::set(*cents),
            Bank::Opened { .. } | Bank::Deposited { .. } | Bank::Withdrawn { .. } => Register::identity(),
        }
    }
    fn act(&mut self, last: &Register<i64>) {
        self.0 = last.get().copied().or(self.0);
    }
}

#[test]
fn a_reset_ends_a_read_backwards() {
    proptest!(|(events in vec(any_event(), 0..200), head in any::<prop::sample::Index>())| {
        let store = store();
        if !events.is_empty() {
            record_together(&store, events.clone());
        }
        let domain = domain(&store);
        let summaries: Summaries<LastSet> = domain.accelerate().expect("accelerated");
        let head = head.index(events.len() + 1) as u64;
        let recorded: Vec<_> = (0..).map(Position).zip(events).collect();
        for account in 1..4_u32 {
            let reference: LastSet = folded(&recorded, head, |event| account_of(event) == account);
            prop_assert_eq!(summaries.state_since_reset(&account, Position(head)).expect("read"), reference);
        }
    });
}

#[test]
fn nodes_are_bounded_by_bytes() {
    let store = store();
    (0..20).for_each(|_| record_together(&store, (0..500).map(|n| deposited(n % 97, 1))));
    let domain = domain(&store);
    let options = TreeOptions { block: Some(8), cache_bytes: 30_000, audit_share: 0 };
    let vault: Summaries<Vault> = domain.accelerate_with(options).expect("accelerated");
    let head = store.head().position();
    vault.build(&Threads(NonZero::new(2).expect("two")), head).expect("built");
    assert_eq!(vault.state(&(), head).expect("read").moved, 10_000);
    let info = vault.info();
    assert!(info.bytes <= 30_000 && info.nodes > 0, "{info:?}");
    let by_account: BTreeMap<u32, i128> =
        vault.between(&(), Position(0)..head).expect("read").2.iter().map(|(a, s)| (*a, s.total())).collect();
    assert_eq!(by_account.len(), 97);
    assert_eq!(store.read_all(ReadOptions::default()).expect("read").count(), 10_000);
}

#[test]
fn laws_are_tried_on_what_was_recorded() {
    let store = store();
    let mut events: Vec<Bank> = (0..300).map(|n| deposited(1, n)).collect();
    record_together(&store, events.clone());
    let domain = domain(&store);
    let laws = Laws::<Saturating>::default().commutative().invertible();
    let clean = domain.check_laws(&Laws::<Saturating>::default(), 1_u32).expect("read");
    assert_eq!((clean.events, clean.broken), (300, None));
    events = vec![deposited(1, i64::MAX), deposited(1, 5), deposited(1, -9)];
    record_together(&store, events);
    let report = domain.check_laws(&laws, 1_u32).expect("read");
    let broken = report.broken.expect("found");
    assert!(broken.events.len() <= 3 && broken.events.contains(&Position(300)), "{broken}");
}

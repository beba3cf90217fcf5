//! Laws that people believe in and that do not hold must all be caught; laws that hold must not.

use gesta_model_derive::{Event, Monoid};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Laws, suite};
use crate::{
    algebra::{Codec, Commutative, Fsm, Idempotent, Invertible, Max, Monoid, Register, Reset, Sum},
    event::Place,
    model::{Algebraic, Model},
};

#[derive(Event, Serialize, Deserialize, Clone, Debug)]
enum Number {
    #[event("added", at = "numbers")]
    Added { number: i64 },
    #[event("raised", at = "numbers")]
    Raised { to: i64 },
}

fn added() -> impl Strategy<Value = Number> {
    suite::extreme_i64().prop_map(|number| Number::Added { number })
}

fn any_event() -> impl Strategy<Value = Number> {
    let raised = suite::extreme_i64().prop_map(|to| Number::Raised { to });
    prop_oneof![added(), raised]
}

/// A model over `Number`, the way it summarizes, and what its summary claims.
macro_rules! model {
    ($name:ident($state:ty), $summary:ty, |$s:ident, $n:ident| $apply:expr, |$e:ident, $p:ident| $lift:expr, |$t:ident, $m:ident| $act:expr) => {
        #[derive(Clone, Debug, Default, PartialEq)]
        struct $name($state);
        impl Model for $name {
            type Event = Number;
            type Key = ();
            const AT: &'static str = "numbers";
            fn apply(&mut self, $n: &Number, _place: &Place<'_>) {
                let $s = &mut self.0;
                $apply
            }
        }
        impl Algebraic for $name {
            type Summary = $summary;
            fn lift($e: &Number, $p: &Place<'_>) -> $summary {
                $lift
            }
            fn act(&mut self, $m: &$summary) {
                let $t = &mut self.0;
                $act
            }
        }
    };
}

fn number(event: &Number) -> i64 {
    match event {
        Number::Added { number } | Number::Raised { to: number } => *number,
    }
}

/// A summary around one value, with any `combine`.
macro_rules! summary {
    ($name:ident($inner:ty) = $identity:expr, |$a:ident, $b:ident| $combine:expr) => {
        #[derive(Clone, Debug, PartialEq)]
        struct $name($inner);
        impl Monoid for $name {
            fn identity() -> Self {
                Self($identity)
            }
            fn combine(&mut self, later: &Self) {
                let ($a, $b) = (&mut self.0, &later.0);
                $combine
            }
        }
        impl Codec for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(format!("{:?}", self.0).as_bytes());
            }
            fn decode(input: &mut &[u8]) -> Option<Self> {
                let text = std::str::from_utf8(std::mem::take(input)).ok()?;
                CodecOf::parse(text).map(Self)
            }
        }
    };
}

/// Enough of a codec for the false summaries here: their text.
trait CodecOf: Sized {
    fn parse(text: &str) -> Option<Self>;
}
impl CodecOf for f64 {
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}
impl CodecOf for i64 {
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}
impl CodecOf for Option<i64> {
    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')')) {
            None => Some(None),
            Some(number) => number.parse().ok().map(Some),
        }
    }
}
impl CodecOf for (i64, Option<i64>) {
    fn parse(text: &str) -> Option<Self> {
        let (first, second) = text.strip_prefix('(')?.strip_suffix(')')?.split_once(", ")?;
        Some((first.parse().ok()?, CodecOf::parse(second)?))
    }
}

#[track_caller]
fn caught<M: Algebraic<Event = Number>>(laws: &Laws<M>, events: impl Strategy<Value = Number>, law: &str) {
    let broken = suite::holds(laws, events).expect_err("the law is false");
    assert!(broken.law.contains(law), "{broken}");
}

summary!(FloatSum(f64) = 0.0, |a, b| *a += b);
model!(FloatTotal(f64), FloatSum, |s, n| *s += number(n) as f64, |e, _p| FloatSum(number(e) as f64), |s, m| *s += m.0);

#[test]
fn floating_point_addition_is_caught() {
    caught(&Laws::<FloatTotal>::default(), added(), "");
}

summary!(Saturating(i64) = 0, |a, b| *a = a.saturating_add(*b));
model!(
    SaturatingTotal(i64),
    Saturating,
    |s, n| *s = s.saturating_add(number(n)),
    |e, _p| Saturating(number(e)),
    |s, m| *s = s.saturating_add(m.0)
);

#[test]
fn saturating_addition_is_caught() {
    caught(&Laws::<SaturatingTotal>::default(), added(), "");
    // And it is the extremes that catch it.
    let small = (0..9_i64).prop_map(|number| Number::Added { number });
    assert_eq!(suite::holds(&Laws::<SaturatingTotal>::default(), small), Ok(()));
}

summary!(Average(Option<i64>) = None, |a, b| *a = match (*a, *b) {
    (Some(a), Some(b)) => Some(i64::midpoint(a, b)),
    (one, other) => one.or(other),
});
model!(
    NaiveAverage(Option<i64>),
    Average,
    |s, n| *s = Some(s.map_or(number(n), |s| i64::midpoint(s, number(n)))),
    |e, _p| Average(Some(number(e))),
    |s, m| if let Some(m) = m.0 {
        *s = Some(s.map_or(m, |s| i64::midpoint(s, m)));
    }
);

#[test]
fn an_average_of_averages_is_caught() {
    caught(&Laws::<NaiveAverage>::default(), added(), "");
}

summary!(FirstWritten(Option<i64>) = None, |a, b| *a = a.or(*b));
impl Commutative for FirstWritten {} // false
impl Idempotent for FirstWritten {}
model!(
    Started(Option<i64>),
    FirstWritten,
    |s, n| *s = s.or(Some(number(n))),
    |e, _p| FirstWritten(Some(number(e))),
    |s, m| *s = s.or(m.0)
);

#[test]
fn first_write_wins_without_a_position_is_not_commutative() {
    assert_eq!(suite::holds(&Laws::<Started>::default().idempotent(), added()), Ok(()));
    caught(&Laws::<Started>::default().commutative(), added(), "commutativity");
}

// Adds `.0`, then raises to `.1`. A later addition must shift the bound as well, and does not here.
summary!(Unshifted((i64, Option<i64>)) = (0, None), |a, b| *a = (a.0.wrapping_add(b.0), a.1.max(b.1)));
model!(
    Raising(i64),
    Unshifted,
    |s, n| match n {
        Number::Added { number } => *s = s.wrapping_add(*number),
        Number::Raised { to } => *s = (*s).max(*to),
    },
    |e, _p| match e {
        Number::Added { number } => Unshifted((*number, None)),
        Number::Raised { to } => Unshifted((0, Some(*to))),
    },
    |s, m| {
        *s = s.wrapping_add(m.0.0);
        *s = m.0.1.map_or(*s, |to| (*s).max(to));
    }
);

#[test]
fn a_maximum_that_is_not_shifted_by_additions_is_caught() {
    let small = prop_oneof![
        (-3..3_i64).prop_map(|number| Number::Added { number }),
        (-3..3_i64).prop_map(|to| Number::Raised { to })
    ];
    let broken = suite::holds(&Laws::<Raising>::default(), small).expect_err("the law is false");
    assert!(broken.law.contains("apply"), "{broken}");
    // The smallest there is: an addition after a raise.
    let events = broken.evidence.split("events: ").nth(1).expect("events are shown");
    assert_eq!(events.matches("Raised").count() + events.matches("Added").count(), 2, "{broken}");
}

summary!(Appended(Option<i64>) = None, |a, b| *a = b.or(*a));
impl Idempotent for Appended {}
impl Reset for Appended {
    fn is_reset(&self) -> bool {
        true // false: the identity is none
    }
}
impl Invertible for Appended {
    fn invert(&mut self) {
        self.0 = None; // false
    }
}
model!(Latest(Option<i64>), Appended, |s, n| *s = Some(number(n)), |e, _p| Appended(Some(number(e))), |s, m| *s =
    m.0.or(*s));

#[test]
fn false_resets_and_inverses_are_caught() {
    assert_eq!(suite::holds(&Laws::<Latest>::default().idempotent(), added()), Ok(()));
    caught(&Laws::<Latest>::default().reset(), added(), "reset");
    caught(&Laws::<Latest>::default().invertible(), added(), "inverse");
}

/// `x` is set; `y` becomes what `x` is: each is idempotent alone, and their words are not.
#[derive(Clone, Debug, PartialEq)]
struct Copying([u8; 4]);
impl Monoid for Copying {
    fn identity() -> Self {
        Self([0, 1, 2, 3])
    }
    fn combine(&mut self, later: &Self) {
        *self = Self(self.0.map(|state| later.0[usize::from(state)]));
    }
}
impl Idempotent for Copying {} // false
impl Codec for Copying {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
    fn decode(input: &mut &[u8]) -> Option<Self> {
        let (&table, rest) = input.split_first_chunk()?;
        *input = rest;
        Some(Self(table))
    }
}
model!(TwoBits(u8), Copying, |s, n| *s = lift_bits(n).0[usize::from(*s)], |e, _p| lift_bits(e), |s, m| *s =
    m.0[usize::from(*s)]);

/// States are `x + 2·y`.
fn lift_bits(event: &Number) -> Copying {
    match event {
        Number::Added { .. } => Copying([1, 1, 3, 3]),  // x := 1
        Number::Raised { .. } => Copying([0, 3, 0, 3]), // y := x
    }
}

#[test]
fn idempotence_is_tried_on_words_not_on_single_events() {
    for event in [Number::Added { number: 0 }, Number::Raised { to: 0 }] {
        let once = lift_bits(&event);
        assert_eq!(once.clone().then(&once), once, "each event alone is idempotent");
    }
    caught(&Laws::<TwoBits>::default().idempotent(), any_event(), "word-idempotence");
}

model!(Total(i128), Sum, |s, n| *s += i128::from(number(n)), |e, _p| Sum::of(number(e)), |s, m| *s += m.total());
crate::laws!(mod total_laws, Total, added() => commutative, invertible);

/// What is derived keeps what its parts keep.
#[derive(Monoid, Clone, Debug, PartialEq)]
struct Parts {
    largest: Max<i64>,
    last: Register<i64>,
    phase: Fsm<3>,
}

model!(
    Mixed((Option<i64>, Option<i64>, u8)),
    Parts,
    |s, n| *s = (s.0.max(Some(number(n))), Some(number(n)), phase(n).next(s.2)),
    |e, _p| Parts { largest: Max::of(number(e)), last: Register::set(number(e)), phase: phase(e) },
    |s, m| *s = (s.0.max(m.largest.get().copied()), m.last.get().copied().or(s.1), m.phase.next(s.2))
);

fn phase(event: &Number) -> Fsm<3> {
    const ADDED: Fsm<3> = match Fsm::moves(&[(0, 1), (1, 2)]) {
        Ok(table) => table,
        Err(_) => panic!("a wrong table does not compile"),
    };
    match event {
        Number::Added { .. } => ADDED,
        Number::Raised { .. } => Fsm::always(0).expect("in range"),
    }
}
crate::laws!(mod mixed_laws, Mixed, any_event());

#[derive(Monoid, Clone, Debug, PartialEq, Default)]
struct Totals(Sum, Sum);

#[test]
fn derived_products_inherit_laws_and_only_those() {
    fn invertible<M: Invertible + Commutative>(effect: M) -> M {
        effect.inverse()
    }
    assert_eq!(invertible(Totals(Sum::of(1), Sum::of(2))), Totals(Sum::of(-1), Sum::of(-2)));
    let bytes = Totals(Sum::of(1), Sum::of(-2)).to_bytes();
    assert_eq!(Totals::from_bytes(&bytes), Some(Totals(Sum::of(1), Sum::of(-2))));
}

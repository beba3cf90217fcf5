//! Every battery keeps every law it declares, on small numbers, on extremes, and on mixtures of both.

use std::fmt::Debug;

use gesta_store::{Position, Timestamp};
use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

use super::*;

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), Just(1), Just(-1), -5..5_i64, any::<i64>()]
}

fn wide() -> impl Strategy<Value = i128> {
    prop_oneof![Just(i128::MIN), Just(i128::MAX), -3..3_i128, any::<i128>()]
}

/// The same few values again and again, and the extremes: what finds ties.
fn small() -> impl Strategy<Value = u64> {
    prop_oneof![0..4_u64, Just(u64::MAX)]
}

fn composed<M: Summary>(effect: impl Strategy<Value = M>) -> impl Strategy<Value = M> {
    vec(effect, 0..6).prop_map(|effects| M::product(&effects))
}

fn monoid<M: Summary>(a: &M, b: &M, c: &M) {
    assert_eq!(a.clone().then(&M::identity()), *a, "right identity");
    assert_eq!(M::identity().then(a), *a, "left identity");
    assert_eq!(a.clone().then(b).then(c), a.clone().then(&b.clone().then(c)), "associativity");
    assert_eq!(M::from_bytes(&a.to_bytes()).as_ref(), Some(a), "codec");
}

fn commutative<M: Summary + Commutative>(a: &M, b: &M, _: &M) {
    assert_eq!(a.clone().then(b), b.clone().then(a), "commutativity");
}

fn idempotent<M: Summary + Idempotent>(a: &M, b: &M, c: &M) {
    let word = M::product([a, b, c]);
    for suffix in [M::product([a, b, c]), M::product([b, c]), c.clone()] {
        assert_eq!(word.clone().then(&suffix), word, "a suffix replayed");
    }
}

fn invertible<M: Summary + Invertible>(a: &M, _: &M, _: &M) {
    assert_eq!(a.clone().then(&a.clone().inverse()), M::identity(), "right inverse");
    assert_eq!(a.clone().inverse().then(a), M::identity(), "left inverse");
}

fn reset<M: Summary + Reset>(a: &M, b: &M, _: &M) {
    assert!(!b.is_reset() || a.clone().then(b) == *b, "reset");
}

type Check<M> = fn(&M, &M, &M);

fn check<M: Summary>(effect: impl Strategy<Value = M> + Clone, laws: &[Check<M>]) {
    let three = (composed(effect.clone()), composed(effect.clone()), composed(effect));
    proptest!(ProptestConfig::with_cases(500), |((a, b, c) in three)| {
        monoid(&a, &b, &c);
        laws.iter().for_each(|law| law(&a, &b, &c));
    });
}

fn string(number: u64) -> String {
    format!("k{number}")
}

#[test]
fn sums_and_counts() {
    let sums = number().prop_map(Sum::of).boxed();
    check(sums, &[commutative, invertible]);
    check(number().prop_map(Count::of).boxed(), &[commutative, invertible]);
    assert_eq!(Sum::of(u64::MAX).then(&Sum::of(u64::MAX)).total(), 2 * i128::from(u64::MAX));
    assert_eq!(Sum::of(i64::MAX).then(&Sum::of(1_u8)).total_i64(), None);
}

#[test]
fn minima_and_maxima() {
    check(number().prop_map(Min::of).boxed(), &[commutative, idempotent]);
    check(number().prop_map(Max::of).boxed(), &[commutative, idempotent]);
    check(small().prop_map(|n| Max::of(string(n))).boxed(), &[commutative, idempotent]);
}

#[test]
fn firsts_lasts_and_last_writers() {
    let placed = (small(), number()).prop_map(|(place, value)| (Position(place), value)).boxed();
    check(placed.clone().prop_map(|(place, value)| First::of(place, value)).boxed(), &[commutative, idempotent]);
    check(placed.prop_map(|(place, value)| Last::of(place, value)).boxed(), &[commutative, idempotent]);
    let written = (number(), small(), number()).boxed();
    let written = written.prop_map(|(time, id, value)| Lww::of((Timestamp(time), Uuid::from_u128(id.into())), value));
    check(written.boxed(), &[commutative, idempotent]);
    let both = Last::of(Position(7), "b").then(&Last::of(Position(3), "a"));
    assert_eq!((both.get(), both.place()), (Some(&"b"), Some(Position(7))));
}

#[test]
fn registers() {
    check(number().prop_map(Register::set).boxed(), &[idempotent, reset]);
}

#[test]
fn sets_and_tops() {
    check(small().prop_map(SetUnion::of).boxed(), &[commutative, idempotent]);
    check(number().prop_map(TopK::<_, 2>::of).boxed(), &[commutative, idempotent]);
    check(number().prop_map(TopK::<_, 0>::of).boxed(), &[commutative, idempotent]);
    let top = TopK::<_, 2>::product(&[3, 9, 9, 1, 5].map(TopK::of));
    assert_eq!(top.values().collect::<Vec<_>>(), [&9, &5]);
}

#[test]
fn maps_keep_the_laws_of_their_values() {
    let entry = (small().prop_map(string), number()).boxed();
    check(entry.clone().prop_map(|(key, n)| MapOf::of(key, Sum::of(n))).boxed(), &[commutative, invertible]);
    check(entry.clone().prop_map(|(key, n)| MapOf::of(key, Max::of(n))).boxed(), &[commutative, idempotent]);
    check(entry.prop_map(|(key, n)| MapOf::of(key, Affine::add(n))).boxed(), &[]);
    let taken_back = MapOf::of("k", Sum::of(2)).then(&MapOf::of("k", Sum::of(-2)));
    assert!(taken_back.is_empty(), "an effect that comes to nothing is not held");
}

#[test]
fn affine_maps() {
    let effect =
        prop_oneof![wide().prop_map(Affine::add), wide().prop_map(Affine::multiply), wide().prop_map(Affine::set),];
    check(effect.clone().boxed(), &[reset]);
    proptest!(|(effects in vec(effect, 0..8), x in wide())| {
        let folded = effects.iter().fold(x, |x, effect| effect.apply_to(x));
        prop_assert_eq!(Affine::product(&effects).apply_to(x), folded);
    });
}

#[test]
fn machines() {
    let table = [0..5_u8, 0..5, 0..5, 0..5, 0..5];
    check(table.prop_map(|table| Fsm::<5>::new(table).expect("in range")).boxed(), &[reset]);
    assert_eq!(Fsm::<3>::new([0, 1, 3]), Err(FsmError::NoSuchState { state: 3, states: 3 }));
    assert_eq!(Fsm::<3>::moves(&[(3, 0)]), Err(FsmError::NoSuchState { state: 3, states: 3 }));
    assert_eq!(Fsm::<3>::moves(&[(0, 7)]), Err(FsmError::NoSuchState { state: 7, states: 3 }));
    assert_eq!(Fsm::<3>::moves(&[(0, 1), (0, 2)]), Err(FsmError::Ambiguous { state: 0 }));
    let paid = Fsm::<3>::moves(&[(0, 1), (1, 2)]).expect("valid");
    assert_eq!([0, 1, 2, 9].map(|state| paid.next(state)), [1, 2, 2, 9]);
    assert_eq!(Fsm::<256>::identity().next(255), 255);
    assert_eq!(Fsm::<2>::from_bytes(&[0, 2]), None, "a table from bytes is validated too");
}

#[test]
fn distinct_counts() {
    check(any::<u64>().prop_map(|n| Hll::of(n.to_le_bytes())).boxed(), &[commutative, idempotent]);
    // Across the border from few registers to all.
    let many =
        |from: u32, count| Hll::product(&(from..from + count).map(|n| Hll::of(n.to_be_bytes())).collect::<Vec<_>>());
    let [few, more] = [many(0, 200), many(100, 3000)];
    assert_eq!(few.clone().then(&more), more.clone().then(&few));
    monoid(&few, &more, &many(50_000, 10));
    for (count, within) in [(0, 0), (1, 0), (100, 5), (50_000, 3_000)] {
        let estimate = many(0, count).estimate();
        assert!(estimate.value.abs_diff(count.into()) <= within, "{count}: {estimate:?}");
    }
}

#[test]
fn products_keep_what_all_parts_keep() {
    let parts = (number(), small()).boxed();
    let numbers = parts.clone().prop_map(|(a, b)| (Sum::of(a), Count::of(1), MapOf::of(b, Sum::of(a))));
    check(numbers.boxed(), &[commutative, invertible]);
    let lattices = parts.clone().prop_map(|(a, b)| (Max::of(a), SetUnion::of(b)));
    check(lattices.boxed(), &[commutative, idempotent]);
    check(parts.prop_map(|(a, b)| (Register::set(a), Affine::set(b))).boxed(), &[reset]);
}

#[test]
fn windows_equal_the_product_of_what_is_in_them() {
    let step = prop_oneof![3 => number().prop_map(Some), 1 => Just(None)];
    proptest!(|(steps in vec(step, 0..80))| {
        let mut plain: Vec<Affine> = Vec::new();
        let mut stacks = TwoStacks::default();
        let (mut sums, mut subtracting) = (Vec::new(), SubtractOnEvict::default());
        for step in steps {
            match step {
                // Adding and multiplying do not commute: order inside the window is tested.
                Some(n) => {
                    let effect = if n % 2 == 0 { Affine::add(n) } else { Affine::multiply(n) };
                    plain.push(effect);
                    stacks.push(effect);
                    sums.push(Sum::of(n));
                    subtracting.push(Sum::of(n));
                }
                None => {
                    prop_assert_eq!(stacks.evict(), !plain.is_empty());
                    prop_assert_eq!(subtracting.evict(), !sums.is_empty());
                    if !plain.is_empty() {
                        plain.remove(0);
                        sums.remove(0);
                    }
                }
            }
            prop_assert_eq!((stacks.len(), subtracting.len()), (plain.len(), sums.len()));
            prop_assert_eq!(stacks.product(), Affine::product(&plain));
            prop_assert_eq!(subtracting.product(), &Sum::product(&sums));
        }
    });
}

#[test]
fn bytes_that_are_no_summary_are_refused() {
    fn never_panics<M: Codec + Debug>(bytes: &[u8]) {
        let _ = M::from_bytes(bytes);
    }
    proptest!(|(bytes in vec(any::<u8>(), 0..40))| {
        never_panics::<(Sum, Count, Affine)>(&bytes);
        never_panics::<(MapOf<String, Fsm<4>>, SetUnion<u64>)>(&bytes);
        never_panics::<(Hll, TopK<i64, 3>, Lww<bool>)>(&bytes);
    });
    assert_eq!(Vec::<()>::from_bytes(&[2]), Some(vec![(), ()]));
    assert_eq!(Vec::<u64>::from_bytes(&[0xff, 0xff, 0xff, 0xff, 0x0f]), None);
    assert_eq!(u128::from_bytes(&[0xff; 19]), None);
    assert_eq!(u8::from_bytes(&[0x80, 0x02]), None);
}

//! The laws, as functions that try one on a sequence of events cut in three.

use std::fmt::Debug;

use super::{Broken, Witness};
use crate::{
    algebra::{Codec, Commutative, Idempotent, Invertible, Monoid, Reset},
    model::{Algebraic, Model},
};

type Events<'e, M> = &'e [Witness<<M as Model>::Event>];

fn equal<T: PartialEq + Debug>(law: &'static str, left: &T, right: &T) -> Result<(), Broken> {
    if left == right {
        return Ok(());
    }
    Err(Broken { law, evidence: format!("  left:  {left:?}\n  right: {right:?}") })
}

fn summary<M: Algebraic>(events: Events<'_, M>) -> M::Summary {
    let lift = |witness: &Witness<M::Event>| M::lift(&witness.event, &witness.place());
    events.iter().fold(M::Summary::identity(), |product, witness| product.then(&lift(witness)))
}

fn folded<M: Algebraic>(mut state: M, events: Events<'_, M>) -> M {
    events.iter().for_each(|witness| state.apply(&witness.event, &witness.place()));
    state
}

fn acted<M: Algebraic>(mut state: M, summary: &M::Summary) -> M {
    state.act(summary);
    state
}

fn parts<M: Algebraic>(events: Events<'_, M>, [first, second]: [usize; 2]) -> [M::Summary; 3] {
    [summary::<M>(&events[..first]), summary::<M>(&events[first..second]), summary::<M>(&events[second..])]
}

/// Summaries are a monoid, survive their bytes, and act as the events do, from the beginning and from states on the way.
pub(super) fn composition<M: Algebraic>(events: Events<'_, M>, cuts: [usize; 2]) -> Result<(), Broken> {
    let [a, b, c] = parts::<M>(events, cuts);
    for part in [&a, &b, &c] {
        equal("identity on the right: a·1 = a", &part.clone().then(&M::Summary::identity()), part)?;
        equal("identity on the left: 1·a = a", &M::Summary::identity().then(part), part)?;
        equal("codec: decode(encode(a)) = a", &M::Summary::from_bytes(&part.to_bytes()).as_ref(), &Some(part))?;
    }
    let (left, right) = (a.clone().then(&b).then(&c), a.then(&b.clone().then(&c)));
    equal("associativity: (a·b)·c = a·(b·c)", &left, &right)?;
    equal("summaries compose as their events do: a·(b·c) = lift(e1)·…·lift(en)", &right, &summary::<M>(events))?;
    let nothing = M::default();
    equal("the identity does nothing", &acted(nothing.clone(), &M::Summary::identity()), &nothing)?;
    // The law that decides, from the beginning and from both cuts.
    let law = "act(lift(e1)·…·lift(en)) = apply e1, …, apply en";
    for cut in [0, cuts[0], cuts[1]] {
        let before = folded(M::default(), &events[..cut]);
        let after = folded(before.clone(), &events[cut..]);
        equal(law, &acted(before, &summary::<M>(&events[cut..])), &after)?;
    }
    equal(law, &acted(acted(folded(M::default(), &events[..cuts[0]]), &b), &c), &folded(M::default(), events))
}

/// The law that decides, from a state that was reached some other way.
pub(super) fn onto<M: Algebraic>(state: &M, events: Events<'_, M>) -> Result<(), Broken> {
    let (left, right) = (acted(state.clone(), &summary::<M>(events)), folded(state.clone(), events));
    let Err(Broken { law, evidence }) = equal("act(lift(e1)·…·lift(en)) = apply e1, …, apply en", &left, &right)
    else {
        return Ok(());
    };
    Err(Broken { law, evidence: format!("  state: {state:?}\n{evidence}") })
}

/// Order does not matter, neither to summaries nor to states.
pub(super) fn commutativity<M: Algebraic<Summary: Commutative>>(
    events: Events<'_, M>,
    cuts: [usize; 2],
) -> Result<(), Broken> {
    let [a, b, c] = parts::<M>(events, cuts);
    for (a, b) in [(&a, &b), (&b, &c), (&a, &c)] {
        equal("commutativity: a·b = b·a", &a.clone().then(b), &b.clone().then(a))?;
    }
    let state = folded(M::default(), &events[..cuts[0]]);
    let [one, other] = [b.clone().then(&c), c.then(&b)];
    equal("commutativity: act(a·b) = act(b·a)", &acted(state.clone(), &one), &acted(state, &other))
}

/// A suffix replayed, as from a checkpoint that was too old, changes nothing.
pub(super) fn idempotence<M: Algebraic<Summary: Idempotent>>(
    events: Events<'_, M>,
    cuts: [usize; 2],
) -> Result<(), Broken> {
    let all = summary::<M>(events);
    let state = folded(M::default(), events);
    for cut in [0, cuts[0], cuts[1]] {
        let suffix = summary::<M>(&events[cut..]);
        equal("word-idempotence: w·suffix(w) = w", &all.clone().then(&suffix), &all)?;
        equal("word-idempotence: a replayed suffix leaves the state", &acted(state.clone(), &suffix), &state)?;
        equal(
            "word-idempotence: events applied again leave the state",
            &folded(state.clone(), &events[cut..]),
            &state,
        )?;
    }
    Ok(())
}

/// Effects can be taken back.
pub(super) fn inverse<M: Algebraic<Summary: Invertible>>(
    events: Events<'_, M>,
    cuts: [usize; 2],
) -> Result<(), Broken> {
    let identity = M::Summary::identity();
    for part in parts::<M>(events, cuts) {
        equal("inverse: a·a⁻¹ = 1", &part.clone().then(&part.clone().inverse()), &identity)?;
        equal("inverse: a⁻¹·a = 1", &part.clone().inverse().then(&part), &identity)?;
    }
    let state = folded(M::default(), &events[..cuts[0]]);
    let back = acted(folded(state.clone(), &events[cuts[0]..]), &summary::<M>(&events[cuts[0]..]).inverse());
    equal("inverse: what was done can be taken back from the state", &back, &state)
}

/// Nothing before a reset matters.
pub(super) fn reset<M: Algebraic<Summary: Reset>>(events: Events<'_, M>, cuts: [usize; 2]) -> Result<(), Broken> {
    let [a, b, c] = parts::<M>(events, cuts);
    for (a, b) in [(&a, &b), (&b, &c)] {
        if b.is_reset() {
            equal("reset: a·r = r", &a.clone().then(b), b)?;
        }
    }
    for (index, witness) in events.iter().enumerate() {
        let effect = M::lift(&witness.event, &witness.place());
        if effect.is_reset() {
            let after = folded(M::default(), &events[..=index]);
            equal("reset: the state before does not matter", &acted(M::default(), &effect), &after)?;
        }
    }
    Ok(())
}

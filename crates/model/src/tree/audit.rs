//! Distrust: a share of the nodes is compared with the fold when it is computed. A law that turns out to be false demotes the model to the fold,
//! with a report (I7).

use std::{
    fmt::Debug,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use gesta_store::Position;

use crate::{
    demotion::Demotion,
    error::{Error, Result, guarded},
    laws::{Broken, Laws, Witness},
    model::Algebraic,
};

/// Chooses what is audited, and remembers what was found.
#[derive(Clone, Debug)]
pub(crate) struct Auditor {
    /// One node of so many; none, if 0.
    share: u64,
    /// Answers given.
    answers: Arc<AtomicU64>,
    found: Arc<OnceLock<Demotion>>,
}

impl Auditor {
    pub(crate) fn new(share: u64) -> Self {
        Self { share, answers: Arc::default(), found: Arc::default() }
    }

    /// Whether a node is looked at: the first ones, which show soonest what is wrong, and then a share spread evenly.
    pub(crate) fn wants(&self, index: u64) -> bool {
        self.share > 0 && (index < 2 || mixed(index).is_multiple_of(self.share))
    }

    /// Whether the next answer is looked at.
    pub(crate) fn wants_answer(&self) -> bool {
        self.wants(self.answers.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn demotion(&self) -> Option<&Demotion> {
        self.found.get()
    }

    /// Tries laws on recorded events.
    pub(crate) fn check<M: Algebraic<Event: Clone>>(
        &self,
        laws: &Laws<M>,
        events: Vec<Witness<M::Event>>,
    ) -> Result<()> {
        let check = || self.try_on(laws, events);
        guarded(|| format!("laws of {}", M::name()), check)?
    }

    fn try_on<M: Algebraic<Event: Clone>>(&self, laws: &Laws<M>, events: Vec<Witness<M::Event>>) -> Result<()> {
        let cuts = [events.len() / 3, events.len() - events.len() / 4];
        let Err(broken) = laws.check(&events, cuts) else { return Ok(()) };
        let (events, broken) = laws.shrink(events.clone()).unwrap_or((events, broken));
        Err(self.demote::<M>(broken, events.iter().map(|witness| witness.position).collect()))
    }

    /// Compares one summary with what it was composed of, one after the other: done to a state they must come to the same. This needs no events, and reaches what no
    /// block of them shows: a total that is too large for the state, say, is the sum of many.
    pub(crate) fn compare<'s, M: Algebraic>(
        &self,
        product: &M::Summary,
        parts: impl Iterator<Item = &'s M::Summary>,
    ) -> Result<()> {
        let (mut at_once, mut one_by_one) = (M::default(), M::default());
        guarded(
            || format!("{}::act", M::name()),
            || {
                at_once.act(product);
                parts.for_each(|part| one_by_one.act(part));
            },
        )?;
        self.expect_equal::<M, _>("act(a·b) = act(a), act(b)", ["at once:   ", "one by one:"], &at_once, &one_by_one)
    }

    /// Demotes the model if two that should be equal are not.
    pub(crate) fn expect_equal<M: Algebraic, T: PartialEq + Debug>(
        &self,
        law: &'static str,
        names: [&str; 2],
        left: &T,
        right: &T,
    ) -> Result<()> {
        if left == right {
            return Ok(());
        }
        let evidence = format!("  {} {left:?}\n  {} {right:?}", names[0], names[1]);
        Err(self.demote::<M>(Broken { law, evidence }, Vec::new()))
    }

    pub(crate) fn demote<M: Algebraic>(&self, broken: Broken, events: Vec<Position>) -> Error {
        let demotion = self.found.get_or_init(|| Demotion { model: M::name(), broken, events });
        Error::Demoted(Box::new(demotion.clone()))
    }
}

/// The finalizer of `SplitMix64`: neighbours get numbers that have nothing to do with one another.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

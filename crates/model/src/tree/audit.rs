//! Distrust: a share of the nodes is compared with the fold when it is computed. A law that turns out to be false demotes the model to the fold,
//! with a report (I7).

use std::sync::{Arc, OnceLock};

use gesta_store::Position;

use crate::{
    demotion::Demotion,
    error::{Error, Result},
    laws::{Broken, Laws, Witness},
    model::Algebraic,
};

/// Chooses what is audited, and remembers what was found.
#[derive(Clone, Debug)]
pub(crate) struct Auditor {
    /// One node of so many; none, if 0.
    share: u64,
    found: Arc<OnceLock<Demotion>>,
}

impl Auditor {
    pub(crate) fn new(share: u64) -> Self {
        Self { share, found: Arc::default() }
    }

    /// Whether a node is looked at: the first ones, which show soonest what is wrong, and then a share spread evenly.
    pub(crate) fn wants(&self, index: u64) -> bool {
        self.share > 0 && (index < 2 || mixed(index).is_multiple_of(self.share))
    }

    pub(crate) fn demotion(&self) -> Option<&Demotion> {
        self.found.get()
    }

    /// Tries the laws on recorded events.
    pub(crate) fn check<M: Algebraic<Event: Clone>>(&self, events: Vec<Witness<M::Event>>) -> Result<()> {
        let laws = Laws::<M>::default();
        let cuts = [events.len() / 3, events.len() - events.len() / 4];
        let Err(broken) = laws.check(&events, cuts) else { return Ok(()) };
        let (events, broken) = laws.shrink(events.clone()).unwrap_or((events, broken));
        Err(self.demote::<M>(broken, events.iter().map(|witness| witness.position).collect()))
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

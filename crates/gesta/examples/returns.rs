//! Returns: a process that waits. Goods must be back within two weeks; halfway somebody is reminded; what is back is inspected within three days,
//! or accepted as it is; the money is paid by a service outside. `cargo run -p gesta --example returns`, in no time.
#![allow(clippy::print_stdout)]

use std::{sync::LazyLock, time::Duration};

use gesta::{
    Effect, Event, Hearing, Model, Place, Process,
    process::{Call, CallFailure, FsmTable, Setup},
    testing::World,
};
use serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Returns {
    #[event("return-requested", at = "return-{id}")]
    Requested { id: u32, cents: i64 },
    #[event("customer-reminded", at = "return-{id}")]
    Reminded { id: u32 },
    #[event("goods-received", at = "return-{id}")]
    Received { id: u32 },
    #[event("goods-inspected", at = "return-{id}")]
    Inspected { id: u32, sound: bool },
    #[event("return-expired", at = "return-{id}")]
    Expired { id: u32 },
    #[event("money-refunded", at = "return-{id}")]
    Refunded { id: u32, payment: String },
    #[event("refund-failed", at = "return-{id}")]
    Failed { id: u32, reason: String },
}

// Where a return stands, and what can happen: a table, in which nothing is forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    New,
    Awaited,
    Here,
    Accepted,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Input {
    Request,
    Remind,
    Receive,
    Accept,
    Decline,
    Expire,
    Settle,
}

static STAGES: LazyLock<FsmTable<Stage, Input>> = LazyLock::new(|| {
    use Input::*;
    use Stage::*;
    let inputs = [Request, Remind, Receive, Accept, Decline, Expire, Settle];
    let mut table = FsmTable::new(New).on(New, Request, Awaited).on(Awaited, Receive, Here).on(Awaited, Expire, Over);
    table = table.on(Here, Accept, Accepted).on(Here, Decline, Over).on(Accepted, Settle, Over).ends(Over);
    for (stage, ignored) in [
        (New, vec![Remind, Receive, Accept, Decline, Expire, Settle]),
        (Awaited, vec![Request, Remind, Accept, Decline, Settle]),
        (Here, vec![Request, Remind, Receive, Expire, Settle]),
        (Accepted, vec![Request, Remind, Receive, Accept, Decline, Expire]),
    ] {
        table = ignored.into_iter().fold(table, |table, input| table.ignores(stage, input));
    }
    table.check([New, Awaited, Here, Accepted, Over], inputs).expect("the table is tested")
});

impl Returns {
    fn input(&self) -> Input {
        match self {
            Self::Requested { .. } => Input::Request,
            Self::Reminded { .. } => Input::Remind,
            Self::Received { .. } => Input::Receive,
            Self::Inspected { sound: true, .. } => Input::Accept,
            Self::Inspected { sound: false, .. } => Input::Decline,
            Self::Expired { .. } => Input::Expire,
            Self::Refunded { .. } | Self::Failed { .. } => Input::Settle,
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Return {
    stage: Stage,
    changed: bool,
    cents: i64,
}

impl Model for Return {
    type Event = Returns;
    type Key = u32;
    const AT: &'static str = "return-*";
    fn apply(&mut self, event: &Returns, _: &Place<'_>) {
        let next = STAGES.next(self.stage, event.input());
        self.changed = next != self.stage;
        self.stage = next;
        if let Returns::Requested { cents, .. } = event {
            self.cents = *cents;
        }
    }
}

const DAY: Duration = Duration::from_secs(86_400);

impl Process for Return {
    const NAME: &'static str = "return";
    type Sends = ();
    fn react(&self, event: &Returns, _: &Hearing<'_>) -> Vec<Effect<Self>> {
        match event {
            _ if !self.changed => vec![],
            _ if STAGES.is_end(self.stage) => vec![Effect::complete()],
            Returns::Requested { id, .. } => vec![
                Effect::append(Returns::Reminded { id: *id }).after(7 * DAY).named("label"),
                Effect::append(Returns::Expired { id: *id }).after(14 * DAY).named("label"),
            ],
            Returns::Received { id } => vec![
                Effect::cancel("label"),
                Effect::append(Returns::Inspected { id: *id, sound: true }).after(3 * DAY),
            ],
            Returns::Inspected { id, .. } => {
                let failed = Effect::append(Returns::Failed { id: *id, reason: "the bank says no".into() });
                vec![Effect::call("refund", (*id, self.cents)).within(DAY).or(failed)]
            }
            Returns::Reminded { .. } | Returns::Expired { .. } | Returns::Refunded { .. } | Returns::Failed { .. } => {
                vec![]
            }
        }
    }
}

/// With a payment service that works, most of the time.
fn with_payments(setup: Setup<Return>) -> Setup<Return> {
    let mut calls = 0;
    setup.calls("refund", move |call: &Call<'_>| {
        calls += 1;
        let (id, cents): (u32, i64) = call.body()?;
        match cents {
            ..=0 => Err(CallFailure::Refused("nothing to pay".into())),
            _ if calls % 3 == 1 => Err(CallFailure::Retry("busy".into())),
            // A real one is given `call.id`, so that it pays once, however often it is called.
            _ => Ok(vec![Returns::Refunded { id, payment: format!("{cents} cents") }]),
        }
    })
}

fn main() {
    let mut world = World::new();
    world.process_with::<Return>(with_payments);
    world.records((1..=4).map(|id| Returns::Requested { id, cents: 500 }));
    world.advance(5 * DAY);
    world.records((1..=2).map(|id| Returns::Received { id }));
    world.advance(DAY);
    world.records([Returns::Inspected { id: 1, sound: false }]);
    world.advance(10 * DAY);
    for (stream, events) in world.log() {
        println!("{stream}: {}", events.join(", "));
    }
}

#[cfg(test)]
#[path = "returns/tests.rs"]
mod tests;

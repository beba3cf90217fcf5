//! Code outside the log: called again until it works, always under the same id; what it answers with is recorded.

use std::sync::{Arc, Mutex};

use gesta_model::process::{Call, CallFailure, InstanceState, Setup};
use gesta_store::Backoff;

use super::*;

#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Order {
    #[event("placed", at = "order-{order}")]
    Placed { order: u32 },
    #[event("charged", at = "order-{order}")]
    Charged { order: u32, receipt: String },
    #[event("rejected", at = "order-{order}")]
    Rejected { order: u32 },
}

#[derive(Clone, Debug, Default)]
struct Charging;

impl Model for Charging {
    type Event = Order;
    type Key = u32;
    const AT: &'static str = "order-*";
    fn apply(&mut self, _: &Order, _: &Place<'_>) {}
}

impl Process for Charging {
    const NAME: &'static str = "charging";
    type Sends = ();
    fn hears(event: &Order) -> bool {
        matches!(event, Order::Placed { .. })
    }
    fn react(&self, event: &Order, _: &Hearing<'_>) -> Vec<Effect<Self>> {
        match *event {
            Order::Placed { order } => {
                let rejected = Effect::append(Order::Rejected { order });
                vec![Effect::call("charge", order).within(Duration::from_secs(60)).or(rejected)]
            }
            Order::Charged { .. } | Order::Rejected { .. } => panic!("it does not hear these"),
        }
    }
}

type Seen = Arc<Mutex<Vec<(String, String)>>>;

/// A payment service that answers as `says`.
fn service(
    seen: &Seen,
    says: fn(u32, usize) -> Result<(), CallFailure>,
) -> impl Fn(Setup<Charging>) -> Setup<Charging> + 'static {
    let seen = Arc::clone(seen);
    move |setup| {
        let seen = Arc::clone(&seen);
        setup.calls("charge", move |call: &Call<'_>| {
            let mut seen = seen.lock().unwrap();
            let times = seen.iter().filter(|(instance, _)| instance == call.instance).count();
            seen.push((call.instance.to_owned(), call.id.to_string()));
            drop(seen);
            let order: u32 = call.body()?;
            says(order, times)?;
            Ok(vec![Order::Charged { order, receipt: format!("r{order}") }])
        })
    }
}

fn log_of(world: &World, order: u32) -> Vec<String> {
    world.log()[&format!("order-{order}")].clone()
}

#[test]
fn a_call_is_tried_again_later_under_the_same_id_and_others_go_on() {
    let (seen, mut world) = (Seen::default(), World::new());
    world.process_with::<Charging>(service(&seen, |order, times| match (order, times) {
        (1, 0..=2) => Err(CallFailure::Retry("busy".into())),
        _ => Ok(()),
    }));
    world.records([Order::Placed { order: 1 }, Order::Placed { order: 2 }]);
    assert_eq!((log_of(&world, 1).len(), log_of(&world, 2).len()), (1, 2), "one waits, the other does not");
    let instances = world.domain().instances::<Charging>().unwrap();
    assert_eq!(instances.get("1").unwrap().unwrap().state, InstanceState::Waiting);
    world.advance(Duration::from_secs(2));
    assert_eq!(log_of(&world, 1)[1], r#"charged {"order":1,"receipt":"r1"} []"#);
    let ids: Vec<_> =
        seen.lock().unwrap().iter().filter(|(instance, _)| instance == "1").map(|(_, id)| id.clone()).collect();
    assert_eq!(ids.len(), 4);
    assert!(ids.iter().all(|id| *id == ids[0]), "an outside system can tell that it is the same: {ids:?}");
}

#[test]
fn what_is_refused_or_takes_too_long_is_followed_by_what_stands_instead() {
    let (seen, mut world) = (Seen::default(), World::new());
    world.process_with::<Charging>(service(&seen, |order, _| match order {
        1 => Err(CallFailure::Refused("no funds".into())),
        _ => Err(CallFailure::Retry("down".into())),
    }));
    world.records([Order::Placed { order: 1 }, Order::Placed { order: 2 }]);
    assert_eq!(log_of(&world, 1)[1], r#"rejected {"order":1} []"#);
    world.advance(Duration::from_secs(59));
    assert_eq!(log_of(&world, 2).len(), 1);
    world.advance(Duration::from_secs(3));
    assert_eq!(log_of(&world, 2)[1], r#"rejected {"order":2} []"#);
}

#[test]
fn retries_end_and_a_missing_or_panicking_callee_parks() {
    use gesta_model::process::ProcessOptions;
    let (seen, mut world) = (Seen::default(), World::new());
    let charge = service(&seen, |order, _| match order {
        1 => panic!("planted"),
        _ => Err(CallFailure::Retry("down".into())),
    });
    let second = Duration::from_secs(1);
    world.process_with::<Charging>(move |setup| {
        let backoff = Backoff { first: second, most: second };
        charge(setup).options(ProcessOptions { retries: 2, backoff, ..ProcessOptions::default() })
    });
    world.records([Order::Placed { order: 1 }, Order::Placed { order: 2 }]);
    let instances = world.domain().instances::<Charging>().unwrap();
    let InstanceState::Parked { reason } = instances.get("1").unwrap().unwrap().state else { panic!("not parked") };
    assert_eq!(reason, "code panicked: planted, in=call of charge");
    world.advance(Duration::from_secs(3));
    assert_eq!(log_of(&world, 2)[1], r#"rejected {"order":2} []"#, "three tries, and then what stands instead");
    assert_eq!(seen.lock().unwrap().iter().filter(|(instance, _)| instance == "2").count(), 3);

    let mut world = World::new();
    world.process::<Charging>();
    world.records([Order::Placed { order: 1 }]);
    let instances = world.domain().instances::<Charging>().unwrap();
    let InstanceState::Parked { reason } = instances.get("1").unwrap().unwrap().state else { panic!("not parked") };
    assert_eq!(reason, "the process was started without what it calls, call=charge");
}

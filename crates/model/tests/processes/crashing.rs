//! A crash at every step: the log of the domain is the same.

use gesta_model::{
    process::{Call, CallFailure},
    testing::crash_everywhere,
};

use super::*;

#[test]
fn a_crash_anywhere_in_a_transfer_leaves_each_effect_in_the_log_once() {
    let runs = crash_everywhere(|world| {
        furnish(world);
        world.records([requested("t1", "ada", "grace"), requested("t2", "ada", "nobody")]);
        world.records([requested("t3", "nobody", "ada")]);
        assert_eq!(cents(world.domain(), "ada"), 20);
    });
    assert!(runs > 100, "there are many moments, runs={runs}");
}

#[test]
fn a_crash_anywhere_around_a_timer_lets_it_fire_once() {
    crash_everywhere(|world| {
        world.process::<Transfer>();
        world.records([opened("ada"), requested("t1", "slow", "ada")]);
        world.advance(Duration::from_secs(2 * 3600));
    });
}

/// Something that takes its time, and is asked for twice.
#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Print {
    #[event("print-asked", at = "print-{print}")]
    Asked { print: u32 },
    // Not on the path of the process: it would have the instance looked at.
    #[event("printed", at = "sheet-{print}")]
    Printed { print: u32 },
}

#[derive(Clone, Debug, Default)]
struct Printing;

impl Model for Printing {
    type Event = Print;
    type Key = u32;
    const AT: &'static str = "print-*";
    fn apply(&mut self, _: &Print, _: &Place<'_>) {}
}

impl Process for Printing {
    const NAME: &'static str = "printing";
    type Sends = ();
    fn react(&self, event: &Print, _: &Hearing<'_>) -> Vec<Effect<Self>> {
        match event {
            Print::Asked { print } => vec![Effect::call("printer", print)],
            Print::Printed { .. } => vec![],
        }
    }
}

/// An event that was delivered while its instance waited is not delivered again once the group has noted that it was. If nothing else said that
/// it waits, a crash just after the instance had got what it waited for would leave it unheard until something else happened there.
#[test]
fn an_event_that_came_while_its_instance_waited_is_heard_whenever_the_crash_comes() {
    crash_everywhere(|world| {
        let clock = std::sync::Arc::clone(world.clock());
        let from = gesta_store::clock::Clock::elapsed(&*clock);
        world.process_with::<Printing>(move |setup| {
            let clock = std::sync::Arc::clone(&clock);
            let second = Duration::from_secs(2);
            let backoff = gesta_store::Backoff { first: second, most: second };
            setup.options(ProcessOptions { backoff, ..ProcessOptions::default() }).calls(
                "printer",
                move |call: &Call<'_>| {
                    if gesta_store::clock::Clock::elapsed(&*clock) < from + Duration::from_secs(5) {
                        return Err(CallFailure::Retry("warming up".into()));
                    }
                    Ok(vec![Print::Printed { print: call.body()? }])
                },
            )
        });
        world.records([Print::Asked { print: 1 }]);
        world.records([Print::Asked { print: 1 }]);
        world.advance(Duration::from_secs(20));
        assert_eq!(world.log()["sheet-1"].len(), 2, "{:?}", world.log());
    });
}

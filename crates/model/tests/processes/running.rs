//! On a thread of its own, beside writers, and looked after from outside.

use std::thread;

use gesta_model::{DomainOptions, process::InstanceState};
use gesta_store::{EventStore, Position, SubscribeOptions, Subscription};

use super::*;

/// Waits until so many transfers have ended.
fn await_ends(subscription: &mut Subscription, mut count: usize) {
    while count > 0 {
        let delivery = subscription.next(Some(Duration::from_secs(60))).unwrap().expect("transfers end");
        if let gesta_store::Delivery::Events(batch) = delivery {
            count -= batch.len();
        }
    }
}

#[test]
fn beside_a_hundred_writers_money_is_neither_made_nor_lost() {
    let directory = tempfile::tempdir().unwrap();
    let options = DomainOptions { attempts: 1_000, ..DomainOptions::default() };
    let domain = Domain::with(EventStore::open(directory.path()).unwrap(), options);
    domain.record([opened("ada"), opened("grace"), deposited("ada", 600)]).unwrap();
    let running = domain.process::<Transfer>().start().unwrap();
    let ends = gesta_store::Source::Stream("$et-transfer-ended".try_into().unwrap());
    let mut subscription = domain.store().subscribe(ends, SubscribeOptions::default()).unwrap();
    thread::scope(|scope| {
        for writer in 0..100_u32 {
            let domain = domain.clone();
            scope.spawn(move || {
                let to = if writer % 10 == 0 { "nobody" } else { "grace" };
                domain.record([requested(&format!("t{writer}"), "ada", to)]).unwrap();
                // In the way of the process: the same account, decided on by somebody else.
                let withdraw = Withdraw { account: "ada".into(), cents: 1, transfer: format!("x{}", writer % 7) };
                drop(domain.send(withdraw).wait());
            });
        }
    });
    await_ends(&mut subscription, 100);
    let [ada, grace] = ["ada", "grace"].map(|account| cents(&domain, account));
    let own = domain.store().read_all(gesta_store::ReadOptions::default()).unwrap();
    let own =
        own.filter(|event| event.as_ref().is_ok_and(|event| event.tags.iter().any(|tag| tag.contains("/x")))).count();
    assert_eq!(ada + grace + i64::try_from(own).unwrap(), 600, "what was withdrawn arrived, or came back");
    assert!(ada >= 0 && grace % 10 == 0);
    let status = running.status().unwrap();
    assert_eq!((status.waiting, status.handler.failures), (0, 0), "{status:?}");
    running.stop().unwrap();
}

#[test]
fn it_is_paused_looked_after_and_stopped_and_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let domain = Domain::new(EventStore::open(directory.path()).unwrap());
    domain.record([opened("ada"), deposited("ada", 30), opened("grace")]).unwrap();
    let running = domain.process::<Transfer>().start().unwrap();
    assert!(domain.process::<Transfer>().start().is_err(), "it is running already");
    let ends = gesta_store::Source::Stream("$et-transfer-ended".try_into().unwrap());
    let mut subscription = domain.store().subscribe(ends, SubscribeOptions::default()).unwrap();
    domain.record([requested("b", "poisonous", "ada"), requested("t1", "ada", "grace")]).unwrap();
    await_ends(&mut subscription, 1);
    let parked = running.parked();
    assert_eq!((parked.len(), parked[0].0.as_str()), (1, "b"));
    running.instances().skip("b").unwrap();
    running.stop().unwrap();

    domain.record([requested("t2", "ada", "grace")]).unwrap();
    let running = domain.process::<Transfer>().start().unwrap();
    await_ends(&mut subscription, 1);
    let status = running.instances().get("t2").unwrap().unwrap();
    assert!(matches!(status.state, InstanceState::Running | InstanceState::Completed), "{status:?}");
    assert_eq!(running.instances().get("b").unwrap().unwrap().state, InstanceState::Running, "it was skipped");
    running.pause();
    assert!(running.status().unwrap().handler.position > Position(0));
    drop(running);
}

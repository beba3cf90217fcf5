//! Many instances at once, their commits in one sync: whatever crash comes between, each effect is in the log once.

use std::{collections::BTreeMap, io::ErrorKind, sync::Arc};

use gesta_store::{
    Delivery, EventStore, From, Options, ReadOptions, Source, SubscribeOptions, Subscription,
    disk::memory::{Done, Fault, MemoryDisk},
};

use super::*;

const TRANSFERS: usize = 24;
const ACCOUNTS: [&str; 3] = ["ada", "grace", "nobody"];

fn open(disk: &MemoryDisk) -> Domain {
    Domain::new(EventStore::open_on(Arc::new(disk.clone()), Options::default()).unwrap())
}

fn ends_of(domain: &Domain) -> Subscription {
    let ends = Source::Stream("$et-transfer-ended".parse().unwrap());
    domain.store().subscribe(ends, SubscribeOptions::from(From::Beginning)).unwrap()
}

/// Waits for transfers to end, as long as `wanted` says so of how many have.
fn await_ends(subscription: &mut Subscription, wanted: impl Fn(usize) -> bool) {
    let mut ended = 0;
    while wanted(ended) {
        // Only to look again whether the disk has failed.
        if let Ok(Some(Delivery::Events(batch))) = subscription.next(Some(Duration::from_millis(5))) {
            ended += batch.len();
        }
    }
}

/// The events of each transfer, by their types, and how they ended.
fn transfers(domain: &Domain) -> BTreeMap<String, Vec<String>> {
    let mut transfers = BTreeMap::<String, Vec<String>>::new();
    for event in domain.store().read_all(ReadOptions::default()).unwrap() {
        let event = event.unwrap();
        if let Some(transfer) = event.tags.iter().find_map(|tag| tag.strip_prefix("/transfers/")) {
            let how = String::from_utf8_lossy(&event.data).split("\"how\":").nth(1).unwrap_or_default().to_owned();
            transfers.entry(transfer.to_owned()).or_default().push(format!("{}{how}", event.event_type));
        }
    }
    transfers
}

#[test]
fn a_crash_among_many_transfers_leaves_each_effect_in_the_log_once() {
    for seed in 0..12_u64 {
        let disk = MemoryDisk::new();
        let domain = open(&disk);
        domain.record([opened("ada"), opened("grace"), deposited("ada", 200), deposited("grace", 200)]).unwrap();
        let request = |index: usize| {
            requested(&format!("t{index:02}"), ACCOUNTS[index % 2], ACCOUNTS[(index / 2 + index + 1) % 3])
        };
        domain.record((0..TRANSFERS).map(request)).unwrap();
        let done = [Done::Nothing, Done::Half, Done::Everything][usize::try_from(seed % 3).unwrap()];
        let passing = 5 * seed;
        let last = disk.operations().changes() + passing;
        disk.fail_after(passing, Fault::forever(ErrorKind::Other).leaving(done));
        let mut ends = ends_of(&domain);
        if let Ok(running) = domain.process::<Transfer>().start() {
            await_ends(&mut ends, |ended| ended < TRANSFERS && disk.operations().changes() <= last);
            drop(running);
        }
        drop((ends, domain));

        let domain = open(&disk.crash(seed));
        let running = domain.process::<Transfer>().start().unwrap();
        await_ends(&mut ends_of(&domain), |ended| ended < TRANSFERS);
        assert!(running.settle(Some(Duration::from_secs(60))).unwrap(), "it comes to rest");
        assert_eq!((running.status().unwrap().parked, running.status().unwrap().waiting), (0, 0));
        let total: i64 = ["ada", "grace"].iter().map(|account| cents(&domain, account)).sum();
        assert_eq!(total, 400, "seed={seed}");
        let transfers = transfers(&domain);
        assert_eq!(transfers.len(), TRANSFERS);
        for (transfer, mut events) in transfers {
            let order = events.clone();
            events.sort();
            events.dedup_by(|one, other| one == other && one != "money-deposited");
            assert_eq!(events.len(), order.len(), "seed={seed} {transfer} {order:?}");
            let deposits = order.iter().filter(|event| *event == "money-deposited").count();
            assert_eq!(deposits, 1, "it arrived, or came back: seed={seed} {transfer} {order:?}");
        }
    }
}

#[test]
fn one_at_a_time_instances_are_brought_forward_in_the_order_of_their_events() {
    let domain = open(&MemoryDisk::new());
    domain.record([opened("ada"), opened("grace"), deposited("ada", 200)]).unwrap();
    domain.record((0..10).map(|index| requested(&format!("t{index}"), "ada", "grace"))).unwrap();
    let options = ProcessOptions { at_once: 1, ..ProcessOptions::default() };
    let running = domain.process::<Transfer>().options(options).start().unwrap();
    assert!(running.settle(Some(Duration::from_secs(60))).unwrap(), "it comes to rest");
    let ends: Vec<String> = domain
        .store()
        .read_stream("$et-transfer-ended".parse().unwrap(), ReadOptions::default())
        .unwrap()
        .map(|event| event.unwrap().stream.to_string())
        .collect();
    assert_eq!(ends, (0..10).map(|index| format!("transfer-t{index}")).collect::<Vec<_>>());
}

#[test]
fn who_settles_waits_until_nothing_is_left_to_do_but_what_has_its_time() {
    let domain = open(&MemoryDisk::new());
    let running = domain.process::<Transfer>().start().unwrap();
    assert!(running.settle(None).unwrap(), "nothing was recorded yet");
    domain.record([opened("ada"), opened("grace"), deposited("ada", 200)]).unwrap();
    for round in 0..20 {
        domain.record([requested(&format!("t{round}"), "ada", "grace")]).unwrap();
        assert!(running.settle(None).unwrap());
        let state = running.instances().get(&format!("t{round}")).unwrap().expect("it was heard").state;
        assert_eq!(state, gesta_model::process::InstanceState::Completed, "round {round}");
    }
    // It waits for its deadline, and so is at rest.
    domain.record([requested("slow", "cursed", "grace")]).unwrap();
    assert!(running.settle(None).unwrap());
    running.pause();
    domain.record([requested("late", "ada", "grace")]).unwrap();
    assert!(!running.settle(Some(Duration::ZERO)).unwrap(), "it is paused, and has something before it");
    running.resume();
    assert!(running.settle(None).unwrap());
    let log = domain.store().read_stream("transfer-late".parse().unwrap(), ReadOptions::default()).unwrap();
    assert_eq!(log.count(), 2);
}

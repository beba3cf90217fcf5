//! Many subscriptions at once, some of which nobody reads: memory is bounded, and the others are served.
//!
//! A thousand of them, or as many as `GESTA_SUBSCRIPTIONS` says. In a program of its own, since it looks at the memory of the process.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "tests work on files and sockets; this one measures"
)]

mod shared;

use gesta_server::{
    Options,
    proto::event_store::client::{Empty, streams::read_req::options::all_options::AllOption},
};
use shared::{
    APPEND, READ, Serving, append, subscribe,
    wire::{DATA, Wire},
};

/// Subscriptions on one connection.
const PER_CONNECTION: usize = 100;

fn subscriptions() -> usize {
    std::env::var("GESTA_SUBSCRIPTIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(1000)
}

/// One after the other: memory that the second has given back would be there for the first.
#[test]
fn memory_is_bounded_and_others_are_served() {
    subscriptions_that_wait_cost_little_and_all_hear();
    subscriptions_nobody_reads_are_held_back_by_flow_control();
}

fn subscriptions_that_wait_cost_little_and_all_hear() {
    let count = subscriptions();
    let serving = Serving::start(Options::default());
    let before = serving.metric("gesta_resident_memory_bytes");
    let mut wires: Vec<_> = (0..count.div_ceil(PER_CONNECTION)).map(|_| Wire::open(serving.address, 1 << 16)).collect();
    for wire in &mut wires {
        for _ in 0..PER_CONNECTION {
            wire.call(READ, &[subscribe(AllOption::End(Empty {}))]);
        }
        // A confirmation, and that it has caught up, in one frame or in two.
        let mut heard = std::collections::BTreeMap::<u32, usize>::new();
        while heard.values().filter(|&&messages| messages >= 2).count() < PER_CONNECTION {
            let frame = wire.await_frame(&[DATA]).expect("it is served");
            *heard.entry(frame.call).or_default() += messages(&frame.payload);
        }
    }
    assert_eq!(serving.metric("gesta_subscriptions") as usize, wires.len() * PER_CONNECTION);
    let after = serving.metric("gesta_resident_memory_bytes");
    let each = after.saturating_sub(before) / count as u64;
    assert!(each < 20 << 10, "bytes for each idle subscription: {each}");
    println!("idle subscriptions: {count}, bytes for each: {each}");

    let mut writer = Wire::open(serving.address, 1 << 20);
    let call = writer.call(APPEND, &append("order-1", 1, 10));
    writer.finish(call).expect("recorded");
    for wire in &mut wires {
        let mut heard = std::collections::BTreeSet::new();
        while heard.len() < PER_CONNECTION {
            heard.insert(wire.await_frame(&[DATA]).expect("it hears").call);
        }
    }
}

fn subscriptions_nobody_reads_are_held_back_by_flow_control() {
    let count = subscriptions();
    let serving = Serving::start(Options::default());
    serving.record("order-1", 20_000, 1000);
    let before = serving.metric("gesta_resident_memory_bytes");
    // The windows are as large as they can be, and nobody reads.
    let mut wires: Vec<_> = (0..count.div_ceil(PER_CONNECTION))
        .map(|_| {
            let mut wire = Wire::open(serving.address, 0x7fff_ffff);
            wire.allow(0, 0x7fff_0000);
            for _ in 0..PER_CONNECTION {
                wire.call(READ, &[subscribe(AllOption::Start(Empty {}))]);
            }
            wire
        })
        .collect();
    // Others are served meanwhile.
    let mut other = Wire::open(serving.address, 1 << 20);
    for number in 1..=100 {
        let call = other.call(APPEND, &append("other-1", number, 100));
        other.finish(call).expect("it is served");
    }
    let subscriptions = (wires.len() * PER_CONNECTION) as u64;
    while serving.metric("gesta_subscriptions") < subscriptions {}
    let after = serving.metric("gesta_resident_memory_bytes");
    let each = after.saturating_sub(before) / count as u64;
    println!("subscriptions nobody reads: {count}, bytes for each: {each}");
    assert!(each < 1 << 20, "bytes for each subscription nobody reads: {each}");
    // They have lost nothing: whoever reads again goes on where he was.
    let mut wire = wires.pop().expect("one");
    assert!(wire.await_frame(&[DATA]).is_some());
}

/// Messages that begin in a frame; those of this test come whole.
fn messages(mut payload: &[u8]) -> usize {
    let mut count = 0;
    while let [_, a, b, c, d, rest @ ..] = payload {
        payload = rest.get(u32::from_be_bytes([*a, *b, *c, *d]) as usize..).unwrap_or_default();
        count += 1;
    }
    count
}

//! Tests of the bank: laws, decisions, reactions, and a crash at every moment of a transfer.

use gesta::{
    laws::suite::extreme_i64,
    testing::{crash_everywhere, given},
};
use proptest::prelude::*;

use super::*;

fn any_event() -> impl Strategy<Value = Bank> {
    (extreme_i64(), 0..3_u8).prop_map(|(cents, kind)| {
        let (account, transfer) = (String::new(), None);
        match kind {
            0 => Bank::Opened { owner: account.clone(), account },
            1 => Bank::Deposited { account, cents, transfer },
            _ => Bank::Withdrawn { account, cents, transfer },
        }
    })
}

gesta::laws!(mod holdings_laws, Holdings, any_event() => commutative);

fn open(owner: &str) -> Bank {
    Bank::Opened { account: owner.into(), owner: owner.into() }
}

fn requested(to: &str) -> Bank {
    Bank::Requested { transfer: "t".into(), from: "ada".into(), to: to.into(), cents: 10 }
}

#[test]
fn nobody_overdraws() {
    let lunch = Move { transfer: "t".into(), from: "ada".into(), to: "grace".into(), cents: 1 };
    given([open("ada"), open("grace")]).when(&lunch).refuses(&Refused::Overdrawn { cents: 0 });
    given([open("ada")]).when(&lunch).refuses(&Refused::NotOpen);
}

#[test]
fn what_was_withdrawn_is_deposited_or_given_back() {
    let withdrawn = Bank::Withdrawn { account: "ada".into(), cents: 10, transfer: Some("t".into()) };
    let deposit = |to: &str| Effect::send(Post { account: to.into(), cents: 10, transfer: Some("t".into()) });
    given([requested("grace")]).hears::<Transfer>(withdrawn).reacts([deposit("grace").or(deposit("ada"))]);
}

#[test]
fn a_crash_at_any_moment_of_a_transfer_changes_nothing() {
    crash_everywhere(|world| {
        world.process::<Transfer>();
        let deposit = Bank::Deposited { account: "ada".into(), cents: 10, transfer: None };
        world.records([open("ada"), deposit, requested("nobody")]);
        let ada = world.domain().get::<Account>("ada").wait().expect("read");
        assert_eq!(ada.cents, 10, "refunded");
    });
}

#[test]
fn the_example_runs() {
    main().expect("runs");
}

//! A snapshot is believed by everything it is known to depend on, and the code of `apply` is not known: who changes it and forgets the `VERSION` would read
//! states of the program before. The audit compares some snapshots with the fold, and believes none when one is another.

mod shared;

use std::{collections::HashSet, sync::Arc, time::Duration};

use gesta_model::{Base, Demotion, Domain, DomainOptions, Model, Place, SnapshotInfo, SnapshotOptions};
use gesta_store::{EventStore, disk::memory::MemoryDisk, entropy::Entropy};
use serde::{Deserialize, Serialize};
use shared::{Bank, deposited, record, store};

/// The versions a program has had, which are one to everything but the compiler: types of one name, in blocks of one function.
fn program(number: usize, run: &Run<'_>) -> Asked {
    macro_rules! purse {
        ($apply:expr) => {{
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
            struct Purse {
                cents: i64,
                seen: HashSet<i64>,
            }
            impl Model for Purse {
                type Event = Bank;
                type Key = u32;
                const AT: &'static str = "account-*";
                fn apply(&mut self, event: &Bank, _: &Place<'_>) {
                    let Bank::Deposited { cents, .. } = event else { return };
                    let apply: fn(i64) -> i64 = $apply;
                    self.cents += apply(*cents);
                    self.seen.insert(*cents);
                }
            }
            run.ask::<Purse>(|purse| purse.cents)
        }};
    }
    match number {
        0 => purse!(|cents| cents),
        1 => purse!(|cents| 3 * cents),
        _ => purse!(|cents| if cents < 100 { cents } else { panic!("planted") }),
    }
}

/// A program that was started anew: which purses it asks for, and how often it is suspicious.
struct Run<'r> {
    store: &'r EventStore,
    disk: &'r Arc<MemoryDisk>,
    accounts: &'r [u32],
    audit_share: u64,
    seed: u64,
}

/// What became of it: what is in each purse and what that was made from, or why it is not known; and of snapshots.
struct Asked {
    purses: Vec<Result<(i64, Base), String>>,
    info: SnapshotInfo,
    demotion: Option<Demotion>,
}

impl Run<'_> {
    fn ask<M: Model<Key = u32> + Serialize + for<'d> Deserialize<'d>>(&self, cents: fn(&M) -> i64) -> Asked {
        let entropy = Arc::new(Entropy::seeded(self.seed));
        let domain = Domain::with(self.store.clone(), DomainOptions { entropy, ..DomainOptions::default() });
        let disk = Arc::<MemoryDisk>::clone(self.disk);
        let options = SnapshotOptions { disk, worth: Duration::ZERO, audit_share: self.audit_share };
        let snapshots = domain.keep_snapshots::<M>(options);
        let ask = |account: &u32| match domain.get::<M>(*account).explain() {
            Ok((state, explain)) => Ok((cents(&state.value), explain.base)),
            Err(error) => Err(error.to_string()),
        };
        let purses = self.accounts.iter().map(ask).collect();
        Asked { purses, info: snapshots.info(), demotion: snapshots.demotion() }
    }
}

/// Purses 1 and 2 with snapshots by the first program.
fn furnished() -> (EventStore, Arc<MemoryDisk>) {
    let (store, disk) = (store(), Arc::new(MemoryDisk::new()));
    record(&store, [deposited(1, 5), deposited(1, 7), deposited(2, 100)]);
    let run = Run { store: &store, disk: &disk, accounts: &[1, 2], audit_share: 1, seed: 1 };
    assert_eq!(program(0, &run).info.taken, 2);
    (store, disk)
}

#[test]
fn a_program_whose_apply_is_another_without_another_version_is_found_out() {
    let (store, disk) = furnished();
    let run = Run { store: &store, disk: &disk, accounts: &[1, 2], audit_share: 0, seed: 1 };
    let fooled = program(1, &run);
    assert_eq!(fooled.purses[0].as_ref().map(|(cents, _)| *cents), Ok(12), "what the audit is for: it should be 36");

    let audited = program(1, &Run { audit_share: 1, ..run });
    assert_eq!(audited.purses, [Ok((36, Base::Nothing)), Ok((300, Base::Nothing))]);
    assert_eq!((audited.info.used, audited.info.audited), (1, 1), "after the first no other is believed");
    let demotion = audited.demotion.expect("it was found");
    assert!(demotion.broken.law.contains("VERSION"), "{demotion}");
    assert!(demotion.broken.evidence.contains("12") && demotion.broken.evidence.contains("36"), "{demotion}");
    // What was asked for was written anew.
    let next = program(1, &Run { audit_share: 1, ..run });
    assert_eq!(next.purses.iter().flatten().map(|(cents, _)| *cents).collect::<Vec<_>>(), [36, 300]);
    assert_eq!((next.info.used, next.demotion), (2, None));
}

#[test]
fn a_program_that_is_the_same_is_believed_whatever_order_its_sets_have() {
    let (store, disk) = furnished();
    record(&store, (0..40).map(|n| deposited(1, n)));
    for seed in 0..20 {
        let asked = program(0, &Run { store: &store, disk: &disk, accounts: &[1, 2], audit_share: 1, seed });
        assert_eq!((asked.info.audited, asked.demotion), (2, None));
        assert!(asked.purses.iter().flatten().all(|(_, base)| matches!(base, Base::Snapshot(_))));
    }
}

#[test]
fn a_state_that_its_events_do_not_come_to_any_more_is_an_error_as_without_snapshots() {
    let (store, disk) = furnished();
    let asked = program(2, &Run { store: &store, disk: &disk, accounts: &[2, 1], audit_share: 1, seed: 1 });
    let error = asked.purses[0].as_ref().expect_err("there is no such state");
    assert!(error.contains("code panicked: planted"), "{error}");
    assert_eq!(asked.purses[1], Ok((12, Base::Nothing)));
    assert!(asked.demotion.expect("it was found").broken.evidence.contains("planted"));
}

#[test]
fn a_share_is_audited_also_of_those_that_programs_read_once() {
    let (store, disk) = furnished();
    let audited: u64 = (0..200)
        .map(|seed| program(0, &Run { store: &store, disk: &disk, accounts: &[1], audit_share: 8, seed }).info.audited)
        .sum();
    assert!((10..50).contains(&audited), "about one of eight: {audited} of 200");
}

//! The same whatever happens: a scenario with a crash at every moment it can come.

use std::io::ErrorKind;

use gesta_store::disk::memory::{Done, Fault, MemoryDisk};

use super::World;

/// Runs a scenario once undisturbed; then with a crash at every change of the disk, each in three ways (before it is done, half way, and after
/// it is done and not answered); and with a restart after every step of what follows the log. The log of the domain must be the same each time.
///
/// Gives how many runs it were.
///
/// # Panics
/// When a run comes to something else, naming which.
pub fn crash_everywhere(scenario: impl Fn(&mut World)) -> u64 {
    let mut undisturbed = World::new();
    let opened = undisturbed.disk.operations().changes();
    scenario(&mut undisturbed);
    let (expected, steps) = (undisturbed.log(), undisturbed.steps);
    let changes = undisturbed.disk.operations().changes();
    assert!(changes > opened, "the scenario changes nothing");
    let mut runs = 0;
    let mut compare = |mut world: World, what: &str| {
        scenario(&mut world);
        world.settle();
        assert_eq!(world.log(), expected, "the log is another, {what}");
        runs += 1;
    };
    for at in 0..changes {
        for done in [Done::Nothing, Done::Half, Done::Everything] {
            let mut world = World::unopened(MemoryDisk::new());
            world.seed = at;
            world.fail(at, Fault::forever(ErrorKind::Other).leaving(done));
            compare(world, &format!("crash_at={at} done={done:?}"));
        }
    }
    for at in 1..=steps {
        let mut world = World::new();
        world.restart_after = Some(at);
        compare(world, &format!("restart_after={at}"));
    }
    runs
}

//! Append conditions: dynamic consistency boundaries.

use super::notation::World;

#[test]
fn nothing_may_match_after_what_was_seen() {
    let cases = [
        ("b any 7 unless a", "condition 0 at 0"),
        ("b any 7 unless a after 0", "condition 0 at 2"),
        ("b any 7 unless a after 2", "wrote b/0=7 -> b:1"),
        ("b any 7 unless #red", "condition 0 at 1"),
        ("b any 7 unless #red after 1", "wrote b/0=7 -> b:1"),
        ("b any 7 unless nobody", "wrote b/0=7 -> b:1"),
        ("b any 7 unless nobody unless #red unless a", "condition 1 at 1"),
        ("b any unless a after 2", "nothing -> b:0"),
        ("b any unless a after 1", "condition 0 at 2"),
        (" unless a after 2", "nothing -> "),
        (" unless a after 1", "condition 0 at 2"),
        ("b any 7 unless b", "wrote b/0=7 -> b:1"),
    ];
    for (proposal, verdict) in cases {
        let mut world = World::after(&["a any 1", "c any 2#red", "a any 3"]);
        assert_eq!(world.propose(proposal), verdict, "{proposal}");
    }
}

#[test]
fn expectations_are_looked_at_first() {
    let mut world = World::after(&["a any 1"]);
    assert_eq!(world.propose("a none 7 unless a"), "wrong a 0");
    assert_eq!(world.propose("delete b any unless a"), "wrong b none");
}

/// An append with a condition that its own events break would, sent again, be refused for having succeeded.
#[test]
fn a_retry_is_not_in_its_own_way() {
    let mut world = World::after(&["a any 1#red unless #red"]);
    assert_eq!(world.propose("a any 1#red unless #red"), "again 0..0 -> a:1");
    assert_eq!(world.propose("a none 1#red unless #red"), "again 0..0 -> a:1");
    assert_eq!(world.propose("a any 2#red unless #red"), "condition 0 at 0");
}

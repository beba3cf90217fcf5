//! One line for each case of each rule. Names of the form "matrix: …" are the rows of KurrentDB's consistency matrix.

use super::notation::World;

/// (what it shows, what was committed before, the proposal, the verdict)
type Case = (&'static str, &'static [&'static str], &'static str, &'static str);

fn check(cases: &[Case]) {
    for (shows, history, proposal, verdict) in cases {
        let found = World::after(history).propose(proposal);
        assert_eq!(&found, verdict, "{shows}: {proposal} after {history:?}");
    }
}

const EMPTY: &[&str] = &[];
const THREE: &[&str] = &["a none 1 2 3"];
const METADATA_ONLY: &[&str] = &[r#"$$a none 5{"x":1}"#];
const DELETED: &[&str] = &["a none 1 2 3", "delete a any"];
const ENDED: &[&str] = &["a none 1 2 3", "tombstone a any"];

#[test]
fn expectations_of_an_append() {
    check(&[
        ("any on no stream", EMPTY, "a any 7", "wrote a/0=7 -> a:1"),
        ("any on a stream", THREE, "a any 7 8", "wrote a/3=7 a/4=8 -> a:5"),
        ("no stream on no stream", EMPTY, "a none 7", "wrote a/0=7 -> a:1"),
        ("no stream on metadata only", METADATA_ONLY, "a none 7", "wrote a/0=7 -> a:1"),
        ("no stream on a stream", THREE, "a none 7", "wrong a 2"),
        ("exists on no stream", EMPTY, "a exists 7", "wrong a none"),
        ("exists on metadata only", METADATA_ONLY, "a exists 7", "wrote a/0=7 -> a:1"),
        ("exists on a stream", THREE, "a exists 7", "wrote a/3=7 -> a:4"),
        ("exact on no stream", EMPTY, "a 0 7", "wrong a none"),
        ("exact at the end", THREE, "a 2 7", "wrote a/3=7 -> a:4"),
        ("exact before the end", THREE, "a 1 7", "wrong a 2"),
        ("exact beyond the end", THREE, "a 3 7", "wrong a 2"),
        ("deleted on no stream", EMPTY, "a deleted 7", "wrong a none"),
        ("deleted on a stream", THREE, "a deleted 7", "wrong a 2"),
        ("ended on no stream", EMPTY, "a ended 7", "wrong a none"),
        ("ended on a stream", THREE, "a ended 7", "wrong a 2"),
        ("ended on a deleted stream", DELETED, "a ended 7", "wrong a none"),
        ("ended on an ended stream", ENDED, "a ended 7", "ended a"),
        ("exact at the largest number", THREE, "a 18446744073709551615 7", "wrong a 2"),
        ("exact at the largest number, no stream", EMPTY, "a 18446744073709551615 7", "wrong a none"),
    ]);
}

#[test]
fn checks_without_events() {
    check(&[
        ("matrix: N vs rev N", THREE, "a 2", "nothing -> a:3"),
        ("matrix: N vs rev M", THREE, "a 1", "wrong a 2"),
        ("matrix: N vs no stream", EMPTY, "a 0", "wrong a none"),
        ("matrix: N vs deleted at N", DELETED, "a 2", "nothing -> a:3"),
        ("matrix: N vs deleted at M", DELETED, "a 1", "wrong a none"),
        ("matrix: N vs ended", ENDED, "a 2", "ended a"),
        ("matrix: N vs ended, even at the tombstone", ENDED, "a 3", "ended a"),
        ("matrix: no stream vs rev", THREE, "a none", "wrong a 2"),
        ("matrix: no stream vs no stream", EMPTY, "a none", "nothing -> a:0"),
        ("matrix: no stream vs deleted", DELETED, "a none", "nothing -> a:3"),
        ("matrix: no stream vs ended", ENDED, "a none", "nothing -> a:4"),
        ("matrix: any vs no stream", EMPTY, "a any", "nothing -> a:0"),
        ("matrix: any vs ended", ENDED, "a any", "nothing -> a:4"),
        ("matrix: exists vs rev", THREE, "a exists", "nothing -> a:3"),
        ("matrix: exists vs no stream", EMPTY, "a exists", "wrong a none"),
        ("matrix: exists vs metadata only", METADATA_ONLY, "a exists", "nothing -> a:0"),
        ("matrix: exists vs deleted", DELETED, "a exists", "wrong a none"),
        ("matrix: exists vs ended", ENDED, "a exists", "ended a"),
        ("matrix: deleted vs rev", THREE, "a deleted", "wrong a 2"),
        ("matrix: deleted vs no stream", EMPTY, "a deleted", "wrong a none"),
        ("matrix: deleted vs metadata only", METADATA_ONLY, "a deleted", "wrong a none"),
        ("matrix: deleted vs deleted", DELETED, "a deleted", "nothing -> a:3"),
        ("matrix: deleted vs ended", ENDED, "a deleted", "ended a"),
        ("matrix: ended vs rev", THREE, "a ended", "wrong a 2"),
        ("matrix: ended vs no stream", EMPTY, "a ended", "wrong a none"),
        ("matrix: ended vs deleted", DELETED, "a ended", "wrong a none"),
        ("matrix: ended vs ended", ENDED, "a ended", "nothing -> a:4"),
        ("metadata stream of an ended stream, ended", ENDED, "$$a ended", "nothing -> $$a:0"),
        ("metadata stream of an ended stream", ENDED, "$$a any", "nothing -> $$a:0"),
        ("metadata stream of an ended stream, exists", ENDED, "$$a exists", "ended $$a"),
        ("nothing at all", EMPTY, "", "nothing -> "),
    ]);
}

#[test]
fn soft_delete() {
    const KEPT: &[&str] = &["a none 1 2", r#"$$a none 5{"z":1.50,"$maxCount":3,"b":{"y":1,"x":2}}"#];
    const MAX: &str = "9223372036854775807";
    let kept = format!(r#"wrote $$a/1={{"$maxCount":3,"$tb":{MAX},"b":{{"y":1,"x":2}},"z":1.50}} -> a:2"#);
    let bare = format!(r#"wrote $$a/0={{"$tb":{MAX}}} -> a:3"#);
    check(&[
        ("never written, any", EMPTY, "delete a any", "wrong a none"),
        ("never written, no stream", EMPTY, "delete a none", "wrong a none"),
        ("only metadata", METADATA_ONLY, "delete a any", "wrong a none"),
        ("only metadata, exists", METADATA_ONLY, "delete a exists", "wrong a none"),
        ("at the revision", THREE, "delete a 2", Box::leak(bare.clone().into_boxed_str())),
        ("exists", THREE, "delete a exists", Box::leak(bare.clone().into_boxed_str())),
        ("any", THREE, "delete a any", Box::leak(bare.into_boxed_str())),
        ("wrong revision", THREE, "delete a 1", "wrong a 2"),
        ("no stream on a stream", THREE, "delete a none", "wrong a 2"),
        ("other keys stay, byte for byte", KEPT, "delete a any", Box::leak(kept.into_boxed_str())),
        ("again, any", DELETED, "delete a any", "nothing -> a:3"),
        ("again, no stream", DELETED, "delete a none", "nothing -> a:3"),
        ("again, at the revision", DELETED, "delete a 2", "nothing -> a:3"),
        ("again, at another revision", DELETED, "delete a 1", "wrong a none"),
        ("again, exists", DELETED, "delete a exists", "wrong a none"),
        ("again, deleted", DELETED, "delete a deleted", "nothing -> a:3"),
        ("deleted on a stream", THREE, "delete a deleted", "wrong a 2"),
        ("ended on a stream", THREE, "delete a ended", "wrong a 2"),
        ("ended", ENDED, "delete a any", "ended a"),
        ("ended, as expected", ENDED, "delete a ended", "ended a"),
    ]);
}

#[test]
fn revival() {
    const DELETED_BY_HAND: &[&str] = &[r#"$$a none 5{"$tb":9223372036854775807,"k":"v"}"#];
    const REVIVED: &[&str] = &["a none 1 2 3", "delete a any", "a any 4"];
    check(&[
        ("any", DELETED, "a any 7", r#"wrote $$a/1={"$tb":3} a/3=7 -> a:4"#),
        ("no stream", DELETED, "a none 7 8", r#"wrote $$a/1={"$tb":3} a/3=7 a/4=8 -> a:5"#),
        ("at the old revision", DELETED, "a 2 7", r#"wrote $$a/1={"$tb":3} a/3=7 -> a:4"#),
        ("at another revision", DELETED, "a 1 7", "wrong a none"),
        ("exists", DELETED, "a exists 7", "wrong a none"),
        ("deleted", DELETED, "a deleted 7", r#"wrote $$a/1={"$tb":3} a/3=7 -> a:4"#),
        ("deleted, and so only once", REVIVED, "a deleted 7", "wrong a 3"),
        ("deleted, sent again", REVIVED, "a deleted 4", "again 5..5 -> a:4"),
        ("deleted, half of it sent again", REVIVED, "a deleted 4 7", "violated a 3"),
        ("revived once", REVIVED, "a 3 7", "wrote a/4=7 -> a:5"),
        ("revived is there", REVIVED, "a exists 7", "wrote a/4=7 -> a:5"),
        ("revived is a stream", REVIVED, "a none 7", "wrong a 3"),
        ("deleted before it was written", DELETED_BY_HAND, "a none 7", r#"wrote $$a/1={"$tb":0,"k":"v"} a/0=7 -> a:1"#),
        ("deleted before it was written, delete", DELETED_BY_HAND, "delete a any", "nothing -> a:0"),
        ("first hidden ids are a retry of the create", DELETED, "a none 1 2 3", "again 0..2 -> a:3"),
        ("a truncated stream is not revived", &["a none 1 2", r#"$$a any 5{"$tb":2}"#], "a 1 7", "wrote a/2=7 -> a:3"),
    ]);
}

/// Once a document without `$tb` showed again what had been deleted.
#[test]
fn what_was_deleted_stays_hidden() {
    const MAX: &str = "9223372036854775807";
    const RENEWED: &[&str] = &["a none 1 2 3", "delete a any", "$$a any 5{}"];
    const NAMED: &[&str] = &["a none 1 2 3", "delete a any", "p1: $$a any 5{} + b any 6"];
    let deleted_again = format!(r#"wrote $$a/1=5 $$a/2={{"$tb":{MAX},"k":1}} -> $$a:3 a:3"#);
    let deleted_by_hand = format!(r#"$$a any 5{{"$tb":{MAX}}}"#);
    check(&[
        (
            "a document without $tb",
            DELETED,
            r#"$$a any 5{"z":1.50,"k":{"y":1,"x":2}}"#,
            r#"wrote $$a/1=5 $$a/2={"$tb":3,"k":{"y":1,"x":2},"z":1.50} -> $$a:3"#,
        ),
        ("one that hides less", DELETED, r#"$$a any 5{"$tb":2}"#, r#"wrote $$a/1=5 $$a/2={"$tb":3} -> $$a:3"#),
        ("one that hides as much", DELETED, r#"$$a any 5{"$tb":3}"#, "wrote $$a/1=5 -> $$a:2"),
        ("one that hides more", DELETED, r#"$$a any 5{"$tb":7}"#, "wrote $$a/1=5 -> $$a:2"),
        ("one that deletes again", DELETED, Box::leak(deleted_by_hand.into_boxed_str()), "wrote $$a/1=5 -> $$a:2"),
        ("nonsense", DELETED, "$$a any 5!nonsense", r#"wrote $$a/1=5 $$a/2={"$tb":3} -> $$a:3"#),
        ("a wrong $tb", DELETED, r#"$$a any 5{"$tb":-1}"#, r#"wrote $$a/1=5 $$a/2={"$tb":3} -> $$a:3"#),
        (
            "of several the last counts",
            DELETED,
            r#"$$a any 5{} 6{"$tb":4} 7{"$tb":3}"#,
            "wrote $$a/1=5 $$a/2=6 $$a/3=7 -> $$a:4",
        ),
        ("the stream is there again", RENEWED, "a exists 7", "wrote a/3=7 -> a:4"),
        ("and goes on where it was", RENEWED, "a 2 7", "wrote a/3=7 -> a:4"),
        ("the answer is what to expect next", RENEWED, "$$a 2 7{}", "wrote $$a/3=7 -> $$a:4"),
        (
            "never written: nothing is hidden",
            &[r#"$$a none 5{"$tb":9223372036854775807}"#],
            "$$a any 6{}",
            "wrote $$a/1=6 -> $$a:2",
        ),
        (
            "a deletion in the same request leaves it deleted",
            DELETED,
            r#"$$a any 5{"k":1} + delete a any"#,
            Box::leak(deleted_again.into_boxed_str()),
        ),
        ("sent again, by ids", RENEWED, "$$a any 5{}", "again 4..4 -> $$a:2"),
        ("sent again, by its id", NAMED, "p1: $$a any 5{} + b any 6", "again 4..6 -> $$a:3 b:1"),
        ("by ids, with another stream", NAMED, "$$a any 5{} + b any 6", "again 4..5 -> $$a:2 b:1"),
    ]);
}

#[test]
fn documents_that_say_nothing() {
    const MAX: &str = r#"$$a/1={"$tb":9223372036854775807} -> a:1"#;
    let replaced: &'static str = Box::leak(format!("wrote {MAX}").into_boxed_str());
    check(&[
        ("no JSON", &["a none 1", "$$a any 5!nonsense"], "delete a any", replaced),
        ("no object", &["a none 1", "$$a any 5![1]"], "delete a any", replaced),
        ("empty", &["a none 1", "$$a any 5"], "delete a any", replaced),
        (
            "a wrong $tb hides nothing",
            &["a none 1", r#"$$a any 5{"$tb":"9223372036854775807"}"#],
            "a exists 7",
            "wrote a/1=7 -> a:2",
        ),
        (
            "metadata of metadata",
            &["$$a none 1{}", r#"$$$$a any 5{"$tb":9223372036854775807}"#],
            "$$a exists 7{}",
            "wrote $$a/1=7 -> $$a:2",
        ),
        ("a negative $tb hides nothing", &["a none 1", r#"$$a any 5{"$tb":-1}"#], "a exists 7", "wrote a/1=7 -> a:2"),
    ]);
}

#[test]
fn tombstones() {
    check(&[
        ("never written, any", EMPTY, "tombstone a any", "wrote a/0=end -> a:1"),
        ("never written, no stream", EMPTY, "tombstone a none", "wrote a/0=end -> a:1"),
        ("never written, exists", EMPTY, "tombstone a exists", "wrong a none"),
        ("any", THREE, "tombstone a any", "wrote a/3=end -> a:4"),
        ("at the revision", THREE, "tombstone a 2", "wrote a/3=end -> a:4"),
        ("wrong revision", THREE, "tombstone a 1", "wrong a 2"),
        ("deleted", DELETED, "tombstone a none", "wrote a/3=end -> a:4"),
        ("deleted, exists", DELETED, "tombstone a exists", "wrong a none"),
        ("deleted, as expected", DELETED, "tombstone a deleted", "wrote a/3=end -> a:4"),
        ("not deleted, as was expected", THREE, "tombstone a deleted", "wrong a 2"),
        ("again, as expected", ENDED, "tombstone a ended", "ended a"),
        ("again", ENDED, "tombstone a any", "ended a"),
        ("append, any", ENDED, "a any 7", "ended a"),
        ("append at the tombstone", ENDED, "a 3 7", "ended a"),
        ("append, retried ids", ENDED, "a any 1 2 3", "ended a"),
        ("metadata of an ended stream", ENDED, "$$a any 7{}", "ended $$a"),
    ]);
}

#[test]
fn retries_without_a_revision() {
    check(&[
        ("whole", THREE, "a any 1 2 3", "again 0..2 -> a:3"),
        ("beginning", THREE, "a any 1", "again 0..0 -> a:1"),
        ("end", THREE, "a any 2 3", "again 1..2 -> a:3"),
        ("in another order", THREE, "a any 3 1", "again 0..2 -> a:3"),
        ("exists", THREE, "a exists 1 2", "again 0..1 -> a:2"),
        ("known, then unknown", THREE, "a any 1 7", "violated a 2"),
        ("unknown, then known", THREE, "a any 7 1", "wrote a/3=7 a/4=1 -> a:5"),
        ("another stream", THREE, "b any 1 2", "wrote b/0=1 b/1=2 -> b:2"),
        ("the same ids in two streams", &["a any 1", "b any 1"], "a any 1", "again 0..0 -> a:1"),
        ("written twice: the newest counts", &["a any 1", "a 0 1"], "a any 1", "again 1..1 -> a:2"),
        ("another body", THREE, r#"a any 1{"changed":true}"#, "again 0..0 -> a:1"),
        ("deleted", DELETED, "a any 1", "again 0..0 -> a:1"),
        ("deleted, exists", DELETED, "a exists 1", "wrong a none"),
        ("an id twice in one proposal", EMPTY, "a any 1 1", "wrote a/0=1 a/1=1 -> a:2"),
        ("an id twice, again", &["a any 1 1"], "a any 1 1", "again 1..1 -> a:2"),
    ]);
}

#[test]
fn retries_at_a_revision() {
    check(&[
        ("create again", THREE, "a none 1 2 3", "again 0..2 -> a:3"),
        ("beginning of the create", THREE, "a none 1", "again 0..0 -> a:1"),
        ("not from the beginning", THREE, "a none 2 3", "wrong a 2"),
        ("exact", THREE, "a 0 2 3", "again 1..2 -> a:3"),
        ("exact, one", THREE, "a 1 3", "again 2..2 -> a:3"),
        ("in another order", THREE, "a none 2 1", "wrong a 2"),
        ("begins alike", THREE, "a none 1 3", "violated a 2"),
        ("goes beyond the end", THREE, "a 1 3 7", "violated a 2"),
        ("elsewhere in the stream", THREE, "a 0 3", "wrong a 2"),
        ("at the end: written, though the ids were used", THREE, "a 2 1 2 3", "wrote a/3=1 a/4=2 a/5=3 -> a:6"),
        ("no stream, nothing there: written, though the ids were used", THREE, "b none 1", "wrote b/0=1 -> b:1"),
        ("deleted, first differs", DELETED, "a none 7", r#"wrote $$a/1={"$tb":3} a/3=7 -> a:4"#),
        ("deleted, begins alike", DELETED, "a none 1 7", "violated a none"),
        ("deleted, exact", DELETED, "a 0 2", "again 1..1 -> a:2"),
    ]);
}

#[test]
fn many_streams() {
    const TWO: &[&str] = &["a none 1 2 + b none 3"];
    const APART: &[&str] = &["a none 1", "c none 9", "b none 2"];
    const REVIVED_TOGETHER: &[&str] = &["a any 1", "b any 2", "delete a any + delete b any", "a any 3 + b any 4"];
    check(&[
        ("all", EMPTY, "a none 1 2 + b any 3 + c none", "wrote a/0=1 a/1=2 b/0=3 -> a:2 b:1 c:0"),
        ("or nothing: the first that fails", TWO, "a 1 7 + b none 8 + c exists", "wrong b 0"),
        ("a check that fails", TWO, "c any 7 + b 5", "wrong b 0"),
        ("one after a check that fails", TWO, "b 5 + a none 7", "wrong b 0"),
        ("an ended one", ENDED, "b any 7 + a any 8", "ended a"),
        ("again", TWO, "a none 1 2 + b none 3", "again 0..2 -> a:2 b:1"),
        ("again, without revisions", TWO, "a any 1 2 + b any 3", "again 0..2 -> a:2 b:1"),
        ("part of it again", TWO, "a any 2 + b any 3", "again 1..2 -> a:2 b:1"),
        ("in another order is another proposal", TWO, "b any 3 + a any 1 2", "violated b 0"),
        ("recorded apart", APART, "a any 1 + b any 2", "violated a 0"),
        (
            "recorded apart, but next to one another",
            &["a none 1", "b none 2"],
            "a any 1 + b any 2",
            "again 0..1 -> a:1 b:1",
        ),
        (
            "recorded apart, with metadata between",
            &["a none 1", "$$a any 5{}", "a any 2", "b any 3"],
            "a any 1 2 + b any 3",
            "violated a 1",
        ),
        (
            "recorded apart, with metadata and more between",
            &["a none 1", "$$b any 5{}", "c any 9", "b any 2"],
            "a any 1 + b any 2",
            "violated a 0",
        ),
        ("one new, one known", TWO, "a any 1 2 + b any 7", "violated a 1"),
        ("one known, one new", TWO, "c any 7 + b any 3", "violated b 0"),
        ("one known, one wrong", TWO, "a any 1 2 + b none 7", "wrong b 0"),
        ("again beside checks that hold no more", TWO, "a any 1 2 + b any 3 + c exists", "again 0..2 -> a:2 b:1 c:0"),
        ("again beside a check, one stream", TWO, "c 4 + b any 3", "again 2..2 -> c:0 b:1"),
        ("again beside a tombstone", TWO, "a any 1 2 + tombstone c any", "violated a 1"),
        ("again after both were revived", REVIVED_TOGETHER, "a any 3 + b any 4", "again 5..7 -> a:2 b:2"),
        (
            "revives each",
            &["a any 1", "b any 2", "delete a any + delete b any"],
            "b any 5 + a any 6 7",
            r#"wrote $$b/1={"$tb":1} b/1=5 $$a/1={"$tb":1} a/1=6 a/2=7 -> b:2 a:3"#,
        ),
    ]);
}

/// Whoever asks for it is told of every stream that is not as expected, those to be written and those only checked.
#[test]
fn all_that_is_not_as_expected() {
    const EACH: &[&str] = &["live none 1 2 3", "gone none 4", "delete gone any", "over none 5", "tombstone over any"];
    check(&[
        ("one", EACH, "all: live 1", "not live=2"),
        ("one that is written", EACH, "all: live none 7", "not live=2"),
        (
            "each, in the order of the request",
            EACH,
            "all: over any 7 + live none + none exists + gone 7 + b any 8",
            "not over=tombstoned live=2 none=no-stream gone=soft-deleted",
        ),
        (
            "what holds is not among them",
            EACH,
            "all: live 2 7 + gone deleted + over ended + none 0",
            "not none=no-stream",
        ),
        ("an end that was expected and is to be written", EACH, "all: over ended 7", "not over=tombstoned"),
        ("deletions", EACH, "all: delete none any + delete live 7", "not none=no-stream live=2"),
        ("all holds", EACH, "all: live 2 7 + over ended + gone deleted", "wrote live/3=7 -> live:4 over:2 gone:1"),
        (
            "a retry beside checks that hold no more",
            EACH,
            "all: live none 1 2 3 + over exists",
            "again 0..2 -> live:3 over:2",
        ),
        ("half a retry is none of them", EACH, "all: live none 1 9 + over exists", "violated live 2"),
        ("half a retry behind them", EACH, "all: over exists + live none 1 9", "not over=tombstoned"),
        ("new and recorded before", EACH, "all: live none 1 + b any 8", "violated live 2"),
        ("conditions come after them", EACH, "all: b any 8 unless live", "condition 0 at 0"),
        ("asked for under a name", EACH, "p1: all: live 1", "not live=2"),
    ]);
}

#[test]
fn a_stream_and_its_metadata_in_one_proposal() {
    check(&[
        (
            "the deletion keeps the document from before it",
            &["a any 1"],
            r#"$$a any 5{"k":1} + delete a any"#,
            r#"wrote $$a/0=5 $$a/1={"$tb":9223372036854775807,"k":1} -> $$a:2 a:1"#,
        ),
        (
            "so does the revival",
            DELETED,
            r#"$$a any 5{"k":1} + a any 7"#,
            r#"wrote $$a/1=5 $$a/2={"$tb":3,"k":1} a/3=7 -> $$a:3 a:4"#,
        ),
        (
            "a later document replaces it, but for what it hides",
            DELETED,
            r#"a any 7 + $$a any 5{"k":1}"#,
            r#"wrote $$a/1={"$tb":3} a/3=7 $$a/2=5 $$a/3={"$tb":3,"k":1} -> a:4 $$a:4"#,
        ),
        (
            "the state before counts: a document that deletes does not hide from the next target",
            THREE,
            r#"$$a any 5{"$tb":9223372036854775807} + a exists 7"#,
            "wrote $$a/0=5 a/3=7 -> $$a:1 a:4",
        ),
        ("tombstone", THREE, "tombstone a any + $$a any 5{}", "wrote $$a/0=5 a/3=end -> a:4 $$a:1"),
        ("metadata exists counts for the stream only once there", EMPTY, "$$a any 5{} + a exists 7", "wrong a none"),
        (
            "append and delete",
            THREE,
            "b any 7 + delete a 2",
            r#"wrote b/0=7 $$a/0={"$tb":9223372036854775807} -> b:1 a:3"#,
        ),
    ]);
}

#[test]
fn proposals_sent_again() {
    const NAMED: &[&str] = &["p1: a none 1 2 + b any 3", "b any 4"];
    const DELETED: &[&str] = &["a any 1", "p1: delete a any"];
    const REVIVED: &[&str] = &["a any 1", "delete a any", "p1: a any 2"];
    const MIXED: &[&str] =
        &["a any 1", "b any 2", "delete b any", "p1: c any 3 + delete a any + delete b any + tombstone d any"];
    check(&[
        ("the same", NAMED, "p1: a none 1 2 + b any 3", "again 0..2 -> a:2 b:1"),
        ("its expectations are not looked at", NAMED, "p1: a 9 1 2 + b none 3", "again 0..2 -> a:2 b:1"),
        ("nor its conditions", NAMED, "p1: a none 1 2 + b any 3 unless a", "again 0..2 -> a:2 b:1"),
        ("a check stands where it stands now", NAMED, "p1: a none 1 2 + b any 3 + c any", "again 0..2 -> a:2 b:1 c:0"),
        ("fewer events", NAMED, "p1: a none 1 2", "reused"),
        ("more events", NAMED, "p1: a none 1 2 + b any 3 4", "reused"),
        ("other ids", NAMED, "p1: a none 1 7 + b any 3", "reused"),
        ("other streams", NAMED, "p1: a none 1 2 + c any 3", "reused"),
        ("no events", NAMED, "p1: ", "reused"),
        ("a deletion", DELETED, "p1: delete a any", "again 1..1 -> a:1"),
        ("a deletion of another stream", DELETED, "p1: delete b any", "reused"),
        ("a deletion and more", DELETED, "p1: delete a any + b any 7", "reused"),
        ("a revival", REVIVED, "p1: a any 2", "again 3..3 -> a:2"),
        (
            "of every kind",
            MIXED,
            "p1: c any 3 + delete a any + delete b any + tombstone d any",
            "again 3..5 -> c:1 a:1 b:1 d:1",
        ),
        ("without its tombstone", MIXED, "p1: c any 3 + delete a any + delete b any", "reused"),
        ("what was refused is decided anew", &["a any 1"], "p1: a none 7", "wrong a 0"),
    ]);
}

#[test]
fn what_recorded_nothing_is_not_remembered() {
    let mut world = World::after(&["a any 1"]);
    assert_eq!(world.propose("p1: a none 7"), "wrong a 0");
    assert_eq!(world.propose("p1: a 0 7"), "wrote a/1=7 -> a:2");
    assert_eq!(world.propose("p2: a 1"), "nothing -> a:2");
    assert_eq!(world.propose("p2: a 1 8"), "wrote a/2=8 -> a:3");
}

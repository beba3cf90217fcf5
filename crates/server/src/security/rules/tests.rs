//! The rules as a table, and what must hold whatever the lists say.

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use super::*;

fn admin() -> Caller {
    Caller::user("root", &["$admins"])
}

fn operator() -> Caller {
    Caller::user("olga", &["$ops"])
}

fn ada() -> Caller {
    Caller::user("ada", &["writers"])
}

fn granted(caller: &Caller, action: Action<'_>, metadata: &Value, settings: &Value) -> bool {
    let acl = StreamAcl::from_metadata(&metadata.to_string());
    decide(caller, action, &acl, &DefaultAcls::from_settings(&settings.to_string())) == Verdict::Granted
}

/// Who of administrator, operator, user and nobody may, in this order: `AOU-`.
fn who(action: Action<'_>, metadata: &Value, settings: &Value) -> String {
    let callers = [(admin(), 'A'), (operator(), 'O'), (ada(), 'U'), (Caller::Anonymous, 'N')];
    let shown = callers.map(|(caller, sign)| if granted(&caller, action, metadata, settings) { sign } else { '-' });
    shown.into_iter().collect()
}

#[test]
fn without_any_list_streams_of_applications_are_every_users_and_the_systems_are_not() {
    let none = json!({});
    for (action, expected) in [
        (Action::read("order-1"), "AOU-"),
        (Action::write("order-1"), "AOU-"),
        (Action::delete("order-1"), "AOU-"),
        (Action::read("$$order-1"), "AOU-"),
        (Action::write("$$order-1"), "AOU-"),
        (Action::read("$all"), "A---"),
        (Action::read("$ce-order"), "A---"),
        (Action::read("$streams"), "A---"),
        (Action::read("$user-ada"), "A---"),
        (Action::write("$settings"), "A---"),
        (Action::write("$$$settings"), "A---"),
        (Action::Greet, "AOUN"),
        (Action::Observe, "AOU-"),
        (Action::Operate, "AO--"),
        (Action::ManageUsers, "A---"),
        (Action::SeeUser("ada"), "A-U-"),
        (Action::ChangePassword("ada"), "A-U-"),
        (Action::SeeUser("olga"), "AO--"),
    ] {
        assert_eq!(who(action, &none, &none), expected, "{action:?}");
    }
}

#[test]
fn a_list_names_users_groups_or_everybody_and_leaves_the_rest_to_the_default() {
    let none = json!({});
    for (roles, expected) in [
        (json!("ada"), "A-U-"),
        (json!("writers"), "A-U-"),
        (json!(["$ops", "readers"]), "AO--"),
        (json!("$all"), "AOU-"),
        (json!("$admins"), "A---"),
        (json!([]), "A---"),
        (json!(7), "A---"),
        (json!(null), "AOU-"),
    ] {
        let metadata = json!({"$acl": {"$r": roles}});
        assert_eq!(who(Action::read("order-1"), &metadata, &none), expected, "{metadata}");
        assert_eq!(who(Action::write("order-1"), &metadata, &none), "AOU-", "{metadata} says nothing of writing");
    }
    let opened = json!({"$acl": {"$r": "$all"}});
    assert_eq!(who(Action::read("$ce-order"), &opened, &none), "AOU-");
    assert_eq!(who(Action::read("$all"), &opened, &none), "AOU-");
    assert_eq!(who(Action::read("$user-ada"), &opened, &none), "A---", "what is kept of users stays closed");
}

#[test]
fn the_list_of_a_stream_counts_more_than_the_settings_and_they_more_than_the_default() {
    let settings = json!({"$userStreamAcl": {"$r": "writers"}, "$systemStreamAcl": {"$r": "$ops", "$w": "$all"}});
    assert_eq!(who(Action::read("order-1"), &json!({}), &settings), "A-U-");
    assert_eq!(who(Action::read("order-1"), &json!({"$acl": {"$r": "$ops"}}), &settings), "AO--");
    assert_eq!(who(Action::read("$ce-order"), &json!({}), &settings), "AO--");
    assert_eq!(
        who(Action::write("$users"), &json!({}), &settings),
        "A---",
        "or everybody could become an administrator"
    );
    assert_eq!(who(Action::write("$user-eve"), &json!({}), &settings), "A---");
}

const ROLES: [&str; 6] = ["$all", "$admins", "$ops", "ada", "writers", "anonymous"];

fn document(keys: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let roles =
        prop_oneof![vec(select(&ROLES[..]), 0..3).prop_map(|roles| json!(roles)), Just(json!(7)), Just(json!(null))];
    let acl = vec((select(&["$r", "$w", "$d", "$mr", "$mw"][..]), roles), 0..5)
        .prop_map(|acl| Value::Object(acl.into_iter().map(|(key, roles)| (key.to_owned(), roles)).collect()));
    vec((select(keys), acl), 0..3)
        .prop_map(|lists| Value::Object(lists.into_iter().map(|(key, acl)| (key.to_owned(), acl)).collect()))
}

const STREAMS: [&str; 9] =
    ["order-1", "$all", "$ce-order", "$streams", "$settings", "$users", "$user-ada", "$$order-1", "$$$user-ada"];

fn action() -> impl Strategy<Value = Action<'static>> {
    let on = select(&[Action::read, Action::write, Action::delete][..]);
    prop_oneof![
        (on, select(&STREAMS[..])).prop_map(|(on, stream): (fn(&'static str) -> Action<'static>, _)| on(stream)),
        select(&[Action::Observe, Action::Operate, Action::ManageUsers, Action::SeeUser("ada")][..]),
    ]
}

proptest! {
    #[test]
    fn nobody_without_a_name_gets_anything_whatever_the_lists_say(
        action in action(), metadata in document(&["$acl"]), settings in document(&["$userStreamAcl", "$systemStreamAcl"]),
    ) {
        prop_assert!(!granted(&Caller::Anonymous, action, &metadata, &settings));
    }

    #[test]
    fn administrators_get_everything_whatever_the_lists_say(
        action in action(), metadata in document(&["$acl"]), settings in document(&["$userStreamAcl", "$systemStreamAcl"]),
    ) {
        prop_assert!(granted(&admin(), action, &metadata, &settings));
    }

    #[test]
    fn what_is_kept_of_users_is_the_administrators_whatever_the_lists_say(
        stream in select(&["$users", "$user-ada", "$user-", "$settings", "$$$user-ada", "$$$users", "$$$settings"][..]),
        metadata in document(&["$acl"]), settings in document(&["$userStreamAcl", "$systemStreamAcl"]),
    ) {
        for action in [Action::read(stream), Action::write(stream), Action::delete(stream)] {
            prop_assert!(!granted(&ada(), action, &metadata, &settings));
            prop_assert!(!granted(&operator(), action, &metadata, &settings));
        }
    }

    #[test]
    fn no_user_gets_more_of_a_system_stream_than_the_lists_say(
        stream in select(&["$all", "$ce-order", "$streams", "$$$ce-order"][..]),
    ) {
        for action in [Action::read(stream), Action::write(stream), Action::delete(stream)] {
            let none = json!({});
            prop_assert!(!granted(&ada(), action, &none, &none));
        }
    }
}

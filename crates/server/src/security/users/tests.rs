//! Users in a store.

use gesta_store::entropy::Entropy;

use super::*;
use crate::security::passwords;

fn store() -> (tempfile::TempDir, EventStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = EventStore::open(dir.path()).unwrap();
    (dir, store)
}

fn user(login: &str) -> User {
    User {
        login_name: login.to_owned(),
        full_name: "Somebody".to_owned(),
        groups: vec!["writers".to_owned()],
        disabled: false,
        hash: "$argon2id$".to_owned(),
    }
}

#[test]
fn a_user_is_made_changed_deleted_and_made_again() {
    let (_dir, store) = store();
    assert!(find(&store, "ada").unwrap().is_none());
    store.commit(user("ada").creation().unwrap()).wait().unwrap();
    assert!(store.commit(user("ada").creation().unwrap()).wait().is_err(), "there is one of that name");
    let found = find(&store, "ada").unwrap().unwrap();
    assert_eq!(found.user, user("ada"));
    let disabled = User { disabled: true, ..found.user };
    store.commit(disabled.change(found.revision).unwrap()).wait().unwrap();
    assert!(store.commit(disabled.change(found.revision).unwrap()).wait().is_err(), "somebody was faster");
    let found = find(&store, "ada").unwrap().unwrap();
    assert!(found.user.disabled);
    store.commit(found.user.deletion(found.revision).unwrap()).wait().unwrap();
    assert!(find(&store, "ada").unwrap().is_none());
    store.commit(user("ada").creation().unwrap()).wait().unwrap();
    assert_eq!(find(&store, "ada").unwrap().unwrap().user, user("ada"));
}

#[test]
fn all_users_are_those_that_are_there_each_once() {
    let (_dir, store) = store();
    assert!(all(&store).unwrap().is_empty());
    for login in ["eve", "ada", "bob"] {
        store.commit(user(login).creation().unwrap()).wait().unwrap();
    }
    for login in ["eve", "ada"] {
        let found = find(&store, login).unwrap().unwrap();
        store.commit(found.user.deletion(found.revision).unwrap()).wait().unwrap();
    }
    store.commit(user("ada").creation().unwrap()).wait().unwrap();
    let logins: Vec<String> = all(&store).unwrap().into_iter().map(|found| found.user.login_name).collect();
    assert_eq!(logins, ["ada", "bob"]);
}

#[test]
fn names_that_could_be_taken_for_something_else_are_none() {
    for login in ["", "$admins", "a:b", "a\nb", &"x".repeat(LOGIN_BYTES_MAX + 1)] {
        assert!(user(login).creation().is_err(), "{login:?}");
    }
    assert!(user("žofie@example.com").creation().is_ok());
}

#[test]
fn what_is_no_user_is_nobody() {
    let (_dir, store) = store();
    for (login, document) in [("ada", "{"), ("bob", r#"{"loginName":"admin","hash":"x"}"#)] {
        let event = EventData::json(EventType::new(USER_CREATED).unwrap(), document);
        store.append(stream(login).unwrap(), ExpectedRevision::Any, [event]).wait().unwrap();
        assert!(find(&store, login).unwrap().is_none(), "{document}");
    }
}

#[test]
fn the_first_administrator_is_made_once_and_never_with_a_password_somebody_knows() {
    let (_dir, store) = store();
    let entropy = Entropy::from_os();
    let Ok(FirstRun::Generated(password)) = first_run(&store, None, &entropy) else { panic!("a first run") };
    let found = find(&store, FIRST_ADMIN).unwrap().unwrap();
    assert!(passwords::is_right(&password, Some(&found.user.hash)));
    assert_eq!(found.user.groups, ["$admins"]);
    assert!(matches!(first_run(&store, Some("other"), &entropy), Ok(FirstRun::Not)));
    store.commit(found.user.deletion(found.revision).unwrap()).wait().unwrap();
    assert!(matches!(first_run(&store, None, &entropy), Ok(FirstRun::Not)), "who was deleted stays deleted");
}

#[test]
fn a_lost_password_is_replaced() {
    let (_dir, store) = store();
    let entropy = Entropy::seeded(1);
    assert!(matches!(first_run(&store, Some("first"), &entropy), Ok(FirstRun::Given)));
    let found = find(&store, FIRST_ADMIN).unwrap().unwrap();
    assert!(passwords::is_right("first", Some(&found.user.hash)));
    let disabled = User { disabled: true, ..found.user };
    store.commit(disabled.change(found.revision).unwrap()).wait().unwrap();
    reset_password(&store, FIRST_ADMIN, "second", &entropy).unwrap();
    let found = find(&store, FIRST_ADMIN).unwrap().unwrap();
    assert!(passwords::is_right("second", Some(&found.user.hash)) && !found.user.disabled);
    reset_password(&store, "spare", "third", &entropy).unwrap();
    assert_eq!(find(&store, "spare").unwrap().unwrap().user.groups, ["$admins"]);
    assert!(reset_password(&store, FIRST_ADMIN, "", &entropy).is_err());
}

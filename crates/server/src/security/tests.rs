//! A guard in front of a store: who is let in, and that what was changed holds when the change is answered.

use std::sync::Arc;

use axum::http;
use base64::{Engine, engine::general_purpose::STANDARD};
use gesta_store::{Append, EventData, EventStore, EventType, ExpectedRevision, StreamName, entropy::Entropy};
use tempfile::TempDir;

use super::{
    guesses::Guesser,
    users::{User, find, first_run},
    *,
};
use crate::{
    admission::Admission,
    fault::Fault,
    limits::GUESSES_FREE,
    stopping::{Stop, stop},
};

const APPEND: &str = "/event_store.client.streams.Streams/Append";

struct Place {
    store: EventStore,
    security: Security,
    admission: Admission,
    _stop: Stop,
    _directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = EventStore::open(directory.path()).unwrap();
        let entropy = Entropy::seeded(1);
        first_run(&store, Some("secret"), &entropy).unwrap();
        let (stop, stopping) = stop();
        let security = Security::Guarded(Guard::start(&store, &entropy, stopping).unwrap());
        let admission = Admission::to(store.clone(), security.clone());
        Self { store, security, admission, _stop: stop, _directory: directory }
    }

    /// What somebody may do who calls a method so.
    async fn rights(&self, login: Option<&str>, path: &str) -> Result<Rights, Fault> {
        let mut request = http::Request::builder().uri(path);
        if let Some(login) = login {
            request = request.header("authorization", format!("Basic {}", STANDARD.encode(login)));
        }
        let mut request = request.body(()).unwrap();
        self.security.admit(&mut request).await?;
        let (parts, ()) = request.into_parts();
        Ok(self.security.rights(&tonic::Request::from_parts(Default::default(), parts.extensions, ())))
    }

    async fn commit(&self, append: Append) {
        self.admission.commit(append).await.unwrap();
    }

    async fn append(&self, stream: &str, data: &str) {
        self.commit(Append::to(name(stream), ExpectedRevision::Any, [event(data)])).await;
    }

    fn user(&self, login: &str, groups: &[&str]) -> User {
        let admin = find(&self.store, "admin").unwrap().unwrap().user;
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        User { login_name: login.to_owned(), groups, ..admin }
    }
}

fn name(stream: &str) -> StreamName {
    StreamName::new(stream).unwrap()
}

fn event(data: &str) -> EventData {
    EventData::json(EventType::new("$metadata").unwrap(), data.to_owned())
}

fn word<T>(result: Result<T, Fault>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(fault) => fault.to_string(),
    }
}

#[tokio::test]
async fn who_says_rightly_who_he_is_comes_in() {
    let place = Place::new();
    for (login, path, expected) in [
        (Some("admin:secret"), APPEND, "ok"),
        (Some("admin:secret"), APPEND, "ok"),
        (Some("admin:Secret"), APPEND, "Unauthenticated"),
        (Some("eve:secret"), APPEND, "Unauthenticated"),
        (Some("admin"), APPEND, "Unauthenticated"),
        (Some("admin:wrong"), "/health/live", "ok"),
        (None, "/event_store.client.gossip.Gossip/Read", "ok"),
        (None, APPEND, "ok"),
        (None, "/metrics", "Access Denied"),
        (Some("admin:secret"), "/metrics", "ok"),
    ] {
        assert_eq!(word(place.rights(login, path).await), expected, "{login:?} {path}");
    }
    let nobody = place.rights(None, APPEND).await.unwrap();
    assert_eq!(nobody.login(), "anonymous");
    assert!(nobody.check(Action::write("order-1")).await.is_err(), "let in, and to do nothing");
}

#[tokio::test]
async fn who_guesses_waits_and_who_is_known_does_not() {
    let place = Place::new();
    place.commit(place.user("ada", &[]).creation().unwrap()).await;
    let said = async |login: &str| word(place.rights(Some(login), APPEND).await);
    assert_eq!(said("admin:secret").await, "ok");
    for number in 0..GUESSES_FREE {
        assert_eq!(said(&format!("admin:{number}")).await, "Unauthenticated");
    }
    // And again and again, so that the pause is longer than this test.
    let Security::Guarded(guard) = &place.security else { panic!("guarded") };
    let (guesses, now) = (&guard.authentication.guesses, tokio::time::Instant::now());
    (0..10).for_each(|_| guesses.wrong(Guesser::new(None, "admin"), now));
    // Not even looked at, so that nothing is learnt by guessing on.
    assert_eq!(said("admin:another").await, "Server Is Too Busy");
    assert_eq!(said("admin:secret").await, "ok", "remembered");
    assert_eq!(said("ada:secret").await, "ok", "somebody else");
    // Changed, and so forgotten: the right password has to wait as any other.
    place.append("$user-admin", "{}").await;
    assert_eq!(said("admin:secret").await, "Server Is Too Busy");
}

#[tokio::test]
async fn a_call_nobody_let_in_has_no_rights() {
    let place = Place::new();
    let rights = place.security.rights(&tonic::Request::new(()));
    assert!(rights.check(Action::read("order-1")).await.is_err());
    assert!(Security::Open.rights(&tonic::Request::new(())).check(Action::ManageUsers).await.is_ok());
}

#[tokio::test]
async fn a_list_holds_when_it_is_answered() {
    let place = Place::new();
    place.commit(place.user("ada", &["writers"]).creation().unwrap()).await;
    let ada = place.rights(Some("ada:secret"), APPEND).await.unwrap();
    let may = async |action| ada.check(action).await.is_ok();
    for _ in 0..20 {
        assert!(may(Action::read("order-1")).await);
        place.append("$$order-1", r#"{"$acl":{"$r":"$admins","$w":"writers"}}"#).await;
        assert!(!may(Action::read("order-1")).await);
        assert!(may(Action::write("order-1")).await);
        place.append("$settings", r#"{"$userStreamAcl":{"$d":[]}}"#).await;
        assert!(!may(Action::delete("order-1")).await);
        place.append("$settings", "{}").await;
        assert!(may(Action::delete("order-1")).await);
        place.append("$$order-1", "{}").await;
    }
}

#[tokio::test]
async fn a_user_who_changes_is_asked_again() {
    let place = Place::new();
    place.commit(place.user("ada", &[]).creation().unwrap()).await;
    for _ in 0..5 {
        assert_eq!(word(place.rights(Some("ada:secret"), APPEND).await), "ok");
        let found = find(&place.store, "ada").unwrap().unwrap();
        let disabled = User { disabled: true, ..found.user.clone() };
        place.commit(disabled.change(found.revision).unwrap()).await;
        assert_eq!(word(place.rights(Some("ada:secret"), APPEND).await), "Unauthenticated");
        let found = find(&place.store, "ada").unwrap().unwrap();
        let enabled = User { disabled: false, groups: vec!["$admins".to_owned()], ..found.user };
        place.commit(enabled.change(found.revision).unwrap()).await;
        let ada = place.rights(Some("ada:secret"), APPEND).await.unwrap();
        assert!(ada.check(Action::ManageUsers).await.is_ok());
        let found = find(&place.store, "ada").unwrap().unwrap();
        place.commit(found.user.deletion(found.revision).unwrap()).await;
        assert_eq!(word(place.rights(Some("ada:secret"), APPEND).await), "Unauthenticated");
        place.commit(place.user("ada", &[]).creation().unwrap()).await;
    }
}

/// Whoever waited for every append that names a watched stream waited for ever for one that only checks it, or that writes to another one last.
#[tokio::test]
async fn an_append_that_has_more_in_it_than_a_list_is_answered() {
    let place = Place::new();
    let (list, order) = (name("$$order-1"), name("order-1"));
    place.append("$$order-1", "{}").await;
    let only_checked = Append::new().stream(list.clone(), ExpectedRevision::Any, []).stream(
        order.clone(),
        ExpectedRevision::Any,
        [event("{}")],
    );
    place.commit(only_checked).await;
    let first = Append::new().stream(list.clone(), ExpectedRevision::Any, [event("{}")]);
    place.commit(first.stream(order, ExpectedRevision::Any, [event("{}"), event("{}")])).await;
    let again = event("{}").with_id(uuid::Uuid::from_u128(7));
    for _ in 0..2 {
        place.commit(Append::to(list.clone(), ExpectedRevision::Any, [again.clone()])).await;
    }
}

#[tokio::test]
async fn when_the_server_ends_nobody_waits_for_what_nobody_sees() {
    let directory = tempfile::tempdir().unwrap();
    let store = EventStore::open(directory.path()).unwrap();
    let (stop, stopping) = stop();
    let guard = Guard::start(&store, &Entropy::seeded(1), stopping).unwrap();
    let admission = Admission::to(store.clone(), Security::Guarded(Arc::clone(&guard)));
    stop.tell();
    for _ in 0..5 {
        admission.commit(Append::to(name("$$order-1"), ExpectedRevision::Any, [event("{}")])).await.unwrap();
    }
}

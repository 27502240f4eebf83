//! Clients that manage their own registration.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use app::{
    Authority, ManageRegistration, ManageRegistrationError, NewClient, RegisterClient,
    RegisteredClient,
};
use async_trait::async_trait;
use domain::port::{
    ClientRepository, CredentialRepository as _, InsertClientError, UpdateClientError,
};
use domain::{Client, ClientId, Fault, JsonObject, Revision};
use serde_json::{Value, json};

use crate::support::{House, public_key, rules};

/// A store in which somebody else is quicker, or which has no room for settings.
struct Stubborn {
    inner: Arc<dyn ClientRepository>,
    is_quicker: AtomicBool,
    has_room: bool,
}

#[async_trait]
impl ClientRepository for Stubborn {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        self.inner.find(id).await
    }

    async fn insert(&self, client: &Client) -> Result<(), InsertClientError> {
        if !self.has_room && !client.settings.to_json().is_empty() {
            return Err(InsertClientError::Refused { member: "settings".to_owned() });
        }
        self.inner.insert(client).await
    }

    async fn update(&self, client: &Client, expected: Revision) -> Result<(), UpdateClientError> {
        if self.is_quicker.load(Ordering::SeqCst) {
            return Err(UpdateClientError::Conflict);
        }
        self.inner.update(client, expected).await
    }

    async fn remove(&self, id: &ClientId) -> Result<bool, Fault> {
        self.inner.remove(id).await
    }
}

fn object(value: Value) -> JsonObject {
    let Value::Object(object) = value else { unreachable!("it is one") };
    object
}

fn register_client(house: &House, has_room: bool) -> (RegisterClient, Arc<Stubborn>) {
    let stubborn =
        Arc::new(Stubborn { inner: house.clients.clone(), is_quicker: false.into(), has_room });
    (RegisterClient { clients: stubborn.clone(), ..house.register_client() }, stubborn)
}

async fn registered(register: &RegisterClient, metadata: Value) -> RegisteredClient {
    let new = NewClient::parse(object(metadata), Authority::Public, &rules()).unwrap();
    register.self_managed(new).await.unwrap()
}

#[tokio::test]
async fn t37_of_a_registration_token_only_the_digest_is_kept() {
    let house = House::new();
    let (register, _) = register_client(&house, true);

    let made = registered(&register, json!({"client_name": "A"})).await;

    let token = made.registration_token.unwrap();
    assert!(token.expose().len() == 54 && token.expose().starts_with("twreg_"));
    let kept = house.clients.find(&made.client.id).await.unwrap().unwrap();
    assert!(kept.settings.registration_token.is_some());
    let json = Value::Object(kept.settings.to_json()).to_string();
    assert!(!json.contains(token.expose()) && !format!("{kept:?}").contains(token.expose()));
}

#[tokio::test]
async fn where_there_is_no_room_for_its_token_a_client_is_made_that_does_not_manage_itself() {
    let house = House::new();
    let (register, _) = register_client(&house, false);

    let made = registered(&register, json!({"client_name": "A"})).await;

    assert!(made.registration_token.is_none());
    let kept = house.clients.find(&made.client.id).await.unwrap().unwrap();
    assert!(kept.settings.registration_token.is_none());
    let secret = made.secret.unwrap();
    assert!(house.issue_for(kept.id.as_str(), secret.expose()).await.is_ok());
    assert_eq!(house.credentials.list(&kept.id).await.unwrap().len(), 1);
    let manage =
        ManageRegistration { register_client: register, delete_client: house.delete_client() };
    for token in ["", "twreg_", "guessed"] {
        let refused = manage.read(Some(&kept.id), token).await.unwrap_err();
        assert!(matches!(refused, ManageRegistrationError::Unauthorized));
    }
}

/// Whoever is too late changes nothing: a secret that was made for the change goes again.
#[tokio::test]
async fn a_change_that_came_too_late_leaves_no_secret_behind() {
    let house = House::new();
    let (register, stubborn) = register_client(&house, true);
    let with_key = json!({
        "client_name": "A",
        "token_endpoint_auth_method": "private_key_jwt",
        "public_key": public_key(),
    });
    let made = registered(&register, with_key).await;
    let (id, token) = (made.client.id, made.registration_token.unwrap());
    let manage =
        ManageRegistration { register_client: register, delete_client: house.delete_client() };
    let with_secret = || object(json!({"client_name": "A", "client_id": id.as_str()}));

    stubborn.is_quicker.store(true, Ordering::SeqCst);
    let late = manage.replace(Some(&id), token.expose(), with_secret(), &rules()).await;

    assert!(matches!(late.unwrap_err(), ManageRegistrationError::Conflict));
    assert!(house.credentials.list(&id).await.unwrap().is_empty());
    stubborn.is_quicker.store(false, Ordering::SeqCst);
    let done = manage.replace(Some(&id), token.expose(), with_secret(), &rules()).await.unwrap();
    let secret = done.secret.unwrap();
    assert!(house.issue_for(id.as_str(), secret.expose()).await.is_ok());
}

#[tokio::test]
async fn a_store_that_is_out_is_no_refusal() {
    let house = House::new();
    let (register, _) = register_client(&house, true);
    let made = registered(&register, json!({"client_name": "A"})).await;
    let (id, token) = (made.client.id, made.registration_token.unwrap());
    let manage =
        ManageRegistration { register_client: register, delete_client: house.delete_client() };

    house.clients.go_out();

    for token in [token.expose(), "guessed"] {
        let fault = manage.read(Some(&id), token).await.unwrap_err();
        assert!(matches!(fault, ManageRegistrationError::Fault(_)), "{fault:?}");
    }
}

/// Secrets are hashed or sealed: a client that goes from one to the other is given a new one, and keeps
/// none that is of no use.
#[tokio::test]
async fn a_client_that_signs_with_its_secret_from_now_on_is_given_a_new_one() {
    let house = House::new();
    let (register, _) = register_client(&house, true);
    let made = registered(&register, json!({"client_name": "A"})).await;
    let (id, token) = (made.client.id, made.registration_token.unwrap());
    let manage =
        ManageRegistration { register_client: register, delete_client: house.delete_client() };
    for (method, is_sealed) in [("client_secret_jwt", true), ("client_secret_post", false)] {
        let said = json!({
            "client_id": id.as_str(), "client_name": "A", "token_endpoint_auth_method": method,
        });
        let replaced = manage
            .replace(Some(&id), token.expose(), object(said.clone()), &rules())
            .await
            .unwrap();

        let secret = replaced.secret.expect("it is shown this once");
        let kept = house.credentials.list(&id).await.unwrap();
        assert_eq!(kept.len(), 1, "{method}");
        assert_eq!(kept[0].hash.as_str().starts_with("$open$"), is_sealed, "{method}");
        // What it has now is what it may send along, and nothing else.
        for (sent, is_fine) in [(secret.expose(), true), ("another", false)] {
            let mut again = said.clone();
            again["client_secret"] = json!(sent);
            let outcome = manage.replace(Some(&id), token.expose(), object(again), &rules()).await;
            assert_eq!(outcome.is_ok(), is_fine, "{method} {sent}");
        }
    }
}

/// The change took effect and the secrets stayed, since their store went out between the two: whoever
/// tries again finds a client that uses keys already.
#[tokio::test]
async fn a_secret_that_a_fault_left_behind_goes_with_the_next_attempt() {
    let house = House::new();
    let (register, _) = register_client(&house, true);
    let made = registered(&register, json!({"client_name": "A"})).await;
    let (id, token) = (made.client.id, made.registration_token.unwrap());
    let old = made.secret.unwrap();
    let manage =
        ManageRegistration { register_client: register, delete_client: house.delete_client() };
    let to_keys = || {
        object(json!({
            "client_id": id.as_str(), "client_name": "A",
            "token_endpoint_auth_method": "private_key_jwt", "public_key": public_key(),
        }))
    };
    let back = || object(json!({"client_id": id.as_str(), "client_name": "A"}));

    for tries_again in [true, false] {
        house.credentials.go_out();
        let broken = manage.replace(Some(&id), token.expose(), to_keys(), &rules()).await;
        assert!(matches!(broken.unwrap_err(), ManageRegistrationError::Fault(_)));
        house.credentials.come_back();
        assert_eq!(house.credentials.list(&id).await.unwrap().len(), 1, "it is left over");
        if tries_again {
            manage.replace(Some(&id), token.expose(), to_keys(), &rules()).await.unwrap();
            assert!(house.credentials.list(&id).await.unwrap().is_empty());
        }
        let new = manage.replace(Some(&id), token.expose(), back(), &rules()).await.unwrap();

        let new = new.secret.unwrap();
        assert!(house.issue_for(id.as_str(), new.expose()).await.is_ok());
        assert!(house.issue_for(id.as_str(), old.expose()).await.is_err());
        assert_eq!(house.credentials.list(&id).await.unwrap().len(), 1);
    }
}

/// RFC 7592 section 2.2: what is null is left out.
#[tokio::test]
async fn what_only_the_server_sets_may_be_sent_as_null() {
    let house = House::new();
    let (register, _) = register_client(&house, true);
    let made = registered(&register, json!({"client_name": "A"})).await;
    let (id, token) = (made.client.id, made.registration_token.unwrap());
    let manage =
        ManageRegistration { register_client: register, delete_client: house.delete_client() };

    for (member, value, is_fine) in [
        ("client_secret", Value::Null, true),
        ("registration_access_token", Value::Null, true),
        ("client_secret", json!("another"), false),
        ("client_secret", json!(0), false),
        ("client_secret_expires_at", json!(0), false),
        ("client_id", Value::Null, false),
    ] {
        let mut said = json!({"client_id": id.as_str(), "client_name": "A"});
        said[member] = value;
        let outcome = manage.replace(Some(&id), token.expose(), object(said), &rules()).await;
        assert_eq!(outcome.is_ok(), is_fine, "{member}: {outcome:?}");
    }
}

//! What somebody may do to clients who may not do everything.

use std::time::Duration;

use app::{
    AddSecretError, AddSecretRequest, Authority, ChangeStateError, ClientChanges,
    DeleteClientError, ManageRegistration, NewClient, RegisterClientError, RevokeSecret,
    RevokeSecretError, RotateSecret, UpdateClientError,
};
use domain::management::ManagementRight::{WriteCatalogue, WriteKeys};
use domain::management::{Mandate, MandateExceeded};
use domain::port::{ClientRepository as _, CredentialRepository as _};
use domain::{Client, ClientId, ClientState, JsonObject};
use serde_json::{Value, json};

use crate::support::{House, public_key, rules};

fn mandate(scope: &str) -> Mandate {
    Mandate::Scope(scope.parse().unwrap())
}

fn object(value: &Value) -> JsonObject {
    value.as_object().unwrap().clone()
}

async fn patch(
    house: &House,
    id: &ClientId,
    patch: Value,
    mandate: &Mandate,
) -> Result<Client, UpdateClientError> {
    let changes = ClientChanges::parse(object(&patch), &rules())?;
    house.update_client().execute(id, changes, None, mandate).await
}

#[tokio::test]
async fn t47_the_right_to_change_clients_gives_no_other_right() {
    let house = House::new();
    let writer = mandate("clients:write");
    let make = async |scope: &str| {
        let members = object(&json!({"client_name": "made", "scope": scope}));
        let new = NewClient::parse(members, Authority::Management, &rules()).unwrap();
        house.register_client().execute(new, &writer).await
    };

    let refused = make("orders:read keys:write").await.unwrap_err();
    assert!(matches!(refused, RegisterClientError::Exceeded(MandateExceeded(WriteKeys))));
    let client = make("orders:read clients:write").await.unwrap().client;

    let wider = json!({"scope": "clients:write catalogue:write"});
    let refused = patch(&house, &client.id, wider, &writer).await.unwrap_err();
    assert!(matches!(refused, UpdateClientError::Exceeded(MandateExceeded(WriteCatalogue))));
    assert_eq!(house.clients.find(&client.id).await.unwrap(), Some(client.clone()));
    patch(&house, &client.id, json!({"scope": "orders:write"}), &writer).await.unwrap();
}

/// Whoever could put a secret down, or a key, could be that client.
#[tokio::test]
async fn t47_a_client_that_may_do_more_is_out_of_reach() {
    let house = House::new();
    let id: ClientId = house.client(json!({"scope": "keys:write"})).await.0.parse().unwrap();
    let (stored, secrets) =
        (house.clients.find(&id).await.unwrap(), house.credentials.list(&id).await.unwrap());
    let writer = mandate("clients:write");
    let exceeded = MandateExceeded(WriteKeys);

    for change in [
        json!({"token_endpoint_auth_method": "private_key_jwt", "public_key": public_key()}),
        json!({"strict_auth_method": true}),
        json!({"self_managed": false}),
        json!({"scope": ""}),
        json!({"client_name": "mine"}),
    ] {
        let refused = patch(&house, &id, change, &writer).await.unwrap_err();
        assert!(matches!(refused, UpdateClientError::Exceeded(it) if it == exceeded));
    }
    for state in [ClientState::Trash, ClientState::Public] {
        let refused = house.change_state().execute(&id, state, &writer).await.unwrap_err();
        assert!(matches!(refused, ChangeStateError::Exceeded(it) if it == exceeded));
    }
    let refused = house.delete_client().execute(&id, &writer).await.unwrap_err();
    assert!(matches!(refused, DeleteClientError::Exceeded(it) if it == exceeded));
    let none = AddSecretRequest::default();
    let refused = house.add_secret().execute(&id, none.clone(), &writer).await.unwrap_err();
    assert!(matches!(refused, AddSecretError::Exceeded(it) if it == exceeded));
    let rotate = RotateSecret { add_secret: house.add_secret() };
    let refused = rotate.execute(&id, none, Duration::ZERO, &writer).await.unwrap_err();
    assert!(matches!(refused, AddSecretError::Exceeded(it) if it == exceeded));
    let revoke =
        RevokeSecret { clients: house.clients.clone(), credentials: house.credentials.clone() };
    let refused = revoke.execute(&id, &secrets[0].id, &writer).await.unwrap_err();
    assert!(matches!(refused, RevokeSecretError::Exceeded(it) if it == exceeded));

    assert_eq!(house.clients.find(&id).await.unwrap(), stored);
    assert_eq!(house.credentials.list(&id).await.unwrap(), secrets);
    let both = mandate("clients:write keys:write");
    assert!(revoke.execute(&id, &secrets[0].id, &both).await.unwrap());
    house.delete_client().execute(&id, &both).await.unwrap();
}

/// A registration token of a client, and what manages with it.
async fn self_managed(house: &House, metadata: Value) -> (ClientId, String, ManageRegistration) {
    let new = NewClient::parse(object(&metadata), Authority::Public, &rules()).unwrap();
    let made = house.register_client().self_managed(new).await.unwrap();
    let manage = ManageRegistration {
        register_client: house.register_client(),
        delete_client: house.delete_client(),
    };
    (made.client.id, made.registration_token.unwrap().expose().to_owned(), manage)
}

#[tokio::test]
async fn t47_an_operator_takes_a_registration_token_away_for_good() {
    let all = Mandate::Unlimited;
    for way in ["patch", "null", "disable", "scope"] {
        let house = House::new();
        let (id, token, manage) = self_managed(&house, json!({"client_name": "a"})).await;
        assert!(manage.read(Some(&id), &token).await.unwrap().is_self_managed());

        match way {
            "patch" => drop(patch(&house, &id, json!({"self_managed": false}), &all).await),
            "null" => drop(patch(&house, &id, json!({"self_managed": null}), &all).await),
            "scope" => {
                patch(&house, &id, json!({"scope": "keys:read"}), &all).await.unwrap();
                patch(&house, &id, json!({"scope": null}), &all).await.unwrap();
            }
            _ => {
                for state in [ClientState::Trash, ClientState::Public] {
                    house.change_state().execute(&id, state, &all).await.unwrap();
                }
            }
        }

        let now = house.clients.find(&id).await.unwrap().unwrap();
        assert!(now.is_enabled() && now.settings.registration_token.is_none(), "{way}");
        assert!(manage.read(Some(&id), &token).await.is_err(), "{way}");
        assert!(manage.delete(Some(&id), &token).await.is_err(), "{way}");
    }
}

/// As it may stand in a store that an earlier release wrote, or that was written to by hand.
#[tokio::test]
async fn t47_a_registration_token_of_a_disabled_client_does_not_come_back_with_it() {
    let house = House::new();
    let (id, token, manage) = self_managed(&house, json!({"client_name": "a"})).await;
    let before = house.clients.find(&id).await.unwrap().unwrap();
    let revision = before.revision.next();
    let disabled = Client { state: ClientState::Trash, revision, ..before.clone() };
    house.clients.update(&disabled, before.revision).await.unwrap();

    let state = ClientState::Public;
    let enabled = house.change_state().execute(&id, state, &Mandate::Unlimited).await.unwrap();

    assert_eq!(enabled.settings.registration_token, None);
    assert!(manage.read(Some(&id), &token).await.is_err());
}

/// As it may stand in a store that an earlier release wrote.
#[tokio::test]
async fn t47_a_client_that_manages_the_server_is_not_managed_by_its_registration_token() {
    let house = House::new();
    let (id, token, manage) = self_managed(&house, json!({"client_name": "a"})).await;
    let before = house.clients.find(&id).await.unwrap().unwrap();
    let scope = "clients:write".parse().unwrap();
    let given = Client { scope, revision: before.revision.next(), ..before.clone() };
    house.clients.update(&given, before.revision).await.unwrap();

    assert!(manage.read(Some(&id), &token).await.is_err());
}

#[tokio::test]
async fn a_registration_token_cannot_be_asked_for_and_the_public_does_not_speak_of_it() {
    let house = House::new();
    let (id, token, manage) = self_managed(&house, json!({"client_name": "a"})).await;

    for wrong in [json!(true), json!("false"), json!(0)] {
        let change = json!({"self_managed": wrong});
        let refused = patch(&house, &id, change, &Mandate::Unlimited).await.unwrap_err();
        assert!(refused.to_string().starts_with("self_managed: can only be set to false"));
    }
    let own = object(&json!({"client_id": id.as_str(), "client_name": "a", "self_managed": false}));
    let refused = manage.replace(Some(&id), &token, own, &rules()).await.unwrap_err();
    assert!(refused.to_string().starts_with("self_managed: only an operator"), "{refused}");
    assert!(manage.read(Some(&id), &token).await.is_ok());
}

#[tokio::test]
async fn t47_a_client_does_not_undo_how_an_operator_lets_it_authenticate() {
    let house = House::new();
    let with_key = |extra: Value| {
        let mut members = json!({
            "client_name": "a",
            "token_endpoint_auth_method": "private_key_jwt",
            "public_key": public_key(),
        });
        members.as_object_mut().unwrap().extend(object(&extra));
        members
    };
    let (id, token, manage) = self_managed(&house, with_key(json!({}))).await;
    let strict = json!({"strict_auth_method": true});
    patch(&house, &id, strict, &Mandate::Unlimited).await.unwrap();
    let own = json!({"client_id": id.as_str()});
    let mut published = with_key(json!({"jwks_uri": "https://keys.example/a"}));
    published.as_object_mut().unwrap().remove("public_key");
    published["client_id"] = own["client_id"].clone();
    let mut other = public_key();
    other["kid"] = json!("another");

    for (member, said) in [
        ("token_endpoint_auth_method", json!({"client_id": id.as_str(), "client_name": "a"})),
        ("jwks_uri", published),
        ("jwks", with_key(json!({"client_id": id.as_str(), "public_key": other}))),
    ] {
        let refused = manage.replace(Some(&id), &token, object(&said), &rules()).await;
        let text = refused.unwrap_err().to_string();
        assert!(text.starts_with(&format!("{member}: was fixed by an operator")), "{text}");
    }
    let mut renamed = with_key(own);
    renamed["client_name"] = json!("b");
    let done = manage.replace(Some(&id), &token, object(&renamed), &rules()).await.unwrap();
    assert_eq!((done.client.name.as_str(), done.secret.is_some()), ("b", false));
}

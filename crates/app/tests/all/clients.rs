//! Clients are changed by operators.

use app::{ClientChanges, UpdateClientError};
use domain::management::Mandate;
use domain::port::{ClientRepository as _, CredentialRepository as _};
use domain::{Client, ClientId, ClientState, Revision};
use serde_json::{Value, json};

use crate::support::{House, kind, public_key, rules};

async fn change(
    house: &House,
    id: &ClientId,
    patch: Value,
    expected: Option<&[Revision]>,
) -> Result<Client, UpdateClientError> {
    let object = patch.as_object().unwrap().clone();
    let changes = ClientChanges::parse(object, &rules())?;
    house.update_client().execute(id, changes, expected, &Mandate::Unlimited).await
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let house = House::new();
    let registered = json!({"permissions": ["a"], "audience": ["orders"], "metadata": {"x": 1}});
    let id: ClientId = house.client(registered).await.0.parse().unwrap();

    let patch = json!({"permissions": ["b"], "metadata": null});
    let changed = change(&house, &id, patch, Some(&[Revision(1)])).await.unwrap();

    assert_eq!(changed.permissions, ["b".parse().unwrap()]);
    assert_eq!(changed.audience, ["orders".parse().unwrap()]);
    assert_eq!((changed.metadata.clone(), changed.revision), (None, Revision(2)));
    assert_eq!(house.clients.find(&id).await.unwrap(), Some(changed));
}

/// RFC 7396: a member that is not there stays, and `null` takes one away.
#[tokio::test]
async fn a_patch_of_what_a_client_tells_about_itself_leaves_the_rest_of_it() {
    let house = House::new();
    let told = json!({"tos_uri": "https://a.example", "software_id": "s", "contacts": ["x"]});
    let id: ClientId = house.client(told).await.0.parse().unwrap();

    let patch = json!({"tos_uri": null, "software_id": "t", "logo_uri": null});
    let changed = change(&house, &id, patch, None).await.unwrap();

    let told = Value::Object(changed.informative.as_object().clone());
    assert_eq!(told, json!({"software_id": "t", "contacts": ["x"]}));
    assert!(change(&house, &id, json!({"contacts": "x"}), None).await.is_err());
}

#[tokio::test]
async fn a_patch_of_what_was_changed_meanwhile_changes_nothing() {
    let house = House::new();
    let id: ClientId = house.client(json!({})).await.0.parse().unwrap();
    let first = [Revision(1)];
    change(&house, &id, json!({"permissions": ["a"]}), Some(&first)).await.unwrap();

    let late = change(&house, &id, json!({"permissions": ["b"]}), Some(&first)).await;

    assert!(matches!(late.unwrap_err(), UpdateClientError::Conflict));
    assert!(change(&house, &id, json!({"permissions": ["b"]}), None).await.is_ok());
}

#[tokio::test]
async fn t47_a_patch_sets_only_what_a_patch_may_set() {
    let house = House::new();
    let id: ClientId = house.client(json!({})).await.0.parse().unwrap();
    for patch in [
        json!({"client_id": "x"}),
        json!({"__STATE__": "PUBLIC"}),
        json!({"revision": 9}),
        json!({"lastLogin": "2026"}),
        json!({"client_name": null}),
        json!({"client_secret": "x"}),
        json!({"token_endpoint_auth_method": "private_key_jwt"}),
    ] {
        let refused = change(&house, &id, patch.clone(), None).await.unwrap_err();
        assert!(matches!(refused, UpdateClientError::Invalid(_)), "{patch}: {refused:?}");
    }
    assert_eq!(house.clients.find(&id).await.unwrap().unwrap().revision, Revision(1));
}

#[tokio::test]
async fn disabling_is_idempotent_and_survives_a_tie() {
    let house = House::new();
    let id: ClientId = house.client(json!({})).await.0.parse().unwrap();

    let once =
        house.change_state().execute(&id, ClientState::Trash, &Mandate::Unlimited).await.unwrap();
    let twice =
        house.change_state().execute(&id, ClientState::Trash, &Mandate::Unlimited).await.unwrap();

    assert_eq!((once.revision, twice.revision), (Revision(2), Revision(2)));
    let nobody = "nobody".parse().unwrap();
    let unknown = house
        .change_state()
        .execute(&nobody, ClientState::Trash, &Mandate::Unlimited)
        .await
        .unwrap_err();
    assert_eq!(kind(&unknown), "Unknown");
}

#[tokio::test]
async fn a_deletion_that_failed_halfway_is_finished_by_the_next_try() {
    let house = House::new();
    let id: ClientId = house.client(json!({})).await.0.parse().unwrap();

    house.credentials.go_out();
    assert!(house.delete_client().execute(&id, &Mandate::Unlimited).await.is_err());
    assert!(house.clients.find(&id).await.unwrap().is_some());
    house.credentials.come_back();

    house.delete_client().execute(&id, &Mandate::Unlimited).await.unwrap();
    assert!(house.clients.find(&id).await.unwrap().is_none());
    assert_eq!(
        kind(&house.delete_client().execute(&id, &Mandate::Unlimited).await.unwrap_err()),
        "Unknown"
    );
}

#[tokio::test]
async fn a_client_that_goes_over_to_keys_loses_its_secrets_for_good() {
    let house = House::new();
    let (raw, secret) = house.client(json!({})).await;
    let id: ClientId = raw.parse().unwrap();
    let to_keys = json!({
        "token_endpoint_auth_method": "private_key_jwt", "public_key": public_key(),
    });
    let back = json!({"token_endpoint_auth_method": "client_secret_basic", "public_key": null});

    change(&house, &id, to_keys, None).await.unwrap();
    change(&house, &id, back, None).await.unwrap();

    assert!(house.issue_for(&raw, &secret).await.is_err());
}

#[tokio::test]
async fn a_secret_that_a_fault_left_behind_does_not_come_back() {
    let house = House::new();
    let (raw, secret) = house.client(json!({})).await;
    let id: ClientId = raw.parse().unwrap();
    let before = house.clients.find(&id).await.unwrap().unwrap();
    let own = house.credentials.list(&id).await.unwrap();
    let to_keys = json!({
        "token_endpoint_auth_method": "private_key_jwt", "public_key": public_key(),
    });
    let back = json!({"token_endpoint_auth_method": "client_secret_basic", "public_key": null});
    change(&house, &id, to_keys, None).await.unwrap();
    // As if the store of secrets had gone out between the client and its secrets.
    assert!(house.credentials.insert(&id, &own[0]).await.unwrap());

    // Nothing is changed while it cannot be said that they are gone.
    house.credentials.go_out();
    let broken = change(&house, &id, back.clone(), None).await.unwrap_err();
    assert!(matches!(broken, UpdateClientError::Fault(_)));
    house.credentials.come_back();
    assert!(!house.clients.find(&id).await.unwrap().unwrap().authentication.uses_secret());
    let client = change(&house, &id, back, None).await.unwrap();

    assert_eq!(client.authentication, before.authentication);
    assert!(house.credentials.list(&id).await.unwrap().is_empty());
    assert!(house.issue_for(&raw, &secret).await.is_err());
}

#[tokio::test]
async fn a_client_has_keys_or_an_address_of_keys_and_never_both() {
    let house = House::new();
    let id = house.key_client(json!({})).await.parse().unwrap();
    let uri = "https://keys.example/jwks";
    let to_uri = json!({"jwks_uri": uri});

    for patch in
        [to_uri.clone(), json!({"public_key": null}), json!({"jwks_uri": "http://a.example"})]
    {
        let error = change(&house, &id, patch.clone(), None).await.unwrap_err();
        assert!(matches!(error, UpdateClientError::Invalid(_)), "{patch}");
    }
    let mut both = to_uri;
    both["public_key"] = json!(null);
    let changed = change(&house, &id, both, None).await.unwrap();
    assert_eq!((changed.keys.len(), changed.settings.jwks_uri), (0, Some(uri.parse().unwrap())));

    let back = json!({"jwks_uri": null, "jwks": {"keys": [public_key()]}});
    let changed = change(&house, &id, back, None).await.unwrap();
    assert_eq!((changed.keys.len(), changed.settings.jwks_uri), (1, None));
}

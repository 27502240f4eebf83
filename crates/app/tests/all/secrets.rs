//! Several secrets for one client.

use std::time::Duration;

use app::{AddSecretError, AddSecretRequest, RevokeSecret, RotateSecret};
use domain::port::{Clock as _, CredentialRepository as _};
use domain::{ClientId, MAX_SECRETS_PER_CLIENT};
use serde_json::json;

use crate::support::House;

#[tokio::test]
async fn a_rotation_lets_old_and_new_overlap() {
    let house = House::new();
    let (id, old) = house.client(json!({})).await;
    let client: ClientId = id.parse().unwrap();
    let rotate = RotateSecret { add_secret: house.add_secret() };

    let new =
        rotate.execute(&client, AddSecretRequest::default(), Duration::from_mins(1)).await.unwrap();

    house.clock.advance(Duration::from_secs(59));
    assert!(house.issue_for(&id, &old).await.is_ok());
    assert!(house.issue_for(&id, new.secret.expose()).await.is_ok());
    house.clock.advance(Duration::from_secs(1));
    assert!(house.issue_for(&id, &old).await.is_err());
    assert!(house.issue_for(&id, new.secret.expose()).await.is_ok());
}

#[tokio::test]
async fn a_revoked_secret_is_worth_nothing_at_once() {
    let house = House::new();
    let (id, secret) = house.client(json!({})).await;
    let client: ClientId = id.parse().unwrap();
    let own = house.credentials.list(&client).await.unwrap().remove(0);
    let revoke = RevokeSecret { credentials: house.credentials.clone() };

    assert!(revoke.execute(&client, &own.id).await.unwrap());

    assert!(house.issue_for(&id, &secret).await.is_err());
    assert!(!revoke.execute(&client, &own.id).await.unwrap());
}

#[tokio::test]
async fn there_is_room_for_a_few_and_expired_ones_make_room() {
    let house = House::new();
    let client: ClientId = house.client(json!({})).await.0.parse().unwrap();
    let soon = AddSecretRequest {
        expires_at: Some(house.clock.now().after(Duration::from_secs(1))),
        ..AddSecretRequest::default()
    };
    for _ in 1..MAX_SECRETS_PER_CLIENT {
        house.add_secret().execute(&client, soon.clone()).await.unwrap();
    }

    let full = house.add_secret().execute(&client, AddSecretRequest::default()).await;
    assert!(matches!(full.unwrap_err(), AddSecretError::TooMany));

    house.clock.advance(Duration::from_secs(1));
    let late = house.add_secret().execute(&client, soon).await.unwrap_err();
    assert!(matches!(late, AddSecretError::AlreadyExpired));
    house.add_secret().execute(&client, AddSecretRequest::default()).await.unwrap();
    assert_eq!(house.credentials.list(&client).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_client_with_keys_gets_no_secret() {
    let house = House::new();
    let client = house.key_client(json!({})).await.parse().unwrap();

    let refused = house.add_secret().execute(&client, AddSecretRequest::default()).await;

    assert!(matches!(refused.unwrap_err(), AddSecretError::UsesKeys));
}

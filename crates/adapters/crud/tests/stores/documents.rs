//! Documents that others put there.

use contract::sample::{client_id, public_keys};
use domain::port::{ClientDirectory as _, ClientQuery, ClientRepository as _};
use domain::{AuthenticationMethod, Capability, ClientState, FaultKind};
use serde_json::json;

use crate::scratch::{collection, everything, put};

#[tokio::test]
async fn a_document_of_the_vendor_is_a_client() {
    let (clients, service) = collection(everything());
    let mut key = public_keys()[1].to_json();
    key.insert("alg".to_owned(), "RSA256".into());
    put(
        &service,
        &json!({
            "clientId": "keyed", "name": "Keyed", "authMethod": "private_key_jwt", "publicKey": key,
            "permissions": ["a"], "audience": ["https://a.example"], "allowedCustomClaims": null,
        }),
    )
    .await;
    let secret = json!({"clientId": "secret", "name": "Secret", "publicKey": {}});
    put(&service, &secret).await;

    let keyed = clients.find(&client_id("keyed")).await.unwrap().unwrap();
    let secret = clients.find(&client_id("secret")).await.unwrap().unwrap();

    assert_eq!(keyed.authentication, AuthenticationMethod::PrivateKeyJwt);
    assert_eq!(keyed.keys, public_keys()[1..2]);
    assert_eq!(secret.authentication, AuthenticationMethod::ClientSecretBasic);
    assert!(secret.keys.is_empty());
    assert_eq!(secret.capabilities, [Capability::ClientCredentials].into());
    assert_eq!(secret.state, ClientState::Public);
}

#[tokio::test]
async fn a_document_of_the_vendor_is_changed_like_any_other() {
    let (clients, service) = collection(everything());
    put(&service, &json!({"clientId": "a", "name": "A"})).await;
    let stored = clients.find(&client_id("a")).await.unwrap().unwrap();

    let mut changed = stored.clone();
    changed.revision = stored.revision.next();
    changed.scope = "read".parse().unwrap();
    clients.update(&changed, stored.revision).await.unwrap();

    // From now on it has a count of its own.
    assert_eq!(clients.find(&stored.id).await.unwrap(), Some(changed));
}

#[tokio::test]
async fn a_document_that_cannot_be_a_client_is_corrupt_and_named_without_its_values() {
    let (clients, service) = collection(everything());
    let bad = json!({"clientId": "bad", "name": "Bad", "authMethod": "s3cret"});
    let object_id = put(&service, &bad).await;
    put(&service, &json!({"clientId": "good", "name": "Good"})).await;

    let fault = clients.find(&client_id("bad")).await.unwrap_err();

    assert_eq!(fault.kind(), FaultKind::Corrupt);
    let explained = fault.explained();
    assert!(explained.contains("authMethod") && explained.contains(&object_id), "{explained}");
    assert!(!explained.contains("s3cret"), "{explained}");
    assert!(clients.find(&client_id("good")).await.unwrap().is_some());
    let query = ClientQuery { after: None, limit: 10, search: None };
    assert_eq!(clients.page(&query).await.unwrap_err().kind(), FaultKind::Corrupt);
}

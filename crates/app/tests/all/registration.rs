//! New clients.

use std::sync::Arc;

use adapter_memory::testing::{PlainDigester, PlainHasher, PlainMacs, PlainSigner, SeededEntropy};
use adapter_memory::{MemoryClients, MemoryCredentials};
use app::{Authority, RegisterClient, RegisterClientError};
use async_trait::async_trait;
use domain::management::Mandate;
use domain::port::{
    ClientRepository, Clock as _, CredentialRepository as _, InsertClientError, UpdateClientError,
};
use domain::{Client, ClientId, ClientState, Fault, Revision};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{House, kind, public_key, rules};

fn invalid(error: RegisterClientError) -> String {
    match error {
        RegisterClientError::Invalid(invalid) => invalid.to_string(),
        other => panic!("not invalid metadata: {other:?}"),
    }
}

#[tokio::test]
async fn ids_and_secrets_are_letters() {
    let house = House::new();

    let made = house.register(Authority::Public, json!({"client_name": "A"})).await.unwrap();

    let (id, secret) = (made.client.id.as_str(), made.secret.unwrap());
    assert_eq!((id.len(), secret.expose().len()), (32, 48));
    assert!(id.chars().chain(secret.expose().chars()).all(|it| it.is_ascii_alphabetic()));
    assert_eq!(made.client.state, ClientState::Public);
    assert!(made.client.permissions.is_empty() && made.client.audience.is_empty());
    assert_eq!(made.client.created_at, house.clock.now());
}

#[tokio::test]
async fn a_client_with_a_key_has_no_secret() {
    let house = House::new();
    let metadata = json!({
        "client_name": "A", "token_endpoint_auth_method": "private_key_jwt",
        "public_key": public_key(),
    });

    let made = house.register(Authority::Public, metadata).await.unwrap();

    assert!(made.secret.is_none());
    assert_eq!(made.client.keys.len(), 1);
    assert!(house.credentials.list(&made.client.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn t32_a_public_registration_widens_nothing() {
    let house = House::new();
    for (member, value) in [
        ("permissions", json!(["admin"])),
        ("audience", json!(["orders"])),
        ("scope", json!("clients:write")),
        ("allowedCustomClaims", json!(["tenant"])),
        ("capabilities", json!(["introspection"])),
        ("metadata", json!({})),
        ("access_token_format", json!("jwt")),
        ("access_token_lifetime", json!(60)),
        ("access_token_signing_alg", json!("ES256")),
        ("default_scope", json!("a")),
        ("assertion_audience", json!("issuer_or_token_endpoint")),
        ("strict_auth_method", json!(false)),
        ("__STATE__", json!("PUBLIC")),
    ] {
        let mut metadata = json!({"client_name": "A"});
        metadata[member] = value;
        let refused = house.register(Authority::Public, metadata).await.unwrap_err();
        assert_eq!(
            invalid(refused),
            format!("{member}: only an operator can set this (POST /clients)")
        );
    }
}

#[tokio::test]
async fn bad_metadata_is_refused_by_name_with_the_mend() {
    let house = House::new();
    let mut refusals = Vec::new();
    let key = |change: Value| {
        let mut key = public_key();
        for (name, value) in change.as_object().unwrap() {
            key[name] = value.clone();
        }
        json!({"token_endpoint_auth_method": "private_key_jwt", "public_key": key})
    };
    for change in [
        json!({"client_name": null}),
        json!({"client_name": 7}),
        json!({"client_name": ""}),
        json!({"token_endpoint_auth_method": "none"}),
        json!({"token_endpoint_auth_method": "private_key_jwt"}),
        json!({"public_key": public_key()}),
        key(json!({"kid": null})),
        key(json!({"alg": "ES256"})),
        key(json!({"alg": "PS256"})),
        key(json!({"use": "enc"})),
        key(json!({"d": "AA"})),
        key(json!({"n": "AQAB"})),
        json!({"jwks_uri": "https://example.com"}),
        json!({"jwks_uri": 7}),
        json!({"jwks_uri": "ftp://example.com"}),
        json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "http://example.com"}),
        json!({
            "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://example.com",
            "public_key": public_key(),
        }),
        json!({
            "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://example.com",
            "jwks": {"keys": []},
        }),
        json!({"jwks": {}}),
        json!({"capabilities": []}),
        json!({"grant_types": ["password"]}),
        json!({"software_id": 7}),
        json!({"permissions": "admin"}),
        json!({"audience": ["a b"]}),
        json!({"allowedCustomClaims": ["sub"]}),
        json!({"scope": "a  b"}),
        json!({"metadata": []}),
        json!({"__STATE__": "OPEN"}),
        json!({"access_token_format": "saml"}),
        json!({"access_token_format": 1}),
        json!({"access_token_lifetime": 0}),
        json!({"access_token_lifetime": 86_401}),
        json!({"access_token_lifetime": "60"}),
        json!({"access_token_signing_alg": "EdDSA"}),
        json!({"access_token_signing_alg": "none"}),
        json!({"default_scope": "a"}),
        json!({"scope": "a", "default_scope": "a b"}),
        json!({"assertion_audience": "any"}),
        json!({"strict_auth_method": "yes"}),
        json!({"permission": ["typing error"]}),
    ] {
        let mut metadata = json!({"client_name": "A"});
        for (name, value) in change.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        let refused = house.register(Authority::Management, metadata).await.unwrap_err();
        refusals.push(invalid(refused));
    }

    insta::assert_snapshot!(refusals.join("\n"));
}

#[tokio::test]
async fn what_nobody_knows_is_ignored_from_the_public() {
    let house = House::new();
    let metadata = json!({"client_name": "A", "redirect_uris": [], "software_id": "s"});

    let made = house.register(Authority::Public, metadata).await.unwrap();

    assert_eq!(made.client.informative.as_object().len(), 1);
}

/// Clients that answer only after they have stored, or say that every id is taken.
struct Unlucky {
    clients: MemoryClients,
    is_taken: bool,
}

#[async_trait]
impl ClientRepository for Unlucky {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        self.clients.find(id).await
    }

    async fn insert(&self, client: &Client) -> Result<(), InsertClientError> {
        if self.is_taken {
            return Err(InsertClientError::AlreadyExists);
        }
        self.clients.insert(client).await?;
        Err(Fault::unavailable("the answer was lost").into())
    }

    async fn update(&self, client: &Client, expected: Revision) -> Result<(), UpdateClientError> {
        self.clients.update(client, expected).await
    }

    async fn remove(&self, id: &ClientId) -> Result<bool, Fault> {
        self.clients.remove(id).await
    }
}

#[tokio::test]
async fn nothing_half_made_stays_behind() {
    for is_taken in [false, true] {
        let house = House::new();
        let clients = Arc::new(Unlucky { clients: MemoryClients::default(), is_taken });
        let credentials = Arc::new(MemoryCredentials::default());
        let register = RegisterClient {
            clients: clients.clone(),
            credentials: credentials.clone(),
            hasher: Arc::new(PlainHasher::default()),
            macs: Arc::new(PlainMacs),
            digester: Arc::new(PlainDigester),
            signatures: Arc::new(PlainSigner),
            remote_keys: house.published.clone(),
            entropy: Arc::new(SeededEntropy::new(7)),
            catalogue: house.catalogue_in_use.clone(),
            clock: house.clock.clone(),
            unfinished: Arc::default(),
        };
        let metadata = json!({"client_name": "A"}).as_object().unwrap().clone();
        let new = app::NewClient::parse(metadata, Authority::Public, &rules()).unwrap();

        let error = register.execute(new, &Mandate::Unlimited).await.unwrap_err();

        let expected = if is_taken { "Duplicate" } else { "Fault" };
        assert!(kind(&error).starts_with(expected), "{error:?}");
        // The same seed draws the same id.
        let same = House { entropy: Arc::new(SeededEntropy::new(7)), ..House::new() };
        let id = same.register(Authority::Public, json!({"client_name": "A"})).await.unwrap();
        assert!(clients.find(&id.client.id).await.unwrap().is_none());
        assert!(credentials.list(&id.client.id).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_store_that_is_out_leaves_nothing() {
    let house = House::new();
    house.clients.go_out();

    let error = house.register(Authority::Public, json!({"client_name": "A"})).await.unwrap_err();

    assert!(kind(&error).starts_with("Fault"), "{error:?}");
    let same = House::new();
    let id = same.register(Authority::Public, json!({"client_name": "A"})).await.unwrap();
    assert!(house.credentials.list(&id.client.id).await.unwrap().is_empty());
}

/// A request that was given up may be carried out all the same, a little later.
#[tokio::test]
async fn t48_what_arrives_after_a_registration_failed_is_taken_back() {
    let house = House::new();
    let body = json!({"client_name": "A"});
    house.clients.go_out();
    let failed = house.register(Authority::Public, body.clone()).await;
    assert!(failed.is_err());
    house.credentials.go_out();
    assert!(house.register(Authority::Public, body).await.is_err());
    assert_eq!(house.unfinished.len(), 2);
    house.undo_registrations().execute().await.unwrap_err();
    assert_eq!(house.unfinished.len(), 2, "what waits for a store waits on");
    house.clients.come_back();
    house.credentials.come_back();

    house.undo_registrations().execute().await.unwrap();
    assert_eq!(house.unfinished.len(), 2, "something may still arrive");
    house.clock.advance(Duration::from_secs(31));
    house.undo_registrations().execute().await.unwrap();

    assert!(house.unfinished.is_empty());
    let query = domain::port::ClientQuery { after: None, limit: 10, search: None };
    let page = domain::port::ClientDirectory::page(&*house.clients, &query).await.unwrap();
    assert!(page.clients.is_empty());
}

#[tokio::test]
async fn a_method_that_is_off_is_refused_with_the_setting_that_is_missing() {
    let mut rules = rules();
    rules.methods.retain(|it| !it.needs_sealed_secrets());
    let parse = |method: &str| {
        let metadata = json!({"client_name": "a", "token_endpoint_auth_method": method});
        let object = metadata.as_object().unwrap().clone();
        app::NewClient::parse(object, Authority::Public, &rules).unwrap_err().to_string()
    };

    assert!(parse("client_secret_jwt").contains("secrets.sealing_key"));
    let unknown = parse("tls_client_auth");
    assert_eq!(
        unknown,
        "token_endpoint_auth_method: must be one of client_secret_basic, client_secret_post, \
         private_key_jwt"
    );
}

/// A collection that lacks our field `settings` lacks what was sent, which is what the caller knows.
struct Narrow;

#[async_trait]
impl ClientRepository for Narrow {
    async fn find(&self, _: &ClientId) -> Result<Option<Client>, Fault> {
        Ok(None)
    }

    async fn insert(&self, _: &Client) -> Result<(), InsertClientError> {
        Err(InsertClientError::Refused { member: "settings".to_owned() })
    }

    async fn update(&self, _: &Client, _: Revision) -> Result<(), UpdateClientError> {
        Err(UpdateClientError::Unknown)
    }

    async fn remove(&self, _: &ClientId) -> Result<bool, Fault> {
        Ok(false)
    }
}

#[tokio::test]
async fn a_store_without_room_for_a_jwks_uri_is_told_by_that_name() {
    let house = House::new();
    let register = RegisterClient { clients: Arc::new(Narrow), ..house.register_client() };
    let metadata = json!({
        "client_name": "A", "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": "https://keys.example/jwks",
    });
    let object = metadata.as_object().unwrap().clone();
    let new = app::NewClient::parse(object, Authority::Public, &rules()).unwrap();

    let refused = register.execute(new, &Mandate::Unlimited).await.unwrap_err();

    assert_eq!(invalid(refused), "jwks_uri: is not kept by the store of clients: leave it out");
}

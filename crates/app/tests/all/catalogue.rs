//! What is registered at the service, and what that means for clients.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::MemoryCatalogue;
use app::{
    Authority, ClientChanges, EditCatalogue, EditCatalogueError, Expectation, IntrospectTokenError,
    IssueTokenError, IssuedToken, PreviewTokenError, RegisterClientError, UpdateClientError,
};
use async_trait::async_trait;
use domain::catalogue::CatalogueChange;
use domain::management::Mandate;
use domain::port::{CatalogueRepository, ClientRepository as _, StoreCatalogueError};
use domain::{
    Catalogue, CatalogueEdition, Fault, FaultKind, GrantRefusal, GrantRequest, RegisteredScope,
};
use serde_json::{Value, json};

use crate::support::{CATALOGUE_GOOD_FOR, House, rules, with_secret};

const ORDERS: &str = "https://api.example/orders";

fn shop() -> Value {
    json!({
        "capabilities": ["client_credentials", "introspection"],
        "scopes": [{"name": "a"}, {"name": "b", "default": true}],
        "resources": [{"identifier": ORDERS, "scopes": ["a"]}, {"identifier": "stock"}],
    })
}

fn with(mut document: Value, member: &str, value: Value) -> Value {
    document[member] = value;
    document
}

async fn ask(
    house: &House,
    (id, secret): &(String, String),
    scope: &str,
    audience: &[&str],
) -> Result<IssuedToken, IssueTokenError> {
    let grant = GrantRequest {
        scope: (!scope.is_empty()).then(|| scope.parse().unwrap()),
        audience: audience.iter().map(|it| it.parse().unwrap()).collect(),
        ..GrantRequest::default()
    };
    house.issue(with_secret(id, secret), grant).await
}

fn refusal(outcome: Result<IssuedToken, IssueTokenError>) -> GrantRefusal {
    match outcome {
        Err(IssueTokenError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn put_scope(name: &str) -> CatalogueChange {
    let name = name.parse().unwrap();
    CatalogueChange::PutScope(RegisteredScope { name, description: None, is_default: false })
}

fn invalid(error: &impl std::error::Error) -> String {
    error.to_string()
}

#[tokio::test]
async fn what_is_changed_bites_here_at_once_and_elsewhere_when_it_is_read_again() {
    let here = House::new();
    let elsewhere = House { catalogue_in_use: House::new().catalogue_in_use, ..House::new() };
    let elsewhere = House {
        catalogue: here.catalogue.clone(),
        clients: here.clients.clone(),
        credentials: here.credentials.clone(),
        ..elsewhere
    };
    let client = here.client(json!({"scope": "a b", "audience": [ORDERS]})).await;
    here.register_all(shop()).await.unwrap();

    let refused = ask(&here, &client, "b", &[ORDERS]).await;
    assert_eq!(refusal(refused), GrantRefusal::ScopeNotTaken);
    assert!(ask(&elsewhere, &client, "b", &[ORDERS]).await.is_ok());
    assert!(elsewhere.refresh_catalogue().execute().await.unwrap());
    let refused = ask(&elsewhere, &client, "b", &[ORDERS]).await;
    assert_eq!(refusal(refused), GrantRefusal::ScopeNotTaken);
    assert!(!elsewhere.refresh_catalogue().execute().await.unwrap());
}

#[tokio::test]
async fn a_store_that_is_out_is_done_without_for_a_stated_time() {
    let house = House::new();
    let client = house.client(json!({"scope": "a"})).await;
    house.catalogue.go_out();
    house.clock.advance(CATALOGUE_GOOD_FOR);

    assert!(ask(&house, &client, "a", &[]).await.is_ok());
    house.refresh_catalogue().execute().await.unwrap_err();
    house.clock.advance(Duration::from_millis(1));
    let error = ask(&house, &client, "a", &[]).await.unwrap_err();

    let IssueTokenError::Fault(fault) = error else { panic!("{error:?}") };
    assert_eq!(fault.kind(), FaultKind::Unavailable);
    house.catalogue.come_back();
    assert!(!house.refresh_catalogue().execute().await.unwrap());
    assert!(ask(&house, &client, "a", &[]).await.is_ok());
}

#[tokio::test]
async fn t32_a_catalogue_that_cannot_be_read_changes_nothing() {
    let house = House::new();
    let client = house.client(json!({"scope": "a b", "audience": [ORDERS]})).await;
    house.register_all(shop()).await.unwrap();
    house.catalogue.go_bad();

    house.refresh_catalogue().execute().await.unwrap_err();

    let refused = ask(&house, &client, "b", &[ORDERS]).await;
    assert_eq!(refusal(refused), GrantRefusal::ScopeNotTaken);
}

/// Nobody need say who they are to hear of it, and nobody who does is told more.
#[tokio::test]
async fn a_capability_that_is_off_is_off_before_anybody_authenticates() {
    let house = House::new();
    let (id, secret) = house.client(json!({"capabilities": ["introspection"]})).await;
    house.register_all(with(shop(), "capabilities", json!([]))).await.unwrap();

    for secret in [secret.as_str(), "wrong"] {
        let refused = house.issue_for(&id, secret).await;
        assert_eq!(refusal(refused), GrantRefusal::CapabilityOff);
        let asked = house.introspect_token().execute(with_secret(&id, secret), "token").await;
        assert!(matches!(asked, Err(IntrospectTokenError::CapabilityOff)), "{asked:?}");
    }
    assert_eq!(house.hasher.verifications(), 0);
    house.register_all(shop()).await.unwrap();
    let refused = house.issue_for(&id, &secret).await;
    assert_eq!(refusal(refused), GrantRefusal::CapabilityMissing);
    assert!(house.introspect_token().execute(with_secret(&id, &secret), "token").await.is_ok());
}

#[tokio::test]
async fn t31_t32_what_a_client_has_from_earlier_times_is_not_granted() {
    let house = House::strict();
    house.register_all(shop()).await.unwrap();
    let client = house.client(json!({"scope": "a b", "audience": [ORDERS, "stock"]})).await;
    assert!(ask(&house, &client, "a", &[ORDERS]).await.is_ok());

    let remove = |it| async { house.edit_catalogue().execute(it, &Expectation::Present).await };
    remove(CatalogueChange::RemoveResource(ORDERS.parse().unwrap())).await.unwrap();
    remove(CatalogueChange::RemoveScope("a".parse().unwrap())).await.unwrap();

    let refused = ask(&house, &client, "b", &["stock", ORDERS]).await;
    assert_eq!(refusal(refused), GrantRefusal::AudienceNotRegistered);
    let refused = ask(&house, &client, "a b", &["stock"]).await;
    assert_eq!(refusal(refused), GrantRefusal::ScopeNotRegistered);
    let granted = ask(&house, &client, "", &["stock"]).await.unwrap();
    assert_eq!(granted.scope, Some("b".parse().unwrap()));
}

#[tokio::test]
async fn t31_nothing_that_is_not_registered_is_given_to_a_client() {
    let house = House::strict();
    house.register_all(shop()).await.unwrap();
    let register = |mut metadata: Value| {
        metadata["client_name"] = json!("a client");
        house.register(Authority::Management, metadata)
    };

    for (metadata, expected) in [
        (
            json!({"audience": ["stock", "Stock"]}),
            "audience: item 2 (Stock) is not a registered resource: register it first, or leave it out",
        ),
        (
            json!({"scope": "a c"}),
            "scope: c is not a registered scope: register it first, or leave it out",
        ),
    ] {
        let error = register(metadata).await.unwrap_err();
        assert!(matches!(error, RegisterClientError::Invalid(_)), "{error:?}");
        assert_eq!(invalid(&error), expected);
    }
    let made = register(json!({"audience": [ORDERS], "scope": "a clients:read"})).await.unwrap();
    let change = |object: Value| {
        let changes = ClientChanges::parse(object.as_object().unwrap().clone(), &rules()).unwrap();
        let update = house.update_client();
        let id = made.client.id.clone();
        async move { update.execute(&id, changes, None, &Mandate::Unlimited).await }
    };
    let error = change(json!({"audience": [ORDERS, "shop"]})).await.unwrap_err();
    assert!(invalid(&error).starts_with("audience: item 2 (shop) "), "{error}");
    // What it has stands in the way of no other change, once it is not registered any more.
    house.register_all(with(shop(), "resources", json!([]))).await.unwrap();
    change(json!({"client_name": "renamed", "audience": [ORDERS]})).await.unwrap();
    let error = change(json!({"audience": [ORDERS, "stock"]})).await.unwrap_err();
    assert!(matches!(error, UpdateClientError::Invalid(_)), "{error:?}");
    // And nobody registers a client while nobody knows what is registered.
    house.clock.advance(CATALOGUE_GOOD_FOR + Duration::from_millis(1));
    let error = register(json!({"scope": "a"})).await.unwrap_err();
    assert!(matches!(error, RegisterClientError::Fault(_)), "{error:?}");
}

async fn edit(
    house: &House,
    change: &CatalogueChange,
    expected: Expectation,
) -> Result<u64, EditCatalogueError> {
    let edited = house.edit_catalogue().execute(change.clone(), &expected).await;
    edited.map(|it| it.revision)
}

#[tokio::test]
async fn a_change_is_made_to_what_its_maker_saw_or_not_at_all() {
    let house = House::new();
    let revisions = |all: &[u64]| Expectation::Revisions(all.to_vec());
    let (put, remove) = (put_scope("a"), CatalogueChange::RemoveScope("a".parse().unwrap()));

    for (change, expected, outcome) in [
        (&put, Expectation::Present, None),
        // Nobody can have seen what is not there.
        (&put, revisions(&[0]), None),
        (&put, Expectation::Absent, Some(1)),
        (&put, Expectation::Absent, None),
        (&put, revisions(&[0, 2]), None),
        // What changes nothing is no change.
        (&put, revisions(&[1]), Some(1)),
        (&remove, revisions(&[3, 1]), Some(2)),
    ] {
        match edit(&house, change, expected.clone()).await {
            Ok(revision) => assert_eq!(Some(revision), outcome, "{expected:?}"),
            Err(EditCatalogueError::Unexpected) => assert_eq!(None, outcome, "{expected:?}"),
            Err(other) => panic!("{expected:?}: {other:?}"),
        }
    }
    let gone = edit(&house, &remove, Expectation::Nothing).await;
    assert!(matches!(gone, Err(EditCatalogueError::Unknown)), "{gone:?}");
}

/// Somebody else is faster, once.
struct Contested {
    inner: MemoryCatalogue,
    rival: std::sync::Mutex<Option<Catalogue>>,
}

#[async_trait]
impl CatalogueRepository for Contested {
    async fn load(&self) -> Result<CatalogueEdition, Fault> {
        self.inner.load().await
    }

    async fn store(&self, expected: u64, catalogue: &Catalogue) -> Result<(), StoreCatalogueError> {
        let rival = self.rival.lock().unwrap().take();
        if let Some(rival) = rival {
            self.inner.store(expected, &rival).await.unwrap();
        }
        self.inner.store(expected, catalogue).await
    }
}

#[tokio::test]
async fn a_change_is_made_to_what_somebody_else_made_of_it_meanwhile() {
    let house = House::new();
    let rival = put_scope("rival").applied(&Catalogue::default()).unwrap();
    for (expected, is_made) in
        [(Expectation::Nothing, true), (Expectation::Revisions(vec![0]), false)]
    {
        let rival = std::sync::Mutex::new(Some(rival.clone()));
        let store = Arc::new(Contested { inner: MemoryCatalogue::default(), rival });
        let editor = EditCatalogue { catalogue: store.clone(), ..house.edit_catalogue() };
        let off = CatalogueChange::SetCapabilities([].into());

        let outcome = editor.execute(off, &expected).await;

        let edition = store.load().await.unwrap();
        assert!(edition.catalogue.scope("rival").is_some(), "{expected:?}");
        assert_eq!(edition.catalogue.capabilities().is_empty(), is_made, "{expected:?}");
        match outcome {
            Ok(made) => assert_eq!((made, is_made), (edition, true)),
            Err(error) => {
                assert!(matches!(error, EditCatalogueError::Unexpected), "{error:?}");
                assert!(!is_made);
            }
        }
    }
}

#[tokio::test]
async fn a_preview_says_what_would_be_issued_and_uses_nothing_up() {
    let house = House::new();
    house.register_all(shop()).await.unwrap();
    let client = house.client(json!({"scope": "a b", "audience": [ORDERS]})).await;
    let id = client.0.parse().unwrap();
    let request = |scope: &str| GrantRequest {
        scope: Some(scope.parse().unwrap()),
        audience: vec![ORDERS.parse().unwrap()],
        ..GrantRequest::default()
    };
    let preview = |request| {
        let (it, policy) = (house.preview_token(), house.policy());
        let id: domain::ClientId = client.0.parse().unwrap();
        async move { it.execute(&id, request, &policy).await }
    };

    let previewed = preview(request("a")).await.unwrap().unwrap();

    let issued = ask(&house, &client, "a", &[ORDERS]).await.unwrap();
    let said = house.token_info().execute(issued.token.as_str()).await.unwrap().claims;
    let mut claims = Arc::unwrap_or_clone(said);
    claims.remove("jti").unwrap();
    assert_eq!(previewed.claims, claims);
    assert_eq!((previewed.format, previewed.algorithm), (issued.format, issued.algorithm));
    assert_eq!(previewed.expires_at, issued.expires_at);
    let refused = preview(request("b")).await.unwrap();
    assert_eq!(refused, Err(GrantRefusal::ScopeNotTaken));
    let unknown = "nobody".parse().unwrap();
    let error = house.preview_token().execute(&unknown, request("a"), &house.policy()).await;
    assert!(matches!(error, Err(PreviewTokenError::Unknown)), "{error:?}");
    assert_eq!(house.clients.find(&id).await.unwrap().unwrap().last_login, None);
}

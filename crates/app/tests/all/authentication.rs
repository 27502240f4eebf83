//! Who is let in.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::testing::Counting;
use adapter_memory::{CacheOptions, CachedClients, CachedCredentials};
use app::{AuthenticateClientError, IssueTokenError, PresentedCredentials, PresentedSecret};
use domain::management::Mandate;
use domain::port::{Clock as _, CredentialRepository as _};
use domain::{AssertionRefusal, ClientId, ClientSecret, ClientState, FaultKind, GrantRequest};
use serde_json::json;

use crate::support::{House, with_secret, with_secret_by};

fn is_failed(error: &IssueTokenError) -> bool {
    matches!(error, IssueTokenError::NotAuthenticated(AuthenticateClientError::Failed))
}

fn refusal(error: IssueTokenError) -> AssertionRefusal {
    match error {
        IssueTokenError::NotAuthenticated(AuthenticateClientError::AssertionRefused(refusal)) => {
            refusal
        }
        other => panic!("not a refused assertion: {other:?}"),
    }
}

#[tokio::test]
async fn t22_unknown_wrong_disabled_and_expired_cost_one_verification_each_and_look_alike() {
    let house = House::new();
    let (id, secret) = house.client(json!({})).await;
    let (disabled, disabled_secret) = house.client(json!({})).await;
    house
        .change_state()
        .execute(&disabled.parse().unwrap(), ClientState::Trash, &Mandate::Unlimited)
        .await
        .unwrap();
    let (expired, expired_secret) = house.client(json!({})).await;
    let expired_id = expired.parse().unwrap();
    let own = house.credentials.list(&expired_id).await.unwrap().remove(0);
    house.credentials.expire(&expired_id, &own.id, house.clock.now()).await.unwrap();
    let key_client = house.key_client(json!({})).await;
    assert!(house.issue_for(&id, &secret).await.is_ok());

    for (id, secret) in [
        ("nobody", secret.as_str()),
        ("not an id", "x"),
        (&id, "wrong"),
        (&disabled, &disabled_secret),
        (&expired, &expired_secret),
        (&key_client, "x"),
    ] {
        let before = house.hasher.verifications();
        let error = house.issue_for(id, secret).await.unwrap_err();
        assert!(is_failed(&error), "{id}: {error:?}");
        assert_eq!(house.hasher.verifications() - before, 1, "{id}");
    }
}

#[tokio::test]
async fn t22_a_client_with_several_secrets_costs_no_more_than_one_with_none() {
    let house = House::new();
    let (id, first) = house.client(json!({})).await;
    let id: ClientId = id.parse().unwrap();
    let second = house
        .add_secret()
        .execute(&id, Default::default(), &Mandate::Unlimited)
        .await
        .unwrap()
        .secret;
    house.add_secret().execute(&id, Default::default(), &Mandate::Unlimited).await.unwrap();

    for (secret, is_let_in) in [(first.as_str(), true), (second.expose(), true), ("x", false)] {
        let before = house.hasher.verifications();
        assert_eq!(house.issue_for(id.as_str(), secret).await.is_ok(), is_let_in);
        assert_eq!(house.hasher.verifications() - before, 1);
    }
}

#[tokio::test]
async fn each_reading_of_basic_is_tried() {
    let house = House::new();
    let (id, secret) = house.client(json!({})).await;
    let reading = |secret: &str| PresentedSecret {
        client: Some(id.parse().unwrap()),
        secret: ClientSecret::new(secret.to_owned()),
        method: domain::AuthenticationMethod::ClientSecretBasic,
    };

    let readings = vec![reading("decoded"), reading(&secret)];
    let issued = house.issue(PresentedCredentials::Secret(readings), GrantRequest::default()).await;

    assert!(issued.is_ok());
}

/// Header and form are one family, unless the client is strict.
#[tokio::test]
async fn t21_a_strict_client_is_let_in_by_its_own_method_alone() {
    use domain::AuthenticationMethod::{ClientSecretBasic, ClientSecretPost};
    let house = House::new();
    for (registered, name) in
        [(ClientSecretBasic, "client_secret_basic"), (ClientSecretPost, "client_secret_post")]
    {
        for is_strict in [true, false] {
            let metadata = json!({
                "token_endpoint_auth_method": name, "strict_auth_method": is_strict,
            });
            let (id, secret) = house.client(metadata).await;
            for method in [ClientSecretBasic, ClientSecretPost] {
                let credentials = with_secret_by(method, &id, &secret);
                let issued = house.issue(credentials, GrantRequest::default()).await;
                assert_eq!(issued.is_ok(), !is_strict || method == registered, "{method:?}");
                // A secret that is remembered changes nothing.
                let credentials = with_secret_by(method, &id, &secret);
                let again = house.issue(credentials, GrantRequest::default()).await;
                assert_eq!(again.is_ok(), issued.is_ok());
            }
        }
    }
}

#[tokio::test]
async fn t21_a_method_other_than_the_registered_one_lets_nobody_in() {
    let house = House::new();
    let (id, _) = house.client(json!({})).await;
    let key_client = house.key_client(json!({})).await;

    let by_assertion = house.assertion(&id, &json!({}));
    let by_secret = with_secret(&key_client, "x");

    for credentials in [by_assertion, by_secret] {
        let error = house.issue(credentials, GrantRequest::default()).await.unwrap_err();
        assert!(is_failed(&error), "{error:?}");
    }
}

#[tokio::test]
async fn a_hash_of_another_scheme_is_renewed_at_first_use() {
    let house = House::new();
    let (id, secret) = house.client(json!({})).await;
    let id: ClientId = id.parse().unwrap();
    let made = house.hasher.hashes();
    house.hasher.set_outdated(true);

    house.issue_for(id.as_str(), &secret).await.unwrap();

    assert_eq!(house.hasher.hashes() - made, 1);
    house.hasher.set_outdated(false);
    assert!(house.issue_for(id.as_str(), &secret).await.is_ok());
    assert_eq!(house.hasher.hashes() - made, 1);
}

#[tokio::test]
async fn logins_and_uses_of_secrets_are_noted() {
    let house = House::new();
    let (id, secret) = house.client(json!({})).await;

    house.issue_for(&id, &secret).await.unwrap();
    house.issue_for(&id, "wrong").await.unwrap_err();

    let logins = house.notebook.logins.lock().unwrap();
    let uses = house.notebook.secrets.lock().unwrap();
    assert_eq!((logins.len(), uses.len()), (1, 1));
    assert_eq!((logins[0].client.as_str(), logins[0].at), (id.as_str(), house.clock.now()));
}

#[tokio::test]
async fn t18_an_assertion_is_good_once_for_each_client() {
    let house = House::new();
    let (one, other) = (house.key_client(json!({})).await, house.key_client(json!({})).await);
    let ask = |client: &str| house.issue(house.assertion(client, &json!({})), Default::default());

    assert!(ask(&one).await.is_ok());
    assert_eq!(refusal(ask(&one).await.unwrap_err()), AssertionRefusal::Replayed);
    assert!(ask(&other).await.is_ok());
}

#[tokio::test]
async fn t18_an_assertion_that_is_refused_is_not_burned() {
    let house = House::new();
    let client = house.key_client(json!({})).await;
    let future = house.clock.now().as_unix_seconds() + 60;

    let early = house.assertion(&client, &json!({"nbf": future}));
    let refused = house.issue(early, Default::default()).await.unwrap_err();

    assert_eq!(refusal(refused), AssertionRefusal::NotYetValid);
    let good = house.assertion(&client, &json!({}));
    assert!(house.issue(good, Default::default()).await.is_ok());
}

#[tokio::test]
async fn t18_of_many_simultaneous_uses_exactly_one_is_let_in() {
    let house = House::new();
    let client = house.key_client(json!({})).await;

    let all =
        (0..50).map(|_| house.issue(house.assertion(&client, &json!({})), Default::default()));
    let outcomes = futures_util::future::join_all(all).await;

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
}

#[tokio::test]
async fn a_malformed_assertion_is_refused_only_once_the_client_is_known_to_use_keys() {
    let house = House::new();
    let client = house.key_client(json!({})).await;
    let malformed = |client: Option<&str>| PresentedCredentials::Assertion {
        client: client.map(|it| it.parse().unwrap()),
        assertion: ClientSecret::new("a.b".to_owned()),
    };

    let known = house.issue(malformed(Some(&client)), Default::default()).await.unwrap_err();
    let unknown = house.issue(malformed(Some("nobody")), Default::default()).await.unwrap_err();
    let unnamed = house.issue(malformed(None), Default::default()).await.unwrap_err();

    assert!(matches!(refusal(known), AssertionRefusal::Malformed(_)));
    assert!(is_failed(&unknown) && is_failed(&unnamed));
}

#[tokio::test]
async fn a_draft_client_is_an_unknown_one() {
    let house = House::new();
    let client = house.key_client(json!({"__STATE__": "DRAFT"})).await;

    let error = house.issue(house.assertion(&client, &json!({})), Default::default()).await;

    assert!(is_failed(&error.unwrap_err()));
}

#[tokio::test]
async fn t48_a_store_that_is_out_is_never_the_callers_fault() {
    let house = House::new();
    let (id, secret) = house.client(json!({})).await;
    let key_client = house.key_client(json!({})).await;
    let is_fault = |error: IssueTokenError| match error {
        IssueTokenError::NotAuthenticated(AuthenticateClientError::Fault(fault)) => {
            fault.kind() == FaultKind::Unavailable
        }
        _ => false,
    };

    house.replay.go_out();
    let assertion = house.assertion(&key_client, &json!({}));
    assert!(is_fault(house.issue(assertion, Default::default()).await.unwrap_err()));
    assert!(house.issue_for(&id, &secret).await.is_ok());
    house.replay.come_back();

    house.credentials.go_out();
    assert!(is_fault(house.issue_for(&id, &secret).await.unwrap_err()));
    assert!(is_failed(&house.issue_for("nobody", "x").await.unwrap_err()));
    house.credentials.come_back();

    house.clients.go_out();
    assert!(is_fault(house.issue_for(&id, &secret).await.unwrap_err()));
    assert!(is_fault(house.issue_for("nobody", "x").await.unwrap_err()));
}

#[tokio::test]
async fn t45_a_clock_that_jumps_back_lets_nobody_replay() {
    let house = House::new();
    let client = house.key_client(json!({})).await;
    let ask = || house.issue(house.assertion(&client, &json!({})), Default::default());
    let first = house.assertion(&client, &json!({}));
    let again = house.assertion(&client, &json!({}));
    house.issue(first, Default::default()).await.unwrap();
    house.clock.advance(Duration::from_secs(299));

    house.clock.set_back(Duration::from_secs(299));

    let refused = house.issue(again, Default::default()).await.unwrap_err();
    assert_eq!(refusal(refused), AssertionRefusal::Replayed);
    assert_eq!(refusal(ask().await.unwrap_err()), AssertionRefusal::Replayed);
}

/// The house, with caches before its stores.
fn cached(house: &House) -> app::AuthenticateClient {
    let options = CacheOptions {
        capacity: 100,
        fresh_for: Duration::from_hours(1),
        stale_for: Duration::from_hours(2),
        retry_after: Duration::from_secs(1),
    };
    let clock = house.clock.clone();
    app::AuthenticateClient {
        clients: Arc::new(CachedClients::new(house.clients.clone(), options, clock.clone())),
        credentials: Arc::new(CachedCredentials::new(house.credentials.clone(), options, clock)),
        ..house.authenticate()
    }
}

#[tokio::test]
async fn a_secret_made_elsewhere_a_moment_ago_lets_its_client_in() {
    let house = House::new();
    let node = cached(&house);
    let (id, secret) = house.client(json!({})).await;
    node.execute(with_secret(&id, &secret)).await.unwrap();

    let elsewhere = house
        .add_secret()
        .execute(&id.parse().unwrap(), Default::default(), &Mandate::Unlimited)
        .await;
    let secret = elsewhere.unwrap().secret;

    assert!(node.execute(with_secret(&id, secret.expose())).await.is_ok());
}

#[tokio::test]
async fn t48_a_warm_client_gets_in_while_the_stores_are_out_and_a_wrong_secret_is_no_ones_fault() {
    let house = House::new();
    let node = cached(&house);
    let (id, secret) = house.client(json!({})).await;
    node.execute(with_secret(&id, &secret)).await.unwrap();
    house.clients.go_out();
    house.credentials.go_out();

    assert!(node.execute(with_secret(&id, &secret)).await.is_ok());
    house.clock.advance(Duration::from_mins(90));
    assert!(node.execute(with_secret(&id, &secret)).await.is_ok(), "stale, and good");

    let wrong = node.execute(with_secret(&id, "wrong")).await.unwrap_err();
    assert!(matches!(wrong, AuthenticateClientError::Fault(_)), "{wrong:?}");
    house.clock.advance(Duration::from_mins(31));
    let late = node.execute(with_secret(&id, &secret)).await.unwrap_err();
    assert!(matches!(late, AuthenticateClientError::Fault(_)), "{late:?}");
}

#[tokio::test]
async fn t22_every_refusal_looks_into_each_store_once() {
    let house = House::new();
    let (id, secret) = house.client(json!({})).await;
    let (disabled, disabled_secret) = house.client(json!({})).await;
    house
        .change_state()
        .execute(&disabled.parse().unwrap(), ClientState::Trash, &Mandate::Unlimited)
        .await
        .unwrap();
    let clients = Arc::new(Counting::new(house.clients.clone()));
    let credentials = Arc::new(Counting::new(house.credentials.clone()));
    let options = CacheOptions {
        capacity: 100,
        fresh_for: Duration::from_hours(1),
        stale_for: Duration::from_hours(2),
        retry_after: Duration::from_secs(1),
    };
    let clock = house.clock.clone();
    let node = app::AuthenticateClient {
        clients: Arc::new(CachedClients::new(clients.clone(), options, clock.clone())),
        credentials: Arc::new(CachedCredentials::new(credentials.clone(), options, clock)),
        ..house.authenticate()
    };
    node.execute(with_secret(&id, &secret)).await.unwrap();
    for warm in [false, true] {
        for (id, secret) in [("nobody", "x"), (id.as_str(), "wrong"), (&disabled, &disabled_secret)]
        {
            let before = (clients.reads(), credentials.reads(), house.hasher.verifications());
            node.execute(with_secret(id, secret)).await.unwrap_err();
            let after = (clients.reads(), credentials.reads(), house.hasher.verifications());
            let cost = (after.0 - before.0, after.1 - before.1, after.2 - before.2);
            assert_eq!(cost, (1, 1, 1), "{id}, warm: {warm}");
        }
    }
}

#[tokio::test]
async fn t18_a_grant_that_is_refused_does_not_burn_the_assertion() {
    let house = House::new();
    let client = house.key_client(json!({"audience": ["orders"]})).await;
    let ask = |audience: &str| {
        let audience = vec![audience.parse().unwrap()];
        let grant = GrantRequest { audience, ..GrantRequest::default() };
        house.issue(house.assertion(&client, &json!({})), grant)
    };

    assert!(matches!(ask("oders").await.unwrap_err(), IssueTokenError::Refused(_)));
    assert!(ask("orders").await.is_ok());
    assert_eq!(refusal(ask("orders").await.unwrap_err()), AssertionRefusal::Replayed);
}

#[tokio::test]
async fn t22_an_assertion_for_a_client_without_keys_looks_into_the_store_once() {
    let house = House::new();
    let (id, secret) = house.client(json!({})).await;
    let clients = Arc::new(Counting::new(house.clients.clone()));
    let options = CacheOptions {
        capacity: 100,
        fresh_for: Duration::from_hours(1),
        stale_for: Duration::from_hours(2),
        retry_after: Duration::from_secs(1),
    };
    let node = app::AuthenticateClient {
        clients: Arc::new(CachedClients::new(clients.clone(), options, house.clock.clone())),
        ..house.authenticate()
    };
    node.execute(with_secret(&id, &secret)).await.unwrap();

    for id in [id.as_str(), "nobody"] {
        let before = clients.reads();
        let refused = node.execute(house.assertion(id, &json!({}))).await.unwrap_err();
        assert!(matches!(refused, AuthenticateClientError::Failed));
        assert_eq!(clients.reads() - before, 1, "{id}");
    }
}

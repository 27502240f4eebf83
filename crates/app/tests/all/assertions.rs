//! Who is let in by what it signed: with a secret, with a registered key, with a published key.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::testing::{Counting, PlainMacs, PlainSigner};
use adapter_memory::{
    CacheOptions, CachedClients, CachedCredentials, CachedRemoteKeys, RemoteKeysOptions,
};
use app::{
    AddSecretRequest, AuthenticateClient, AuthenticateClientError, ClientChanges,
    PresentedCredentials, RotateSecret, UpdateClientError,
};
use domain::management::Mandate;
use domain::port::{Clock as _, CredentialRepository as _};
use domain::{
    AssertionRefusal, AuthenticationMethod, ClientId, ClientSecret, ClientState, FaultKind,
    JwksUri, PublicJwk,
};
use serde_json::{Value, json};

use crate::support::{House, issuer, public_key, rules, with_secret};

const CACHE: CacheOptions = CacheOptions {
    capacity: 100,
    fresh_for: Duration::from_hours(1),
    stale_for: Duration::from_hours(2),
    retry_after: Duration::from_secs(1),
};

/// The use-case of a dialect that tells nobody which clients there are.
fn discreet(house: &House) -> AuthenticateClient {
    let mut authenticate = house.authenticate();
    authenticate.assertions.tells_who_is_known = false;
    authenticate.assertions.is_key_id_required = false;
    authenticate
}

fn claims(house: &House, client: &str, jti: &str) -> Value {
    let now = house.clock.now().as_unix_seconds();
    json!({
        "iss": client, "sub": client, "aud": issuer().as_str(), "jti": jti,
        "iat": now - 10, "exp": now + 300,
    })
}

fn presented(client: &str, assertion: String) -> PresentedCredentials {
    PresentedCredentials::Assertion {
        client: Some(client.parse().unwrap()),
        assertion: ClientSecret::new(assertion),
    }
}

/// An assertion with the MAC of `secret`.
fn with_mac(house: &House, client: &str, secret: &str, jti: &str) -> PresentedCredentials {
    presented(client, PlainMacs::compact(secret, &claims(house, client, jti)))
}

/// An assertion that the key called `kid` signed.
fn with_key(house: &House, client: &str, kid: &str, jti: &str) -> PresentedCredentials {
    let header = json!({"alg": "RS256", "kid": kid});
    presented(client, PlainSigner::compact(&header, &claims(house, client, jti)))
}

async fn mac_client(house: &House) -> (String, String) {
    house.client(json!({"token_endpoint_auth_method": "client_secret_jwt"})).await
}

fn uri() -> JwksUri {
    "https://keys.example/jwks".parse().unwrap()
}

fn key(kid: &str) -> PublicJwk {
    let mut jwk = public_key();
    jwk["kid"] = json!(kid);
    PublicJwk::parse(jwk.as_object().unwrap()).unwrap()
}

/// A client that publishes its keys.
async fn publisher(house: &House) -> String {
    let metadata = json!({
        "client_name": "a publisher", "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": uri().as_str(),
    });
    let made = house.register(app::Authority::Public, metadata).await.unwrap();
    made.client.id.to_string()
}

fn refusal(error: AuthenticateClientError) -> AssertionRefusal {
    match error {
        AuthenticateClientError::AssertionRefused(refusal) => refusal,
        other => panic!("not a refused assertion: {other:?}"),
    }
}

fn is_failed(error: &AuthenticateClientError) -> bool {
    matches!(error, AuthenticateClientError::Failed)
}

#[tokio::test]
async fn a_client_signs_with_its_secret_which_is_kept_sealed_and_noted_as_used() {
    let house = House::new();
    let (id, secret) = mac_client(&house).await;

    let found = discreet(&house).execute(with_mac(&house, &id, &secret, "1")).await.unwrap();

    assert_eq!(found.client.id.as_str(), id);
    assert_eq!(found.method, AuthenticationMethod::ClientSecretJwt);
    let kept = house.credentials.list(&found.client.id).await.unwrap();
    assert!(kept[0].hash.as_str().starts_with(&format!("$open${id}${}", kept[0].id)));
    let uses = house.notebook.secrets.lock().unwrap();
    assert_eq!((uses.len(), &uses[0].secret), (1, &kept[0].id));
}

#[tokio::test]
async fn while_one_secret_takes_the_place_of_another_both_sign() {
    let house = House::new();
    let (id, first) = mac_client(&house).await;
    let rotate = RotateSecret { add_secret: house.add_secret() };
    let overlap = Duration::from_mins(5);
    let client: ClientId = id.parse().unwrap();
    let second = rotate
        .execute(&client, AddSecretRequest::default(), overlap, &Mandate::Unlimited)
        .await
        .unwrap();
    let node = discreet(&house);
    let ask = |secret: &str, jti: &str| node.execute(with_mac(&house, &id, secret, jti));

    assert!(ask(&first, "1").await.is_ok());
    assert!(ask(second.secret.expose(), "2").await.is_ok());
    assert!(is_failed(&ask("another secret that is as long as ours", "3").await.unwrap_err()));
    house.clock.advance(overlap);

    assert!(is_failed(&ask(&first, "4").await.unwrap_err()));
    assert!(ask(second.secret.expose(), "5").await.is_ok());
}

#[tokio::test]
async fn t18_an_assertion_with_a_mac_is_good_once_and_burned_last() {
    let house = House::new();
    let (id, secret) = mac_client(&house).await;
    let node = discreet(&house);
    let mut wrong = claims(&house, &id, "1");
    wrong["aud"] = json!("https://other.example");
    let wrong = presented(&id, PlainMacs::compact(&secret, &wrong));

    let refused = refusal(node.execute(wrong).await.unwrap_err());
    assert!(matches!(refused, AssertionRefusal::WrongAudience(_)), "told, since it is the client");
    assert!(node.execute(with_mac(&house, &id, &secret, "1")).await.is_ok());
    let again = node.execute(with_mac(&house, &id, &secret, "1")).await.unwrap_err();

    assert_eq!(refusal(again), AssertionRefusal::Replayed);
}

/// Each registered method with each that is used: only the pair lets in, and the family of the two
/// that send the secret.
#[tokio::test]
async fn t21_only_the_registered_method_lets_in() {
    use AuthenticationMethod::{
        ClientSecretBasic, ClientSecretJwt, ClientSecretPost, PrivateKeyJwt,
    };
    let house = House::new();
    for registered in AuthenticationMethod::ALL {
        let (id, secret) = if registered == PrivateKeyJwt {
            (house.key_client(json!({})).await, "a secret that this client has not got".to_owned())
        } else {
            house.client(json!({"token_endpoint_auth_method": registered.name()})).await
        };
        for used in AuthenticationMethod::ALL {
            let credentials = match used {
                ClientSecretBasic | ClientSecretPost => {
                    crate::support::with_secret_by(used, &id, &secret)
                }
                ClientSecretJwt => with_mac(&house, &id, &secret, used.name()),
                PrivateKeyJwt => with_key(&house, &id, "k1", used.name()),
            };
            let outcome = discreet(&house).execute(credentials).await;

            let is_family = registered.sends_secret() && used.sends_secret();
            let what = format!("{} by {}", registered.name(), used.name());
            match outcome {
                Ok(found) => {
                    assert!(registered == used || is_family, "{what}");
                    assert_eq!(found.method, used, "{what}");
                }
                Err(error) => {
                    assert!(registered != used && !is_family, "{what}: {error:?}");
                    assert!(is_failed(&error), "{what}: {error:?}");
                }
            }
        }
    }
}

/// Every way to be refused before the signature is found good, and what it costs.
#[tokio::test]
async fn t22_no_assertion_tells_which_clients_there_are() {
    let house = House::new();
    let key_client = house.key_client(json!({})).await;
    let (mac_id, mac_secret) = mac_client(&house).await;
    let (basic, _) = house.client(json!({})).await;
    let disabled = house.key_client(json!({})).await;
    let (disabled_mac, disabled_secret) = mac_client(&house).await;
    for id in [&disabled, &disabled_mac] {
        house
            .change_state()
            .execute(&id.parse().unwrap(), ClientState::Trash, &Mandate::Unlimited)
            .await
            .unwrap();
    }
    let clients = Arc::new(Counting::new(house.clients.clone()));
    let credentials = Arc::new(Counting::new(house.credentials.clone()));
    let node = AuthenticateClient {
        clients: Arc::new(CachedClients::new(clients.clone(), CACHE, house.clock.clone())),
        credentials: Arc::new(CachedCredentials::new(
            credentials.clone(),
            CACHE,
            house.clock.clone(),
        )),
        ..discreet(&house)
    };
    node.execute(with_key(&house, &key_client, "k1", "warm")).await.unwrap();
    node.execute(with_mac(&house, &mac_id, &mac_secret, "warm")).await.unwrap();
    let forged = |id: &str, header: Value| {
        let good = PlainSigner::compact(&header, &claims(&house, id, "x"));
        let (input, _) = good.rsplit_once('.').unwrap();
        presented(id, format!("{input}.Zm9yZ2Vk"))
    };
    let key_1 = json!({"alg": "RS256", "kid": "k1"});
    let signed = [
        ("nobody", with_key(&house, "nobody", "k1", "x")),
        ("disabled", with_key(&house, &disabled, "k1", "x")),
        ("sends a secret", with_key(&house, &basic, "k1", "x")),
        ("signs with a secret", with_key(&house, &mac_id, "k1", "x")),
        ("a wrong signature", forged(&key_client, key_1)),
        ("an unknown kid", with_key(&house, &key_client, "k2", "x")),
        ("another alg", forged(&key_client, json!({"alg": "ES256", "kid": "k1"}))),
        ("no key for the alg", forged(&key_client, json!({"alg": "ES256"}))),
    ];
    let with_macs = [
        ("nobody", with_mac(&house, "nobody", &mac_secret, "x")),
        ("disabled", with_mac(&house, &disabled_mac, &disabled_secret, "x")),
        ("signs with a key", with_mac(&house, &key_client, "plain", "x")),
        ("sends a secret", with_mac(&house, &basic, "plain", "x")),
        ("a wrong secret", with_mac(&house, &mac_id, "wrong", "x")),
    ];
    for (of_both, presented) in [(0, Vec::from(signed)), (1, Vec::from(with_macs))] {
        for (what, credentials_presented) in presented {
            let before = (clients.reads(), credentials.reads());
            let refused = node.execute(credentials_presented).await.unwrap_err();
            let cost = (clients.reads() - before.0, credentials.reads() - before.1);

            assert!(is_failed(&refused), "{what}: {refused:?}");
            assert_eq!(cost, (1, of_both), "{what}");
        }
    }
}

/// What is wrong with the text alone is said to everybody, and costs no look into a store.
#[tokio::test]
async fn t22_what_is_wrong_with_the_text_is_said_to_everybody_alike() {
    let house = House::new();
    let known = house.key_client(json!({})).await;
    let part = |text: &str| {
        let signed = PlainSigner::compact(&json!({"alg": "RS256"}), &json!({}));
        signed.replacen(signed.split('.').next().unwrap(), text, 1)
    };
    let texts = [
        "nonsense".to_owned(),
        part("e30"),
        PlainSigner::compact(&json!({"alg": "HS512"}), &json!({"sub": known})),
        PlainSigner::compact(&json!({"alg": "RS256", "typ": "at+jwt"}), &json!({"sub": known})),
    ];
    for text in texts {
        let mut told = Vec::new();
        for id in [known.as_str(), "nobody"] {
            let error = discreet(&house).execute(presented(id, text.clone())).await.unwrap_err();
            told.push(refusal(error));
        }
        assert_eq!(told[0], told[1], "{text}");
    }
    house.clients.go_out();
    let error = discreet(&house).execute(presented(&known, "x.y".to_owned())).await.unwrap_err();
    assert!(matches!(refusal(error), AssertionRefusal::Malformed(_)));
}

#[tokio::test]
async fn a_key_that_was_registered_elsewhere_a_moment_ago_lets_in() {
    let house = House::new();
    let id = house.key_client(json!({})).await;
    let node = AuthenticateClient {
        clients: Arc::new(CachedClients::new(house.clients.clone(), CACHE, house.clock.clone())),
        ..discreet(&house)
    };
    node.execute(with_key(&house, &id, "k1", "1")).await.unwrap();

    let mut jwk = public_key();
    jwk["kid"] = json!("k2");
    change(&house, &id, json!({"public_key": jwk})).await.unwrap();

    assert!(node.execute(with_key(&house, &id, "k2", "2")).await.is_ok());
}

#[tokio::test]
async fn keys_that_a_client_publishes_let_it_in_and_new_ones_are_found() {
    let house = House::new();
    let id = publisher(&house).await;
    let options = RemoteKeysOptions {
        capacity: 10,
        ask_at_most_every: Duration::from_secs(10),
        stale_for: Duration::from_hours(1),
    };
    let published = house.published.clone();
    let cached = CachedRemoteKeys::new(published.clone(), options, house.clock.clone());
    let node = AuthenticateClient { remote_keys: Arc::new(cached), ..discreet(&house) };
    published.publish(&uri(), vec![key("k1")]);
    node.execute(with_key(&house, &id, "k1", "1")).await.unwrap();
    house.clock.advance(Duration::from_secs(10));

    published.publish(&uri(), vec![key("k1"), key("k2")]);
    assert!(node.execute(with_key(&house, &id, "k2", "2")).await.is_ok());
    assert!(node.execute(with_key(&house, &id, "k1", "3")).await.is_ok());
    assert_eq!(published.fetches(), 2);
    // Threat T06: one who names keys that are not there asks for nothing more.
    for _ in 0..50 {
        let refused = node.execute(with_key(&house, &id, "k3", "4")).await.unwrap_err();
        assert!(is_failed(&refused), "{refused:?}");
    }
    assert_eq!(published.fetches(), 2);
    // While the address is out, what is remembered counts.
    published.go_out(&uri());
    house.clock.advance(Duration::from_mins(10));
    assert!(node.execute(with_key(&house, &id, "k1", "5")).await.is_ok());
}

#[tokio::test]
async fn t48_keys_that_cannot_be_fetched_are_never_the_callers_fault() {
    let house = House::new();
    let id = publisher(&house).await;

    let error = discreet(&house).execute(with_key(&house, &id, "k1", "1")).await.unwrap_err();

    let AuthenticateClientError::KeysOut(fault) = error else { panic!("{error:?}") };
    assert_eq!(fault.kind(), FaultKind::Unavailable);
}

#[tokio::test]
async fn t48_secrets_in_a_store_that_is_out_are_never_the_callers_fault() {
    let house = House::new();
    let (id, secret) = mac_client(&house).await;
    house.credentials.go_out();

    let known = discreet(&house).execute(with_mac(&house, &id, &secret, "1")).await.unwrap_err();
    let nobody =
        discreet(&house).execute(with_mac(&house, "nobody", &secret, "1")).await.unwrap_err();

    assert!(matches!(known, AuthenticateClientError::Fault(_)), "{known:?}");
    assert!(is_failed(&nobody), "the store that knows says so");
}

async fn change(
    house: &House,
    id: &str,
    patch: Value,
) -> Result<domain::Client, UpdateClientError> {
    let changes = ClientChanges::parse(patch.as_object().unwrap().clone(), &rules())?;
    house.update_client().execute(&id.parse().unwrap(), changes, None, &Mandate::Unlimited).await
}

/// A secret is hashed or sealed, and one of them is of no use for the other: so nobody is locked out
/// in silence.
#[tokio::test]
async fn a_client_with_secrets_goes_from_sending_to_signing_only_without_them() {
    let house = House::new();
    for (old, new) in
        [("client_secret_basic", "client_secret_jwt"), ("client_secret_jwt", "client_secret_post")]
    {
        let (id, _) = house.client(json!({"token_endpoint_auth_method": old})).await;
        let client: ClientId = id.parse().unwrap();
        let patch = json!({"token_endpoint_auth_method": new});

        let error = change(&house, &id, patch.clone()).await.unwrap_err();
        let UpdateClientError::Invalid(invalid) = error else { panic!("{error:?}") };
        assert_eq!(invalid.member, "token_endpoint_auth_method");
        assert!(invalid.reason.contains("revoke them"), "{invalid}");

        house.credentials.remove_all(&client).await.unwrap();
        change(&house, &id, patch).await.unwrap();
        let added = house
            .add_secret()
            .execute(&client, AddSecretRequest::default(), &Mandate::Unlimited)
            .await
            .unwrap();
        let secret = added.secret.expose();
        let credentials = match new {
            "client_secret_jwt" => with_mac(&house, &id, secret, "1"),
            _ => with_secret(&id, secret),
        };
        assert!(discreet(&house).execute(credentials).await.is_ok(), "{new}");
    }
    let (id, secret) = house.client(json!({})).await;
    change(&house, &id, json!({"token_endpoint_auth_method": "client_secret_post"})).await.unwrap();
    assert!(discreet(&house).execute(with_secret(&id, &secret)).await.is_ok(), "the same family");
}

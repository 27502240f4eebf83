//! Reference tokens, and who may ask what a token says.

use app::{Introspection, IssueTokenRequest, IssuedToken};
use domain::management::Mandate;
use domain::port::ClientRepository as _;
use domain::{
    AccessToken, ClientState, GrantRequest, ReferenceStyle, SigningAlgorithm, TokenFormat,
};
use serde_json::json;

use crate::support::{House, LIFETIME, with_secret};

async fn reference(house: &House, id: &str, secret: &str, style: ReferenceStyle) -> IssuedToken {
    let request = IssueTokenRequest {
        credentials: with_secret(id, secret),
        grant: GrantRequest { scope: Some("a".parse().unwrap()), ..GrantRequest::default() },
    };
    house.issue_reference(style).execute(request).await.unwrap()
}

async fn ask(house: &House, id: &str, secret: &str, token: &str) -> Introspection {
    house.introspect_token().execute(with_secret(id, secret), token).await.unwrap()
}

fn is_active(told: &Introspection) -> bool {
    json!(told.answer("Bearer", false))["active"] == json!(true)
}

#[tokio::test]
async fn a_reference_token_says_nothing_and_stands_for_everything() {
    let house = House::new();
    let (id, secret) = house.client(json!({"scope": "a b"})).await;
    for (style, length) in [
        (ReferenceStyle::Uuid, 36),
        (ReferenceStyle::Alphanumeric, 32),
        (ReferenceStyle::Prefixed, 48),
    ] {
        let issued = reference(&house, &id, &secret, style).await;

        assert!(matches!(issued.token, AccessToken::Opaque(_)), "{style:?}");
        assert_eq!(issued.format, TokenFormat::Reference);
        assert_eq!(issued.token.as_str().len(), length);
        let active = house.token_info().execute(issued.token.as_str()).await.unwrap();
        assert_eq!(active.claims["sub"], id.as_str());
        assert_eq!(active.claims["client_id"], id.as_str());
        assert_eq!(active.claims["scope"], "a");
        assert!(active.claims["jti"].is_string());
    }
}

#[tokio::test]
async fn t38_a_reference_token_that_was_changed_is_nobodys() {
    let house = House::new();
    let (id, secret) = house.client(json!({"scope": "a"})).await;
    let issued = reference(&house, &id, &secret, ReferenceStyle::Alphanumeric).await;
    let token = issued.token.as_str();
    let (short, long) = (&token[..31], format!("{token}a"));
    let swapped = if token.starts_with('a') { "b" } else { "a" }.to_owned() + &token[1..];
    let upper = token.to_ascii_uppercase();

    for changed in
        [short, &long, &swapped, "", " ", "\u{0}", &"a".repeat(10_000), &format!("{token} ")]
    {
        assert!(!is_active(&ask(&house, &id, &secret, changed).await), "{changed:.40}");
    }
    if upper != token {
        assert!(!is_active(&ask(&house, &id, &secret, &upper).await));
    }
    assert!(is_active(&ask(&house, &id, &secret, token).await));
}

#[tokio::test]
async fn a_reference_token_ends_and_is_taken_back_as_any_other() {
    let house = House::new();
    let (id, secret) = house.client(json!({"scope": "a"})).await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(reference(&house, &id, &secret, ReferenceStyle::Prefixed).await);
    }

    let revoked = tokens[0].token.as_str();
    house.revoke_token().execute(with_secret(&id, &secret), revoked).await.unwrap();
    assert!(!is_active(&ask(&house, &id, &secret, revoked).await));
    assert!(is_active(&ask(&house, &id, &secret, tokens[1].token.as_str()).await));

    house.clock.advance(LIFETIME);
    assert!(!is_active(&ask(&house, &id, &secret, tokens[1].token.as_str()).await));
}

#[tokio::test]
async fn t34_a_disabled_client_loses_its_reference_tokens() {
    let house = House::new();
    let (id, secret) = house.client(json!({"scope": "a"})).await;
    let (server, server_secret) = house.client(json!({"capabilities": ["introspection"]})).await;
    let issued = reference(&house, &id, &secret, ReferenceStyle::Uuid).await;
    assert!(is_active(&ask(&house, &server, &server_secret, issued.token.as_str()).await));

    house
        .change_state()
        .execute(&id.parse().unwrap(), ClientState::Trash, &Mandate::Unlimited)
        .await
        .unwrap();

    assert!(!is_active(&ask(&house, &server, &server_secret, issued.token.as_str()).await));
}

/// Its own tokens, and with the capability those of others; else it learns nothing.
#[tokio::test]
async fn t28_t35_who_may_not_ask_learns_nothing() {
    let house = House::new();
    let (id, secret) = house.client(json!({"scope": "a"})).await;
    let (other, other_secret) = house.client(json!({})).await;
    let (server, server_secret) =
        house.client(json!({"capabilities": ["client_credentials", "introspection"]})).await;
    let opaque = reference(&house, &id, &secret, ReferenceStyle::Prefixed).await;
    let signed = house.issue(with_secret(&id, &secret), GrantRequest::default()).await.unwrap();

    for token in [opaque.token.as_str(), signed.token.as_str()] {
        assert!(is_active(&ask(&house, &id, &secret, token).await));
        assert!(is_active(&ask(&house, &server, &server_secret, token).await));
        let told = ask(&house, &other, &other_secret, token).await;
        let told = json!(told.answer("Bearer", false));
        assert_eq!(told, json!({"active": false}));
    }
    let wrong = house.introspect_token().execute(with_secret(&id, "wrong"), "x").await;
    assert!(wrong.is_err());
}

#[tokio::test]
async fn an_answer_says_what_the_token_says() {
    let house = House::new();
    let (id, secret) = house.client(json!({"scope": "a"})).await;
    let issued = reference(&house, &id, &secret, ReferenceStyle::Prefixed).await;

    let told = ask(&house, &id, &secret, issued.token.as_str()).await;
    let answer = json!(told.answer("bearer", true));

    assert_eq!(answer["active"], true);
    assert_eq!(answer["token_type"], "bearer");
    assert_eq!(answer["client_id"], id.as_str());
    assert_eq!(answer["clientId"], id.as_str());
    assert_eq!(answer["exp"], issued.expires_at.as_unix_seconds());
    assert_eq!(answer["iat"], issued.issued_at.as_unix_seconds());
    for member in ["sub", "iss", "scope", "jti"] {
        assert!(answer[member].is_string(), "{member}");
    }
}

/// A resource server that reads signed tokens alone gets one, which is worth what the other is.
#[tokio::test]
async fn a_phantom_token_is_a_token_of_ours() {
    let house = House::new();
    let (id, secret) = house.client(json!({"scope": "a"})).await;
    let issued = reference(&house, &id, &secret, ReferenceStyle::Uuid).await;
    let told = ask(&house, &id, &secret, issued.token.as_str()).await;
    let token = told.token.unwrap();

    let introspect = house.introspect_token();
    let phantom = introspect.signed(issued.token.as_str(), &token).await.unwrap();

    let active = house.token_info().execute(phantom.as_str()).await.unwrap();
    assert_eq!(active.claims, token.claims);
    // It is the same token: taken back with the other.
    house.revoke_token().execute(with_secret(&id, &secret), issued.token.as_str()).await.unwrap();
    assert!(house.token_info().execute(phantom.as_str()).await.is_err());
}

#[tokio::test]
async fn a_phantom_token_is_signed_as_its_client_wants() {
    let house = House::new();
    for (settings, expected) in [
        (json!({"scope": "a"}), house.introspect_token().algorithm),
        (json!({"scope": "a", "access_token_signing_alg": "RS256"}), SigningAlgorithm::Rs256),
        (json!({"scope": "a", "access_token_signing_alg": "ES256"}), SigningAlgorithm::Es256),
    ] {
        let (id, secret) = house.client(settings).await;
        let issued = reference(&house, &id, &secret, ReferenceStyle::Uuid).await;
        let told = ask(&house, &id, &secret, issued.token.as_str()).await;

        let introspect = house.introspect_token();
        let phantom = introspect.signed(issued.token.as_str(), &told.token.unwrap()).await.unwrap();

        let jws = domain::CompactJws::parse(phantom.as_str()).unwrap();
        assert_eq!(jws.header().algorithm, expected);
    }
}

/// Whatever is signed about a token is no token (threat T15).
#[tokio::test]
async fn t15_a_signed_answer_is_no_token() {
    let house = House::new();
    let (id, secret) = house.client(json!({"scope": "a"})).await;
    let issued = reference(&house, &id, &secret, ReferenceStyle::Uuid).await;
    let told = ask(&house, &id, &secret, issued.token.as_str()).await;
    let introspect = house.introspect_token();

    let answer = introspect.signed_answer(&told.caller, &told.answer("Bearer", false)).unwrap();

    assert!(house.token_info().execute(answer.as_str()).await.is_err());
    let jws = domain::CompactJws::parse(answer.as_str()).unwrap();
    assert!(jws.header().is_typ("token-introspection+jwt"));
    assert_eq!(jws.unverified_claims()["aud"], id.as_str());
    assert_eq!(jws.unverified_claims()["token_introspection"]["active"], true);
}

#[tokio::test]
async fn what_is_chosen_for_a_client_decides_what_it_gets() {
    let house = House::new();
    let settings = json!({
        "scope": "a b", "default_scope": "b",
        "access_token_format": "reference", "access_token_lifetime": 60,
    });
    let (id, secret) = house.client(settings).await;

    let issued = house.issue(with_secret(&id, &secret), GrantRequest::default()).await.unwrap();

    assert_eq!(issued.format, TokenFormat::Reference);
    assert_eq!(issued.expires_at.since(issued.issued_at).as_secs(), 60);
    assert_eq!((issued.scope, issued.is_scope_asked), (Some("b".parse().unwrap()), false));
}

/// As where another program deletes clients from the store.
#[tokio::test]
async fn t34_no_reference_of_a_client_that_is_gone_is_good() {
    let house = House::new();
    let (id, secret) = house.client(json!({"scope": "a"})).await;
    let issued = reference(&house, &id, &secret, ReferenceStyle::Uuid).await;
    assert!(house.token_info().execute(issued.token.as_str()).await.is_ok());

    house.clients.remove(&id.parse().unwrap()).await.unwrap();

    assert!(house.token_info().execute(issued.token.as_str()).await.is_err());
}

/// It could be neither asked about nor taken back.
#[tokio::test]
async fn no_token_is_issued_that_is_too_long_to_be_read() {
    let house = House::new();
    let permissions: Vec<_> = (0..200).map(|at| format!("{at:0>100}")).collect();
    let (id, secret) = house.client(json!({"permissions": permissions})).await;

    let outcome = house.issue(with_secret(&id, &secret), GrantRequest::default()).await;

    assert!(matches!(outcome, Err(app::IssueTokenError::Fault(_))));
}

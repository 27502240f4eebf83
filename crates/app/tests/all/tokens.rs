//! What tokens say, and when they are worth something.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::testing::{PlainHasher, PlainSigner};
use adapter_memory::{CacheOptions, CachedClients, CachedCredentials};
use async_trait::async_trait;

use app::{AuthenticateClientError, IssueTokenError, RevokeTokenError, TokenInfo, TokenInfoError};
use domain::access_token::InactiveToken;
use domain::management::Mandate;
use domain::port::{Clock as _, SecretHasher, Verdict};
use domain::{ClientSecret, ClientState, Fault, GrantRefusal, GrantRequest, SecretHash};
use serde_json::{Value, json};

use crate::support::{House, LIFETIME, with_secret};

fn inactive(error: TokenInfoError) -> InactiveToken {
    match error {
        TokenInfoError::Inactive(why) => why,
        TokenInfoError::Fault(fault) => panic!("a fault: {fault:?}"),
    }
}

#[tokio::test]
async fn a_token_says_what_was_granted() {
    let house = House::new();
    let registered = json!({"permissions": ["api:read"], "audience": ["orders"], "scope": "a b"});
    let (id, secret) = house.client(registered).await;
    let grant = GrantRequest {
        scope: Some("a".parse().unwrap()),
        audience: vec!["orders".parse().unwrap()],
        ..GrantRequest::default()
    };

    let issued = house.issue(with_secret(&id, &secret), grant).await.unwrap();
    let active = house.token_info().execute(issued.token.as_str()).await.unwrap();

    assert_eq!(issued.expires_at.since(issued.issued_at), LIFETIME);
    assert_eq!(active.claims["sub"], id.as_str());
    assert_eq!(active.claims["permissions"], json!(["api:read"]));
    assert_eq!(active.claims["aud"], json!(["orders"]));
    assert_eq!(active.claims["scope"], "a");
}

#[tokio::test]
async fn the_assertion_may_name_audiences_and_allowed_claims() {
    let house = House::new();
    let registered = json!({"audience": ["orders", "stock"], "allowedCustomClaims": ["tenant"]});
    let client = house.key_client(registered).await;
    let assertion =
        house.assertion(&client, &json!({"requested_audiences": ["stock"], "tenant": {"id": 7}}));
    let grant =
        GrantRequest { audience: vec!["orders".parse().unwrap()], ..GrantRequest::default() };

    let issued = house.issue(assertion, grant).await.unwrap();
    let active = house.token_info().execute(issued.token.as_str()).await.unwrap();

    assert_eq!(active.claims["aud"], json!(["orders", "stock"]));
    assert_eq!(active.claims["tenant"], json!({"id": 7}));
}

#[tokio::test]
async fn t31_t36_more_than_is_registered_is_refused() {
    let house = House::new();
    let client = house.key_client(json!({"audience": ["orders"]})).await;
    let ask = |id: u8, mut change: Value| {
        change["jti"] = json!(format!("{id}"));
        house.issue(house.assertion(&client, &change), GrantRequest::default())
    };

    let audience = ask(1, json!({"requested_audiences": ["stock"]})).await.unwrap_err();
    let claim = ask(2, json!({"role": "admin"})).await.unwrap_err();

    assert!(matches!(audience, IssueTokenError::Refused(GrantRefusal::AudienceNotAllowed)));
    assert!(matches!(claim, IssueTokenError::Refused(GrantRefusal::CustomClaimNotAllowed)));
}

#[tokio::test]
async fn t41_no_two_tokens_are_alike() {
    let house = House::new();
    let (id, secret) = house.client(json!({})).await;

    let one = house.issue_for(&id, &secret).await.unwrap().token;
    let other = house.issue_for(&id, &secret).await.unwrap().token;

    assert_ne!(one.as_str(), other.as_str());
}

#[tokio::test]
async fn a_token_ends() {
    let house = House::new();
    let (id, secret) = house.client(json!({})).await;
    let token = house.issue_for(&id, &secret).await.unwrap().token;

    house.clock.advance(Duration::from_secs(299));
    assert!(house.token_info().execute(token.as_str()).await.is_ok());
    house.clock.advance(Duration::from_secs(1));

    let error = house.token_info().execute(token.as_str()).await.unwrap_err();
    assert_eq!(inactive(error), InactiveToken::Expired);
}

#[tokio::test]
async fn a_token_without_jti_and_of_an_unknown_subject_is_good() {
    let house = House::new();
    let now = house.clock.now().as_unix_seconds();
    let token = PlainSigner::compact(
        &json!({"alg": "RS256", "kid": "plain", "typ": "JWT"}),
        &json!({"iss": "https://issuer.example", "sub": "somebody else", "exp": now + 60}),
    );

    assert!(house.token_info().execute(&token).await.is_ok());
}

#[tokio::test]
async fn t35_a_token_is_revoked_by_its_own_client_only() {
    let house = House::new();
    let (one, one_secret) = house.client(json!({})).await;
    let (other, other_secret) = house.client(json!({})).await;
    let token = house.issue_for(&one, &one_secret).await.unwrap().token;
    let revoke = |id: &str, secret: &str| {
        let (use_case, credentials) = (house.revoke_token(), with_secret(id, secret));
        let token = token.as_str().to_owned();
        async move { use_case.execute(credentials, &token).await }
    };

    let not_yours = revoke(&other, &other_secret).await.unwrap_err();
    assert!(matches!(not_yours, RevokeTokenError::NotYours));
    let nobody = revoke(&one, "wrong").await.unwrap_err();
    assert!(matches!(nobody, RevokeTokenError::NotAuthenticated(AuthenticateClientError::Failed)));
    assert!(house.token_info().execute(token.as_str()).await.is_ok());

    assert!(revoke(&one, &one_secret).await.unwrap().is_some());
    let error = house.token_info().execute(token.as_str()).await.unwrap_err();
    assert_eq!(inactive(error), InactiveToken::Revoked);
    assert!(revoke(&one, &one_secret).await.unwrap().is_none(), "twice is once");
}

#[tokio::test]
async fn a_token_for_somebody_elses_audience_can_still_be_revoked() {
    let house = House::new();
    let (id, secret) = house.client(json!({"audience": ["orders"]})).await;
    let grant =
        GrantRequest { audience: vec!["orders".parse().unwrap()], ..GrantRequest::default() };
    let token = house.issue(with_secret(&id, &secret), grant).await.unwrap().token;
    let mut revoke = house.revoke_token();
    revoke.token_info =
        TokenInfo { accepted_audiences: vec!["stock".parse().unwrap()], ..house.token_info() };

    let revoked = revoke.execute(with_secret(&id, &secret), token.as_str()).await.unwrap();

    assert!(revoked.is_some());
}

#[tokio::test]
async fn t34_disabling_and_deleting_a_client_ends_its_tokens_for_good() {
    for is_deleted in [false, true] {
        let house = House::new();
        let (id, secret) = house.client(json!({})).await;
        let token = house.issue_for(&id, &secret).await.unwrap().token;
        let client = id.parse().unwrap();

        if is_deleted {
            house.delete_client().execute(&client, &Mandate::Unlimited).await.unwrap();
        } else {
            house
                .change_state()
                .execute(&client, ClientState::Trash, &Mandate::Unlimited)
                .await
                .unwrap();
        }

        let error = house.token_info().execute(token.as_str()).await.unwrap_err();
        assert_eq!(inactive(error), InactiveToken::Revoked);
        assert!(house.issue_for(&id, &secret).await.is_err());
        if !is_deleted {
            house.clock.advance(Duration::from_secs(1));
            house
                .change_state()
                .execute(&client, ClientState::Public, &Mandate::Unlimited)
                .await
                .unwrap();
            assert!(house.token_info().execute(token.as_str()).await.is_err(), "for good");
            house.clock.advance(Duration::from_secs(1));
            let fresh = house.issue_for(&id, &secret).await.unwrap().token;
            assert!(house.token_info().execute(fresh.as_str()).await.is_ok());
        }
    }
}

#[tokio::test]
async fn t48_a_revocation_that_cannot_be_ruled_out_is_a_fault() {
    let house = House::new();
    let (id, secret) = house.client(json!({})).await;
    let token = house.issue_for(&id, &secret).await.unwrap().token;

    house.tokens.go_out();

    let error = house.token_info().execute(token.as_str()).await.unwrap_err();
    assert!(matches!(error, TokenInfoError::Fault(_)));
}

#[tokio::test]
async fn t45_a_node_whose_clock_is_behind_does_not_call_fresh_tokens_expired() {
    let house = House::new();
    let (id, secret) = house.client(json!({})).await;
    let token = house.issue_for(&id, &secret).await.unwrap().token;

    house.clock.set_back(Duration::from_mins(5));

    assert!(house.token_info().execute(token.as_str()).await.is_ok());
}

#[tokio::test]
async fn t34_tokens_that_a_node_issues_before_it_hears_of_the_deletion_are_revoked_too() {
    let house = House::new();
    let (id, secret) = house.client(json!({})).await;
    let client = id.parse().unwrap();
    let options = CacheOptions {
        capacity: 100,
        fresh_for: Duration::from_mins(1),
        stale_for: Duration::from_mins(1),
        retry_after: Duration::from_secs(1),
    };
    let clock = house.clock.clone();
    let authenticate = app::AuthenticateClient {
        clients: Arc::new(CachedClients::new(house.clients.clone(), options, clock.clone())),
        credentials: Arc::new(CachedCredentials::new(house.credentials.clone(), options, clock)),
        hasher: Arc::new(Recalling(house.hasher.clone())),
        ..house.authenticate()
    };
    let other_node = app::IssueToken { authenticate, ..house.issue_token() };
    let ask = || {
        let grant = GrantRequest::default();
        other_node.execute(app::IssueTokenRequest { credentials: with_secret(&id, &secret), grant })
    };
    ask().await.unwrap();

    for is_deleted in [false, true] {
        if is_deleted {
            house.delete_client().execute(&client, &Mandate::Unlimited).await.unwrap();
        } else {
            house
                .change_state()
                .execute(&client, ClientState::Trash, &Mandate::Unlimited)
                .await
                .unwrap();
        }
        house.clock.advance(Duration::from_secs(2));
        let late = ask().await.unwrap().token;
        if !is_deleted {
            house.clock.advance(Duration::from_secs(1));
            house
                .change_state()
                .execute(&client, ClientState::Public, &Mandate::Unlimited)
                .await
                .unwrap();
        }
        let error = house.token_info().execute(late.as_str()).await.unwrap_err();
        assert_eq!(inactive(error), InactiveToken::Revoked, "deleted: {is_deleted}");
    }
}

/// Recalls every secret that is right.
struct Recalling(Arc<PlainHasher>);

#[async_trait]
impl SecretHasher for Recalling {
    async fn hash(&self, secret: &ClientSecret) -> Result<SecretHash, Fault> {
        self.0.hash(secret).await
    }

    async fn recalls(&self, presented: &ClientSecret, expected: &SecretHash) -> bool {
        PlainHasher::hash_of(presented.expose()) == *expected
    }

    async fn verify(
        &self,
        presented: &ClientSecret,
        expected: Option<&SecretHash>,
    ) -> Result<Verdict, Fault> {
        self.0.verify(presented, expected).await
    }
}

//! Who may manage the server.

use std::sync::Arc;

use adapter_memory::testing::PlainDigester;
use app::{
    AuthorizeManagement, AuthorizeManagementError, ClaimBootstrapToken, ClientChanges,
    ManagementAuthentication, ReplaceBootstrapToken,
};
use domain::GrantRequest;
use domain::management::ManagementRight::{ReadClients, WriteClients};
use domain::management::Mandate;
use domain::port::TokenDigester as _;
use serde_json::json;

use crate::support::{House, rules, with_secret};

fn authorize(house: &House, authentication: ManagementAuthentication) -> AuthorizeManagement {
    AuthorizeManagement {
        authentication,
        token_info: house.token_info(),
        clients: house.clients.clone(),
        digester: Arc::new(PlainDigester),
    }
}

fn by_bootstrap(house: &House) -> AuthorizeManagement {
    authorize(house, ManagementAuthentication::Bootstrap(house.bootstrap.clone()))
}

#[tokio::test]
async fn the_bootstrap_token_is_made_once() {
    let house = House::new();
    let claim = ClaimBootstrapToken {
        bootstrap: house.bootstrap.clone(),
        digester: Arc::new(PlainDigester),
        entropy: house.entropy.clone(),
    };

    let token = claim.execute().await.unwrap().unwrap();

    assert!(claim.execute().await.unwrap().is_none());
    assert!(token.expose().starts_with("twboot_"));
    let authorize = by_bootstrap(&house);
    assert!(authorize.execute(Some(token.expose()), WriteClients).await.is_ok());

    let replace = ReplaceBootstrapToken {
        bootstrap: house.bootstrap.clone(),
        digester: Arc::new(PlainDigester),
        entropy: house.entropy.clone(),
    };
    let new = replace.execute().await.unwrap();
    assert!(authorize.execute(Some(token.expose()), WriteClients).await.is_err());
    assert!(authorize.execute(Some(new.expose()), WriteClients).await.is_ok());
}

#[tokio::test]
async fn a_token_of_ours_allows_what_its_scope_says() {
    let house = House::new();
    let (id, secret) = house.client(json!({"scope": "clients:read clients:write"})).await;
    let ask = |scope: Option<&str>| {
        let scope = scope.map(|it| it.parse().unwrap());
        let grant = GrantRequest { scope, ..GrantRequest::default() };
        house.issue(with_secret(&id, &secret), grant)
    };
    let reader = ask(Some("clients:read")).await.unwrap().token;
    let nothing = ask(None).await.unwrap().token;
    let authorize = by_bootstrap(&house);

    assert!(authorize.execute(Some(reader.as_str()), ReadClients).await.is_ok());
    for (token, right) in [(&reader, WriteClients), (&nothing, ReadClients)] {
        let error = authorize.execute(Some(token.as_str()), right).await.unwrap_err();
        assert!(matches!(error, AuthorizeManagementError::ScopeMissing(it) if it == right));
    }
}

/// A token may live for a week, and an operator who takes a right away does not wait for that.
#[tokio::test]
async fn t47_a_right_that_was_taken_from_a_client_is_gone_from_its_tokens() {
    let house = House::new();
    let (id, secret) = house.client(json!({"scope": "clients:read clients:write"})).await;
    let scope = "clients:read clients:write".parse().ok();
    let grant = GrantRequest { scope, ..GrantRequest::default() };
    let token = house.issue(with_secret(&id, &secret), grant).await.unwrap().token;
    let authorize = by_bootstrap(&house);
    let ask = async |right| authorize.execute(Some(token.as_str()), right).await;
    assert_eq!(
        ask(WriteClients).await.unwrap().mandate(),
        Mandate::Scope("clients:read clients:write".parse().unwrap())
    );

    let less = json!({"scope": "clients:read"}).as_object().unwrap().clone();
    let changes = ClientChanges::parse(less, &rules()).unwrap();
    let update = house.update_client();
    update.execute(&id.parse().unwrap(), changes, None, &Mandate::Unlimited).await.unwrap();

    let refused = ask(WriteClients).await.unwrap_err();
    assert!(matches!(refused, AuthorizeManagementError::ScopeMissing(WriteClients)));
    let left = ask(ReadClients).await.unwrap();
    assert_eq!(left.mandate(), Mandate::Scope("clients:read".parse().unwrap()));
    assert_eq!(left.author().unwrap().as_str(), format!("client {id}"));
}

#[tokio::test]
async fn without_a_token_or_with_a_wrong_one_nobody_may_anything() {
    let house = House::new();
    let configured = ManagementAuthentication::Configured(PlainDigester.digest("the token"));
    for authorize in [by_bootstrap(&house), authorize(&house, configured)] {
        let missing = authorize.execute(None, ReadClients).await.unwrap_err();
        assert!(matches!(missing, AuthorizeManagementError::TokenMissing));
        for wrong in ["x", "", "a.b.c", "the token "] {
            let invalid = authorize.execute(Some(wrong), ReadClients).await.unwrap_err();
            assert!(matches!(invalid, AuthorizeManagementError::TokenInvalid), "{wrong}");
        }
    }
    let configured = ManagementAuthentication::Configured(PlainDigester.digest("the token"));
    assert!(authorize(&house, configured).execute(Some("the token"), WriteClients).await.is_ok());
    let open = authorize(&house, ManagementAuthentication::None);
    assert!(open.execute(None, WriteClients).await.is_ok());
}

#[tokio::test]
async fn t35_a_token_that_is_meant_for_somebody_else_manages_nothing() {
    let house = House::new();
    let issuer = house.token_info().issuer;
    let registered = json!({"scope": "clients:read", "audience": ["orders", issuer.as_str()]});
    let (id, secret) = house.client(registered).await;
    let ask = async |audience: &str| {
        let (scope, audience) = ("clients:read".parse().ok(), vec![audience.parse().unwrap()]);
        let grant = GrantRequest { scope, audience, ..GrantRequest::default() };
        house.issue(with_secret(&id, &secret), grant).await.unwrap().token
    };
    let authorize = by_bootstrap(&house);

    let error = authorize.execute(Some(ask("orders").await.as_str()), ReadClients).await;

    assert!(matches!(error, Err(AuthorizeManagementError::TokenInvalid)), "{error:?}");
    let ours = ask(issuer.as_str()).await;
    assert!(authorize.execute(Some(ours.as_str()), ReadClients).await.is_ok());
}

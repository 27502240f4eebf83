//! Rust's oauth2 and openidconnect, over TLS: they revoke a token nowhere else.

use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{
    AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, IntrospectionUrl,
    RequestTokenError, RevocationUrl, Scope, StandardRevocableToken,
    TokenIntrospectionResponse as _, TokenResponse as _, TokenUrl,
};
use openidconnect::core::{
    CoreClient, CoreClientAuthMethod, CoreClientRegistrationRequest, CoreGenderClaim,
    CoreGrantType, CoreJsonWebKeySet, CoreJwsSigningAlgorithm, CoreProviderMetadata,
};
use openidconnect::registration::EmptyAdditionalClientMetadata;
use openidconnect::{
    ClientName, EmptyAdditionalClaims, IssuerUrl, JsonWebKey as _, JsonWebKeyId, JsonWebKeySetUrl,
    RegistrationUrl, SubjectIdentifier, UserInfoUrl,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ground::{
    BASIC, DIALECTS, Dialect, IDSERVICE, METHODS, MIA, Method, POST, RESOURCE, SCOPE, STANDARD,
    client,
};
use crate::support::jwt::{KeyClient, Pair};
use crate::support::{Options, Server};
use crate::tls::Authority;

/// Hands a request of the libraries on to reqwest.
async fn send(
    http: &reqwest::Client,
    request: HttpRequest,
) -> Result<HttpResponse, reqwest::Error> {
    let response = http.execute(request.try_into()?).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut answer = HttpResponse::new(response.bytes().await?.to_vec());
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

fn text(client: &Value, name: &str) -> String {
    client[name].as_str().unwrap().to_owned()
}

/// How the libraries send a secret.
fn auth_type(method: Method) -> AuthType {
    if method == BASIC { AuthType::BasicAuth } else { AuthType::RequestBody }
}

/// An assertion for the parameters that these libraries send for whoever asks.
fn assertion(client: &Value, method: Method, server: &Server) -> Vec<(&'static str, String)> {
    if method.name != "private_key_jwt" {
        return Vec::new();
    }
    let key = openssl::pkey::PKey::private_key_from_pem(text(client, "pem").as_bytes()).unwrap();
    let pair = Pair { algorithm: method.alg, key };
    let signer = KeyClient { id: text(client, "id"), pair, issuer: server.url.clone() };
    let jwt = signer.pair.jwt(&text(client, "kid"), &signer.claims());
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    vec![("client_assertion_type", kind.to_owned()), ("client_assertion", jwt)]
}

async fn oauth2_lives(server: &Server, client: &Value, method: Method, dialect: Dialect) {
    let what = format!("{method:?}, {}", dialect.name);
    let http = |request| send(&server.http, request);
    let mut made = BasicClient::new(ClientId::new(text(client, "id")))
        .set_auth_type(auth_type(method))
        .set_token_uri(TokenUrl::new(server.at(dialect.token)).unwrap())
        .set_introspection_url(IntrospectionUrl::new(server.at(dialect.introspection)).unwrap())
        .set_revocation_url(RevocationUrl::new(server.at(dialect.revocation)).unwrap());
    if client["secret"].is_string() {
        made = made.set_client_secret(ClientSecret::new(text(client, "secret")));
    }

    let mut request = made
        .exchange_client_credentials()
        .add_scope(Scope::new(SCOPE.to_owned()))
        .add_extra_param("resource", RESOURCE);
    for (name, value) in assertion(client, method, server) {
        request = request.add_extra_param(name, value);
    }
    let told =
        request.request_async(&http).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert_eq!(told.token_type().as_ref(), "bearer", "{what}");
    assert!(told.expires_in().is_some(), "{what}");
    let scopes = told.scopes().map(|it| it.iter().map(|it| it.as_str()).collect::<Vec<_>>());
    let granted = (dialect.name != IDSERVICE.name).then(|| vec![SCOPE]);
    assert_eq!(scopes, granted, "{what}");

    let introspect = async || {
        let mut request = made.introspect(told.access_token());
        for (name, value) in assertion(client, method, server) {
            request = request.add_extra_param(name, value);
        }
        request.request_async(&http).await.unwrap_or_else(|error| panic!("{what}: {error:?}"))
    };
    let introspected = introspect().await;
    assert!(introspected.active(), "{what}");
    assert_eq!(introspected.client_id().map(|it| it.as_str()), client["id"].as_str(), "{what}");
    assert!(introspected.exp().is_some(), "{what}");

    let token = StandardRevocableToken::AccessToken(told.access_token().clone());
    let mut revocation = made.revoke_token(token).unwrap();
    for (name, value) in assertion(client, method, server) {
        revocation = revocation.add_extra_param(name, value);
    }
    revocation.request_async(&http).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert!(!introspect().await.active(), "{what}");
}

#[tokio::test]
async fn oauth2_lives_by_every_method_in_every_dialect() {
    let server = Authority::make().start(Options::default());
    // It signs nothing itself; assertions go as parameters of one's own.
    for method in METHODS.iter().filter(|it| it.name != "client_secret_jwt") {
        let client = client(&server, *method, json!({})).await;
        for dialect in DIALECTS {
            oauth2_lives(&server, &client, *method, dialect).await;
        }
    }
}

#[tokio::test]
async fn a_refusal_is_oauth2s_own_error_with_our_code() {
    let server = Authority::make().start(Options::default());
    let http = |request| send(&server.http, request);
    let client = client(&server, BASIC, json!({})).await;
    for dialect in DIALECTS {
        for method in [BASIC, POST] {
            let with_secret = |secret: &str| {
                BasicClient::new(ClientId::new(text(&client, "id")))
                    .set_auth_type(auth_type(method))
                    .set_client_secret(ClientSecret::new(secret.to_owned()))
                    .set_token_uri(TokenUrl::new(server.at(dialect.token)).unwrap())
            };
            let refused =
                with_secret("wrong").exchange_client_credentials().request_async(&http).await;
            let Err(RequestTokenError::ServerResponse(told)) = refused else {
                panic!("{refused:?}")
            };
            assert_eq!(told.error(), &BasicErrorResponseType::InvalidClient);

            let refused = with_secret(&text(&client, "secret"))
                .exchange_client_credentials()
                .add_scope(Scope::new("delete".to_owned()))
                .request_async(&http)
                .await;
            let Err(RequestTokenError::ServerResponse(told)) = refused else {
                panic!("{refused:?}")
            };
            assert_eq!(told.error(), &BasicErrorResponseType::InvalidScope);
        }
    }
}

async fn openidconnect_lives(server: &Server, client: &Value, method: Method, dialect: Dialect) {
    let what = format!("{method:?}, {}", dialect.name);
    let http = |request| send(&server.http, request);
    let jwks_uri = JsonWebKeySetUrl::new(server.at(dialect.jwks)).unwrap();
    let jwks = CoreJsonWebKeySet::fetch_async(&jwks_uri, &http).await.unwrap();
    let issuer = IssuerUrl::new(server.url.clone()).unwrap();
    let userinfo = server.at(dialect.userinfo.or(STANDARD.userinfo).unwrap());
    let made = CoreClient::new(ClientId::new(text(client, "id")), issuer, jwks)
        .set_auth_type(auth_type(method))
        .set_client_secret(ClientSecret::new(text(client, "secret")))
        .set_token_uri(TokenUrl::new(server.at(dialect.token)).unwrap())
        .set_introspection_url(IntrospectionUrl::new(server.at(dialect.introspection)).unwrap())
        .set_revocation_url(RevocationUrl::new(server.at(dialect.revocation)).unwrap())
        .set_user_info_url(UserInfoUrl::new(userinfo).unwrap());

    let told = made
        .exchange_client_credentials()
        .add_scope(Scope::new(SCOPE.to_owned()))
        .request_async(&http)
        .await
        .unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let token = told.access_token();
    let introspect = async || made.introspect(token).request_async(&http).await.unwrap();
    assert!(introspect().await.active(), "{what}");

    // It refuses what speaks for anybody else.
    for (subject, is_welcome) in [(text(client, "id"), true), ("somebody".to_owned(), false)] {
        let request = made.user_info(token.clone(), Some(SubjectIdentifier::new(subject)));
        let told = request.request_async::<EmptyAdditionalClaims, _, CoreGenderClaim>(&http).await;
        assert_eq!(told.is_ok(), is_welcome, "{what}: {told:?}");
    }

    let revocable = StandardRevocableToken::AccessToken(token.clone());
    made.revoke_token(revocable).unwrap().request_async(&http).await.unwrap();
    assert!(!introspect().await.active(), "{what}");
}

#[tokio::test]
async fn openidconnect_lives_by_both_secret_methods_in_every_dialect() {
    let server = Authority::make().start(Options::default());
    for method in [BASIC, POST] {
        let client = client(&server, method, json!({})).await;
        for dialect in DIALECTS {
            openidconnect_lives(&server, &client, method, dialect).await;
        }
    }
}

/// Of the published keys it takes the one that `kid` names, and believes nothing that was changed.
#[tokio::test]
async fn openidconnect_checks_signatures_with_the_published_keys() {
    let server = Authority::make().start(Options::default());
    let http = |request| send(&server.http, request);
    let jwks_uri = JsonWebKeySetUrl::new(server.at(STANDARD.jwks)).unwrap();
    let jwks = CoreJsonWebKeySet::fetch_async(&jwks_uri, &http).await.unwrap();
    for (alg, algorithm) in [
        ("RS256", CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256),
        ("PS256", CoreJwsSigningAlgorithm::RsaSsaPssSha256),
        ("ES256", CoreJwsSigningAlgorithm::EcdsaP256Sha256),
        ("EdDSA", CoreJwsSigningAlgorithm::EdDsa),
    ] {
        let client = server.create_client(json!({"access_token_signing_alg": alg})).await;
        let token = server.token_of(&client).await;
        let kid = text(&crate::support::header(&token), "kid");
        let key =
            jwks.keys().iter().find(|it| it.key_id() == Some(&JsonWebKeyId::new(kid.clone())));
        let key = key.unwrap_or_else(|| panic!("{alg}: {kid} is not published"));
        let (input, signature) = token.rsplit_once('.').unwrap();
        let signature = decoded(signature);

        key.verify_signature(&algorithm, input.as_bytes(), &signature).unwrap();
        let changed = input.replacen('.', ".e", 1);
        key.verify_signature(&algorithm, changed.as_bytes(), &signature).unwrap_err();
    }
}

fn decoded(part: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()
}

/// RFC 8414 section 2 leaves `authorization_endpoint` out where no grant needs it; openidconnect reads
/// no document without it.
#[tokio::test]
async fn openidconnect_says_that_no_authorization_endpoint_is_there() {
    let server = Authority::make().start(Options::default());
    let http = |request| send(&server.http, request);
    let issuer = IssuerUrl::new(server.url.clone()).unwrap();

    let refused = CoreProviderMetadata::discover_async(issuer, &http).await.unwrap_err();

    assert!(format!("{refused:?}").contains("authorization_endpoint"), "{refused:?}");
}

/// An operator's own document can name an endpoint that nobody ever asks.
#[tokio::test]
async fn openidconnect_discovers_by_a_document_of_the_operators() {
    let issuer = "https://localhost";
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/nowhere"),
        "token_endpoint": format!("{issuer}{}", STANDARD.token),
        "jwks_uri": format!("{issuer}{}", STANDARD.jwks),
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("openid.json");
    std::fs::write(&path, document.to_string()).unwrap();
    let own = Options::default()
        .with("OPENID_CONFIG_PATH", path.to_str().unwrap())
        .with("TOKENWRIGHT__TOKENS__ISSUER", issuer);
    let server = Authority::make().start(own);
    // The document names no port, and the server was given one.
    let (base, sender) = (server.url.as_str(), &server.http);
    let http = |mut request: HttpRequest| async move {
        *request.uri_mut() = format!("{base}{}", request.uri().path()).parse().unwrap();
        send(sender, request).await
    };
    let client = client(&server, BASIC, json!({})).await;

    let issuer_url = IssuerUrl::new(issuer.to_owned()).unwrap();
    let found = CoreProviderMetadata::discover_async(issuer_url, &http).await.unwrap();
    let secret = Some(ClientSecret::new(text(&client, "secret")));
    let id = ClientId::new(text(&client, "id"));
    let made = CoreClient::from_provider_metadata(found, id, secret);
    let told = made.exchange_client_credentials().unwrap().request_async(&http).await.unwrap();

    assert_eq!(crate::support::claims(told.access_token().secret())["iss"], issuer);
}

/// RFC 7591 section 3.2.1: the answer holds all that is registered.
#[tokio::test]
async fn openidconnect_registers_a_client_and_uses_it() {
    let server = Authority::make().start(Options::default());
    let http = |request| send(&server.http, request);
    let name = [(None, ClientName::new("registers itself".to_owned()))];
    let request = CoreClientRegistrationRequest::new(vec![], EmptyAdditionalClientMetadata {})
        .set_client_name(Some(name.into_iter().collect()))
        .set_token_endpoint_auth_method(Some(CoreClientAuthMethod::ClientSecretPost))
        .set_grant_types(Some(vec![CoreGrantType::ClientCredentials]))
        .set_response_types(Some(vec![]));
    let at = RegistrationUrl::new(server.at("/oauth2/register")).unwrap();

    let told = request.register_async(&at, &http).await.unwrap();

    let secret = told.client_secret().unwrap().clone();
    let made = BasicClient::new(told.client_id().clone())
        .set_auth_type(AuthType::RequestBody)
        .set_client_secret(secret)
        .set_token_uri(TokenUrl::new(server.at(MIA.token)).unwrap());
    made.exchange_client_credentials().request_async(&http).await.unwrap();
}

//! What libraries make of our refusals: their own OAuth errors, with our codes.

use serde_json::{Value, json};

use crate::ground::{BASIC, DIALECTS, IDSERVICE, POST, client, options, step, with};
use crate::scripts::Library;
use crate::support::Server;

/// A library that asks for tokens, and the classes of its errors.
struct Asker {
    library: Library,
    invalid_client: &'static str,
    invalid_scope: &'static str,
}

const fn asker(
    library: Library,
    invalid_client: &'static str,
    invalid_scope: &'static str,
) -> Asker {
    Asker { library, invalid_client, invalid_scope }
}

const ASKERS: [Asker; 6] = [
    asker(Library::Authlib, "OAuthError", "OAuthError"),
    asker(Library::RequestsOauth2client, "InvalidClient", "InvalidScope"),
    asker(Library::RequestsOauthlib, "InvalidClientError", "InvalidScopeError"),
    asker(Library::OpenidClient, "WWWAuthenticateChallengeError", "ResponseBodyError"),
    asker(Library::Oauth4webapi, "WWWAuthenticateChallengeError", "ResponseBodyError"),
    asker(Library::SimpleOauth2, "Error", "Error"),
];

/// A client with another secret than its own.
fn with_wrong_secret(client: &Value) -> Value {
    with(client.clone(), &json!({"secret": "wrong"}))
}

#[tokio::test]
async fn a_wrong_secret_is_every_librarys_own_invalid_client() {
    let server = Server::start_with(options());
    let clients = [client(&server, BASIC, json!({})).await, client(&server, POST, json!({})).await];
    for Asker { library, invalid_client, .. } in ASKERS {
        let steps: Vec<_> = DIALECTS
            .iter()
            .flat_map(|it| clients.iter().map(move |client| (it, with_wrong_secret(client))))
            .map(|(it, client)| step("token", &client, *it, &server))
            .collect();
        for (outcome, step) in library.takes(&steps).iter().zip(&steps) {
            let error = outcome.error();
            assert_eq!(error["class"], invalid_client, "{library:?}: {error} {step}");
            assert_eq!(error["code"], "invalid_client", "{library:?}: {error} {step}");
        }
    }
}

/// RFC 6749 section 5.2, RFC 9110 section 11.6.1: the challenge of a 401 can be parsed.
#[tokio::test]
async fn the_challenge_of_a_refused_secret_is_parsed() {
    let server = Server::start_with(options());
    let client = with_wrong_secret(&client(&server, BASIC, json!({})).await);
    for library in [Library::OpenidClient, Library::Oauth4webapi] {
        for dialect in DIALECTS {
            let outcomes = library.takes(&[step("token", &client, dialect, &server)]);

            let error = outcomes[0].error();
            assert_eq!(error["status"], 401, "{error}");
            let parameters = json!({"realm": "tokenwright", "charset": "UTF-8"});
            let expected = json!([{"scheme": "basic", "parameters": parameters}]);
            assert_eq!(error["challenges"], expected, "{library:?}, {}", dialect.name);
        }
    }
}

#[tokio::test]
async fn a_scope_beyond_what_is_registered_is_every_librarys_own_invalid_scope() {
    let server = Server::start_with(options());
    let client = client(&server, BASIC, json!({})).await;
    for Asker { library, invalid_scope, .. } in ASKERS {
        let steps: Vec<_> = DIALECTS
            .iter()
            .map(|it| with(step("token", &client, *it, &server), &json!({"scope": "delete"})))
            .collect();
        for outcome in library.takes(&steps) {
            let error = outcome.error();
            assert_eq!(error["class"], invalid_scope, "{library:?}: {error}");
            assert_eq!(error["code"], "invalid_scope", "{library:?}: {error}");
        }
    }
}

/// RFC 8707 section 2.
#[tokio::test]
async fn a_resource_beyond_what_is_registered_is_an_invalid_target() {
    let server = Server::start_with(options());
    let client = client(&server, BASIC, json!({})).await;
    for library in [
        Library::Authlib,
        Library::RequestsOauth2client,
        Library::OpenidClient,
        Library::Oauth4webapi,
    ] {
        let asked = json!({"resource": "https://elsewhere.example/"});
        let step = with(step("token", &client, IDSERVICE, &server), &asked);
        let outcomes = library.takes(&[step]);
        assert_eq!(outcomes[0].error()["code"], "invalid_target", "{library:?}");
    }
}

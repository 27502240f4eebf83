//! What libraries find out by themselves (RFC 8414, OpenID Connect Discovery).

use serde_json::json;

use crate::ground::{BASIC, CURITY, ES256, METHODS, MIA, STANDARD, client, options, step, with};
use crate::scripts::Library;
use crate::support::Server;

/// The name of RFC 8414 leads to the standard endpoints, and every method works at them.
#[tokio::test]
async fn libraries_of_node_find_the_endpoints_by_the_issuer() {
    let server = Server::start_with(options());
    for library in [Library::OpenidClient, Library::Oauth4webapi] {
        let mut steps = Vec::new();
        for method in METHODS {
            let client = client(&server, *method, json!({})).await;
            // Nothing but the issuer is known.
            let only = json!({"algorithm": "oauth2", "server": {"issuer": server.url}});
            steps.push(with(step("life", &client, STANDARD, &server), &only));
        }
        for (outcome, step) in library.takes(&steps).iter().zip(&steps) {
            let told = outcome.told(&format!("{library:?}: {step}"));
            assert_eq!(told["introspected"]["client_id"], step["client"]["id"], "{library:?}");
            assert_eq!(told["userinfo"]["sub"], step["client"]["id"], "{library:?}");
            assert_eq!(told["after"], json!({"active": false}), "{library:?}");
        }
    }
}

/// Below a prefix the issuer has a path, and the well-known name stands before it (RFC 8414 section
/// 3.1) or, as OpenID Connect has it, behind it.
#[tokio::test]
async fn libraries_of_node_find_the_endpoints_of_an_issuer_with_a_path() {
    let server = Server::start_with(options().with("SERVICE_PREFIX", "/auth"));
    let client = client(&server, ES256, json!({})).await;
    for library in [Library::OpenidClient, Library::Oauth4webapi] {
        // The second one leads to the vendor's endpoints, where the key has to be named.
        for (algorithm, names_key) in [("oauth2", false), ("oidc", true)] {
            let only = json!({"server": {"issuer": server.url}});
            let step = with(step("token", &client, STANDARD, &server), &only);
            let how = json!({"algorithm": algorithm, "names_key": names_key});
            let outcomes = library.takes(&[with(step, &how)]);
            outcomes[0].told(&format!("{library:?}, {algorithm}"));
        }
    }
}

/// Libraries of Python take the document by its address.
#[tokio::test]
async fn libraries_of_python_read_the_documents() {
    let server = Server::start_with(options());
    let client = client(&server, BASIC, json!({})).await;
    let curity = "/oauth/v2/oauth-anonymous/.well-known/openid-configuration";
    for (path, dialect) in [
        ("/.well-known/oauth-authorization-server", STANDARD),
        ("/.well-known/openid-configuration", MIA),
        (curity, CURITY),
    ] {
        for library in [Library::Authlib, Library::RequestsOauth2client] {
            let at = json!({"at": server.at(path)});
            let outcomes = library.takes(&[with(step("discover", &client, dialect, &server), &at)]);
            let told = outcomes[0].told(&format!("{library:?}, {path}"));
            assert_eq!(told["token_endpoint"], server.at(dialect.token), "{library:?}, {path}");
            assert_eq!(told["issuer"], server.url, "{library:?}, {path}");
        }
    }
}

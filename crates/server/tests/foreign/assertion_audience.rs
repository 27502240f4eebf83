//! Whom assertions are meant for, where nobody told the library otherwise.

use serde_json::{Value, json};

use crate::ground::{
    BASIC, DIALECTS, ES256, METHODS, Method, RS256, STANDARD, client, options, step, with,
};
use crate::scripts::Library;
use crate::support::Server;

fn by_default(client: &Value, dialect: crate::ground::Dialect, server: &Server) -> Value {
    with(step("token", client, dialect, server), &json!({"default_audience": true}))
}

/// These name the token endpoint. The refusal says what to tell them; or the operator lets one in.
#[tokio::test]
async fn t17_libraries_that_name_the_token_endpoint_are_told_what_to_name() {
    let server = Server::start_with(options());
    let strict = client(&server, RS256, json!({})).await;
    let lenient = json!({"assertion_audience": "issuer_or_token_endpoint"});
    let lenient = client(&server, ES256, lenient).await;
    for library in [Library::Authlib, Library::RequestsOauth2client] {
        for dialect in DIALECTS {
            let [strict, lenient] = [&strict, &lenient].map(|it| by_default(it, dialect, &server));
            let outcomes = library.takes(&[strict, lenient]);

            let error = outcomes[0].error();
            assert_eq!(error["code"], "invalid_client", "{library:?}: {error}");
            let expected = format!("aud of client_assertion must be exactly {}", server.url);
            assert_eq!(error["description"], expected.as_str(), "{library:?}: {error}");
            outcomes[1].told(&format!("{library:?}, {}", dialect.name));
        }
    }
}

/// These name our issuer, as RFC 7523bis wants it; nobody has to tell them.
#[tokio::test]
async fn libraries_that_name_the_issuer_get_in_as_they_are() {
    let server = Server::start_with(options());
    for method in METHODS.iter().filter(|it| !it.alg.is_empty()) {
        let client = client(&server, *method, json!({})).await;
        for library in [Library::OpenidClient, Library::Oauth4webapi] {
            let outcomes = library.takes(&[by_default(&client, STANDARD, &server)]);
            outcomes[0].told(&format!("{library:?}, {method:?}"));
        }
    }
}

/// Authlib's assertions name no key unless told, and live for an hour.
#[tokio::test]
async fn an_assertion_without_kid_is_fine_but_in_the_mia_dialect() {
    let server = Server::start_with(options());
    let methods: Vec<Method> = METHODS.iter().filter(|it| *it != &BASIC).copied().collect();
    let mut steps = Vec::new();
    for method in methods.iter().filter(|it| it.name == "private_key_jwt") {
        let client = client(&server, *method, json!({})).await;
        for dialect in DIALECTS {
            steps
                .push(with(step("token", &client, dialect, &server), &json!({"names_key": false})));
        }
    }

    for (outcome, step) in Library::Authlib.takes(&steps).iter().zip(&steps) {
        if step["server"]["token_endpoint"] == server.at("/oauth/token") {
            assert_eq!(outcome.error()["code"], "invalid_client", "{step}");
            assert_eq!(outcome.error()["description"], "client_assertion has no kid", "{step}");
        } else {
            outcome.told(&step.to_string());
        }
    }
}

//! What the RFCs demand of an authorization server and no other test shows; `docs/conformance.md` has
//! the whole table.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::jwt::GRANT;
use crate::support::{Answer, Client, Options, Server, claims, header};

fn quick() -> Options {
    Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
}

async fn post(server: &Server, path: &str, client: &Client, form: &[(&str, &str)]) -> Answer {
    let request = server.http.post(server.at(path)).form(form);
    Answer::to(request.header("authorization", client.basic())).await
}

/// RFC 6749 section 3.2: a parameter without a value counts as left out, also one that would be a
/// second way to authenticate or an audience nobody has.
#[tokio::test]
async fn a_parameter_without_a_value_counts_as_left_out() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    for name in [
        "scope",
        "audience",
        "resource",
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
        "unknown",
    ] {
        let answer = post(&server, "/oauth2/token", &client, &[GRANT, (name, "")]).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
    }
    let answer = post(&server, "/oauth2/token", &client, &[("grant_type", "")]).await;
    answer.assert_error(400, "invalid_request");
}

/// RFC 7009 section 2.1, RFC 7662 section 2.1: a hint is a hint.
#[tokio::test]
async fn a_wrong_hint_hinders_neither_introspection_nor_revocation() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    for (token_path, introspect, revoke) in [
        ("/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"),
        ("/oauth/v2/oauth-token", "/oauth/v2/oauth-introspect", "/oauth/v2/oauth-revoke"),
    ] {
        for hint in ["access_token", "refresh_token", "nonsense", ""] {
            let issued = post(&server, token_path, &client, &[GRANT]).await;
            let token = issued.text_at("/access_token");
            let form = [("token", token.as_str()), ("token_type_hint", hint)];

            let told = post(&server, introspect, &client, &form).await;
            assert_eq!(told.json()["active"], true, "{hint}: {told:?}");
            let revoked = post(&server, revoke, &client, &form).await;
            assert_eq!((revoked.status.as_u16(), revoked.text.as_str()), (200, ""), "{hint}");
            let told = post(&server, introspect, &client, &form).await;
            assert_eq!(told.json(), json!({"active": false}), "{hint}");
        }
    }
}

/// RFC 9068 section 2.2, section 2.2.3 and section 3.
#[tokio::test]
async fn a_standard_access_token_has_every_claim_of_its_profile() {
    let server = Server::start_with(quick());
    let resource = "https://orders.example/";
    let body = json!({"scope": "read write", "audience": [resource]});
    let client = server.create_client(body).await;
    for (form, audience, scope) in [
        (vec![GRANT], server.url.as_str(), None),
        (vec![GRANT, ("resource", resource)], resource, None),
        (vec![GRANT, ("scope", "write")], server.url.as_str(), Some("write")),
    ] {
        let token = post(&server, "/oauth2/token", &client, &form).await.text_at("/access_token");

        assert_eq!(header(&token)["typ"], "at+jwt");
        let said = claims(&token);
        for (name, expected) in
            [("iss", &server.url), ("sub", &client.id), ("client_id", &client.id)]
        {
            assert_eq!(said[name], expected.as_str(), "{name}: {said}");
        }
        let is_meant = said["aud"] == audience || said["aud"] == json!([audience]);
        assert!(is_meant, "{said}");
        assert_eq!(said.get("scope"), scope.map(Value::from).as_ref(), "{said}");
        let lifetime = said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap();
        assert_eq!(lifetime, 3_600);
        assert!(said["jti"].as_str().is_some_and(|it| !it.is_empty()), "{said}");
    }
}

/// RFC 9701 section 5: whom it is for, and that it can be taken for no access token.
#[tokio::test]
async fn a_signed_answer_of_introspection_is_for_the_caller_and_no_token() {
    let server = Server::start_with(quick());
    let (client, stranger) = (server.register().await, server.register().await);
    let token = server.token_of(&client).await;
    let signed = "application/token-introspection+jwt";
    for (asker, is_active) in [(&client, true), (&stranger, false)] {
        let request = server.http.post(server.at("/oauth2/introspect"));
        let request = request.header("authorization", asker.basic()).header("accept", signed);
        let answer = Answer::to(request.form(&[("token", &token)])).await;

        assert_eq!(answer.header("content-type"), signed);
        assert_eq!(header(&answer.text)["typ"], "token-introspection+jwt");
        assert_eq!(header(&answer.text)["alg"], "ES256");
        let said = claims(&answer.text);
        let names: BTreeSet<_> = said.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, BTreeSet::from(["aud", "iat", "iss", "token_introspection"]));
        assert_eq!(said["iss"], server.url);
        assert_eq!(said["aud"], asker.id);
        assert_eq!(said["token_introspection"]["active"], is_active);
        if !is_active {
            assert_eq!(said["token_introspection"], json!({"active": false}));
        }
        assert_eq!(server.tokeninfo(&answer.text).await.status, 401, "it is no token");
    }
}

/// RFC 7591 section 2 and section 3.2.1: what is not understood is ignored, and what is registered is
/// told. Answers with secrets are not stored.
#[tokio::test]
async fn a_registration_tells_what_is_registered_and_ignores_what_nobody_understands() {
    let server = Server::start_with(quick());
    let body = json!({
        "client_name": "a", "software_id": "x", "contacts": ["y@example.org"],
        "token_endpoint_auth_method": "client_secret_post", "nobody_knows": {"this": 1},
    });

    let made = server.post_json("/oauth2/register", &body).await;

    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.header("cache-control"), "no-store");
    let told = made.json();
    for name in ["client_name", "software_id", "contacts", "token_endpoint_auth_method"] {
        assert_eq!(told[name], body[name], "{name}");
    }
    assert_eq!(told["grant_types"], json!(["client_credentials"]), "{told}");
    assert!(told["client_id"].is_string() && told["client_secret"].is_string(), "{told}");
    assert_eq!(told["client_secret_expires_at"], 0, "{told}");
    assert_eq!(told.get("nobody_knows"), None, "{told}");
}

/// RFC 7591 section 2: keys by value and by reference exclude each other.
#[tokio::test]
async fn keys_are_registered_by_value_or_by_reference_and_never_both() {
    let server = Server::start_with(quick());
    let keys = json!({"keys": [crate::support::jwt::RSA.jwk("k")]});
    let body = json!({
        "client_name": "a", "token_endpoint_auth_method": "private_key_jwt", "jwks": keys,
        "jwks_uri": "https://client.example/jwks",
    });

    let refused = server.post_json("/oauth2/register", &body).await;

    refused.assert_error(400, "invalid_client_metadata");
}

/// RFC 7517 section 4: members of a key that nobody here understands are ignored.
#[tokio::test]
async fn unknown_members_of_a_key_are_ignored() {
    let server = Server::start_with(quick());
    let mut jwk = crate::support::jwt::RSA.jwk("k");
    jwk["x5t"] = json!("abc");
    jwk["tenant"] = json!({"any": ["thing"]});
    jwk["key_ops"] = json!(["verify"]);

    let made = server.register_jwk(&jwk).await;

    assert_eq!(made.status, 201, "{made:?}");
}

/// RFC 6749 section 5.2 and section 11.4: whatever a refusal repeats, its description holds only what
/// may stand in a header.
#[tokio::test]
async fn a_description_holds_only_what_may_stand_in_it() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    for odd in ["a\"b", "a\\b", "a\nb", "a\tb", "caff\u{e8}", "\u{1F511}", "\u{0}", "\u{7f}"] {
        let repeated = [GRANT, (odd, "1"), (odd, "2")];
        let answers = [
            post(&server, "/oauth2/token", &client, &repeated).await,
            Answer::to(
                server.manage("POST", "/clients").json(&json!({"client_name": "a", odd: 1})),
            )
            .await,
        ];
        for answer in answers {
            assert_eq!(answer.status, 400, "{odd:?}: {answer:?}");
            let description = answer.text_at("/error_description");
            let may_stand = |it| matches!(it, ' '..='!' | '#'..='[' | ']'..='~');
            assert!(description.chars().all(may_stand), "{odd:?}: {description:?}");
        }
    }
}

/// Where the standard documents are.
const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";
const CURITY: &str = "/oauth/v2/oauth-anonymous/.well-known/openid-configuration";

/// RFC 8414 section 3.2 and section 3.3.
#[tokio::test]
async fn the_metadata_are_a_json_object_whose_issuer_is_that_of_the_tokens() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let issuer = claims(&server.token_of(&client).await)["iss"].clone();
    for path in [OAUTH, OPENID, CURITY] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        let document = answer.json();
        assert_eq!(document["issuer"], issuer, "{path}");
        assert_eq!(document["issuer"], server.url, "{path}: what it was asked at");
        for (name, value) in document.as_object().unwrap() {
            // Section 2 demands the one that section 3.2 would leave out.
            let may_be_empty = name == "response_types_supported";
            let is_empty = value.as_array().is_some_and(Vec::is_empty);
            assert!(may_be_empty || !is_empty, "{path}: {name}");
        }
    }
}

/// RFC 8414 section 2: the methods and algorithms that are told are those that work; `none` is never
/// among them.
#[tokio::test]
async fn the_metadata_tell_the_algorithms_that_assertions_may_have() {
    for (configured, told) in [
        ("RS256", json!(["RS256"])),
        ("ES256,EdDSA", json!(["ES256", "EdDSA", "Ed25519"])),
        ("RS256,PS256,ES256", json!(["RS256", "PS256", "ES256"])),
    ] {
        let option = "TOKENWRIGHT__REGISTRATION__KEY_ALGORITHMS";
        let server = Server::start_with(quick().with(option, configured));
        let document = server.get(OAUTH).await.json();
        for endpoint in ["token", "revocation", "introspection"] {
            let methods = document[format!("{endpoint}_endpoint_auth_methods_supported")].clone();
            assert!(methods.as_array().unwrap().contains(&json!("private_key_jwt")), "{methods}");
            let name = format!("{endpoint}_endpoint_auth_signing_alg_values_supported");
            let listed = document[&name].as_array().unwrap();
            for alg in told.as_array().unwrap() {
                assert!(listed.contains(alg), "{configured}: {name}: {listed:?}");
            }
            assert!(!listed.contains(&json!("none")), "{listed:?}");
        }
    }
}

/// A feature that can be turned off: how, where its documents are, and what they must not name then.
struct Feature {
    off: (&'static str, &'static str),
    paths: &'static [&'static str],
}

const FEATURES: [Feature; 6] = [
    Feature { off: ("", ""), paths: &[] },
    Feature {
        off: ("TOKENWRIGHT__DIALECTS__STANDARD__ENABLED", "false"),
        paths: &["/oauth2/token", "/oauth2/introspect", "/oauth2/userinfo", "/oauth2/register"],
    },
    Feature {
        off: ("TOKENWRIGHT__DIALECTS__MIA__ENABLED", "false"),
        paths: &["/oauth/token", "/register", "/tokeninfo"],
    },
    Feature {
        off: ("TOKENWRIGHT__DIALECTS__CURITY__ENABLED", "false"),
        paths: &["/oauth/v2/oauth-token", "/oauth/v2/oauth-introspect", CURITY],
    },
    Feature {
        off: ("TOKENWRIGHT__DIALECTS__IDSERVICE__ENABLED", "false"),
        paths: &["/openid/token", "/openid/introspect", "/openid/userinfo"],
    },
    Feature { off: ("TOKENWRIGHT__REGISTRATION__MODE", "off"), paths: &[] },
];

/// RFC 8414 section 2: what the metadata name is there, whatever is turned off, and what is turned off
/// they do not name.
#[tokio::test]
async fn the_metadata_name_what_is_on_and_nothing_else() {
    for Feature { off: (name, value), paths } in FEATURES {
        let options = if name.is_empty() { quick() } else { quick().with(name, value) };
        let server = Server::start_with(options);
        for path in paths {
            let gone = Answer::to(server.http.post(server.at(path))).await;
            gone.assert_error(404, "not_found");
        }
        for document in [OAUTH, OPENID, CURITY] {
            let answer = server.get(document).await;
            if answer.status == 404 {
                assert!(paths.contains(&document), "{name}: {document}");
                continue;
            }
            let document = answer.json();
            for (member, at) in document.as_object().unwrap() {
                let is_address = member.ends_with("_endpoint") || member == "jwks_uri";
                let Some(at) = at.as_str().filter(|_| is_address) else { continue };
                let path = at.strip_prefix(&server.url).unwrap();
                assert!(!paths.contains(&path), "{name}: {member} is turned off");
                // It is there: whatever it says to nobody's request, it is not 404.
                let answer = Answer::to(server.http.post(at)).await;
                assert_ne!(answer.status, 404, "{name}: {member} is not there");
            }
            if value == "off" {
                assert_eq!(document.get("registration_endpoint"), None, "{document}");
            }
        }
    }
}

/// What an operator turns on shows: algorithms that tokens are signed with.
#[tokio::test]
async fn the_metadata_tell_the_algorithms_of_tokens_and_signed_answers() {
    let option = "TOKENWRIGHT__TOKENS__ADDITIONAL_ALGORITHMS";
    for (options, told) in [
        (quick(), json!(["ES256"])),
        (quick().with(option, "RS256,EdDSA"), json!(["ES256", "RS256", "EdDSA"])),
    ] {
        let server = Server::start_with(options);
        let document = server.get(OAUTH).await.json();
        assert_eq!(document["introspection_signing_alg_values_supported"], told);
        let published = server.get("/.well-known/jwks.json").await.json();
        let published: BTreeSet<_> =
            published["keys"].as_array().unwrap().iter().map(|it| it["alg"].to_string()).collect();
        let told: BTreeSet<_> = told.as_array().unwrap().iter().map(Value::to_string).collect();
        assert_eq!(published, told);
    }
}

/// RFC 6749 section 5.2: 401 and a challenge for whatever was tried in the `Authorization` header.
#[tokio::test]
async fn whoever_tries_the_authorization_header_is_challenged() {
    let server = Server::start_with(quick());
    for header in ["Basic !!!", "Bearer abc", "Digest username=\"x\"", "Basic bm9ib2R5Ong="] {
        for path in ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"] {
            let request = server.http.post(server.at(path)).header("authorization", header);
            let answer = Answer::to(request.form(&[GRANT, ("token", "x")])).await;
            answer.assert_error(401, "invalid_client");
            assert!(answer.header("www-authenticate").starts_with("Basic realm="), "{answer:?}");
        }
    }
}

/// RFC 6749 section 4.4.3 and section 5.1: what a successful answer holds, and what it never does.
#[tokio::test]
async fn a_token_comes_without_a_refresh_token_and_is_not_stored() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    for path in ["/oauth2/token", "/oauth/token", "/oauth/v2/oauth-token", "/openid/token"] {
        let answer = post(&server, path, &client, &[GRANT]).await;
        let body = answer.json();
        assert!(body["access_token"].is_string() && body["expires_in"].is_u64(), "{body}");
        assert_eq!(body["token_type"].as_str().unwrap().to_lowercase(), "bearer", "{body}");
        assert_eq!(body.get("refresh_token"), None, "{body}");
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        let headers = (answer.header("cache-control"), answer.header("pragma"));
        assert_eq!(headers, ("no-store", "no-cache"), "{path}");
    }
}

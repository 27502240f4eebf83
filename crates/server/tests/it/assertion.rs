//! Client authentication with a signed assertion: who must pass, and what is refused how.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::jwt::{GRANT, JWT_BEARER, KeyClient, OTHER_RSA, Pair, RSA, fresh, now};
use crate::support::{Answer, Options, Server, claims};

const ALL_ALGORITHMS: (&str, &str) =
    ("TOKENWRIGHT__REGISTRATION__KEY_ALGORITHMS", "RS256,PS256,ES256,EdDSA");

fn quick() -> Options {
    Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
}

fn quick_with_all() -> Options {
    quick().with(ALL_ALGORITHMS.0, ALL_ALGORITHMS.1)
}

fn token_claims(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    claims(&answer.text_at("/access_token"))
}

#[tokio::test]
async fn real_clients_pass() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;
    let now = now();

    for (what, change) in [
        ("an hour, aud as a text", json!({"iat": now - 10, "exp": now - 10 + 3_600})),
        ("5 minutes, aud as an array", json!({"exp": now + 300, "aud": [server.url]})),
        ("issued just now", json!({"iat": now, "exp": now + 60})),
        ("with nbf as openid-client", json!({"iat": now, "nbf": now, "exp": now + 60})),
        ("with a jti that is no UUID", json!({"jti": format!("_{}-é", fresh())})),
        ("with no audience asked", json!({"requested_audiences": []})),
    ] {
        let answer = client.send(&server, &client.changed(&change)).await;

        let said = token_claims(&answer);
        assert_eq!(said["sub"], client.id, "{what}");
        assert!(said.get("aud").is_none(), "{what}");
    }
}

#[tokio::test]
async fn the_vendors_own_parameter_is_tolerated_and_the_client_id_may_lack() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;
    let vendors = ("token_endpoint_auth_method", "private_key_jwt");

    let with_both = client.send_with(&server, &client.assertion(), &[vendors]).await;
    let assertion = client.assertion();
    let without_id = [GRANT, JWT_BEARER, ("client_assertion", assertion.as_str())];
    let without_id = server.token("", &without_id).await;

    assert_eq!(token_claims(&with_both)["sub"], client.id);
    assert_eq!(token_claims(&without_id)["sub"], client.id);
}

#[tokio::test]
async fn typ_may_lack_or_say_jwt_in_any_case() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;

    for typ in ["JWT", "jwt", "application/jwt", "client-authentication+jwt"] {
        let header = client.header_with(&json!({"typ": typ})).to_string();
        let assertion = client.pair.jws(&header, &client.claims().to_string());
        assert_eq!(client.send(&server, &assertion).await.status, 200, "{typ}");
    }
    let header = json!({"alg": "RS256", "kid": KeyClient::KID}).to_string();
    let assertion = client.pair.jws(&header, &client.claims().to_string());
    assert_eq!(client.send(&server, &assertion).await.status, 200);
}

#[tokio::test]
async fn keys_of_every_kind_authenticate() {
    let server = Server::start_with(quick_with_all());

    for pair in Pair::of_each_kind() {
        let client = server.key_client(&pair).await;
        for _ in 0..3 {
            let answer = client.send(&server, &client.assertion()).await;
            assert_eq!(answer.status, 200, "{}: {answer:?}", pair.algorithm);
        }
    }
}

#[tokio::test]
async fn only_rs256_keys_are_taken_unless_the_operator_says_more() {
    let server = Server::start_with(quick());

    for pair in Pair::of_each_kind() {
        let answer = server.register_jwk(&pair.jwk("k")).await;

        if pair.algorithm == "RS256" {
            assert_eq!(answer.status, 201, "{answer:?}");
        } else {
            answer.assert_error(400, "invalid_client_metadata");
        }
    }
}

#[tokio::test]
async fn the_vendors_misspelt_alg_and_an_absent_one_mean_rs256() {
    let server = Server::start_with(quick());

    for alg in [json!("RSA256"), json!("RS256"), Value::Null] {
        let mut jwk = RSA.jwk(KeyClient::KID);
        jwk["alg"] = alg.clone();
        if alg.is_null() {
            jwk.as_object_mut().unwrap().remove("alg");
        }
        let made = server.register_jwk(&jwk).await;

        assert_eq!(made.status, 201, "{alg}: {made:?}");
        let id = made.text_at("/client_id");
        let client = KeyClient { id, pair: RSA.clone(), issuer: server.url.clone() };
        client.assert_welcome(&server).await;
        let shown = Answer::to(server.manage("GET", &format!("/clients/{}", client.id))).await;
        assert!(shown.text.contains(r#""alg":"RS256""#), "{shown:?}");
        assert!(!shown.text.contains("RSA256"), "{shown:?}");
        // The misspelt name is for registrations, not for headers.
        let header = client.header_with(&json!({"alg": "RSA256"})).to_string();
        let misspelt = RSA.jws(&header, &client.claims().to_string());
        client.assert_refused(&server, &misspelt, "RSA256 in the header").await;
    }
}

#[tokio::test]
async fn one_of_several_keys_is_found_by_its_kid() {
    let server = Server::start_with(quick_with_all());
    let pairs = Pair::of_each_kind();
    let keys: Vec<_> = pairs.iter().map(|it| it.jwk(&format!("kid of {}", it.algorithm))).collect();
    let body = json!({
        "client_name": "several",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": keys},
    });
    let made = server.post_json("/register", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.text_at("/client_id");

    for (index, pair) in pairs.iter().enumerate() {
        let client = KeyClient { id: id.clone(), pair: pair.clone(), issuer: server.url.clone() };
        let right = pair.jwt(&format!("kid of {}", pair.algorithm), &client.claims());
        assert_eq!(client.send(&server, &right).await.status, 200, "{}", pair.algorithm);
        let other = &pairs[(index + 1) % pairs.len()];
        let wrong = pair.jwt(&format!("kid of {}", other.algorithm), &client.claims());
        client.assert_refused(&server, &wrong, pair.algorithm).await;
    }
}

#[tokio::test]
async fn requested_audiences_and_the_audience_of_the_form_both_count() {
    let server = Server::start_with(quick());
    let client =
        server.create_key_client(&RSA, json!({"audience": ["orders", "stock", "more"]})).await;

    for (asked, form, expected) in [
        (json!(["orders"]), vec![], json!(["orders"])),
        (json!(["orders", "stock"]), vec![], json!(["orders", "stock"])),
        (json!(["orders", "orders"]), vec![], json!(["orders"])),
        (json!([]), vec![("audience", "stock")], json!(["stock"])),
        (json!(["orders"]), vec![("audience", "stock")], json!(["stock", "orders"])),
    ] {
        let assertion = client.changed(&json!({"requested_audiences": asked}));
        let answer = client.send_with(&server, &assertion, &form).await;

        assert_eq!(token_claims(&answer)["aud"], expected, "{asked} {form:?}");
    }
    for (asked, form) in
        [(json!(["orders", "x"]), vec![]), (json!(["orders"]), vec![("audience", "x")])]
    {
        let assertion = client.changed(&json!({"requested_audiences": asked}));
        let answer = client.send_with(&server, &assertion, &form).await;
        answer.assert_error(400, "invalid_target");
    }
}

#[tokio::test]
async fn an_audience_is_required_of_assertions_too() {
    let server = Server::start_with(quick().with("REQUIRED_AUDIENCE_IN_TOKEN_REQUEST", "true"));
    let client = server.create_key_client(&RSA, json!({"audience": ["orders"]})).await;

    for assertion in [client.assertion(), client.changed(&json!({"requested_audiences": []}))] {
        client.send(&server, &assertion).await.assert_error(400, "invalid_request");
    }
    let named = client.changed(&json!({"requested_audiences": ["orders"]}));
    assert_eq!(client.send(&server, &named).await.status, 200);
    let in_the_form = [("audience", "orders")];
    let answer = client.send_with(&server, &client.assertion(), &in_the_form).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn custom_claims_are_copied_where_the_client_may_set_them() {
    let server = Server::start_with(quick());
    let allowed = json!({"allowedCustomClaims": ["tenant", "https://claims.example/x"]});
    let client = server.create_key_client(&RSA, allowed).await;
    let nobody = server.key_client(&RSA).await;
    let tenant = json!({"name": "a", "of": [1, null, {"b": true}]});

    let change = json!({"tenant": tenant, "https://claims.example/x": "y"});
    let said = token_claims(&client.send(&server, &client.changed(&change)).await);

    assert_eq!(said["tenant"], tenant);
    assert_eq!(said["https://claims.example/x"], "y");
    for change in [
        json!({"role": "admin"}),
        json!({"tenant": "a", "role": "admin"}),
        json!({"Tenant": "a"}),
        json!({"": "a"}),
    ] {
        client.assert_refused(&server, &client.changed(&change), &change.to_string()).await;
    }
    nobody.assert_refused(&server, &nobody.changed(&json!({"tenant": "a"})), "not allowed").await;
}

#[tokio::test]
async fn t36_reserved_claims_are_never_the_clients_to_set() {
    let server = Server::start_with(quick());
    let client = server.create_key_client(&RSA, json!({"allowedCustomClaims": ["a"]})).await;

    for name in ["permissions", "scope", "client_id", "cnf", "act"] {
        let assertion = client.changed(&json!({name: ["admin"]}));
        client.assert_refused(&server, &assertion, name).await;
    }
    for name in "iss sub aud exp nbf iat jti permissions scope client_id cnf act".split(' ') {
        let body = json!({"client_name": "greedy", "allowedCustomClaims": [name]});
        server.create(&body).await.assert_error(400, "invalid_client_metadata");
    }
}

#[tokio::test]
async fn every_refused_assertion_of_a_known_client_is_403() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;
    let claims = client.claims();
    let sign = |header: Value| RSA.jws(&header.to_string(), &claims.to_string());

    for (what, assertion) in [
        ("no kid", sign(json!({"alg": "RS256", "typ": "JWT"}))),
        ("an unknown kid", sign(client.header_with(&json!({"kid": "other"})))),
        ("the kid in other case", sign(client.header_with(&json!({"kid": "The-Key"})))),
        ("an empty kid", sign(client.header_with(&json!({"kid": ""})))),
        ("another key", OTHER_RSA.jwt(KeyClient::KID, &claims)),
        ("not a JWT", "nonsense".to_owned()),
        ("another typ", sign(client.header_with(&json!({"typ": "at+jwt"})))),
        ("another issuer", client.changed(&json!({"iss": "other"}))),
        ("another subject", client.changed(&json!({"sub": "other"}))),
        ("another audience", client.changed(&json!({"aud": "https://other.example"}))),
        ("expired", client.changed(&json!({"iat": now() - 100, "exp": now() - 5}))),
        ("expired at this second", client.changed(&json!({"exp": now()}))),
        ("issued in the future", client.changed(&json!({"iat": now() + 30}))),
        ("not valid yet", client.changed(&json!({"nbf": now() + 30}))),
        ("over before it began", client.changed(&json!({"iat": now(), "exp": now() - 1}))),
        ("audiences as a text", client.changed(&json!({"requested_audiences": "a"}))),
        ("audiences as null", client.changed(&json!({"requested_audiences": null}))),
        ("audiences of numbers", client.changed(&json!({"requested_audiences": [1]}))),
        ("an empty jti", client.changed(&json!({"jti": ""}))),
        ("a long jti", client.changed(&json!({"jti": "j".repeat(300)}))),
    ] {
        client.assert_refused(&server, &assertion, what).await;
    }
    for name in ["iss", "sub", "aud", "jti", "iat", "exp"] {
        let mut claims = client.claims();
        claims.as_object_mut().unwrap().remove(name);
        client.assert_refused(&server, &client.signed(&claims), name).await;
    }
    client.assert_welcome(&server).await;
}

#[tokio::test]
async fn an_assertion_of_nobody_we_know_to_use_keys_is_401() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;
    let with_secret = server.register().await;
    let draft = server.create_key_client(&RSA, json!({"__STATE__": "DRAFT"})).await;
    let disabled = server.key_client(&RSA).await;
    assert_eq!(client.send(&server, &client.assertion()).await.status, 200);
    let path = format!("/clients/{}/disable", disabled.id);
    assert_eq!(Answer::to(server.manage("POST", &path)).await.status, 200);
    let as_client = |id: &str| KeyClient { id: id.to_owned(), ..client.clone() };

    for stranger in [as_client("nobody"), as_client(&with_secret.id), draft, disabled] {
        let by_id = stranger.send(&server, &stranger.assertion()).await;
        by_id.assert_error(401, "invalid_client");
        let assertion = stranger.assertion();
        let form = [GRANT, JWT_BEARER, ("client_assertion", assertion.as_str())];
        server.token("", &form).await.assert_error(401, "invalid_client");
    }
    for assertion in ["nonsense", "a.b.c", &client.signed(&json!({"iss": client.id}))] {
        let form = [GRANT, JWT_BEARER, ("client_assertion", assertion)];
        server.token("", &form).await.assert_error(401, "invalid_client");
    }
    let assertion = client.assertion();
    let form =
        [GRANT, JWT_BEARER, ("client_assertion", assertion.as_str()), ("client_id", "no body")];
    server.token("", &form).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn a_client_id_that_contradicts_the_assertion_is_refused() {
    let server = Server::start_with(quick());
    let (client, other) = (server.key_client(&RSA).await, server.key_client(&RSA).await);

    // Both have the same key, and the signature verifies.
    other.assert_refused(&server, &client.assertion(), "the other's assertion").await;
}

#[tokio::test]
async fn an_assertion_without_its_type_is_400() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;
    let (id, assertion) = (client.id.as_str(), client.assertion());
    let signed = ("client_assertion", assertion.as_str());
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";

    for kind in [None, Some(""), Some(saml), Some("jwt-bearer")] {
        let mut form = vec![GRANT, ("client_id", id), signed];
        form.extend(kind.map(|kind| ("client_assertion_type", kind)));
        let answer = server.token("", &form).await;
        answer.assert_error(400, "invalid_request");
    }
    let form = [GRANT, ("client_id", id), JWT_BEARER];
    server.token("", &form).await.assert_error(400, "invalid_request");
    let form = [GRANT, ("client_id", id), JWT_BEARER, ("client_assertion", "")];
    server.token("", &form).await.assert_error(400, "invalid_request");
    assert_eq!(client.send(&server, &assertion).await.status, 200);
}

#[tokio::test]
async fn the_clock_skew_widens_iat_nbf_and_exp_and_nothing_more() {
    let strict = Server::start_with(quick());
    let lenient = Server::start_with(quick().with("CLOCK_SKEW_SECONDS", "60"));
    let strict_client = strict.key_client(&RSA).await;
    let lenient_client = lenient.key_client(&RSA).await;

    for change in [
        json!({"iat": now() + 40}),
        json!({"nbf": now() + 40}),
        json!({"iat": now() - 100, "exp": now() - 40}),
    ] {
        let assertion = strict_client.changed(&change);
        strict_client.assert_refused(&strict, &assertion, &change.to_string()).await;
        let answer = lenient_client.send(&lenient, &lenient_client.changed(&change)).await;
        assert_eq!(answer.status, 200, "{change}: {answer:?}");
    }
    for change in [
        json!({"iat": now() + 90}),
        json!({"nbf": now() + 90}),
        json!({"iat": now() - 100, "exp": now() - 61}),
    ] {
        let assertion = lenient_client.changed(&change);
        lenient_client.assert_refused(&lenient, &assertion, &change.to_string()).await;
    }
}

#[tokio::test]
async fn an_assertion_is_burned_for_as_long_as_the_skew_lets_it_live() {
    let server = Server::start_with(quick().with("CLOCK_SKEW_SECONDS", "60"));
    let client = server.key_client(&RSA).await;
    let over = client.changed(&json!({"iat": now() - 100, "exp": now() - 5}));

    assert_eq!(client.send(&server, &over).await.status, 200);
    client.assert_refused(&server, &over, "again").await;
}

#[tokio::test]
async fn t18_an_assertion_is_good_once() {
    let server = Server::start_with(quick());
    let (client, other) = (server.key_client(&RSA).await, server.key_client(&RSA).await);
    let jti = json!({"jti": "the same for all"});
    let assertion = client.changed(&jti);

    assert_eq!(client.send(&server, &assertion).await.status, 200);

    client.assert_refused(&server, &assertion, "again").await;
    client.assert_refused(&server, &client.changed(&jti), "another with the same jti").await;
    let later = client.changed(&json!({"jti": "the same for all", "exp": now() + 3_600}));
    client.assert_refused(&server, &later, "the same jti, living longer").await;
    // The memory is each client's own: nobody can burn what another will use.
    assert_eq!(other.send(&server, &other.changed(&jti)).await.status, 200);
    let revoked = Answer::to(server.http.post(server.at("/oauth2/revoke")).form(&[
        JWT_BEARER,
        ("client_assertion", &assertion),
        ("token", "x"),
    ]));
    revoked.await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn t18_of_many_at_once_one_gets_through() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;

    for _ in 0..5 {
        let assertion = client.assertion();
        let sent = (0..20).map(|_| client.send(&server, &assertion));
        let answers = futures_util::future::join_all(sent).await;

        let welcome = answers.iter().filter(|it| it.status == 200).count();
        let refused = answers.iter().filter(|it| it.status == 403).count();
        assert_eq!((welcome, refused), (1, 19), "{answers:?}");
    }
}

#[tokio::test]
async fn t18_a_refused_assertion_burns_nothing() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;
    let jti = fresh();
    let with = |change: Value| {
        let mut claims = client.claims_with(&change);
        claims["jti"] = json!(jti);
        claims
    };

    for claims in [
        with(json!({"exp": now() - 1})),
        with(json!({"aud": "other"})),
        with(json!({"iat": now() + 100})),
        with(json!({"exp": now() + 1_000_000})),
        with(json!({"permissions": []})),
        with(json!({"requested_audiences": 1})),
    ] {
        client.assert_refused(&server, &client.signed(&claims), &claims.to_string()).await;
    }
    let forged = OTHER_RSA.jwt(KeyClient::KID, &with(json!({})));
    client.assert_refused(&server, &forged, "forged").await;

    let answer = client.send(&server, &client.signed(&with(json!({})))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn t18_a_restart_forgets_no_assertion() {
    let directory = TempDir::new().unwrap();
    let options = quick().with("MIA_JWT_ISSUER", "the-issuer").in_directory(directory.path());
    let server = Server::start_with(options.clone());
    let mut client = server.key_client(&RSA).await;
    "the-issuer".clone_into(&mut client.issuer);
    let used = client.assertion();
    assert_eq!(client.send(&server, &used).await.status, 200);
    // Killed, not stopped.
    drop(server);

    let server = Server::start_with(options);

    client.assert_refused(&server, &used, "after the restart").await;
    client.assert_welcome(&server).await;
}

//! Attacks on what is signed: each assertion is truly signed or truly forged.

use std::net::TcpListener;

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::EcGroup;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::rsa::Padding;
use serde_json::{Value, json};

use crate::support::jwt::{
    GRANT, JWT_BEARER, KeyClient, OTHER_RSA, Pair, RSA, b64, fresh, hmac, jws_with, now,
};
use crate::support::{Options, Server, claims, header};

fn quick() -> Options {
    Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
}

fn quick_with_all() -> Options {
    quick().with("TOKENWRIGHT__REGISTRATION__KEY_ALGORITHMS", "RS256,ES256,EdDSA,PS256")
}

/// Each way to write the public half of a key, as a confused verifier may hold it.
fn public_forms(pair: &Pair) -> Vec<Vec<u8>> {
    let pem = pair.key.public_key_to_pem().unwrap();
    let jwk = pair.jwk(KeyClient::KID);
    let mut forms = vec![
        pem.trim_ascii_end().to_vec(),
        pem,
        pair.key.public_key_to_der().unwrap(),
        jwk.to_string().into_bytes(),
        jwk["n"].as_str().unwrap_or_default().as_bytes().to_vec(),
        b"a".to_vec(),
    ];
    if let Ok(rsa) = pair.key.rsa() {
        let pem = rsa.public_key_to_pem_pkcs1().unwrap();
        forms.push(pem.trim_ascii_end().to_vec());
        forms.push(pem);
        forms.push(rsa.public_key_to_der_pkcs1().unwrap());
    }
    forms.retain(|form| !form.is_empty());
    forms
}

#[tokio::test]
async fn t01_alg_none_and_an_empty_signature_are_refused() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;
    let claims = client.claims().to_string();

    for alg in [r#""none""#, r#""None""#, r#""NONE""#, r#""nOnE""#, r#""""#, "null", "0", "[]"] {
        let head = format!(r#"{{"alg":{alg},"kid":"{}","typ":"JWT"}}"#, KeyClient::KID);
        let unsigned = jws_with(&head, &claims, |_| Vec::new());
        client.assert_refused(&server, &unsigned, alg).await;
        let two_parts = unsigned.trim_end_matches('.');
        client.assert_refused(&server, two_parts, alg).await;
        let signed = RSA.jws(&head, &claims);
        client.assert_refused(&server, &signed, alg).await;
    }
    let head = json!({"kid": KeyClient::KID}).to_string();
    client.assert_refused(&server, &RSA.jws(&head, &claims), "no alg").await;
    let head = client.header().to_string();
    let empty = jws_with(&head, &claims, |_| Vec::new());
    client.assert_refused(&server, &empty, "an empty signature").await;
    let zero = jws_with(&head, &claims, |_| vec![0; 256]);
    client.assert_refused(&server, &zero, "a signature of zeros").await;
    client.assert_welcome(&server).await;
}

#[tokio::test]
async fn t02_a_public_key_is_no_hmac_secret() {
    let server = Server::start_with(quick_with_all());
    let digests = [
        ("HS256", MessageDigest::sha256()),
        ("HS384", MessageDigest::sha384()),
        ("HS512", MessageDigest::sha512()),
    ];

    for pair in [RSA.clone(), Pair::p256(), Pair::ed25519()] {
        let client = server.key_client(&pair).await;
        for secret in public_forms(&pair) {
            for (alg, digest) in digests {
                for alg in [alg, pair.algorithm] {
                    let head = client.header_with(&json!({"alg": alg})).to_string();
                    let forged = jws_with(head, client.claims().to_string(), |input| {
                        hmac(digest, &secret, input)
                    });
                    client.assert_refused(&server, &forged, alg).await;
                }
            }
        }
        client.assert_welcome(&server).await;
    }
}

#[tokio::test]
async fn t02_a_published_key_of_ours_is_no_hmac_secret_either() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("key.pem");
    std::fs::write(&path, RSA.pem()).unwrap();
    let server = Server::start_with(
        Options::default()
            .with("PRIVATE_RSA_KEY_FILE_PATH", path.to_str().unwrap())
            .with("PRIVATE_RSA_KEY_ID", "ours"),
    );
    let claims = json!({"iss": server.url, "sub": "a", "exp": now() + 60}).to_string();

    for secret in public_forms(&RSA) {
        for alg in ["HS256", "RS256"] {
            let head = json!({"alg": alg, "kid": "ours"}).to_string();
            let forged =
                jws_with(head, &claims, |input| hmac(MessageDigest::sha256(), &secret, input));
            server.tokeninfo(&forged).await.assert_error(401, "invalid_token");
        }
    }
}

#[tokio::test]
async fn t03_the_alg_is_that_of_the_registered_key() {
    let server = Server::start_with(quick_with_all());
    let client = server.key_client(&RSA).await;
    let claims = client.claims().to_string();
    let head = |alg: &str| client.header_with(&json!({"alg": alg})).to_string();

    for (what, assertion) in [
        ("PS256 with a key for RS256", RSA.pss().jws(&head("PS256"), &claims)),
        ("PS256 that says RS256", RSA.pss().jws(&head("RS256"), &claims)),
        ("RS256 that says PS256", RSA.jws(&head("PS256"), &claims)),
        ("RS256 that says ES256", RSA.jws(&head("ES256"), &claims)),
        ("RS256 that says rs256", RSA.jws(&head("rs256"), &claims)),
        (
            "RS512",
            jws_with(head("RS512"), &claims, |input| {
                RSA.rsa_signature(input, MessageDigest::sha512(), Padding::PKCS1)
            }),
        ),
        (
            "RS512 that says RS256",
            jws_with(head("RS256"), &claims, |input| {
                RSA.rsa_signature(input, MessageDigest::sha512(), Padding::PKCS1)
            }),
        ),
        (
            "RS1 that says RS256",
            jws_with(head("RS256"), &claims, |input| {
                RSA.rsa_signature(input, MessageDigest::sha1(), Padding::PKCS1)
            }),
        ),
    ] {
        client.assert_refused(&server, &assertion, what).await;
    }
    let pss = server.key_client(&RSA.pss()).await;
    let header = json!({"alg": "RS256", "kid": KeyClient::KID}).to_string();
    let other = RSA.jws(&header, &pss.claims().to_string());
    pss.assert_refused(&server, &other, "RS256 with a key for PS256").await;
    for client in [client, pss] {
        client.assert_welcome(&server).await;
    }
}

#[tokio::test]
async fn t03_the_curve_fits_the_alg_or_the_key_is_not_registered() {
    let server = Server::start_with(quick_with_all());
    let ec = Pair::p256().jwk("k");
    let ed = Pair::ed25519().jwk("k");
    let with = |jwk: &Value, change: Value| {
        let mut jwk = jwk.clone();
        for (name, value) in change.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk
    };

    for jwk in [
        with(&ec, json!({"alg": "RS256"})),
        with(&ec, json!({"alg": "ES384"})),
        with(&ec, json!({"alg": "EdDSA"})),
        with(&ec, json!({"crv": "P-384"})),
        with(&ec, json!({"crv": "P-521"})),
        with(&ec, json!({"crv": "secp256k1"})),
        with(&ec, json!({"crv": "Ed25519"})),
        with(&ec, json!({"kty": "OKP"})),
        with(&ec, json!({"kty": "RSA"})),
        with(&ed, json!({"alg": "ES256"})),
        with(&ed, json!({"crv": "X25519"})),
        with(&ed, json!({"crv": "Ed448"})),
        with(&ed, json!({"kty": "EC"})),
        with(&RSA.jwk("k"), json!({"alg": "ES256"})),
        with(&RSA.jwk("k"), json!({"alg": "HS256"})),
        with(&RSA.jwk("k"), json!({"alg": "RSA-OAEP"})),
        with(&RSA.jwk("k"), json!({"kty": "oct"})),
        json!({"kty": "oct", "kid": "k", "alg": "HS256", "k": b64("secret")}),
    ] {
        let answer = server.register_jwk(&jwk).await;
        assert_eq!(answer.outcome(), "400 invalid_client_metadata", "{jwk}");
    }
    let pair = Pair::p256();
    let client = server.key_client(&pair).await;
    let head = client.header_with(&json!({"alg": "ES384"})).to_string();
    let forged = pair.jws(&head, &client.claims().to_string());
    client.assert_refused(&server, &forged, "ES384").await;
}

#[tokio::test]
async fn t04_a_key_in_the_header_is_never_trusted() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;
    let claims = client.claims().to_string();
    let attackers = OTHER_RSA.jwk(KeyClient::KID);

    for change in [
        json!({"jwk": attackers}),
        json!({"jwk": attackers, "kid": "other"}),
        json!({"jwks": {"keys": [attackers]}}),
        json!({"jwk": RSA.jwk(KeyClient::KID)}),
    ] {
        let head = client.header_with(&change).to_string();
        let forged = OTHER_RSA.jws(&head, &claims);
        client.assert_refused(&server, &forged, &head).await;
    }
    let head = json!({"alg": "RS256", "jwk": attackers}).to_string();
    client.assert_refused(&server, &OTHER_RSA.jws(&head, &claims), "no kid").await;
    // It is not even looked at.
    let head = client.header_with(&json!({"jwk": attackers})).to_string();
    assert_eq!(client.send(&server, &RSA.jws(&head, &claims)).await.status, 200);
}

#[tokio::test]
async fn t05_no_address_in_the_header_is_followed_and_no_certificate_believed() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("http://{}/keys", listener.local_addr().unwrap());
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.self_signed(&pair).unwrap();
    let x5c = {
        use base64::Engine as _;
        base64::prelude::BASE64_STANDARD.encode(certificate.der())
    };
    let claims = client.claims();

    for change in [
        json!({"jku": address}),
        json!({"x5u": address}),
        json!({"x5c": [x5c]}),
        json!({"x5t": "AA", "x5t#S256": "AA"}),
        json!({"jku": address, "x5u": address, "x5c": [x5c], "kid": address}),
    ] {
        let head = client.header_with(&change).to_string();
        let forged = OTHER_RSA.jws(&head, &claims.to_string());
        client.assert_refused(&server, &forged, &head).await;
        let bearer = OTHER_RSA.jws(
            &json!({"alg": "RS256", "kid": "x", "jku": address, "x5u": address}).to_string(),
            &json!({"iss": server.url, "sub": client.id, "exp": now() + 60}).to_string(),
        );
        server.tokeninfo(&bearer).await.assert_error(401, "invalid_token");
    }
    let head = client.header_with(&json!({"jku": address, "x5u": address, "x5c": [x5c]}));
    let signed = RSA.jws(&head.to_string(), &claims.to_string());
    assert_eq!(client.send(&server, &signed).await.status, 200);
    assert!(listener.accept().is_err(), "somebody came for the keys");
}

#[tokio::test]
async fn t06_no_kid_is_a_path_a_query_or_a_way_to_make_work() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;
    let claims = client.claims().to_string();

    for kid in [
        json!("../../../../../../dev/null"),
        json!("/etc/passwd"),
        json!("' or '1'='1"),
        json!("the-key' --"),
        json!("the-key\0"),
        json!("the-key\n"),
        json!(" the-key"),
        json!("http://127.0.0.1/keys"),
        json!("k".repeat(10_240)),
        json!("ключ"),
        json!(["the-key"]),
        json!({"the-key": "the-key"}),
        json!(0),
        json!(null),
        json!(true),
    ] {
        let head = client.header_with(&json!({"kid": kid})).to_string();
        client.assert_refused(&server, &RSA.jws(&head, &claims), &head).await;
        let empty_secret =
            jws_with(&head, &claims, |input| hmac(MessageDigest::sha256(), b"\0", input));
        client.assert_refused(&server, &empty_secret, &head).await;
    }
    for _ in 0..200 {
        let head = client.header_with(&json!({"kid": fresh()})).to_string();
        client.assert_refused(&server, &RSA.jws(&head, &claims), "one of a flood").await;
    }
    client.assert_welcome(&server).await;
}

#[tokio::test]
async fn t07_what_must_be_understood_and_is_not_is_refused() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;
    let claims = client.claims().to_string();

    for change in [
        json!({"crit": ["exp"]}),
        json!({"crit": ["bork"], "bork": true}),
        json!({"crit": ["alg"]}),
        json!({"crit": ["kid"]}),
        json!({"crit": []}),
        json!({"crit": ["b64", "b64"], "b64": true}),
        json!({"crit": "b64"}),
        json!({"crit": null}),
        json!({"crit": {}}),
        json!({"crit": [""]}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"b64": false}),
        json!({"b64": true}),
    ] {
        let head = client.header_with(&change).to_string();
        client.assert_refused(&server, &RSA.jws(&head, &claims), &head).await;
    }
    // RFC 7797: the payload as it is, signed as it is.
    let head = b64(client.header_with(&json!({"crit": ["b64"], "b64": false})).to_string());
    let input = format!("{head}.{claims}");
    let unencoded = format!("{input}.{}", b64(RSA.sign(input.as_bytes())));
    client.assert_refused(&server, &unencoded, "an unencoded payload").await;
    client.assert_welcome(&server).await;
}

#[tokio::test]
async fn t08_claims_of_a_wrong_type_are_refused_never_skipped() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;
    let (past, future) = (now() - 10, now() + 300);
    let head = client.header().to_string();

    for name in ["exp", "iat", "nbf"] {
        let value = if name == "exp" { future } else { past };
        for raw in [
            format!("\"{value}\""),
            format!("{value}.0"),
            format!("{value}.5"),
            format!("{value}e0"),
            format!("{}E-1", value * 10),
            format!("[{value}]"),
            format!("{{\"v\":{value}}}"),
            format!("-{value}"),
            "1e308".to_owned(),
            "1e999".to_owned(),
            "-1".to_owned(),
            "-1e308".to_owned(),
            "9223372036854775808".to_owned(),
            "18446744073709551615".to_owned(),
            "18446744073709551616".to_owned(),
            "99999999999999999999999999999999999999".to_owned(),
            "null".to_owned(),
            "true".to_owned(),
            "\"\"".to_owned(),
            "NaN".to_owned(),
            "Infinity".to_owned(),
            format!("0{value}"),
            format!("+{value}"),
            format!("{value:#x}"),
        ] {
            let payload = with_raw(&client.claims(), name, &raw);
            let what = format!("{name}: {raw}");
            client.assert_refused(&server, &RSA.jws(&head, &payload), &what).await;
        }
    }
    for (name, raw) in [
        ("jti", "7"),
        ("jti", "null"),
        ("jti", "[\"a\"]"),
        ("jti", "{}"),
        ("iss", "null"),
        ("iss", "7"),
        ("sub", "[\"a\"]"),
        ("aud", "null"),
        ("aud", "7"),
        ("aud", "{}"),
        ("aud", "[]"),
        ("aud", "[7]"),
        ("aud", "[null]"),
    ] {
        let payload = with_raw(&client.claims(), name, raw);
        client.assert_refused(&server, &RSA.jws(&head, &payload), name).await;
    }
    for name in ["iss", "sub"] {
        let raw = json!([client.id]).to_string();
        let payload = with_raw(&client.claims(), name, &raw);
        client.assert_refused(&server, &RSA.jws(&head, &payload), name).await;
    }
    for payload in ["[]", "null", "7", "\"a\"", "true", "{", ""] {
        client.assert_refused(&server, &RSA.jws(&head, payload), payload).await;
    }
    client.assert_welcome(&server).await;
}

/// The claims as a text, with a member as whatever text.
fn with_raw(claims: &Value, name: &str, raw: &str) -> String {
    let mut claims = claims.clone();
    claims[name] = json!("@raw@");
    claims.to_string().replace("\"@raw@\"", raw)
}

#[tokio::test]
async fn t09_json_that_two_readers_read_in_two_ways_is_refused() {
    let server = Server::start_with(quick());
    let client = server.create_key_client(&RSA, json!({"allowedCustomClaims": ["x"]})).await;
    let head = client.header().to_string();
    let claims = || client.claims().to_string();
    let with = |text: &str, more: &str| format!("{},{more}}}", text.strip_suffix('}').unwrap());
    let deep = |levels: usize| format!("\"x\":{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));

    for more in [
        r#""alg":"RS256""#.to_owned(),
        r#""alg":"none""#.to_owned(),
        format!(r#""kid":"{}""#, KeyClient::KID),
        r#""k\u0069d":"other""#.to_owned(),
        r#""x":{"a":1,"a":1}"#.to_owned(),
        r#""x":"\ud800""#.to_owned(),
        r#""x":"\udc00\ud800""#.to_owned(),
        r#""\ud800":1"#.to_owned(),
        deep(1_000),
        format!("\"x\":{}{}", "[".repeat(1_000), "]".repeat(1_000)),
    ] {
        let assertion = RSA.jws(&with(&head, &more), &claims());
        client.assert_refused(&server, &assertion, &format!("header {more}")).await;
    }
    for more in [
        format!(r#""sub":"{}""#, client.id),
        r#""sub":"other""#.to_owned(),
        r#""exp":9999999999"#.to_owned(),
        r#""jt\u0069":"other""#.to_owned(),
        r#""x":{"a":1,"a":2}"#.to_owned(),
        r#""x":1,"x":1"#.to_owned(),
        r#""x":"\ud800""#.to_owned(),
        r#""x":"\ud800\u0041""#.to_owned(),
        r#""x":1e999"#.to_owned(),
        r#""x":01"#.to_owned(),
        r#""x":'a'"#.to_owned(),
        r#""x":1,"#.to_owned(),
        "\"x\":\"a\nb\"".to_owned(),
        "/* a comment */\"x\":1".to_owned(),
        deep(1_000),
    ] {
        let assertion = RSA.jws(&head, &with(&claims(), &more));
        client.assert_refused(&server, &assertion, &format!("payload {more}")).await;
    }
    for (what, head, claims) in [
        ("a BOM before the header", format!("\u{feff}{head}"), claims()),
        ("a BOM before the payload", head.clone(), format!("\u{feff}{}", claims())),
        ("data behind the header", format!("{head}x"), claims()),
        ("data behind the payload", head.clone(), format!("{}{{}}", claims())),
        ("a NUL behind the payload", head.clone(), format!("{}\0", claims())),
    ] {
        client.assert_refused(&server, &RSA.jws(&head, &claims), what).await;
    }
    let not_utf8 = {
        let mut bytes = with(&claims(), "\"x\":\"@\"").into_bytes();
        let at = bytes.iter().rposition(|byte| *byte == b'@').unwrap();
        bytes[at] = 0xff;
        jws_with(&head, bytes, |input| RSA.sign(input))
    };
    client.assert_refused(&server, &not_utf8, "not UTF-8").await;
    let utf16: Vec<u8> = claims().encode_utf16().flat_map(u16::to_be_bytes).collect();
    let utf16 = jws_with(&head, utf16, |input| RSA.sign(input));
    client.assert_refused(&server, &utf16, "UTF-16").await;
    client.assert_welcome(&server).await;
}

#[tokio::test]
async fn t10_dots_and_length_cost_nothing() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;

    for dots in [0, 1, 2, 3, 4, 5, 10_000, 60_000] {
        let assertion = format!("x{}", ".".repeat(dots));
        client.assert_refused(&server, &assertion, &format!("{dots} dots")).await;
        let answer = server.tokeninfo(&assertion).await;
        answer.assert_error(401, "invalid_token");
    }
    let million = client.send(&server, &".".repeat(1_000_000)).await;
    million.assert_error(413, "invalid_request");
    let long = client.changed(&json!({"jti": "x", "x": "x".repeat(17_000)}));
    client.assert_refused(&server, &long, "longer than 16 KiB").await;
    client.assert_welcome(&server).await;
}

#[tokio::test]
async fn t11_t12_an_encrypted_token_is_not_even_decrypted() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;

    for head in [
        json!({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2_000_000_000, "p2s": "AA"}),
        json!({"alg": "dir", "enc": "A256GCM", "zip": "DEF"}),
        json!({"alg": "RSA-OAEP", "enc": "A256GCM", "zip": "DEF", "kid": KeyClient::KID}),
        json!({"alg": "RSA1_5", "enc": "A128CBC-HS256", "kid": KeyClient::KID}),
    ] {
        let jwe =
            format!("{}.{}.{}.{}.{}", b64(head.to_string()), "QQ", "QQ", b64([0; 5_000]), "QQ");
        client.assert_refused(&server, &jwe, &head.to_string()).await;
        server.tokeninfo(&jwe).await.assert_error(401, "invalid_token");
    }
    let zipped = client.header_with(&json!({"alg": "RSA-OAEP", "zip": "DEF"})).to_string();
    let forged = RSA.jws(&zipped, &client.claims().to_string());
    client.assert_refused(&server, &forged, "zip in a JWS").await;
}

#[tokio::test]
async fn t13_a_token_has_one_form() {
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;
    let secret = server.register().await;
    let ours = server.token_of(&secret).await;
    let assertion = client.assertion();

    for (what, forms) in [("assertion", forms(&assertion)), ("bearer", forms(&ours))] {
        for form in forms {
            if what == "assertion" {
                client.assert_refused(&server, &form, &form).await;
            } else if let Ok(value) =
                reqwest::header::HeaderValue::from_str(&format!("Bearer {form}"))
            {
                // What the transport trims is not part of the token.
                if form.trim_matches([' ', '\t']) == ours {
                    continue;
                }
                let request =
                    server.http.get(server.at("/tokeninfo")).header("authorization", value);
                let answer = crate::support::Answer::to(request).await;
                assert_eq!(answer.outcome(), "401 invalid_token", "{form:?}");
            }
        }
    }
    // The one form is good still: nothing of the above was taken for it.
    assert_eq!(client.send(&server, &assertion).await.status, 200);
    assert_eq!(server.tokeninfo(&ours).await.status, 200);
}

/// Other ways to write the same token.
fn forms(token: &str) -> Vec<String> {
    let [head, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let padded = |part: &str| format!("{part}{}", "=".repeat((4 - part.len() % 4) % 4));
    let percent = token.replacen('.', "%2E", 1);
    let mut forms = vec![
        json!({"protected": head, "payload": payload, "signature": signature}).to_string(),
        json!({
            "payload": payload,
            "signatures": [{"protected": head, "signature": signature}],
        })
        .to_string(),
        format!("{head}=.{payload}.{signature}"),
        format!("{head}.{payload}=.{signature}"),
        format!("{head}.{payload}.{signature}="),
        format!("{head}.{payload}.{}", padded(signature)),
        format!("{head}.{payload}.{signature}."),
        format!(".{head}.{payload}.{signature}"),
        format!("{head}.{payload}.{signature}.{signature}"),
        format!("{head}..{payload}.{signature}"),
        format!("{head} .{payload}.{signature}"),
        format!("{head}.{payload}\n.{signature}"),
        format!("{head}.{payload}.{signature}\n"),
        format!("\n{head}.{payload}.{signature}"),
        format!(" {head}.{payload}.{signature}"),
        format!("{head}.{payload}.{signature} "),
        format!("{head}.{payload}.{signature}\0"),
        format!("\"{token}\""),
        format!("{token},{token}"),
        format!("Bearer {token}"),
        percent,
    ];
    for (url_safe, standard) in [('-', '+'), ('_', '/')] {
        if token.contains(url_safe) {
            forms.push(token.replace(url_safe, &standard.to_string()));
        }
    }
    if !signature.len().is_multiple_of(4) {
        // The last character has bits that are not used: set them.
        const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = ALPHABET.find(signature.chars().last().unwrap()).unwrap();
        let sloppy = &ALPHABET[last + 1..last + 2];
        forms.push(format!("{head}.{payload}.{}{sloppy}", &signature[..signature.len() - 1]));
    }
    forms
}

#[tokio::test]
async fn t14_ecdsa_signatures_are_raw_of_the_right_length_and_in_range() {
    let server = Server::start_with(quick_with_all());
    let pair = Pair::p256();
    let client = server.key_client(&pair).await;
    let (head, claims) = (client.header().to_string(), client.claims().to_string());
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let context = &mut BigNumContext::new().unwrap();
    let mut order = BigNum::new().unwrap();
    group.order(&mut order, context).unwrap();
    let n = order.to_vec();
    let (zero, one, max) = (vec![0; 32], [vec![0; 31], vec![1]].concat(), vec![0xff; 32]);
    let input = format!("{}.{}", b64(&head), b64(&claims));
    let good = pair.sign(input.as_bytes());
    let (r, s) = (good[..32].to_vec(), good[32..].to_vec());

    for (what, signature) in [
        ("r and s of 0", vec![0; 64]),
        ("r of 0", [zero.clone(), s.clone()].concat()),
        ("s of 0", [r.clone(), zero.clone()].concat()),
        ("r and s of n", [n.clone(), n.clone()].concat()),
        ("r of n", [n.clone(), s.clone()].concat()),
        ("s of n", [r.clone(), n].concat()),
        ("r of 1", [one.clone(), s.clone()].concat()),
        ("r and s of 1", [one.clone(), one].concat()),
        ("r and s too large", [max.clone(), max].concat()),
        ("s before r", [s.clone(), r.clone()].concat()),
        ("63 bytes", good[..63].to_vec()),
        ("65 bytes", [good.clone(), vec![0]].concat()),
        ("65 bytes, a zero before", [vec![0], good.clone()].concat()),
        ("96 bytes", [vec![0; 16], r.clone(), vec![0; 16], s.clone()].concat()),
        ("132 bytes", vec![1; 132]),
        ("32 bytes", r.clone()),
        ("1 byte", vec![0]),
        ("DER", pair.ecdsa(input.as_bytes()).to_der().unwrap()),
        ("DER of zeros", vec![0x30, 6, 2, 1, 0, 2, 1, 0]),
    ] {
        let forged = jws_with(&head, &claims, |_| signature);
        client.assert_refused(&server, &forged, what).await;
    }
    let signed = jws_with(&head, &claims, |_| good);
    assert_eq!(client.send(&server, &signed).await.status, 200);
}

#[tokio::test]
async fn t14_ed25519_signatures_and_points_are_canonical() {
    // The order of the group, little endian (RFC 8032 section 5.1).
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let server = Server::start_with(quick_with_all());
    let pair = Pair::ed25519();
    let client = server.key_client(&pair).await;
    let (head, claims) = (client.header().to_string(), client.claims().to_string());
    let good = pair.sign(format!("{}.{}", b64(&head), b64(&claims)).as_bytes());
    let mut beyond = good.clone();
    let mut carry = 0;
    for (byte, more) in beyond[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    let identity = [vec![1], vec![0; 63]].concat();

    for (what, signature) in [
        ("s beyond the order", beyond),
        ("the identity and zero", identity),
        ("zeros", vec![0; 64]),
        ("ones", vec![0xff; 64]),
        ("63 bytes", good[..63].to_vec()),
        ("65 bytes", [good.clone(), vec![0]].concat()),
        ("the halves swapped", [&good[32..], &good[..32]].concat()),
    ] {
        let forged = jws_with(&head, &claims, |_| signature);
        client.assert_refused(&server, &forged, what).await;
    }
    let signed = jws_with(&head, &claims, |_| good);
    assert_eq!(client.send(&server, &signed).await.status, 200);

    let mut not_canonical = [0xff; 32];
    (not_canonical[0], not_canonical[31]) = (0xee, 0x7f);
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    for point in [[0; 32], one_and_zeros(), not_canonical, minus_one, [0xff; 32]] {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": b64(point)});
        server.register_jwk(&jwk).await.assert_error(400, "invalid_client_metadata");
    }
    for bytes in [0, 31, 33, 64] {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": b64(vec![9; bytes])});
        server.register_jwk(&jwk).await.assert_error(400, "invalid_client_metadata");
    }
}

fn one_and_zeros() -> [u8; 32] {
    let mut point = [0; 32];
    point[0] = 1;
    point
}

#[tokio::test]
async fn t14_a_point_off_the_curve_is_not_registered() {
    let server = Server::start_with(quick_with_all());
    let good = Pair::p256().jwk("k");

    for (x, y) in [
        (b64([0; 32]), b64([0; 32])),
        (b64([1; 32]), b64([1; 32])),
        (b64([0xff; 32]), b64([0xff; 32])),
        (good["y"].as_str().unwrap().to_owned(), good["x"].as_str().unwrap().to_owned()),
        (good["x"].as_str().unwrap().to_owned(), b64([7; 31])),
        (good["x"].as_str().unwrap().to_owned(), String::new()),
    ] {
        let mut jwk = good.clone();
        (jwk["x"], jwk["y"]) = (json!(x), json!(y));
        server.register_jwk(&jwk).await.assert_error(400, "invalid_client_metadata");
    }
}

#[tokio::test]
async fn t15_an_access_token_is_no_assertion_and_an_assertion_no_access_token() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("key.pem");
    std::fs::write(&path, RSA.pem()).unwrap();
    let server = Server::start_with(
        Options::default()
            .with("PRIVATE_RSA_KEY_FILE_PATH", path.to_str().unwrap())
            .with("PRIVATE_RSA_KEY_ID", "ours"),
    );
    // A client that registered OUR public key: its tokens verify as its assertions would.
    let jwks = server.get("/.well-known/jwks.json").await.json();
    let ours = jwks["keys"][0].clone();
    assert_eq!(ours["kid"], "ours");
    let body = json!({
        "client_name": "a thief",
        "token_endpoint_auth_method": "private_key_jwt",
        "public_key": ours,
        "audience": [server.url, "orders"],
        "allowedCustomClaims": ["x"],
    });
    let made = server.create(&body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let thief =
        KeyClient { id: made.text_at("/client_id"), pair: RSA.clone(), issuer: server.url.clone() };
    let assertion = || RSA.jwt("ours", &thief.claims());
    let aud = [("audience", server.url.as_str())];
    let answer = thief.send_with(&server, &assertion(), &aud).await;
    let token = answer.text_at("/access_token");
    assert_eq!(claims(&token)["aud"], json!([server.url]));
    assert_eq!(header(&token)["kid"], "ours");

    // The access token has the right kid, alg, sub, aud, jti and exp, and is truly signed.
    thief.assert_refused(&server, &token, "an access token").await;
    let other = server.register().await;
    let others_token = server.token_of(&other).await;
    thief.assert_refused(&server, &others_token, "another's access token").await;
    let form = [GRANT, JWT_BEARER, ("client_assertion", others_token.as_str())];
    server.token("", &form).await.assert_error(401, "invalid_client");
    // And an assertion, truly signed with the key that signs access tokens, is no access token.
    server.tokeninfo(&assertion()).await.assert_error(401, "invalid_token");
    for typ in ["client-authentication+jwt", "dpop+jwt", "token-introspection+jwt", "logout+jwt"] {
        let head = json!({"alg": "RS256", "kid": "ours", "typ": typ}).to_string();
        let payload = json!({"iss": server.url, "sub": thief.id, "exp": now() + 60}).to_string();
        let other_kind = RSA.jws(&head, &payload);
        let answer = server.tokeninfo(&other_kind).await;
        assert_eq!(answer.outcome(), "401 invalid_token", "{typ}");
        if typ != "client-authentication+jwt" {
            let assertion = RSA.jws(&head, &thief.claims().to_string());
            thief.assert_refused(&server, &assertion, typ).await;
        }
    }
    // An assertion of a client with a key of its own is no bearer token anywhere.
    let client = server.key_client(&OTHER_RSA).await;
    let assertion = client.assertion();
    server.tokeninfo(&assertion).await.assert_error(401, "invalid_token");
    let managed = server.http.get(server.at("/clients")).bearer_auth(&assertion);
    crate::support::Answer::to(managed).await.assert_error(401, "invalid_token");
}

#[tokio::test]
async fn t16_rsa_keys_of_unsafe_size_or_exponent_are_not_registered() {
    let server = Server::start_with(quick());
    let odd = |bits: usize| {
        let mut n = vec![0xff; bits.div_ceil(8)];
        n[0] = if bits.is_multiple_of(8) { 0xff } else { 0x7f };
        n
    };
    let jwk = |n: &[u8], e: &[u8]| json!({"kty": "RSA", "kid": "k", "n": b64(n), "e": b64(e)});
    let f4: &[u8] = &[1, 0, 1];

    for (what, jwk) in [
        ("512 bits", jwk(&odd(512), f4)),
        ("1024 bits", Pair::rsa(1_024).jwk("k")),
        ("2047 bits", jwk(&odd(2_047), f4)),
        ("1024 bits after zeros", jwk(&[vec![0; 128], odd(1_024)].concat(), f4)),
        ("8200 bits", jwk(&odd(8_200), f4)),
        ("16384 bits", jwk(&odd(16_384), f4)),
        ("100 000 bits", jwk(&odd(100_000), f4)),
        ("no modulus", jwk(&[], f4)),
        ("an even modulus", jwk(&[vec![0xff; 255], vec![0xfe]].concat(), f4)),
        ("exponent 0", jwk(&odd(2_048), &[0])),
        ("exponent 1", jwk(&odd(2_048), &[1])),
        ("exponent 2", jwk(&odd(2_048), &[2])),
        ("exponent 65536", jwk(&odd(2_048), &[1, 0, 0])),
        ("exponent of 34 bits", jwk(&odd(2_048), &[2, 0, 0, 0, 1])),
        ("exponent of 2048 bits", jwk(&odd(2_048), &odd(2_048))),
        ("no exponent", jwk(&odd(2_048), &[])),
    ] {
        let answer = server.register_jwk(&jwk).await;
        assert_eq!(answer.outcome(), "400 invalid_client_metadata", "{what}: {answer:?}");
    }
    let large = Pair::rsa(4_096);
    server.key_client(&large).await.assert_welcome(&server).await;
}

#[tokio::test]
async fn t17_only_our_issuer_alone_is_the_audience() {
    let server = Server::start_with(quick().with("MIA_JWT_ISSUER", "https://issuer.example"));
    let mut client = server.key_client(&RSA).await;
    "https://issuer.example".clone_into(&mut client.issuer);

    for aud in [
        json!("https://issuer.example/"),
        json!("https://issuer.example/oauth/token"),
        json!("HTTPS://ISSUER.EXAMPLE"),
        json!("http://issuer.example"),
        json!("https://issuer.example:443"),
        json!(" https://issuer.example"),
        json!("https://issuer.example\u{0}"),
        json!(server.url),
        json!(format!("{}/oauth/token", server.url)),
        json!(client.id),
        json!(""),
        json!(["https://issuer.example", "https://other.example"]),
        json!(["https://other.example", "https://issuer.example"]),
        json!(["https://issuer.example", "https://issuer.example"]),
        json!(["https://issuer.example", 7]),
        json!([["https://issuer.example"]]),
        json!([]),
        json!({"https://issuer.example": 1}),
    ] {
        let assertion = client.changed(&json!({"aud": aud}));
        client.assert_refused(&server, &assertion, &aud.to_string()).await;
        if aud.is_string() {
            let assertion = client.changed(&json!({"aud": aud}));
            let answer = client.send(&server, &assertion).await;
            let expected = "aud of client_assertion must be exactly https://issuer.example";
            assert_eq!(answer.json()["error_description"], expected);
        }
    }
    for aud in [json!("https://issuer.example"), json!(["https://issuer.example"])] {
        let assertion = client.changed(&json!({"aud": aud}));
        assert_eq!(client.send(&server, &assertion).await.status, 200, "{aud}");
    }
}

#[tokio::test]
async fn t19_assertions_that_live_for_more_than_a_day_are_refused() {
    const DAY: i64 = 86_400;
    let server = Server::start_with(quick());
    let client = server.key_client(&RSA).await;

    for exp in [now() + DAY + 60, now() + 2 * DAY, now() + 365 * DAY, i64::MAX, i64::MAX - 1] {
        let assertion = client.changed(&json!({"exp": exp}));
        client.assert_refused(&server, &assertion, &exp.to_string()).await;
        // Nor does an old birth make it younger.
        let assertion = client.changed(&json!({"iat": 0, "exp": exp}));
        client.assert_refused(&server, &assertion, &exp.to_string()).await;
    }
    let almost = client.changed(&json!({"exp": now() + DAY - 60}));
    assert_eq!(client.send(&server, &almost).await.status, 200);
    // The day is counted from now, not from iat.
    let old = client.changed(&json!({"iat": now() - 30 * DAY, "exp": now() + 60}));
    assert_eq!(client.send(&server, &old).await.status, 200);
}

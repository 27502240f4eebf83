//! Every way in which a client can authenticate, in every dialect.

use openssl::hash::MessageDigest;
use serde_json::{Value, json};

use super::jwt::{GRANT, JWT_BEARER, KeyClient, RSA, fresh, hmac, jws_with, now};
use super::{Answer, Client, Options, Server};

/// A dialect: its name, and where tokens are issued.
pub(crate) const DIALECTS: [(&str, &str); 4] = [
    ("standard", "/oauth2/token"),
    ("mia", "/oauth/token"),
    ("curity", "/oauth/v2/oauth-token"),
    ("idservice", "/openid/token"),
];

pub(crate) const METHODS: [&str; 4] =
    ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"];

pub(crate) fn quick() -> Options {
    Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
}

pub(crate) fn claims(id: &str, issuer: &str) -> Value {
    let now = now();
    json!({
        "iss": id, "sub": id, "aud": issuer, "jti": fresh(), "iat": now - 10, "exp": now + 300,
    })
}

/// An assertion with a MAC, as a client makes it.
pub(crate) fn with_mac(secret: &str, header: &Value, claims: &Value) -> String {
    let digest = match header["alg"].as_str() {
        Some("HS384") => MessageDigest::sha384(),
        Some("HS512") => MessageDigest::sha512(),
        _ => MessageDigest::sha256(),
    };
    let sign = |input: &[u8]| hmac(digest, secret.as_bytes(), input);
    jws_with(header.to_string(), claims.to_string(), sign)
}

pub(crate) fn hs256(secret: &str, claims: &Value) -> String {
    with_mac(secret, &json!({"alg": "HS256", "typ": "JWT", "kid": "any"}), claims)
}

pub(crate) async fn asked(
    server: &Server,
    path: &str,
    header: &str,
    form: &[(&str, &str)],
) -> Answer {
    let mut request = server.http.post(server.at(path)).form(form);
    if !header.is_empty() {
        request = request.header("authorization", header);
    }
    Answer::to(request).await
}

pub(crate) async fn asked_with(server: &Server, path: &str, id: &str, assertion: &str) -> Answer {
    let form = [GRANT, JWT_BEARER, ("client_id", id), ("client_assertion", assertion)];
    asked(server, path, "", &form).await
}

pub(crate) async fn client_of(server: &Server, method: &str) -> Client {
    if method == "private_key_jwt" {
        let id = server.key_client(&RSA).await.id;
        return Client { id, secret: "a secret that nobody has, as long as ours".to_owned() };
    }
    server.create_client(json!({"token_endpoint_auth_method": method})).await
}

/// The client asks for a token by `method`, whatever it is registered for.
pub(crate) async fn asked_by(server: &Server, path: &str, method: &str, client: &Client) -> Answer {
    let Client { id, secret } = client;
    match method {
        "client_secret_basic" => asked(server, path, &client.basic(), &[GRANT]).await,
        "client_secret_post" => {
            let form = [GRANT, ("client_id", id.as_str()), ("client_secret", secret.as_str())];
            asked(server, path, "", &form).await
        }
        "client_secret_jwt" => {
            asked_with(server, path, id, &hs256(secret, &claims(id, &server.url))).await
        }
        _ => {
            let signed = RSA.jwt(KeyClient::KID, &claims(id, &server.url));
            asked_with(server, path, id, &signed).await
        }
    }
}

//! A server, and a client for each way to authenticate.

use serde_json::{Value, json};

use crate::support::jwt::Pair;
use crate::support::{Options, Server};

/// What clients of the ground may ask for.
pub(crate) const SCOPE: &str = "read";
pub(crate) const RESOURCE: &str = "https://orders.example/";

/// A way to authenticate, with the algorithm where something is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) alg: &'static str,
}

const fn method(name: &'static str, alg: &'static str) -> Method {
    Method { name, alg }
}

pub(crate) const BASIC: Method = method("client_secret_basic", "");
pub(crate) const POST: Method = method("client_secret_post", "");
pub(crate) const RS256: Method = method("private_key_jwt", "RS256");
pub(crate) const PS256: Method = method("private_key_jwt", "PS256");
pub(crate) const ES256: Method = method("private_key_jwt", "ES256");
pub(crate) const EDDSA: Method = method("private_key_jwt", "EdDSA");
pub(crate) const HS256: Method = method("client_secret_jwt", "HS256");

/// Every way the server knows.
pub(crate) const METHODS: &[Method] = &[BASIC, POST, RS256, PS256, ES256, EDDSA, HS256];

/// Where a dialect is spoken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    pub(crate) name: &'static str,
    pub(crate) token: &'static str,
    pub(crate) introspection: &'static str,
    pub(crate) revocation: &'static str,
    pub(crate) userinfo: Option<&'static str>,
    pub(crate) jwks: &'static str,
}

pub(crate) const STANDARD: Dialect = Dialect {
    name: "standard",
    token: "/oauth2/token",
    introspection: "/oauth2/introspect",
    revocation: "/oauth2/revoke",
    userinfo: Some("/oauth2/userinfo"),
    jwks: "/.well-known/jwks.json",
};
pub(crate) const MIA: Dialect =
    Dialect { name: "mia", token: "/oauth/token", userinfo: None, ..STANDARD };
pub(crate) const CURITY: Dialect = Dialect {
    name: "curity",
    token: "/oauth/v2/oauth-token",
    introspection: "/oauth/v2/oauth-introspect",
    revocation: "/oauth/v2/oauth-revoke",
    userinfo: None,
    jwks: "/oauth/v2/oauth-anonymous/jwks",
};
pub(crate) const IDSERVICE: Dialect = Dialect {
    name: "idservice",
    token: "/openid/token",
    introspection: "/openid/introspect",
    userinfo: Some("/openid/userinfo"),
    jwks: "/openid/jwks.json",
    ..STANDARD
};
pub(crate) const DIALECTS: [Dialect; 4] = [STANDARD, MIA, CURITY, IDSERVICE];

impl Dialect {
    /// What a client is told that can discover nothing.
    pub(crate) fn metadata(&self, server: &Server) -> Value {
        let mut metadata = json!({
            "issuer": server.url,
            "token_endpoint": server.at(self.token),
            "introspection_endpoint": server.at(self.introspection),
            "revocation_endpoint": server.at(self.revocation),
            "jwks_uri": server.at(self.jwks),
            // oauth4webapi believes in signed answers of these algorithms alone.
            "introspection_signing_alg_values_supported": ["ES256"],
        });
        if let Some(path) = self.userinfo {
            metadata["userinfo_endpoint"] = server.at(path).into();
        }
        metadata
    }
}

/// A server that takes keys of every kind and signs with every algorithm.
pub(crate) fn options() -> Options {
    Options::default()
        .with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
        .with("TOKENWRIGHT__TOKENS__ADDITIONAL_ALGORITHMS", "RS256,PS256,EdDSA")
        .with("TOKENWRIGHT__REGISTRATION__KEY_ALGORITHMS", "RS256,PS256,ES256,EdDSA")
}

/// A client, as scripts are told of it.
pub(crate) async fn client(server: &Server, method: Method, mut more: Value) -> Value {
    more["client_name"] = json!("a foreign client");
    more["token_endpoint_auth_method"] = json!(method.name);
    more["scope"] = json!("read write");
    more["audience"] = json!([RESOURCE]);
    let mut told = json!({"method": method.name, "alg": method.alg});
    if method.name == "private_key_jwt" {
        let pair = pair(method.alg);
        more["public_key"] = pair.jwk("a-key");
        told["pem"] = json!(pair.pem());
        told["kid"] = json!("a-key");
    }
    let made = server.create(&more).await;
    assert_eq!(made.status, 201, "{made:?}");
    told["id"] = made.json()["client_id"].clone();
    if method.name != "private_key_jwt" {
        told["secret"] = made.json()["client_secret"].clone();
    }
    told
}

fn pair(alg: &str) -> Pair {
    Pair::of_each_kind().into_iter().find(|it| it.algorithm == alg).unwrap()
}

/// A step for a client in a dialect, which names its key only where it must.
pub(crate) fn step(what: &str, client: &Value, dialect: Dialect, server: &Server) -> Value {
    json!({
        "do": what,
        "client": client,
        "server": dialect.metadata(server),
        "names_key": dialect.name == MIA.name,
        "insecure": true,
    })
}

/// `step` with these members, too.
pub(crate) fn with(mut step: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        step[name] = value.clone();
    }
    step
}

//! Keys, and what is signed with them: as clients do it, and as attackers do.

use std::sync::LazyLock;
use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer};
use serde_json::{Value, json};

use super::{Answer, Server};

/// The grant, and how an assertion is named in a form.
pub(crate) const GRANT: (&str, &str) = ("grant_type", "client_credentials");
pub(crate) const JWT_BEARER: (&str, &str) =
    ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");

/// The one RSA key of most tests: making one takes a while.
pub(crate) static RSA: LazyLock<Pair> = LazyLock::new(|| Pair::rsa(2_048));
/// Another one: the attacker's.
pub(crate) static OTHER_RSA: LazyLock<Pair> = LazyLock::new(|| Pair::rsa(2_048));

/// A key pair with the algorithm it is used for.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) algorithm: &'static str,
    pub(crate) key: PKey<Private>,
}

impl Pair {
    pub(crate) fn rsa(bits: u32) -> Self {
        Self { algorithm: "RS256", key: PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap() }
    }

    /// The same RSA key, for RSASSA-PSS.
    pub(crate) fn pss(&self) -> Self {
        Self { algorithm: "PS256", key: self.key.clone() }
    }

    pub(crate) fn p256() -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        Self { algorithm: "ES256", key }
    }

    pub(crate) fn ed25519() -> Self {
        Self { algorithm: "EdDSA", key: PKey::generate_ed25519().unwrap() }
    }

    /// One pair of each kind.
    pub(crate) fn of_each_kind() -> [Self; 4] {
        [RSA.clone(), RSA.pss(), Self::p256(), Self::ed25519()]
    }

    /// PKCS#8.
    pub(crate) fn pem(&self) -> String {
        String::from_utf8(self.key.private_key_to_pem_pkcs8().unwrap()).unwrap()
    }

    /// The public JWK.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let mut jwk = match self.key.id() {
            Id::RSA => {
                let rsa = self.key.rsa().unwrap();
                json!({"kty": "RSA", "n": b64(rsa.n().to_vec()), "e": b64(rsa.e().to_vec())})
            }
            Id::EC => {
                let ec = self.key.ec_key().unwrap();
                let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
                let context = &mut BigNumContext::new().unwrap();
                let point = ec.public_key();
                point.affine_coordinates(ec.group(), &mut x, &mut y, context).unwrap();
                let coordinate = |it: &BigNum| b64(it.to_vec_padded(32).unwrap());
                json!({"kty": "EC", "crv": "P-256", "x": coordinate(&x), "y": coordinate(&y)})
            }
            _ => {
                let x = self.key.raw_public_key().unwrap();
                json!({"kty": "OKP", "crv": "Ed25519", "x": b64(x)})
            }
        };
        jwk["kid"] = json!(kid);
        jwk["alg"] = json!(self.algorithm);
        jwk["use"] = json!("sig");
        jwk
    }

    /// Signs as its algorithm says.
    pub(crate) fn sign(&self, input: &[u8]) -> Vec<u8> {
        match self.algorithm {
            "RS256" => self.rsa_signature(input, MessageDigest::sha256(), Padding::PKCS1),
            "PS256" => self.rsa_signature(input, MessageDigest::sha256(), Padding::PKCS1_PSS),
            "ES256" => {
                let signature = self.ecdsa(input);
                let number = |it: &openssl::bn::BigNumRef| it.to_vec_padded(32).unwrap();
                [number(signature.r()), number(signature.s())].concat()
            }
            _ => Signer::new_without_digest(&self.key).unwrap().sign_oneshot_to_vec(input).unwrap(),
        }
    }

    pub(crate) fn rsa_signature(
        &self,
        input: &[u8],
        digest: MessageDigest,
        padding: Padding,
    ) -> Vec<u8> {
        let mut signer = Signer::new(digest, &self.key).unwrap();
        signer.set_rsa_padding(padding).unwrap();
        if padding == Padding::PKCS1_PSS {
            signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
        }
        signer.sign_oneshot_to_vec(input).unwrap()
    }

    pub(crate) fn ecdsa(&self, input: &[u8]) -> EcdsaSig {
        let digest = openssl::sha::sha256(input);
        EcdsaSig::sign(&digest, &self.key.ec_key().unwrap()).unwrap()
    }

    /// A JWS of this header and this payload, byte by byte, truly signed.
    pub(crate) fn jws(&self, header: &str, payload: &str) -> String {
        jws_with(header, payload, |input| self.sign(input))
    }

    /// A JWT with `alg`, `kid` and `typ` in its header.
    pub(crate) fn jwt(&self, kid: &str, claims: &Value) -> String {
        let header = json!({"alg": self.algorithm, "kid": kid, "typ": "JWT"});
        self.jws(&header.to_string(), &claims.to_string())
    }
}

/// A JWS with whatever signature.
pub(crate) fn jws_with(
    header: impl AsRef<[u8]>,
    payload: impl AsRef<[u8]>,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> String {
    let input = format!("{}.{}", b64(header), b64(payload));
    let signature = b64(sign(input.as_bytes()));
    format!("{input}.{signature}")
}

/// HMAC-SHA-2, as `HS256` and its kin.
pub(crate) fn hmac(digest: MessageDigest, secret: &[u8], input: &[u8]) -> Vec<u8> {
    let key = PKey::hmac(secret).unwrap();
    Signer::new(digest, &key).unwrap().sign_oneshot_to_vec(input).unwrap()
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Seconds since the epoch.
pub(crate) fn now() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "a client has a clock of its own")]
    let now = SystemTime::now();
    i64::try_from(now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A text nobody has used before.
pub(crate) fn fresh() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A client that signs.
#[derive(Clone, Debug)]
pub(crate) struct KeyClient {
    pub(crate) id: String,
    pub(crate) pair: Pair,
    pub(crate) issuer: String,
}

impl KeyClient {
    /// What its keys are called.
    pub(crate) const KID: &str = "the-key";

    /// The claims of a good assertion.
    pub(crate) fn claims(&self) -> Value {
        let now = now();
        json!({
            "iss": self.id, "sub": self.id, "aud": self.issuer, "jti": fresh(),
            "iat": now - 10, "exp": now + 300,
        })
    }

    /// The claims of a good assertion, changed.
    pub(crate) fn claims_with(&self, change: &Value) -> Value {
        let mut claims = self.claims();
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    /// The header of a good assertion.
    pub(crate) fn header(&self) -> Value {
        json!({"alg": self.pair.algorithm, "kid": Self::KID, "typ": "JWT"})
    }

    /// The header of a good assertion, changed.
    pub(crate) fn header_with(&self, change: &Value) -> Value {
        let mut header = self.header();
        for (name, value) in change.as_object().unwrap() {
            header[name] = value.clone();
        }
        header
    }

    /// A good assertion.
    pub(crate) fn assertion(&self) -> String {
        self.signed(&self.claims())
    }

    /// A truly signed assertion with these claims.
    pub(crate) fn signed(&self, claims: &Value) -> String {
        self.pair.jwt(Self::KID, claims)
    }

    /// A truly signed assertion with one change to its claims.
    pub(crate) fn changed(&self, change: &Value) -> String {
        self.signed(&self.claims_with(change))
    }

    /// Asks for a token with an assertion and its `client_id`.
    pub(crate) async fn send(&self, server: &Server, assertion: &str) -> Answer {
        self.send_with(server, assertion, &[]).await
    }

    /// Asks for a token with an assertion, its `client_id` and more.
    pub(crate) async fn send_with(
        &self,
        server: &Server,
        assertion: &str,
        more: &[(&str, &str)],
    ) -> Answer {
        let id = ("client_id", self.id.as_str());
        let form = [&[GRANT, JWT_BEARER, id, ("client_assertion", assertion)], more].concat();
        server.token("", &form).await
    }

    /// Fails unless the assertion is refused as one of a client that is known.
    pub(crate) async fn assert_refused(&self, server: &Server, assertion: &str, what: &str) {
        let answer = self.send(server, assertion).await;
        assert_eq!(answer.outcome(), "403 invalid_client", "{what}: {answer:?}");
        answer.assert_error(403, "invalid_client");
        assert_eq!(answer.header("www-authenticate"), "", "{what}");
    }

    /// Fails unless a good assertion still gets a token: what was refused before broke nothing.
    pub(crate) async fn assert_welcome(&self, server: &Server) {
        let answer = self.send(server, &self.assertion()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

impl Server {
    /// Registers a key, as anybody may.
    pub(crate) async fn register_jwk(&self, jwk: &Value) -> Answer {
        let body = json!({
            "client_name": "a client with a key",
            "token_endpoint_auth_method": "private_key_jwt",
            "public_key": jwk,
        });
        self.post_json("/register", &body).await
    }

    /// A client with this key; assertions for it are meant for the address of the server.
    pub(crate) async fn key_client(&self, pair: &Pair) -> KeyClient {
        let made = self.register_jwk(&pair.jwk(KeyClient::KID)).await;
        assert_eq!(made.status, 201, "{made:?}");
        self.named_key_client(pair, &made)
    }

    /// A client with this key, and with whatever else an operator says.
    pub(crate) async fn create_key_client(&self, pair: &Pair, mut body: Value) -> KeyClient {
        body["client_name"] = json!("a client with a key");
        body["token_endpoint_auth_method"] = json!("private_key_jwt");
        body["public_key"] = pair.jwk(KeyClient::KID);
        let made = self.create(&body).await;
        assert_eq!(made.status, 201, "{made:?}");
        self.named_key_client(pair, &made)
    }

    fn named_key_client(&self, pair: &Pair, made: &Answer) -> KeyClient {
        let (id, issuer) = (made.text_at("/client_id"), self.url.clone());
        KeyClient { id, pair: pair.clone(), issuer }
    }
}

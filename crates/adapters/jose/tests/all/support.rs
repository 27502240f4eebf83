//! Keys and claims for the tests.

use adapter_jose::{KeyFactory, KeyRing};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::port::{KeyMaker as _, KeyRingInstaller as _, TokenSigner as _, TokenVerifier as _};
use domain::{
    AccessTokenClaims, ClaimsShape, CompactJws, JsonObject, KeySet, KeyState, PrivateKeyPem,
    PublicJwk, SigningAlgorithm, SigningKey, Timestamp, TokenProfile,
};

/// A new private key.
pub(crate) fn pem(algorithm: SigningAlgorithm) -> PrivateKeyPem {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(KeyFactory.make(algorithm)).unwrap()
}

/// A key of a set.
pub(crate) fn key(
    id: &str,
    algorithm: SigningAlgorithm,
    state: KeyState,
    private_key: PrivateKeyPem,
) -> SigningKey {
    SigningKey {
        id: id.parse().unwrap(),
        algorithm,
        state,
        private_key,
        created_at: Timestamp::from_unix_seconds(1),
        retired_at: None,
    }
}

/// A ring with one active key for each algorithm, called as the algorithm is.
pub(crate) fn full_ring() -> KeyRing {
    let ring = KeyRing::empty();
    ring.install(&full_set()).unwrap();
    ring
}

/// One active key for each algorithm, called as the algorithm is.
pub(crate) fn full_set() -> KeySet {
    let keys = SigningAlgorithm::ALL
        .map(|it| key(it.name(), it, KeyState::Active, pem(it)))
        .into_iter()
        .collect();
    KeySet { revision: 1, keys }
}

/// The claims of some token.
pub(crate) fn claims() -> AccessTokenClaims {
    AccessTokenClaims {
        shape: ClaimsShape::MIA,
        issuer: "https://issuer.example".parse().unwrap(),
        subject: "billing".parse().unwrap(),
        audience: vec!["https://api.example".parse().unwrap()],
        issued_at: Timestamp::from_unix_seconds(1_700_000_000),
        expires_at: Timestamp::from_unix_seconds(1_700_003_600),
        id: "6f1e2d3c".parse().unwrap(),
        permissions: vec!["read".parse().unwrap()],
        scope: Some("a b".parse().unwrap()),
        custom: JsonObject::new(),
    }
}

/// A token, signed.
pub(crate) fn token(ring: &KeyRing, algorithm: SigningAlgorithm) -> String {
    ring.sign(&claims(), TokenProfile::Jwt, algorithm).unwrap().as_str().to_owned()
}

/// The token, read.
pub(crate) fn jws(token: &str) -> CompactJws {
    CompactJws::parse(token).unwrap()
}

/// Whether the token is read and verified.
pub(crate) fn is_ours(ring: &KeyRing, token: &str) -> bool {
    ring.verified(token).is_some()
}

/// The published key of that name.
pub(crate) fn published(ring: &KeyRing, id: &str) -> PublicJwk {
    let published = ring.published();
    let found = published.keys().iter().find(|it| it.key_id().unwrap().as_str() == id);
    found.unwrap().clone()
}

/// The base64url form of `bytes`.
pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// What base64url stands for.
pub(crate) fn decoded(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// `token` with another header.
pub(crate) fn with_header(token: &str, header: &str) -> String {
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", encoded(header))
}

/// `token` with another signature.
pub(crate) fn with_signature(token: &str, signature: &[u8]) -> String {
    let (input, _) = token.rsplit_once('.').unwrap();
    format!("{input}.{}", encoded(signature))
}

/// The signature of `token`.
pub(crate) fn signature(token: &str) -> Vec<u8> {
    decoded(token.rsplit_once('.').unwrap().1)
}

//! How fast the two cryptographic libraries sign and verify on one core.
//!
//! `cargo build --release -p adapter-jose --example signing_rates` and then
//! `taskset -c 1 target/release/examples/signing_rates`. The figures decide which library signs:
//! see `src/signer.rs`.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::disallowed_methods, reason = "it measures how long things take")]

use std::error::Error;
use std::time::{Duration, Instant};

use adapter_jose::{ClientKeyVerifier, KeyFactory, KeyRing};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RsaKeyPair,
};
use domain::port::{
    KeyMaker as _, KeyRingInstaller as _, SignatureVerifier as _, TokenSigner as _,
    TokenVerifier as _,
};
use domain::{
    AccessTokenClaims, CompactJws, JsonObject, KeySet, KeyState, SigningAlgorithm, SigningKey,
    Timestamp, TokenProfile,
};
use josekit::jws::{ES256, EdDSA, JwsSigner, JwsVerifier, PS256, RS256};
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;

type Failure = Box<dyn Error>;

/// About as long as the header and the claims of an access token.
const MESSAGE: [u8; 500] = [b'a'; 500];

fn main() -> Result<(), Failure> {
    let rsa = PKey::from_rsa(Rsa::generate(2048)?)?;
    let der = rsa.private_key_to_pkcs8()?;
    let public = rsa.public_key_to_der()?;
    let aws = RsaKeyPair::from_pkcs8(&der)?;
    for (name, encoding, parameters) in [
        ("RS256", &signature::RSA_PKCS1_SHA256, &signature::RSA_PKCS1_2048_8192_SHA256),
        ("PS256", &signature::RSA_PSS_SHA256, &signature::RSA_PSS_2048_8192_SHA256),
    ] {
        let mut signed = vec![0; aws.public_modulus_len()];
        let rng = SystemRandom::new();
        rate(name, "aws-lc sign", || Ok(aws.sign(encoding, &rng, &MESSAGE, &mut signed)?))?;
        let key = ParsedPublicKey::new(parameters, &public)?;
        rate(name, "aws-lc verify", || Ok(key.verify_sig(&MESSAGE, &signed)?))?;
    }
    let rs256 = RS256.signer_from_der(&der)?;
    josekit("RS256", &*rs256, &*RS256.verifier_from_der(&public)?)?;
    let jwk = josekit::jwk::alg::rsa::RsaKeyPair::from_der(&der)?;
    let jwk = josekit::jwk::KeyPair::to_jwk_key_pair(&jwk);
    josekit("PS256", &*PS256.signer_from_jwk(&jwk)?, &*PS256.verifier_from_jwk(&jwk)?)?;
    elliptic()?;
    tokens()
}

/// What the ring makes of it: claims in, a token out, and back.
fn tokens() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let claims = AccessTokenClaims {
        shape: domain::ClaimsShape::MIA,
        issuer: "https://issuer.example".parse()?,
        subject: "6f1e2d3c4b5a69788796a5b4c3d2e1f0".parse()?,
        audience: vec!["https://api.example".parse()?],
        issued_at: Timestamp::from_unix_seconds(1_700_000_000),
        expires_at: Timestamp::from_unix_seconds(1_700_003_600),
        id: "0b8a6c9e-6a5d-4c3b-8f2e-1d0c9b8a7f6e".parse()?,
        permissions: vec!["orders:read".parse()?, "orders:write".parse()?],
        scope: None,
        custom: JsonObject::new(),
    };
    for algorithm in SigningAlgorithm::ALL {
        let key = SigningKey {
            id: "2024-06-a".parse()?,
            algorithm,
            state: KeyState::Active,
            private_key: runtime.block_on(KeyFactory.make(algorithm))?,
            created_at: Timestamp::from_unix_seconds(0),
            retired_at: None,
        };
        let set = KeySet { revision: 1, keys: vec![key] };
        let ring = KeyRing::empty();
        rate(algorithm.name(), "ring install", || Ok(ring.install(&set)?))?;
        let profile = TokenProfile::Jwt;
        let token = ring.sign(&claims, profile, algorithm)?;
        rate(algorithm.name(), "ring sign", || {
            ring.sign(&claims, profile, algorithm).map(|_| ()).map_err(Failure::from)
        })?;
        let refused = || Failure::from("a token of the ring is not its own");
        rate(algorithm.name(), "ring verify", || {
            ring.verified(token.as_str()).map(drop).ok_or_else(refused)
        })?;
        let clients = ClientKeyVerifier::new(10);
        let published = ring.published();
        let jwk = published.keys().first().ok_or_else(refused)?;
        rate(algorithm.name(), "client verify", || {
            clients
                .is_signed_by(&CompactJws::parse(token.as_str())?, jwk)
                .then_some(())
                .ok_or_else(refused)
        })?;
        rate(algorithm.name(), "client key", || {
            clients.is_usable(jwk).then_some(()).ok_or_else(refused)
        })?;
    }
    Ok(())
}

fn elliptic() -> Result<(), Failure> {
    let rng = SystemRandom::new();
    let pair = ES256.generate_key_pair()?;
    let der = josekit::jwk::KeyPair::to_der_private_key(&pair);
    let jwk = josekit::jwk::KeyPair::to_jwk_key_pair(&pair);
    let scheme = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let aws = EcdsaKeyPair::from_private_key_der(scheme, &der)?;
    let signed = aws.sign(&rng, &MESSAGE)?;
    rate("ES256", "aws-lc sign", || aws.sign(&rng, &MESSAGE).map(|_| ()).map_err(Failure::from))?;
    let key = ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, aws.public_key())?;
    rate("ES256", "aws-lc verify", || Ok(key.verify_sig(&MESSAGE, signed.as_ref())?))?;
    josekit("ES256", &*ES256.signer_from_jwk(&jwk)?, &*ES256.verifier_from_jwk(&jwk)?)?;

    let pair: PKey<Private> = PKey::generate_ed25519()?;
    let der = pair.private_key_to_pkcs8()?;
    let aws = Ed25519KeyPair::from_pkcs8(&der)?;
    let signed = aws.sign(&MESSAGE);
    rate("EdDSA", "aws-lc sign", || aws.try_sign(&MESSAGE).map(|_| ()).map_err(Failure::from))?;
    let key = ParsedPublicKey::new(&signature::ED25519, aws.public_key())?;
    rate("EdDSA", "aws-lc verify", || Ok(key.verify_sig(&MESSAGE, signed.as_ref())?))?;
    let public = pair.public_key_to_der()?;
    josekit("EdDSA", &*EdDSA.signer_from_der(&der)?, &*EdDSA.verifier_from_der(&public)?)
}

fn josekit(name: &str, signer: &dyn JwsSigner, verifier: &dyn JwsVerifier) -> Result<(), Failure> {
    let good = signer.sign(&MESSAGE)?;
    rate(name, "OpenSSL sign", || signer.sign(&MESSAGE).map(|_| ()).map_err(Failure::from))?;
    rate(name, "OpenSSL verify", || Ok(verifier.verify(&MESSAGE, &good)?))
}

/// Prints how often a second `operation` runs: the best of three rounds.
fn rate(
    name: &str,
    what: &str,
    mut operation: impl FnMut() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut best = Duration::MAX;
    for _round in 0..3 {
        let begin = Instant::now();
        let mut count = 0_u32;
        while begin.elapsed() < Duration::from_millis(500) {
            operation()?;
            count += 1;
        }
        best = best.min(begin.elapsed() / count);
    }
    println!(
        "{name} {what:<15} {:>8.1} us {:>8.0} /s",
        best.as_secs_f64() * 1e6,
        1.0 / best.as_secs_f64()
    );
    Ok(())
}

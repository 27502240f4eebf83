//! What is signed is verified, by us and by josekit, and nothing else is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use adapter_jose::{ClientKeyVerifier, KeyRing};
use domain::port::{KeyRingInstaller as _, SignatureVerifier as _, TokenSigner as _};
use domain::{FaultKind, KeySet, KeyState, PrivateKeyPem, SigningAlgorithm, TokenProfile};
use josekit::jwk::Jwk;
use josekit::jwk::KeyPair;
use josekit::jwk::alg::{ec::EcKeyPair, ed::EdKeyPair, rsa::RsaKeyPair};
use josekit::jws::{ES256, EdDSA, JwsHeader, JwsSigner, JwsVerifier, PS256, RS256};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{
    claims, decoded, encoded, full_ring, full_set, is_ours, jws, key, pem, published, token,
};

#[test]
fn a_token_of_every_algorithm_and_profile_is_ours() {
    let ring = full_ring();
    for algorithm in SigningAlgorithm::ALL {
        for profile in [TokenProfile::Jwt, TokenProfile::AtJwt] {
            let token = ring.sign(&claims(), profile, algorithm).unwrap();
            let jws = jws(token.as_str());

            assert!(is_ours(&ring, token.as_str()), "{algorithm:?}");
            assert_eq!(jws.header().algorithm, algorithm);
            assert_eq!(jws.header().key_id.as_ref().unwrap().as_str(), algorithm.name());
            assert!(jws.header().is_typ(profile.typ()));
            assert_eq!(jws.unverified_claims()["sub"], "billing");
            assert_eq!(jws.unverified_claims()["scope"], "a b");
        }
    }
}

#[test]
fn the_header_says_no_more_than_it_must() {
    let token = token(&full_ring(), SigningAlgorithm::Rs256);

    let header: Value = serde_json::from_slice(&decoded(token.split('.').next().unwrap())).unwrap();

    assert_eq!(header, json!({"alg": "RS256", "kid": "RS256", "typ": "JWT"}));
}

#[test]
fn publishes_every_key_in_every_state_and_nothing_private() {
    let ring = KeyRing::empty();
    let mut keys = Vec::new();
    for algorithm in SigningAlgorithm::ALL {
        for state in [KeyState::Retired, KeyState::Active, KeyState::Next] {
            let id = format!("{}-{}", algorithm.name(), state.name());
            keys.push(key(&id, algorithm, state, pem(algorithm)));
        }
    }
    let names: Vec<_> = keys.iter().map(|it| it.id.clone()).collect();
    ring.install(&KeySet { revision: 9, keys }).unwrap();

    let published = ring.published();

    assert_eq!(published.revision(), 9);
    let document: Value = serde_json::from_slice(published.document()).unwrap();
    let members = document["keys"].as_array().unwrap();
    assert_eq!(members.len(), names.len());
    for (member, name) in members.iter().zip(&names) {
        assert_eq!(member["kid"], name.as_str());
        assert_eq!(member["use"], "sig");
        assert_eq!(member["alg"], name.as_str().split('-').next().unwrap());
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert_eq!(member.get(private), None);
        }
    }
    let parsed: Vec<_> = published.keys().iter().map(|it| it.key_id().unwrap().clone()).collect();
    assert_eq!(parsed, names);
}

fn josekit_verifier(algorithm: SigningAlgorithm, jwk: &Jwk) -> Box<dyn JwsVerifier> {
    match algorithm {
        SigningAlgorithm::Rs256 => Box::new(RS256.verifier_from_jwk(jwk).unwrap()),
        SigningAlgorithm::Ps256 => Box::new(PS256.verifier_from_jwk(jwk).unwrap()),
        SigningAlgorithm::Es256 => Box::new(ES256.verifier_from_jwk(jwk).unwrap()),
        SigningAlgorithm::EdDsa => Box::new(EdDSA.verifier_from_jwk(jwk).unwrap()),
    }
}

fn josekit_signer(algorithm: SigningAlgorithm, pem: &PrivateKeyPem) -> Box<dyn JwsSigner> {
    let pem = pem.expose();
    let rsa = || RsaKeyPair::from_pem(pem).unwrap().to_jwk_key_pair();
    match algorithm {
        SigningAlgorithm::Rs256 => Box::new(RS256.signer_from_jwk(&rsa()).unwrap()),
        SigningAlgorithm::Ps256 => Box::new(PS256.signer_from_jwk(&rsa()).unwrap()),
        SigningAlgorithm::Es256 => {
            let jwk = EcKeyPair::from_pem(pem, None).unwrap().to_jwk_key_pair();
            Box::new(ES256.signer_from_jwk(&jwk).unwrap())
        }
        SigningAlgorithm::EdDsa => {
            let jwk = EdKeyPair::from_pem(pem).unwrap().to_jwk_key_pair();
            Box::new(EdDSA.signer_from_jwk(&jwk).unwrap())
        }
    }
}

#[test]
fn josekit_verifies_our_tokens_with_our_document() {
    let ring = full_ring();
    let document: Value = serde_json::from_slice(ring.published().document()).unwrap();
    for (algorithm, member) in
        SigningAlgorithm::ALL.into_iter().zip(document["keys"].as_array().unwrap())
    {
        let jwk = Jwk::from_map(member.as_object().unwrap().clone()).unwrap();
        let verifier = josekit_verifier(algorithm, &jwk);

        let token = token(&ring, algorithm);

        let (payload, header) = josekit::jwt::decode_with_verifier(&token, &*verifier).unwrap();
        assert_eq!(header.algorithm(), Some(algorithm.name()));
        assert_eq!(payload.issuer(), Some("https://issuer.example"));
        assert_eq!(payload.claim("permissions"), Some(&json!(["read"])));
    }
}

#[test]
fn we_verify_tokens_made_by_josekit() {
    let set = full_set();
    let ring = KeyRing::empty();
    ring.install(&set).unwrap();
    let clients = ClientKeyVerifier::new(10);
    for key in &set.keys {
        let signer = josekit_signer(key.algorithm, &key.private_key);
        for _ in 0..20 {
            let mut header = JwsHeader::new();
            header.set_key_id(key.id.as_str());
            let token = josekit::jws::serialize_compact(b"{\"a\":1}", &header, &*signer).unwrap();

            assert!(is_ours(&ring, &token), "{:?}", key.algorithm);
            let jwk = published(&ring, key.id.as_str());
            assert!(clients.is_signed_by(&jws(&token), &jwk));
        }
    }
}

#[test]
fn a_key_that_does_not_fit_leaves_the_old_ring_in_force() {
    let ring = full_ring();
    let token = token(&ring, SigningAlgorithm::EdDsa);
    let before = ring.published();
    let new = |algorithm, pem| {
        let good = key(
            "good",
            SigningAlgorithm::Es256,
            KeyState::Active,
            crate::support::pem(SigningAlgorithm::Es256),
        );
        KeySet { revision: 2, keys: vec![good, key("bad", algorithm, KeyState::Next, pem)] }
    };
    let text = |it: &str| PrivateKeyPem::new(it.to_owned());
    for (algorithm, pem) in [
        (SigningAlgorithm::Rs256, pem(SigningAlgorithm::Es256)),
        (SigningAlgorithm::Ps256, pem(SigningAlgorithm::EdDsa)),
        (SigningAlgorithm::Es256, pem(SigningAlgorithm::Rs256)),
        (SigningAlgorithm::EdDsa, pem(SigningAlgorithm::Es256)),
        (SigningAlgorithm::EdDsa, text("")),
        (
            SigningAlgorithm::EdDsa,
            text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        ),
    ] {
        let fault = ring.install(&new(algorithm, pem)).unwrap_err();

        assert_eq!(fault.kind(), FaultKind::Corrupt);
        let cause = std::error::Error::source(&fault).unwrap().to_string();
        assert!(cause.starts_with("the key bad cannot be used: "), "{cause}");
        assert!(is_ours(&ring, &token));
        assert_eq!(ring.published().document(), before.document());
    }
}

#[test]
fn a_key_whose_halves_do_not_belong_together_is_refused() {
    use openssl::ec::EcKey;
    let one =
        EcKey::private_key_from_pem(pem(SigningAlgorithm::Es256).expose().as_bytes()).unwrap();
    let other =
        EcKey::private_key_from_pem(pem(SigningAlgorithm::Es256).expose().as_bytes()).unwrap();
    let mixed =
        EcKey::from_private_components(one.group(), one.private_key(), other.public_key()).unwrap();
    let mixed =
        openssl::pkey::PKey::from_ec_key(mixed).unwrap().private_key_to_pem_pkcs8().unwrap();
    let mixed = PrivateKeyPem::new(String::from_utf8(mixed).unwrap());
    let keys = vec![key("k", SigningAlgorithm::Es256, KeyState::Active, mixed)];

    let fault = KeyRing::empty().install(&KeySet { revision: 1, keys }).unwrap_err();

    assert_eq!(fault.kind(), FaultKind::Corrupt);
}

#[test]
fn two_keys_of_one_name_are_refused() {
    let ring = KeyRing::empty();
    let twin = |algorithm| key("k", algorithm, KeyState::Active, pem(algorithm));
    let keys = vec![twin(SigningAlgorithm::Es256), twin(SigningAlgorithm::EdDsa)];

    assert!(ring.install(&KeySet { revision: 1, keys }).is_err());
}

/// Threads sign while the ring changes under them: each token verifies against the published keys
/// of the ring it was signed with, and no other mixture is ever seen.
#[test]
fn installing_while_a_hundred_threads_sign_mixes_nothing() {
    const ALGORITHMS: [SigningAlgorithm; 2] = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa];
    let sets: Vec<KeySet> = (0..2_u64)
        .map(|revision| {
            let keys = ALGORITHMS
                .map(|it| key(&format!("{}-{revision}", it.name()), it, KeyState::Active, pem(it)));
            KeySet { revision, keys: keys.into() }
        })
        .collect();
    let alone: Vec<KeyRing> = sets
        .iter()
        .map(|set| {
            let ring = KeyRing::empty();
            ring.install(set).unwrap();
            ring
        })
        .collect();
    let ring = Arc::new(KeyRing::empty());
    ring.install(&sets[0]).unwrap();
    let is_over = AtomicBool::new(false);

    std::thread::scope(|scope| {
        let (ring, alone, is_over) = (&ring, &alone, &is_over);
        let signers: Vec<_> = (0..100)
            .map(|it: usize| {
                scope.spawn(move || {
                    let algorithm = ALGORITHMS[it % 2];
                    for _ in 0..50 {
                        let published = ring.published();
                        assert_eq!(published.keys().len(), 2);
                        let revision = published.revision();
                        assert!(published.keys().iter().all(|key| {
                            key.key_id().unwrap().as_str().ends_with(&format!("-{revision}"))
                        }));
                        let token = token(ring, algorithm);
                        let count = alone.iter().filter(|it| is_ours(it, &token)).count();
                        assert_eq!(count, 1);
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            for set in sets.iter().cycle() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                ring.install(set).unwrap();
            }
        });
        let outcomes: Vec<_> =
            signers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        is_over.store(true, Ordering::Relaxed);
        for outcome in outcomes {
            outcome.expect("a signer saw a mixture");
        }
    });
}

#[test]
fn t37_debug_output_holds_no_key() {
    let set = full_set();
    let ring = KeyRing::empty();
    ring.install(&set).unwrap();

    let debug = format!("{ring:?}");

    for key in &set.keys {
        let pair = josekit_signer(key.algorithm, &key.private_key);
        let material = key.private_key.expose().lines().nth(1).unwrap();
        assert!(!debug.contains(material), "{pair:?}");
    }
    assert!(!debug.contains("PRIVATE"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_flipped_bit_never_verifies(position in any::<proptest::sample::Index>(), bit in 0_u8..8) {
        static RING: std::sync::OnceLock<KeyRing> = std::sync::OnceLock::new();
        let ring = RING.get_or_init(full_ring);
        for algorithm in SigningAlgorithm::ALL {
            let token = token(ring, algorithm);
            let mut parts: Vec<Vec<u8>> = token.split('.').map(decoded).collect();
            for part in 0..3 {
                let index = position.index(parts[part].len());
                parts[part][index] ^= 1 << bit;
                let flipped = parts.iter().map(encoded).collect::<Vec<_>>().join(".");
                prop_assert!(!is_ours(ring, &flipped), "{:?} part {}", algorithm, part);
                parts[part][index] ^= 1 << bit;
            }
            prop_assert!(is_ours(ring, &token));
        }
    }
}

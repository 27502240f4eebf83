//! Attacks on signatures that must be survived, one named test each.

use adapter_jose::{ClientKeyVerifier, KeyRing};
use domain::port::{KeyRingInstaller as _, SignatureVerifier as _, TokenSigner as _};
use domain::{
    CompactJws, FaultKind, JsonObject, KeySet, KeyState, PublicJwk, SigningAlgorithm, TokenProfile,
};
use openssl::bn::BigNum;
use serde_json::{Value, json};

use crate::support::{
    claims, decoded, encoded, full_ring, full_set, is_ours, jws, key, pem, published, signature,
    token, with_header, with_signature,
};

fn object(value: Value) -> JsonObject {
    let Value::Object(object) = value else { unreachable!() };
    object
}

#[test]
fn t01_an_unsigned_token_is_not_ours() {
    let ring = full_ring();
    let token = token(&ring, SigningAlgorithm::Rs256);
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({"alg": alg, "kid": "RS256", "typ": "JWT"}).to_string();
        assert!(!is_ours(&ring, &with_header(&token, &header)), "{alg}");
    }
    assert!(!is_ours(&ring, &with_signature(&token, b"")));
    assert!(!is_ours(&ring, token.rsplit_once('.').unwrap().0));
    for length in [1, 64, 256] {
        assert!(!is_ours(&ring, &with_signature(&token, &vec![0; length])));
    }
}

#[test]
fn t02_a_public_key_is_no_hmac_secret() {
    use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
    let ring = full_ring();
    let clients = ClientKeyVerifier::new(10);
    let payload = encoded(json!({"sub": "admin"}).to_string());
    for algorithm in SigningAlgorithm::ALL {
        let id = algorithm.name();
        let jwk = published(&ring, id);
        let json = Value::Object(jwk.to_json()).to_string();
        let material = match jwk.key() {
            domain::PublicKey::Rsa { n, .. } => n.to_vec(),
            domain::PublicKey::P256 { x, y } => [&x[..], &y[..]].concat(),
            domain::PublicKey::Ed25519 { x } => x.to_vec(),
        };
        for secret in [json.as_bytes(), &material] {
            for alg in ["HS256", "hs256", "RS256", id] {
                let header = encoded(json!({"alg": alg, "kid": id}).to_string());
                let input = format!("{header}.{payload}");
                let mac = sign(&Key::new(HMAC_SHA256, secret), input.as_bytes());
                let token = format!("{input}.{}", encoded(mac));

                assert!(!is_ours(&ring, &token), "{alg}");
                let jws = CompactJws::parse(&token);
                assert!(!jws.is_ok_and(|jws| clients.is_signed_by(&jws, &jwk)), "{alg}");
            }
        }
    }
}

/// A PS256 signature by a key that is registered for RS256 is a good signature by that key, and
/// still worth nothing.
#[test]
fn t03_the_algorithm_is_that_of_the_key_never_that_of_the_header() {
    let shared = pem(SigningAlgorithm::Rs256);
    let ring_for = |algorithm| {
        let ring = KeyRing::empty();
        let keys = vec![key("k", algorithm, KeyState::Active, shared.clone())];
        ring.install(&KeySet { revision: 1, keys }).unwrap();
        ring
    };
    let (rs256, ps256) = (ring_for(SigningAlgorithm::Rs256), ring_for(SigningAlgorithm::Ps256));
    let clients = ClientKeyVerifier::new(10);
    let token = token(&ps256, SigningAlgorithm::Ps256);

    assert!(is_ours(&ps256, &token));
    assert!(!is_ours(&rs256, &token));
    assert!(clients.is_signed_by(&jws(&token), &published(&ps256, "k")));
    assert!(!clients.is_signed_by(&jws(&token), &published(&rs256, "k")));

    let ring = full_ring();
    for algorithm in SigningAlgorithm::ALL {
        let token = crate::support::token(&ring, algorithm);
        for other in SigningAlgorithm::ALL.into_iter().filter(|it| *it != algorithm) {
            // Another algorithm, another key, both.
            for (alg, kid) in [(other, algorithm), (algorithm, other), (other, other)] {
                let header = json!({"alg": alg.name(), "kid": kid.name(), "typ": "JWT"});
                assert!(!is_ours(&ring, &with_header(&token, &header.to_string())));
            }
            assert!(!clients.is_signed_by(&jws(&token), &published(&ring, other.name())));
        }
    }
}

#[test]
fn t03_a_token_without_kid_is_not_ours() {
    let ring = full_ring();
    let signed = token(&ring, SigningAlgorithm::Rs256);
    for header in [r#"{"alg":"RS256"}"#, r#"{"alg":"RS256","kid":"unknown"}"#] {
        assert!(!is_ours(&ring, &with_header(&signed, header)));
    }
}

/// The attacker signs with a key of her own and sends its public half along.
fn forged(members: Value) -> (KeyRing, String) {
    let ours = full_ring();
    let attacker = KeyRing::empty();
    let own = key("ES256", SigningAlgorithm::Es256, KeyState::Active, pem(SigningAlgorithm::Es256));
    attacker.install(&KeySet { revision: 1, keys: vec![own.clone()] }).unwrap();
    let jwk = published(&attacker, "ES256").to_json();
    let mut header = object(json!({"alg": "ES256", "kid": "ES256", "typ": "JWT", "jwk": jwk}));
    header.extend(object(members));
    let token = token(&attacker, SigningAlgorithm::Es256);
    let (_, rest) = token.split_once('.').unwrap();
    let (payload, _) = rest.split_once('.').unwrap();
    let input = format!("{}.{payload}", encoded(Value::Object(header).to_string()));
    let pair = josekit::jwk::alg::ec::EcKeyPair::from_pem(own.private_key.expose(), None).unwrap();
    let jwk = josekit::jwk::KeyPair::to_jwk_key_pair(&pair);
    let signer = josekit::jws::ES256.signer_from_jwk(&jwk).unwrap();
    let signature = josekit::jws::JwsSigner::sign(&signer, input.as_bytes()).unwrap();
    (ours, format!("{input}.{}", encoded(signature)))
}

#[test]
fn t04_a_key_in_the_header_is_never_trusted() {
    let (ring, token) = forged(json!({}));

    assert!(CompactJws::parse(&token).is_ok());
    assert!(!is_ours(&ring, &token));
    let clients = ClientKeyVerifier::new(10);
    assert!(!clients.is_signed_by(&jws(&token), &published(&ring, "ES256")));
}

#[test]
fn t05_a_key_by_reference_is_never_fetched() {
    for members in [
        json!({"jku": "https://evil.example/jwks"}),
        json!({"x5u": "https://evil.example/cert"}),
        json!({"x5c": ["MIIB"]}),
    ] {
        let (ring, token) = forged(members);
        assert!(!is_ours(&ring, &token));
    }
}

const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

#[test]
fn t14_an_ecdsa_signature_is_exactly_r_and_s() {
    let ring = full_ring();
    let token = token(&ring, SigningAlgorithm::Es256);
    let good = signature(&token);
    assert_eq!(good.len(), 64);
    let (r, s) = good.split_at(32);
    let zero = [0; 32];
    let order = BigNum::from_hex_str(ORDER).unwrap().to_vec();
    let der = openssl::ecdsa::EcdsaSig::from_private_components(
        BigNum::from_slice(r).unwrap(),
        BigNum::from_slice(s).unwrap(),
    );
    let bad = [
        [&zero, s].concat(),
        [r, &zero].concat(),
        [zero, zero].concat(),
        [&order, s].concat(),
        [r, &order].concat(),
        [&[0xff; 32], s].concat(),
        good[..63].to_vec(),
        [&good[..], &[0]].concat(),
        [&[0], &good[..]].concat(),
        [r, &[0], s].concat(),
        [&[0], r, &[0], s].concat(),
        [s, r].concat(),
        der.unwrap().to_der().unwrap(),
        r.to_vec(),
    ];
    for signature in bad {
        assert!(!is_ours(&ring, &with_signature(&token, &signature)), "{signature:?}");
    }
    assert!(is_ours(&ring, &with_signature(&token, &good)));
}

#[test]
fn t14_an_ed25519_signature_has_one_form() {
    // The order of the base point, little endian.
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let ring = full_ring();
    let token = token(&ring, SigningAlgorithm::EdDsa);
    let good = signature(&token);
    assert_eq!(good.len(), 64);
    // s + L signs the same, for whoever does not look.
    let mut malleable = good.clone();
    let mut carry = 0_u16;
    for (byte, order) in malleable[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    let mut high_bit = good.clone();
    high_bit[63] |= 0xe0;
    let short = good[..63].to_vec();
    let long = [&good[..], &[0]].concat();
    for signature in [malleable, high_bit, short, long, vec![0; 64], vec![0xff; 64]] {
        assert!(!is_ours(&ring, &with_signature(&token, &signature)), "{signature:?}");
    }
}

#[test]
fn t14_a_point_that_is_not_on_its_curve_is_unusable() {
    let ring = full_ring();
    let clients = ClientKeyVerifier::new(10);
    let mut p256 = published(&ring, "ES256").to_json();
    let y = p256["y"].as_str().unwrap().to_owned();
    let mut y = decoded(&y);
    y[31] ^= 1;
    p256.insert("y".to_owned(), encoded(y).into());
    let origin = json!({"kty": "EC", "crv": "P-256", "x": encoded([0; 32]), "y": encoded([0; 32])});
    let mut keys = vec![p256, object(origin)];
    // The identity, its form that is not canonical, y = 2 (no point), and all ones.
    for (first, last) in [(1, 0), (1, 0x80), (0xee, 0x7f), (2, 0), (0xff, 0xff)] {
        let mut x = [if last & 0x7f == 0x7f { 0xff } else { 0 }; 32];
        (x[0], x[31]) = (first, last);
        keys.push(object(json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(x)})));
    }
    for jwk in keys {
        let key = PublicJwk::parse(&jwk).unwrap();
        assert!(!clients.is_usable(&key), "{jwk:?}");
        let token = token(&ring, key.algorithm());
        for _ in 0..2 {
            assert!(!clients.is_signed_by(&jws(&token), &key));
        }
    }
    for key in ring.published().keys() {
        assert!(clients.is_usable(key));
    }
}

#[test]
fn t16_rsa_signatures_are_as_long_as_the_modulus() {
    let ring = full_ring();
    for algorithm in [SigningAlgorithm::Rs256, SigningAlgorithm::Ps256] {
        let token = token(&ring, algorithm);
        let good = signature(&token);
        for signature in [
            good[..255].to_vec(),
            [&good[..], &[0]].concat(),
            [&[0], &good[..]].concat(),
            vec![0; 256],
            vec![0xff; 256],
            [&[0; 255][..], &[1]].concat(),
        ] {
            assert!(!is_ours(&ring, &with_signature(&token, &signature)));
        }
    }
}

#[test]
fn t16_a_small_rsa_key_never_signs() {
    let small = openssl::rsa::Rsa::generate(1_024).unwrap();
    let pem = openssl::pkey::PKey::from_rsa(small).unwrap().private_key_to_pem_pkcs8().unwrap();
    let pem = domain::PrivateKeyPem::new(String::from_utf8(pem).unwrap());
    let keys = vec![key("k", SigningAlgorithm::Rs256, KeyState::Active, pem)];

    let fault = KeyRing::empty().install(&KeySet { revision: 1, keys }).unwrap_err();

    assert_eq!(fault.kind(), FaultKind::Corrupt);
}

#[test]
fn t42_no_key_takes_the_place_of_another() {
    let ring = KeyRing::empty();
    let sign = |ring: &KeyRing, algorithm| ring.sign(&claims(), TokenProfile::Jwt, algorithm);
    let empty = sign(&ring, SigningAlgorithm::Rs256).unwrap_err();
    assert_eq!(empty.kind(), FaultKind::Unavailable);

    let keys = vec![
        key("active", SigningAlgorithm::Es256, KeyState::Active, pem(SigningAlgorithm::Es256)),
        key("retired", SigningAlgorithm::Rs256, KeyState::Retired, pem(SigningAlgorithm::Rs256)),
    ];
    ring.install(&KeySet { revision: 1, keys }).unwrap();

    assert!(sign(&ring, SigningAlgorithm::Es256).is_ok());
    for algorithm in [SigningAlgorithm::Rs256, SigningAlgorithm::Ps256] {
        let refused = sign(&ring, algorithm).unwrap_err();
        assert_eq!(refused.kind(), FaultKind::Corrupt, "{algorithm:?}");
    }
}

/// A key that is only published signs nothing: until everybody knows it, the algorithm that was
/// there before it stands in, under its own name.
#[test]
fn t42_a_key_that_is_only_published_signs_nothing() {
    let keys = vec![
        key("active", SigningAlgorithm::Es256, KeyState::Active, pem(SigningAlgorithm::Es256)),
        key("next", SigningAlgorithm::EdDsa, KeyState::Next, pem(SigningAlgorithm::EdDsa)),
    ];
    let ring = KeyRing::empty();
    ring.install(&KeySet { revision: 1, keys }).unwrap();

    let token = ring.sign(&claims(), TokenProfile::Jwt, SigningAlgorithm::EdDsa).unwrap();

    let header = CompactJws::parse(token.as_str()).unwrap().header().clone();
    assert_eq!(header.algorithm, SigningAlgorithm::Es256);
    assert_eq!(header.key_id.unwrap().as_str(), "active");
    assert!(is_ours(&ring, token.as_str()));
}

#[test]
fn t42_a_key_that_was_taken_out_stops_verifying_at_once() {
    let set = full_set();
    let ring = KeyRing::empty();
    ring.install(&set).unwrap();
    let tokens = SigningAlgorithm::ALL.map(|it| token(&ring, it));

    let keys = set.keys.into_iter().filter(|it| it.algorithm != SigningAlgorithm::Rs256).collect();
    ring.install(&KeySet { revision: 2, keys }).unwrap();

    assert_eq!(tokens.map(|it| is_ours(&ring, &it)), [false, true, true, true]);
}

/// What was found good under a key is found good no longer than the key is there, also where
/// another key takes its name.
#[test]
fn t42_a_signature_that_is_remembered_goes_with_its_key() {
    for state in [None, Some(KeyState::Active)] {
        let set = full_set();
        let ring = KeyRing::empty();
        ring.install(&set).unwrap();
        let token = token(&ring, SigningAlgorithm::Es256);
        assert!(is_ours(&ring, &token) && is_ours(&ring, &token));

        let mut keys = set.keys;
        keys.retain(|it| it.algorithm != SigningAlgorithm::Es256);
        let other = pem(SigningAlgorithm::Es256);
        keys.extend(state.map(|state| key("ES256", SigningAlgorithm::Es256, state, other)));
        ring.install(&KeySet { revision: 2, keys }).unwrap();

        assert!(!is_ours(&ring, &token), "{state:?}");
    }
}

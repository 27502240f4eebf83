use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::Private;
use openssl::rsa::Rsa;
use openssl::symm::Cipher;

use super::*;

/// An Ed25519 key in PBES1 with single DES, password `secret`: a throw-away key, for this test.
const SINGLE_DES: &str = include_str!("../tests/throw-away-keys/ed25519-pbe-md5-des.pem");
/// The same in PBES1 with triple DES.
const TRIPLE_DES: &str = include_str!("../tests/throw-away-keys/ed25519-pbe-sha1-3des.pem");
/// The same, plain.
const PLAIN: &str = include_str!("../tests/throw-away-keys/ed25519.pem");

const PASSWORD: &[u8] = b"correct horse";

fn rsa(bits: u32) -> Rsa<Private> {
    Rsa::generate(bits).unwrap()
}

fn p256() -> EcKey<Private> {
    EcKey::generate(&EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()).unwrap()
}

fn secret(text: &[u8]) -> SecretString {
    String::from_utf8(text.to_vec()).unwrap().into()
}

fn pkcs8(key: &PKey<Private>) -> String {
    String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap()
}

#[test]
fn reads_every_plain_form() {
    let rsa = rsa(2_048);
    let ec = p256();
    let rsa_key = PKey::from_rsa(rsa.clone()).unwrap();
    let ec_key = PKey::from_ec_key(ec.clone()).unwrap();
    let ed = PKey::generate_ed25519().unwrap();
    for (pem, key, kind) in [
        (rsa.private_key_to_pem().unwrap(), &rsa_key, KeyKind::Rsa { bits: 2_048 }),
        (pkcs8(&rsa_key).into(), &rsa_key, KeyKind::Rsa { bits: 2_048 }),
        (ec.private_key_to_pem().unwrap(), &ec_key, KeyKind::P256),
        (pkcs8(&ec_key).into(), &ec_key, KeyKind::P256),
        (pkcs8(&ed).into(), &ed, KeyKind::Ed25519),
        (pkcs8(&ed).replace('\n', "\r\n").into(), &ed, KeyKind::Ed25519),
    ] {
        let file = read_private_key(&pem, None).unwrap();

        assert_eq!(file.kind, kind);
        assert_eq!(file.private_key.expose(), pkcs8(key));
        assert!(!file.is_password_needless);
    }
}

#[test]
fn reads_every_encrypted_form_with_the_right_password_alone() {
    let rsa = rsa(2_048);
    let ec = p256();
    let rsa_key = PKey::from_rsa(rsa.clone()).unwrap();
    let ec_key = PKey::from_ec_key(ec.clone()).unwrap();
    let ed = PKey::generate_ed25519().unwrap();
    for cipher in [
        Cipher::des_ede3_cbc(),
        Cipher::aes_128_cbc(),
        Cipher::aes_192_cbc(),
        Cipher::aes_256_cbc(),
    ] {
        for (pem, key) in [
            (rsa.private_key_to_pem_passphrase(cipher, PASSWORD), &rsa_key),
            (rsa_key.private_key_to_pem_pkcs8_passphrase(cipher, PASSWORD), &rsa_key),
            (ec.private_key_to_pem_passphrase(cipher, PASSWORD), &ec_key),
            (ec_key.private_key_to_pem_pkcs8_passphrase(cipher, PASSWORD), &ec_key),
            (ed.private_key_to_pem_pkcs8_passphrase(cipher, PASSWORD), &ed),
        ] {
            let pem = pem.unwrap();
            let name = pem.iter().map(|it| char::from(*it)).take(60).collect::<String>();
            assert!(is_encrypted_pem(&pem), "{name}");

            let file = read_private_key(&pem, Some(&secret(PASSWORD))).unwrap();
            assert_eq!(file.private_key.expose(), pkcs8(key), "{name}");
            assert!(!file.is_password_needless);

            let refused = |password: Option<&[u8]>| {
                let password = password.map(secret);
                read_private_key(&pem, password.as_ref()).unwrap_err()
            };
            assert_eq!(refused(None), KeyFileError::NeedsPassword, "{name}");
            assert_eq!(refused(Some(b"")), KeyFileError::NeedsPassword, "{name}");
            let long = [b'x'; 5_000];
            for wrong in [&b"wrong"[..], b"correct hors", b"correct horse ", b"a\0b", &long] {
                assert_eq!(refused(Some(wrong)), KeyFileError::WrongPassword, "{name}");
            }
        }
    }
}

#[test]
fn a_cipher_that_is_out_of_use_is_named_as_such() {
    let password = secret(b"secret");

    let old = read_private_key(SINGLE_DES.as_bytes(), Some(&password));
    let still_spoken = read_private_key(TRIPLE_DES.as_bytes(), Some(&password));

    assert_eq!(old.unwrap_err(), KeyFileError::UnsupportedCipher);
    assert_eq!(still_spoken.unwrap().private_key.expose(), PLAIN);
}

#[test]
fn a_password_beside_a_plain_key_is_told() {
    let pem = pkcs8(&PKey::generate_ed25519().unwrap());

    let file = read_private_key(pem.as_bytes(), Some(&secret(PASSWORD))).unwrap();

    assert!(file.is_password_needless);
    assert!(!read_private_key(pem.as_bytes(), Some(&secret(b""))).unwrap().is_password_needless);
}

#[test]
fn says_what_a_file_is_instead() {
    let ed = PKey::generate_ed25519().unwrap();
    let public = String::from_utf8(ed.public_key_to_pem().unwrap()).unwrap();
    let refusal = |pem: &str| read_private_key(pem.as_bytes(), None).unwrap_err();

    for text in ["", "hello", "MC4CAQAwBQYDK2VwBCIEIA=="] {
        assert_eq!(refusal(text), KeyFileError::NotPem);
    }
    assert_eq!(refusal(&public), KeyFileError::NoPrivateKey { found: "a public key" });
    let certificate = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    assert_eq!(refusal(certificate), KeyFileError::NoPrivateKey { found: "a certificate" });
    let damaged = pkcs8(&ed).replace("MC4", "MD4");
    assert_eq!(refusal(&damaged), KeyFileError::Malformed);
    let cut = pkcs8(&ed).replace("-----END PRIVATE KEY-----", "");
    assert_eq!(refusal(&cut), KeyFileError::Malformed);
    let ssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nAA==\n-----END OPENSSH PRIVATE KEY-----\n";
    assert!(refusal(ssh).to_string().contains("ssh-keygen"));
}

#[test]
fn the_key_may_stand_among_other_blocks() {
    let ec = p256();
    let key = String::from_utf8(ec.private_key_to_pem().unwrap()).unwrap();
    let certificate = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    let parameters =
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let pem = format!("comment\n{certificate}{parameters}{key}{certificate}");

    assert_eq!(read_private_key(pem.as_bytes(), None).unwrap().kind, KeyKind::P256);
}

#[test]
fn t16_rsa_keys_of_unsafe_size_are_refused() {
    let pem = pkcs8(&PKey::from_rsa(rsa(1_024)).unwrap());
    let refused = read_private_key(pem.as_bytes(), None).unwrap_err();
    assert_eq!(refused, KeyFileError::RsaSize { bits: 1_024 });
    assert_eq!(refused.to_string(), "its RSA key has 1024 bits, and 2048 to 8192 are accepted");
}

#[test]
fn keys_that_cannot_sign_here_are_refused_by_kind() {
    let p384 = EcKey::generate(&EcGroup::from_curve_name(Nid::SECP384R1).unwrap()).unwrap();
    for key in [
        PKey::from_ec_key(p384).unwrap(),
        PKey::generate_ed448().unwrap(),
        PKey::generate_x25519().unwrap(),
    ] {
        let refused = read_private_key(pkcs8(&key).as_bytes(), None).unwrap_err();
        assert!(matches!(refused, KeyFileError::UnsupportedKind { .. }), "{refused}");
    }
}

#[test]
fn t37_nothing_betrays_the_key() {
    let file = read_private_key(PLAIN.as_bytes(), None).unwrap();
    let material = PLAIN.lines().nth(1).unwrap();
    assert!(!format!("{file:?}").contains(material));
    let odd = format!("-----BEGIN {material}-----\n");
    assert!(!format!("{:?}", read_private_key(odd.as_bytes(), None)).contains(material));
}

//! Where the sealing key comes from, and what is there without it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use adapter_hashing::{SealedSecrets, SealingKey, SealingKeyFileError};
use domain::port::{MacVerifier as _, SecretHasher as _, SecretOwner};
use domain::{ClientId, CompactMac, FaultKind, SecretHash, SecretId};

use crate::support::{BCRYPT, hasher, secret};

const SECRET: &str = "correct-horse-battery-staple-correct-horse-battery";
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiaWxsaW5nIn0.AAAA";

fn sealed_with(key: SealingKey) -> SecretHash {
    let (client, id) = names();
    let owner = SecretOwner { client: &client, secret: &id };
    SealedSecrets::new(Some(key)).unwrap().seal(owner, &secret(SECRET)).unwrap()
}

fn names() -> (ClientId, SecretId) {
    ("billing".parse().unwrap(), "s1".parse().unwrap())
}

fn opened_with(key: Option<SealingKey>, sealed: &SecretHash) -> Result<bool, FaultKind> {
    let (client, id) = names();
    let owner = SecretOwner { client: &client, secret: &id };
    let token = CompactMac::parse_mac(TOKEN).unwrap();
    let macs = SealedSecrets::new(key).unwrap();
    macs.is_by(&token, Some((owner, sealed))).map_err(|fault| fault.kind())
}

#[test]
fn what_one_key_sealed_another_does_not_open() {
    let sealed = sealed_with(SealingKey::new(&[7; 32]).unwrap());

    assert_eq!(opened_with(Some(SealingKey::new(&[7; 32]).unwrap()), &sealed), Ok(false));
    let other = Some(SealingKey::new(&[8; 32]).unwrap());
    assert_eq!(opened_with(other, &sealed), Err(FaultKind::Corrupt));
    assert_eq!(opened_with(None, &sealed), Err(FaultKind::Corrupt));
}

#[test]
fn without_a_key_nothing_is_sealed_and_nobody_is_let_in() {
    let (client, id) = names();
    let owner = SecretOwner { client: &client, secret: &id };
    let macs = SealedSecrets::new(None).unwrap();

    let fault = macs.seal(owner, &secret(SECRET)).unwrap_err();

    assert_eq!(fault.kind(), FaultKind::Corrupt);
    assert!(!macs.is_by(&CompactMac::parse_mac(TOKEN).unwrap(), None).unwrap());
}

/// It is no hash: whoever asks the hasher learns that something is wrong, and is not let in.
#[tokio::test]
async fn a_sealed_secret_is_no_hash() {
    let sealed = sealed_with(SealingKey::new(&[7; 32]).unwrap());

    let fault = hasher(BCRYPT).verify(&secret(SECRET), Some(&sealed)).await.unwrap_err();

    assert_eq!(fault.kind(), FaultKind::Corrupt);
    assert!(fault.explained().contains("client_secret_jwt"), "{}", fault.explained());
}

#[test]
fn the_file_is_made_once_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sealing.key");

    let made = SealingKey::of_file(&path).unwrap();
    let again = SealingKey::of_file(&path).unwrap();

    assert_eq!(made.name(), again.name());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
    // Its text is a setting as good as any.
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(SealingKey::new(text.trim_end().as_bytes()).unwrap().name(), made.name());
}

#[test]
fn of_many_that_make_it_at_once_all_get_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sealing.key");

    let names: Vec<String> = std::thread::scope(|scope| {
        let make = || scope.spawn(|| SealingKey::of_file(&path).unwrap().name().to_owned());
        let threads: Vec<_> = (0..16).map(|_| make()).collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });

    assert!(names.iter().all(|it| *it == names[0]), "{names:?}");
}

#[test]
fn a_file_that_is_no_good_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let write = |path: &Path, text: &str, mode: u32| {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };

    write(&at("open"), &"k".repeat(40), 0o644);
    write(&at("short"), "too short\n", 0o600);
    write(&at("empty"), "", 0o600);

    let refused = |name: &str| SealingKey::of_file(&at(name)).unwrap_err();
    assert!(matches!(refused("open"), SealingKeyFileError::Mode { mode: 0o644, .. }));
    assert!(matches!(refused("short"), SealingKeyFileError::Key { .. }));
    assert!(matches!(refused("empty"), SealingKeyFileError::Key { .. }));
    assert!(matches!(refused("no/such/directory"), SealingKeyFileError::Io { .. }));
    assert_eq!(fs::read_to_string(at("empty")).unwrap(), "");
}

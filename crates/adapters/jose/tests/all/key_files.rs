//! Keys in files: those of the configuration, and those in a directory of our own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use adapter_jose::{DirectoryKeys, KeyFactory, PemFileKeys, PemKeyFile};
use domain::port::{KeyMaker as _, KeyRepository, StoreKeysError};
use domain::{FaultKind, KeyState, SigningAlgorithm, SigningKey};

const ED: SigningAlgorithm = SigningAlgorithm::EdDsa;

async fn made(id: &str) -> SigningKey {
    crate::support::key(id, ED, KeyState::Active, KeyFactory.make(ED).await.unwrap())
}

fn cause(fault: &domain::Fault) -> String {
    std::error::Error::source(fault).unwrap().to_string()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_directory_is_for_its_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("a/keys");
    let store = DirectoryKeys::new(&path, None);

    store.store(0, &[made("A/b").await]).await.unwrap();

    assert_eq!(names(&path), ["key-%41%2fb.1.pem", "keys.json", "keys.lock"]);
    assert_eq!(mode(&path), 0o700);
    for name in names(&path) {
        assert_eq!(mode(&path.join(&name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn looser_modes_are_refused_with_the_command_that_mends_them() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("keys");
    let store = DirectoryKeys::new(&path, None);
    let key = made("k").await;
    store.store(0, std::slice::from_ref(&key)).await.unwrap();

    for (target, open, wanted) in
        [(path.join("key-k.1.pem"), 0o640, 0o600), (path.clone(), 0o750, 0o700)]
    {
        fs::set_permissions(&target, Permissions::from_mode(open)).unwrap();

        let fault = store.load().await.unwrap_err();

        assert_eq!(fault.kind(), FaultKind::Corrupt);
        let remedy = format!("chmod {wanted:o} {}", target.display());
        assert!(cause(&fault).contains(&remedy), "{}", cause(&fault));
        assert!(store.store(1, std::slice::from_ref(&key)).await.is_err());
        fs::set_permissions(&target, Permissions::from_mode(wanted)).unwrap();
        assert_eq!(store.load().await.unwrap().revision, 1);
    }
}

#[tokio::test]
async fn only_what_changed_is_written_and_what_is_gone_is_deleted() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("keys");
    let store = DirectoryKeys::new(&path, None);
    let (a, b) = (made("a").await, made("b").await);
    store.store(0, &[a.clone(), b.clone()]).await.unwrap();
    // A crashed writer left this.
    fs::write(path.join("key-x.2.pem"), "x").unwrap();
    fs::write(path.join("note.txt"), "x").unwrap();

    let renewed = made("a").await;
    let retired = SigningKey { state: KeyState::Retired, ..b };
    store.store(1, &[retired, renewed.clone()]).await.unwrap();

    let files = ["key-a.2.pem", "key-b.1.pem", "keys.json", "keys.lock", "note.txt"];
    assert_eq!(names(&path), files);
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.keys[1].private_key.expose(), renewed.private_key.expose());
}

#[tokio::test]
async fn a_password_encrypts_what_is_written_and_old_plain_keys_with_the_next_change() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("keys");
    let plain = DirectoryKeys::new(&path, None);
    plain.store(0, &[made("a").await]).await.unwrap();
    let encrypted = DirectoryKeys::new(&path, Some("secret".into()));

    let keys = encrypted.load().await.unwrap().keys;
    encrypted.store(1, &keys).await.unwrap();

    let text = fs::read_to_string(path.join("key-a.2.pem")).unwrap();
    assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    let loaded = encrypted.load().await.unwrap().keys;
    assert_eq!(loaded[0].private_key.expose(), keys[0].private_key.expose());
    for other in [plain, DirectoryKeys::new(&path, Some("wrong".into()))] {
        let fault = other.load().await.unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Corrupt);
        assert!(cause(&fault).contains("key-a.2.pem"));
    }
    assert!(!format!("{encrypted:?}").contains("secret"));
}

#[tokio::test]
async fn an_index_that_is_not_ours_is_corrupt_and_leads_nowhere() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("keys");
    let store = DirectoryKeys::new(&path, None);
    store.store(0, &[made("a").await]).await.unwrap();
    let index = path.join("keys.json");
    let good = fs::read_to_string(&index).unwrap();
    for bad in [
        String::new(),
        "{}".to_owned(),
        good.replace("EdDSA", "none"),
        good.replace("active", "asleep"),
        good.replace("key-a.1.pem", "../outside.pem"),
    ] {
        fs::write(&index, &bad).unwrap();

        assert_eq!(store.load().await.unwrap_err().kind(), FaultKind::Corrupt, "{bad}");
    }
}

#[tokio::test]
async fn readers_never_see_half_a_change() {
    let parent = tempfile::tempdir().unwrap();
    let store = DirectoryKeys::new(parent.path().join("keys"), None);
    store.store(0, &[made("k0").await]).await.unwrap();
    let writer = store.clone();

    let writing = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for revision in 1..100 {
                let key = made(&format!("k{revision}")).await;
                writer.store(revision, &[key]).await.unwrap();
            }
        });
    });
    while !writing.is_finished() {
        let loaded = store.load().await.unwrap();
        let expected = format!("k{}", loaded.revision - 1);
        assert_eq!(loaded.keys[0].id.as_str(), expected);
    }
    writing.await.unwrap();
}

fn configured(path: &Path, password: Option<&str>) -> PemKeyFile {
    PemKeyFile {
        path: path.to_owned(),
        key_id: "configured".parse().unwrap(),
        algorithm: ED,
        state: KeyState::Active,
        password: password.map(Into::into),
    }
}

#[tokio::test]
async fn configured_files_are_read_anew_and_never_written() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("key.pem");
    let write = |key: &SigningKey| fs::write(&path, key.private_key.expose()).unwrap();
    let (old, new) = (made("k").await, made("k").await);
    write(&old);
    let files = PemFileKeys::new(vec![configured(&path, None)]);

    let first = files.load().await.unwrap();
    assert_eq!((first.revision, first.keys.len()), (1, 1));
    assert_eq!(first.keys[0].id.as_str(), "configured");
    assert_eq!(first.keys[0].private_key.expose(), old.private_key.expose());
    assert!(first.keys[0].created_at.as_unix_seconds() > 1_600_000_000);
    assert_eq!(files.load().await.unwrap().revision, 1);

    write(&new);
    let second = files.load().await.unwrap();
    assert_eq!(second.revision, 2);
    assert_eq!(second.keys[0].private_key.expose(), new.private_key.expose());

    let refused = files.store(2, &second.keys).await;
    assert!(matches!(refused, Err(StoreKeysError::ReadOnly)));
}

#[tokio::test]
async fn a_configured_file_that_is_no_key_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("key.pem");
    let files = PemFileKeys::new(vec![configured(&path, None)]);
    let missing = files.load().await.unwrap_err();
    assert_eq!(missing.kind(), FaultKind::Unavailable);
    assert!(cause(&missing).contains("key.pem"), "{}", cause(&missing));

    let rsa = KeyFactory.make(SigningAlgorithm::Rs256).await.unwrap();
    fs::write(&path, rsa.expose()).unwrap();
    let other = files.load().await.unwrap_err();
    assert_eq!(other.kind(), FaultKind::Corrupt);
    assert!(cause(&other).ends_with("its RSA (2048 bits) key cannot sign with EdDSA"));
    assert!(files.check().is_err());
}

#[tokio::test]
async fn a_needless_password_is_told_at_start() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("key.pem");
    fs::write(&path, made("k").await.private_key.expose()).unwrap();

    let with = PemFileKeys::new(vec![configured(&path, Some("secret"))]);
    let without = PemFileKeys::new(vec![configured(&path, Some("")), configured(&path, None)]);

    assert_eq!(with.check().unwrap(), [path.as_path()]);
    assert!(without.check().unwrap().is_empty());
    assert!(!format!("{with:?}").contains("secret"));
}

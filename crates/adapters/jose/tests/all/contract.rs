//! What every `KeyRepository` does, done by [`DirectoryKeys`].

use adapter_jose::{DirectoryKeys, KeyFactory};
use domain::SigningAlgorithm;
use domain::port::{KeyMaker as _, KeyRepository};

mod key_repository {
    ::contract::key_repository! {
        #[tokio::test]
        fixture() {
            let parent = tempfile::tempdir().unwrap();
            (super::DirectoryKeys::new(parent.path().join("keys"), None), parent)
        }
    }
}

mod key_repository_with_a_password {
    ::contract::key_repository! {
        #[tokio::test]
        fixture() {
            let parent = tempfile::tempdir().unwrap();
            let password = Some("correct horse".into());
            (super::DirectoryKeys::new(parent.path().join("keys"), password), parent)
        }
    }
}

#[tokio::test]
async fn keys_that_we_make_come_out_as_they_went_in() {
    for algorithm in SigningAlgorithm::ALL {
        let pem = KeyFactory.make(algorithm).await.unwrap();
        for password in [None, Some("correct horse".into())] {
            let parent = tempfile::tempdir().unwrap();
            let store = DirectoryKeys::new(parent.path().join("keys"), password);
            let key = domain::SigningKey {
                id: "k".parse().unwrap(),
                algorithm,
                state: domain::KeyState::Active,
                private_key: pem.clone(),
                created_at: domain::Timestamp::from_unix_millis(1),
                retired_at: None,
            };

            store.store(0, &[key]).await.unwrap();

            let loaded = store.load().await.unwrap();
            assert_eq!(loaded.keys[0].private_key.expose(), pem.expose());
        }
    }
}

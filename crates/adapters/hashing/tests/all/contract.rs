//! What every `SecretHasher` does, done in every scheme and by the decorator; and what every
//! `MacVerifier` does.

use std::sync::Arc;
use std::time::Duration;

use adapter_hashing::{RememberingHasher, RememberingOptions, Scheme};

use crate::support::{ARGON2ID, BCRYPT, hasher};

mod bcrypt {
    contract::secret_hasher! {
        #[tokio::test]
        fixture() { (super::hasher(super::BCRYPT), ()) }
    }
}

mod argon2id {
    contract::secret_hasher! {
        #[tokio::test]
        fixture() { (super::hasher(super::ARGON2ID), ()) }
    }
}

mod keyed {
    contract::secret_hasher! {
        #[tokio::test]
        fixture() { (super::hasher(super::Scheme::Keyed), ()) }
    }
}

mod remembering {
    contract::secret_hasher! {
        #[tokio::test]
        fixture() { (super::remembering(super::BCRYPT), ()) }
    }
}

mod remembering_keyed {
    contract::secret_hasher! {
        #[tokio::test]
        fixture() { (super::remembering(super::Scheme::Keyed), ()) }
    }
}

mod sealed {
    contract::mac_verifier! {
        #[tokio::test]
        fixture() {
            let key = adapter_hashing::SealingKey::new(&[7; 32]).unwrap();
            (adapter_hashing::SealedSecrets::new(Some(key)).unwrap(), ())
        }
    }
}

fn remembering(scheme: Scheme) -> RememberingHasher {
    let options = RememberingOptions { capacity: 100, time_to_idle: Duration::from_mins(1) };
    RememberingHasher::new(Arc::new(hasher(scheme)), options).unwrap()
}

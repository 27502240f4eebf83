//! Keys at addresses that are nowhere.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::port::{RemoteKeySet, RemoteKeys};
use domain::{Fault, JwksUri, JwksUriRefusal, PublicJwk};

use crate::lock::locked;

/// Keys at addresses that are nowhere. What is not published is out. It yields once for each call,
/// so that calls at the same time do overlap.
#[derive(Debug, Default)]
pub struct PublishedKeys {
    sets: Mutex<BTreeMap<JwksUri, Arc<RemoteKeySet>>>,
    fetches: AtomicUsize,
}

impl PublishedKeys {
    /// Publishes `keys` at `uri`, in the place of those that were there.
    pub fn publish(&self, uri: &JwksUri, keys: Vec<PublicJwk>) {
        self.publish_set(uri, RemoteKeySet { keys, max_age: None });
    }

    /// Publishes a whole set.
    pub fn publish_set(&self, uri: &JwksUri, set: RemoteKeySet) {
        locked(&self.sets).insert(uri.clone(), Arc::new(set));
    }

    /// Nothing is there any more.
    pub fn go_out(&self, uri: &JwksUri) {
        locked(&self.sets).remove(uri);
    }

    /// How often anything was fetched, or was to be.
    #[must_use]
    pub fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl RemoteKeys for PublishedKeys {
    fn refusal(&self, uri: &JwksUri) -> Option<JwksUriRefusal> {
        (!uri.is_https()).then_some(JwksUriRefusal::NotHttps)
    }

    async fn look_again(&self, uri: &JwksUri) -> Result<Arc<RemoteKeySet>, Fault> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let found = locked(&self.sets).get(uri).cloned();
        found.ok_or_else(|| Fault::unavailable("nothing is published there"))
    }
}

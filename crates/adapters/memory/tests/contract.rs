//! The stores in memory keep the promises of their ports, with and without the decorators.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::testing::{Counting, Faulty, ManualClock};
use adapter_memory::{
    Announced, CacheOptions, CachedClients, CachedCredentials, CachedReferences, CachedTokens,
    MemoryBootstrap, MemoryCatalogue, MemoryChanges, MemoryClients, MemoryCredentials, MemoryKeys,
    MemoryReferenceTokens, MemoryReplayGuard, MemoryTokenCache, MemoryTokens, News,
    TokenCacheBreaker,
};
use domain::port::{
    CatalogueRepository, ChangeAnnouncer as _, ClientRepository, CredentialRepository,
    KeyRepository, TokenRepository,
};

fn options() -> CacheOptions {
    CacheOptions {
        capacity: 1_000,
        fresh_for: Duration::from_secs(5),
        stale_for: Duration::from_mins(1),
        retry_after: Duration::from_secs(1),
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::default()
}

mod client_repository {
    use super::*;

    contract::client_repository! {
        #[tokio::test]
        fixture() { (MemoryClients::default(), ()) }
    }
}

mod client_directory {
    use super::*;

    contract::client_directory! {
        #[tokio::test]
        fixture() { (MemoryClients::default(), ()) }
    }
}

mod change_set_repository {
    use super::*;

    contract::change_set_repository! {
        #[tokio::test]
        fixture() { (MemoryClients::default(), ()) }
    }
}

mod client_transaction {
    use super::*;

    contract::client_transaction! {
        #[tokio::test]
        fixture() { (MemoryClients::default(), ()) }
    }
}

mod login_ledger {
    use super::*;

    contract::login_ledger! {
        #[tokio::test]
        fixture() { (MemoryClients::default(), ()) }
    }
}

mod credential_repository {
    use super::*;

    contract::credential_repository! {
        #[tokio::test]
        fixture() { (MemoryCredentials::default(), ()) }
    }
}

mod token_repository {
    use super::*;

    contract::token_repository! {
        #[tokio::test]
        fixture() { (MemoryTokens::new(clock()), ()) }
    }
}

mod replay_guard {
    use super::*;

    contract::replay_guard! {
        #[tokio::test]
        fixture() { (MemoryReplayGuard::default(), ()) }
    }
}

mod key_repository {
    use super::*;

    contract::key_repository! {
        #[tokio::test]
        fixture() { (MemoryKeys::default(), ()) }
    }
}

mod catalogue_repository {
    use super::*;

    contract::catalogue_repository! {
        #[tokio::test]
        fixture() { (MemoryCatalogue::default(), ()) }
    }
}

mod announced_catalogue_repository {
    use super::*;

    contract::catalogue_repository! {
        #[tokio::test]
        fixture() {
            let store: Arc<dyn CatalogueRepository> = Arc::new(MemoryCatalogue::default());
            (Announced::new(store, Arc::new(News::default())), ())
        }
    }
}

mod bootstrap_repository {
    use super::*;

    contract::bootstrap_repository! {
        #[tokio::test]
        fixture() { (MemoryBootstrap::default(), ()) }
    }
}

mod cached_client_repository {
    use super::*;

    contract::client_repository! {
        #[tokio::test]
        fixture() {
            let store = Counting::new(Arc::new(MemoryClients::default()));
            (CachedClients::new(Arc::new(store), options(), clock()), ())
        }
    }
}

mod cached_credential_repository {
    use super::*;

    contract::credential_repository! {
        #[tokio::test]
        fixture() {
            let store = Faulty::new(Arc::new(MemoryCredentials::default()));
            (CachedCredentials::new(Arc::new(store), options(), clock()), ())
        }
    }
}

mod cached_token_repository {
    use super::*;

    contract::token_repository! {
        #[tokio::test]
        fixture() {
            let store = Counting::new(Arc::new(MemoryTokens::new(clock())));
            let fresh_for = Duration::from_secs(5);
            (CachedTokens::new(Arc::new(store), 1_000, fresh_for, clock()), ())
        }
    }
}

mod change_feed {
    use super::*;

    contract::change_feed! {
        #[tokio::test]
        fixture() {
            let changes = Arc::new(MemoryChanges::default());
            let announcer = Arc::clone(&changes);
            let cause = move |change| {
                let announcer = Arc::clone(&announcer);
                Box::pin(async move { announcer.announce(&change).await.unwrap() }) as _
            };
            (contract::change_feed::Rig { feed: changes, cause: Box::new(cause), names: |_| true }, ())
        }
    }
}

mod announced_client_repository {
    use super::*;

    contract::client_repository! {
        #[tokio::test]
        fixture() {
            let store: Arc<dyn ClientRepository> = Arc::new(MemoryClients::default());
            (Announced::new(store, Arc::new(News::default())), ())
        }
    }
}

mod announced_credential_repository {
    use super::*;

    contract::credential_repository! {
        #[tokio::test]
        fixture() {
            let store: Arc<dyn CredentialRepository> = Arc::new(MemoryCredentials::default());
            (Announced::new(store, Arc::new(News::default())), ())
        }
    }
}

mod announced_token_repository {
    use super::*;

    contract::token_repository! {
        #[tokio::test]
        fixture() {
            let store: Arc<dyn TokenRepository> = Arc::new(MemoryTokens::new(clock()));
            (Announced::new(store, Arc::new(News::default())), ())
        }
    }
}

mod announced_key_repository {
    use super::*;

    contract::key_repository! {
        #[tokio::test]
        fixture() {
            let store: Arc<dyn KeyRepository> = Arc::new(MemoryKeys::default());
            (Announced::new(store, Arc::new(News::default())), ())
        }
    }
}

mod reference_token_repository {
    use super::*;

    contract::reference_token_repository! {
        #[tokio::test]
        fixture() { (MemoryReferenceTokens::new(clock()), ()) }
    }
}

mod token_cache {
    use super::*;

    contract::token_cache! {
        #[tokio::test]
        fixture() { (MemoryTokenCache::new(100), ()) }
    }
}

mod token_cache_breaker {
    use super::*;

    contract::token_cache! {
        #[tokio::test]
        fixture() {
            let store = Arc::new(MemoryTokenCache::new(100));
            let pause = Duration::from_secs(5);
            (TokenCacheBreaker::new(store, Arc::new(ManualClock::default()), pause), ())
        }
    }
}

mod cached_reference_token_repository {
    use super::*;

    contract::reference_token_repository! {
        #[tokio::test]
        fixture() {
            let store = Arc::new(MemoryReferenceTokens::new(clock()));
            (CachedReferences::new(store, 1_000, clock()), ())
        }
    }
}

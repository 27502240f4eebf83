//! Every port in process: stores that live as long as the process, the decorators that spare
//! other stores work, and, behind the feature `testing`, the fakes that use-case tests need.
//!
//! A decorator implements the port it wraps (`Cached*`, `WriteBehind`), so neither a use-case nor
//! a store knows that it is there.

mod announced;
mod answer;
mod background_tasks;
mod bootstrap;
mod bounded;
mod cache_options;
mod cached_clients;
mod cached_credentials;
mod cached_references;
mod cached_remote_keys;
mod cached_tokens;
mod cached_transaction;
mod catalogue;
mod change_sets;
mod changes;
mod clients;
mod clock;
mod credentials;
mod expiring;
mod invalidation;
mod kept_client;
mod keys;
mod lock;
mod news;
mod read_through;
mod reference_tokens;
mod replay_guard;
mod shared_fault;
mod single_flight;
#[cfg(feature = "testing")]
pub mod testing;
mod token_cache;
mod token_cache_breaker;
mod tokens;
mod uncached_reads;
mod write_behind;

pub use announced::Announced;
pub use background_tasks::BackgroundTasks;
pub use bootstrap::MemoryBootstrap;
pub use cache_options::{CacheOptions, CacheStatistics};
pub use cached_clients::CachedClients;
pub use cached_credentials::CachedCredentials;
pub use cached_references::CachedReferences;
pub use cached_remote_keys::{CachedRemoteKeys, RemoteKeysOptions};
pub use cached_tokens::CachedTokens;
pub use cached_transaction::CachedTransaction;
pub use catalogue::MemoryCatalogue;
pub use changes::MemoryChanges;
pub use clients::MemoryClients;
pub use clock::SystemClock;
pub use credentials::MemoryCredentials;
pub use invalidation::Invalidation;
pub use keys::MemoryKeys;
pub use news::News;
pub use reference_tokens::MemoryReferenceTokens;
pub use replay_guard::MemoryReplayGuard;
pub use token_cache::MemoryTokenCache;
pub use token_cache_breaker::TokenCacheBreaker;
pub use tokens::MemoryTokens;
pub use uncached_reads::UncachedReads;
pub use write_behind::WriteBehind;

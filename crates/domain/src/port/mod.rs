//! What the use-cases need from the world, in the domain's own words.
//!
//! Rules every port follows:
//!
//! - it is object-safe, `Send + Sync`, and held as `Arc<dyn Port>`;
//! - it is `async` only if an adapter can wait on the network, the disk or a queue;
//! - absence is `Option`, a conflict the caller can act on is a variant or a `bool`, and
//!   everything else is a [`Fault`](crate::Fault);
//! - each method is atomic by itself: there is no transaction object, and what has to change
//!   together is one method with a name;
//! - its promises are written as doc comments here and as cases in `contract`.

mod background;
mod bootstrap_repository;
mod catalogue_repository;
mod change_feed;
mod change_set_repository;
mod client_repository;
mod client_transaction;
mod clock;
mod credential_repository;
mod entropy;
mod health_probe;
mod key_repository;
mod known;
mod last_use;
mod mac_verifier;
mod reference_token_repository;
mod remote_keys;
mod replay_guard;
mod secret_hasher;
mod secret_reader;
mod token_cache;
mod token_digester;
mod token_endpoint;
mod token_repository;
mod token_signer;
mod token_vault;
mod token_verifier;

pub use background::Background;
pub use bootstrap_repository::BootstrapRepository;
pub use catalogue_repository::{CatalogueRepository, StoreCatalogueError};
pub use change_feed::{ChangeAnnouncer, ChangeFeed, ChangeListener};
pub use change_set_repository::{ChangeSetPage, ChangeSetQuery, ChangeSetRepository};
pub use client_repository::{
    ClientDirectory, ClientPage, ClientQuery, ClientRepository, InsertClientError, LoginLedger,
    UpdateClientError,
};
pub use client_transaction::{ApplyError, ClientTransaction, ClientWrite};
pub use clock::Clock;
pub use credential_repository::CredentialRepository;
pub use entropy::Entropy;
pub use health_probe::HealthProbe;
pub use key_repository::{KeyMaker, KeyRepository, KeyRingInstaller, StoreKeysError};
pub use known::Known;
pub use last_use::LastUse;
pub use mac_verifier::{MacVerifier, SecretOwner};
pub use reference_token_repository::ReferenceTokenRepository;
pub use remote_keys::{RemoteKeySet, RemoteKeys};
pub use replay_guard::ReplayGuard;
pub use secret_hasher::{SecretHasher, Verdict};
pub use secret_reader::SecretReader;
pub use token_cache::TokenCache;
pub use token_digester::TokenDigester;
pub use token_endpoint::{
    IntrospectionEndpoint, IntrospectionQuestion, ProviderDocuments, SecretText, TokenEndpoint,
};
pub use token_repository::TokenRepository;
pub use token_signer::TokenSigner;
pub use token_vault::TokenVault;
pub use token_verifier::{SignatureVerifier, TokenVerifier};

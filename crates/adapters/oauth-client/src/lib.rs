//! The other side of OAuth: asks other people's authorization servers for tokens, for explanations
//! of tokens and for their keys, and seals the tokens that they give.
//!
//! [`OauthClient`] speaks to servers. One of it stands for one way to reach them: the certificates
//! that are trusted and shown, the timeouts, the key that signs assertions. [`AesVault`] encrypts, and
//! [`SecretDirectory`] and
//! [`KubernetesSecrets`] read the secrets that a gateway's configuration refers to.

mod assertion;
mod assertion_key;
mod client;
mod exchange;
mod kubernetes_secrets;
mod mishap;
mod options;
mod ports;
mod secret_directory;
mod vault;

pub use assertion_key::{AssertionKey, InvalidAssertionKey};
pub use client::{InvalidOauthClientOptions, OauthClient};
pub use kubernetes_secrets::{KubernetesSecrets, NoKubernetes};
pub use options::{ClientCertificate, HmacAlgorithm, OauthClientOptions, Trust};
pub use secret_directory::SecretDirectory;
pub use vault::{AesVault, InvalidVaultSecret};

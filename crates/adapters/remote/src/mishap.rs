//! What can go wrong on the way. It is for the log: a caller hears that the keys are out, and no more.

use std::error::Error;
use std::time::Duration;

use domain::{InvalidJwkSet, JwksUriRefusal};

/// What went wrong. No text holds more of the address than what its owner sees anyway, nor anything
/// that was read there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Mishap {
    /// It may not be asked.
    #[error("the jwks_uri {0}")]
    Refused(JwksUriRefusal),
    /// The name leads to nothing that may be asked.
    #[error("the name in the jwks_uri leads to no address that may be asked")]
    ForbiddenName,
    /// The name leads nowhere, or too many are being looked up.
    #[error("the name in the jwks_uri cannot be looked up")]
    Name(#[source] Box<dyn Error + Send + Sync>),
    /// There is no way to ask over TLS.
    #[error("TLS to the jwks_uri cannot be set up")]
    Tls(#[source] reqwest::Error),
    /// No connection, or one that broke.
    #[error("the jwks_uri does not answer")]
    Transport(#[source] reqwest::Error),
    /// It answers something else; a redirect, too.
    #[error("the jwks_uri answers with status {0}")]
    Status(u16),
    /// It answers with more than anybody needs.
    #[error("the jwks_uri answers with more than {} bytes", crate::published_keys::MAX_BYTES)]
    TooLarge,
    /// What it answers is no set of public keys.
    #[error("what the jwks_uri answers is not used")]
    Unusable(#[source] InvalidJwkSet),
    /// It took too long.
    #[error("the jwks_uri did not answer whole within {} ms", .0.as_millis())]
    Late(Duration),
}

impl Mishap {
    /// A failure of the transport, without the address, which may hold what is nobody's business.
    pub(crate) fn transport(error: reqwest::Error) -> Self {
        Self::Transport(error.without_url())
    }
}

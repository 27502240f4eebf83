//! What is written down behind a request, without the request waiting for it.

use crate::{ClientId, SecretId, Timestamp};

/// A client was given a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Which client.
    pub client: ClientId,
    /// When.
    pub at: Timestamp,
}

/// A secret verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretUse {
    /// Whose secret.
    pub client: ClientId,
    /// Which secret.
    pub secret: SecretId,
    /// When.
    pub at: Timestamp,
}

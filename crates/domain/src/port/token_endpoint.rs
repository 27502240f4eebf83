//! Asks somebody else's authorization server.

use async_trait::async_trait;
use url::Url;

use crate::gateway::{
    Claims, ClientAuthentication, FetchCredentials, FetchFailure, FetchedToken, TokenFetch,
};

/// Gets tokens from somebody else's authorization server (RFC 6749 section 4.4).
#[async_trait]
pub trait TokenEndpoint: Send + Sync {
    /// Asks for a token, and asks again where that may help, for no longer than its deadline. A
    /// redirect is never followed, and what is longer than a mebibyte is not read. Whoever drops the
    /// future ends it.
    ///
    /// # Errors
    ///
    /// [`FetchFailure`], which the last try decides.
    async fn fetch(&self, fetch: &TokenFetch) -> Result<FetchedToken, FetchFailure>;
}

/// A question about a token (RFC 7662 section 2.1).
#[derive(Debug)]
pub struct IntrospectionQuestion<'a> {
    /// The introspection endpoint.
    pub url: &'a Url,
    /// The token. It is never written to a log.
    pub token: SecretText<'a>,
    /// Who asks.
    pub credentials: &'a FetchCredentials,
    /// How the endpoint is shown who asks.
    pub authentication: ClientAuthentication,
    /// Whom an assertion is for.
    pub assertion_audience: Option<&'a str>,
}

/// A text that no log shows.
#[derive(Clone, Copy)]
pub struct SecretText<'a>(pub &'a str);

impl std::fmt::Debug for SecretText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Has tokens explained by somebody else's authorization server.
#[async_trait]
pub trait IntrospectionEndpoint: Send + Sync {
    /// What the server says of a token: the members of its answer, or `None` if the token is not
    /// active. It keeps to the bounds of [`TokenEndpoint::fetch`].
    ///
    /// # Errors
    ///
    /// [`FetchFailure`].
    async fn introspect(
        &self,
        question: &IntrospectionQuestion<'_>,
    ) -> Result<Option<Claims>, FetchFailure>;
}

/// Gets what an identity provider publishes: its metadata and its keys.
#[async_trait]
pub trait ProviderDocuments: Send + Sync {
    /// The document at `url`, or `None` if there is none (404). It keeps to the bounds of
    /// [`TokenEndpoint::fetch`].
    ///
    /// # Errors
    ///
    /// [`FetchFailure`].
    async fn document(&self, url: &Url) -> Result<Option<Vec<u8>>, FetchFailure>;
}

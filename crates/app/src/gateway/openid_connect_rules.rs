//! What an operator says about `openid_connect`.

use std::fmt;

use domain::gateway::{
    ClaimPath, ClientAuthentication, FetchCredentials, ForwardHeaders, HeaderName, KeepingRules,
    TokenRules,
};
use url::Url;

/// What an operator says about `openid_connect`.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that an operator has")]
pub struct OpenidConnectRules {
    /// The caller's credentials are exchanged for a token.
    pub takes_credentials: bool,
    /// A JWT of the caller is verified.
    pub takes_jwts: bool,
    /// A token of the caller is introspected.
    pub takes_opaque_tokens: bool,
    /// Where the caller's credentials may be.
    pub places: CredentialPlaces,
    /// The token endpoint, if that is not for the metadata to say.
    pub token_endpoint: Option<Url>,
    /// How it is shown the caller's credentials, if that is not for the metadata to say.
    pub token_endpoint_authentication: Option<ClientAuthentication>,
    /// More members of the form.
    pub arguments: Vec<(Box<str>, Box<str>)>,
    /// Names of members that are taken from the caller's query or form.
    pub caller_arguments: Vec<Box<str>>,
    /// More headers.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// Sent as `scope`.
    pub scopes: Vec<Box<str>>,
    /// How long tokens are kept; `None` for not at all.
    pub keeping: Option<KeepingRules>,
    /// See [`TokenFetch::salt`](domain::gateway::TokenFetch::salt).
    pub salt: Box<str>,
    /// Whether signatures are verified.
    pub verifies_signatures: bool,
    /// What must be true of a token. No issuers stands for that of the metadata.
    pub token: TokenRules,
    /// The gateway's own credentials, with which it introspects.
    pub own_credentials: Option<FetchCredentials>,
    /// How they are shown.
    pub own_authentication: ClientAuthentication,
    /// The introspection endpoint, if that is not for the metadata to say.
    pub introspection_endpoint: Option<Url>,
    /// JWTs are introspected as well.
    pub introspects_jwts: bool,
    /// Introspection answers are kept.
    pub keeps_introspections: bool,
    /// The header in which upstream gets the token; `None` for none.
    pub upstream_token: Option<UpstreamToken>,
    /// Claims that travel on as headers.
    pub upstream_headers: ForwardHeaders,
    /// The claim that names the consumer.
    pub consumer: Option<ClaimPath>,
    /// A caller who is no consumer may go on.
    pub is_consumer_optional: bool,
    /// Credentials never reach upstream.
    pub hides_credentials: bool,
    /// Names of arguments that are hidden as well.
    pub hidden_arguments: Vec<Box<str>>,
    /// What a 401 says.
    pub unauthorized_message: Box<str>,
    /// What a 403 says.
    pub forbidden_message: Box<str>,
    /// A challenge says what went wrong.
    pub exposes_error_code: bool,
    /// Preflights are judged as all requests are.
    pub runs_on_preflight: bool,
}

/// Where the caller's credentials may be, looked for in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialPlaces {
    /// Basic credentials.
    pub header: bool,
    /// `client_id` and `client_secret` in the query.
    pub query: bool,
    /// `client_id` and `client_secret` in a form.
    pub body: bool,
}

/// The header in which upstream gets the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamToken {
    /// The header.
    pub header: HeaderName,
    /// What stands before the token: `Bearer`, or nothing.
    pub scheme: Option<Box<str>>,
}

/// Arguments and headers for the token endpoint may be secrets.
impl fmt::Debug for OpenidConnectRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenidConnectRules")
            .field("places", &self.places)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

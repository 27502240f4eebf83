//! What the service *means*: values, rules, decisions, and the ports.
//!
//! Nothing here performs I/O, waits, reads a clock, draws randomness or computes a
//! cryptographic function, so every rule can be tested with a plain function call.

pub mod access_token;
pub mod assertion;
pub mod catalogue;
mod change;
pub mod change_set;
mod client;
mod client_settings;
mod credential;
mod fault;
pub mod gateway;
pub mod grant;
mod json;
mod jwk;
mod jwk_set;
mod jwks_uri;
mod jws;
mod key;
mod key_turns;
mod login;
pub mod management;
pub mod port;
mod reference_token;
mod scope;
mod secret;
mod text;
mod time;

pub use access_token::{
    AccessToken, AccessTokenClaims, ClaimsShape, PermissionsClaim, SignedToken, TokenProfile,
};
pub use assertion::{AssertionPolicy, AssertionRefusal, ClientAssertion, VerifiedAssertion};
pub use catalogue::{
    Catalogue, CatalogueEdition, CatalogueMode, InvalidCatalogue, RegisteredScope, Resource,
    ResourceIdentifier,
};
pub use change::Change;
pub use client::{
    AuthenticationMethod, Capability, Client, ClientState, InformativeMetadata, Revision,
    UnknownName,
};
pub use client_settings::{
    AssertionAudience, ClientSettings, InvalidClientSettings, LONGEST_TOKEN_LIFETIME, TokenFormat,
};
pub use credential::{
    Credential, EndingSecret, MAX_SECRETS_PER_CLIENT, SecretHash, SecretSelector, TokenDigest,
};
pub use fault::{Fault, FaultKind};
pub use grant::{DefaultAudience, Grant, GrantRefusal, GrantRequest, ReferenceStyle, TokenPolicy};
pub use json::{InvalidJson, JsonObject, parse_object};
pub use jwk::{InvalidJwk, PublicJwk, PublicKey, SigningAlgorithm};
pub use jwk_set::{InvalidJwkSet, parse_jwk_set};
pub use jwks_uri::{InvalidJwksUri, JwksUri, JwksUriRefusal};
pub use jws::{CompactJws, CompactMac, JwsHeader, JwsRejection, MacAlgorithm};
pub use key::{KeySet, KeyState, PrivateKeyPem, SigningKey};
pub use key_turns::{KeyPolicy, RotationRefusal, UnknownKey};
pub use login::{Login, SecretUse};
pub use reference_token::{CacheKey, OpaqueToken, ReferenceToken, SealedToken};
pub use scope::{InvalidScope, Scope, ScopeToken};
pub use secret::ClientSecret;
pub use text::{
    Audience, Author, ChangeNote, ChangeSetId, ClaimName, ClientId, ClientName, Description,
    InvalidText, InvalidTextReason, Issuer, KeyId, Permission, ResourceName, SecretId, SecretName,
    TokenId,
};
pub use time::Timestamp;

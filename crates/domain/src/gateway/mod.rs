//! What a gateway decides: whose token a request needs, whether that token is good enough, and
//! what the request goes on with.

mod claims;
mod claims_expression;
mod credentials;
mod denial;
mod fetch;
mod fetched_token;
mod forward_headers;
mod header;
mod provider;
mod secret_reference;
mod token_rules;
mod verdict;

pub use claims::{Claim, ClaimPath, Claims};
pub use claims_expression::{ClaimsExpression, InvalidClaimsExpression};
pub use credentials::{CredentialsEncoding, FetchCredentials, NoCredentials, authorization};
pub use denial::{Blame, Denial, Whose};
pub use fetch::{ClientAuthentication, FetchFailure, ServerRefusal, TokenFetch};
pub use fetched_token::{Ending, FetchedToken, Keeping, KeepingRules};
pub use forward_headers::{DoubledHeader, ForwardHeaders, MissingClaim, UnfitClaim, username};
pub use header::{HeaderName, HeaderValue, InvalidHeader};
pub use provider::{
    InvalidKeys, InvalidMetadata, InvalidProviderAddress, ProviderAddress, ProviderKeys,
    ProviderMetadata,
};
pub use secret_reference::{InvalidSecretReference, SecretReference};
pub use token_rules::{
    ClaimsSource, Requirement, RequirementKind, TokenFlaw, TokenRules, is_bound,
    may_be_access_token,
};
pub use verdict::{CacheUse, Passage, Refusal, RefusalBody, UsedToken, Verdict, challenge};

//! What a gateway does with a request: finds out who calls, and gets the token that upstream wants.
//!
//! [`PolicyChain::execute`] is the one way in, for a proxy and for a forward-auth endpoint alike:
//! it takes a [`GatewayRequest`] and gives a [`Verdict`](domain::gateway::Verdict).

mod bearer;
mod caller_credentials;
mod chain;
mod client_credentials;
mod flights;
mod introspections;
mod kept_token;
mod openid_connect;
mod openid_connect_rules;
mod provider;
mod rejection;
mod request;
pub mod settings;
mod token_source;

pub use bearer::{BearerPolicy, BearerRules};
pub use chain::{Policy, PolicyChain};
pub use client_credentials::{ClientCredentialsPolicy, ClientCredentialsRules};
pub use introspections::{IntrospectionServer, Introspections};
pub use openid_connect::OpenidConnectPolicy;
pub use openid_connect_rules::{CredentialPlaces, OpenidConnectRules, UpstreamToken};
pub use provider::{Provider, ProviderOut, ProviderParts};
pub use request::GatewayRequest;
pub use token_source::{Obtained, TokenSource, TokenSourceParts, TokenSourceStatistics, Wanted};

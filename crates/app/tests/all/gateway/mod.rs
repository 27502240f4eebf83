//! The gateway's use-cases, on stores in memory and servers under a script.

mod bearer;
mod chain;
mod client_credentials;
mod openid_connect;
mod openid_tokens;
mod provider;
mod settings;
mod support;
mod token_source;

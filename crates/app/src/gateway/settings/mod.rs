//! The configuration of policies: read from what a YAML, TOML or JSON file holds, with every mistake
//! at once.

mod bearer;
mod client_credentials;
mod connection;
mod openid_connect;
mod secrets;
mod section;

pub use bearer::{BearerSettings, IntrospectionSettings};
pub use client_credentials::ClientCredentialsSettings;
pub use connection::{
    CachingSettings, CertificateSettings, ConnectionSettings, RedisSettings, RedisTlsSettings,
    RedisTopology, StoreSettings,
};
pub use openid_connect::{OpenidConnectSettings, PrivateJwk};
pub use secrets::ResolveSecrets;
pub use section::Mistake;

use section::{Findings, Section};
use serde_json::Value;

/// A policy as it is configured.
#[derive(Clone, Debug)]
pub enum PolicySettings {
    /// `oauth_client_credentials`.
    ClientCredentials(Box<ClientCredentialsSettings>),
    /// `openid_connect`.
    OpenidConnect(Box<OpenidConnectSettings>),
    /// `bearer`.
    Bearer(Box<BearerSettings>),
}

/// Reads one policy: an object with the name of its kind as its one key. `path` says where it
/// stands. Secrets are in it already ([`ResolveSecrets`]). With it come warnings: what is allowed,
/// and should be known.
///
/// # Errors
///
/// Every mistake, with its path.
pub fn read_policy(
    path: &str,
    value: &Value,
) -> Result<(PolicySettings, Vec<Mistake>), Vec<Mistake>> {
    let findings = Findings::default();
    let section = Section::new(path, value, &findings);
    let kinds = (
        section.section("oauth_client_credentials"),
        section.section("openid_connect"),
        section.section("bearer"),
    );
    section.finish();
    let policy = match kinds {
        (Some(section), None, None) => client_credentials::read(section)
            .map(|it| PolicySettings::ClientCredentials(Box::new(it))),
        (None, Some(section), None) => {
            openid_connect::read(section).map(|it| PolicySettings::OpenidConnect(Box::new(it)))
        }
        (None, None, Some(section)) => {
            Some(PolicySettings::Bearer(Box::new(bearer::read(section))))
        }
        (_, _, _) => {
            let message =
                "must have one of the keys oauth_client_credentials, openid_connect, bearer";
            findings.mistake(path, message);
            None
        }
    };
    findings.verdict(policy)
}

//! The keys of `bearer`.

use std::time::Duration;

use domain::gateway::{
    ClaimPath, ClientAuthentication, FetchCredentials, ProviderAddress, Requirement,
    RequirementKind, TokenRules,
};
use url::Url;

use super::client_credentials::{claim, claims, forwarded, scopes, style};
use super::connection::{ConnectionSettings, endpoint};
use super::section::Section;
use crate::gateway::BearerRules;

/// A policy `bearer`.
#[derive(Clone, Debug)]
pub struct BearerSettings {
    /// What it does.
    pub rules: BearerRules,
    /// Where whoever signs JWTs describes itself.
    pub address: Option<ProviderAddress>,
    /// Where its keys are, if that is not for the metadata to say.
    pub jwks_uri: Option<Url>,
    /// An unknown key is looked for once in this time.
    pub rediscovery: Duration,
    /// Who explains tokens.
    pub introspection: Option<IntrospectionSettings>,
    /// How servers are reached.
    pub connection: ConnectionSettings,
}

/// Who explains tokens.
#[derive(Clone, Debug)]
pub struct IntrospectionSettings {
    /// The introspection endpoint.
    pub url: Url,
    /// Who asks.
    pub credentials: FetchCredentials,
    /// How that is shown.
    pub authentication: ClientAuthentication,
    /// Whether answers are kept.
    pub is_cached: bool,
}

pub(super) fn read(section: Section<'_>) -> BearerSettings {
    let address = section.parsed("issuer", ProviderAddress::parse);
    let jwks_uri = section.parsed("jwksUri", endpoint);
    let rediscovery = section.number("rediscoverySeconds", 1).unwrap_or(30);
    let introspection = section.section("introspection");
    let has_introspection = introspection.is_some();
    let introspection = introspection.and_then(introspection_settings);
    if !section.has("issuer") && !section.has("jwksUri") && !has_introspection {
        section.mistake(
            "issuer",
            "is required, or jwksUri, or introspection: who vouches for a token?",
        );
    }
    let issuers: Vec<Box<str>> =
        section.texts("issuers").unwrap_or_default().into_iter().map(Into::into).collect();
    if section.has("jwksUri") && !section.has("issuer") && issuers.is_empty() {
        section.mistake("issuers", "is required beside jwksUri: whose tokens are they?");
    }
    let required: Vec<Box<str>> = scopes(&section, "scopes");
    let requirements = [scope_requirement(&required), audience_requirement(&section)];
    let rules = BearerRules {
        token: TokenRules {
            // An introspection answer without a known issuer is judged by its times alone.
            verify_claims: true,
            leeway: Duration::from_secs(section.number("leewaySeconds", 0).unwrap_or(0)),
            issuers,
            requirements: requirements.into_iter().flatten().collect(),
            forbidden: Vec::new(),
        },
        claims: claims(&section),
        scopes: required,
        forward: forwarded(&section),
        username: claim(&section, "usernameClaim"),
        hides_token: section.flag("hideToken", false),
    };
    let path = section.path("clientConfig");
    let connection = ConnectionSettings::camel_case(section.section("clientConfig"), path);
    section.finish();
    BearerSettings {
        rules,
        address,
        jwks_uri,
        rediscovery: Duration::from_secs(rediscovery),
        introspection,
        connection,
    }
}

/// All of them.
fn scope_requirement(scopes: &[Box<str>]) -> Option<Requirement> {
    if scopes.is_empty() {
        return None;
    }
    Requirement::new(RequirementKind::Scope, ClaimPath::of_names(["scope"])?, &[scopes.join(" ")])
}

/// One of them.
fn audience_requirement(section: &Section<'_>) -> Option<Requirement> {
    let audiences: Vec<String> =
        section.texts("audience").unwrap_or_default().into_iter().map(ToOwned::to_owned).collect();
    if audiences.is_empty() {
        let warning = "is not set: tokens that were made for other services are let in";
        section.findings().warn(section.path("audience"), warning);
    }
    for (index, audience) in audiences.iter().enumerate() {
        if audience.is_empty() || audience.contains(char::is_whitespace) {
            section.mistake(&format!("audience[{index}]"), "must be one audience, without spaces");
        }
    }
    Requirement::new(RequirementKind::Audience, ClaimPath::of_names(["aud"])?, &audiences)
}

fn introspection_settings(section: Section<'_>) -> Option<IntrospectionSettings> {
    let url = section.required("url").and_then(|_| section.parsed("url", endpoint));
    let (id, secret) = (section.required("clientID"), section.required("clientSecret"));
    let credentials = id.zip(secret).and_then(|(id, secret)| {
        let read = FetchCredentials::new(id.to_owned(), secret.to_owned());
        read.map_err(|error| section.mistake("clientID", error)).ok()
    });
    let authentication = style(&section, "authStyle").unwrap_or(ClientAuthentication::Header);
    let is_cached = section.choice("cache", &[("memory", true), ("off", false)]).unwrap_or(true);
    section.finish();
    Some(IntrospectionSettings { url: url?, credentials: credentials?, authentication, is_cached })
}

//! The keys of `oauth_client_credentials`.

use domain::gateway::{
    ClaimPath, ClaimsExpression, ClientAuthentication, CredentialsEncoding, FetchCredentials,
    ForwardHeaders, HeaderName, MissingClaim,
};

use super::connection::{CachingSettings, ConnectionSettings, endpoint};
use super::section::Section;
use crate::gateway::ClientCredentialsRules;

/// A policy `oauth_client_credentials`.
#[derive(Clone, Debug)]
pub struct ClientCredentialsSettings {
    /// What it does.
    pub rules: ClientCredentialsRules,
    /// How the token endpoint is reached.
    pub connection: ConnectionSettings,
    /// Where tokens are kept.
    pub caching: CachingSettings,
}

pub(super) fn read(section: Section<'_>) -> Option<ClientCredentialsSettings> {
    let own = credentials(&section);
    let url = section.required("url").and_then(|_| section.parsed("url", endpoint));
    let path = section.path("clientConfig");
    let connection = ConnectionSettings::camel_case(section.section("clientConfig"), path);
    let caching = CachingSettings::camel_case(&section);
    let usual = match own {
        Some(_) => ClientAuthentication::Header,
        None => ClientAuthentication::Params,
    };
    let authentication = style(&section, "authStyle").unwrap_or(usual);
    let encodings = [("raw", CredentialsEncoding::Raw), ("form", CredentialsEncoding::Form)];
    let encoding = section.choice("credentialsEncoding", &encodings).unwrap_or_default();
    let audience = section.text("audience").map(Into::into);
    let scopes = scopes(&section, "scopes");
    let (claims, forward) = (claims(&section), forwarded(&section));
    let username = claim(&section, "usernameClaim");
    section.finish();
    let rules = ClientCredentialsRules {
        url: url?,
        audience,
        scopes,
        own_credentials: own,
        authentication,
        encoding,
        claims,
        forward,
        username,
        is_cached: caching.is_on(),
        salt: connection.salted(""),
    };
    Some(ClientCredentialsSettings { rules, connection, caching })
}

/// `clientID` and `clientSecret`: both or neither.
fn credentials(section: &Section<'_>) -> Option<FetchCredentials> {
    let (id, secret) = (section.text("clientID"), section.text("clientSecret"));
    match (id, secret) {
        (None, None) => None,
        (Some(id), Some(secret)) => {
            let read = FetchCredentials::new(id.to_owned(), secret.to_owned());
            read.map_err(|error| section.mistake("clientID", error)).ok()
        }
        (Some(_), None) => {
            section.mistake("clientSecret", "is required beside clientID: set both, or neither");
            None
        }
        (None, Some(_)) => {
            section.mistake("clientID", "is required beside clientSecret: set both, or neither");
            None
        }
    }
}

pub(super) fn style(section: &Section<'_>, key: &'static str) -> Option<ClientAuthentication> {
    let styles = [
        ("params", ClientAuthentication::Params),
        ("header", ClientAuthentication::Header),
        ("auto", ClientAuthentication::Auto),
    ];
    section.choice(key, &styles)
}

/// A list of scopes, each of which is one value of RFC 6749 section 3.3.
pub(super) fn scopes(section: &Section<'_>, key: &'static str) -> Vec<Box<str>> {
    let scopes = section.texts(key).unwrap_or_default();
    for (index, scope) in scopes.iter().enumerate() {
        if let Err(error) = scope.parse::<domain::ScopeToken>() {
            section.mistake(&format!("{key}[{index}]"), error);
        }
    }
    scopes.into_iter().map(Into::into).collect()
}

pub(super) fn claims(section: &Section<'_>) -> Option<ClaimsExpression> {
    section.parsed("claims", ClaimsExpression::parse).flatten()
}

pub(super) fn claim(section: &Section<'_>, key: &'static str) -> Option<ClaimPath> {
    section.parsed(key, str::parse)
}

/// `forwardHeaders` and `missingClaim`.
pub(super) fn forwarded(section: &Section<'_>) -> ForwardHeaders {
    let missing = [("none", MissingClaim::NoHeader), ("empty", MissingClaim::EmptyHeader)];
    let missing = section.choice("missingClaim", &missing).unwrap_or_default();
    let mut headers = Vec::new();
    for (name, key) in
        section.section("forwardHeaders").map_or_else(Vec::new, Section::into_members)
    {
        let place = format!("forwardHeaders.{name}");
        let header = header(name).map_err(|error| section.mistake(&place, error));
        let Some(key) = key.as_str().filter(|it| !it.is_empty()) else {
            section.mistake(&place, "must be the key of a claim, in quotes");
            continue;
        };
        if let Ok(header) = header {
            headers.push((header, key.parse().unwrap_or_else(|never| match never {})));
        }
    }
    ForwardHeaders::new(headers, missing).unwrap_or_else(|error| {
        section.mistake("forwardHeaders", error);
        ForwardHeaders::default()
    })
}

/// A header that may carry a claim: not the one that carries credentials.
pub(super) fn header(name: &str) -> Result<HeaderName, String> {
    let header: HeaderName = name.parse().map_err(|error| format!("{error}"))?;
    if header == HeaderName::authorization() {
        return Err("is where the token goes: choose another name".to_owned());
    }
    Ok(header)
}

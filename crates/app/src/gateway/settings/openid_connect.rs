//! The keys of `openid_connect`.

use std::fmt;
use std::time::Duration;

use domain::JsonObject;
use domain::gateway::{
    ClaimPath, ClientAuthentication, FetchCredentials, ForwardHeaders, HeaderName, HeaderValue,
    KeepingRules, MissingClaim, ProviderAddress, Requirement, RequirementKind, TokenRules,
};
use serde_json::Value;

use super::client_credentials::header;
use super::connection::{CachingSettings, ConnectionSettings, endpoint};
use super::section::Section;
use crate::gateway::{CredentialPlaces, OpenidConnectRules, UpstreamToken};

/// A policy `openid_connect`.
#[derive(Clone, Debug)]
pub struct OpenidConnectSettings {
    /// What it does.
    pub rules: OpenidConnectRules,
    /// Where the provider describes itself.
    pub address: ProviderAddress,
    /// An unknown key is looked for once in this time.
    pub rediscovery: Duration,
    /// How the provider is reached.
    pub connection: ConnectionSettings,
    /// Where tokens are kept.
    pub caching: CachingSettings,
    /// The private key of `private_key_jwt`.
    pub client_jwk: Option<PrivateJwk>,
    /// The registered name of the algorithm of assertions, where one is named.
    pub client_algorithm: Option<&'static str>,
}

/// The algorithms of assertions (RFC 7518 section 3.1, RFC 8037 section 3.1).
const ALGORITHMS: [&str; 13] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
    "ES384", "ES512", "EdDSA",
];

/// A private key, which no log shows.
#[derive(Clone)]
pub struct PrivateJwk(pub JsonObject);

impl fmt::Debug for PrivateJwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateJwk([redacted])")
    }
}

const METHODS: [(&str, ClientAuthentication); 6] = [
    ("client_secret_basic", ClientAuthentication::Header),
    ("client_secret_post", ClientAuthentication::Params),
    ("client_secret_jwt", ClientAuthentication::SecretJwt),
    ("private_key_jwt", ClientAuthentication::PrivateKeyJwt),
    ("tls_client_auth", ClientAuthentication::Certificate),
    ("self_signed_tls_client_auth", ClientAuthentication::Certificate),
];

pub(super) fn read(section: Section<'_>) -> Option<OpenidConnectSettings> {
    let address = section.required("issuer");
    let address = address.and_then(|_| section.parsed("issuer", ProviderAddress::parse));
    let rediscovery = section.number("rediscovery_lifetime", 1).unwrap_or(30);
    let path = section.path("ca");
    let connection = ConnectionSettings::snake_case(&section, path);
    let caching = CachingSettings::snake_case(&section);
    let client_jwk = client_jwk(&section);
    let client_algorithm = section.choice("client_alg", &ALGORITHMS.map(|it| (it, it)));
    let rules = rules(&section, &connection, &caching);
    check_methods(&section, &rules, &connection, client_jwk.is_some());
    section.finish();
    Some(OpenidConnectSettings {
        rules,
        address: address?,
        rediscovery: Duration::from_secs(rediscovery),
        connection,
        caching,
        client_jwk,
        client_algorithm,
    })
}

fn rules(
    section: &Section<'_>,
    connection: &ConnectionSettings,
    caching: &CachingSettings,
) -> OpenidConnectRules {
    let methods = listed(
        section,
        "auth_methods",
        &["client_credentials", "bearer", "introspection"],
        &["client_credentials"],
    );
    let places = ["header", "query", "body"];
    let places = listed(section, "client_credentials_param_type", &places, &places);
    let has = |list: &[&str], name: &str| list.contains(&name);
    let (hides_credentials, hidden_arguments) = hiding(section);
    OpenidConnectRules {
        takes_credentials: has(&methods, "client_credentials"),
        takes_jwts: has(&methods, "bearer"),
        takes_opaque_tokens: has(&methods, "introspection"),
        places: CredentialPlaces {
            header: has(&places, "header"),
            query: has(&places, "query"),
            body: has(&places, "body"),
        },
        token_endpoint: section.parsed("token_endpoint", endpoint),
        token_endpoint_authentication: section.choice("token_endpoint_auth_method", &METHODS),
        arguments: pairs(section, "token_post_args_names", "token_post_args_values"),
        caller_arguments: names(section, "token_post_args_client"),
        headers: request_headers(section),
        scopes: if section.has("scopes") {
            super::client_credentials::scopes(section, "scopes")
        } else {
            vec!["openid".into()]
        },
        keeping: keeping(section, caching),
        salt: connection.salted(section.text("cache_tokens_salt").unwrap_or_default()),
        verifies_signatures: section.flag("verify_signature", true),
        token: token_rules(section),
        own_credentials: own_credentials(section),
        own_authentication: own_authentication(section),
        introspection_endpoint: section.parsed("introspection_endpoint", endpoint),
        introspects_jwts: section.flag("introspect_jwt_tokens", false),
        keeps_introspections: section.flag("cache_introspection", true),
        upstream_token: upstream_token(section),
        upstream_headers: upstream_headers(section),
        consumer: path(section, "consumer_claims"),
        is_consumer_optional: section.flag("consumer_optional", false),
        hides_credentials,
        hidden_arguments,
        unauthorized_message: section
            .text("unauthorized_error_message")
            .unwrap_or("Unauthorized")
            .into(),
        forbidden_message: section.text("forbidden_error_message").unwrap_or("Forbidden").into(),
        exposes_error_code: section.flag("expose_error_code", true),
        runs_on_preflight: section.flag("run_on_preflight", true),
    }
}

/// Methods that need a key or a certificate have one.
fn check_methods(
    section: &Section<'_>,
    rules: &OpenidConnectRules,
    connection: &ConnectionSettings,
    has_key: bool,
) {
    let check = |key: &str, method| {
        if method == ClientAuthentication::PrivateKeyJwt && !has_key {
            section.mistake(key, "private_key_jwt needs client_jwk");
        }
        let has_certificate = connection.client_certificate.is_some();
        if method == ClientAuthentication::Certificate && !has_certificate {
            section.mistake(key, "this method needs client_certificate and client_key");
        }
    };
    if rules.own_credentials.is_some() {
        check("client_auth", rules.own_authentication);
    }
    if let Some(method) = rules.token_endpoint_authentication {
        check("token_endpoint_auth_method", method);
    }
    if rules.takes_opaque_tokens && rules.own_credentials.is_none() {
        section.mistake("client_id", "is required: introspection asks with credentials");
    }
    if rules.introspects_jwts && rules.own_credentials.is_none() {
        section.mistake("client_id", "is required by introspect_jwt_tokens");
    }
}

fn own_credentials(section: &Section<'_>) -> Option<FetchCredentials> {
    let (id, secret) = (section.text("client_id"), section.text("client_secret"));
    if id.is_none() && secret.is_some() {
        section.mistake("client_id", "is required beside client_secret");
    }
    // The signed and the certified methods have no secret.
    let secret = secret.unwrap_or_default();
    let read = FetchCredentials::new(id?.to_owned(), secret.to_owned());
    read.map_err(|error| section.mistake("client_id", error)).ok()
}

fn own_authentication(section: &Section<'_>) -> ClientAuthentication {
    let method = section.choice("client_auth", &METHODS).unwrap_or(ClientAuthentication::Header);
    let wants_secret = match method {
        ClientAuthentication::Header
        | ClientAuthentication::Params
        | ClientAuthentication::Auto
        | ClientAuthentication::SecretJwt => true,
        ClientAuthentication::PrivateKeyJwt | ClientAuthentication::Certificate => false,
    };
    if wants_secret && section.has("client_id") && section.text("client_secret").is_none() {
        section.mistake("client_secret", "is required beside client_id by this client_auth");
    }
    method
}

fn client_jwk(section: &Section<'_>) -> Option<PrivateJwk> {
    match section.value("client_jwk")? {
        Value::Object(jwk) => Some(PrivateJwk(jwk.clone())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            section.mistake("client_jwk", "must be an object, the private JWK");
            None
        }
    }
}

fn keeping(section: &Section<'_>, caching: &CachingSettings) -> Option<KeepingRules> {
    let seconds = |key| section.number(key, 1).map(Duration::from_secs);
    let (least, most) = (seconds("cache_ttl_min"), seconds("cache_ttl_max"));
    if least.zip(most).is_some_and(|(least, most)| most < least) {
        section.mistake("cache_ttl_min", "is longer than cache_ttl_max");
    }
    let rules = KeepingRules {
        unless_known: Some(seconds("cache_ttl").unwrap_or(Duration::from_hours(1))),
        at_most: most,
        at_least: least,
    };
    caching.is_on().then_some(rules)
}

fn token_rules(section: &Section<'_>) -> TokenRules {
    let required = |kind, items: &'static str, claim: &'static str, usual: &str| {
        let items: Vec<String> =
            section.texts(items).unwrap_or_default().into_iter().map(ToOwned::to_owned).collect();
        let path = path(section, claim).or_else(|| ClaimPath::of_names([usual]))?;
        Requirement::new(kind, path, &items)
    };
    let requirements = [
        required(RequirementKind::Scope, "scopes_required", "scopes_claim", "scope"),
        required(RequirementKind::Audience, "audience_required", "audience_claim", "aud"),
        required(RequirementKind::Group, "groups_required", "groups_claim", "groups"),
        required(RequirementKind::Role, "roles_required", "roles_claim", "roles"),
    ];
    TokenRules {
        verify_claims: section.flag("verify_claims", true),
        leeway: Duration::from_secs(section.number("leeway", 0).unwrap_or(0)),
        issuers: names(section, "issuers_allowed"),
        requirements: requirements.into_iter().flatten().collect(),
        forbidden: names(section, "claims_forbidden"),
    }
}

/// `header:scheme`, `header`, or `nil` for none.
fn upstream_token(section: &Section<'_>) -> Option<UpstreamToken> {
    let text = section.text("upstream_access_token_header").unwrap_or("authorization:bearer");
    if text.eq_ignore_ascii_case("nil") {
        return None;
    }
    let (name, scheme) = match text.split_once(':') {
        Some((name, scheme)) if scheme.eq_ignore_ascii_case("bearer") => {
            (name, Some("Bearer".into()))
        }
        Some((name, scheme)) => (name, Some(scheme.into())),
        None => (text, None),
    };
    let header = name.parse::<HeaderName>();
    let header = header.map_err(|error| section.mistake("upstream_access_token_header", error));
    Some(UpstreamToken { header: header.ok()?, scheme })
}

/// A list of `{header, path}`.
fn upstream_headers(section: &Section<'_>) -> ForwardHeaders {
    const KEY: &str = "upstream_headers";
    let entries = match section.value(KEY) {
        None => return ForwardHeaders::default(),
        Some(Value::Array(entries)) => entries,
        Some(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_),
        ) => {
            section.mistake(KEY, "must be a list of objects with header and path");
            return ForwardHeaders::default();
        }
    };
    let mut headers = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let entry =
            Section::new(section.path(&format!("{KEY}[{index}]")), entry, section.findings());
        let name = entry.required("header").and_then(|_| entry.parsed("header", header));
        if !entry.has("path") {
            entry.mistake("path", "is required");
        }
        headers.extend(name.zip(path(&entry, "path")));
        entry.finish();
    }
    ForwardHeaders::new(headers, MissingClaim::NoHeader).unwrap_or_else(|error| {
        section.mistake(KEY, error);
        ForwardHeaders::default()
    })
}

/// `true`, `false`, or a list of arguments that are hidden as well.
fn hiding(section: &Section<'_>) -> (bool, Vec<Box<str>>) {
    match section.value("hide_credentials") {
        Some(Value::Array(_)) => (true, names(section, "hide_credentials")),
        Some(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_),
        )
        | None => (section.flag("hide_credentials", true), Vec::new()),
    }
}

/// A claim, as a list of member names from the outside in.
fn path(section: &Section<'_>, key: &'static str) -> Option<ClaimPath> {
    let names = section.texts(key)?;
    let path = ClaimPath::of_names(names);
    if path.is_none() {
        section.mistake(key, "must name at least one member");
    }
    path
}

fn names(section: &Section<'_>, key: &'static str) -> Vec<Box<str>> {
    section.texts(key).unwrap_or_default().into_iter().map(Into::into).collect()
}

fn pairs(
    section: &Section<'_>,
    names_key: &'static str,
    values_key: &'static str,
) -> Vec<(Box<str>, Box<str>)> {
    let (names, values) = (names(section, names_key), names(section, values_key));
    if names.len() != values.len() {
        let message = format!("has {} entries, and {names_key} has {}", values.len(), names.len());
        section.mistake(values_key, message);
    }
    names.into_iter().zip(values).collect()
}

fn request_headers(section: &Section<'_>) -> Vec<(Box<str>, Box<str>)> {
    let headers = pairs(section, "token_headers_names", "token_headers_values");
    for (index, (name, value)) in headers.iter().enumerate() {
        if let Err(error) = header(name) {
            section.mistake(&format!("token_headers_names[{index}]"), error);
        }
        if let Err(error) = value.parse::<HeaderValue>() {
            section.mistake(&format!("token_headers_values[{index}]"), error);
        }
    }
    headers
}

/// A list of some of `all`.
fn listed<'a>(
    section: &Section<'a>,
    key: &'static str,
    all: &[&'a str],
    usual: &[&'a str],
) -> Vec<&'a str> {
    let Some(texts) = section.texts(key) else {
        return usual.to_vec();
    };
    if texts.is_empty() {
        section.mistake(key, format!("must name at least one of {}", all.join(", ")));
    }
    for (index, text) in texts.iter().enumerate() {
        if !all.contains(text) {
            section
                .mistake(&format!("{key}[{index}]"), format!("must be one of {}", all.join(", ")));
        }
    }
    texts
}

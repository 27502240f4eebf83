//! The HTTP client of one way to reach other people's servers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::gateway::{ClientAuthentication, FetchCredentials, FetchFailure};
use domain::port::Clock;
use domain::{ClientSecret, Fault, Timestamp};
use quick_cache::sync::Cache;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity, Proxy};
use secrecy::ExposeSecret as _;
use url::form_urlencoded::byte_serialize;

use crate::assertion::{self, Assertion};
use crate::{OauthClientOptions, Trust};

/// Asks other people's authorization servers.
#[derive(Clone)]
pub struct OauthClient {
    pub(crate) http: Client,
    pub(crate) options: Arc<OauthClientOptions>,
    pub(crate) clock: Arc<dyn Clock>,
    /// What worked at an endpoint where the way to authenticate is to be found out.
    pub(crate) styles: Arc<Cache<Box<str>, (Style, Timestamp)>>,
}

/// The two ways to show a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Header,
    Params,
}

/// How long what worked is remembered.
const STYLE_LIFETIME: Duration = Duration::from_hours(1);
/// Of how many endpoints.
const STYLES: usize = 1_000;

/// Why there is no client with these options.
#[derive(Debug, thiserror::Error)]
pub enum InvalidOauthClientOptions {
    /// The authorities are no PEM certificates.
    #[error("the certificate authorities are no certificates in PEM")]
    Authorities,
    /// The certificate and its key are no PEM, or do not belong together.
    #[error("the client certificate or its key is no PEM, or they do not belong together")]
    ClientCertificate,
    /// The proxy is no proxy.
    #[error("the proxy is no http URL")]
    Proxy,
    /// The client cannot be made.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

impl OauthClient {
    /// A client with these options. It connects to nobody yet.
    ///
    /// # Errors
    ///
    /// See [`InvalidOauthClientOptions`].
    pub fn new(
        options: OauthClientOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, InvalidOauthClientOptions> {
        let mut builder = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(options.timeout)
            .pool_max_idle_per_host(if options.keep_alive { 32 } else { 0 });
        if let Some(proxy) = &options.proxy {
            let proxy = Proxy::all(proxy.as_str()).map_err(|_| InvalidOauthClientOptions::Proxy)?;
            builder = builder.proxy(proxy);
        }
        builder = match &options.trust {
            Trust::System => builder,
            Trust::Also(pem) => {
                let authorities = Certificate::from_pem_bundle(pem).unwrap_or_default();
                if authorities.is_empty() {
                    return Err(InvalidOauthClientOptions::Authorities);
                }
                builder.tls_certs_merge(authorities)
            }
            Trust::Anybody => builder.tls_danger_accept_invalid_certs(true),
        };
        if let Some(pair) = &options.client_certificate {
            let pem = [&pair.certificates, &b"\n"[..], pair.key.expose_secret()].concat();
            let identity = Identity::from_pem(&pem);
            builder = builder
                .identity(identity.map_err(|_| InvalidOauthClientOptions::ClientCertificate)?);
        }
        let has_certificate = options.client_certificate.is_some();
        let http = builder.build().map_err(|error| {
            if has_certificate && error.is_builder() {
                InvalidOauthClientOptions::ClientCertificate
            } else {
                InvalidOauthClientOptions::Client(error)
            }
        })?;
        let (options, styles) = (Arc::new(options), Arc::new(Cache::new(STYLES)));
        Ok(Self { http, options, clock, styles })
    }

    /// Which of the two ways worked last at `url`.
    pub(crate) fn known_style(&self, url: &str) -> Option<Style> {
        let now = self.clock.now();
        let (style, learned_at) = self.styles.get(url)?;
        let is_known = learned_at <= now && now.since(learned_at) < STYLE_LIFETIME;
        is_known.then_some(style)
    }

    pub(crate) fn learn_style(&self, url: &str, style: Style) {
        // What is known keeps its hour, so that a server that changes is found out.
        if self.known_style(url) != Some(style) {
            self.styles.insert(url.into(), (style, self.clock.now()));
        }
    }

    /// Shows a server who asks: adds to the form, and gives the header, if any.
    pub(crate) fn authenticate(
        &self,
        form: &mut Vec<(String, String)>,
        who: &FetchCredentials,
        method: ClientAuthentication,
        audience: Option<&str>,
    ) -> Result<Option<String>, FetchFailure> {
        let mut add = |name: &str, value: &str| form.push((name.to_owned(), value.to_owned()));
        let assertion = || {
            let audience =
                audience.ok_or_else(|| Fault::corrupt("an assertion needs an audience"))?;
            Ok::<_, Fault>(Assertion { client_id: &who.id, audience, now: self.clock.now() })
        };
        let assertion = match method {
            ClientAuthentication::Header => return Ok(Some(basic(&who.id, &who.secret))),
            ClientAuthentication::Params | ClientAuthentication::Auto => {
                add("client_id", &who.id);
                add("client_secret", who.secret.expose());
                return Ok(None);
            }
            ClientAuthentication::Certificate => {
                add("client_id", &who.id);
                return Ok(None);
            }
            ClientAuthentication::SecretJwt => {
                assertion()?.authenticated(&who.secret, self.options.secret_assertions)?
            }
            ClientAuthentication::PrivateKeyJwt => {
                let key = self.options.assertion_key.as_ref();
                let key = key.ok_or_else(|| Fault::corrupt("there is no key to sign with"))?;
                assertion()?.signed(key)?
            }
        };
        add("client_id", &who.id);
        add("client_assertion_type", assertion::TYPE);
        add("client_assertion", &assertion);
        Ok(None)
    }
}

/// Both halves form-encoded (RFC 6749 section 2.3.1).
fn basic(id: &str, secret: &ClientSecret) -> String {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(id), encoded(secret.expose()));
    format!("Basic {}", BASE64_STANDARD.encode(pair))
}

impl fmt::Debug for OauthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OauthClient").field("options", &self.options).finish_non_exhaustive()
    }
}

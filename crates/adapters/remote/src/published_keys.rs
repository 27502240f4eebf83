//! Fetches the keys that clients publish.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use domain::port::{RemoteKeySet, RemoteKeys};
use domain::{Fault, JwksUri, JwksUriRefusal, SigningAlgorithm, parse_jwk_set};
use reqwest::header::ACCEPT;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, StatusCode};
use tokio::time::timeout;
use url::Host;

use crate::cache_control::max_age;
use crate::guard::{Guard, Networks};
use crate::mishap::Mishap;
use crate::places::{Owner, Places};
use crate::resolver::GuardedResolver;
use crate::slow_hosts::SlowHosts;

/// The most bytes of a set of keys.
pub(crate) const MAX_BYTES: usize = 64 * 1_024;
/// The most sets that are fetched at a time, of all hosts. Who comes later waits for a place.
const MAX_FETCHES: usize = 32;
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(2);

/// How keys are fetched.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Whether any are fetched at all.
    pub is_on: bool,
    /// The networks that the operator lists.
    pub networks: Networks,
    /// Authorities that may vouch for the servers beside those of the operating system, as PEM.
    pub authorities: Option<Vec<u8>>,
    /// The algorithms of keys that are of use.
    pub algorithms: Vec<SigningAlgorithm>,
    /// How long a fetch may take: a third of it for the wait until there is a place, and two from the
    /// look-up of the name to the last byte. A host that was too slow is given less of it.
    pub timeout: Duration,
}

/// Why no keys can be fetched with these options.
#[derive(Debug, thiserror::Error)]
pub enum InvalidFetchOptions {
    /// The authorities are no certificates.
    #[error("there is no certificate in PEM")]
    Authorities,
}

/// Fetches the keys that clients publish, and remembers nothing.
pub struct PublishedKeysFetcher {
    options: FetchOptions,
    authorities: Vec<Certificate>,
    https: Way,
    http: Way,
    places: Places,
    slow: SlowHosts,
}

/// One way to ask: with TLS, or without.
struct Way {
    guard: Guard,
    resolver: GuardedResolver,
    /// Made when it is first needed: a machine without any authority can do without.
    client: OnceLock<Client>,
}

impl Way {
    fn new(guard: Guard) -> Self {
        let resolver = GuardedResolver::new(guard.clone());
        Self { guard, resolver, client: OnceLock::new() }
    }

    fn client(
        &self,
        trusting: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<&Client, Mishap> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let builder = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .dns_resolver(self.resolver.clone())
            .connect_timeout(CONNECT)
            // A connection that is kept was judged some time ago.
            .pool_max_idle_per_host(0);
        let client = trusting(builder).build().map_err(Mishap::Tls)?;
        Ok(self.client.get_or_init(|| client))
    }
}

impl PublishedKeysFetcher {
    /// Fetches with these options. Asks nobody yet.
    ///
    /// # Errors
    ///
    /// See [`InvalidFetchOptions`].
    pub fn new(options: FetchOptions) -> Result<Self, InvalidFetchOptions> {
        let authorities = match &options.authorities {
            None => Vec::new(),
            Some(pem) => match Certificate::from_pem_bundle(pem) {
                Ok(certificates) if !certificates.is_empty() => certificates,
                Ok(_) | Err(_) => return Err(InvalidFetchOptions::Authorities),
            },
        };
        let https = Way::new(Guard::of_https(&options.networks));
        let http = Way::new(Guard::of_http(&options.networks));
        let (places, slow) = (Places::new(MAX_FETCHES), SlowHosts::default());
        Ok(Self { options, authorities, https, http, places, slow })
    }

    fn way(&self, uri: &JwksUri) -> &Way {
        if uri.is_https() { &self.https } else { &self.http }
    }

    async fn fetch(&self, uri: &JwksUri) -> Result<RemoteKeySet, Mishap> {
        let client = self.way(uri).client(|builder| {
            let authorities = self.authorities.iter().cloned();
            // Without TLS nobody need be trusted, and a machine may have nobody to trust.
            if uri.is_https() {
                builder.tls_certs_merge(authorities)
            } else {
                builder.tls_certs_only(authorities)
            }
        })?;
        let request = client
            .get(uri.as_url().clone())
            .header(ACCEPT, "application/jwk-set+json, application/json");
        let mut response = request.send().await.map_err(Mishap::transport)?;
        if response.status() != StatusCode::OK {
            return Err(Mishap::Status(response.status().as_u16()));
        }
        let max_age = max_age(response.headers());
        let mut document = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(Mishap::transport)? {
            if MAX_BYTES < document.len() + piece.len() {
                return Err(Mishap::TooLarge);
            }
            document.extend_from_slice(&piece);
        }
        let keys = parse_jwk_set(&document, &self.options.algorithms).map_err(Mishap::Unusable)?;
        Ok(RemoteKeySet { keys, max_age })
    }
}

#[async_trait]
impl RemoteKeys for PublishedKeysFetcher {
    fn refusal(&self, uri: &JwksUri) -> Option<JwksUriRefusal> {
        if !self.options.is_on {
            return Some(JwksUriRefusal::Off);
        }
        if !uri.is_https() && self.options.networks.plain_http.is_empty() {
            return Some(JwksUriRefusal::NotHttps);
        }
        let named = match uri.as_url().host()? {
            Host::Ipv4(it) => IpAddr::V4(it),
            Host::Ipv6(it) => IpAddr::V6(it),
            // What else a name leads to is seen when it is looked up (RFC 6761 section 6.3).
            Host::Domain(name) if is_localhost(name) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Host::Domain(_) => return None,
        };
        (!self.way(uri).guard.lets(named)).then_some(JwksUriRefusal::ForbiddenAddress)
    }

    async fn look_again(&self, uri: &JwksUri) -> Result<Arc<RemoteKeySet>, Fault> {
        // Who is refused needs no place.
        if let Some(refusal) = self.refusal(uri) {
            return Err(Fault::unavailable(Mishap::Refused(refusal)));
        }
        let owner = owner(uri);
        // A third of the time is for the wait: who gets a place has the time to use it.
        let (wait, patience) = (self.options.timeout / 3, self.options.timeout * 2 / 3);
        let _place = match timeout(wait, self.places.take(&owner)).await {
            Ok(place) => place.map_err(Fault::overloaded)?,
            Err(_) => return Err(Fault::overloaded("too many keys are being fetched")),
        };
        let patience = self.slow.patience(&owner.0, patience);
        if let Ok(fetched) = timeout(patience, self.fetch(uri)).await {
            self.slow.forgive(&owner.0);
            fetched.map(Arc::new).map_err(Fault::unavailable)
        } else {
            self.slow.note(&owner.0);
            Err(Fault::unavailable(Mishap::Late(patience)))
        }
    }
}

/// Whose places a fetch takes. There is no such address without a host, and all of those would be one.
fn owner(uri: &JwksUri) -> (Owner, Option<Owner>) {
    uri.as_url().host().map_or_else(|| Owner::of_name(""), |it| Owner::of(&it))
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

impl fmt::Debug for PublishedKeysFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishedKeysFetcher")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

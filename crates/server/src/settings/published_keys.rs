//! How keys are fetched that clients publish (`jwks_uri`).

use std::fs;
use std::time::Duration;

use ipnet::IpNet;

use super::reader::{Reader, unreadable};

/// How keys are fetched that clients publish.
#[derive(Debug)]
pub(crate) struct PublishedKeys {
    /// Whether any are.
    pub(crate) is_on: bool,
    /// Networks that are asked although they are private or special.
    pub(crate) allowed_networks: Vec<IpNet>,
    /// Networks that are asked without TLS, too.
    pub(crate) http_networks: Vec<IpNet>,
    /// Authorities that may vouch for the servers beside the system's, as PEM.
    pub(crate) authorities: Option<Vec<u8>>,
    /// How long a fetch may take, the wait for its turn included.
    pub(crate) timeout: Duration,
    /// How long one address is not asked again.
    pub(crate) ask_at_most_every: Duration,
    /// How long old keys count while their address is out.
    pub(crate) stale: Duration,
    /// The most addresses that are remembered.
    pub(crate) capacity: u64,
}

impl PublishedKeys {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            is_on: reader.boolean("jwks_uri.enabled", true),
            allowed_networks: networks(reader, "jwks_uri.allowed_networks"),
            http_networks: networks(reader, "jwks_uri.http_networks"),
            authorities: authorities(reader),
            timeout: Duration::from_secs(reader.number("jwks_uri.timeout_seconds", 1..=8, 6)),
            ask_at_most_every: Duration::from_secs(reader.number(
                "jwks_uri.refresh_seconds",
                1..=3_600,
                10,
            )),
            stale: Duration::from_secs(reader.number("jwks_uri.stale_seconds", 0..=86_400, 3_600)),
            capacity: reader.number("jwks_uri.capacity", 1..=1_000_000, 1_000),
        }
    }
}

fn networks(reader: &mut Reader, key: &str) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for text in reader.list::<String>(key) {
        match text.parse::<IpNet>() {
            // A typing error in the address must not allow more than what was meant.
            Ok(network) if network.addr() == network.network() => networks.push(network),
            Ok(network) => reader.refuse(
                key,
                format!(
                    "{text} has bits set beyond its prefix: {} is the network",
                    network.trunc()
                ),
            ),
            Err(_) => reader.refuse(key, "must be networks like 10.1.0.0/16 or fd00:1::/32"),
        }
    }
    networks
}

fn authorities(reader: &mut Reader) -> Option<Vec<u8>> {
    const KEY: &str = "jwks_uri.tls_ca";
    let path = reader.text(KEY)?;
    match fs::read(&path) {
        Ok(pem) => Some(pem),
        Err(error) => {
            reader.refuse(KEY, unreadable(&path, &error));
            None
        }
    }
}

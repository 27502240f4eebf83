//! Where the gateway listens.

use std::net::SocketAddr;

use super::certificates::Identity;
use super::section::Section;

/// One place to listen at.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    /// Its name in the log.
    pub(crate) name: String,
    /// The address; port 0 is any free port.
    pub(crate) address: SocketAddr,
    /// With TLS: what it shows, the first where no other one fits. Never empty.
    pub(crate) tls: Option<Vec<Identity>>,
    /// Whether HTTP/2 is spoken, beside HTTP/1.1.
    pub(crate) is_http2: bool,
    /// What is served there.
    pub(crate) serves: Serves,
}

/// What a listener serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Serves {
    /// The routes, to callers.
    Proxy,
    /// Decisions, to other proxies.
    ForwardAuth,
    /// Metrics and health, to operators.
    Admin,
}

impl Listener {
    /// Reads an item of `listeners`.
    pub(crate) fn read(section: Section<'_>) -> Option<Self> {
        if !section.has("address") {
            section.refuse("address", "is missing: say an IP address and a port");
        }
        let address = section.text("address").and_then(|text| {
            let parsed = text.parse::<SocketAddr>().ok();
            if parsed.is_none() {
                section.refuse("address", "must be an IP address and a port, like 127.0.0.1:8080");
            }
            parsed
        });
        let name = section.text("name").map(str::to_owned);
        let serves = match section.text("serves") {
            None | Some("proxy") => Serves::Proxy,
            Some("forward-auth") => Serves::ForwardAuth,
            Some("admin") => Serves::Admin,
            Some(_) => {
                section.refuse("serves", "must be one of proxy, forward-auth, admin");
                Serves::Proxy
            }
        };
        let tls = section.section("tls").map(identities);
        let is_http2 = section.flag("http2", tls.is_some());
        section.finish();
        let address = address?;
        let name = name.unwrap_or_else(|| address.to_string());
        Some(Self { name, address, tls, is_http2, serves })
    }

    /// Whether a listener that runs like `self` can go on as `other`: all but its certificates.
    pub(crate) fn goes_on_as(&self, other: &Self) -> bool {
        self.name == other.name
            && self.address == other.address
            && self.tls.is_some() == other.tls.is_some()
            && self.is_http2 == other.is_http2
            && self.serves == other.serves
    }
}

/// `certificate` and `key`, or a list of such pairs.
fn identities(section: Section<'_>) -> Vec<Identity> {
    let mut identities = Vec::new();
    if section.has("certificates") {
        for item in section.sections("certificates") {
            identities.extend(Identity::read(&item));
            item.finish();
        }
        if section.has("certificate") || section.has("key") {
            section
                .refuse("certificates", "stands beside `certificate` or `key`: move them into it");
        }
    } else {
        identities.extend(Identity::read(&section));
    }
    section.finish();
    identities
}

//! Where requests go on to.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use pingora_core::protocols::ALPN;
use pingora_core::tls::x509::X509;
use pingora_core::utils::tls::CertKey;

use super::certificates::{Identity, authorities};
use super::section::Section;

/// A group of servers that are as good as each other.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    /// Its name.
    pub(crate) name: String,
    /// Where its servers are; never empty.
    pub(crate) addresses: Vec<HostPort>,
    /// Whether they are spoken to over TLS.
    pub(crate) tls: Option<UpstreamTls>,
    /// Which versions of HTTP they are spoken to in.
    pub(crate) versions: Versions,
    /// The `Host` that they are sent, in place of the caller's.
    pub(crate) host: Option<HeaderValue>,
    /// How long connecting may take, TLS included.
    pub(crate) connect_timeout: Duration,
    /// How long a server may send nothing while it owes an answer.
    pub(crate) read_timeout: Duration,
    /// How long a server may take nothing of what is sent.
    pub(crate) write_timeout: Duration,
    /// How long an idle connection is kept; `None` keeps none.
    pub(crate) keep_alive: Option<Duration>,
    /// How often a request is tried again with another server.
    pub(crate) retries: usize,
    /// How its servers are watched.
    pub(crate) health: Option<HealthCheck>,
}

/// A host, by name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    /// The host, without brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
}

/// Which versions of HTTP are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versions {
    /// HTTP/1.1.
    One,
    /// HTTP/2, without TLS by prior knowledge.
    Two,
    /// Over TLS, whichever of the two is agreed on.
    Either,
}

impl Versions {
    /// What is offered during the handshake, and spoken without one.
    pub(crate) fn alpn(self) -> ALPN {
        match self {
            Self::One => ALPN::H1,
            Self::Two => ALPN::H2,
            Self::Either => ALPN::H2H1,
        }
    }
}

/// How servers are spoken to over TLS.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamTls {
    /// Whom the certificate must be for.
    pub(crate) server_name: String,
    /// Who may have signed it, in place of the system's authorities.
    pub(crate) authorities: Option<Arc<Box<[X509]>>>,
    /// What we show if asked.
    pub(crate) identity: Option<Arc<CertKey>>,
    /// Whether the certificate is looked at, at all.
    pub(crate) is_verified: bool,
}

/// How servers are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HealthCheck {
    /// What is asked for; without it a connection is enough.
    pub(crate) path: Option<String>,
    /// How often.
    pub(crate) interval: Duration,
    /// How long the answer may take.
    pub(crate) timeout: Duration,
    /// How many failures in a row take a server out.
    pub(crate) unhealthy_after: usize,
    /// How many successes in a row take it back in.
    pub(crate) healthy_after: usize,
}

impl FromStr for HostPort {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WHY: &str = "must be a host and a port, like 127.0.0.1:9000 or orders.internal:9000";
        let (host, port) = text.rsplit_once(':').ok_or(WHY)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(WHY)?;
        let is_part = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'.' | b'_');
        let (host, is_good) = match host.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            Some(inside) => (inside, inside.parse::<std::net::Ipv6Addr>().is_ok()),
            None => (host, !host.is_empty() && host.bytes().all(is_part)),
        };
        is_good.then(|| Self { host: host.to_owned(), port }).ok_or(WHY)
    }
}

impl Upstream {
    /// Reads a member of `upstreams`.
    pub(crate) fn read(name: &str, section: Section<'_>) -> Option<Self> {
        let addresses: Vec<HostPort> = section.parsed_list("addresses");
        if section.value("addresses").is_none_or(|it| it.as_array().is_some_and(Vec::is_empty)) {
            section.refuse("addresses", "is missing: say where its servers are");
        }
        let tls = section.section("tls").map(|tls| UpstreamTls::read(tls, addresses.first()));
        let versions = match (section.text("http"), tls.is_some()) {
            (None | Some("1.1"), _) => Versions::One,
            (Some("2"), _) => Versions::Two,
            (Some("auto"), true) => Versions::Either,
            (Some("auto"), false) => {
                section.refuse("http", "can be auto over TLS only: say \"1.1\" or \"2\"");
                Versions::One
            }
            (Some(_), _) => {
                section.refuse("http", "must be one of \"1.1\", \"2\", \"auto\"");
                Versions::One
            }
        };
        let host = section.text("host").and_then(|text| {
            let is_host = text.parse::<http::uri::Authority>().is_ok_and(|it| it.as_str() == text)
                && !text.contains('@');
            if !is_host {
                section.refuse("host", "must be a host, maybe with a port");
            }
            HeaderValue::from_str(text).ok().filter(|_| is_host)
        });
        let keeps = section.flag("keepAlive", true);
        let keep_alive = section.seconds("keepAliveSeconds", Duration::from_mins(1));
        let upstream = Self {
            name: name.to_owned(),
            versions,
            host,
            connect_timeout: section.seconds("connectTimeoutSeconds", Duration::from_secs(5)),
            read_timeout: section.seconds("readTimeoutSeconds", Duration::from_mins(1)),
            write_timeout: section.seconds("writeTimeoutSeconds", Duration::from_mins(1)),
            keep_alive: keeps.then_some(keep_alive),
            retries: usize::try_from(section.whole("retries", 0..=5, 1)).unwrap_or(1),
            health: section.section("healthCheck").map(HealthCheck::read),
            tls,
            addresses,
        };
        section.finish();
        (!upstream.addresses.is_empty()).then_some(upstream)
    }
}

impl UpstreamTls {
    fn read(section: Section<'_>, first: Option<&HostPort>) -> Self {
        let server_name = section.text("serverName").map(str::to_owned);
        let server_name = server_name.or_else(|| first.map(|it| it.host.clone()));
        let authorities = authorities(&section);
        let has_identity = section.has("certificate") || section.has("key");
        let identity = has_identity.then(|| Identity::read(&section)).flatten();
        let is_verified = !section.flag("insecureSkipVerify", false);
        section.finish();
        Self {
            server_name: server_name.unwrap_or_default(),
            authorities,
            identity: identity.map(|it| Arc::new(CertKey::new(it.certificates, it.key))),
            is_verified,
        }
    }
}

impl HealthCheck {
    fn read(section: Section<'_>) -> Self {
        let path = section.text("path").map(str::to_owned);
        if path.as_ref().is_some_and(|it| !it.starts_with('/') || it.parse::<http::Uri>().is_err())
        {
            section.refuse("path", "must be a path, which begins with a slash");
        }
        let count = |key, default| usize::try_from(section.whole(key, 1..=100, default));
        let health = Self {
            path,
            interval: section.seconds("intervalSeconds", Duration::from_secs(5)),
            timeout: section.seconds("timeoutSeconds", Duration::from_secs(2)),
            unhealthy_after: count("unhealthyAfter", 2).unwrap_or(2),
            healthy_after: count("healthyAfter", 1).unwrap_or(1),
        };
        section.finish();
        health
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_ports() {
        let read = |text: &str| text.parse::<HostPort>().map(|it| (it.host, it.port));

        assert_eq!(read("127.0.0.1:80"), Ok(("127.0.0.1".to_owned(), 80)));
        assert_eq!(read("[::1]:80"), Ok(("::1".to_owned(), 80)));
        assert_eq!(read("orders.internal:80"), Ok(("orders.internal".to_owned(), 80)));
        for bad in ["a", "a:", ":80", "a:0", "a:65536", "::1:80", "[a]:80", "http://a:80", "a b:80"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}

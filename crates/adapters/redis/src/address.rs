//! Where a server listens.

use std::fmt;

/// The port of a Redis server, and of a node of a cluster.
pub(crate) const SERVER_PORT: u16 = 6379;

/// The port of a sentinel.
pub(crate) const SENTINEL_PORT: u16 = 26379;

/// Where a server listens: the name or the IP address of a machine, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// Reads `host`, `host:port`, `[ipv6]` or `[ipv6]:port`, as people write it.
    pub(crate) fn parse(raw: &str, default_port: u16) -> Option<Self> {
        let (host, port) = match raw.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
            }
            None => match raw.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (raw, None),
            },
        };
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_allowed) {
            return None;
        }
        let port = port.map_or(Some(default_port), |port| port.parse().ok())?;
        (port != 0).then(|| Self { host: host.to_owned(), port })
    }

    /// Reads `host:port` as a node of a cluster says it, which puts no brackets around anything and
    /// says nothing for a host that is its own.
    pub(crate) fn told(raw: &str, by: &Self) -> Option<Self> {
        let (host, port) = raw.rsplit_once(':')?;
        let host = if host.is_empty() { &by.host } else { host };
        Some(Self { host: host.to_owned(), port: port.parse().ok()? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(raw: &str) -> Option<String> {
        Address::parse(raw, SERVER_PORT).map(|address| address.to_string())
    }

    #[test]
    fn reads_what_people_write() {
        for (raw, expected) in [
            ("redis", "redis:6379"),
            ("redis-0.redis.svc.cluster.local:7000", "redis-0.redis.svc.cluster.local:7000"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("[::1]", "[::1]:6379"),
            ("[fe80::1]:7000", "[fe80::1]:7000"),
        ] {
            assert_eq!(parsed(raw).as_deref(), Some(expected));
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for raw in [
            "",
            ":",
            ":1",
            "redis:",
            "redis:0",
            "redis:65536",
            "redis:x",
            "::1",
            "[::1",
            "[x]:1",
            "[::1]1",
            "redis://h:1",
            "user:pass@h:1",
            "a b:1",
            "h:1,i:1",
        ] {
            assert_eq!(parsed(raw), None, "{raw}");
        }
    }

    #[test]
    fn reads_what_a_node_tells() {
        let by = Address::parse("10.0.0.1:7000", SERVER_PORT).unwrap();
        let told = |raw| Address::told(raw, &by).map(|address| address.to_string());

        assert_eq!(told("10.0.0.2:7001").as_deref(), Some("10.0.0.2:7001"));
        assert_eq!(told("::1:7001").as_deref(), Some("[::1]:7001"));
        assert_eq!(told(":7001").as_deref(), Some("10.0.0.1:7001"));
        assert_eq!(told("7001"), None);
    }
}

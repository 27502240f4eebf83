//! Who a request comes from, and how the server behind us is told.
//!
//! What a caller says of itself in `Forwarded` (RFC 7239) and `X-Forwarded-*` is replaced, unless it
//! is a listed proxy: then it is believed, and we are added to the list.

use std::net::IpAddr;

use http::HeaderValue;
use ipnet::IpNet;
use pingora_core::Result;
use pingora_http::RequestHeader;

const FOR: &str = "x-forwarded-for";
const PROTO: &str = "x-forwarded-proto";
const HOST: &str = "x-forwarded-host";
const REAL_IP: &str = "x-real-ip";
const FORWARDED: &str = "forwarded";

/// How a request reached us.
#[derive(Clone, Debug)]
pub(crate) struct Hop<'a> {
    /// Who sent it.
    pub(crate) peer: IpAddr,
    /// Whether over TLS.
    pub(crate) is_tls: bool,
    /// The host that it asked for.
    pub(crate) host: &'a str,
}

impl Hop<'_> {
    fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }

    /// As RFC 7239 section 6 writes it.
    fn element(&self) -> String {
        let peer = match self.peer {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("\"[{address}]\""),
        };
        let fit = |it: char| it.is_ascii_alphanumeric() || "-._:[]".contains(it);
        match self.host {
            "" => format!("for={peer};proto={}", self.scheme()),
            host if host.chars().all(fit) => {
                format!("for={peer};host=\"{host}\";proto={}", self.scheme())
            }
            _ => format!("for={peer};proto={}", self.scheme()),
        }
    }
}

/// Whether `peer` is listed.
pub(crate) fn is_listed(trusted: &[IpNet], peer: IpAddr) -> bool {
    // A socket for both versions shows IPv4 as `::ffff:10.0.0.1`.
    let peer = peer.to_canonical();
    trusted.iter().any(|network| network.contains(&peer))
}

/// Who the request comes from: the peer, or, if that is a listed proxy, the last address in its
/// `X-Forwarded-For` that is not.
pub(crate) fn client(request: &RequestHeader, peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    if !is_listed(trusted, client) {
        return client;
    }
    let lines: Vec<_> = request.headers.get_all(FOR).iter().collect();
    for line in lines.iter().rev() {
        let Ok(line) = line.to_str() else { return client };
        for address in line.rsplit(',') {
            let Some(address) = address_of(address.trim()) else { return client };
            client = address.to_canonical();
            if !is_listed(trusted, client) {
                return client;
            }
        }
    }
    client
}

/// Some proxies add a port.
fn address_of(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().ok().map(|it: std::net::SocketAddr| it.ip());
    text.parse().ok().or_else(with_port)
}

/// Tells the server behind us.
///
/// # Errors
///
/// None that a well-formed request can cause.
pub(crate) fn tell(request: &mut RequestHeader, hop: &Hop<'_>, is_listed: bool) -> Result<()> {
    if !is_listed {
        forget(request);
    }
    let added = |before: Vec<u8>, more: &str| {
        let mut line = before;
        if !line.is_empty() {
            line.extend_from_slice(b", ");
        }
        line.extend_from_slice(more.as_bytes());
        line
    };
    let peer = hop.peer.to_canonical().to_string();
    let forwarded_for = added(joined(request, FOR), &peer);
    request.insert_header("X-Forwarded-For", forwarded_for)?;
    let forwarded = added(joined(request, FORWARDED), &hop.element());
    request.insert_header("Forwarded", forwarded)?;
    if !request.headers.contains_key(PROTO) {
        request.insert_header("X-Forwarded-Proto", hop.scheme())?;
    }
    if !request.headers.contains_key(HOST)
        && let Ok(host) = HeaderValue::from_str(hop.host)
        && !host.is_empty()
    {
        request.insert_header("X-Forwarded-Host", host)?;
    }
    if !request.headers.contains_key(REAL_IP) {
        request.insert_header("X-Real-IP", peer)?;
    }
    Ok(())
}

/// Deletes what a caller says of itself, and what an application may not tell from it.
fn forget(request: &mut RequestHeader) {
    let is_claim = |name: &str| {
        // As `HeaderName::is_taken_for` has it.
        let name = name.replace(|it: char| !it.is_ascii_alphanumeric(), "-");
        let is_id = name == "x-request-id";
        name.starts_with("x-forwarded-") || name == FORWARDED || name == REAL_IP || is_id
    };
    let names: Vec<_> =
        request.headers.keys().filter(|it| is_claim(it.as_str())).cloned().collect();
    for name in names {
        request.remove_header(&name);
    }
}

/// All lines of a header as one.
fn joined(request: &RequestHeader, name: &str) -> Vec<u8> {
    let lines: Vec<_> = request.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    lines.join(&b", "[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        for (name, value) in headers {
            request.append_header(*name, *value).unwrap();
        }
        request
    }

    fn told(headers: &[(&'static str, &str)], is_listed: bool) -> Vec<(String, String)> {
        let mut request = request(headers);
        let hop = Hop { peer: "192.0.2.1".parse().unwrap(), is_tls: true, host: "api.org" };
        tell(&mut request, &hop, is_listed).unwrap();
        let lines = request.headers.iter();
        let mut lines: Vec<_> = lines
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        lines.sort();
        lines
    }

    fn lines(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn t46_what_a_caller_says_of_itself_is_replaced() {
        let spoofed = [
            ("X-Forwarded-For", "10.0.0.1"),
            ("x-forwarded-proto", "http"),
            ("X-Forwarded-Host", "evil.org"),
            ("X-Forwarded-User", "root"),
            ("X_Forwarded_For", "10.0.0.1"),
            ("X-Real-IP", "10.0.0.1"),
            ("Forwarded", "for=10.0.0.1"),
        ];

        assert_eq!(
            told(&spoofed, false),
            lines(&[
                ("forwarded", "for=192.0.2.1;host=\"api.org\";proto=https"),
                ("x-forwarded-for", "192.0.2.1"),
                ("x-forwarded-host", "api.org"),
                ("x-forwarded-proto", "https"),
                ("x-real-ip", "192.0.2.1"),
            ])
        );
    }

    #[test]
    fn what_a_listed_proxy_says_is_kept_and_added_to() {
        let said = [
            ("X-Forwarded-For", "198.51.100.7"),
            ("X-Forwarded-For", "10.0.0.9"),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Host", "shop.org"),
            ("Forwarded", "for=198.51.100.7"),
        ];

        assert_eq!(
            told(&said, true),
            lines(&[
                ("forwarded", "for=198.51.100.7, for=192.0.2.1;host=\"api.org\";proto=https"),
                ("x-forwarded-for", "198.51.100.7, 10.0.0.9, 192.0.2.1"),
                ("x-forwarded-host", "shop.org"),
                ("x-forwarded-proto", "http"),
                ("x-real-ip", "192.0.2.1"),
            ])
        );
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_listed_proxy() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let seen = |peer: &str, line: &str| {
            let request = request(&[("X-Forwarded-For", line)]);
            client(&request, peer.parse().unwrap(), &trusted).to_string()
        };

        assert_eq!(seen("192.0.2.1", "198.51.100.7"), "192.0.2.1");
        assert_eq!(seen("10.0.0.1", "1.1.1.1, 198.51.100.7, 10.0.0.2"), "198.51.100.7");
        assert_eq!(seen("::ffff:10.0.0.1", "198.51.100.7:4711"), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", "10.0.0.3"), "10.0.0.3");
        assert_eq!(seen("10.0.0.1", "1.1.1.1, unknown"), "10.0.0.1");
    }

    #[test]
    fn a_host_that_would_break_out_of_its_quotes_is_left_out() {
        let hop = Hop { peer: "2001:db8::1".parse().unwrap(), is_tls: false, host: "a\";for=1" };

        assert_eq!(hop.element(), "for=\"[2001:db8::1]\";proto=http");
    }
}

//! What a request asks for, in a form that cannot be read in two ways.
//!
//! Routes decide which policies guard a request, and the server behind us decides what the request
//! means. If the two read a path differently, a guard can be walked around: `/public/..%2fadmin`,
//! `//admin`, `/%61dmin`, `/admin;x`. So routes are matched on the path as a lenient server would
//! understand it, and what has no single meaning is refused.

use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;

/// A path, decoded and split for matching. It is never sent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    segments: Vec<Box<str>>,
}

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadTarget {
    /// `.` or `..`, in whatever disguise.
    #[error("the path has dot segments")]
    Dots,
    /// A percent sign without two digits, or what is not text.
    #[error("the path is not well encoded")]
    Encoding,
}

impl Target {
    /// Reads the path of a request; what follows a `?` must be gone.
    ///
    /// # Errors
    ///
    /// [`BadTarget`].
    pub(crate) fn parse(path: &str) -> Result<Self, BadTarget> {
        // `OPTIONS *` is about the server as a whole.
        if path == "*" {
            return Ok(Self { segments: Vec::new() });
        }
        if !is_well_encoded(path.as_bytes()) {
            return Err(BadTarget::Encoding);
        }
        let decoded = percent_decode_str(path).decode_utf8().map_err(|_| BadTarget::Encoding)?;
        if decoded.chars().any(char::is_control) {
            return Err(BadTarget::Encoding);
        }
        let mut segments = Vec::new();
        for segment in decoded.split(['/', '\\']) {
            // Some servers cut parameters (RFC 3986 section 3.3) off before they look at dots.
            let segment = segment.split(';').next().unwrap_or_default();
            match segment {
                "" => {}
                "." | ".." => return Err(BadTarget::Dots),
                segment => segments.push(segment.into()),
            }
        }
        Ok(Self { segments })
    }

    /// Whether it lies at or below `prefix`, segment by segment.
    pub(crate) fn is_below(&self, prefix: &Self) -> bool {
        self.segments.starts_with(&prefix.segments)
    }

    /// How many segments it has.
    pub(crate) fn depth(&self) -> usize {
        self.segments.len()
    }
}

fn is_well_encoded(path: &[u8]) -> bool {
    let mut rest = path;
    while let Some(at) = rest.iter().position(|it| *it == b'%') {
        let digits = rest.get(at + 1..at + 3);
        if !digits.is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit)) {
            return false;
        }
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    true
}

/// Whether a text is a host, maybe with a port (RFC 9110 section 7.2), in letters that no server can
/// read in another way.
pub(crate) fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((address, rest)) if address.parse::<Ipv6Addr>().is_ok() => ("", rest),
        Some(_) => return false,
        None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
    };
    let is_name = |it: u8| it.is_ascii_alphanumeric() || b"-._".contains(&it);
    let is_port = |it: &str| it.len() <= 5 && it.bytes().all(|it| it.is_ascii_digit());
    host.bytes().all(is_name)
        && (!host.is_empty() || text.starts_with('['))
        && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// The host of a request or a route: lower case, without port and final dot.
pub(crate) fn host(authority: &str) -> String {
    let without_port = match authority.rfind(']') {
        Some(end) => authority.get(..=end).unwrap_or(authority),
        None => authority.split(':').next().unwrap_or(authority),
    };
    without_port.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(path: &str) -> Target {
        Target::parse(path).unwrap()
    }

    #[test]
    fn one_path_in_many_spellings_is_one_path() {
        for path in
            ["/admin/x", "//admin//x", "/%61dmin/x", "/admin;a=b/x", "/admin%2fx", "/admin\\x/"]
        {
            assert_eq!(target(path), target("/admin/x"), "{path}");
        }
        assert_ne!(target("/Admin/x"), target("/admin/x"));
        assert_ne!(target("/%2561dmin/x"), target("/admin/x"));
    }

    #[test]
    fn t46_dot_segments_are_refused_in_every_disguise() {
        for path in [
            "/a/../b",
            "/a/./b",
            "/..",
            "/%2e%2e/b",
            "/a/.%2E/b",
            "/a/..%2fb",
            "/a/..%5cb",
            "/a\\..\\b",
            "/a/..;x=1/b",
            "/a/%2e%2e%3bx/b",
        ] {
            assert_eq!(Target::parse(path), Err(BadTarget::Dots), "{path}");
        }
        for path in ["/a/..b", "/a/...", "/.well-known/x", "/a/b.."] {
            assert!(Target::parse(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn what_is_not_well_encoded_is_refused() {
        for path in ["/%", "/%4", "/%zz", "/%ff", "/%00", "/a%0d%0ab"] {
            assert_eq!(Target::parse(path), Err(BadTarget::Encoding), "{path}");
        }
    }

    #[test]
    fn prefixes_end_at_segments() {
        assert!(target("/orders/7").is_below(&target("/orders")));
        assert!(target("/orders").is_below(&target("/orders/")));
        assert!(target("/orders").is_below(&target("/")));
        assert!(target("*").is_below(&target("/")));
        assert!(!target("/orders2").is_below(&target("/orders")));
        assert!(!target("/").is_below(&target("/orders")));
    }

    #[test]
    fn hosts_lose_their_ports_and_their_case() {
        for (authority, expected) in [
            ("API.example.com:8443", "api.example.com"),
            ("api.example.com.", "api.example.com"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(host(authority), expected, "{authority}");
        }
    }

    #[test]
    fn t46_a_host_is_a_host_and_nothing_that_some_server_takes_for_one() {
        for authority in [
            "api.example.com",
            "API.example.com:8443",
            "a_b",
            "127.0.0.1:80",
            "[::1]:80",
            "[::1]",
            "x.",
        ] {
            assert!(is_authority(authority), "{authority}");
        }
        for authority in [
            "",
            ":80",
            "adm.example.com/",
            "adm.example.com#",
            "adm.example.com\\x",
            "adm.example.com,z",
            "adm.example.com z",
            "[adm.example.com]",
            "adm%2eexample.com",
            "user@adm.example.com",
            "adm.example.com:80x",
            "adm.example.com:80:80",
            "[::1]x",
        ] {
            assert!(!is_authority(authority), "{authority}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_has_no_dot_segment_left(path in r"/[a./%25eE;\\fF]{0,24}") {
            if let Ok(target) = Target::parse(&path) {
                prop_assert!(target.segments.iter().all(|it| &**it != "." && &**it != ".."));
            }
        }
    }
}

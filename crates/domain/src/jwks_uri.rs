//! Where a client publishes its keys (RFC 7591 section 2, `jwks_uri`).

use std::fmt;
use std::str::FromStr;

use url::Url;

/// The address of a JWK set: an `https` or `http` URL with a host, without credentials and
/// fragment, of at most [`JwksUri::MAX_BYTES`] bytes.
///
/// Whether it may be asked at all is not a question of its form: see
/// [`RemoteKeys`](crate::port::RemoteKeys). Its `Debug` output holds no path and no query, which
/// may hold what is nobody's business.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JwksUri(Box<Url>);

impl JwksUri {
    /// The most bytes it may have.
    pub const MAX_BYTES: usize = 2_048;

    /// The URL in its normal form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The URL.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Whether what is fetched there is protected on the way.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

/// A text that is no address of keys. The text is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an https URL of at most {} bytes, without credentials and fragment",
    JwksUri::MAX_BYTES
)]
pub struct InvalidJwksUri;

/// Why nothing is ever fetched from an address, as far as it can be told without asking anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwksUriRefusal {
    /// This server fetches no keys.
    #[error("is not fetched by this server: send jwks instead")]
    Off,
    /// Whoever is on the way could put in other keys.
    #[error("must be an https URL")]
    NotHttps,
    /// It names a machine that clients have no business to send us to (threat T27).
    #[error("must not name an address of a private, local or otherwise special network")]
    ForbiddenAddress,
}

impl FromStr for JwksUri {
    type Err = InvalidJwksUri;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let is_fine = |url: &Url| {
            matches!(url.scheme(), "https" | "http")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
                && url.port() != Some(0)
                && url.as_str().len() <= Self::MAX_BYTES
        };
        // The parser of URLs strips white space and drops control characters: here they are wrong.
        let is_visible =
            raw.len() <= Self::MAX_BYTES && raw.bytes().all(|it| it.is_ascii_graphic());
        let url = Url::parse(raw).ok().filter(|url| is_visible && is_fine(url));
        url.map(|url| Self(Box::new(url))).ok_or(InvalidJwksUri)
    }
}

impl fmt::Debug for JwksUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwksUri({}://{})", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_keys_is_a_plain_url() {
        for raw in ["https://keys.example/jwks.json", "https://a:8443/?p=1", "http://10.0.0.1/"] {
            assert_eq!(raw.parse::<JwksUri>().unwrap().as_str(), raw);
        }
        let long = format!("https://keys.example/{}", "a".repeat(JwksUri::MAX_BYTES));
        for raw in [
            "",
            "keys.example",
            "//keys.example",
            "https://",
            "file:///etc/passwd",
            "gopher://keys.example/",
            "data:application/json,{}",
            "https://user@keys.example/",
            "https://user:password@keys.example/",
            "https://keys.example/#fragment",
            "https://keys.example:0/",
            "https://keys.example:99999/",
            " https://keys.example/",
            "https://keys.example/\n",
            "https://ke\tys.example/",
            "https://bücher.example/",
            &long,
        ] {
            assert_eq!(raw.parse::<JwksUri>(), Err(InvalidJwksUri), "{raw:?}");
        }
    }

    /// Threat T27: every way to write an address is one address.
    #[test]
    fn t27_an_address_that_is_written_in_an_odd_way_is_read() {
        for raw in
            ["https://2130706433/", "https://0x7f.1/", "https://127.1/", "https://0177.0.0.1/"]
        {
            assert_eq!(raw.parse::<JwksUri>().unwrap().as_str(), "https://127.0.0.1/", "{raw}");
        }
    }

    #[test]
    fn t37_a_query_does_not_betray_itself_in_a_debug_log() {
        let uri: JwksUri = "https://keys.example/p?token=hunter2".parse().unwrap();
        assert_eq!(format!("{uri:?}"), "JwksUri(https://keys.example)");
    }
}

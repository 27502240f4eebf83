//! Names and values of HTTP headers that are safe to set.

use std::fmt;
use std::str::FromStr;

/// The name of a header (RFC 9110 section 5.1), in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderName(Box<str>);

/// The value of a header: visible ASCII, spaces and tabs, so that no value ends a line early.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderValue(Box<str>);

/// Why a header cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    /// The name is no token of RFC 9110 section 5.6.2, or too long.
    #[error("is no name of a header: letters, digits and !#$%&'*+-.^_`|~ only, at most 128")]
    Name,
    /// The header frames a message or belongs to one connection.
    #[error("is a header of the connection or of the message itself: choose another name")]
    Framing,
    /// The value holds what cannot be in a header.
    #[error("holds characters other than visible ASCII, spaces and tabs")]
    Value,
}

/// Headers that a policy must not set: those of one connection (RFC 9110 section 7.6.1), those that
/// frame the message, and those that name its target.
const FRAMING: [&str; 11] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl HeaderName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The header that carries credentials (RFC 9110 section 11.6.2).
    #[must_use]
    pub fn authorization() -> Self {
        Self("authorization".into())
    }

    /// Whether an application behind the gateway may take a header called `other` for this one:
    /// many servers hand headers on as variables, in which case, and all that is neither a letter nor
    /// a digit, are alike (threat T46).
    #[must_use]
    pub fn is_taken_for(&self, other: &str) -> bool {
        let plain =
            |it: u8| if it.is_ascii_alphanumeric() { it.to_ascii_lowercase() } else { b'-' };
        self.0.bytes().map(plain).eq(other.bytes().map(plain))
    }
}

impl FromStr for HeaderName {
    type Err = InvalidHeader;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let is_token = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
        if raw.is_empty() || Self::MAX_BYTES < raw.len() || !raw.bytes().all(is_token) {
            return Err(InvalidHeader::Name);
        }
        let name = raw.to_ascii_lowercase();
        if FRAMING.contains(&name.as_str()) {
            Err(InvalidHeader::Framing)
        } else {
            Ok(Self(name.into()))
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HeaderValue {
    /// The value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HeaderValue {
    type Err = InvalidHeader;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let is_fit = |it| matches!(it, b'\t' | b' '..=b'~');
        if raw.bytes().all(is_fit) { Ok(Self(raw.into())) } else { Err(InvalidHeader::Value) }
    }
}

/// A value may be a token.
impl fmt::Debug for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderValue([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_frame_a_message_are_refused_in_any_case() {
        for name in FRAMING {
            assert_eq!(name.parse::<HeaderName>(), Err(InvalidHeader::Framing));
            let shouted = name.to_ascii_uppercase();
            assert_eq!(shouted.parse::<HeaderName>(), Err(InvalidHeader::Framing));
        }
        for name in ["", "a b", "a:b", "a\r\nb", "\u{e9}", &"a".repeat(129)] {
            assert_eq!(name.parse::<HeaderName>(), Err(InvalidHeader::Name), "{name}");
        }
        assert_eq!("X-User".parse::<HeaderName>().unwrap().as_str(), "x-user");
    }

    #[test]
    fn values_that_end_a_line_or_leave_ascii_are_refused() {
        for value in ["a\r\nb: c", "a\nb", "\0", "\u{7f}", "\u{e9}", "\u{1b}[0m"] {
            assert_eq!(value.parse::<HeaderValue>(), Err(InvalidHeader::Value), "{value:?}");
        }
        assert_eq!("a\tb c".parse::<HeaderValue>().unwrap().as_str(), "a\tb c");
        assert_eq!("".parse::<HeaderValue>().unwrap().as_str(), "");
    }

    #[test]
    fn t46_names_that_variables_cannot_tell_apart_are_one() {
        let name: HeaderName = "X-Consumer-Username".parse().unwrap();

        for other in [
            "x-consumer-username",
            "X_Consumer_Username",
            "x-consumer_USERNAME",
            "X.Consumer.Username",
        ] {
            assert!(name.is_taken_for(other), "{other}");
        }
        for other in ["x-consumer-usernames", "xconsumerusername", ""] {
            assert!(!name.is_taken_for(other), "{other}");
        }
    }
}

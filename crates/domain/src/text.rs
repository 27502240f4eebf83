//! Short texts that cannot hold a bad value: one way in (`FromStr`), one way out (`as_str`).

use std::fmt;
use std::str::FromStr;

/// Why a text is not the value it was offered as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {reason}")]
pub struct InvalidText {
    /// The value's name on the wire.
    pub what: &'static str,
    /// Which rule it broke.
    pub reason: InvalidTextReason,
}

/// Which rule a text broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTextReason {
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// It is longer than the value may be.
    #[error("is longer than {max_bytes} bytes")]
    TooLong {
        /// The most bytes it may have.
        max_bytes: usize,
    },
    /// It holds a character that the value may not hold.
    #[error("may hold {allowed} only")]
    ForbiddenCharacter {
        /// What it may hold, in words.
        allowed: &'static str,
    },
    /// The name has a meaning of its own.
    #[error("is a reserved name")]
    Reserved,
}

const VISIBLE: &str = "visible ASCII characters (no white space)";
const PRINTABLE: &str = "printable ASCII characters";
const NO_CONTROL: &str = "characters other than control characters";

fn is_visible(c: char) -> bool {
    matches!(c, '\x21'..='\x7E')
}

fn is_printable(c: char) -> bool {
    matches!(c, '\x20'..='\x7E')
}

fn is_no_control(c: char) -> bool {
    !c.is_control()
}

fn checked(
    what: &'static str,
    raw: &str,
    max_bytes: usize,
    is_allowed: fn(char) -> bool,
    allowed: &'static str,
) -> Result<Box<str>, InvalidText> {
    let refused = |reason| Err(InvalidText { what, reason });
    if raw.is_empty() {
        return refused(InvalidTextReason::Empty);
    }
    if max_bytes < raw.len() {
        return refused(InvalidTextReason::TooLong { max_bytes });
    }
    if !raw.chars().all(is_allowed) {
        return refused(InvalidTextReason::ForbiddenCharacter { allowed });
    }
    Ok(raw.into())
}

macro_rules! text {
    ($(#[$doc:meta])+ $name:ident = $what:literal, at most $max:literal bytes, $is_allowed:ident, $allowed:ident) => {
        $(#[$doc])+
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The most bytes it may have.
            pub const MAX_BYTES: usize = $max;

            /// The text as it travels on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidText;

            fn from_str(raw: &str) -> Result<Self, Self::Err> {
                checked($what, raw, Self::MAX_BYTES, $is_allowed, $allowed).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &*self.0)
            }
        }
    };
}

text! {
    /// The identifier a client presents when it asks for a token.
    ///
    /// `VSCHAR` of RFC 6749 appendix A.1 without the space.
    ClientId = "client_id", at most 255 bytes, is_visible, VISIBLE
}
text! {
    /// What people call a client (`client_name`, RFC 7591 section 2).
    ClientName = "client_name", at most 255 bytes, is_no_control, NO_CONTROL
}
text! {
    /// The name of a key (`kid`, RFC 7517 section 4.5).
    KeyId = "kid", at most 255 bytes, is_printable, PRINTABLE
}
text! {
    /// Who issues tokens (`iss`, RFC 7519 section 4.1.1). It need not be a URL.
    Issuer = "issuer", at most 512 bytes, is_visible, VISIBLE
}
text! {
    /// Whom a token is meant for (`aud`, RFC 7519 section 4.1.3).
    Audience = "audience", at most 512 bytes, is_visible, VISIBLE
}
text! {
    /// One entry of the `permissions` claim, as the operator spells it.
    Permission = "permissions", at most 255 bytes, is_no_control, NO_CONTROL
}
text! {
    /// The identifier of one token or assertion (`jti`, RFC 7519 section 4.1.7).
    TokenId = "jti", at most 256 bytes, is_no_control, NO_CONTROL
}
text! {
    /// The identifier of one secret of a client.
    SecretId = "secret_id", at most 64 bytes, is_visible, VISIBLE
}
text! {
    /// What an operator calls a secret.
    SecretName = "name", at most 255 bytes, is_no_control, NO_CONTROL
}
text! {
    /// What a registered scope is for, in words for people.
    Description = "description", at most 1024 bytes, is_no_control, NO_CONTROL
}
text! {
    /// What people call a resource.
    ResourceName = "name", at most 255 bytes, is_no_control, NO_CONTROL
}

text! {
    /// The identifier of a change set.
    ChangeSetId = "change set id", at most 64 bytes, is_visible, VISIBLE
}
text! {
    /// What a change set is for, in the words of whoever drafted it.
    ChangeNote = "note", at most 500 bytes, is_no_control, NO_CONTROL
}
text! {
    /// Who drafted, committed or rolled back a change set.
    Author = "author", at most 300 bytes, is_no_control, NO_CONTROL
}

/// The name of a claim that a client may set in its own tokens.
///
/// Never one of [`ClaimName::RESERVED`]: what the server says about a token cannot be said by
/// the client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimName(Box<str>);

impl ClaimName {
    /// The names only the server may set.
    pub const RESERVED: &'static [&'static str] = &[
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "permissions",
        "scope",
        "client_id",
        "cnf",
        "act",
    ];

    /// The name as it travels on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClaimName {
    type Err = InvalidText;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        const WHAT: &str = "allowedCustomClaims";
        let name = checked(WHAT, raw, 128, is_no_control, NO_CONTROL)?;
        if Self::RESERVED.contains(&raw) {
            return Err(InvalidText { what: WHAT, reason: InvalidTextReason::Reserved });
        }
        Ok(Self(name))
    }
}

impl Issuer {
    /// The issuer as a URL, where it is one (RFC 8414 section 2 wants `https`; `http` serves
    /// tests and networks of one's own).
    #[must_use]
    pub fn as_url(&self) -> Option<url::Url> {
        url::Url::parse(self.as_str()).ok().filter(|it| matches!(it.scheme(), "http" | "https"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_client_id_holds_exactly_the_visible_ascii_characters() {
        for byte in 0u8..=0x7F {
            let raw = char::from(byte).to_string();
            assert_eq!(raw.parse::<ClientId>().is_ok(), matches!(byte, 0x21..=0x7E), "{byte:#04x}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let refusal = |raw: &str| raw.parse::<ClientId>().unwrap_err().to_string();

        assert_eq!(refusal(""), "client_id is empty");
        assert_eq!(refusal(&"a".repeat(256)), "client_id is longer than 255 bytes");
        assert_eq!(
            refusal("caffè"),
            "client_id may hold visible ASCII characters (no white space) only"
        );
    }

    #[test]
    fn t36_a_custom_claim_never_has_a_reserved_name() {
        for name in ClaimName::RESERVED {
            assert!(name.parse::<ClaimName>().is_err(), "{name}");
        }
        assert!("tenant".parse::<ClaimName>().is_ok());
    }

    #[test]
    fn an_issuer_need_not_be_a_url() {
        assert!("my-service".parse::<Issuer>().unwrap().as_url().is_none());
        assert!("urn:a:b".parse::<Issuer>().unwrap().as_url().is_none());
        assert!("https://a.example/b".parse::<Issuer>().unwrap().as_url().is_some());
    }

    proptest! {
        #[test]
        fn what_parses_comes_out_as_it_went_in(raw in "\\PC{0,300}") {
            if let Ok(id) = raw.parse::<ClientId>() {
                prop_assert_eq!(id.as_str(), raw.as_str());
            }
            if let Ok(name) = raw.parse::<ClientName>() {
                prop_assert_eq!(name.as_str(), raw.as_str());
            }
        }
    }
}

//! The credentials that a caller brings along for somebody else's token endpoint.

use std::fmt;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, prelude::BASE64_STANDARD};

use crate::ClientSecret;

/// An id and a secret that somebody else's authorization server will judge.
#[derive(Clone)]
pub struct FetchCredentials {
    /// The id, as the server expects it. It is not empty.
    pub id: Box<str>,
    /// The secret; it may be empty.
    pub secret: ClientSecret,
}

/// Whether the halves of Basic credentials are form-encoded (RFC 6749 section 2.3.1) or raw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CredentialsEncoding {
    /// As RFC 7617 has it, and most clients send it.
    #[default]
    Raw,
    /// As RFC 6749 wants it.
    Form,
}

/// Why there are no credentials in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCredentials {
    /// It has none of this kind.
    #[error("the request brings no such credentials")]
    Absent,
    /// It has some, and nobody can read them.
    #[error("the credentials of the request are malformed, or there are two")]
    Malformed,
}

/// The token of one `Authorization` header of scheme `scheme`, in any case (RFC 9110 section 11.1).
///
/// # Errors
///
/// [`NoCredentials::Absent`] without such a header, [`NoCredentials::Malformed`] for two headers.
pub fn authorization<'a>(
    headers: impl IntoIterator<Item = &'a [u8]>,
    scheme: &str,
) -> Result<&'a str, NoCredentials> {
    let mut headers = headers.into_iter();
    let value = headers.next().ok_or(NoCredentials::Absent)?;
    if headers.next().is_some() {
        return Err(NoCredentials::Malformed);
    }
    let value = std::str::from_utf8(value).map_err(|_| NoCredentials::Malformed)?.trim();
    match value.split_once([' ', '\t']) {
        Some((named, token)) if named.eq_ignore_ascii_case(scheme) => Ok(token.trim_start()),
        None if value.eq_ignore_ascii_case(scheme) => Err(NoCredentials::Malformed),
        Some(_) | None => Err(NoCredentials::Absent),
    }
}

impl FetchCredentials {
    /// Reads what stands after `Basic` (RFC 7617 section 2): split at the first colon. The padding
    /// must be right or absent.
    ///
    /// # Errors
    ///
    /// [`NoCredentials::Malformed`] for bad base64, what is not UTF-8, a missing colon, an empty id,
    /// control characters, or a bad `%zz` where halves are form-encoded.
    pub fn from_basic(encoded: &str, encoding: CredentialsEncoding) -> Result<Self, NoCredentials> {
        const BARE: GeneralPurpose = GeneralPurpose::new(
            &alphabet::STANDARD,
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireNone),
        );
        let decoded = if encoded.ends_with('=') {
            BASE64_STANDARD.decode(encoded)
        } else {
            BARE.decode(encoded)
        };
        let pair = decoded.ok().and_then(|it| String::from_utf8(it).ok());
        let pair = pair.ok_or(NoCredentials::Malformed)?;
        let (id, secret) = pair.split_once(':').ok_or(NoCredentials::Malformed)?;
        match encoding {
            CredentialsEncoding::Raw => Self::new(id.to_owned(), secret.to_owned()),
            CredentialsEncoding::Form => Self::new(form_decoded(id)?, form_decoded(secret)?),
        }
    }

    /// Takes an id and a secret as they are.
    ///
    /// # Errors
    ///
    /// [`NoCredentials::Malformed`] for an empty id, control characters, or what is far too long.
    pub fn new(id: String, secret: String) -> Result<Self, NoCredentials> {
        const MAX_BYTES: usize = 4_096;
        let is_bad = |it: &str| MAX_BYTES < it.len() || it.chars().any(char::is_control);
        if id.is_empty() || is_bad(&id) || is_bad(&secret) {
            return Err(NoCredentials::Malformed);
        }
        Ok(Self { id: id.into(), secret: ClientSecret::new(secret) })
    }
}

/// The id belongs to somebody, and whoever mistakes the fields puts a secret there.
impl fmt::Debug for FetchCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FetchCredentials([redacted])")
    }
}

/// `application/x-www-form-urlencoded`, strictly: a percent sign has two digits after it.
fn form_decoded(text: &str) -> Result<String, NoCredentials> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || bytes.next().and_then(|it| char::from(it).to_digit(16));
                match (digit(), digit()) {
                    (Some(high), Some(low)) => {
                        u8::try_from(high << 4 | low).map_err(|_| NoCredentials::Malformed)?
                    }
                    (Some(_) | None, Some(_) | None) => return Err(NoCredentials::Malformed),
                }
            }
            other => other,
        });
    }
    String::from_utf8(decoded).map_err(|_| NoCredentials::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(pair: &[u8], encoding: CredentialsEncoding) -> Option<(String, String)> {
        let encoded = BASE64_STANDARD.encode(pair);
        let read = FetchCredentials::from_basic(&encoded, encoding).ok()?;
        Some((read.id.into(), read.secret.expose().to_owned()))
    }

    fn raw(pair: &str) -> Option<(String, String)> {
        basic(pair.as_bytes(), CredentialsEncoding::Raw)
    }

    fn pair(id: &str, secret: &str) -> (String, String) {
        (id.to_owned(), secret.to_owned())
    }

    #[test]
    fn basic_credentials_are_split_at_the_first_colon_and_raw() {
        assert_eq!(raw("id:secret"), Some(pair("id", "secret")));
        assert_eq!(raw("id:se:cr:et"), Some(pair("id", "se:cr:et")));
        assert_eq!(raw("id:"), Some(pair("id", "")));
        assert_eq!(raw("i%41+:s%zz"), Some(pair("i%41+", "s%zz")));
        assert_eq!(raw("\u{e9}:\u{1f600}"), Some(pair("\u{e9}", "\u{1f600}")));
    }

    #[test]
    fn form_encoded_credentials_are_decoded_strictly() {
        let form = |it: &str| basic(it.as_bytes(), CredentialsEncoding::Form);

        assert_eq!(form("i%41+:s%3a%25"), Some(pair("iA ", "s:%")));
        for bad in ["a%zz:b", "a%4:b", "a:b%", "a:%ff", "a%00:b", ":b"] {
            assert_eq!(form(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for bad in [":secret", "nocolon", "", "a\0:b", "a\r\n:b", "a:b\n"] {
            assert_eq!(raw(bad), None, "{bad:?}");
        }
        assert_eq!(basic(b"a:\xff", CredentialsEncoding::Raw), None);
        for encoded in ["YTpi=", "YTpiYw=", "YTpiY===", "YTpi YTpi", "YT-i", "=", ""] {
            let read = FetchCredentials::from_basic(encoded, CredentialsEncoding::Raw);
            assert_eq!(read.unwrap_err(), NoCredentials::Malformed, "{encoded}");
        }
        assert!(FetchCredentials::from_basic("YTpiYw", CredentialsEncoding::Raw).is_ok());
    }

    #[test]
    fn a_scheme_is_read_in_any_case_and_one_header_is_enough() {
        let read = |headers: &[&'static str]| {
            authorization(headers.iter().map(|it| it.as_bytes()), "Basic")
        };

        assert_eq!(read(&["bAsIc  abc"]), Ok("abc"));
        assert_eq!(read(&["Basic\tabc "]), Ok("abc"));
        assert_eq!(read(&[]), Err(NoCredentials::Absent));
        assert_eq!(read(&["Bearer abc"]), Err(NoCredentials::Absent));
        assert_eq!(read(&["Basics abc"]), Err(NoCredentials::Absent));
        assert_eq!(read(&["Basic"]), Err(NoCredentials::Malformed));
        assert_eq!(read(&["Basic abc", "Basic abc"]), Err(NoCredentials::Malformed));
        assert_eq!(read(&["Bearer abc", "Basic abc"]), Err(NoCredentials::Malformed));
        assert_eq!(authorization([&b"Basic \xff"[..]], "Basic"), Err(NoCredentials::Malformed));
    }

    #[test]
    fn t37_credentials_do_not_betray_themselves_in_a_debug_log() {
        let read = FetchCredentials::new("hunter1".to_owned(), "hunter2".to_owned()).unwrap();

        assert!(!format!("{read:?}").contains("hunter"));
    }
}

//! A signed JSON object in its one canonical form (RFC 7515 section 7.1), not verified yet.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::{JsonObject, KeyId, SigningAlgorithm, parse_object};

/// A compact JWS that parsed, whose signature nobody has checked.
///
/// What its signature is made with is part of its type: a signature is never taken for a MAC, nor
/// a MAC for a signature (threat T02).
///
/// Its `Debug` output holds no part of the token.
#[derive(Clone)]
pub struct CompactJws<A = SigningAlgorithm> {
    header: JwsHeader<A>,
    claims: Arc<JsonObject>,
    signing_input: Box<str>,
    signature: Box<[u8]>,
}

/// A compact JWS that parsed, whose MAC nobody has checked.
pub type CompactMac = CompactJws<MacAlgorithm>;

/// How a MAC is made (RFC 7518 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MacAlgorithm {
    /// HMAC with SHA-256. Our secrets are long enough for it, and not for its longer siblings.
    Hs256,
}

impl MacAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 1] = [Self::Hs256];

    /// The fewest bytes of a key: as many as the MAC has (RFC 7518 section 3.2).
    pub const MIN_KEY_BYTES: usize = 32;

    /// Its registered name, compared exactly (RFC 7515 section 4.1.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
        }
    }

    /// The algorithm of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// The members of a JOSE header that we read. All others are ignored, above all those that
/// offer a key (`jwk`, `jku`, `x5u`, `x5c`): a key comes from a registration or from nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwsHeader<A = SigningAlgorithm> {
    /// What the signer says it used. It is compared with what the key is for, never obeyed.
    pub algorithm: A,
    /// Which key the signer says it used.
    pub key_id: Option<KeyId>,
    /// What kind of token it says it is.
    pub typ: Option<Box<str>>,
}

/// Why a text is not a signed token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsRejection {
    /// Longer than [`CompactJws::MAX_BYTES`].
    #[error("the token is longer than {} bytes", CompactJws::MAX_BYTES)]
    TooLong,
    /// Not three canonical base64url parts that are not empty.
    #[error("the token is not a compact JWS of three canonical base64url parts")]
    NotCompact,
    /// The header is not an unambiguous JSON object, or a member of it has a wrong type.
    #[error("the header of the token is malformed")]
    Header,
    /// `alg` is none of ours.
    #[error("the token's alg is not one of RS256, PS256, ES256, EdDSA")]
    Algorithm,
    /// The header wants us to understand an extension, and we understand none.
    #[error("the token's header names critical extensions (crit), and none is supported")]
    Critical,
    /// The payload is not an unambiguous JSON object.
    #[error("the payload of the token is not an unambiguous JSON object")]
    Payload,
}

impl CompactJws {
    /// The longest token read, in bytes. The length is checked before anything is split.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Reads the compact serialization, strictly.
    ///
    /// # Errors
    ///
    /// See [`JwsRejection`].
    pub fn parse(raw: &str) -> Result<Self, JwsRejection> {
        Self::parse_as(raw, SigningAlgorithm::from_name)
    }
}

impl CompactMac {
    /// Reads the compact serialization of a token with a MAC, as strictly.
    ///
    /// # Errors
    ///
    /// See [`JwsRejection`].
    pub fn parse_mac(raw: &str) -> Result<Self, JwsRejection> {
        Self::parse_as(raw, MacAlgorithm::from_name)
    }
}

impl<A> CompactJws<A> {
    fn parse_as(raw: &str, from_name: fn(&str) -> Option<A>) -> Result<Self, JwsRejection> {
        if CompactJws::MAX_BYTES < raw.len() {
            return Err(JwsRejection::TooLong);
        }
        let mut parts = raw.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(JwsRejection::NotCompact);
        };
        let signature = decoded(signature)?;
        let header = JwsHeader::parse(&decoded(header)?, from_name)?;
        let claims = parse_object(&decoded(payload)?).map_err(|_| JwsRejection::Payload)?.into();
        let signing_input = raw.rsplit_once('.').map_or("", |(input, _)| input).into();
        Ok(Self { header, claims, signing_input, signature: signature.into() })
    }

    /// What the header says.
    #[must_use]
    pub fn header(&self) -> &JwsHeader<A> {
        &self.header
    }

    /// What the payload says. Believe it after the signature was verified, not before.
    #[must_use]
    pub fn unverified_claims(&self) -> &Arc<JsonObject> {
        &self.claims
    }

    /// The bytes under the signature (RFC 7515 section 2).
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        self.signing_input.as_bytes()
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

impl<A> std::fmt::Debug for CompactJws<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CompactJws([redacted])")
    }
}

impl<A> JwsHeader<A> {
    fn parse(bytes: &[u8], from_name: fn(&str) -> Option<A>) -> Result<Self, JwsRejection> {
        let header = parse_object(bytes).map_err(|_| JwsRejection::Header)?;
        // RFC 7515 section 4.1.11: an extension that is not understood makes the JWS invalid;
        // `b64` (RFC 7797) changes what is signed and is refused even where `crit` forgets it.
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(JwsRejection::Critical);
        }
        let algorithm = match header.get("alg") {
            Some(Value::String(name)) => from_name(name).ok_or(JwsRejection::Algorithm)?,
            Some(_) | None => return Err(JwsRejection::Algorithm),
        };
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(raw)) => Some(raw.parse().map_err(|_| JwsRejection::Header)?),
            Some(_) => return Err(JwsRejection::Header),
        };
        let typ = match header.get("typ") {
            None => None,
            Some(Value::String(raw)) => Some(raw.as_str().into()),
            Some(_) => return Err(JwsRejection::Header),
        };
        Ok(Self { algorithm, key_id, typ })
    }

    /// Whether the token is of the kind `typ`, compared as a media type (RFC 7515 section 4.1.9).
    #[must_use]
    pub fn is_typ(&self, typ: &str) -> bool {
        self.typ.as_deref().is_some_and(|it| {
            let it = it
                .get(..12)
                .filter(|it| it.eq_ignore_ascii_case("application/"))
                .map_or(it, |prefix| it.get(prefix.len()..).unwrap_or_default());
            it.eq_ignore_ascii_case(typ)
        })
    }
}

/// The decoder refuses padding, foreign characters and bits that are set and unused.
fn decoded(part: &str) -> Result<Vec<u8>, JwsRejection> {
    match BASE64_URL_SAFE_NO_PAD.decode(part) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        Ok(_) | Err(_) => Err(JwsRejection::NotCompact),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn jws(header: &str, payload: &str) -> String {
        let part = |it: &str| BASE64_URL_SAFE_NO_PAD.encode(it);
        format!("{}.{}.{}", part(header), part(payload), part("signature"))
    }

    fn rejection(raw: &str) -> JwsRejection {
        CompactJws::parse(raw).unwrap_err()
    }

    #[test]
    fn reads_a_plain_token() {
        let jws =
            CompactJws::parse(&jws(r#"{"alg":"ES256","kid":"k1","typ":"JWT"}"#, r#"{"a":1}"#))
                .unwrap();

        assert_eq!(jws.header().algorithm, SigningAlgorithm::Es256);
        assert_eq!(jws.header().key_id, Some("k1".parse().unwrap()));
        assert!(jws.header().is_typ("jwt"));
        assert_eq!(jws.unverified_claims()["a"], 1);
        assert_eq!(jws.signature(), b"signature");
    }

    /// Threat T02: what is read as one kind is not read as the other.
    #[test]
    fn t02_a_mac_and_a_signature_are_two_kinds_of_tokens() {
        let mac = jws(r#"{"alg":"HS256"}"#, "{}");
        let signed = jws(r#"{"alg":"RS256"}"#, "{}");

        assert_eq!(rejection(&mac), JwsRejection::Algorithm);
        assert_eq!(CompactMac::parse_mac(&signed).unwrap_err(), JwsRejection::Algorithm);
        assert_eq!(CompactMac::parse_mac(&mac).unwrap().header().algorithm, MacAlgorithm::Hs256);
        for alg in ["HS384", "HS512", "hs256", "none", "HS256 "] {
            let raw = jws(&format!(r#"{{"alg":"{alg}"}}"#), "{}");
            assert_eq!(CompactMac::parse_mac(&raw).unwrap_err(), JwsRejection::Algorithm, "{alg}");
        }
    }

    #[test]
    fn reads_typ_as_a_media_type() {
        let header = |typ: &str| JwsHeader {
            algorithm: SigningAlgorithm::Rs256,
            key_id: None,
            typ: Some(typ.into()),
        };

        assert!(header("application/at+jwt").is_typ("at+jwt"));
        assert!(header("AT+JWT").is_typ("at+jwt"));
        assert!(!header("application").is_typ("at+jwt"));
        assert!(!header("applicationé/at+jwt").is_typ("at+jwt"));
    }

    #[test]
    fn t01_alg_none_is_refused_in_every_spelling() {
        for alg in [r#""none""#, r#""None""#, r#""NONE""#, r#""nOnE""#, "null", r#""""#, "1"] {
            let header = format!(r#"{{"alg":{alg}}}"#);
            assert_eq!(rejection(&jws(&header, "{}")), JwsRejection::Algorithm, "{alg}");
        }
        assert_eq!(rejection(&jws("{}", "{}")), JwsRejection::Algorithm);
        let unsigned = jws(r#"{"alg":"RS256"}"#, "{}");
        let unsigned = unsigned.rsplit_once('.').unwrap().0;
        assert_eq!(rejection(&format!("{unsigned}.")), JwsRejection::NotCompact);
        assert_eq!(rejection(unsigned), JwsRejection::NotCompact);
    }

    #[test]
    fn t02_symmetric_algorithms_are_unknown_here() {
        for alg in ["HS256", "HS384", "HS512"] {
            let header = format!(r#"{{"alg":"{alg}"}}"#);
            assert_eq!(rejection(&jws(&header, "{}")), JwsRejection::Algorithm);
        }
    }

    #[test]
    fn t06_a_kid_that_is_no_key_id_is_refused() {
        for kid in [r#""\u0000""#.to_owned(), format!("\"{}\"", "k".repeat(9_000)), "7".to_owned()]
        {
            let header = format!(r#"{{"alg":"RS256","kid":{kid}}}"#);
            assert_eq!(rejection(&jws(&header, "{}")), JwsRejection::Header);
        }
    }

    #[test]
    fn t07_critical_extensions_are_refused() {
        for member in [
            r#""crit":["exp"]"#,
            r#""crit":[]"#,
            r#""crit":["b64","b64"]"#,
            r#""crit":null"#,
            r#""b64":false"#,
            r#""b64":true"#,
        ] {
            let header = format!(r#"{{"alg":"RS256",{member}}}"#);
            assert_eq!(rejection(&jws(&header, "{}")), JwsRejection::Critical, "{member}");
        }
    }

    #[test]
    fn t09_doubled_members_are_refused_in_header_and_payload() {
        let doubled = r#"{"alg":"RS256","alg":"RS256"}"#;
        assert_eq!(rejection(&jws(doubled, "{}")), JwsRejection::Header);
        assert_eq!(
            rejection(&jws(r#"{"alg":"RS256"}"#, r#"{"sub":"a","sub":"b"}"#)),
            JwsRejection::Payload
        );
    }

    #[test]
    fn t10_a_million_dots_are_refused_by_their_length() {
        assert_eq!(rejection(&".".repeat(1_000_000)), JwsRejection::TooLong);
        assert_eq!(rejection(&".".repeat(10_000)), JwsRejection::NotCompact);
    }

    #[test]
    fn t13_only_the_canonical_form_is_read() {
        let good = jws(r#"{"alg":"RS256"}"#, r#"{"a":1}"#);
        assert!(CompactJws::parse(&good).is_ok());
        let [header, payload, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
        for bad in [
            format!("{header}=.{payload}.{signature}"),
            format!("{header}.{payload}.{signature}="),
            format!(" {good}"),
            format!("{good}\n"),
            format!("{header}. {payload}.{signature}"),
            format!("{header}.{payload}.{}", signature.replace('c', "+")),
            format!("{header}.{payload}.{signature}."),
            format!("{header}..{signature}"),
            // Five parts: a JWE (T11, T12) is not read at all.
            format!("{header}.{payload}.{signature}.{signature}.{signature}"),
            r#"{"payload":"e30","protected":"e30","signature":"e30"}"#.to_owned(),
        ] {
            assert_eq!(rejection(&bad), JwsRejection::NotCompact, "{bad}");
        }
        // One byte fills two characters and leaves four bits unused: `QQ` and `QR` both decode to
        // `A` where nobody looks at them.
        assert!(CompactJws::parse(&format!("{header}.{payload}.QQ")).is_ok());
        let sloppy = format!("{header}.{payload}.QR");
        assert_eq!(rejection(&sloppy), JwsRejection::NotCompact);
    }

    proptest! {
        #[test]
        fn never_panics(raw in "[a-zA-Z0-9_.=-]{0,200}") {
            let _ = CompactJws::parse(&raw);
        }
    }
}

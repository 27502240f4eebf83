//! The claims of a token as text, for whoever compares them with text.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::InvalidJson;

/// The deepest nesting of claims that is read.
const MAX_LEVELS: usize = 64;

/// The claims of a token, or the members of an introspection answer.
///
/// A number is kept as its literal text, since policies compare text and `1.50` is not `1.5`.
/// `serde_json::Value` would lose it, and the feature that keeps it (`arbitrary_precision`) changes
/// how every crate of a build reads numbers. So this is a tree of its own, whose leaves
/// `serde_json` hands over as raw text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Claims(BTreeMap<Box<str>, Claim>);

/// A value in the claims.
#[derive(Clone, PartialEq, Eq)]
pub enum Claim {
    /// `null`: it is there, and matches nothing.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A number, as it was written.
    Number(Box<str>),
    /// A string, without its escapes.
    Text(Box<str>),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(BTreeMap<Box<str>, Self>),
}

impl Claims {
    /// Reads one JSON object, as strictly as [`parse_object`](crate::parse_object) does; nesting
    /// ends at 64 levels.
    ///
    /// # Errors
    ///
    /// [`InvalidJson`], which repeats nothing of the text.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidJson> {
        let raw: &RawValue = serde_json::from_slice(bytes).map_err(|_| InvalidJson)?;
        match read(raw, 0)? {
            Claim::Object(members) => Ok(Self(members)),
            Claim::Null
            | Claim::Boolean(_)
            | Claim::Number(_)
            | Claim::Text(_)
            | Claim::Array(_) => Err(InvalidJson),
        }
    }

    /// The claims of a compact JWS (RFC 7519 section 7.2), whose signature is not looked at;
    /// `None` if it is not one. Meant for a token that its issuer has just handed over.
    #[must_use]
    pub fn of_jwt(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let decoded = |part| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
        Self::parse(&decoded(header)?).ok()?;
        Self::parse(&decoded(payload)?).ok()
    }

    /// What lies at the end of `path`. Only objects are walked: there is no index into an array.
    #[must_use]
    pub fn find(&self, path: &ClaimPath) -> Option<&Claim> {
        let (first, rest) = path.0.split_first()?;
        rest.iter().try_fold(self.0.get(first)?, |claim, name| match claim {
            Claim::Object(members) => members.get(name),
            Claim::Null
            | Claim::Boolean(_)
            | Claim::Number(_)
            | Claim::Text(_)
            | Claim::Array(_) => None,
        })
    }

    /// The member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Claim> {
        self.0.get(name)
    }
}

impl Claim {
    /// What the value is compared as: a string by its bytes, a number by its literal, a truth
    /// value by its name. `null`, arrays and objects are no text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            Self::Boolean(true) => Some("true"),
            Self::Boolean(false) => Some("false"),
            Self::Null | Self::Array(_) | Self::Object(_) => None,
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_string(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Boolean(_) | Self::Number(_) | Self::Array(_) | Self::Object(_) => {
                None
            }
        }
    }

    /// The whole seconds of a `NumericDate` (RFC 7519 section 2), rounded down; `None` for what is
    /// no number. A moment before 1970 is 1970.
    #[must_use]
    pub fn as_seconds(&self) -> Option<u64> {
        match self {
            Self::Number(literal) => whole_seconds(literal),
            Self::Null | Self::Boolean(_) | Self::Text(_) | Self::Array(_) | Self::Object(_) => {
                None
            }
        }
    }
}

/// A number of seconds, rounded down; what is negative is 0.
pub(super) fn whole_seconds(literal: &str) -> Option<u64> {
    if let Ok(seconds) = literal.parse() {
        return Some(seconds);
    }
    let seconds: f64 = literal.parse().ok().filter(|it: &f64| it.is_finite())?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounding down and saturating is what is wanted"
    )]
    Some(seconds as u64)
}

/// Where a claim lies: names of members, from the outside in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimPath(Box<[Box<str>]>);

impl ClaimPath {
    /// The path of those names, as they are. `None` without any.
    pub fn of_names<I>(names: I) -> Option<Self>
    where
        I: IntoIterator,
        I::Item: Into<Box<str>>,
    {
        let names: Box<[Box<str>]> = names.into_iter().map(Into::into).collect();
        (!names.is_empty()).then_some(Self(names))
    }
}

/// Reads a key of the claims language: names between dots. `\.` is a dot and `\\` a backslash in a
/// name; a backslash before anything else is itself.
impl FromStr for ClaimPath {
    type Err = std::convert::Infallible;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let (mut names, mut name) = (Vec::new(), String::new());
        let mut characters = raw.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '.' => names.push(std::mem::take(&mut name).into()),
                '\\' => {
                    name.push(characters.next_if(|it| matches!(it, '.' | '\\')).unwrap_or('\\'));
                }
                other => name.push(other),
            }
        }
        names.push(name.into());
        Ok(Self(names.into()))
    }
}

/// Writes it so that it is read as the same path again.
impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            if index != 0 {
                f.write_str(".")?;
            }
            f.write_str(&name.replace('\\', "\\\\").replace('.', "\\."))?;
        }
        Ok(())
    }
}

/// Claims tell who somebody is: a log has no business with them.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claims({} members)", self.0.len())
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Claim(null)",
            Self::Boolean(_) => "Claim(a truth value)",
            Self::Number(_) => "Claim(a number)",
            Self::Text(_) => "Claim(a string)",
            Self::Array(_) => "Claim(an array)",
            Self::Object(_) => "Claim(an object)",
        })
    }
}

fn read(raw: &RawValue, level: usize) -> Result<Claim, InvalidJson> {
    let text = raw.get();
    if MAX_LEVELS < level {
        return Err(InvalidJson);
    }
    match text.as_bytes().first() {
        Some(b'{') => {
            let Members(members) = serde_json::from_str(text).map_err(|_| InvalidJson)?;
            let read = members.into_iter().map(|(name, value)| Ok((name, read(value, level + 1)?)));
            read.collect::<Result<_, _>>().map(Claim::Object)
        }
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| InvalidJson)?;
            let read = elements.into_iter().map(|it| read(it, level + 1));
            read.collect::<Result<_, _>>().map(Claim::Array)
        }
        Some(b'"') => {
            serde_json::from_str::<Box<str>>(text).map(Claim::Text).map_err(|_| InvalidJson)
        }
        Some(b'n') => Ok(Claim::Null),
        Some(b't') => Ok(Claim::Boolean(true)),
        Some(b'f') => Ok(Claim::Boolean(false)),
        Some(_) => Ok(Claim::Number(text.into())),
        None => Err(InvalidJson),
    }
}

/// The members of an object, none of them twice.
struct Members<'a>(BTreeMap<Box<str>, &'a RawValue>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object without doubled members")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut object = BTreeMap::new();
        while let Some((name, value)) = members.next_entry::<Box<str>, &RawValue>()? {
            if object.insert(name, value).is_some() {
                return Err(de::Error::custom("doubled member"));
            }
        }
        Ok(Members(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(key: &str) -> ClaimPath {
        key.parse().unwrap_or_else(|never| match never {})
    }

    #[test]
    fn keeps_numbers_as_they_were_written() {
        let claims = Claims::parse(br#" {"a":1.50,"b":[-0,1E2],"c":1e999} "#).unwrap();

        assert_eq!(claims.find(&path("a")).and_then(Claim::as_text), Some("1.50"));
        let expected = vec![Claim::Number("-0".into()), Claim::Number("1E2".into())];
        assert_eq!(claims.find(&path("b")), Some(&Claim::Array(expected)));
        assert_eq!(claims.find(&path("c")).and_then(Claim::as_text), Some("1e999"));
    }

    #[test]
    fn t09_ambiguous_claims_are_refused() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(65), "]".repeat(65));
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"b":[{"a":1,"\u0061":1}]}"#,
            "\u{feff}{}",
            "{} {}",
            r#"{"a":"\ud800"}"#,
            r#"{"a":01}"#,
            "[]",
            "null",
            "",
            deep.as_str(),
        ] {
            assert_eq!(Claims::parse(text.as_bytes()), Err(InvalidJson), "{text:.40}");
        }
        assert_eq!(Claims::parse(b"{\"a\":\"\xff\"}"), Err(InvalidJson));
    }

    #[test]
    fn only_a_compact_jws_of_two_objects_has_claims() {
        let part = |it: &str| BASE64_URL_SAFE_NO_PAD.encode(it);
        let (object, text) = (part(r#"{"a":1}"#), part("x"));

        assert!(Claims::of_jwt(&format!("{object}.{object}.")).is_some());
        for token in [
            "opaque".to_owned(),
            format!("{object}.{object}"),
            format!("{object}.{object}.x.y.z"),
            format!("{text}.{object}.x"),
            format!("{object}.{text}.x"),
            format!("{object}=.{object}.x"),
        ] {
            assert!(Claims::of_jwt(&token).is_none(), "{token}");
        }
    }

    #[test]
    fn reads_moments_rounded_down() {
        let seconds = |literal: &str| Claim::Number(literal.into()).as_seconds();

        assert_eq!(seconds("60"), Some(60));
        assert_eq!(seconds("60.9"), Some(60));
        assert_eq!(seconds("-1"), Some(0));
        assert_eq!(seconds("1e400"), None);
        assert_eq!(Claim::Text("60".into()).as_seconds(), None);
    }

    #[test]
    fn t37_claims_do_not_betray_themselves_in_a_debug_log() {
        let claims = Claims::parse(br#"{"sub":"hunter2"}"#).unwrap();

        assert!(!format!("{claims:?} {:?}", claims.get("sub")).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn a_path_is_read_as_it_was_written(names in prop::collection::vec(".{0,6}", 1..5)) {
            let path = ClaimPath::of_names(names).unwrap();
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in r#"[\[\]{}":,0-9a\\u]{0,80}"#) {
            let _ = Claims::parse(&bytes);
            let _ = Claims::parse(text.as_bytes());
        }
    }
}

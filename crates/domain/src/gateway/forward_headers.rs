//! Claims that travel on as headers.

use std::fmt;

use super::claims::{Claim, ClaimPath, Claims};
use super::header::{HeaderName, HeaderValue};

/// Claims that travel on as headers, and what happens where a claim is missing.
///
/// Whoever sets them must have deleted the caller's own headers of these names before, whatever
/// becomes of the request (threat T46): [`ForwardHeaders::names`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForwardHeaders {
    headers: Vec<(HeaderName, ClaimPath)>,
    missing: MissingClaim,
}

/// What becomes of the header of a claim that is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingClaim {
    /// There is no such header.
    #[default]
    NoHeader,
    /// The header is there and empty.
    EmptyHeader,
}

/// Two headers have the same name, maybe in another case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header {0} is named twice: the case of a name makes no difference")]
pub struct DoubledHeader(pub HeaderName);

/// A claim cannot be a header: it is `null` or an object, an array that holds one of these or an
/// array, or its text does not fit into a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the claim {path} cannot be the header {header}")]
pub struct UnfitClaim {
    /// The header.
    pub header: HeaderName,
    /// Where the claim lies.
    pub path: ClaimPath,
}

impl ForwardHeaders {
    /// These claims under these names.
    ///
    /// # Errors
    ///
    /// [`DoubledHeader`].
    pub fn new(
        headers: Vec<(HeaderName, ClaimPath)>,
        missing: MissingClaim,
    ) -> Result<Self, DoubledHeader> {
        for (index, (name, _)) in headers.iter().enumerate() {
            if headers.iter().take(index).any(|(other, _)| other == name) {
                return Err(DoubledHeader(name.clone()));
            }
        }
        Ok(Self { headers, missing })
    }

    /// The names that the caller may not use.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.headers.iter().map(|(name, _)| name)
    }

    /// Whether no claim travels on.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// The lines to set: a string as it is, a number as its literal, a truth value by its name, of
    /// an array one line for each element.
    ///
    /// # Errors
    ///
    /// [`UnfitClaim`]; then none may be set.
    pub fn lines(&self, claims: &Claims) -> Result<Vec<(HeaderName, HeaderValue)>, UnfitClaim> {
        let mut lines = Vec::with_capacity(self.headers.len());
        for (name, path) in &self.headers {
            let mut line = |claim: &Claim| {
                let value = claim.as_text().and_then(|it| it.parse().ok());
                let unfit = || UnfitClaim { header: name.clone(), path: path.clone() };
                value.map(|it| lines.push((name.clone(), it))).ok_or_else(unfit)
            };
            match (claims.find(path), self.missing) {
                (Some(Claim::Array(elements)), _) => elements.iter().try_for_each(line)?,
                (Some(claim), _) => line(claim)?,
                (None, MissingClaim::EmptyHeader) => line(&Claim::Text("".into()))?,
                (None, MissingClaim::NoHeader) => {}
            }
        }
        Ok(lines)
    }
}

/// The name that an access log shows for whoever has these claims: the text of a string, a number
/// or a truth value, at most 256 characters of it.
#[must_use]
pub fn username(claims: &Claims, path: &ClaimPath) -> Option<String> {
    const MOST_SHOWN: usize = 256;
    let text = claims.find(path)?.as_text()?;
    Some(text.chars().take(MOST_SHOWN).collect())
}

impl fmt::Display for ForwardHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, path)) in self.headers.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{name}: {path}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(key: &str, missing: MissingClaim) -> ForwardHeaders {
        let path = key.parse().unwrap_or_else(|never| match never {});
        ForwardHeaders::new(vec![("X-It".parse().unwrap(), path)], missing).unwrap()
    }

    fn lines(key: &str, missing: MissingClaim) -> Result<Vec<String>, UnfitClaim> {
        let claims = r#"{"s":"a b","n":1.50,"t":true,"l":["x",7,false],"none":[],"null":null,
            "o":{"in":"side"},"deep":[["x"]],"mixed":["x",null],"crlf":"a\r\nb: c","nul":"\u0000",
            "esc":"\u001b","latin":"é","many":["x","a\nb"],"a.b":"dot","empty":""}"#;
        let claims = Claims::parse(claims.as_bytes()).unwrap();
        let lines = forwarded(key, missing).lines(&claims)?;
        Ok(lines.into_iter().map(|(name, value)| format!("{name}: {}", value.as_str())).collect())
    }

    #[test]
    fn scalars_are_one_line_and_arrays_one_for_each_element() {
        for (key, expected) in [
            ("s", vec!["x-it: a b"]),
            ("n", vec!["x-it: 1.50"]),
            ("t", vec!["x-it: true"]),
            ("l", vec!["x-it: x", "x-it: 7", "x-it: false"]),
            ("none", vec![]),
            ("o.in", vec!["x-it: side"]),
            (r"a\.b", vec!["x-it: dot"]),
            ("empty", vec!["x-it: "]),
            ("missing", vec![]),
            ("s.deeper", vec![]),
        ] {
            assert_eq!(lines(key, MissingClaim::NoHeader).unwrap(), expected, "{key}");
        }
    }

    #[test]
    fn a_missing_claim_is_an_empty_header_where_that_is_wanted() {
        assert_eq!(lines("missing", MissingClaim::EmptyHeader).unwrap(), ["x-it: "]);
        assert_eq!(lines("s", MissingClaim::EmptyHeader).unwrap(), ["x-it: a b"]);
    }

    #[test]
    fn t46_a_claim_that_would_forge_a_header_is_unfit() {
        for key in ["null", "o", "deep", "mixed", "crlf", "nul", "esc", "latin", "many"] {
            let unfit = lines(key, MissingClaim::NoHeader).unwrap_err();

            assert_eq!(unfit.header.as_str(), "x-it", "{key}");
        }
    }

    #[test]
    fn one_name_in_two_cases_is_refused() {
        let one = ("x-user".parse().unwrap(), "a".parse().unwrap());
        let other = ("X-User".parse().unwrap(), "b".parse().unwrap());

        assert!(ForwardHeaders::new(vec![one, other], MissingClaim::NoHeader).is_err());
    }

    #[test]
    fn a_username_is_the_text_of_a_scalar() {
        let claims = Claims::parse(br#"{"sub":"billing","n":7,"l":["x"],"z":null}"#).unwrap();
        let name = |key: &str| username(&claims, &key.parse().unwrap());

        assert_eq!(name("sub").as_deref(), Some("billing"));
        assert_eq!(name("n").as_deref(), Some("7"));
        assert_eq!(name("l"), None);
        assert_eq!(name("z"), None);
        assert_eq!(name("missing"), None);
    }
}

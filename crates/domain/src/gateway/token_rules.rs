//! Whether a token that a provider made is good, and whether it is good for this.

use std::time::Duration;

use super::claims::{Claim, ClaimPath, Claims};
use crate::{JwsHeader, Timestamp};

/// What must be true of a token besides its signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRules {
    /// Whether `exp`, `nbf`, `iat` and `iss` are looked at.
    pub verify_claims: bool,
    /// How far the provider's clock may be from ours.
    pub leeway: Duration,
    /// Values of `iss` that are accepted, compared exactly; none stands for the issuer that the
    /// provider's metadata names.
    pub issuers: Vec<Box<str>>,
    /// All of these must be met.
    pub requirements: Vec<Requirement>,
    /// Top-level members that must not be there.
    pub forbidden: Vec<Box<str>>,
}

/// Values of which a claim must have some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// What it is about.
    pub kind: RequirementKind,
    /// Where the claim lies: a text of values between spaces, or an array of values.
    pub claim: ClaimPath,
    /// One of these must be met; an item is met by all the values in it.
    pub any_of: Vec<Vec<Box<str>>>,
}

/// What a requirement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequirementKind {
    /// What the token allows.
    Scope,
    /// Whom it is for.
    Audience,
    /// Which groups its subject belongs to.
    Group,
    /// Which roles its subject has.
    Role,
}

/// What is wrong with a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFlaw {
    /// `exp` is over.
    #[error("the token has expired")]
    Expired,
    /// It never ends, or its `exp`, `nbf` or `iat` is no number.
    #[error("the token's {0} is missing or no number")]
    Malformed(&'static str),
    /// `nbf` or `iat` lies ahead.
    #[error("the token is not valid yet: {0} lies ahead")]
    Early(&'static str),
    /// `iss` is none of those that are allowed.
    #[error("the token is not from an issuer that is allowed")]
    Issuer,
    /// A requirement is not met.
    #[error("the token lacks what is required ({0:?})")]
    Lacks(RequirementKind),
    /// It has a claim that is forbidden.
    #[error("the token has a claim that is forbidden")]
    Forbidden,
}

impl TokenFlaw {
    /// Whether the token is good and only not good enough: 403, not 401.
    #[must_use]
    pub fn is_about_rights(&self) -> bool {
        match self {
            Self::Lacks(_) | Self::Forbidden => true,
            Self::Expired | Self::Malformed(_) | Self::Early(_) | Self::Issuer => false,
        }
    }
}

/// Whether a token with these claims is bound to its holder's key or certificate (RFC 9449 section
/// 6, RFC 8705 section 3.1). Whoever shows it as a Bearer token proves neither, and may have stolen
/// it.
#[must_use]
pub fn is_bound(claims: &Claims) -> bool {
    claims.get("cnf").is_some()
}

/// Whether a JWT may be an access token: it says so (RFC 9068 section 2.1), or nothing of another
/// kind (RFC 8725 section 3.11).
#[must_use]
pub fn may_be_access_token(header: &JwsHeader) -> bool {
    header.typ.is_none() || header.is_typ("JWT") || header.is_typ("at+jwt")
}

/// Where claims come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimsSource {
    /// A JWT, which has to say who made it and when it ends.
    Jwt,
    /// An introspection answer (RFC 7662 section 2.2), in which both are optional: the server has
    /// said that the token is active.
    Introspection,
}

/// How far ahead `iat` may lie, whatever the leeway: clocks differ.
const LEAST_AHEAD: Duration = Duration::from_secs(10);

impl TokenRules {
    /// Judges a token by its claims. `issuer` is whom the provider's metadata names, where there is
    /// one; without it, and without a list, only the server's word in an introspection answer says
    /// whose the token is.
    ///
    /// # Errors
    ///
    /// See [`TokenFlaw`].
    pub fn check(
        &self,
        claims: &Claims,
        source: ClaimsSource,
        issuer: Option<&str>,
        now: Timestamp,
    ) -> Result<(), TokenFlaw> {
        if self.verify_claims {
            self.check_times(claims, source, now)?;
            self.check_issuer(claims, source, issuer)?;
        }
        if let Some(unmet) = self.requirements.iter().find(|it| !it.is_met_by(claims)) {
            return Err(TokenFlaw::Lacks(unmet.kind));
        }
        if self.forbidden.iter().any(|it| claims.get(it).is_some()) {
            return Err(TokenFlaw::Forbidden);
        }
        Ok(())
    }

    fn check_times(
        &self,
        claims: &Claims,
        source: ClaimsSource,
        now: Timestamp,
    ) -> Result<(), TokenFlaw> {
        let moment = |name: &'static str| match claims.get(name) {
            None => Ok(None),
            Some(claim) => {
                let seconds = claim.as_seconds().ok_or(TokenFlaw::Malformed(name))?;
                Ok(Some(Timestamp::from_unix_seconds(seconds)))
            }
        };
        match (moment("exp")?, source) {
            (Some(exp), _) if exp.after(self.leeway) <= now => return Err(TokenFlaw::Expired),
            (None, ClaimsSource::Jwt) => return Err(TokenFlaw::Malformed("exp")),
            (Some(_), _) | (None, ClaimsSource::Introspection) => {}
        }
        if moment("nbf")?.is_some_and(|it| now.after(self.leeway) < it) {
            return Err(TokenFlaw::Early("nbf"));
        }
        let ahead = self.leeway.max(LEAST_AHEAD);
        if moment("iat")?.is_some_and(|it| now.after(ahead) < it) {
            return Err(TokenFlaw::Early("iat"));
        }
        Ok(())
    }

    fn check_issuer(
        &self,
        claims: &Claims,
        source: ClaimsSource,
        issuer: Option<&str>,
    ) -> Result<(), TokenFlaw> {
        let is_allowed = match (claims.get("iss"), source) {
            (Some(_), ClaimsSource::Introspection)
                if self.issuers.is_empty() && issuer.is_none() =>
            {
                true
            }
            (Some(named), _) => named.as_string().is_some_and(|named| {
                let is_listed = self.issuers.iter().any(|allowed| &**allowed == named);
                is_listed || self.issuers.is_empty() && issuer == Some(named)
            }),
            (None, ClaimsSource::Introspection) => true,
            (None, ClaimsSource::Jwt) => false,
        };
        if is_allowed { Ok(()) } else { Err(TokenFlaw::Issuer) }
    }
}

impl Requirement {
    /// Items as an operator writes them: inside an item a space is AND, items are OR. `None`
    /// without any item, which requires nothing.
    #[must_use]
    pub fn new(kind: RequirementKind, claim: ClaimPath, items: &[String]) -> Option<Self> {
        let any_of: Vec<Vec<Box<str>>> =
            items.iter().map(|it| it.split_whitespace().map(Into::into).collect()).collect();
        (!any_of.is_empty()).then_some(Self { kind, claim, any_of })
    }

    fn is_met_by(&self, claims: &Claims) -> bool {
        let values: Vec<&str> = match claims.find(&self.claim) {
            // RFC 7519 section 4.1.3: a lone audience is one text, spaces and all.
            Some(Claim::Text(text)) if self.kind == RequirementKind::Audience => vec![text],
            Some(Claim::Text(text)) => text.split_whitespace().collect(),
            Some(Claim::Array(elements)) => elements.iter().filter_map(Claim::as_text).collect(),
            Some(claim @ (Claim::Number(_) | Claim::Boolean(_))) => {
                claim.as_text().into_iter().collect()
            }
            Some(Claim::Null | Claim::Object(_)) | None => Vec::new(),
        };
        let has = |value: &str| values.contains(&value);
        // An item without a value would be met by everybody.
        self.any_of.iter().any(|item| !item.is_empty() && item.iter().all(|it| has(it)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_000);

    fn rules() -> TokenRules {
        TokenRules { verify_claims: true, issuers: vec!["https://as".into()], ..Default::default() }
    }

    fn judged(rules: &TokenRules, claims: &str, source: ClaimsSource) -> Result<(), TokenFlaw> {
        rules.check(&Claims::parse(claims.as_bytes()).unwrap(), source, None, NOW)
    }

    fn jwt(claims: &str) -> Result<(), TokenFlaw> {
        judged(&rules(), claims, ClaimsSource::Jwt)
    }

    #[test]
    fn times_are_compared_without_leeway_but_for_iat() {
        let with = |more: &str| jwt(&format!(r#"{{"iss":"https://as",{more}}}"#));

        assert_eq!(with(r#""exp":1001"#), Ok(()));
        assert_eq!(with(r#""exp":1000"#), Err(TokenFlaw::Expired));
        assert_eq!(with(r#""exp":"1001""#), Err(TokenFlaw::Malformed("exp")));
        assert_eq!(with(r#""sub":"x""#), Err(TokenFlaw::Malformed("exp")));
        assert_eq!(with(r#""exp":1001,"nbf":1000"#), Ok(()));
        assert_eq!(with(r#""exp":1001,"nbf":1001"#), Err(TokenFlaw::Early("nbf")));
        assert_eq!(with(r#""exp":1001,"iat":1010"#), Ok(()));
        assert_eq!(with(r#""exp":1001,"iat":1011"#), Err(TokenFlaw::Early("iat")));
        assert_eq!(with(r#""exp":1001,"iat":null"#), Err(TokenFlaw::Malformed("iat")));
    }

    #[test]
    fn leeway_widens_every_bound() {
        let rules = TokenRules { leeway: Duration::from_secs(20), ..rules() };
        let with = |more: &str| {
            judged(&rules, &format!(r#"{{"iss":"https://as",{more}}}"#), ClaimsSource::Jwt)
        };

        assert_eq!(with(r#""exp":981"#), Ok(()));
        assert_eq!(with(r#""exp":980"#), Err(TokenFlaw::Expired));
        assert_eq!(with(r#""exp":1001,"nbf":1020,"iat":1020"#), Ok(()));
        assert_eq!(with(r#""exp":1001,"iat":1021"#), Err(TokenFlaw::Early("iat")));
    }

    #[test]
    fn an_issuer_is_compared_exactly() {
        for issuer in [r#""https://as/""#, r#""https://AS""#, r#"["https://as"]"#, "null"] {
            let flaw = jwt(&format!(r#"{{"exp":1001,"iss":{issuer}}}"#));
            assert_eq!(flaw, Err(TokenFlaw::Issuer), "{issuer}");
        }
        assert_eq!(jwt(r#"{"exp":1001}"#), Err(TokenFlaw::Issuer));
    }

    #[test]
    fn without_a_list_the_issuer_is_the_one_that_the_metadata_names() {
        let rules = TokenRules { issuers: Vec::new(), ..rules() };
        let judged = |issuer: Option<&str>, source| {
            let claims = Claims::parse(br#"{"exp":1001,"iss":"https://as"}"#).unwrap();
            rules.check(&claims, source, issuer, NOW)
        };

        for source in [ClaimsSource::Jwt, ClaimsSource::Introspection] {
            assert_eq!(judged(Some("https://as"), source), Ok(()));
            assert_eq!(judged(Some("https://other"), source), Err(TokenFlaw::Issuer));
        }
        assert_eq!(judged(None, ClaimsSource::Jwt), Err(TokenFlaw::Issuer));
        assert_eq!(judged(None, ClaimsSource::Introspection), Ok(()));
    }

    #[test]
    fn an_introspection_answer_need_not_say_who_and_until_when() {
        let answer = |claims: &str| judged(&rules(), claims, ClaimsSource::Introspection);

        assert_eq!(answer("{}"), Ok(()));
        assert_eq!(answer(r#"{"exp":1000}"#), Err(TokenFlaw::Expired));
        assert_eq!(answer(r#"{"iss":"https://other"}"#), Err(TokenFlaw::Issuer));
    }

    #[test]
    fn a_lone_audience_is_one_text_with_its_spaces() {
        let claim = ClaimPath::of_names(["aud"]).unwrap();
        let requirement = Requirement::new(RequirementKind::Audience, claim, &["me".to_owned()]);
        let rules =
            TokenRules { requirements: requirement.into_iter().collect(), ..Default::default() };
        let judged = |claims: &str| judged(&rules, claims, ClaimsSource::Jwt);

        assert_eq!(judged(r#"{"aud":"me"}"#), Ok(()));
        assert_eq!(judged(r#"{"aud":["you","me"]}"#), Ok(()));
        let lacks = Err(TokenFlaw::Lacks(RequirementKind::Audience));
        assert_eq!(judged(r#"{"aud":"me you"}"#), lacks);
    }

    #[test]
    fn spaces_are_and_items_are_or() {
        let requires = |items: &[&str]| {
            let items: Vec<String> = items.iter().map(|it| (*it).to_owned()).collect();
            let claim = ClaimPath::of_names(["realm", "scope"]).unwrap();
            let requirement = Requirement::new(RequirementKind::Scope, claim, &items);
            TokenRules { requirements: requirement.into_iter().collect(), ..Default::default() }
        };
        let judged = |items: &[&str], scope: &str| {
            let claims = format!(r#"{{"realm":{{"scope":{scope}}}}}"#);
            judged(&requires(items), &claims, ClaimsSource::Jwt)
        };
        let lacks = Err(TokenFlaw::Lacks(RequirementKind::Scope));

        assert_eq!(judged(&["a b"], r#""b c a""#), Ok(()));
        assert_eq!(judged(&["a b"], r#"["b","a"]"#), Ok(()));
        assert_eq!(judged(&["a b"], r#""a""#), lacks);
        assert_eq!(judged(&["a b", "c"], r#""c""#), Ok(()));
        assert_eq!(judged(&["a"], r#""ab""#), lacks);
        assert_eq!(judged(&[""], r#""a""#), lacks);
        assert_eq!(judged(&["a"], "null"), lacks);
        assert_eq!(judged(&["a"], r#"{"a":1}"#), lacks);
        assert_eq!(judged(&["7"], "7"), Ok(()));
        assert_eq!(judged(&[], "null"), Ok(()));
        assert_eq!(self::judged(&requires(&["a"]), r#"{"scope":"a"}"#, ClaimsSource::Jwt), lacks);
    }

    #[test]
    fn a_forbidden_claim_is_one_that_is_there_whatever_it_says() {
        let rules = TokenRules { forbidden: vec!["admin".into()], ..Default::default() };

        for claims in [r#"{"admin":false}"#, r#"{"admin":null}"#] {
            assert_eq!(judged(&rules, claims, ClaimsSource::Jwt), Err(TokenFlaw::Forbidden));
        }
        assert_eq!(judged(&rules, r#"{"x":{"admin":1}}"#, ClaimsSource::Jwt), Ok(()));
    }

    #[test]
    fn only_a_lack_of_rights_is_forbidden() {
        assert!(TokenFlaw::Lacks(RequirementKind::Audience).is_about_rights());
        assert!(TokenFlaw::Forbidden.is_about_rights());
        for flaw in [TokenFlaw::Expired, TokenFlaw::Malformed("exp"), TokenFlaw::Issuer] {
            assert!(!flaw.is_about_rights());
        }
    }
}

//! What an access token says, and when one that comes back is worth something.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::{
    Audience, ClientId, CompactJws, Grant, Issuer, JsonObject, Permission, Scope, Timestamp,
    TokenFormat, TokenId, assertion,
};

/// A token, ready to be handed out.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedToken(String);

impl SignedToken {
    /// Wraps the compact serialization made by a signer.
    #[must_use]
    pub fn new(compact: String) -> Self {
        Self(compact)
    }

    /// The compact serialization.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SignedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedToken([redacted])")
    }
}

/// How an access token is told from other tokens: its `typ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenProfile {
    /// `JWT`, as the Mia-Platform service writes it.
    Jwt,
    /// `at+jwt` (RFC 9068 section 2.1).
    AtJwt,
}

impl TokenProfile {
    /// The header's `typ`.
    #[must_use]
    pub const fn typ(self) -> &'static str {
        match self {
            Self::Jwt => "JWT",
            Self::AtJwt => "at+jwt",
        }
    }
}

/// Which claims a token carries, and how they are written: each dialect has its own custom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimsShape {
    /// Whether `client_id` names the client beside `sub` (RFC 9068 section 2.2).
    pub has_client_id: bool,
    /// Where `permissions` are.
    pub permissions: PermissionsClaim,
    /// Whether a lone `aud` is a text, and not an array of one (RFC 7519 section 4.1.3).
    pub is_lone_audience_text: bool,
}

/// Where a token says what its client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermissionsClaim {
    /// In every token, maybe empty.
    Always,
    /// In the tokens of clients that have some.
    WhenAny,
    /// Nowhere.
    Never,
}

impl ClaimsShape {
    /// As the Mia-Platform service writes them.
    pub const MIA: Self = Self {
        has_client_id: false,
        permissions: PermissionsClaim::Always,
        is_lone_audience_text: false,
    };
    /// RFC 9068.
    pub const STANDARD: Self = Self {
        has_client_id: true,
        permissions: PermissionsClaim::WhenAny,
        is_lone_audience_text: true,
    };
    /// As Curity and the ID service have it.
    pub const PLAIN: Self = Self {
        has_client_id: true,
        permissions: PermissionsClaim::Never,
        is_lone_audience_text: true,
    };
}

/// The claims of a new access token.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessTokenClaims {
    /// Which of them are written, and how.
    pub shape: ClaimsShape,
    /// `iss`.
    pub issuer: Issuer,
    /// `sub`: the client itself.
    pub subject: ClientId,
    /// `aud`; left out when empty.
    pub audience: Vec<Audience>,
    /// `iat`.
    pub issued_at: Timestamp,
    /// `exp`.
    pub expires_at: Timestamp,
    /// `jti`.
    pub id: TokenId,
    /// `permissions`.
    pub permissions: Vec<Permission>,
    /// `scope`; left out when `None`.
    pub scope: Option<Scope>,
    /// What the client added. None has a name of the members above.
    pub custom: JsonObject,
}

impl AccessTokenClaims {
    /// The claims that say what was granted.
    #[must_use]
    pub fn of(grant: Grant, id: TokenId) -> Self {
        Self {
            shape: grant.shape,
            issuer: grant.issuer,
            subject: grant.client,
            audience: grant.audience,
            issued_at: grant.issued_at,
            expires_at: grant.expires_at,
            id,
            permissions: grant.permissions,
            scope: grant.scope,
            custom: grant.custom_claims,
        }
    }

    /// Whether `permissions` are written.
    #[must_use]
    pub fn has_permissions(&self) -> bool {
        match self.shape.permissions {
            PermissionsClaim::Always => true,
            PermissionsClaim::WhenAny => !self.permissions.is_empty(),
            PermissionsClaim::Never => false,
        }
    }

    /// The claims as an object: what a signed token carries, and what is kept of a reference token.
    #[must_use]
    pub fn to_json(&self) -> JsonObject {
        let texts = |items: Vec<&str>| Value::from(items);
        let mut claims = self.custom.clone();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("iss", self.issuer.as_str().into());
        set("sub", self.subject.as_str().into());
        match self.audience.as_slice() {
            [] => (),
            [one] if self.shape.is_lone_audience_text => {
                set("aud", one.as_str().into());
            }
            all => {
                set("aud", texts(all.iter().map(Audience::as_str).collect()));
            }
        }
        set("exp", self.expires_at.as_unix_seconds().into());
        set("iat", self.issued_at.as_unix_seconds().into());
        set("jti", self.id.as_str().into());
        if self.shape.has_client_id {
            set("client_id", self.subject.as_str().into());
        }
        if self.has_permissions() {
            let all = self.permissions.iter().map(Permission::as_str).collect();
            set("permissions", texts(all));
        }
        if let Some(scope) = &self.scope {
            set("scope", scope.to_string().into());
        }
        claims
    }
}

/// An access token, ready to be handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessToken {
    /// It says everything by itself.
    Signed(SignedToken),
    /// It has to be asked about.
    Opaque(crate::OpaqueToken),
}

impl AccessToken {
    /// The text to hand out.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Signed(token) => token.as_str(),
            Self::Opaque(token) => token.as_str(),
        }
    }
}

/// A token of ours that came back, verified and still worth something by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveToken {
    /// Every claim, as signed.
    pub claims: Arc<JsonObject>,
    /// Who the token speaks for, where that can be a client.
    pub subject: Option<ClientId>,
    /// Its identifier, where it has one.
    pub id: Option<TokenId>,
    /// When it was issued, where it says so.
    pub issued_at: Option<Timestamp>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// What it allows.
    pub scope: Scope,
    /// What it looks like to whoever holds it.
    pub format: TokenFormat,
}

/// Why a token that came back is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InactiveToken {
    /// It is no signed token, is of another kind, or is not signed by a key of ours.
    #[error("the token is malformed or was not issued here")]
    NotOurs,
    /// A claim has a wrong type.
    #[error("a claim of the token has a wrong type")]
    WrongClaimType,
    /// It is over, or has not begun.
    #[error("the token has expired")]
    Expired,
    /// It is meant for somebody whom the operator does not list.
    #[error("the token is not meant for an accepted audience")]
    WrongAudience,
    /// It was taken back, or its client was.
    #[error("the token was revoked")]
    Revoked,
}

/// Checks the claims of a token, after its signature was verified with a key of ours.
///
/// No skew is allowed: both clocks are ours. `accepted` names the audiences of which a token that
/// has any must have one; where it is empty, the audience is not checked.
///
/// # Errors
///
/// See [`InactiveToken`].
pub fn check(
    jws: &CompactJws,
    issuer: &Issuer,
    accepted: &[Audience],
    now: Timestamp,
) -> Result<ActiveToken, InactiveToken> {
    let header = jws.header();
    let is_access_token = header.typ.is_none() || header.is_typ("jwt") || header.is_typ("at+jwt");
    if !is_access_token {
        return Err(InactiveToken::NotOurs);
    }
    check_claims(jws.unverified_claims(), issuer, accepted, now)
}

/// Checks the claims that a reference token stands for, or a signed one carries.
///
/// # Errors
///
/// See [`InactiveToken`].
pub fn check_claims(
    claims: &Arc<JsonObject>,
    issuer: &Issuer,
    accepted: &[Audience],
    now: Timestamp,
) -> Result<ActiveToken, InactiveToken> {
    if claims.get("iss").and_then(Value::as_str) != Some(issuer.as_str()) {
        return Err(InactiveToken::NotOurs);
    }
    let date = |name| match claims.get(name) {
        None => Ok(None),
        Some(value) => assertion::numeric_date(value, name)
            .map(Some)
            .map_err(|_| InactiveToken::WrongClaimType),
    };
    let expires_at = date("exp")?.ok_or(InactiveToken::WrongClaimType)?;
    let issued_at = date("iat")?;
    if expires_at <= now || date("nbf")?.is_some_and(|begin| now < begin) {
        return Err(InactiveToken::Expired);
    }
    if !accepted.is_empty() && !is_meant_for(claims.get("aud"), accepted) {
        return Err(InactiveToken::WrongAudience);
    }
    Ok(ActiveToken {
        subject: text(claims, "sub")?.and_then(|it| it.parse().ok()),
        id: text(claims, "jti")?.and_then(|it| it.parse().ok()),
        issued_at,
        expires_at,
        scope: text(claims, "scope")?.and_then(|it| it.parse().ok()).unwrap_or_default(),
        claims: Arc::clone(claims),
        format: TokenFormat::Jwt,
    })
}

fn text<'a>(claims: &'a JsonObject, name: &str) -> Result<Option<&'a str>, InactiveToken> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(it)) => Ok(Some(it)),
        Some(_) => Err(InactiveToken::WrongClaimType),
    }
}

/// A token without `aud` is meant for nobody in particular and passes.
fn is_meant_for(audience: Option<&Value>, accepted: &[Audience]) -> bool {
    let is_accepted = |it: &Value| accepted.iter().any(|one| it == one.as_str());
    match audience {
        None => true,
        Some(Value::Array(items)) => items.iter().any(is_accepted),
        Some(it) => is_accepted(it),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn check_with(
        typ: &str,
        change: &Value,
        accepted: &[Audience],
    ) -> Result<ActiveToken, InactiveToken> {
        let mut claims = json!({"iss": "me", "sub": "billing", "exp": NOW + 1});
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let part = |it: &str| BASE64_URL_SAFE_NO_PAD.encode(it);
        let header = part(&json!({"alg": "RS256", "typ": typ}).to_string());
        let raw = format!("{header}.{}.{}", part(&claims.to_string()), part("s"));
        let jws = CompactJws::parse(&raw).unwrap();
        check(&jws, &"me".parse().unwrap(), accepted, Timestamp::from_unix_seconds(NOW))
    }

    fn claims(shape: ClaimsShape) -> AccessTokenClaims {
        AccessTokenClaims {
            shape,
            issuer: "me".parse().unwrap(),
            subject: "billing".parse().unwrap(),
            audience: vec!["orders".parse().unwrap()],
            issued_at: Timestamp::from_unix_seconds(NOW),
            expires_at: Timestamp::from_unix_seconds(NOW + 60),
            id: "j".parse().unwrap(),
            permissions: Vec::new(),
            scope: Some("a b".parse().unwrap()),
            custom: JsonObject::new(),
        }
    }

    #[test]
    fn each_shape_writes_what_its_dialect_wants() {
        let common = json!({"iss": "me", "sub": "billing", "exp": NOW + 60, "iat": NOW, "jti": "j", "scope": "a b"});
        let with = |more: Value| {
            let mut all = common.clone();
            for (name, value) in more.as_object().unwrap() {
                all[name] = value.clone();
            }
            all
        };
        for (shape, more) in [
            (ClaimsShape::MIA, json!({"aud": ["orders"], "permissions": []})),
            (ClaimsShape::STANDARD, json!({"aud": "orders", "client_id": "billing"})),
            (ClaimsShape::PLAIN, json!({"aud": "orders", "client_id": "billing"})),
        ] {
            assert_eq!(Value::from(claims(shape).to_json()), with(more));
        }
        let permitted = AccessTokenClaims {
            permissions: vec!["p".parse().unwrap()],
            audience: vec!["a".parse().unwrap(), "b".parse().unwrap()],
            ..claims(ClaimsShape::STANDARD)
        };
        assert_eq!(permitted.to_json()["permissions"], json!(["p"]));
        assert_eq!(permitted.to_json()["aud"], json!(["a", "b"]));
        let hidden = AccessTokenClaims { shape: ClaimsShape::PLAIN, ..permitted };
        assert!(!hidden.to_json().contains_key("permissions"));
    }

    #[test]
    fn a_token_without_jti_is_fine() {
        let active = check_with("JWT", &json!({"scope": "a b"}), &[]).unwrap();

        assert_eq!(active.id, None);
        assert_eq!(active.subject, Some("billing".parse().unwrap()));
        assert!(active.scope.contains("b"));
    }

    #[test]
    fn an_expired_or_foreign_token_is_not() {
        let expired = check_with("JWT", &json!({"exp": NOW}), &[]);
        assert_eq!(expired, Err(InactiveToken::Expired));
        let future = check_with("JWT", &json!({"nbf": NOW + 1}), &[]);
        assert_eq!(future, Err(InactiveToken::Expired));
        let foreign = check_with("JWT", &json!({"iss": "you"}), &[]);
        assert_eq!(foreign, Err(InactiveToken::NotOurs));
    }

    #[test]
    fn t08_claims_of_a_wrong_type_make_a_token_worthless() {
        for change in [
            json!({"exp": "1800000000"}),
            json!({"exp": 1e308}),
            json!({"exp": null}),
            json!({"iat": "x"}),
            json!({"nbf": -1}),
            json!({"jti": 7}),
            json!({"scope": ["a"]}),
        ] {
            let refused = check_with("JWT", &change, &[]);
            assert_eq!(refused, Err(InactiveToken::WrongClaimType), "{change}");
        }
    }

    #[test]
    fn t15_another_kind_of_token_is_no_access_token() {
        for typ in
            ["token-introspection+jwt", "client-authentication+jwt", "dpop+jwt", "logout+jwt"]
        {
            assert_eq!(check_with(typ, &json!({}), &[]), Err(InactiveToken::NotOurs));
        }
    }

    #[test]
    fn an_audience_is_checked_only_where_both_sides_name_one() {
        let accepted = ["a".parse().unwrap(), "b".parse().unwrap()];
        for (aud, is_fine) in [
            (json!("a"), true),
            (json!(["x", "b"]), true),
            (json!(["x"]), false),
            (json!("x"), false),
            (json!([]), false),
        ] {
            let checked = check_with("JWT", &json!({"aud": aud}), &accepted);
            assert_eq!(checked.is_ok(), is_fine, "{aud}");
            assert!(check_with("JWT", &json!({"aud": aud}), &[]).is_ok());
        }
        assert!(check_with("JWT", &json!({}), &accepted).is_ok());
    }
}

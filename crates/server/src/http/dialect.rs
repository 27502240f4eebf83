//! The ways in which the service is spoken to. One set of handlers serves all of them: a dialect is
//! a small value at a route.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use app::{IntrospectToken, IssueToken, RevokeToken};

use super::error::{ApiError, ErrorCode};

const LONGEST_MEMORY: Duration = Duration::from_mins(5);

/// What differs between the dialects.
#[derive(Clone)]
pub(crate) struct Dialect {
    pub(crate) name: DialectName,
    pub(crate) issue_token: IssueToken,
    pub(crate) introspect_token: IntrospectToken,
    pub(crate) revoke_token: RevokeToken,
    /// Whether parameters may be in the query of a token request.
    pub(crate) has_query: bool,
}

/// Which dialect it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DialectName {
    /// `/oauth2/...`, as the RFCs have it.
    Standard,
    /// As the Mia-Platform service speaks.
    Mia,
    /// As Curity speaks.
    Curity,
    /// As the `OpenID` ID service speaks.
    IdService,
}

/// Where its endpoints are, below the prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paths {
    pub(crate) token: &'static str,
    pub(crate) introspect: &'static str,
    pub(crate) revoke: &'static str,
    pub(crate) userinfo: Option<&'static str>,
    pub(crate) register: Option<&'static str>,
    pub(crate) jwks: &'static str,
    /// Metadata of this dialect alone.
    pub(crate) metadata: Option<&'static str>,
}

impl DialectName {
    /// What the settings call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Mia => "mia",
            Self::Curity => "curity",
            Self::IdService => "idservice",
        }
    }

    /// Where its endpoints are. What a dialect has no path of its own for is at the standard one.
    pub(crate) const fn paths(self) -> Paths {
        let standard = Paths {
            token: "/oauth2/token",
            introspect: "/oauth2/introspect",
            revoke: "/oauth2/revoke",
            userinfo: Some("/oauth2/userinfo"),
            register: Some("/oauth2/register"),
            jwks: "/.well-known/jwks.json",
            metadata: None,
        };
        match self {
            Self::Standard => standard,
            Self::Mia => Paths {
                token: "/oauth/token",
                userinfo: None,
                register: Some("/register"),
                ..standard
            },
            Self::Curity => Paths {
                token: "/oauth/v2/oauth-token",
                introspect: "/oauth/v2/oauth-introspect",
                revoke: "/oauth/v2/oauth-revoke",
                userinfo: None,
                register: None,
                jwks: "/oauth/v2/oauth-anonymous/jwks",
                metadata: Some("/oauth/v2/oauth-anonymous/.well-known/openid-configuration"),
            },
            Self::IdService => Paths {
                token: "/openid/token",
                introspect: "/openid/introspect",
                userinfo: Some("/openid/userinfo"),
                register: None,
                jwks: "/openid/jwks.json",
                metadata: Some("/openid/.well-known/openid-configuration"),
                ..standard
            },
        }
    }
}

impl Dialect {
    /// `token_type` of its answers.
    pub(crate) const fn token_type(&self) -> &'static str {
        match self.name {
            DialectName::Curity => "bearer",
            DialectName::Standard | DialectName::Mia | DialectName::IdService => "Bearer",
        }
    }

    /// Whether its answers name the scope that was granted: Mia's where it was asked for, Curity's
    /// and the standard ones also where it is another than was asked for (RFC 6749 section 5.1).
    pub(crate) fn has_scope(&self, is_asked: bool) -> bool {
        match self.name {
            DialectName::IdService => false,
            DialectName::Mia => is_asked,
            DialectName::Standard | DialectName::Curity => true,
        }
    }

    /// Whether `expires_in` counts from now, and not from when the token was made.
    pub(crate) const fn counts_from_now(&self) -> bool {
        matches!(self.name, DialectName::Curity | DialectName::IdService)
    }

    /// How long a token that has `left` to live may be remembered by whoever asked about it. Curity
    /// says its whole life; where lives are long, what was taken back would be good for days.
    pub(crate) fn may_remember(&self, left: Duration) -> Duration {
        if self.name == DialectName::Curity { left } else { left.min(LONGEST_MEMORY) }
    }

    /// Whether introspection also says `clientId`.
    pub(crate) fn has_camel_case(&self) -> bool {
        self.name == DialectName::IdService
    }

    /// Whether an assertion that is refused is 403, and not 401 as any other failure.
    fn forbids_bad_assertions(&self) -> bool {
        self.name == DialectName::Mia
    }

    /// The error as this dialect tells it.
    pub(crate) fn told(&self, error: impl Into<ApiError>) -> ApiError {
        let error = error.into();
        if error.code() == ErrorCode::InvalidAssertion && !self.forbids_bad_assertions() {
            return error.with_code(ErrorCode::InvalidClient);
        }
        error
    }
}

/// The dialects that are spoken.
#[derive(Clone)]
pub(crate) struct Dialects(Vec<Arc<Dialect>>);

impl Dialects {
    /// These, in any order.
    pub(crate) fn new(dialects: Vec<Dialect>) -> Self {
        Self(dialects.into_iter().map(Arc::new).collect())
    }

    /// The dialect of that name, if it is spoken.
    pub(crate) fn get(&self, name: DialectName) -> Option<web::Data<Dialect>> {
        self.0.iter().find(|it| it.name == name).map(|it| web::Data::from(Arc::clone(it)))
    }

    /// The first of `names` that is spoken.
    pub(crate) fn first(&self, names: &[DialectName]) -> Option<web::Data<Dialect>> {
        names.iter().find_map(|name| self.get(*name))
    }
}

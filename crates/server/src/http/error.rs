//! Every refusal, as it is told: one object that the OAuth clients and the vendor's clients both
//! read (RFC 6749 section 5.2; specs of the Mia-Platform service, section 7).

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use app::{
    AddSecretError, AuthenticateClientError, AuthorizeManagementError, ChangeStateError,
    DeleteClientError, EditCatalogueError, IntrospectTokenError, InvalidMetadata, IssueTokenError,
    PreviewTokenError, RegisterClientError, RevokeSecretError, RevokeTokenError, TokenInfoError,
    UpdateClientError,
};
use domain::management::{ManagementRight, MandateExceeded};
use domain::{Fault, FaultKind, GrantRefusal, InvalidCatalogue, JsonObject};
use serde::Serialize;

/// The `error` member, which decides the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorCode {
    InvalidRequest,
    InvalidClient,
    /// `invalid_client` with the vendor's 403: an assertion of a client that is known.
    InvalidAssertion,
    InvalidScope,
    InvalidTarget,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedTokenType,
    InvalidClientMetadata,
    InvalidToken,
    /// `invalid_token` without an `error` in the challenge (RFC 6750 section 3.1).
    TokenMissing,
    InsufficientScope(ManagementRight),
    NotFound,
    MethodNotAllowed,
    Conflict,
    PreconditionFailed,
    PreconditionRequired,
    TooLarge,
    TooManyRequests,
    /// The server as it is set up cannot do it, whatever is sent.
    NotSupported,
    ServerError,
    /// `server_error` where it is another server's: it refused what we asked of it.
    BadGateway,
    TemporarilyUnavailable,
}

impl ErrorCode {
    /// Its name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest | Self::TooLarge => "invalid_request",
            Self::InvalidClient | Self::InvalidAssertion => "invalid_client",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidToken | Self::TokenMissing => "invalid_token",
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict => "conflict",
            Self::PreconditionFailed => "precondition_failed",
            Self::PreconditionRequired => "precondition_required",
            Self::TooManyRequests => "too_many_requests",
            Self::NotSupported => "not_supported",
            Self::ServerError | Self::BadGateway => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }

    /// The status that goes with it.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::UnsupportedTokenType
            | Self::InvalidClientMetadata => StatusCode::BAD_REQUEST,
            Self::InvalidClient | Self::InvalidToken | Self::TokenMissing => {
                StatusCode::UNAUTHORIZED
            }
            Self::InvalidAssertion | Self::InsufficientScope(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::NotSupported => StatusCode::NOT_IMPLEMENTED,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The challenge of a 401, and of a token that allows too little (RFC 6750 section 3).
    fn challenge(self) -> Option<String> {
        match self {
            Self::InvalidClient => Some(r#"Basic realm="tokenwright", charset="UTF-8""#.to_owned()),
            Self::InvalidToken => {
                Some(r#"Bearer realm="tokenwright", error="invalid_token""#.to_owned())
            }
            Self::TokenMissing => Some(r#"Bearer realm="tokenwright""#.to_owned()),
            Self::InsufficientScope(right) => Some(format!(
                r#"Bearer realm="tokenwright", error="insufficient_scope", scope="{}""#,
                right.scope_value()
            )),
            Self::InvalidRequest
            | Self::InvalidAssertion
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::UnsupportedTokenType
            | Self::InvalidClientMetadata
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::Conflict
            | Self::PreconditionFailed
            | Self::PreconditionRequired
            | Self::TooLarge
            | Self::TooManyRequests
            | Self::NotSupported
            | Self::ServerError
            | Self::BadGateway
            | Self::TemporarilyUnavailable => None,
        }
    }
}

/// What the caller is told, and, for the log only, why.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: ErrorCode,
    description: Cow<'static, str>,
    allow: Option<&'static str>,
    retry_after_seconds: Option<u64>,
    closes: bool,
    /// What machines can use beside the description.
    members: Option<Box<JsonObject>>,
    fault: Option<Fault>,
}

impl ApiError {
    /// A refusal that says nothing but what is public.
    pub(crate) fn new(code: ErrorCode, description: &'static str) -> Self {
        Self {
            code,
            description: Cow::Borrowed(description),
            allow: None,
            retry_after_seconds: None,
            closes: false,
            members: None,
            fault: None,
        }
    }

    /// A refusal that says more than fits into a sentence.
    pub(crate) fn with_member(mut self, name: &str, value: serde_json::Value) -> Self {
        self.members.get_or_insert_default().insert(name.to_owned(), value);
        self
    }

    /// A refusal after which the connection is closed: the rest of the request is still coming.
    pub(crate) fn closing(self) -> Self {
        Self { closes: true, ..self }
    }

    /// A refusal that repeats something: a configured name, a member's name. What may not stand
    /// in an `error_description` (RFC 6749 appendix A.8) is replaced.
    pub(crate) fn with_text(code: ErrorCode, description: &str) -> Self {
        let safe = description.chars().take(512).map(|c| match c {
            '"' => '\'',
            '\x20'..='\x5B' | '\x5D'..='\x7E' => c,
            _ => '?',
        });
        Self { description: Cow::Owned(safe.collect()), ..Self::new(code, "") }
    }

    /// The method is none of `allow`.
    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let description = "this method is not allowed here: see the Allow header";
        Self { allow: Some(allow), ..Self::new(ErrorCode::MethodNotAllowed, description) }
    }

    /// Too many requests; the next is welcome after `seconds`.
    pub(crate) fn too_many_requests(seconds: u64) -> Self {
        let description = "too many requests from this address: wait, and try again";
        Self {
            retry_after_seconds: Some(seconds.max(1)),
            ..Self::new(ErrorCode::TooManyRequests, description)
        }
    }

    /// The server has not started yet.
    pub(crate) fn starting() -> Self {
        let description = "the server is starting: try again";
        Self {
            retry_after_seconds: Some(1),
            ..Self::new(ErrorCode::TemporarilyUnavailable, description)
        }
    }

    /// The same refusal under another code.
    pub(crate) fn with_code(self, code: ErrorCode) -> Self {
        Self { code, ..self }
    }

    /// Its code.
    pub(crate) fn code(&self) -> ErrorCode {
        self.code
    }

    /// What the caller is told of why.
    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    /// Why, for the log.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        let (code, description, retry_after_seconds) = match fault.kind() {
            FaultKind::Unavailable => (
                ErrorCode::TemporarilyUnavailable,
                "a store of the server is out: try again later",
                Some(5),
            ),
            FaultKind::Overloaded => {
                (ErrorCode::TemporarilyUnavailable, "the server is busy: try again", Some(1))
            }
            FaultKind::Corrupt => {
                (ErrorCode::ServerError, "something is wrong on the server's side", None)
            }
        };
        Self { retry_after_seconds, fault: Some(fault), ..Self::new(code, description) }
    }
}

impl From<AuthenticateClientError> for ApiError {
    fn from(error: AuthenticateClientError) -> Self {
        match error {
            AuthenticateClientError::Failed => {
                Self::new(ErrorCode::InvalidClient, "client authentication failed")
            }
            AuthenticateClientError::AssertionRefused(refusal) => {
                Self::with_text(ErrorCode::InvalidAssertion, &refusal.to_string())
            }
            // Not what is in the way: it may be inside of a network of ours (threat T27).
            AuthenticateClientError::KeysOut(fault) => Self {
                retry_after_seconds: Some(5),
                fault: Some(fault),
                ..Self::new(
                    ErrorCode::TemporarilyUnavailable,
                    "the keys at the jwks_uri of the client cannot be fetched: try again later",
                )
            },
            AuthenticateClientError::Fault(fault) => fault.into(),
        }
    }
}

impl From<IssueTokenError> for ApiError {
    fn from(error: IssueTokenError) -> Self {
        let refused = |code, refusal: GrantRefusal| Self::with_text(code, &refusal.to_string());
        match error {
            IssueTokenError::NotAuthenticated(error) => error.into(),
            IssueTokenError::Refused(refusal) => match refusal {
                // Disabled since it authenticated: nobody learns more than a moment before.
                GrantRefusal::ClientDisabled => AuthenticateClientError::Failed.into(),
                GrantRefusal::CapabilityMissing => refused(ErrorCode::UnauthorizedClient, refusal),
                GrantRefusal::CapabilityOff => refused(ErrorCode::UnsupportedGrantType, refusal),
                GrantRefusal::ScopeExceeded
                | GrantRefusal::ScopeNotRegistered
                | GrantRefusal::ScopeNotTaken => refused(ErrorCode::InvalidScope, refusal),
                GrantRefusal::AudienceNotAllowed | GrantRefusal::AudienceNotRegistered => {
                    refused(ErrorCode::InvalidTarget, refusal)
                }
                GrantRefusal::AudienceMissing => refused(ErrorCode::InvalidRequest, refusal),
                GrantRefusal::CustomClaimNotAllowed => {
                    refused(ErrorCode::InvalidAssertion, refusal)
                }
            },
            IssueTokenError::Fault(fault) => fault.into(),
        }
    }
}

impl From<TokenInfoError> for ApiError {
    fn from(error: TokenInfoError) -> Self {
        match error {
            TokenInfoError::Inactive(inactive) => {
                Self::with_text(ErrorCode::InvalidToken, &inactive.to_string())
            }
            TokenInfoError::Fault(fault) => fault.into(),
        }
    }
}

impl From<IntrospectTokenError> for ApiError {
    fn from(error: IntrospectTokenError) -> Self {
        match error {
            IntrospectTokenError::NotAuthenticated(error) => error.into(),
            // As an endpoint that is not there.
            IntrospectTokenError::CapabilityOff => {
                Self::with_text(ErrorCode::NotFound, &error.to_string())
            }
            IntrospectTokenError::Fault(fault) => fault.into(),
        }
    }
}

impl From<InvalidCatalogue> for ApiError {
    fn from(error: InvalidCatalogue) -> Self {
        Self::with_text(ErrorCode::InvalidRequest, &error.to_string())
    }
}

impl From<EditCatalogueError> for ApiError {
    fn from(error: EditCatalogueError) -> Self {
        let text = error.to_string();
        match error {
            EditCatalogueError::Unknown => Self::with_text(ErrorCode::NotFound, &text),
            EditCatalogueError::Unexpected => Self::with_text(ErrorCode::PreconditionFailed, &text),
            EditCatalogueError::Invalid(error) => error.into(),
            EditCatalogueError::Fault(fault) => fault.into(),
        }
    }
}

impl From<PreviewTokenError> for ApiError {
    fn from(error: PreviewTokenError) -> Self {
        match error {
            PreviewTokenError::Unknown => unknown_client(),
            PreviewTokenError::Fault(fault) => fault.into(),
        }
    }
}

impl From<RevokeTokenError> for ApiError {
    fn from(error: RevokeTokenError) -> Self {
        match error {
            RevokeTokenError::NotAuthenticated(error) => error.into(),
            RevokeTokenError::NotYours => {
                Self::new(ErrorCode::InvalidRequest, "the token was not issued to this client")
            }
            RevokeTokenError::Unnamed => Self::new(
                ErrorCode::UnsupportedTokenType,
                "a token without jti cannot be revoked: disable its client instead",
            ),
            RevokeTokenError::Fault(fault) => fault.into(),
        }
    }
}

impl From<InvalidMetadata> for ApiError {
    fn from(error: InvalidMetadata) -> Self {
        Self::with_text(ErrorCode::InvalidClientMetadata, &error.to_string())
    }
}

impl From<RegisterClientError> for ApiError {
    fn from(error: RegisterClientError) -> Self {
        match error {
            RegisterClientError::Invalid(error) => error.into(),
            RegisterClientError::Duplicate => {
                Self::new(ErrorCode::Conflict, "a client with this id already exists: try again")
            }
            RegisterClientError::Rejected(fault) => Self {
                fault: Some(fault),
                ..Self::new(ErrorCode::BadGateway, "the store of clients refused the client")
            },
            RegisterClientError::Exceeded(exceeded) => exceeded.into(),
            RegisterClientError::Fault(fault) => fault.into(),
        }
    }
}

impl From<AuthorizeManagementError> for ApiError {
    fn from(error: AuthorizeManagementError) -> Self {
        let text = error.to_string();
        match error {
            AuthorizeManagementError::TokenMissing => {
                Self::with_text(ErrorCode::TokenMissing, &text)
            }
            AuthorizeManagementError::TokenInvalid => {
                Self::with_text(ErrorCode::InvalidToken, &text)
            }
            AuthorizeManagementError::ScopeMissing(right) => {
                Self::with_text(ErrorCode::InsufficientScope(right), &text)
            }
            AuthorizeManagementError::Fault(fault) => fault.into(),
        }
    }
}

fn unknown_client() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "there is no client with this id")
}

impl From<UpdateClientError> for ApiError {
    fn from(error: UpdateClientError) -> Self {
        match error {
            UpdateClientError::Invalid(error) => error.into(),
            UpdateClientError::Unknown => unknown_client(),
            UpdateClientError::Conflict => Self::new(
                ErrorCode::PreconditionFailed,
                "the client was changed meanwhile: read it again, and send its new ETag",
            ),
            UpdateClientError::Exceeded(exceeded) => exceeded.into(),
            UpdateClientError::Fault(fault) => fault.into(),
        }
    }
}

impl From<ChangeStateError> for ApiError {
    fn from(error: ChangeStateError) -> Self {
        match error {
            ChangeStateError::Unknown => unknown_client(),
            ChangeStateError::Conflict => {
                Self::new(ErrorCode::Conflict, "the client is being changed by others: try again")
            }
            ChangeStateError::Exceeded(exceeded) => exceeded.into(),
            ChangeStateError::Fault(fault) => fault.into(),
        }
    }
}

impl From<DeleteClientError> for ApiError {
    fn from(error: DeleteClientError) -> Self {
        match error {
            DeleteClientError::Unknown => unknown_client(),
            DeleteClientError::Exceeded(exceeded) => exceeded.into(),
            DeleteClientError::Fault(fault) => fault.into(),
        }
    }
}

impl From<MandateExceeded> for ApiError {
    fn from(exceeded: MandateExceeded) -> Self {
        let MandateExceeded(right) = exceeded;
        Self::with_text(ErrorCode::InsufficientScope(right), &exceeded.to_string())
    }
}

impl From<RevokeSecretError> for ApiError {
    fn from(error: RevokeSecretError) -> Self {
        match error {
            RevokeSecretError::Exceeded(exceeded) => exceeded.into(),
            RevokeSecretError::Fault(fault) => fault.into(),
        }
    }
}

impl From<AddSecretError> for ApiError {
    fn from(error: AddSecretError) -> Self {
        let text = error.to_string();
        match error {
            AddSecretError::Unknown => unknown_client(),
            AddSecretError::UsesKeys | AddSecretError::TooMany => {
                Self::with_text(ErrorCode::Conflict, &text)
            }
            AddSecretError::AlreadyExpired => {
                Self::with_text(ErrorCode::InvalidClientMetadata, &text)
            }
            AddSecretError::Exceeded(exceeded) => exceeded.into(),
            AddSecretError::Fault(fault) => fault.into(),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.code.status());
        response.insert_header((CACHE_CONTROL, "no-store"));
        if self.closes {
            response.force_close();
        }
        if let Some(challenge) = self.code.challenge() {
            response.insert_header((WWW_AUTHENTICATE, challenge));
        }
        if let Some(allow) = self.allow {
            response.insert_header((ALLOW, allow));
        }
        if let Some(seconds) = self.retry_after_seconds {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        response.json(Body {
            error: self.code.name(),
            error_description: &self.description,
            status_code: self.code.status().as_u16(),
            message: &self.description,
            members: self.members.as_deref(),
        })
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'static str,
    error_description: &'a str,
    #[serde(rename = "statusCode")]
    status_code: u16,
    message: &'a str,
    #[serde(flatten)]
    members: Option<&'a JsonObject>,
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;

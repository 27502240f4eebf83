//! A bearer token in the `Authorization` header (RFC 6750 section 2.1).

use actix_web::http::header::{AUTHORIZATION, HeaderMap};

use super::error::{ApiError, ErrorCode};

/// The token, if there is one. In the header only: a token in a query ends in a log.
pub(crate) fn token(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let malformed = || {
        ApiError::new(
            ErrorCode::InvalidToken,
            "the Authorization header is not a single Bearer token (RFC 6750 section 2.1)",
        )
    };
    if values.next().is_some() {
        return Err(malformed());
    }
    let (scheme, token) =
        value.to_str().ok().and_then(|it| it.split_once(' ')).ok_or_else(malformed)?;
    let token = token.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ') {
        Ok(Some(token))
    } else {
        Err(malformed())
    }
}

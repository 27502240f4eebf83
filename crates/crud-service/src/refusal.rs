//! Why a request is not carried out.

use mongodb::error::{ErrorKind, WriteFailure};

/// Why a request is not carried out.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It does not fit the schema of the collection. The text is for people: it does not name the
    /// culprit.
    BadRequest(&'static str),
    /// No such document, or no such route.
    NotFound,
    /// A document with this unique value is there already.
    Duplicate,
    /// The original stumbles here, or the database does.
    Internal,
}

pub(crate) const UNKNOWN_FIELD: Refusal =
    Refusal::BadRequest("body must NOT have additional properties");
pub(crate) const BAD_QUERY: Refusal =
    Refusal::BadRequest("querystring must NOT have additional properties");

impl From<mongodb::error::Error> for Refusal {
    fn from(error: mongodb::error::Error) -> Self {
        const DUPLICATE_KEY: i32 = 11_000;
        const BAD_VALUE: i32 = 2;
        const BAD_REGULAR_EXPRESSION: i32 = 51_091;
        let code = code(error.kind.as_ref());
        match code {
            Some(DUPLICATE_KEY) => Self::Duplicate,
            Some(BAD_VALUE | BAD_REGULAR_EXPRESSION) => Self::BadRequest("invalid query"),
            Some(_) | None => Self::Internal,
        }
    }
}

fn code(kind: &ErrorKind) -> Option<i32> {
    if let ErrorKind::Write(WriteFailure::WriteError(it)) = kind {
        return Some(it.code);
    }
    if let ErrorKind::Command(it) = kind { Some(it.code) } else { None }
}

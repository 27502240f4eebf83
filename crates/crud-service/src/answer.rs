//! What a request is answered with.

use serde_json::{Value, json};

use crate::Dialect;
use crate::refusal::Refusal;

/// What a request is answered with.
#[derive(Debug)]
pub(crate) enum Answer {
    /// 200 and one JSON value.
    One(Value),
    /// 200 and an array, which is written piece by piece.
    Many(Vec<Value>),
    /// 204.
    Nothing,
    /// Another status, and its object.
    Refused(u16, Value),
}

impl Answer {
    /// What a request is told that was not carried out.
    pub(crate) fn refused(refusal: &Refusal, dialect: Dialect) -> Self {
        match (refusal, dialect) {
            (Refusal::BadRequest(message), _) => {
                let body = json!({"statusCode": 400, "error": "Bad Request", "message": message});
                Self::Refused(400, body)
            }
            (Refusal::NotFound, _) => Self::Refused(404, json!({"error": "not found"})),
            (Refusal::Duplicate, Dialect::V7) => Self::Refused(
                409,
                json!({"statusCode": 409, "error": "Conflict", "message": "duplicate key error"}),
            ),
            (Refusal::Duplicate, Dialect::V6) => Self::Refused(
                422,
                json!({
                    "statusCode": 422,
                    "error": "Unprocessable Entity",
                    "message": "E11000 duplicate key error",
                }),
            ),
            (Refusal::Internal, _) => Self::Refused(
                500,
                json!({
                    "statusCode": 500,
                    "error": "Internal Server Error",
                    "message": "Something went wrong",
                }),
            ),
        }
    }

    /// Its status.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::One(_) | Self::Many(_) => 200,
            Self::Nothing => 204,
            Self::Refused(status, _) => *status,
        }
    }

    /// Its body in the pieces in which it is sent; white space is where nobody expects it.
    pub(crate) fn pieces(self) -> Vec<String> {
        match self {
            Self::Nothing => Vec::new(),
            Self::One(value) | Self::Refused(_, value) => vec![value.to_string()],
            Self::Many(values) => {
                let mut pieces = vec!["[".to_owned()];
                for (index, value) in values.iter().enumerate() {
                    let comma = if index == 0 { "\n  " } else { "\t,\r\n" };
                    pieces.push(format!("{comma}{value} "));
                }
                pieces.push("\n\n]\n".to_owned());
                pieces
            }
        }
    }
}

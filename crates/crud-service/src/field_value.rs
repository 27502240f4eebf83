//! Whether a value fits its field, and what is kept of it.

use mongodb::bson::Bson;
use mongodb::bson::oid::ObjectId;
use serde_json::Value;

use crate::definition::{Definition, Kind};
use crate::json::{date, to_bson};
use crate::refusal::{BAD_QUERY, Refusal, UNKNOWN_FIELD};

const WRONG_KIND: Refusal = Refusal::BadRequest("body does not match the schema");

/// What is kept of `value` in the field `name`.
pub(crate) fn kept(definition: &Definition, name: &str, value: &Value) -> Result<Bson, Refusal> {
    let field = definition.field(name).ok_or(UNKNOWN_FIELD)?;
    if value.is_null() && field.is_nullable {
        return Ok(Bson::Null);
    }
    let is_array = matches!(field.kind, Kind::Texts | Kind::Objects);
    if is_array && !value.is_array() {
        // Seen on the original: it iterates before it looks.
        return Err(Refusal::Internal);
    }
    let items = || value.as_array().into_iter().flatten();
    let fits = match field.kind {
        Kind::Text => value.is_string(),
        Kind::Number => value.is_number(),
        Kind::Object => value.is_object(),
        Kind::Texts => items().all(Value::is_string),
        Kind::Objects => items().all(Value::is_object),
        Kind::Date => {
            return value.as_str().and_then(date).map(Bson::DateTime).ok_or(WRONG_KIND);
        }
    };
    if fits { to_bson(value).ok_or(WRONG_KIND) } else { Err(WRONG_KIND) }
}

/// The kind of a field that is asked about, with those that every document has.
pub(crate) fn kind_in_query(definition: &Definition, name: &str) -> Result<QueryKind, Refusal> {
    let (first, inner) = name.split_once('.').map_or((name, None), |(it, rest)| (it, Some(rest)));
    match first {
        "_id" => Ok(QueryKind::Id),
        "createdAt" | "updatedAt" => Ok(QueryKind::Date),
        "creatorId" | "updaterId" | "__STATE__" => Ok(QueryKind::Plain),
        _ => match (definition.field(first).ok_or(BAD_QUERY)?.kind, inner) {
            (Kind::Date, _) => Ok(QueryKind::Date),
            (Kind::Number, _) => Ok(QueryKind::Number),
            (_, _) => Ok(QueryKind::Plain),
        },
    }
}

/// How a value in a query is understood.
#[derive(Clone, Copy, Debug)]
pub(crate) enum QueryKind {
    /// As an object id.
    Id,
    /// As a date.
    Date,
    /// As a number.
    Number,
    /// As it stands there.
    Plain,
}

impl QueryKind {
    /// The value of a `_q`.
    pub(crate) fn cast(self, value: &Value) -> Result<Bson, Refusal> {
        match (self, value) {
            (Self::Id, Value::String(text)) => {
                ObjectId::parse_str(text).map(Bson::ObjectId).map_err(|_| BAD_QUERY)
            }
            (Self::Date, Value::String(text)) => date(text).map(Bson::DateTime).ok_or(BAD_QUERY),
            (_, value) => to_bson(value).ok_or(BAD_QUERY),
        }
    }

    /// The value of a query word, which is always a text.
    pub(crate) fn cast_word(self, word: &str) -> Result<Bson, Refusal> {
        match self {
            Self::Number => match serde_json::from_str(word) {
                Ok(value @ Value::Number(_)) => self.cast(&value),
                Ok(_) | Err(_) => Err(BAD_QUERY),
            },
            Self::Id | Self::Date | Self::Plain => self.cast(&word.into()),
        }
    }
}

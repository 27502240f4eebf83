//! A value for a placeholder of a statement.

use sqlx::query::Query;
use sqlx::{Database, Encode, Type};

/// A value for a placeholder of a statement.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it may hold the hash of a secret")]
pub enum Argument<'a> {
    /// A text, or none.
    Text(Option<&'a str>),
    /// A number, or none.
    Integer(Option<i64>),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl<'a> From<&'a str> for Argument<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<&'a String> for Argument<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<&'a Option<String>> for Argument<'a> {
    fn from(text: &'a Option<String>) -> Self {
        Self::Text(text.as_deref())
    }
}

impl From<i64> for Argument<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<Option<i64>> for Argument<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

impl<'a> From<&'a [u8]> for Argument<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

/// The statement with its arguments.
pub(crate) fn query<'a, D>(
    sql: &'static str,
    arguments: &[Argument<'a>],
) -> Query<'a, D, D::Arguments>
where
    D: Database,
    Option<&'a str>: Encode<'a, D> + Type<D>,
    Option<i64>: Encode<'a, D> + Type<D>,
    &'a [u8]: Encode<'a, D> + Type<D>,
{
    arguments.iter().fold(sqlx::query(sql), |query, argument| match *argument {
        Argument::Text(text) => query.bind(text),
        Argument::Integer(number) => query.bind(number),
        Argument::Bytes(bytes) => query.bind(bytes),
    })
}

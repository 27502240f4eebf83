//! The fields of a document, each read as what it should be.

use std::error::Error;
use std::str::FromStr;

use domain::{JsonObject, Timestamp};
use serde_json::Value;

use crate::mishap::Mishap;
use crate::moment;

/// A document whose fields are about to be believed. A field that is null is one that is absent.
pub(super) struct Believed<'a> {
    id: &'a str,
    document: &'a JsonObject,
}

impl<'a> Believed<'a> {
    pub(super) fn new(document: &'a JsonObject) -> Self {
        let id = document.get(super::field::OBJECT_ID).and_then(Value::as_str);
        Self { id: id.filter(|it| is_object_id(it)).unwrap_or("without _id"), document }
    }

    /// The `_id`, which becomes part of a path.
    pub(super) fn object_id(&self) -> Result<String, Mishap> {
        if !is_object_id(self.id) {
            return Err(self.wrong(super::field::OBJECT_ID));
        }
        Ok(self.id.to_owned())
    }

    pub(super) fn value(&self, field: &str) -> Option<&'a Value> {
        self.document.get(field).filter(|it| !it.is_null())
    }

    pub(super) fn text(&self, field: &'static str) -> Result<Option<&'a str>, Mishap> {
        let text = |it: &'a Value| it.as_str().ok_or_else(|| self.wrong(field));
        self.value(field).map(text).transpose()
    }

    pub(super) fn parsed<T>(&self, field: &'static str) -> Result<Option<T>, Mishap>
    where
        T: FromStr<Err: Error + Send + Sync + 'static>,
    {
        self.text(field)?.map(|it| self.parse(field, it)).transpose()
    }

    pub(super) fn required<T>(&self, field: &'static str) -> Result<T, Mishap>
    where
        T: FromStr<Err: Error + Send + Sync + 'static>,
    {
        self.parsed(field)?.ok_or_else(|| self.wrong(field))
    }

    /// The texts of an array, each parsed; nothing where there is no array.
    pub(super) fn list<T, C>(&self, field: &'static str) -> Result<Option<C>, Mishap>
    where
        T: FromStr<Err: Error + Send + Sync + 'static>,
        C: FromIterator<T>,
    {
        let Some(value) = self.value(field) else { return Ok(None) };
        let items = value.as_array().ok_or_else(|| self.wrong(field))?;
        let parsed = |item: &Value| {
            let text = item.as_str().ok_or_else(|| self.wrong(field))?;
            self.parse(field, text)
        };
        items.iter().map(parsed).collect::<Result<C, _>>().map(Some)
    }

    pub(super) fn object(&self, field: &'static str) -> Result<Option<&'a JsonObject>, Mishap> {
        let object = |it: &'a Value| it.as_object().ok_or_else(|| self.wrong(field));
        self.value(field).map(object).transpose()
    }

    pub(super) fn moment(&self, field: &'static str) -> Result<Option<Timestamp>, Mishap> {
        let read = |it| moment::read(it).ok_or_else(|| self.wrong(field));
        self.text(field)?.map(read).transpose()
    }

    /// The document cannot be a client, for what is in `field`.
    pub(super) fn wrong(&self, field: &'static str) -> Mishap {
        Mishap::Document { id: self.id.to_owned(), field, cause: None }
    }

    /// As `wrong`, with a cause that does not repeat what is in the field.
    pub(super) fn because(
        &self,
        field: &'static str,
        cause: impl Error + Send + Sync + 'static,
    ) -> Mishap {
        Mishap::Document { id: self.id.to_owned(), field, cause: Some(Box::new(cause)) }
    }

    fn parse<T>(&self, field: &'static str, text: &str) -> Result<T, Mishap>
    where
        T: FromStr<Err: Error + Send + Sync + 'static>,
    {
        text.parse().map_err(|error| self.because(field, error))
    }
}

fn is_object_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
}

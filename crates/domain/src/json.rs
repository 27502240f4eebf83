//! JSON read strictly: what two readers could understand in two ways is refused.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A JSON object (RFC 8259 section 4), without doubled members at any depth.
pub type JsonObject = Map<String, Value>;

/// The text is not one JSON object that everybody reads alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON object, or one with doubled members, lone surrogates or too deep nesting")]
pub struct InvalidJson;

/// Reads one JSON object and nothing beside it.
///
/// Refuses what parsers disagree on: doubled member names (RFC 7515 section 4, RFC 7519 section
/// 4), a byte order mark, lone surrogates, trailing data, and nesting beyond 128 levels.
///
/// # Errors
///
/// [`InvalidJson`], which does not repeat any of the text: it may hold secrets.
pub fn parse_object(bytes: &[u8]) -> Result<JsonObject, InvalidJson> {
    let Strict(value) = serde_json::from_slice(bytes).map_err(|_| InvalidJson)?;
    match value {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(InvalidJson)
        }
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without doubled members")
    }

    fn visit_bool<E>(self, it: bool) -> Result<Value, E> {
        Ok(Value::Bool(it))
    }

    fn visit_i64<E>(self, it: i64) -> Result<Value, E> {
        Ok(Value::Number(it.into()))
    }

    fn visit_u64<E>(self, it: u64) -> Result<Value, E> {
        Ok(Value::Number(it.into()))
    }

    fn visit_f64<E: de::Error>(self, it: f64) -> Result<Value, E> {
        Number::from_f64(it).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, it: &str) -> Result<Value, E> {
        Ok(Value::String(it.to_owned()))
    }

    fn visit_string<E>(self, it: String) -> Result<Value, E> {
        Ok(Value::String(it))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(element)) = elements.next_element()? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if object.insert(name, value).is_some() {
                return Err(de::Error::custom("doubled member"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn t09_ambiguous_json_is_refused() {
        let deep = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"b":{"a":1,"a":1}}"#,
            r#"{"b":[{"a":1,"\u0061":1}]}"#,
            "\u{feff}{}",
            "{} {}",
            "{}x",
            r#"{"a":"\ud800"}"#,
            r#"{"a":1e999}"#,
            "[]",
            "null",
            "",
            deep.as_str(),
        ] {
            assert_eq!(parse_object(text.as_bytes()), Err(InvalidJson), "{text:.40}");
        }
        assert_eq!(parse_object(b"{\"a\":\"\xff\"}"), Err(InvalidJson));
    }

    #[test]
    fn reads_what_is_unambiguous() {
        let text = r#" {"a":[1,-2,3.5,true,null,"x\u0041"],"b":{"a":{}}} "#;

        let object = parse_object(text.as_bytes()).unwrap();

        assert_eq!(Value::Object(object), serde_json::from_str::<Value>(text).unwrap());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_object(&bytes);
        }
    }
}

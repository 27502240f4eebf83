//! JSON as MongoDB keeps it, and back.

use mongodb::bson::{Bson, DateTime, Decimal128, Document};
use serde_json::{Map, Number, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// A JSON value as BSON; `None` if a name in it cannot be one in a document.
pub(crate) fn to_bson(value: &Value) -> Option<Bson> {
    Some(match value {
        Value::Null => Bson::Null,
        Value::Bool(it) => Bson::Boolean(*it),
        Value::Number(it) => number(it),
        Value::String(it) => Bson::String(it.clone()),
        Value::Array(items) => Bson::Array(items.iter().map(to_bson).collect::<Option<_>>()?),
        Value::Object(members) => {
            let mut document = Document::new();
            for (name, value) in members {
                if name.contains('\0') {
                    return None;
                }
                document.insert(name.clone(), to_bson(value)?);
            }
            Bson::Document(document)
        }
    })
}

fn number(number: &Number) -> Bson {
    match (number.as_i64(), number.as_f64()) {
        (Some(it), _) => Bson::Int64(it),
        (None, Some(it)) if number.is_f64() => Bson::Double(it),
        // An integer beyond those of MongoDB.
        (None, _) => match number.to_string().parse::<Decimal128>() {
            Ok(it) => Bson::Decimal128(it),
            Err(_) => Bson::Null,
        },
    }
}

/// What MongoDB keeps as JSON.
#[expect(clippy::wildcard_enum_match_arm, reason = "nothing here writes another kind")]
pub(crate) fn from_bson(value: Bson) -> Value {
    match value {
        Bson::Boolean(it) => it.into(),
        Bson::Int32(it) => it.into(),
        Bson::Int64(it) => it.into(),
        Bson::Double(it) => it.into(),
        Bson::Decimal128(it) => serde_json::from_str(&it.to_string()).unwrap_or_default(),
        Bson::String(it) => it.into(),
        Bson::ObjectId(it) => it.to_hex().into(),
        Bson::DateTime(it) => written(it).into(),
        Bson::Array(items) => items.into_iter().map(from_bson).collect(),
        Bson::Document(document) => Value::Object(object(document)),
        _ => Value::Null,
    }
}

/// A document as JSON.
pub(crate) fn object(document: Document) -> Map<String, Value> {
    document.into_iter().map(|(name, value)| (name, from_bson(value))).collect()
}

/// A date: ISO 8601 with a time, and at most three digits after the point.
pub(crate) fn date(text: &str) -> Option<DateTime> {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    if 3 < fraction.bytes().take_while(u8::is_ascii_digit).count() {
        return None;
    }
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let millis = i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok()?;
    Some(DateTime::from_millis(millis))
}

fn written(date: DateTime) -> Option<String> {
    let nanos = i128::from(date.timestamp_millis()) * 1_000_000;
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?.format(&format).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_comes_out_as_it_went_in() {
        let value = json!({
            "numbers": [0, -1, i64::MIN, i64::MAX, u64::MAX, 0.1, 1.0, 1.5e300],
            "$odd.name": {"": null}, "nul": "a\0b", "deep": [[{"a": [true, false]}]],
        });

        assert_eq!(from_bson(to_bson(&value).unwrap()), value);
        assert!(to_bson(&json!({"a": {"\0": 1}})).is_none());
    }

    #[test]
    fn a_date_has_at_most_three_digits_after_the_point() {
        for (text, read) in [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
            ("2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05.100Z"),
            ("2026-01-02T03:04:05.123+01:00", "2026-01-02T02:04:05.123Z"),
        ] {
            assert_eq!(written(date(text).unwrap()).unwrap(), read);
        }
        for text in ["2026-01-02T03:04:05.1234Z", "2026-01-02", "now", ""] {
            assert!(date(text).is_none(), "{text}");
        }
    }
}

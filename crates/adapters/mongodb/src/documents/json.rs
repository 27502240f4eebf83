//! JSON objects, kept as text.

use domain::{Fault, JsonObject};
use serde_json::Value;

/// An object as it is kept.
pub(crate) fn object(object: &JsonObject) -> String {
    Value::Object(object.clone()).to_string()
}

/// An object that was kept.
pub(super) fn parse_object(raw: &str) -> Result<JsonObject, Fault> {
    domain::parse_object(raw.as_bytes()).map_err(Fault::corrupt)
}

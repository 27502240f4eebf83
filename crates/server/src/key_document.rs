//! The signing keys, as an operator sees them. Never the keys themselves.

use domain::KeySet;
use serde_json::{Value, json};

use crate::client_document::moment;

/// The documents of the keys, newest last.
pub(crate) fn keys(set: &KeySet) -> Value {
    let document = |key: &domain::SigningKey| {
        json!({
            "kid": key.id.as_str(),
            "alg": key.algorithm.name(),
            "state": key.state.name(),
            "created_at": moment(key.created_at),
            "retired_at": key.retired_at.map(moment),
        })
    };
    set.keys.iter().map(document).collect()
}

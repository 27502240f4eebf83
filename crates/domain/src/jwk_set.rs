//! A JWK set that a client publishes (RFC 7517 section 5).

use serde_json::Value;

use crate::{InvalidJwk, PublicJwk, SigningAlgorithm, parse_object};

/// The most keys that a published set may have.
const MAX_KEYS: usize = 32;

/// Why a document is no JWK set that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJwkSet {
    /// It is not an unambiguous JSON object.
    #[error("the JWK set is not an unambiguous JSON object")]
    NotJson,
    /// It has no array of objects `keys`.
    #[error("the JWK set has no array of keys")]
    NoKeys,
    /// It has more keys than anybody needs.
    #[error("the JWK set has more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// It shows what nobody should see: then none of its keys is to be trusted.
    #[error("the JWK set holds a private or symmetric key")]
    Private,
}

/// The keys of a published set that can verify assertions: those for one of `algorithms`, read as
/// keys that are registered are. Keys of other kinds and for other uses are passed over, as RFC 7517
/// section 5 has it; of two keys with one name and one algorithm the first counts.
///
/// # Errors
///
/// See [`InvalidJwkSet`].
pub fn parse_jwk_set(
    document: &[u8],
    algorithms: &[SigningAlgorithm],
) -> Result<Vec<PublicJwk>, InvalidJwkSet> {
    let set = parse_object(document).map_err(|_| InvalidJwkSet::NotJson)?;
    let jwks = set.get("keys").and_then(Value::as_array).ok_or(InvalidJwkSet::NoKeys)?;
    if MAX_KEYS < jwks.len() {
        return Err(InvalidJwkSet::TooManyKeys);
    }
    let mut keys: Vec<PublicJwk> = Vec::with_capacity(jwks.len());
    for jwk in jwks {
        let key = match PublicJwk::parse(jwk.as_object().ok_or(InvalidJwkSet::NoKeys)?) {
            Ok(key) => key,
            Err(InvalidJwk::Private(_)) => return Err(InvalidJwkSet::Private),
            Err(
                InvalidJwk::Missing(_)
                | InvalidJwk::Malformed(_)
                | InvalidJwk::KeyId(_)
                | InvalidJwk::UnknownKind
                | InvalidJwk::Algorithm
                | InvalidJwk::Use
                | InvalidJwk::RsaSize
                | InvalidJwk::RsaExponent,
            ) => continue,
        };
        let is_same = |other: &PublicJwk| {
            other.key_id() == key.key_id() && other.algorithm() == key.algorithm()
        };
        if algorithms.contains(&key.algorithm())
            && !(key.key_id().is_some() && keys.iter().any(is_same))
        {
            keys.push(key);
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::KeyId;

    const X: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

    fn parsed(set: &Value) -> Result<Vec<PublicJwk>, InvalidJwkSet> {
        let algorithms = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa];
        parse_jwk_set(set.to_string().as_bytes(), &algorithms)
    }

    fn p256(kid: &str) -> Value {
        json!({"kty": "EC", "crv": "P-256", "x": X, "y": X, "kid": kid})
    }

    #[test]
    fn keys_that_are_of_no_use_are_passed_over() {
        let rsa = json!({"kty": "RSA", "n": "w".repeat(342), "e": "AQAB", "kid": "not asked for"});
        let set = json!({"keys": [
            p256("a"),
            {"kty": "EC", "crv": "P-521", "x": X, "y": X},
            {"kty": "EC", "crv": "P-256", "x": X, "y": X, "use": "enc"},
            {"kty": "from the future"},
            {},
            rsa,
            p256("a"),
            p256("b"),
        ], "x": 1});

        let keys = parsed(&set).unwrap();

        let names: Vec<_> = keys.iter().filter_map(PublicJwk::key_id).map(KeyId::as_str).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(parsed(&json!({"keys": []})), Ok(Vec::new()));
    }

    /// Threat T27: whatever is found there, what is not a set of public keys is nothing.
    #[test]
    fn t27_what_is_no_set_of_public_keys_is_refused() {
        let many: Vec<Value> = (0..=MAX_KEYS).map(|it| p256(&it.to_string())).collect();
        let mut private = p256("a");
        private["d"] = json!(X);
        for (set, refusal) in [
            (json!([p256("a")]), InvalidJwkSet::NotJson),
            (json!(p256("a")), InvalidJwkSet::NoKeys),
            (json!({"keys": p256("a")}), InvalidJwkSet::NoKeys),
            (json!({"keys": [p256("a"), "b"]}), InvalidJwkSet::NoKeys),
            (json!({"keys": many}), InvalidJwkSet::TooManyKeys),
            (json!({"keys": [p256("b"), private]}), InvalidJwkSet::Private),
            (json!({"keys": [{"kty": "oct", "k": "AA"}]}), InvalidJwkSet::Private),
        ] {
            assert_eq!(parsed(&set), Err(refusal), "{set}");
        }
        let ambiguous = br#"{"keys":[],"keys":[]}"#;
        assert_eq!(parse_jwk_set(ambiguous, &[]), Err(InvalidJwkSet::NotJson));
    }
}

//! The claims of an access token as JSON, without a detour.

use domain::{AccessTokenClaims, Audience, Permission};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// Longer than most claims are.
const CAPACITY: usize = 1_024;

/// The JSON of `claims`, as [`AccessTokenClaims::to_json`] has them.
pub(crate) fn payload(claims: &AccessTokenClaims) -> Result<Vec<u8>, serde_json::Error> {
    let mut json = Vec::with_capacity(CAPACITY);
    serde_json::to_writer(&mut json, &Payload(claims))?;
    Ok(json)
}

struct Payload<'a>(&'a AccessTokenClaims);

impl Serialize for Payload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let claims = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("iss", claims.issuer.as_str())?;
        map.serialize_entry("sub", claims.subject.as_str())?;
        match claims.audience.as_slice() {
            [] => (),
            [one] if claims.shape.is_lone_audience_text => {
                map.serialize_entry("aud", one.as_str())?;
            }
            all => map.serialize_entry("aud", &Texts(all, Audience::as_str))?,
        }
        map.serialize_entry("exp", &claims.expires_at.as_unix_seconds())?;
        map.serialize_entry("iat", &claims.issued_at.as_unix_seconds())?;
        map.serialize_entry("jti", claims.id.as_str())?;
        if claims.shape.has_client_id {
            map.serialize_entry("client_id", claims.subject.as_str())?;
        }
        if claims.has_permissions() {
            map.serialize_entry("permissions", &Texts(&claims.permissions, Permission::as_str))?;
        }
        if let Some(scope) = &claims.scope {
            map.serialize_entry("scope", &format_args!("{scope}"))?;
        }
        for (name, value) in &claims.custom {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

struct Texts<'a, T>(&'a [T], fn(&T) -> &str);

impl<T> Serialize for Texts<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(self.1))
    }
}

#[cfg(test)]
mod tests {
    use domain::{ClaimsShape, Timestamp};
    use serde_json::{Value, json};

    use super::*;

    fn claims() -> AccessTokenClaims {
        AccessTokenClaims {
            shape: ClaimsShape::MIA,
            issuer: "https://issuer".parse().unwrap(),
            subject: "billing".parse().unwrap(),
            audience: Vec::new(),
            issued_at: Timestamp::from_unix_millis(1_700_000_000_999),
            expires_at: Timestamp::from_unix_seconds(1_700_003_600),
            id: "4f\"x".parse().unwrap(),
            permissions: Vec::new(),
            scope: None,
            custom: domain::JsonObject::new(),
        }
    }

    fn text(claims: &AccessTokenClaims) -> String {
        String::from_utf8(payload(claims).unwrap()).unwrap()
    }

    #[test]
    fn permissions_are_always_there_and_the_rest_only_where_there_is_any() {
        assert_eq!(
            text(&claims()),
            r#"{"iss":"https://issuer","sub":"billing","exp":1700003600,"iat":1700000000,"jti":"4f\"x","permissions":[]}"#
        );
    }

    /// What is signed and what is kept of a reference token say the same, in every dialect.
    #[test]
    fn is_what_the_claims_say_of_themselves() {
        let full = AccessTokenClaims {
            audience: vec!["a".parse().unwrap()],
            permissions: vec!["read".parse().unwrap()],
            scope: Some("x".parse().unwrap()),
            custom: json!({"tenant": 1}).as_object().unwrap().clone(),
            ..claims()
        };
        for shape in [ClaimsShape::MIA, ClaimsShape::STANDARD, ClaimsShape::PLAIN] {
            for claims in [
                AccessTokenClaims { shape, ..claims() },
                AccessTokenClaims { shape, ..full.clone() },
            ] {
                let written: Value = serde_json::from_str(&text(&claims)).unwrap();
                assert_eq!(written, Value::from(claims.to_json()));
            }
        }
    }

    #[test]
    fn says_everything_that_was_granted() {
        let Value::Object(custom) = json!({"tenant": "acme", "deep": {"a": [1, null]}}) else {
            unreachable!()
        };
        let claims = AccessTokenClaims {
            audience: vec!["a".parse().unwrap(), "b".parse().unwrap()],
            permissions: vec!["read \"all\"".parse().unwrap()],
            scope: Some("x y".parse().unwrap()),
            custom,
            ..claims()
        };

        assert_eq!(
            serde_json::from_str::<Value>(&text(&claims)).unwrap(),
            json!({
                "iss": "https://issuer", "sub": "billing", "aud": ["a", "b"],
                "exp": 1_700_003_600, "iat": 1_700_000_000, "jti": "4f\"x",
                "permissions": ["read \"all\""], "scope": "x y",
                "tenant": "acme", "deep": {"a": [1, null]},
            })
        );
    }
}

use std::error::Error as _;

use domain::{Capability, ClientSettings, ClientState};
use serde_json::json;

use super::*;

fn bare() -> JsonObject {
    let document = json!({
        "_id": "64b0c0c0c0c0c0c0c0c0c0c0",
        "clientId": "billing",
        "name": "Billing",
        "__STATE__": "PUBLIC",
        "creatorId": "public",
        "createdAt": "2026-01-02T03:04:05.678Z",
        "updaterId": "public",
        "updatedAt": "2026-01-02T03:04:06.000Z",
    });
    document.as_object().unwrap().clone()
}

fn with(field: &str, value: Value) -> JsonObject {
    let mut document = bare();
    document.insert(field.to_owned(), value);
    document
}

fn key(alg: &str) -> Value {
    let n = format!("w{}", "A".repeat(339)) + "AQ";
    json!({"kty": "RSA", "n": n, "e": "AQAB", "kid": "one", "alg": alg, "use": "sig"})
}

#[test]
fn what_a_document_does_not_say_is_at_its_default() {
    let stored = Stored::try_from(bare()).unwrap();

    let client = stored.client;
    assert_eq!(client.authentication, AuthenticationMethod::ClientSecretBasic);
    assert_eq!(client.capabilities, [Capability::ClientCredentials].into());
    assert_eq!(client.state, ClientState::Public);
    assert_eq!((client.keys.len(), client.permissions.len(), client.audience.len()), (0, 0, 0));
    assert_eq!((client.metadata, client.last_login), (None, None));
    assert_eq!(client.settings, ClientSettings::default());
    assert_eq!(client.created_at, Timestamp::from_unix_millis(1_767_323_045_678));
    assert_eq!(client.revision, Revision(client.updated_at.as_unix_millis()));
    assert!(matches!(stored.version, Version::Dated(it) if it == "2026-01-02T03:04:06.000Z"));
}

#[test]
fn null_is_as_good_as_absent() {
    for field in field::optional().chain(field::DISPENSABLE).chain(["permissions", "authMethod"]) {
        assert!(Stored::try_from(with(field, Value::Null)).is_ok(), "{field}");
    }
}

#[test]
fn fields_of_others_are_not_looked_at() {
    assert!(Stored::try_from(with("somethingElse", json!([{"a": 1}]))).is_ok());
}

#[test]
fn an_empty_key_is_none_and_the_misspelt_alg_is_rs256() {
    let stored = Stored::try_from(with("publicKey", json!({}))).unwrap();
    assert!(stored.client.keys.is_empty());

    let stored = Stored::try_from(with("publicKey", key("RSA256"))).unwrap();
    assert_eq!(stored.client.keys[0].algorithm().name(), "RS256");
}

#[test]
fn of_one_key_beside_several_none_is_believed() {
    let mut document = with("publicKey", key("RS256"));
    document.insert("publicKeys".to_owned(), json!([key("RS256")]));
    assert!(Stored::try_from(document).is_err());
}

#[test]
fn what_cannot_be_a_client_is_named_by_its_field_and_never_by_its_value() {
    for (field, value) in [
        ("_id", json!("../other")),
        ("clientId", json!("s3cret id")),
        ("clientId", Value::Null),
        ("name", json!("")),
        ("__STATE__", json!("s3cret")),
        ("authMethod", json!("s3cret")),
        ("permissions", json!("s3cret")),
        ("permissions", json!(["s3cret\n"])),
        ("audience", json!(["s3cret space"])),
        ("allowedCustomClaims", json!(["sub"])),
        ("capabilities", json!(["s3cret"])),
        ("scope", json!("s3cret\\")),
        ("metadata", json!("s3cret")),
        ("settings", json!("s3cret")),
        ("settings", json!({"access_token_format": "s3cret"})),
        ("publicKey", json!({"kty": "s3cret"})),
        ("publicKey", json!("s3cret")),
        ("publicKeys", json!([{"kty": "oct", "k": "s3cret"}])),
        ("publicKeys", json!(["s3cret"])),
        ("software_id", json!({"s3cret": 1})),
        ("createdAt", json!("s3cret")),
        ("updatedAt", json!(7)),
        ("lastLogin", json!("s3cret")),
        ("revision", json!(-1)),
        ("revision", json!("s3cret")),
    ] {
        let mishap = Stored::try_from(with(field, value)).unwrap_err();

        let mut text = mishap.to_string();
        assert!(text.ends_with(&format!("is wrong in {field}")), "{text}");
        if let Some(cause) = mishap.source() {
            text.push_str(&cause.to_string());
        }
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn a_setting_that_cannot_be_true_is_named_as_well() {
    let settings = json!({"strict_auth_method": true, "access_token_lifetime": -1});

    let mishap = Stored::try_from(with("settings", settings)).unwrap_err();

    let cause = mishap.source().unwrap().to_string();
    assert!(cause.contains("access_token_lifetime"), "{cause}");
}

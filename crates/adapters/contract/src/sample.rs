//! Values the suites are written with; use-case tests may use them too.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use domain::change_set::{
    ChangeSet, ChangeSetState, ClientAction, ClientOperation, Commitment, Operation, PendingSecret,
    Settlement, Transition,
};
use domain::{
    AssertionAudience, AuthenticationMethod, Capability, Client, ClientId, ClientSettings,
    ClientState, Credential, InformativeMetadata, JsonObject, PublicJwk, Revision, Scope,
    SecretHash, SecretId, SecretSelector, SigningAlgorithm, Timestamp, TokenFormat, TokenId,
};
use serde_json::{Value, json};

/// A moment in the year 2030, with milliseconds. Ahead of us, so that no store forgets anything.
pub const NOW: Timestamp = Timestamp::from_unix_millis(1_900_000_000_123);

/// The last millisecond that a calendar with four digits for the year can name.
pub const END_OF_9999: Timestamp = Timestamp::from_unix_millis(253_402_300_799_999);

/// A moment `seconds` after [`NOW`].
#[must_use]
pub fn later(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(NOW.as_unix_millis() + seconds * 1_000)
}

/// The value that `raw` spells.
#[must_use]
pub fn parsed<T: FromStr>(raw: &str) -> T {
    raw.parse().ok().unwrap()
}

/// A client id.
#[must_use]
pub fn client_id(raw: &str) -> ClientId {
    parsed(raw)
}

/// A secret id.
#[must_use]
pub fn secret_id(raw: &str) -> SecretId {
    parsed(raw)
}

/// The id of a token or an assertion.
#[must_use]
pub fn token_id(raw: &str) -> TokenId {
    parsed(raw)
}

/// A JSON object.
///
/// # Panics
///
/// If `value` is none.
#[must_use]
pub fn object(value: &Value) -> JsonObject {
    value.as_object().unwrap().clone()
}

/// A client with as little as a client can have.
#[must_use]
pub fn client(id: &str) -> Client {
    Client {
        id: client_id(id),
        name: parsed(id),
        state: ClientState::Public,
        authentication: AuthenticationMethod::ClientSecretBasic,
        keys: Vec::new(),
        capabilities: BTreeSet::new(),
        permissions: Vec::new(),
        audience: Vec::new(),
        scope: Scope::default(),
        allowed_custom_claims: Vec::new(),
        settings: ClientSettings::default(),
        metadata: None,
        informative: InformativeMetadata::default(),
        created_at: NOW,
        updated_at: NOW,
        last_login: None,
        revision: Revision::FIRST,
    }
}

/// A client with as much as a client can have, in characters that stores get wrong.
#[must_use]
pub fn full_client(id: &str) -> Client {
    let mut informative = object(&json!({
        "client_uri": "https://example.com/?a=1&b='2'",
        "contacts": ["ops@example.com", "Zoë <zoe@example.com>"],
        "logo_uri": "https://example.com/logo.png",
        "policy_uri": "https://example.com/policy",
        "software_id": "4NRB1-0XZABZI9E6-5SM3R",
        "software_version": "2.3.1",
        "tos_uri": "https://example.com/tos",
    }));
    Client {
        name: parsed("Fakturierung – 請求書 \u{1f4b6} \"O'Reilly\" \\ 100% a_b;--"),
        keys: public_keys(),
        capabilities: BTreeSet::from([Capability::ClientCredentials, Capability::Introspection]),
        permissions: vec![parsed("b:write"), parsed("a, lire l'été"), parsed("{\"x\":[]}")],
        audience: vec![parsed("https://z.example/%20?q"), parsed("aud'ience\"\\"), parsed("a,b")],
        scope: parsed("write read:all a'b%_"),
        allowed_custom_claims: vec![parsed("tenant"), parsed("https://claims.example/größe")],
        settings: settings(),
        metadata: Some(metadata()),
        informative: InformativeMetadata::take_from(&mut informative).unwrap(),
        updated_at: later(1),
        last_login: Some(later(2)),
        ..client(id)
    }
}

/// Settings none of which is left to the service.
#[must_use]
pub fn settings() -> ClientSettings {
    ClientSettings {
        token_format: Some(TokenFormat::Reference),
        token_lifetime: Some(Duration::from_secs(299)),
        token_algorithm: Some(SigningAlgorithm::EdDsa),
        default_scope: parsed("read:all a'b%_"),
        assertion_audience: AssertionAudience::IssuerOrTokenEndpoint,
        is_method_strict: true,
        registration_token: Some(domain::TokenDigest([9; 32])),
        jwks_uri: Some(parsed("https://keys.example/%7Ea?p='1'&q=%22")),
    }
}

/// JSON that survives only in stores that keep JSON as it is.
#[must_use]
pub fn metadata() -> JsonObject {
    object(&json!({
        "team": {"名前": "支払い", "members": ["ö", "\u{1f600}", ""], "deep": [[[{"er": null}]]]},
        "": "a member without a name",
        "nul": "before\u{0}after",
        "quotes": "' \" \\ / ; -- % _ $1 ?",
        "numbers": [0, -1, i64::MIN, u64::MAX, 0.1, 1.5e300],
        "flags": [true, false, null],
        "$dotted.name": {},
    }))
}

/// One key of each kind, with and without a name.
#[must_use]
pub fn public_keys() -> Vec<PublicJwk> {
    let coordinate = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    let n = format!("w{}", "A".repeat(339)) + "AQ";
    [
        json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "PS256", "kid": "key 'one' \"%\""}),
        json!({"kty": "RSA", "n": n, "e": "AQAB"}),
        json!({"kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate, "kid": "p256"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": coordinate}),
    ]
    .iter()
    .map(|jwk| PublicJwk::parse(&object(jwk)).unwrap())
    .collect()
}

/// A secret that never ends, made at [`NOW`].
#[must_use]
pub fn credential(id: &str) -> Credential {
    Credential {
        id: secret_id(id),
        name: None,
        hash: SecretHash::new(format!("$plain${id}")),
        selector: None,
        created_at: NOW,
        expires_at: None,
        last_used: None,
    }
}

/// A secret with everything that a secret can have.
#[must_use]
pub fn full_credential(id: &str) -> Credential {
    Credential {
        name: Some(parsed("Schlüssel für 'Zoë' \"1\" \\ 100%_ \u{1f511}")),
        hash: SecretHash::new("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA+/="),
        selector: Some(SecretSelector(u16::MAX)),
        expires_at: Some(END_OF_9999),
        last_used: Some(later(1)),
        ..credential(id)
    }
}

/// A draft that does nothing.
#[must_use]
pub fn change_set(id: &str) -> ChangeSet {
    ChangeSet {
        id: parsed(id),
        note: None,
        author: parsed("an operator"),
        created_at: NOW,
        updated_at: NOW,
        revision: Revision::FIRST,
        operations: Vec::new(),
        state: ChangeSetState::Draft,
        pending: Vec::new(),
        unsettled: Vec::new(),
    }
}

/// A change set with as much as one can have, in characters that stores get wrong.
#[must_use]
pub fn full_change_set(id: &str) -> ChangeSet {
    let of = |action| {
        Operation::Client(ClientOperation {
            client: client_id("a'b%_"),
            base: Some(Revision(7)),
            action,
        })
    };
    let transition = |before, after| Transition {
        client: client_id("a'b%_"),
        before,
        after,
        lost_secrets: vec![credential("s"), full_credential("t")],
    };
    ChangeSet {
        note: Some(parsed("Änderung \u{1f511} 'O''Reilly' \" \\ 100%_;--")),
        author: parsed("client größe"),
        updated_at: later(3),
        operations: vec![
            of(ClientAction::Replace(metadata())),
            of(ClientAction::Change(metadata())),
            of(ClientAction::Disable),
            of(ClientAction::Enable),
            of(ClientAction::Delete),
            Operation::Client(ClientOperation {
                client: client_id("new"),
                base: None,
                action: ClientAction::Create(metadata()),
            }),
        ],
        state: ChangeSetState::RolledBack {
            commitment: Commitment {
                by: parsed("somebody"),
                at: later(1),
                transitions: vec![
                    transition(Some(client("a")), Some(full_client("a"))),
                    transition(None, Some(full_client("b"))),
                    transition(Some(full_client("c")), None),
                ],
            },
            by: parsed("somebody else"),
            at: later(2),
        },
        pending: vec![PendingSecret { client: client_id("a"), secret: secret_id("s") }],
        unsettled: vec![
            Settlement {
                client: client_id("a"),
                at: later(2),
                secrets: Some(vec![secret_id("s"), secret_id("t")]),
                tokens_until: Some(later(9)),
            },
            Settlement { client: client_id("b"), at: later(2), secrets: None, tokens_until: None },
        ],
        ..change_set(id)
    }
}

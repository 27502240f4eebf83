//! New names and secrets, from randomness.

use domain::port::{Entropy, MacVerifier, SecretHasher, SecretOwner, TokenDigester};
use domain::{
    Client, ClientId, ClientSecret, Credential, Fault, KeyId, OpaqueToken, ReferenceStyle,
    SecretHash, SecretId, TokenId,
};

const LETTERS: &[u8; 52] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const ALPHANUMERIC: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `count` letters, each as likely as any other.
fn letters(entropy: &dyn Entropy, count: usize) -> Result<String, Fault> {
    drawn(entropy, LETTERS, count)
}

/// `count` characters of `alphabet`, each as likely as any other.
fn drawn(entropy: &dyn Entropy, alphabet: &[u8], count: usize) -> Result<String, Fault> {
    let mut text = String::with_capacity(count);
    let mut bytes = [0; 64];
    // A byte from there on would favor the first characters.
    let fair = 256 / alphabet.len() * alphabet.len();
    while text.len() < count {
        entropy.fill(&mut bytes)?;
        let fair = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
        let drawn = fair.filter_map(|byte| alphabet.get(byte % alphabet.len()));
        text.extend(drawn.take(count - text.len()).map(|letter| char::from(*letter)));
    }
    Ok(text)
}

/// What reference tokens of ours begin with, where their style lets them: secret scanners can look
/// for it.
pub(crate) const REFERENCE_PREFIX: &str = "twat_";

/// A new reference token.
pub(crate) fn reference_token(
    entropy: &dyn Entropy,
    style: ReferenceStyle,
) -> Result<OpaqueToken, Fault> {
    Ok(OpaqueToken::new(match style {
        ReferenceStyle::Uuid => uuid(entropy)?,
        ReferenceStyle::Alphanumeric => drawn(entropy, ALPHANUMERIC, 32)?,
        // 43 of 62 characters are 256 bits.
        ReferenceStyle::Prefixed => {
            format!("{REFERENCE_PREFIX}{}", drawn(entropy, ALPHANUMERIC, 43)?)
        }
    }))
}

/// A new client id: 32 letters.
pub(crate) fn client_id(entropy: &dyn Entropy) -> Result<ClientId, Fault> {
    letters(entropy, 32)?.parse().map_err(Fault::corrupt)
}

/// A new client secret: 48 letters, some 273 bits.
pub(crate) fn client_secret(entropy: &dyn Entropy) -> Result<ClientSecret, Fault> {
    letters(entropy, 48).map(ClientSecret::new)
}

/// A new bootstrap token: 48 letters behind a prefix that secret scanners can look for.
pub(crate) fn bootstrap_token(entropy: &dyn Entropy) -> Result<ClientSecret, Fault> {
    letters(entropy, 48).map(|token| ClientSecret::new(format!("twboot_{token}")))
}

/// A new registration access token: 48 letters behind a prefix that secret scanners can look for.
pub(crate) fn registration_token(entropy: &dyn Entropy) -> Result<ClientSecret, Fault> {
    letters(entropy, 48).map(|token| ClientSecret::new(format!("twreg_{token}")))
}

/// A new `jti`: a UUID of version 4 (RFC 9562 section 5.4), unique across nodes.
pub(crate) fn token_id(entropy: &dyn Entropy) -> Result<TokenId, Fault> {
    uuid(entropy)?.parse().map_err(Fault::corrupt)
}

/// A new `kid`.
pub(crate) fn key_id(entropy: &dyn Entropy) -> Result<KeyId, Fault> {
    uuid(entropy)?.parse().map_err(Fault::corrupt)
}

/// A new secret id.
pub(crate) fn secret_id(entropy: &dyn Entropy) -> Result<SecretId, Fault> {
    uuid(entropy)?.parse().map_err(Fault::corrupt)
}

/// A new id of a change set: a UUID of version 7 (RFC 9562 section 5.7), so that later ids are
/// greater.
pub(crate) fn change_set_id(
    entropy: &dyn Entropy,
    now: domain::Timestamp,
) -> Result<domain::ChangeSetId, Fault> {
    let mut bytes = [0; 10];
    entropy.fill(&mut bytes)?;
    let id = uuid::Builder::from_unix_timestamp_millis(now.as_unix_millis(), &bytes).into_uuid();
    id.to_string().parse().map_err(Fault::corrupt)
}

fn uuid(entropy: &dyn Entropy) -> Result<String, Fault> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

/// A secret as it is kept for its client: sealed where it has to be known again, else as a hash.
pub(crate) async fn kept_secret(
    hasher: &dyn SecretHasher,
    macs: &dyn MacVerifier,
    client: &Client,
    id: &SecretId,
    secret: &ClientSecret,
) -> Result<SecretHash, Fault> {
    if client.authentication.needs_sealed_secrets() {
        macs.seal(SecretOwner { client: &client.id, secret: id }, secret)
    } else {
        hasher.hash(secret).await
    }
}

/// What is kept of a secret that we made.
pub(crate) fn credential(
    id: SecretId,
    secret: &ClientSecret,
    hash: SecretHash,
    digester: &dyn TokenDigester,
    now: domain::Timestamp,
) -> Credential {
    Credential {
        id,
        name: None,
        hash,
        selector: Some(digester.digest(secret.expose()).selector()),
        created_at: now,
        expires_at: None,
        last_used: None,
    }
}

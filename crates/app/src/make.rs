//! New names and secrets, from randomness.

use domain::port::{Entropy, TokenDigester};
use domain::{ClientId, ClientSecret, Credential, Fault, KeyId, SecretHash, SecretId, TokenId};

const LETTERS: &[u8; 52] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `N` letters, each as likely as any other.
fn letters(entropy: &dyn Entropy, count: usize) -> Result<String, Fault> {
    let mut text = String::with_capacity(count);
    let mut bytes = [0; 64];
    while text.len() < count {
        entropy.fill(&mut bytes)?;
        // Four times 52 is 208: a byte from there on would favor the first letters.
        let fair = bytes.iter().filter(|byte| **byte < 208);
        let drawn = fair.filter_map(|byte| LETTERS.get(usize::from(byte % 52)));
        text.extend(drawn.take(count - text.len()).map(|letter| char::from(*letter)));
    }
    Ok(text)
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

fn uuid(entropy: &dyn Entropy) -> Result<String, Fault> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
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

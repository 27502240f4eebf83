//! Fetched tokens, encrypted.

use std::fmt;

use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::rand;
use domain::gateway::{Ending, FetchedToken, TokenFetch};
use domain::port::TokenVault;
use domain::{CacheKey, Fault, SealedToken, Timestamp};

/// Fetched tokens in AES-GCM, under names that are HMAC-SHA-256. Both keys come from one secret by
/// HKDF-SHA-256 (RFC 5869), so that neither tells of the other.
///
/// A sealed token is a version byte, a random nonce of 96 bits, and the ciphertext with its tag.
/// The version and the name it lies under are authenticated with it: a token that was moved to
/// another name does not open there.
pub struct AesVault {
    names: hmac::Key,
    cipher: LessSafeKey,
}

/// The secret has another length than a key of AES.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret must have 16, 24 or 32 bytes")]
pub struct InvalidVaultSecret;

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
const SALT: &[u8] = b"tokenwright gateway: fetched tokens";

impl AesVault {
    /// A vault of that secret. Vaults of one secret open what the others sealed.
    ///
    /// # Errors
    ///
    /// [`InvalidVaultSecret`].
    pub fn new(secret: &[u8]) -> Result<Self, InvalidVaultSecret> {
        let algorithm = match secret.len() {
            16 => &AES_128_GCM,
            24 => &AES_192_GCM,
            32 => &AES_256_GCM,
            _ => return Err(InvalidVaultSecret),
        };
        let made = || {
            let prk = Salt::new(HKDF_SHA256, SALT).extract(secret);
            let names = hmac::Key::from(prk.expand(&[b"names"], HMAC_SHA256)?);
            let cipher = LessSafeKey::new(UnboundKey::from(prk.expand(&[b"tokens"], algorithm)?));
            Ok::<_, Unspecified>(Self { names, cipher })
        };
        made().map_err(|_| InvalidVaultSecret)
    }

    /// A vault of a secret that only this process has, for tokens in memory.
    ///
    /// # Errors
    ///
    /// [`Fault`] if there is no randomness.
    pub fn of_this_process() -> Result<Self, Fault> {
        let mut secret = [0; 32];
        rand::fill(&mut secret).map_err(|_| no_randomness())?;
        Self::new(&secret).map_err(Fault::corrupt)
    }

    /// Each part with its length before it, so that no two lists of parts run together.
    fn name<'a>(&self, what: &'a [u8], parts: impl IntoIterator<Item = &'a [u8]>) -> CacheKey {
        let mut context = hmac::Context::with_key(&self.names);
        for part in std::iter::once(what).chain(parts) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut name = [0; 32];
        name.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        CacheKey(name)
    }
}

impl TokenVault for AesVault {
    fn key(&self, fetch: &TokenFetch) -> CacheKey {
        self.name(b"fetch", fetch.parts())
    }

    fn digest(&self, about: &str, token: &str) -> CacheKey {
        self.name(b"token", [about.as_bytes(), token.as_bytes()])
    }

    fn seal(&self, key: &CacheKey, token: &FetchedToken) -> Result<SealedToken, Fault> {
        let mut nonce = [0; NONCE_BYTES];
        rand::fill(&mut nonce).map_err(|_| no_randomness())?;
        let mut text = plain(token);
        self.cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), place(key), &mut text)
            .map_err(|_| Fault::corrupt("a token cannot be sealed"))?;
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + text.len());
        sealed.push(VERSION);
        sealed.extend(nonce);
        sealed.append(&mut text);
        Ok(SealedToken(sealed))
    }

    fn open(&self, key: &CacheKey, sealed: &SealedToken) -> Option<FetchedToken> {
        let (version, rest) = sealed.0.split_first()?;
        if *version != VERSION {
            return None;
        }
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let mut text = ciphertext.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let text = self.cipher.open_in_place(nonce, place(key), &mut text).ok()?;
        read(text)
    }
}

impl fmt::Debug for AesVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesVault([redacted])")
    }
}

fn no_randomness() -> Fault {
    Fault::unavailable("the operating system has no randomness")
}

/// What is authenticated besides the token.
fn place(key: &CacheKey) -> Aad<Vec<u8>> {
    let mut place = vec![VERSION];
    place.extend(key.0);
    Aad::from(place)
}

/// When it was asked for, when it ends, and the token.
fn plain(token: &FetchedToken) -> Vec<u8> {
    let (kind, end) = match token.ends() {
        Ending::Unknown => (0, 0),
        Ending::Spent => (1, 0),
        Ending::At(end) => (2, end.as_unix_millis()),
    };
    let mut text = token.fetched_at().as_unix_millis().to_be_bytes().to_vec();
    text.push(kind);
    text.extend(end.to_be_bytes());
    text.extend(token.as_str().as_bytes());
    text
}

fn read(text: &[u8]) -> Option<FetchedToken> {
    let (fetched_at, rest) = text.split_first_chunk::<8>()?;
    let (kind, rest) = rest.split_first()?;
    let (end, token) = rest.split_first_chunk::<8>()?;
    let moment = |bytes: &[u8; 8]| Timestamp::from_unix_millis(u64::from_be_bytes(*bytes));
    let ends = match kind {
        0 => Ending::Unknown,
        1 => Ending::Spent,
        2 => Ending::At(moment(end)),
        _ => return None,
    };
    let token = std::str::from_utf8(token).ok()?;
    Some(FetchedToken::restored(token.into(), moment(fetched_at), ends))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: CacheKey = CacheKey([1; 32]);

    fn token() -> FetchedToken {
        let moment = Timestamp::from_unix_millis;
        FetchedToken::restored("hunter2".into(), moment(1_000), Ending::At(moment(61_000)))
    }

    fn secrets() -> [Vec<u8>; 3] {
        [16, 24, 32].map(|length| vec![b's'; length])
    }

    #[test]
    fn what_was_sealed_opens_with_the_same_secret_at_the_same_place() {
        for secret in secrets() {
            let (one, other) = (AesVault::new(&secret).unwrap(), AesVault::new(&secret).unwrap());
            for ends in [Ending::Unknown, Ending::Spent, token().ends()] {
                let token = FetchedToken::restored("hunter2".into(), token().fetched_at(), ends);

                let opened = other.open(&KEY, &one.seal(&KEY, &token).unwrap()).unwrap();

                assert_eq!(opened.as_str(), "hunter2");
                assert_eq!((opened.fetched_at(), opened.ends()), (token.fetched_at(), ends));
            }
        }
    }

    #[test]
    fn what_was_changed_moved_or_sealed_with_another_secret_does_not_open() {
        let [small, _, large] = secrets();
        let vault = AesVault::new(&large).unwrap();
        let sealed = vault.seal(&KEY, &token()).unwrap();
        for index in 0..sealed.0.len() {
            let mut changed = sealed.clone();
            changed.0[index] ^= 1;
            assert!(vault.open(&KEY, &changed).is_none(), "byte {index}");
            changed.0.truncate(index);
            assert!(vault.open(&KEY, &changed).is_none(), "{index} bytes");
        }
        assert!(vault.open(&CacheKey([2; 32]), &sealed).is_none());
        for other in [vec![b't'; 32], small] {
            assert!(AesVault::new(&other).unwrap().open(&KEY, &sealed).is_none());
        }
        assert!(vault.open(&KEY, &SealedToken(Vec::new())).is_none());
    }

    #[test]
    fn one_token_is_never_sealed_alike_twice_and_is_nowhere_to_be_read() {
        let vault = AesVault::of_this_process().unwrap();
        let (one, other) =
            (vault.seal(&KEY, &token()).unwrap(), vault.seal(&KEY, &token()).unwrap());

        assert_ne!(one, other);
        assert!(!one.0.windows(7).any(|it| it == b"hunter2"));
    }

    #[test]
    fn names_depend_on_the_secret_and_on_where_parts_end() {
        let vault = AesVault::new(&secrets()[2]).unwrap();
        let name = |parts: &[&'static [u8]]| vault.name(b"fetch", parts.iter().copied());

        assert_eq!(name(&[b"ab", b"c"]), name(&[b"ab", b"c"]));
        assert_ne!(name(&[b"ab", b"c"]), name(&[b"a", b"bc"]));
        assert_ne!(name(&[b"ab", b"c"]), name(&[b"ab", b"c", b""]));
        assert_ne!(vault.digest("a", "t"), vault.digest("b", "t"));
        assert_ne!(vault.digest("a", "t"), AesVault::of_this_process().unwrap().digest("a", "t"));
    }

    #[test]
    fn a_secret_of_another_length_is_refused() {
        for length in [0, 15, 17, 31, 33, 64] {
            assert_eq!(AesVault::new(&vec![0; length]).unwrap_err(), InvalidVaultSecret);
        }
    }
}

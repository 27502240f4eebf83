//! A vault that locks nothing.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use domain::gateway::{Ending, FetchedToken, TokenFetch};
use domain::port::TokenVault;
use domain::{CacheKey, Fault, SealedToken, Timestamp};

/// A vault whose keys are digests that are not secret, and which writes tokens as they are. Two of
/// them open what the other sealed.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainVault;

impl PlainVault {
    fn name(what: &str, parts: &[&[u8]]) -> CacheKey {
        let mut name = [0; 32];
        for (number, chunk) in name.chunks_mut(8).enumerate() {
            let mut hasher = DefaultHasher::new();
            (number, what, parts).hash(&mut hasher);
            chunk.iter_mut().zip(hasher.finish().to_be_bytes()).for_each(|(to, from)| *to = from);
        }
        CacheKey(name)
    }
}

impl TokenVault for PlainVault {
    fn key(&self, fetch: &TokenFetch) -> CacheKey {
        Self::name("fetch", &fetch.parts())
    }

    fn digest(&self, about: &str, token: &str) -> CacheKey {
        Self::name("token", &[about.as_bytes(), token.as_bytes()])
    }

    fn seal(&self, _: &CacheKey, token: &FetchedToken) -> Result<SealedToken, Fault> {
        let end = match token.ends() {
            Ending::Unknown => "?".to_owned(),
            Ending::Spent => "!".to_owned(),
            Ending::At(end) => end.as_unix_millis().to_string(),
        };
        let at = token.fetched_at().as_unix_millis();
        Ok(SealedToken(format!("{at} {end} {}", token.as_str()).into_bytes()))
    }

    fn open(&self, _: &CacheKey, sealed: &SealedToken) -> Option<FetchedToken> {
        let text = std::str::from_utf8(&sealed.0).ok()?;
        let mut parts = text.splitn(3, ' ');
        let at = Timestamp::from_unix_millis(parts.next()?.parse().ok()?);
        let ends = match parts.next()? {
            "?" => Ending::Unknown,
            "!" => Ending::Spent,
            end => Ending::At(Timestamp::from_unix_millis(end.parse().ok()?)),
        };
        Some(FetchedToken::restored(parts.next()?.into(), at, ends))
    }
}

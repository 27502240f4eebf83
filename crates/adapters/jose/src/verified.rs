//! Tokens whose signatures were found good, remembered.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{self, SHA256};
use domain::CompactJws;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// How much is remembered, in bytes: some 10 000 tokens of the usual size.
const CAPACITY: u64 = 24 * 1024 * 1024;
/// How many tokens that is, about.
const TOKENS: usize = 10_000;
/// Longer tokens are verified each time: clients can put into theirs what they like.
const LONGEST: usize = 4 * 1024;

/// Tokens whose signatures were found good.
///
/// A resource server asks about one token many times, and verifying costs several times more than
/// all the rest of the answer. What is remembered is that this text, to the letter, has a good
/// signature, and what it says; when it ends, and whether it was taken back, is looked at each
/// time. The memory belongs to one set of keys and goes with it, so that a key that is revoked takes
/// what it signed along (threat T42). What is not good is not remembered, so that guessing takes no
/// room (threat T28).
pub(crate) struct VerifiedTokens(Cache<[u8; 32], Remembered, Size>);

#[derive(Clone)]
struct Remembered {
    jws: Arc<CompactJws>,
    /// Of the text.
    length: usize,
}

#[derive(Clone)]
struct Size;

impl Weighter<[u8; 32], Remembered> for Size {
    fn weight(&self, _: &[u8; 32], it: &Remembered) -> u64 {
        // The text stands in it once, and once more as the members it holds.
        u64::try_from(3 * it.length + 512).unwrap_or(CAPACITY)
    }
}

impl VerifiedTokens {
    /// None yet.
    pub(crate) fn none() -> Self {
        Self(Cache::with_weighter(TOKENS, CAPACITY, Size))
    }

    /// What `raw` says, if its signature is good: as remembered, or as `verify` finds.
    pub(crate) fn recall_or(
        &self,
        raw: &str,
        verify: impl FnOnce() -> Option<CompactJws>,
    ) -> Option<Arc<CompactJws>> {
        if LONGEST < raw.len() {
            return verify().map(Arc::new);
        }
        let digest = digest(raw);
        if let Some(known) = self.0.get(&digest) {
            return Some(known.jws);
        }
        let jws = Arc::new(verify()?);
        self.0.insert(digest, Remembered { jws: Arc::clone(&jws), length: raw.len() });
        Some(jws)
    }
}

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedTokens").field("count", &self.0.len()).finish()
    }
}

fn digest(raw: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(digest::digest(&SHA256, raw.as_bytes()).as_ref()) {
        *to = *from;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    use super::*;

    fn token(payload: &str, signature: &str) -> String {
        let part = |it: &str| BASE64_URL_SAFE_NO_PAD.encode(it);
        format!("{}.{}.{}", part(r#"{"alg":"ES256","kid":"k"}"#), part(payload), part(signature))
    }

    fn parse(raw: &str) -> Option<CompactJws> {
        CompactJws::parse(raw).ok()
    }

    #[test]
    fn what_was_good_is_not_verified_again() {
        let verified = VerifiedTokens::none();
        let token = token(r#"{"sub":"a"}"#, "s");
        let count = Cell::new(0);
        let verify = || {
            count.set(count.get() + 1);
            parse(&token)
        };

        for _ in 0..3 {
            let jws = verified.recall_or(&token, verify).unwrap();
            assert_eq!(jws.unverified_claims()["sub"], "a");
        }

        assert_eq!(count.get(), 1);
    }

    #[test]
    fn neither_another_text_nor_another_signature_is_taken_for_it() {
        let verified = VerifiedTokens::none();
        let good = token("{}", "s");
        assert!(verified.recall_or(&good, || parse(&good)).is_some());

        for other in [token("{ }", "s"), token("{}", "t"), token("{}", "s2"), format!("{good}x")] {
            assert!(verified.recall_or(&other, || None).is_none(), "{other}");
        }
    }

    #[test]
    fn t28_what_was_bad_is_verified_again_and_takes_no_room() {
        let verified = VerifiedTokens::none();
        let token = token("{}", "s");

        assert!(verified.recall_or(&token, || None).is_none());
        assert_eq!(verified.0.len(), 0);
        assert!(verified.recall_or(&token, || parse(&token)).is_some());
    }

    #[test]
    fn what_is_remembered_is_bounded_by_its_size() {
        let verified = VerifiedTokens::none();
        let filler = "f".repeat(2_000);
        for number in 0..20_000 {
            let token = token(&format!(r#"{{"n":{number},"filler":"{filler}"}}"#), "s");
            assert!(verified.recall_or(&token, || parse(&token)).is_some());
        }
        assert!(verified.0.weight() <= CAPACITY);
        assert!(!verified.0.is_empty() && verified.0.len() < 20_000);

        let long = token(&format!(r#"{{"filler":"{}"}}"#, "f".repeat(4_000)), "s");
        let before = verified.0.len();
        assert!(verified.recall_or(&long, || parse(&long)).is_some());
        assert_eq!(verified.0.len(), before);
    }
}

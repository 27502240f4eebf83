//! What a cache keeps of an answer: as little as there may be a hundred thousand of.

use std::time::Duration;

use domain::Timestamp;

use crate::cache_options::CacheOptions;

/// How long an answer is worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Not at all: there is no end of what is not there.
    Not,
    /// As long as the options say.
    Fresh,
    /// Until its room is needed: it will never be another.
    Always,
}

#[derive(Clone)]
pub(crate) struct Answer<V> {
    pub(crate) value: V,
    /// Before the store was asked for it.
    pub(crate) loaded_at: Timestamp,
    /// When the store was last asked, maybe in vain.
    pub(crate) checked_at: Timestamp,
    /// How often everything had been doubted by then.
    pub(crate) doubts: u32,
    pub(crate) keep: Keep,
    /// Whether it was given because the store was out.
    pub(crate) is_old: bool,
}

impl<V> Answer<V> {
    pub(crate) fn is_fresh(&self, now: Timestamp, doubts: u32, options: &CacheOptions) -> bool {
        let good_for = match self.keep {
            Keep::Always => return true,
            Keep::Not => Duration::ZERO,
            Keep::Fresh if self.is_old => options.retry_after,
            Keep::Fresh => options.fresh_for,
        };
        self.doubts == doubts && self.checked_at <= now && now.since(self.checked_at) < good_for
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// The scale benchmark counts on it.
    #[test]
    fn an_answer_takes_little_room_beside_its_value() {
        assert!(size_of::<Answer<Option<Arc<str>>>>() <= 40);
        assert!(size_of::<Answer<Option<Arc<u64>>>>() <= 32);
    }
}

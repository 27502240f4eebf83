//! Moments, as the protocol counts them.

use std::time::Duration;

/// Milliseconds since the Unix epoch.
///
/// The protocol counts whole seconds (the `NumericDate` of RFC 7519 section 2, here without its
/// fractions); documents and logs show milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `seconds` after the epoch, saturating at the end of time.
    #[must_use]
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// The moment `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_unix_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_unix_seconds(self) -> u64 {
        self.0 / 1_000
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_unix_millis(self) -> u64 {
        self.0
    }

    /// The moment `span` later, saturating at the end of time.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// The moment `span` earlier, saturating at the epoch.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This moment without its fraction of a second.
    #[must_use]
    pub const fn whole_second(self) -> Self {
        Self(self.0 - self.0 % 1_000)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saturates_instead_of_wrapping() {
        let end = Timestamp::from_unix_millis(u64::MAX);

        assert_eq!(end.after(Duration::from_secs(1)), end);
        assert_eq!(
            Timestamp::from_unix_seconds(1).before(Duration::MAX),
            Timestamp::from_unix_millis(0)
        );
        assert_eq!(Timestamp::from_unix_seconds(1).since(end), Duration::ZERO);
    }

    #[test]
    fn counts_whole_seconds_downwards() {
        let moment = Timestamp::from_unix_millis(1_999);

        assert_eq!(moment.as_unix_seconds(), 1);
        assert_eq!(moment.whole_second(), Timestamp::from_unix_seconds(1));
    }
}

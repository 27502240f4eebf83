//! How the keys take turns.

use std::time::Duration;

use crate::{KeyId, KeySet, KeyState, SigningAlgorithm, SigningKey, Timestamp};

/// How keys take turns.
#[derive(Clone, Copy, Debug)]
pub struct KeyPolicy {
    /// For how long others may cache the published keys.
    pub cache_for: Duration,
    /// How long a key is published before it signs: as long as others may cache the keys, and
    /// until every node publishes it. Zero where nobody waits.
    pub publish_before_use: Duration,
    /// How long a retired key is still published: the longest life of a token, and until every
    /// node has heard that it retired.
    pub keep_retired: Duration,
    /// How long a key signs until the next one takes its turn; `None`: until it is told to.
    pub rotate_every: Option<Duration>,
    /// How far the clocks of nodes may be apart.
    pub clock_skew: Duration,
}

/// How long an answer may be on its way.
const ARRIVAL: Duration = Duration::from_secs(1);

/// How long a node watches a key at most before it believes the clocks of others.
const LONGEST_WATCH: Duration = Duration::from_hours(1);

impl KeyPolicy {
    /// How long an answer with the published keys may be cached, if the keys were read
    /// `since_read` ago. A key that was made right after that is not in the answer, and does not
    /// sign before `publish_before_use` has passed: nor may the answer live longer.
    #[must_use]
    pub fn cacheable_for(&self, since_read: Duration) -> Duration {
        let known = self.publish_before_use.saturating_sub(ARRIVAL);
        self.cache_for.min(known.saturating_sub(since_read))
    }

    /// How old a key must be by the clock alone, which may be ahead of the clock of the node that
    /// made the key (threat T45).
    fn wait_by_the_clock(&self) -> Duration {
        if self.publish_before_use.is_zero() {
            return Duration::ZERO;
        }
        self.publish_before_use.saturating_add(self.clock_skew)
    }

    /// Whether everybody knows a key by now. What this node saw itself counts, and clocks count
    /// only where they cannot be so wrong that it matters: a node watches each key for as long as
    /// it is published before it signs, or an hour where that is longer (threat T45).
    fn is_known(&self, key: &SigningKey, seen_for: Duration, now: Timestamp) -> bool {
        let by_the_clock = now.since(key.created_at).saturating_sub(self.clock_skew);
        self.publish_before_use <= by_the_clock.max(seen_for)
            && self.publish_before_use.min(LONGEST_WATCH) <= seen_for
    }
}

/// Why the keys do not take turns now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotationRefusal {
    /// The key that would sign has not been published for long enough.
    #[error(
        "the next key was published less than {} s ago, and verifiers may not know it yet",
        wait.as_secs()
    )]
    TooEarly {
        /// How long a key must be published before it signs, by clocks that may differ.
        wait: Duration,
    },
}

/// There is no key with this `kid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no key with this kid")]
pub struct UnknownKey;

impl KeySet {
    /// The states in which `algorithm` lacks a key. One signs, and one is published to sign next.
    ///
    /// Where nothing signs at all, nobody can have cached anything, and a new key signs at once.
    /// Else an algorithm that is new begins with a key that is published only.
    #[must_use]
    pub fn missing(&self, algorithm: SigningAlgorithm, policy: &KeyPolicy) -> &'static [KeyState] {
        let signs_at_once = policy.publish_before_use.is_zero() || !self.signs();
        match (self.active(algorithm).is_some(), self.next(algorithm).is_some()) {
            (false, false) if signs_at_once => &[KeyState::Active, KeyState::Next],
            (false, true) if signs_at_once => &[KeyState::Active],
            (true | false, false) => &[KeyState::Next],
            (true | false, true) => &[],
        }
    }

    fn signs(&self) -> bool {
        self.keys.iter().any(|key| key.state == KeyState::Active)
    }

    /// Whether the next key of `algorithm` takes its turn by itself: it has been published for
    /// long enough, and the one that signs has for its time, or there is none. `seen_for` is how
    /// long this node has seen the next key, by a clock that never jumps.
    #[must_use]
    pub fn is_due(
        &self,
        algorithm: SigningAlgorithm,
        policy: &KeyPolicy,
        seen_for: Duration,
        now: Timestamp,
    ) -> bool {
        let Some(next) = self.next(algorithm) else { return false };
        // The next key is made when the one before it begins to sign: its age is that of the turn.
        let age = now.since(next.created_at).max(seen_for);
        let is_time = self.active(algorithm).is_none()
            || policy.rotate_every.is_some_and(|every| every <= age);
        is_time && policy.is_known(next, seen_for, now)
    }

    /// The keys after `algorithm` took its turn: the next key signs, the active one retires,
    /// `fresh` becomes the next, and retired keys whose last token has expired are gone.
    ///
    /// Without a next key there is nothing that could sign now: `fresh` is published only, and a
    /// second turn makes it sign.
    ///
    /// # Errors
    ///
    /// [`RotationRefusal::TooEarly`], unless `is_forced`: then a verifier that still caches the
    /// old keys refuses new tokens until it fetches again.
    pub fn rotated(
        &self,
        algorithm: SigningAlgorithm,
        fresh: SigningKey,
        policy: &KeyPolicy,
        is_forced: bool,
        now: Timestamp,
    ) -> Result<Self, RotationRefusal> {
        let wait = policy.wait_by_the_clock();
        if let Some(next) = self.next(algorithm)
            && !is_forced
            && now.since(next.created_at) < wait
        {
            return Err(RotationRefusal::TooEarly { wait });
        }
        Ok(self.turned(algorithm, fresh, policy, now))
    }

    /// As [`KeySet::rotated`], for whoever knows that it is time.
    #[must_use]
    pub fn turned(
        &self,
        algorithm: SigningAlgorithm,
        fresh: SigningKey,
        policy: &KeyPolicy,
        now: Timestamp,
    ) -> Self {
        let has_next = self.next(algorithm).is_some();
        let mut keys = self.without_expired(policy, now).keys;
        for key in keys.iter_mut().filter(|key| has_next && key.algorithm == algorithm) {
            match key.state {
                KeyState::Next => key.state = KeyState::Active,
                KeyState::Active => {
                    key.state = KeyState::Retired;
                    key.retired_at = Some(now);
                }
                KeyState::Retired => (),
            }
        }
        keys.push(SigningKey { state: KeyState::Next, ..fresh });
        Self { revision: self.revision, keys }
    }

    /// The keys without one that must not verify any more. Where it was the one that signs, the
    /// next key signs in its place; where nothing would sign at all, the next key of another
    /// algorithm does.
    ///
    /// # Errors
    ///
    /// [`UnknownKey`].
    pub fn without(&self, id: &KeyId) -> Result<Self, UnknownKey> {
        let gone = self.keys.iter().find(|key| key.id == *id).ok_or(UnknownKey)?;
        let keys = self.keys.iter().filter(|key| key.id != *id).cloned().collect();
        let mut rest = Self { revision: self.revision, keys };
        let is_next = |key: &SigningKey| key.state == KeyState::Next;
        let successor = |key: &SigningKey| is_next(key) && key.algorithm == gone.algorithm;
        if gone.state == KeyState::Active && !rest.promote(successor) && !rest.signs() {
            rest.promote(is_next);
        }
        Ok(rest)
    }

    fn promote(&mut self, which: impl Fn(&SigningKey) -> bool) -> bool {
        let found = self.keys.iter_mut().find(|key| which(key));
        found.map(|key| key.state = KeyState::Active).is_some()
    }

    /// The same keys but for retired ones whose last token has expired.
    #[must_use]
    pub fn without_expired(&self, policy: &KeyPolicy, now: Timestamp) -> Self {
        let is_needed = |key: &&SigningKey| match (key.state, key.retired_at) {
            (KeyState::Retired, Some(retired_at)) => now < retired_at.after(policy.keep_retired),
            (KeyState::Next | KeyState::Active | KeyState::Retired, _) => true,
        };
        Self {
            revision: self.revision,
            keys: self.keys.iter().filter(is_needed).cloned().collect(),
        }
    }
}

#[cfg(test)]
#[path = "key_turns_tests.rs"]
mod tests;

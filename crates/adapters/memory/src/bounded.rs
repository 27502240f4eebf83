//! A map that holds so much and no more.

use std::hash::{Hash, RandomState};

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

/// Room for so many entries is made at once, which costs nothing until they come: a table that
/// grows leaves the halves behind that it has outgrown.
const MOST_RESERVED: usize = 1 << 20;

/// A map of at most `capacity` entries.
///
/// Several shards share the capacity evenly, and ids do not quite: before the last few in a
/// thousand have come, the first give way.
pub(crate) fn bounded<K, V>(capacity: u64) -> Cache<K, V, UnitWeighter, RandomState>
where
    K: Eq + Hash,
    V: Clone,
{
    let entries = usize::try_from(capacity).unwrap_or(usize::MAX);
    // Of half as many entries as are expected it remembers that they gave way, and leaves the
    // room of an entry to each. An eighth of that tells a second visit from a first as well.
    let expected = entries / 8;
    let lifecycle = DefaultLifecycle::default();
    let cache = Cache::with(expected, capacity, UnitWeighter, RandomState::new(), lifecycle);
    cache.reserve(entries.min(MOST_RESERVED));
    cache
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_nearly_as_much_as_it_may_and_no_more() {
        for capacity in [0, 1, 100, 100_000] {
            let cache = bounded::<u64, ()>(capacity);

            for key in 0..capacity {
                cache.insert(key, ());
            }
            let held = cache.len() as u64;
            for key in 0..capacity {
                cache.insert(key + capacity, ());
            }

            assert!(capacity - capacity / 16 <= held, "{held} of {capacity}");
            assert!(cache.len() as u64 <= capacity);
        }
    }
}

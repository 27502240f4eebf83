//! A map that forgets, a little at a time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;

/// How long an entry that protects us is kept beyond its end, so that a clock that jumps back by
/// less does not undo a revocation or let a replay in (threat T45).
pub(crate) const GRACE: Duration = Duration::from_mins(15);

/// A map whose entries each have an end.
///
/// Whoever adds to it lets it forget what has ended, so that it holds no more than lives; each
/// entry is touched once when it is added and once when it is forgotten.
#[derive(Debug)]
pub(crate) struct Expiring<K, V> {
    entries: HashMap<Arc<K>, (V, Timestamp)>,
    ends: BinaryHeap<Reverse<(Timestamp, Arc<K>)>>,
}

impl<K, V> Default for Expiring<K, V>
where
    K: Ord,
{
    fn default() -> Self {
        Self { entries: HashMap::new(), ends: BinaryHeap::new() }
    }
}

impl<K: Eq + Hash + Ord, V> Expiring<K, V> {
    /// The value, and when it ends. It may have ended already.
    pub(crate) fn get(&self, key: &K) -> Option<&(V, Timestamp)> {
        self.entries.get(key)
    }

    /// Keeps `value` until `end`, in place of whatever was kept.
    pub(crate) fn insert(&mut self, key: K, value: V, end: Timestamp) {
        let key = Arc::new(key);
        let before = self.entries.insert(Arc::clone(&key), (value, end));
        if before.is_none_or(|(_, old_end)| old_end != end) {
            self.ends.push(Reverse((end, key)));
        }
    }

    /// Forgets one entry. `false` if there was none.
    pub(crate) fn remove(&mut self, key: &K) -> bool {
        // What is left of it in the heap is passed over when its turn comes.
        self.entries.remove(key).is_some()
    }

    /// Forgets what ended before `moment`.
    pub(crate) fn forget_before(&mut self, moment: Timestamp) {
        while let Some(Reverse((end, _))) = self.ends.peek()
            && *end < moment
        {
            let Some(Reverse((end, key))) = self.ends.pop() else {
                return;
            };
            // An entry that was given another end meanwhile is in the heap once more.
            if self.entries.get(&key).is_some_and(|(_, current)| *current == end) {
                self.entries.remove(&key);
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> (usize, usize) {
        (self.entries.len(), self.ends.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_unix_seconds(second)
    }

    #[test]
    fn forgets_what_has_ended_and_nothing_else() {
        let mut map = Expiring::default();
        map.insert("a", 1, at(1));
        map.insert("b", 2, at(2));

        map.forget_before(at(2));

        assert_eq!(map.get(&"a"), None);
        assert_eq!(map.get(&"b"), Some(&(2, at(2))));
    }

    #[test]
    fn an_entry_ends_when_it_was_last_told_to() {
        let mut map = Expiring::default();
        map.insert("later", 1, at(1));
        map.insert("later", 2, at(9));
        map.insert("sooner", 1, at(9));
        map.insert("sooner", 2, at(1));

        map.forget_before(at(5));

        assert_eq!(map.get(&"later"), Some(&(2, at(9))));
        assert_eq!(map.get(&"sooner"), None);
    }

    #[test]
    fn holds_no_more_than_lives() {
        let mut map = Expiring::default();
        for second in 0..10_000 {
            map.insert(second, (), at(second + 10));
            map.forget_before(at(second));
        }

        assert_eq!(map.len(), (11, 11));
    }
}

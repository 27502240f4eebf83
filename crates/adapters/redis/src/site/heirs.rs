//! Who could take over from a master, and how many acknowledgements show that all of them have a
//! write.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use redis::{Value, from_redis_value};
use tokio::time::Instant;

use crate::address::Address;
use crate::failure::Failure;

/// What a write must have reached before it counts.
#[derive(Clone, Copy)]
pub(crate) enum Demand {
    /// As many replicas.
    Number(u32),
    /// Everybody who could take over.
    Heirs,
}

/// The replicas of one master.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heirs {
    /// Those who could take over, as far as is known.
    pub(crate) able: BTreeSet<Address>,
    /// Those who could not.
    pub(crate) unable: BTreeSet<Address>,
}

impl Heirs {
    /// As many must acknowledge a write, whoever else follows the master.
    pub(crate) fn least(&self) -> u32 {
        count(self.able.len())
    }

    /// How many acknowledgements show that everybody has a write who could take over or follows
    /// the master.
    ///
    /// `WAIT` counts, and does not say whom. So whoever follows the master must be counted, able or
    /// not: its acknowledgement could stand for that of another. Whoever is able and does not
    /// follow makes the number one that cannot be reached.
    pub(crate) fn needed(&self, following: &[Address]) -> u32 {
        let is_known = |it: &Address| self.able.contains(it) || self.unable.contains(it);
        if !following.iter().any(is_known) {
            // The master calls them by other names than those who watch it: numbers are all there is.
            return count(self.able.len().max(following.len()));
        }
        let strayed = self.able.iter().filter(|it| !following.contains(it)).count();
        count(following.len() + strayed)
    }
}

fn count(replicas: usize) -> u32 {
    u32::try_from(replicas).unwrap_or(u32::MAX)
}

/// Reads from the answer to `ROLE` who follows a master: those whose acknowledgements `WAIT` counts.
pub(crate) fn following(answer: Value) -> Result<Vec<Address>, Failure> {
    let absurd = || Failure::Absurd("ROLE of a master without replicas or none");
    let fields: Vec<Value> = from_redis_value(answer).map_err(|_| absurd())?;
    let replicas = fields.into_iter().nth(2).ok_or_else(absurd)?;
    let replicas: Vec<(String, u16, Value)> = from_redis_value(replicas).map_err(|_| absurd())?;
    Ok(replicas.into_iter().map(|(host, port, _)| Address { host, port }).collect())
}

/// Names that are remembered for a while after they were heard last.
#[derive(Clone)]
pub(crate) struct Names<T> {
    kept_for: Duration,
    entries: BTreeMap<Address, Entry<T>>,
}

#[derive(Clone)]
struct Entry<T> {
    note: T,
    // Since when it is missing.
    missed_since: Option<Instant>,
}

impl<T> Names<T> {
    pub(crate) fn new(kept_for: Duration) -> Self {
        Self { kept_for, entries: BTreeMap::new() }
    }

    pub(crate) fn hear(&mut self, name: Address, note: T) {
        self.entries.insert(name, Entry { note, missed_since: None });
    }

    pub(crate) fn contains(&self, name: &Address) -> bool {
        self.entries.contains_key(name)
    }

    /// Forgets who was missing now and was so for a while: one look is not enough, however long the
    /// last one is ago.
    pub(crate) fn miss(&mut self, is_missing: impl Fn(&Address) -> bool, now: Instant) {
        let kept_for = self.kept_for;
        self.entries.retain(|name, entry| {
            if !is_missing(name) {
                return true;
            }
            now.duration_since(*entry.missed_since.get_or_insert(now)) < kept_for
        });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Address, &T)> {
        self.entries.iter().map(|(name, entry)| (name, &entry.note))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(raw: &[u16]) -> Vec<Address> {
        raw.iter().map(|port| Address { host: "r".to_owned(), port: *port }).collect()
    }

    fn needed(able: &[u16], unable: &[u16], following: &[u16]) -> u32 {
        let set = |raw| names(raw).into_iter().collect();
        Heirs { able: set(able), unable: set(unable) }.needed(&names(following))
    }

    #[test]
    fn whoever_is_able_must_follow_and_whoever_follows_must_acknowledge() {
        for (able, unable, following, expected) in [
            (&[1, 2][..], &[][..], &[1, 2][..], 2),
            (&[1, 2], &[], &[1], 2),
            (&[1, 2], &[], &[], 2),
            (&[1], &[2], &[1], 1),
            // It is held for down, and could acknowledge in place of the other.
            (&[1], &[2], &[1, 2], 2),
            (&[1], &[2], &[2], 2),
            // Nobody announced it.
            (&[1], &[], &[1, 3], 2),
            (&[], &[1], &[], 0),
            (&[], &[], &[1], 1),
        ] {
            assert_eq!(needed(able, unable, following), expected, "{able:?} {following:?}");
        }
    }

    #[test]
    fn where_names_differ_the_larger_number_counts() {
        assert_eq!(needed(&[1, 2], &[], &[11, 12]), 2);
        assert_eq!(needed(&[1], &[2], &[11, 12]), 2);
        assert_eq!(needed(&[1, 2], &[], &[11]), 2);
    }

    #[test]
    fn two_replicas_of_one_name_are_two() {
        assert_eq!(needed(&[1], &[], &[1, 1]), 2);
    }

    #[test]
    fn a_name_is_forgotten_when_it_is_missing_twice_and_long_enough() {
        let name = Address { host: "r".to_owned(), port: 1 };
        let mut names = Names::new(Duration::from_secs(2));
        names.hear(name.clone(), ());
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);

        names.miss(|_| true, after(60));
        names.miss(|_| true, after(61));
        assert_eq!(names.iter().count(), 1);
        names.hear(name, ());
        names.miss(|_| true, after(63));
        assert_eq!(names.iter().count(), 1);
        names.miss(|_| true, after(65));
        assert_eq!(names.iter().count(), 0);
    }
}

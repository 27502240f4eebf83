//! Which replicas sentinels name, and which of them they would promote.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use redis::{RedisResult, Value, from_redis_value};
use tokio::time::Instant;

use crate::address::Address;
use crate::failure::Failure;
use crate::site::heirs::{Heirs, Names};

/// How long it counts that a majority held a replica for unable. After that, nobody knows.
const TRUST: Duration = Duration::from_secs(3);

/// How long a replica counts that no sentinel names any more: one that starts, or was reset, needs
/// up to ten seconds to find them.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// A replica, as one sentinel sees it.
pub(crate) struct Replica {
    address: Address,
    is_able: bool,
}

/// What one sentinel says of the replicas of a master.
pub(crate) struct Testimony {
    pub(crate) replicas: Vec<Replica>,
    /// Whether it has asked the master, ever: before that, it knows of none.
    pub(crate) is_informed: bool,
    /// How many sentinels there are, as far as it knows.
    pub(crate) sentinels: usize,
}

/// What all of them said.
pub(crate) struct Roll {
    master: Option<Address>,
    // Whether each is able.
    replicas: Names<bool>,
    // When a majority of them was heard.
    heard_at: Option<Instant>,
    is_told: bool,
}

impl Roll {
    pub(crate) fn new() -> Self {
        let replicas = Names::new(KEPT_FOR);
        Self { master: None, replicas, heard_at: None, is_told: false }
    }

    /// Takes down what was said in one round, with `configured` sentinels asked.
    pub(crate) fn note(
        &mut self,
        master: &Address,
        said: &[Testimony],
        configured: usize,
        now: Instant,
    ) {
        self.master = Some(master.clone());
        self.is_told |= !said.is_empty();
        // Whoever is able in the eyes of one is: that one may lead the failover.
        let mut named = BTreeMap::<&Address, bool>::new();
        for replica in said.iter().flat_map(|it| &it.replicas) {
            *named.entry(&replica.address).or_default() |= replica.is_able;
        }
        let informed = said.iter().filter(|it| it.is_informed).count();
        let all = said.iter().map(|it| it.sentinels).chain([configured]).max().unwrap_or(0);
        let is_majority = all < 2 * informed;
        if is_majority {
            self.heard_at = Some(now);
            self.replicas.miss(|name| !named.contains_key(name), now);
        }
        for (name, is_able) in named {
            // The word of a few is enough to count one, but not to count it out.
            if is_majority || is_able || !self.replicas.contains(name) {
                self.replicas.hear(name.clone(), is_able || !is_majority);
            }
        }
    }

    /// Who could take over from `master`.
    pub(crate) fn heirs(&self, master: &Address, now: Instant) -> Result<Heirs, Failure> {
        if !self.is_told {
            return Err(Failure::HeirsUnknown);
        }
        if self.master.as_ref() != Some(master) {
            return Err(Failure::NoMaster(master.clone()));
        }
        let is_known = self.heard_at.is_some_and(|at| now.duration_since(at) <= TRUST);
        let mut heirs = Heirs::default();
        for (name, is_able) in self.replicas.iter().filter(|(name, _)| *name != master) {
            let side = if *is_able || !is_known { &mut heirs.able } else { &mut heirs.unable };
            side.insert(name.clone());
        }
        Ok(heirs)
    }
}

/// Reads `SENTINEL REPLICAS`.
///
/// A replica is unable if the sentinel holds it for down, or may not promote it. That its connection
/// to the replica is cut means nothing: it cuts it itself when it promotes one.
pub(crate) fn replicas(answer: Value) -> RedisResult<Vec<Replica>> {
    let all: Vec<HashMap<String, String>> = from_redis_value(answer)?;
    let read = |fields: HashMap<String, String>| {
        let is_down = fields
            .get("flags")
            .is_some_and(|flags| flags.split(',').any(|it| matches!(it, "s_down" | "o_down")));
        let is_barred = fields.get("slave-priority").is_some_and(|it| it == "0");
        let address =
            Address { host: fields.get("ip")?.clone(), port: fields.get("port")?.parse().ok()? };
        Some(Replica { address, is_able: !is_down && !is_barred })
    };
    Ok(all.into_iter().filter_map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: u16 = 1;
    const B: u16 = 2;
    const MASTER: u16 = 9;

    fn at(port: u16) -> Address {
        Address { host: "r".to_owned(), port }
    }

    fn says(replicas: &[(u16, bool)]) -> Testimony {
        let read =
            |(port, is_able): &(u16, bool)| Replica { address: at(*port), is_able: *is_able };
        Testimony { replicas: replicas.iter().map(read).collect(), is_informed: true, sentinels: 3 }
    }

    fn able(roll: &Roll, now: Instant) -> Vec<u16> {
        let heirs = roll.heirs(&at(MASTER), now).unwrap();
        heirs.able.into_iter().map(|it| it.port).collect()
    }

    struct Case {
        roll: Roll,
        now: Instant,
    }

    impl Case {
        fn begin() -> Self {
            Self { roll: Roll::new(), now: Instant::now() }
        }

        fn note(&mut self, said: &[Testimony]) -> Vec<u16> {
            self.roll.note(&at(MASTER), said, 3, self.now);
            able(&self.roll, self.now)
        }

        fn pass(&mut self, seconds: u64) {
            self.now += Duration::from_secs(seconds);
        }
    }

    #[test]
    fn a_majority_counts_out_whom_all_of_it_hold_for_down() {
        let mut case = Case::begin();
        let (up, down) = ([(A, true), (B, true)], [(A, true), (B, false)]);

        assert_eq!(case.note(&[says(&down), says(&down)]), [A]);
        assert_eq!(case.note(&[says(&down), says(&up), says(&down)]), [A, B]);
        assert_eq!(case.note(&[says(&down), says(&down), says(&down)]), [A]);
    }

    #[test]
    fn a_minority_counts_nobody_out() {
        let mut case = Case::begin();
        let down = [(A, true), (B, false)];

        assert_eq!(case.note(&[says(&down)]), [A, B]);
        let mut new = says(&down);
        new.is_informed = false;
        assert_eq!(case.note(&[says(&down), new]), [A, B]);
        // Of five, of whom we were told two.
        let of_five = || Testimony { sentinels: 5, ..says(&down) };
        assert_eq!(case.note(&[of_five(), of_five()]), [A, B]);
    }

    #[test]
    fn what_a_majority_said_is_not_believed_for_long() {
        let mut case = Case::begin();
        let down = [(A, true), (B, false)];
        assert_eq!(case.note(&[says(&down), says(&down)]), [A]);

        case.pass(3);
        assert_eq!(able(&case.roll, case.now), [A]);
        case.pass(1);
        assert_eq!(able(&case.roll, case.now), [A, B]);
    }

    #[test]
    fn a_replica_that_nobody_names_any_more_counts_for_half_a_minute() {
        let mut case = Case::begin();
        let all = || [says(&[(A, true), (B, true)]), says(&[(A, true)])];
        let fewer = || [says(&[(A, true)]), says(&[(A, true)])];
        assert_eq!(case.note(&all()), [A, B]);

        assert_eq!(case.note(&fewer()), [A, B]);
        case.pass(29);
        assert_eq!(case.note(&fewer()), [A, B]);
        case.pass(1);
        assert_eq!(case.note(&fewer()), [A]);
    }

    #[test]
    fn what_is_said_of_another_master_counts_for_that_one() {
        let mut case = Case::begin();
        assert!(matches!(case.roll.heirs(&at(MASTER), case.now), Err(Failure::HeirsUnknown)));
        case.note(&[says(&[(A, true), (B, true)]), says(&[(A, true), (B, true)])]);

        case.roll.note(&at(B), &[says(&[(A, true), (MASTER, true)])], 3, case.now);

        assert!(matches!(case.roll.heirs(&at(MASTER), case.now), Err(Failure::NoMaster(_))));
        let heirs = case.roll.heirs(&at(B), case.now).unwrap();
        assert_eq!(heirs.able, [at(A), at(MASTER)].into());
    }
}

//! What a node of a cluster says about who has what.

use std::collections::BTreeMap;

use redis::{Value, from_redis_value};

use crate::address::Address;
use crate::failure::Failure;
use crate::link::Pool;
use crate::site::slot::SLOTS;

/// What stands for a name that a node does not know.
const NAMELESS: &str = "?";

/// Stretches of slots, by the last slot of each.
pub(crate) type Stretches = BTreeMap<u16, Stretch>;

/// Who has what.
#[derive(Clone, Default)]
pub(crate) struct Chart {
    pub(crate) stretches: Stretches,
    pub(crate) pools: BTreeMap<Address, Pool>,
}

/// A row of slots with one owner.
#[derive(Clone)]
pub(crate) struct Stretch {
    pub(crate) first: u16,
    pub(crate) owner: Address,
    /// Those that the cluster has not given up.
    pub(crate) replicas: Vec<Address>,
}

impl Chart {
    /// Whether somebody has each slot.
    pub(crate) fn is_whole(&self) -> bool {
        let mut next = 0;
        for (last, stretch) in &self.stretches {
            if stretch.first != next {
                return false;
            }
            next = last.saturating_add(1);
        }
        next == SLOTS
    }

    pub(crate) fn owner(&self, slot: u16) -> Option<Pool> {
        let (_, stretch) = self.stretches.range(slot..).next()?;
        (stretch.first <= slot).then(|| self.pools.get(&stretch.owner).cloned())?
    }
}

/// Reads `CLUSTER SLOTS`: first slot, last slot, master, replicas, for each stretch. Replicas that a
/// majority of the masters holds for failed are not among them.
pub(crate) fn read(answer: Value, by: &Address) -> Result<Stretches, Failure> {
    let absurd = || Failure::Absurd("CLUSTER SLOTS without slots");
    let mut stretches = BTreeMap::new();
    for stretch in from_redis_value::<Vec<Vec<Value>>>(answer).map_err(|_| absurd())? {
        let mut fields = stretch.into_iter();
        let mut next = || fields.next().ok_or_else(absurd);
        let first: u16 = from_redis_value(next()?).map_err(|_| absurd())?;
        let last: u16 = from_redis_value(next()?).map_err(|_| absurd())?;
        let owner = node(next()?, by).ok_or_else(absurd)?;
        let replicas = fields.map(|it| node(it, by).ok_or_else(absurd));
        let replicas = replicas.collect::<Result<_, _>>()?;
        if owner.host == NAMELESS {
            continue;
        }
        stretches.insert(last, Stretch { first, owner, replicas });
    }
    if stretches.is_empty() { Err(absurd()) } else { Ok(stretches) }
}

/// Reads the address of a node: one that does not know its own name says that its port is all that
/// matters, and a name that nobody knows is [`NAMELESS`].
fn node(answer: Value, by: &Address) -> Option<Address> {
    let mut fields = from_redis_value::<Vec<Value>>(answer).ok()?.into_iter();
    let host: Option<String> = from_redis_value(fields.next()?).ok()?;
    let port: u16 = from_redis_value(fields.next()?).ok()?;
    let host = host.filter(|host| !host.is_empty()).unwrap_or_else(|| by.host.clone());
    Some(Address { host, port })
}

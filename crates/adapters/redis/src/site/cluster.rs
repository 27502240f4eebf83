//! Which master of a cluster has which keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::select_ok;
use redis::{Pipeline, RedisResult, Value, cmd};
use tokio::time::{Instant, timeout};

use crate::address::Address;
use crate::dialer::Dialer;
use crate::failure::Failure;
use crate::link::{Pool, Whereabouts};
use crate::site::chart::{Chart, Stretches, read};
use crate::site::heirs::{Heirs, Names};
use crate::site::slot::slot_of;

/// How long it counts who the replicas of a master are.
const MEMORY: Duration = Duration::from_secs(1);

/// How long the nodes may keep a caller waiting who knows where to go.
const ASIDE: Duration = Duration::from_millis(300);

/// How long a replica counts that is not named any more. A node that has just started names none
/// for a moment; a majority of the masters has given up one that is not named for long.
const KEPT_FOR: Duration = Duration::from_secs(2);

/// How long the nodes are spared the same question.
const SPARE: Duration = Duration::from_millis(200);

/// As many names as are tried to find one for each master.
const NAMES: u32 = 4_096;

/// The masters of a cluster, as far as they are known.
pub(crate) struct Cluster {
    seeds: Vec<Address>,
    dialer: Dialer,
    max_connections: usize,
    chart: Mutex<Arc<Chart>>,
    // One asks for all.
    asked_at: tokio::sync::Mutex<Option<Instant>>,
    turn: AtomicUsize,
    heirs: Mutex<BTreeMap<Address, Names<()>>>,
    heirs_asked_at: Mutex<Option<Instant>>,
}

impl Cluster {
    pub(crate) fn new(seeds: Vec<Address>, dialer: Dialer, max_connections: usize) -> Self {
        Self {
            seeds,
            dialer,
            max_connections,
            chart: Mutex::default(),
            asked_at: tokio::sync::Mutex::default(),
            turn: AtomicUsize::new(0),
            heirs: Mutex::default(),
            heirs_asked_at: Mutex::default(),
        }
    }

    /// The master that has the keys of a slot.
    pub(crate) async fn owner(&self, slot: u16) -> Result<Pool, Failure> {
        if let Some(pool) = self.chart().owner(slot) {
            return Ok(pool);
        }
        self.ask(&self.addresses()).await?;
        self.chart().owner(slot).ok_or(Failure::NoOwner(slot))
    }

    /// The master that another node named.
    pub(crate) async fn redirected(
        &self,
        slot: u16,
        to: &str,
        is_asking: bool,
    ) -> Result<Pool, Failure> {
        let seed = self.seeds.first().ok_or(Failure::NoOwner(slot))?;
        let address = Address::told(to, seed).ok_or(Failure::Absurd("a node without address"))?;
        if !is_asking {
            // It knows best: it has what was asked for.
            let _ = self.ask(std::slice::from_ref(&address)).await;
        }
        self.pool(&address)
    }

    /// One master after the other.
    pub(crate) async fn any(&self) -> Result<Pool, Failure> {
        if self.chart().pools.is_empty() {
            self.ask(&self.addresses()).await?;
        }
        let chart = self.chart();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = chart.pools.len().max(1);
        chart.pools.values().nth(turn % count).cloned().ok_or(Failure::NoOwner(0))
    }

    /// Who could take over from the master at that address.
    pub(crate) fn heirs(&self, master: &Address) -> Heirs {
        let heirs = self.heirs.lock().unwrap_or_else(PoisonError::into_inner);
        let names = heirs.get(master).into_iter().flat_map(Names::iter);
        Heirs { able: names.map(|(name, ())| name.clone()).collect(), unable: BTreeSet::new() }
    }

    /// Asks who the replicas are, if that was not asked just now.
    pub(crate) async fn keep_heirs(&self) {
        {
            let mut last = self.heirs_asked_at.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|at| at.elapsed() < MEMORY) {
                return;
            }
            // The others go on meanwhile.
            *last = Some(Instant::now());
        }
        let chart = self.chart();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let Some((address, pool)) = chart.pools.iter().nth(turn % chart.pools.len().max(1)) else {
            return;
        };
        let asked = async {
            let mut lease = pool.lease().await?;
            let mut question = Pipeline::new();
            question.cmd("CLUSTER").arg("SLOTS");
            let answer = lease.send(&question).await?.pop().unwrap_or(Value::Nil);
            read(answer.extract_error().map_err(Failure::refused)?, address)
        };
        match timeout(ASIDE, asked).await {
            // Only that: one that is cut off says of the slots what was.
            Ok(Ok(stretches)) => self.note_heirs(&stretches),
            Ok(Err(_)) | Err(_) => drop(timeout(ASIDE, self.look_again()).await),
        }
    }

    /// Counts, where a replica took over, those who may follow it from now on: its master, and the
    /// other replicas of that. The nodes need a moment to tell of them, or to give them up.
    fn note_successions(&self, stretches: &Stretches) {
        let chart = self.chart();
        let mut heirs = self.heirs.lock().unwrap_or_else(PoisonError::into_inner);
        for (last, stretch) in stretches {
            let Some((_, before)) = chart.stretches.range(last..).next() else { continue };
            let heir = &stretch.owner;
            // Otherwise the slots moved.
            let Some(names) = heirs.get(&before.owner).filter(|it| it.contains(heir)) else {
                continue;
            };
            let others = names.iter().map(|(name, ())| name).chain([&before.owner]);
            let others: Vec<_> = others.filter(|it| *it != heir).cloned().collect();
            let names = heirs.entry(heir.clone()).or_insert_with(|| Names::new(KEPT_FOR));
            for other in others {
                names.hear(other, ());
            }
        }
    }

    fn note_heirs(&self, stretches: &Stretches) {
        let mut told = BTreeMap::<&Address, BTreeSet<&Address>>::new();
        for stretch in stretches.values() {
            told.entry(&stretch.owner).or_default().extend(&stretch.replicas);
        }
        let mut heirs = self.heirs.lock().unwrap_or_else(PoisonError::into_inner);
        for (owner, replicas) in told {
            let names = heirs.entry(owner.clone()).or_insert_with(|| Names::new(KEPT_FOR));
            names.miss(|name| !replicas.contains(name), Instant::now());
            for replica in replicas {
                names.hear(replica.clone(), ());
            }
        }
    }

    /// Asks who has what, now.
    pub(crate) async fn look_again(&self) {
        // Whoever comes next meets what is wrong.
        let _ = self.ask(&self.addresses()).await;
    }

    /// A key for each master, of those that `name` makes.
    pub(crate) async fn key_for_each_master(
        &self,
        name: impl Fn(u32) -> String,
    ) -> Result<Vec<String>, Failure> {
        self.ask(&self.addresses()).await?;
        let chart = self.chart();
        if !chart.is_whole() {
            return Err(Failure::Broken);
        }
        let mut missing: BTreeSet<_> = chart.stretches.values().map(|it| &it.owner).collect();
        let mut keys = Vec::new();
        for key in (0..NAMES).map(name) {
            if missing.is_empty() {
                break;
            }
            let slot = slot_of(&key);
            let (_, stretch) =
                chart.stretches.range(slot..).next().ok_or(Failure::NoOwner(slot))?;
            if missing.remove(&stretch.owner) {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    /// The masters that are known, and the nodes that were named at first.
    pub(crate) fn addresses(&self) -> Vec<Address> {
        let chart = self.chart();
        chart
            .pools
            .keys()
            .chain(&self.seeds)
            .cloned()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    pub(crate) fn close(&self) {
        self.chart().pools.values().for_each(Pool::close);
    }

    fn chart(&self) -> Arc<Chart> {
        Arc::clone(&self.chart.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn pool(&self, address: &Address) -> Result<Pool, Failure> {
        let mut chart = self.chart.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = chart.pools.get(address) {
            return Ok(pool.clone());
        }
        let mut changed = Chart::clone(&chart);
        let pool = self.new_pool(address)?;
        changed.pools.insert(address.clone(), pool.clone());
        *chart = Arc::new(changed);
        Ok(pool)
    }

    fn new_pool(&self, address: &Address) -> Result<Pool, Failure> {
        let whereabouts = Whereabouts::Fixed(address.clone());
        let pool = Pool::new(whereabouts, self.dialer.clone(), self.max_connections);
        pool.map_err(|_| Failure::Closed)
    }

    /// Asks all of `nodes`, believes the first that answers, and keeps the pools of those who are
    /// masters still.
    async fn ask(&self, nodes: &[Address]) -> Result<(), Failure> {
        let before = Instant::now();
        let mut asked_at = self.asked_at.lock().await;
        // Somebody else asked while we waited, or just now.
        if asked_at.is_some_and(|at| before <= at || before - at < SPARE) {
            return Ok(());
        }
        let questions = nodes.iter().map(|node| self.ask_one(node).boxed());
        let answer = select_ok(questions).await;
        *asked_at = Some(Instant::now());
        let (stretches, _) = answer.map_err(|failure| Failure::NoNode(Box::new(failure)))?;
        self.redraw(stretches)
    }

    fn redraw(&self, stretches: Stretches) -> Result<(), Failure> {
        self.note_successions(&stretches);
        self.note_heirs(&stretches);
        let owners: BTreeSet<_> = stretches.values().map(|it| it.owner.clone()).collect();
        let mut chart = self.chart.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pools = BTreeMap::new();
        for owner in owners {
            let pool = match chart.pools.get(&owner) {
                Some(pool) => pool.clone(),
                None => self.new_pool(&owner)?,
            };
            pools.insert(owner, pool);
        }
        *chart = Arc::new(Chart { stretches, pools });
        Ok(())
    }

    async fn ask_one(&self, node: &Address) -> Result<Stretches, Failure> {
        let unreachable = |error| Failure::unreachable(node, error);
        let mut connection = self.dialer.dial(node).await.map_err(unreachable)?;
        let answer: RedisResult<Value> =
            cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await;
        read(answer.map_err(unreachable)?, node)
    }
}

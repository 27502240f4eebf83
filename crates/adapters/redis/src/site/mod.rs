//! The servers as one: finds who has a key, asks, and tries again where that does no harm.

mod chart;
pub(crate) mod cluster;
pub(crate) mod heirs;
mod proof;
mod roll;
pub(crate) mod sentinels;
pub(crate) mod slot;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::{Cmd, Value, cmd};
use tokio::time::{sleep, timeout};

use crate::address::Address;
use crate::dialer::Dialer;
use crate::failure::Failure;
use crate::link::Pool;
use crate::site::cluster::Cluster;
use crate::site::heirs::Demand;
use crate::site::slot::slot_of;

/// As often as one thing is tried.
const TRIES: usize = 2;

/// As often as a key is followed through a cluster: where it was, where it is, where it goes.
const HOPS: usize = 4;

/// How long to wait before the same server is asked once more.
const PAUSE: Duration = Duration::from_millis(100);

/// Something to ask of the servers.
pub(crate) struct Errand<'a> {
    /// Whose master to ask; `None` is any.
    pub(crate) key: Option<&'a str>,
    pub(crate) command: Cmd,
    /// Whether it writes, and the replicas must have it before it counts.
    pub(crate) is_written: bool,
    /// Whether doing it twice is doing it once.
    pub(crate) is_repeatable: bool,
}

/// The servers.
pub(crate) struct Site {
    pub(crate) layout: Layout,
    pub(crate) dialer: Dialer,
    pub(crate) patience: Duration,
    pub(crate) demand: Demand,
    pub(crate) is_closed: AtomicBool,
}

/// How the servers share the keys.
pub(crate) enum Layout {
    /// One master has them all.
    One(Pool),
    /// Each of several masters has some.
    Many(Box<Cluster>),
}

/// Whom to ask next.
struct Hop {
    pool: Pool,
    // Whether the key is on its way there.
    is_asking: bool,
}

impl Site {
    /// Carries an errand out, within the time that a caller may be kept waiting.
    pub(crate) async fn run(&self, errand: &Errand<'_>) -> Result<Value, Failure> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(Failure::Closed);
        }
        timeout(self.patience, self.follow(errand)).await.unwrap_or(Err(Failure::TooLong))
    }

    async fn follow(&self, errand: &Errand<'_>) -> Result<Value, Failure> {
        let slot = errand.key.map(slot_of);
        let mut redirection: Option<(String, bool)> = None;
        for turn in 1.. {
            let failure = match self.step(slot, redirection.as_ref(), errand).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let may_go_on =
                failure.is_worth_another_try() || (errand.is_repeatable && failure.is_uncertain());
            redirection = failure.redirection().map(|(to, asking)| (to.to_owned(), asking));
            let most = if redirection.is_some() { HOPS } else { TRIES };
            if !may_go_on || most <= turn {
                return Err(failure);
            }
            if redirection.is_none() {
                self.learn(&failure).await;
            }
        }
        Err(Failure::TooLong)
    }

    async fn step(
        &self,
        slot: Option<u16>,
        redirection: Option<&(String, bool)>,
        errand: &Errand<'_>,
    ) -> Result<Value, Failure> {
        if let (Layout::Many(cluster), Demand::Heirs, true) =
            (&self.layout, self.demand, errand.is_written)
        {
            cluster.keep_heirs().await;
        }
        let hop = self.hop(slot, redirection).await?;
        let mut lease = hop.pool.lease().await?;
        let outcome = self.carry_out(errand, &mut lease, hop.is_asking).await;
        if outcome.as_ref().is_err_and(Failure::is_of_no_master) {
            lease.distrust();
        }
        outcome
    }

    async fn hop(
        &self,
        slot: Option<u16>,
        redirection: Option<&(String, bool)>,
    ) -> Result<Hop, Failure> {
        match (&self.layout, slot, redirection) {
            (Layout::One(pool), _, _) => Ok(Hop { pool: pool.clone(), is_asking: false }),
            (Layout::Many(cluster), Some(slot), None) => {
                Ok(Hop { pool: cluster.owner(slot).await?, is_asking: false })
            }
            (Layout::Many(cluster), Some(slot), Some((to, is_asking))) => {
                let pool = cluster.redirected(slot, to, *is_asking).await?;
                Ok(Hop { pool, is_asking: *is_asking })
            }
            (Layout::Many(cluster), None, _) => {
                Ok(Hop { pool: cluster.any().await?, is_asking: false })
            }
        }
    }

    /// Looks at the servers anew after one has failed.
    async fn learn(&self, failure: &Failure) {
        if let Layout::Many(cluster) = &self.layout {
            cluster.look_again().await;
        }
        if !matches!(failure, Failure::Lost(_)) {
            sleep(PAUSE).await;
        }
    }

    /// Whether every master can be written to.
    pub(crate) async fn probe(&self, name: impl Fn(u32) -> String) -> Result<(), Failure> {
        match &self.layout {
            Layout::One(_) => self.write_probe(&name(0)).await,
            Layout::Many(cluster) => {
                let check = async {
                    for key in cluster.key_for_each_master(&name).await? {
                        self.write_probe(&key).await?;
                    }
                    Ok(())
                };
                timeout(self.patience, check).await.unwrap_or(Err(Failure::TooLong))
            }
        }
    }

    async fn write_probe(&self, key: &str) -> Result<(), Failure> {
        let mut command = cmd("SET");
        command.arg(key).arg("").arg("PX").arg(60_000);
        let errand = Errand { key: Some(key), command, is_written: true, is_repeatable: true };
        self.run(&errand).await.map(drop)
    }

    /// A server that hears of everything that is published: the master, or any node of a cluster.
    pub(crate) async fn hearing(&self) -> Result<Vec<Address>, Failure> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(Failure::Closed);
        }
        match &self.layout {
            Layout::One(pool) => Ok(vec![pool.locate().await?]),
            Layout::Many(cluster) => Ok(cluster.addresses()),
        }
    }

    /// Does not repeat where the master was seen last.
    pub(crate) async fn doubt(&self) {
        match &self.layout {
            Layout::One(pool) => pool.doubt().await,
            Layout::Many(cluster) => cluster.look_again().await,
        }
    }

    /// Gives all connections up.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        match &self.layout {
            Layout::One(pool) => pool.close(),
            Layout::Many(cluster) => cluster.close(),
        }
    }
}

//! A pool of connections to a master, which notices when it is no longer one.
//!
//! A connection is not asked whether it works each time that it is taken: it is asked once in a
//! while. What one connection finds out counts for all of them: connections belong to an era, and
//! one that fails ends the era.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool::managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult, Timeouts};
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisResult, Value, cmd, from_redis_value};
use tokio::time::Instant;

use crate::address::Address;
use crate::dialer::Dialer;
use crate::failure::Failure;
use crate::site::heirs::Heirs;
use crate::site::sentinels::Sentinels;

/// How long a master is trusted to be one. A demoted one is left within twice that.
pub(crate) const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Where the master is.
pub(crate) enum Whereabouts {
    /// At this address, or nowhere.
    Fixed(Address),
    /// Where the sentinels say.
    Watched(Box<Sentinels>),
}

/// A connection of a pool. One caller at a time has it.
pub(crate) struct Link {
    connection: MultiplexedConnection,
    address: Address,
    era: u64,
    checked_at: Instant,
    // While an answer is due. A caller who went away leaves it set.
    is_waiting: bool,
}

/// Makes links, and judges them.
pub(crate) struct Links {
    whereabouts: Whereabouts,
    dialer: Dialer,
    era: AtomicU64,
}

/// A link, as long as somebody has it.
pub(crate) struct Lease {
    pool: Pool,
    link: Object<Links>,
    pub(crate) address: Address,
    era: u64,
}

/// Links to one master.
#[derive(Clone)]
pub(crate) struct Pool {
    links: managed::Pool<Links>,
}

impl Pool {
    pub(crate) fn new(
        whereabouts: Whereabouts,
        dialer: Dialer,
        max_connections: usize,
    ) -> Result<Self, managed::BuildError> {
        let links = Links { whereabouts, dialer, era: AtomicU64::new(0) };
        // No timeouts of its own: each step has one, and so has the call as a whole.
        let pool = managed::Pool::builder(links)
            .max_size(max_connections)
            .timeouts(Timeouts::new())
            .build()?;
        Ok(Self { links: pool })
    }

    /// A connection, to send more than once on.
    pub(crate) async fn lease(&self) -> Result<Lease, Failure> {
        let link = self.links.get().await.map_err(|error| match error {
            PoolError::Backend(failure) => failure,
            PoolError::Timeout(_) | PoolError::NoRuntimeSpecified => Failure::TooLong,
            PoolError::Closed | PoolError::PostCreateHook(_) => Failure::Closed,
        })?;
        Ok(Lease { pool: self.clone(), address: link.address.clone(), era: link.era, link })
    }

    /// Trusts no connection of that era any more.
    fn leave(&self, era: u64) {
        let links = self.links.manager();
        links.end(era);
        self.links.retain(|link, _| links.is_current(link.era));
    }

    /// Whether a connection of somebody else's, to that address, reaches the master.
    pub(crate) async fn judge(
        &self,
        connection: &mut MultiplexedConnection,
        address: &Address,
    ) -> Result<(), Failure> {
        self.links.manager().judge(connection, address).await
    }

    /// Does not repeat where the master was seen last.
    pub(crate) async fn doubt(&self) {
        self.links.manager().doubt().await;
    }

    /// The address of the master.
    pub(crate) async fn locate(&self) -> Result<Address, Failure> {
        let links = self.links.manager();
        links.locate(links.era.load(Ordering::Acquire)).await
    }

    pub(crate) fn close(&self) {
        self.links.close();
    }
}

impl Lease {
    /// Sends commands, and returns what the server answered to each, refusals among it. After a
    /// failure the link is of no use.
    pub(crate) async fn send(&mut self, commands: &Pipeline) -> Result<Vec<Value>, Failure> {
        self.link.is_waiting = true;
        let answers = self.link.connection.send_packed_commands(commands, 0, commands.len()).await;
        // One whose answers were lost is still waiting for them, and not used again.
        self.link.is_waiting = answers.is_err();
        answers.map_err(|error| {
            self.distrust();
            Failure::Lost(error.into())
        })
    }

    /// Trusts neither this connection any more, nor those that are as old.
    pub(crate) fn distrust(&self) {
        self.pool.leave(self.era);
    }

    /// Who could take over from the master that this connection reaches, as sentinels say.
    pub(crate) fn heirs(&self) -> Result<Heirs, Failure> {
        match &self.pool.links.manager().whereabouts {
            Whereabouts::Fixed(_) => Ok(Heirs::default()),
            Whereabouts::Watched(sentinels) => sentinels.heirs(&self.address),
        }
    }
}

impl Links {
    fn is_current(&self, era: u64) -> bool {
        self.era.load(Ordering::Acquire) == era
    }

    /// Ends an era, unless another one has begun already.
    fn end(&self, era: u64) {
        let _ = self.era.compare_exchange(era, era + 1, Ordering::AcqRel, Ordering::Acquire);
    }

    async fn locate(&self, era: u64) -> Result<Address, Failure> {
        match &self.whereabouts {
            Whereabouts::Fixed(address) => Ok(address.clone()),
            Whereabouts::Watched(sentinels) => sentinels.locate(era).await,
        }
    }

    /// Whether a server holds itself for a master, and so do the sentinels: one that was replaced
    /// does not know for a while.
    async fn judge(
        &self,
        connection: &mut MultiplexedConnection,
        address: &Address,
    ) -> Result<(), Failure> {
        let is_master = is_master(connection).await.map_err(|error| Failure::Lost(error.into()))?;
        let is_named = match &self.whereabouts {
            Whereabouts::Fixed(_) => true,
            Whereabouts::Watched(sentinels) => sentinels.still_name(address).await,
        };
        if is_master && is_named { Ok(()) } else { Err(Failure::NoMaster(address.clone())) }
    }

    async fn doubt(&self) {
        match &self.whereabouts {
            Whereabouts::Fixed(_) => {}
            Whereabouts::Watched(sentinels) => sentinels.forget().await,
        }
    }
}

impl managed::Manager for Links {
    type Type = Link;
    type Error = Failure;

    async fn create(&self) -> Result<Link, Failure> {
        let era = self.era.load(Ordering::Acquire);
        let address = self.locate(era).await?;
        let made = async {
            let dialed = self.dialer.dial(&address).await;
            let unreachable = |error| Failure::unreachable(&address, error);
            let mut connection = dialed.map_err(unreachable)?;
            if !is_master(&mut connection).await.map_err(unreachable)? {
                return Err(Failure::NoMaster(address.clone()));
            }
            Ok(connection)
        };
        match made.await {
            Ok(connection) => {
                let checked_at = Instant::now();
                Ok(Link { connection, address, era, checked_at, is_waiting: false })
            }
            Err(failure) => {
                self.doubt().await;
                Err(failure)
            }
        }
    }

    async fn recycle(&self, link: &mut Link, _: &Metrics) -> RecycleResult<Failure> {
        if link.is_waiting || !self.is_current(link.era) {
            return Err(RecycleError::message("it is not trusted any more"));
        }
        if link.checked_at.elapsed() < CHECK_EVERY {
            return Ok(());
        }
        // As a caller may go away meanwhile, it is only good again when all is well.
        link.is_waiting = true;
        let outcome = self.judge(&mut link.connection, &link.address).await;
        link.is_waiting = false;
        link.checked_at = Instant::now();
        outcome.map_err(|failure| {
            self.end(link.era);
            RecycleError::Backend(failure)
        })
    }
}

/// Whether the server is a master. `HELLO` says so to every user; `ROLE` is for administrators.
async fn is_master(connection: &mut MultiplexedConnection) -> RedisResult<bool> {
    let answer: Value = cmd("HELLO").query_async(connection).await?;
    let told: HashMap<String, Value> = from_redis_value(answer)?;
    Ok(matches!(told.get("role"), Some(Value::BulkString(role)) if role == b"master"))
}

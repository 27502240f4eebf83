//! Where sentinels say that the master is.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, Pipeline, RedisError, RedisResult, Value, from_redis_value};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::address::Address;
use crate::dialer::Dialer;
use crate::failure::Failure;
use crate::site::heirs::Heirs;
use crate::site::roll::{Roll, Testimony, replicas};

/// How long what they said may be repeated.
const MEMORY: Duration = Duration::from_secs(1);

/// How long the others are waited for once one of them has answered.
const LINGER: Duration = Duration::from_millis(100);

/// How long they may keep somebody waiting who has a connection already.
const ASIDE: Duration = Duration::from_millis(300);

/// The sentinels of one master. They are asked all at once, and the one that knows of the latest
/// failover is believed: one that is cut off from the others names the master that was.
pub(crate) struct Sentinels {
    all: Vec<Sentinel>,
    master_name: String,
    dialer: Dialer,
    memory: Mutex<Memory>,
    // Not in the memory: who asks for it does not wait for those who ask the sentinels.
    roll: std::sync::Mutex<Roll>,
}

struct Sentinel {
    address: Address,
    connection: Mutex<Option<MultiplexedConnection>>,
}

#[derive(Default)]
struct Memory {
    sighting: Option<Sighting>,
    asked_at: Option<Instant>,
}

struct Sighting {
    address: Address,
    // In which era of the connections it was seen; what failed since is not looked for there.
    era: u64,
}

impl Memory {
    fn is_fresh(&self) -> bool {
        self.asked_at.is_some_and(|at| at.elapsed() < MEMORY)
    }
}

/// What one of them said.
struct Statement {
    // `None` if it knows no master of that name.
    address: Option<Address>,
    // Counts failovers.
    epoch: u64,
    // `None` if it does not say.
    testimony: Option<Testimony>,
}

impl Sentinels {
    pub(crate) fn new(hosts: Vec<Address>, master_name: &str, dialer: Dialer) -> Self {
        let sentinel = |address| Sentinel { address, connection: Mutex::default() };
        let all = hosts.into_iter().map(sentinel).collect();
        let (memory, roll) = (Mutex::default(), Roll::new().into());
        Self { all, master_name: master_name.to_owned(), dialer, memory, roll }
    }

    /// The address of the master. Many who ask at once cause one question.
    pub(crate) async fn locate(&self, era: u64) -> Result<Address, Failure> {
        let mut memory = self.memory.lock().await;
        if let Some(sighting) = &memory.sighting
            && sighting.era == era
            && memory.is_fresh()
        {
            return Ok(sighting.address.clone());
        }
        let address = self.ask_all().await?;
        let sighting = Some(Sighting { address: address.clone(), era });
        *memory = Memory { sighting, asked_at: Some(Instant::now()) };
        Ok(address)
    }

    /// Whether they name that address. While they do not answer, nothing has changed: a master
    /// that works needs no sentinels.
    pub(crate) async fn still_name(&self, address: &Address) -> bool {
        // Whoever asks just now finds out for all.
        let Ok(mut memory) = self.memory.try_lock() else { return true };
        if !memory.is_fresh() {
            memory.asked_at = Some(Instant::now());
            if let Ok(Ok(found)) = timeout(ASIDE, self.ask_all()).await
                && let Some(sighting) = &mut memory.sighting
            {
                sighting.address = found;
            }
        }
        memory.sighting.as_ref().is_none_or(|sighting| sighting.address == *address)
    }

    /// Does not repeat what was said.
    pub(crate) async fn forget(&self) {
        *self.memory.lock().await = Memory::default();
    }

    /// Who could take over from the master at that address, as the sentinels said last.
    pub(crate) fn heirs(&self, master: &Address) -> Result<Heirs, Failure> {
        let roll = self.roll.lock().unwrap_or_else(PoisonError::into_inner);
        roll.heirs(master, Instant::now())
    }

    async fn ask_all(&self) -> Result<Address, Failure> {
        let questions = self.all.iter().map(|sentinel| self.ask(sentinel));
        let mut answers: FuturesUnordered<_> = questions.collect();
        let mut best: Option<Statement> = None;
        let mut testimonies = Vec::new();
        let mut error = RedisError::from((ErrorKind::EmptySentinelList, "no sentinel was asked"));
        loop {
            let next = match best {
                Some(_) => timeout(LINGER, answers.next()).await.unwrap_or(None),
                None => answers.next().await,
            };
            match next {
                Some(Ok(mut said)) => {
                    testimonies.extend(said.testimony.take());
                    let rank = |it: &Statement| (it.address.is_some(), it.epoch);
                    if best.as_ref().is_none_or(|best| rank(best) < rank(&said)) {
                        best = Some(said);
                    }
                }
                Some(Err(failed)) => error = failed,
                None => break,
            }
        }
        let best = best.ok_or_else(|| Failure::NoSentinel(error.into()))?;
        let address = best.address.ok_or(Failure::UnknownMaster)?;
        let mut roll = self.roll.lock().unwrap_or_else(PoisonError::into_inner);
        roll.note(&address, &testimonies, self.all.len(), Instant::now());
        Ok(address)
    }

    /// Asks one of them, on the connection that is there or, should that one fail, on a new one.
    async fn ask(&self, sentinel: &Sentinel) -> RedisResult<Statement> {
        let mut kept = sentinel.connection.lock().await;
        if let Some(mut connection) = kept.take()
            && let Ok(statement) = self.question(&mut connection).await
        {
            *kept = Some(connection);
            return Ok(statement);
        }
        let mut connection = self.dialer.dial(&sentinel.address).await?;
        let statement = self.question(&mut connection).await?;
        *kept = Some(connection);
        Ok(statement)
    }

    async fn question(&self, connection: &mut MultiplexedConnection) -> RedisResult<Statement> {
        let mut questions = Pipeline::new();
        questions.cmd("SENTINEL").arg("get-master-addr-by-name").arg(&self.master_name);
        questions.cmd("SENTINEL").arg("master").arg(&self.master_name);
        questions.cmd("SENTINEL").arg("replicas").arg(&self.master_name);
        let mut answers = connection.send_packed_commands(&questions, 0, 3).await?.into_iter();
        let address = answers.next().unwrap_or(Value::Nil).extract_error()?;
        let address: Option<(String, u16)> = from_redis_value(address)?;
        let address = address.map(|(host, port)| Address { host, port });
        // It is no error if it may not be asked for more: then it is believed least.
        let mut more = || answers.next().and_then(|it| it.extract_error().ok());
        let fields = more().and_then(|it| from_redis_value::<HashMap<String, String>>(it).ok());
        let field = |name| fields.as_ref()?.get(name)?.parse::<u64>().ok();
        let testimony = more().and_then(|it| replicas(it).ok()).map(|replicas| Testimony {
            replicas,
            // How long ago it did; zero stands for never.
            is_informed: field("info-refresh").is_some_and(|millis| millis != 0),
            sentinels: field("num-other-sentinels")
                .and_then(|others| usize::try_from(others).ok())
                .map_or(usize::MAX, |others| others.saturating_add(1)),
        });
        Ok(Statement { address, epoch: field("config-epoch").unwrap_or(0), testimony })
    }
}

//! The servers that tests share, and what tests do with stores.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use adapter_redis::{RedisOptions, RedisStores, Topology};
use contract::sample::{client_id, token_id};
use domain::port::ReplayGuard as _;
use domain::{Fault, Timestamp};
use testbed::redis::{MASTER_NAME, Passwords, RedisCluster, RedisServer, SentinelGroup};
use tokio::time::Instant;

/// Who the servers of [`SENTINELS`] hold us for.
pub(crate) const DATA: (&str, &str) = ("tokenwright", "hunter2-data");

/// Who its sentinels hold us for.
pub(crate) const WATCH: (&str, &str) = ("watcher", "hunter2-watch");

/// More than any call takes: a caller gets an answer within five seconds.
pub(crate) const BOUND: Duration = Duration::from_secs(5);

/// Where a server is that nobody breaks.
pub(crate) static STANDALONE: LazyLock<String> =
    LazyLock::new(|| given().unwrap_or_else(|| kept(RedisServer::start, RedisServer::host)));

/// Where the sentinels are of a group that nobody breaks.
pub(crate) static SENTINELS: LazyLock<Vec<String>> =
    LazyLock::new(|| kept(start_group, SentinelGroup::hosts));

/// Where the nodes are of a cluster that nobody breaks.
pub(crate) static CLUSTER: LazyLock<Vec<String>> =
    LazyLock::new(|| kept(RedisCluster::start, RedisCluster::hosts));

/// A group whose servers and sentinels ask for different passwords.
pub(crate) fn start_group() -> testbed::process::Outcome<SentinelGroup> {
    SentinelGroup::start(Passwords { data: Some(DATA), sentinel: Some(WATCH) })
}

/// Starts servers on a thread that ends with this process: they end with it.
pub(crate) fn kept<S: 'static, T: Send + 'static>(
    start: impl FnOnce() -> testbed::process::Outcome<S> + Send + 'static,
    told: impl FnOnce(&S) -> T + Send + 'static,
) -> T {
    let (sender, receiver) = sync_channel(1);
    thread::spawn(move || {
        let servers = start().unwrap();
        sender.send(told(&servers)).unwrap();
        loop {
            thread::park();
        }
    });
    receiver.recv().unwrap()
}

/// Servers that a test may break. They live on a thread of their own, with which they end: that
/// of a test goes on meanwhile, and other tests may break them afterwards.
pub(crate) struct Stage<S> {
    acts: std::sync::mpsc::Sender<Act<S>>,
}

type Act<S> = Box<dyn FnOnce(&mut S) + Send>;

impl<S: 'static> Stage<S> {
    pub(crate) fn start(
        start: impl FnOnce() -> testbed::process::Outcome<S> + Send + 'static,
    ) -> Self {
        let (acts, plan) = std::sync::mpsc::channel::<Act<S>>();
        thread::spawn(move || {
            let mut servers = start().unwrap();
            for act in plan {
                act(&mut servers);
            }
        });
        Self { acts }
    }

    /// Does something to the servers, while the test may do something else.
    pub(crate) fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> impl Future<Output = T> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let act: Act<S> = Box::new(move |servers| {
            // The test may have failed meanwhile.
            drop(sender.send(act(servers)));
        });
        self.acts.send(act).unwrap();
        async { receiver.await.expect("the servers could not do that") }
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are told where Redis is")]
fn given() -> Option<String> {
    let url = std::env::var("TOKENWRIGHT_TEST_REDIS_URL").ok()?;
    Some(url.strip_prefix("redis://")?.trim_end_matches('/').to_owned())
}

/// Options with a prefix that nobody else has.
pub(crate) fn options(topology: Topology) -> RedisOptions {
    let random = RandomState::new().build_hasher().finish();
    RedisOptions { key_prefix: format!("test:{random:x}:"), ..RedisOptions::new(topology) }
}

pub(crate) fn standalone(host: &str) -> RedisOptions {
    options(Topology::Standalone { host: host.to_owned() })
}

pub(crate) fn sentinel(hosts: &[String]) -> RedisOptions {
    RedisOptions {
        username: Some(DATA.0.to_owned()),
        password: Some(DATA.1.into()),
        ..options(Topology::Sentinel {
            hosts: hosts.to_vec(),
            master_name: MASTER_NAME.to_owned(),
            username: Some(WATCH.0.to_owned()),
            password: Some(WATCH.1.into()),
        })
    }
}

pub(crate) fn cluster(hosts: &[String]) -> RedisOptions {
    options(Topology::Cluster { hosts: hosts.to_vec() })
}

pub(crate) fn node(options: &RedisOptions) -> RedisStores {
    RedisStores::new(options).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "Redis has no clock of ours")]
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_millis(u64::try_from(since.as_millis()).unwrap())
}

/// Burns an assertion of one client, which lives for ten minutes.
pub(crate) async fn burn(node: &RedisStores, id: &str) -> Result<bool, Fault> {
    let now = now();
    let until = now.after(Duration::from_mins(10));
    node.burn(&client_id("billing"), &token_id(id), until, now).await
}

/// Burns until it works, and returns how long that took.
pub(crate) async fn recovered(node: &RedisStores, limit: Duration) -> Duration {
    static TURN: AtomicU64 = AtomicU64::new(0);
    let began = Instant::now();
    loop {
        let turn = TURN.fetch_add(1, Ordering::Relaxed);
        match burn(node, &format!("recovery-{turn}")).await {
            Ok(is_first) => {
                assert!(is_first);
                break;
            }
            Err(fault) => {
                assert!(began.elapsed() < limit, "{}", fault.explained());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    began.elapsed()
}

//! The servers that all tests share: started once, by whoever needs them first.

use std::sync::LazyLock;
use std::sync::mpsc;
use std::thread;

use testbed::mongodb::MongoServer;
use testbed::process::Outcome;
use testbed::replica_set::initiate;

/// What a database may live on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deployment {
    /// A server that is alone.
    Standalone,
    /// A replica set, of one member: it keeps a log of its changes, and has a majority.
    ReplicaSet,
}

impl Deployment {
    /// Where it is reached.
    pub(crate) fn url(self) -> &'static str {
        static STANDALONE: LazyLock<String> = LazyLock::new(|| {
            given("TOKENWRIGHT_TEST_MONGODB_URL").unwrap_or_else(|| start(MongoServer::start))
        });
        static REPLICA_SET: LazyLock<String> = LazyLock::new(|| {
            let url = given("TOKENWRIGHT_TEST_MONGODB_REPLICA_SET_URL")
                .unwrap_or_else(|| start(MongoServer::start_member));
            in_a_thread({
                let url = url.clone();
                move || runtime().block_on(initiate(&[port(&url)])).unwrap()
            });
            url
        });
        match self {
            Self::Standalone => &STANDALONE,
            Self::ReplicaSet => &REPLICA_SET,
        }
    }
}

/// Does something that may take its time, where no runtime minds.
pub(crate) fn in_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    thread::spawn(work).join().unwrap()
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A server ends with the thread that starts it: this one never does.
fn start(server: fn() -> Outcome<MongoServer>) -> String {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let server = server().unwrap();
        let url = server.url();
        server.leave_running().unwrap();
        tell.send(url).unwrap();
        loop {
            thread::park();
        }
    });
    told.recv().unwrap()
}

fn port(url: &str) -> u16 {
    let hosts = url.trim_start_matches("mongodb://").split(['/', '?']).next().unwrap();
    hosts.rsplit(':').next().unwrap().parse().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "tests may be told where servers are")]
fn given(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

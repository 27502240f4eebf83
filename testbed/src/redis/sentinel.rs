//! A master and its replicas, watched by sentinels.

use super::{RedisServer, TlsFiles, tls_credentials, tls_settings, until};
use crate::process::Outcome;

/// What sentinels call the master they watch.
pub const MASTER_NAME: &str = "mymaster";

/// Names and passwords of a [`SentinelGroup`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Passwords<'a> {
    /// User and password of the master and its replicas.
    pub data: Option<(&'a str, &'a str)>,
    /// User and password of the sentinels.
    pub sentinel: Option<(&'a str, &'a str)>,
}

/// A master, two replicas, and three sentinels that watch them.
#[derive(Debug)]
pub struct SentinelGroup {
    /// The master that was, and its replicas.
    pub servers: Vec<RedisServer>,
    /// The sentinels.
    pub sentinels: Vec<RedisServer>,
}

impl SentinelGroup {
    /// Starts them all, and waits until every sentinel knows every server.
    ///
    /// # Errors
    ///
    /// If one does not start, or they do not find each other.
    pub fn start(passwords: Passwords<'_>) -> Outcome<Self> {
        Self::start_with(passwords, None)
    }

    /// The same, with or without TLS.
    ///
    /// # Errors
    ///
    /// As [`SentinelGroup::start`].
    pub fn start_with(passwords: Passwords<'_>, tls: Option<TlsFiles<'_>>) -> Outcome<Self> {
        let acl = |who: Option<(&str, &str)>| {
            who.map_or_else(String::new, |(user, password)| {
                format!("user default off\nuser {user} on >{password} ~* &* +@all\n")
            })
        };
        let cli = |who: Option<(&str, &str)>| {
            let mut words = tls_credentials(tls);
            if let Some((user, password)) = who {
                words.extend(["--user", user, "--pass", password].map(str::to_owned));
            }
            words
        };
        let master_auth = passwords.data.map_or_else(String::new, |(user, password)| {
            format!("masteruser {user}\nmasterauth {password}\n")
        });
        let mut servers: Vec<RedisServer> = Vec::new();
        for _ in 0..3 {
            let follow = servers.first().map_or_else(String::new, |master| {
                format!("replicaof 127.0.0.1 {}\n", master.port)
            });
            let mut server = RedisServer::start_with(|port| {
                let tls = tls_settings(tls, port);
                format!("{tls}{}{master_auth}{follow}", acl(passwords.data))
            })?;
            server.credentials = cli(passwords.data);
            servers.push(server);
        }
        let master = servers.first().ok_or("no master")?.port;
        let watch_auth = passwords.data.map_or_else(String::new, |(user, password)| {
            format!(
                "sentinel auth-user {MASTER_NAME} {user}\n\
                 sentinel auth-pass {MASTER_NAME} {password}\n"
            )
        });
        let sentinel_auth = passwords.sentinel.map_or_else(String::new, |(user, password)| {
            format!("sentinel sentinel-user {user}\nsentinel sentinel-pass {password}\n")
        });
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            let mut sentinel = RedisServer::start_as(true, |port| {
                tls_settings(tls, port)
                    + &format!(
                        "sentinel monitor {MASTER_NAME} 127.0.0.1 {master} 2\n\
                     sentinel down-after-milliseconds {MASTER_NAME} 1000\n\
                     sentinel failover-timeout {MASTER_NAME} 3000\n\
                     {watch_auth}{}{sentinel_auth}",
                        acl(passwords.sentinel)
                    )
            })?;
            sentinel.credentials = cli(passwords.sentinel);
            sentinels.push(sentinel);
        }
        let group = Self { servers, sentinels };
        until("the sentinels know each other and the replicas", || {
            group.sentinels.iter().all(|sentinel| {
                let known = sentinel.command(&["sentinel", "master", MASTER_NAME]);
                let fields = known.unwrap_or_default();
                let fields: Vec<&str> = fields.lines().collect();
                let value = |name: &str| {
                    let at = fields.iter().position(|it| *it == name)?;
                    fields.get(at + 1).copied()
                };
                value("num-slaves") == Some("2") && value("num-other-sentinels") == Some("2")
            })
        })?;
        Ok(group)
    }

    /// The sentinels' addresses.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::host).collect()
    }

    /// The index of the server that the first sentinel holds for the master.
    #[must_use]
    pub fn master(&self) -> Option<usize> {
        let sentinel = self.sentinels.first()?;
        let said = sentinel.command(&["sentinel", "get-master-addr-by-name", MASTER_NAME]).ok()?;
        let port: u16 = said.lines().nth(1)?.parse().ok()?;
        self.servers.iter().position(|server| server.port == port)
    }

    /// Makes a replica take over; the master lives on as a replica.
    ///
    /// # Errors
    ///
    /// If the sentinels refuse, or do not agree within a minute.
    pub fn demote_master(&self) -> Outcome {
        let before = self.master();
        let sentinel = self.sentinels.first().ok_or("no sentinel")?;
        until("the sentinel starts a failover", || {
            sentinel
                .command(&["sentinel", "failover", MASTER_NAME])
                .is_ok_and(|answer| answer.contains("OK"))
        })?;
        until("another master", || self.master() != before)
    }

    /// Kills the master, and waits until a replica took over.
    ///
    /// # Errors
    ///
    /// If none does within a minute.
    pub fn kill_master(&mut self) -> Outcome {
        let before = self.master().ok_or("no master")?;
        self.servers.get_mut(before).ok_or("no such server")?.kill();
        until("another master", || self.master().is_some_and(|master| master != before))
    }
}

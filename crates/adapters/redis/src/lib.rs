//! What is short-lived, on Redis: used assertions, revocations, news of changes.
//!
//! [`RedisStores`] implements its ports over three topologies: one server, a group of servers that
//! sentinels watch, or a cluster. It finds the master of a key by itself, leaves a demoted one, and
//! answers within [`RedisOptions::patience`] whatever the servers do. The driver's own Sentinel and
//! Cluster clients are not used: they send again what may have been carried out, and they cannot
//! say `WAIT` on the connection that a write went through.
//!
//! # What is guaranteed
//!
//! While no server fails, what was acknowledged is in the memory of the master, and of two burns of
//! one assertion exactly one is the first. What outlives a failure depends on how Redis is run:
//!
//! - **A restarted server** remembers what it kept on disk. With `appendonly yes` and
//!   `appendfsync always` that is everything, with `everysec` all but the last second, without
//!   persistence nothing: assertions that were used before the restart can be used again until they
//!   end. A master without persistence that restarts before anybody noticed empties its replicas as
//!   well; it must not be restarted automatically.
//! - **A failover** keeps what the promoted replica had. A write counts only once enough replicas
//!   have it (`WAIT`); with fewer it is [`Fault::unavailable`](domain::Fault::unavailable).
//!   [`RedisOptions::replicas_to_wait_for`] says how many are enough.
//!
//! ## Automatic: every replica that could take over
//!
//! A write counts if, at the moment when the master has counted the acknowledgements,
//!
//! 1. every replica that follows the master (`ROLE`, after `WAIT` on the same connection) has it, and
//! 2. every *heir*, a replica that could be promoted, follows the master.
//!
//! So whichever heir is promoted has it. A master that was replaced and does not know acknowledges
//! nothing: the heir that was promoted follows it no longer. Who is an heir:
//!
//! - **Behind sentinels**, which are asked once a second: every replica that one of them names, except
//!   for one that a majority of the sentinels (of those configured, or of those they know of, if they
//!   are more) has answered about and all who answered hold for down (`s_down`, `o_down`) or may not
//!   promote (priority 0). That a sentinel's connection to a replica is cut says nothing: sentinels
//!   cut them when they promote. One that no sentinel names any more is an heir for half a minute, as
//!   a sentinel that has just started knows none. Three seconds after a majority was heard last, and
//!   before the first time, every replica ever named is an heir. What they say counts for the master
//!   that they say it of.
//! - **In a cluster**: every replica of the master of that slot that is not marked `fail`, which takes
//!   a majority of the masters, and for two seconds more; one node after the other is asked, once a
//!   second. When a replica took over, its master and the other replicas of that are its heirs until
//!   they are given up, too. A master without replicas needs none: it cannot be replaced, but what it
//!   has is lost if it is. A master that was just met while it imports its first slot has no heirs but
//!   those who follow it.
//! - **One server** has none, even if there are replicas.
//!
//! What it costs: assertions are unavailable
//!
//! - from the moment that an heir is missing until the sentinels or the cluster give it up
//!   (`down-after-milliseconds`; `cluster-node-timeout` and two seconds). After a master was killed,
//!   burns go on with the dead one still dead: measured with a second for the former after 4.4 to 5.4
//!   seconds, with 1.5 seconds for the latter after 5.3 to 5.6;
//! - until a server that came back has caught up. Sentinels let one that believes to be the master go
//!   on for ten seconds: one that was demoted by `SENTINEL FAILOVER`, or restarts without `replicaof`
//!   in its configuration;
//! - while a replica is frozen or cut off so that the master still holds it for a follower: up to
//!   `repl-timeout`;
//! - with a replica missing, three seconds after a majority of the sentinels is out as well.
//!
//! What remains possible, so that an assertion is accepted twice:
//!
//! - A replica that was given up comes back and is promoted before it has caught up. What counted in
//!   its absence is then lost. Sentinels and clusters prefer the replica that has most, so it takes
//!   that the master and all other heirs fail as well, or a `replica-priority` that prefers this one.
//! - The same within the second or so in which we have not heard yet that it is back, while the
//!   master that was lives on.
//! - A sentinel that we cannot reach, and that sees a replica which all others hold for down, is
//!   elected by the others and promotes it.
//! - A replica is promoted by hand though it was given up (`REPLICAOF NO ONE`, `CLUSTER FAILOVER
//!   TAKEOVER`).
//! - Where the master calls its replicas by other names than the sentinels or the cluster do, only
//!   their numbers are compared: then one that is given up and follows can stand for one that is not
//!   given up and does not follow.
//! - All servers that have a write forget it at once; see "a restarted server".
//!
//! ## A number
//!
//! - *All* replicas of a master: as safe, but unavailable as long as one is missing.
//! - Fewer: the promoted replica can lack what others acknowledged. After a crash of the process of the
//!   master that is nothing, after a crash of its machine what was on its way. If the master that was
//!   lives on, as after `SENTINEL FAILOVER` or in a partition, it is whatever it and the replicas that
//!   still follow it took meanwhile: about a second's worth, or as long as the partition lasts. An
//!   assertion used in that time can be used once more.
//! - None: all of that is possible after every failover. `min-replicas-to-write` with
//!   `min-replicas-max-lag` bounds how long a master that is cut off goes on.
//!
//! ## Faults
//!
//! A fault says nothing about the write: it may have been carried out. Then the assertion is burned,
//! nobody was let in, and the client needs another one.
//!
//! # What Redis has to allow
//!
//! It is tested with Redis 7.0. A user needs `+set +get +del +exists +eval +time +pttl +wait +hello
//! +publish +subscribe`, keys `~prefix*` and channels `&prefix*`; behind sentinels and in a cluster
//! also `+role`, unless a number is set; in a cluster also `+cluster|slots +cluster|info +asking`; at
//! the sentinels `+sentinel|get-master-addr-by-name +sentinel|master +sentinel|replicas`.
//!
//! Sentinels and nodes of a cluster name other servers. With TLS, what they name must be in the
//! certificates: IP addresses, or host names (`sentinel announce-hostnames`,
//! `cluster-preferred-endpoint-type hostname`).

mod address;
mod dialer;
mod failure;
mod key;
mod link;
mod options;
mod ports;
mod site;
mod stores;
mod tls;

pub use options::{
    ClientCertificate, InvalidRedisOptions, RedisOptions, ReplicasToWaitFor, TlsOptions, Topology,
};
pub use stores::RedisStores;

//! Every port that Redis answers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::address::{Address, SENTINEL_PORT, SERVER_PORT};
use crate::dialer::{Dialer, Limits, Login};
use crate::key::Keys;
use crate::link::{Pool, Whereabouts};
use crate::site::cluster::Cluster;
use crate::site::heirs::Demand;
use crate::site::sentinels::Sentinels;
use crate::site::{Layout, Site};
use crate::{InvalidRedisOptions, RedisOptions, ReplicasToWaitFor, Topology, tls};

/// Used assertions, revocations and news of changes, on Redis. Cheap to clone: clones share their
/// connections.
#[derive(Clone)]
pub struct RedisStores {
    pub(crate) site: Arc<Site>,
    pub(crate) keys: Keys,
}

impl RedisStores {
    /// Prepares to connect; the servers need not be up.
    ///
    /// # Errors
    ///
    /// [`InvalidRedisOptions`].
    pub fn new(options: &RedisOptions) -> Result<Self, InvalidRedisOptions> {
        let (connect, response) = (options.connect_timeout, options.response_timeout);
        let is_zero = |span: &Duration| span.is_zero();
        if options.max_connections == 0 || [connect, response, options.patience].iter().any(is_zero)
        {
            return Err(InvalidRedisOptions::Zero);
        }
        let limits = Limits { connect, response };
        let tls = options.tls.as_ref().map(tls::certificates).transpose()?;
        let login = Login {
            username: options.username.as_deref(),
            password: options.password.as_ref(),
            database: options.database,
        };
        let dialer = Dialer::new(login, tls.as_ref(), limits)?;
        let one = |whereabouts| {
            Pool::new(whereabouts, dialer.clone(), options.max_connections)
                .map(Layout::One)
                .map_err(|_| InvalidRedisOptions::Zero)
        };
        let layout = match &options.topology {
            Topology::Standalone { host } => {
                let address = Address::parse(host, SERVER_PORT);
                one(Whereabouts::Fixed(address.ok_or(InvalidRedisOptions::Host(1))?))?
            }
            Topology::Sentinel { hosts, master_name, username, password } => {
                if master_name.is_empty() {
                    return Err(InvalidRedisOptions::NoMasterName);
                }
                let login = Login {
                    username: username.as_deref(),
                    password: password.as_ref(),
                    database: 0,
                };
                let sentinel_dialer = Dialer::new(login, tls.as_ref(), limits)?;
                let hosts = addresses(hosts, SENTINEL_PORT)?;
                let sentinels = Sentinels::new(hosts, master_name, sentinel_dialer);
                one(Whereabouts::Watched(Box::new(sentinels)))?
            }
            Topology::Cluster { hosts } => {
                if options.database != 0 {
                    return Err(InvalidRedisOptions::DatabaseOfCluster);
                }
                let seeds = addresses(hosts, SERVER_PORT)?;
                let cluster = Cluster::new(seeds, dialer.clone(), options.max_connections);
                Layout::Many(Box::new(cluster))
            }
        };
        let demand = match (options.replicas_to_wait_for, &options.topology) {
            (ReplicasToWaitFor::Number(number), _) => Demand::Number(number),
            (ReplicasToWaitFor::Automatic, Topology::Standalone { .. }) => Demand::Number(0),
            (
                ReplicasToWaitFor::Automatic,
                Topology::Sentinel { .. } | Topology::Cluster { .. },
            ) => Demand::Heirs,
        };
        let site = Site {
            layout,
            dialer,
            patience: options.patience,
            demand,
            is_closed: AtomicBool::new(false),
        };
        Ok(Self { site: Arc::new(site), keys: Keys::new(&options.key_prefix) })
    }

    /// Closes the connections that nobody uses, and opens no other: whoever asks from now on is
    /// told that Redis is unavailable.
    pub fn close(&self) {
        self.site.close();
    }
}

fn addresses(hosts: &[String], default_port: u16) -> Result<Vec<Address>, InvalidRedisOptions> {
    if hosts.is_empty() {
        return Err(InvalidRedisOptions::NoHost);
    }
    let parse = |(index, host): (usize, &String)| {
        Address::parse(host, default_port).ok_or(InvalidRedisOptions::Host(index + 1))
    };
    hosts.iter().enumerate().map(parse).collect()
}

impl fmt::Debug for RedisStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the site: it knows passwords.
        f.debug_struct("RedisStores").field("keys", &self.keys).finish_non_exhaustive()
    }
}

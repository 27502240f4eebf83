//! A cluster.

use std::process::Command;

use super::{RedisServer, TlsFiles, tls_credentials, until};
use crate::process::{Outcome, free_port, output_of};

/// Three masters with a replica each, which share the slots.
#[derive(Debug)]
pub struct RedisCluster {
    /// Its six nodes.
    pub nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts six nodes, and waits until every one of them says that the cluster is whole.
    ///
    /// # Errors
    ///
    /// If one does not start, or they do not agree.
    pub fn start() -> Outcome<Self> {
        Self::start_with(None)
    }

    /// The same, with or without TLS.
    ///
    /// # Errors
    ///
    /// As [`RedisCluster::start`].
    pub fn start_with(tls: Option<TlsFiles<'_>>) -> Outcome<Self> {
        let start = |_| {
            let mut node = RedisServer::start_with(|port| {
                // The bus is at another free port: `port + 10000` may be none.
                let bus = free_port().unwrap_or(port.wrapping_add(10_000));
                let tls = tls
                    .map_or_else(String::new, |files| files.settings(port) + "tls-cluster yes\n");
                format!(
                    "{tls}cluster-enabled yes\ncluster-config-file nodes.conf\n\
                     cluster-node-timeout 1500\ncluster-port {bus}\n"
                )
            })?;
            node.credentials = tls_credentials(tls);
            Ok(node)
        };
        let nodes: Vec<_> = (0..6).map(start).collect::<Outcome<_>>()?;
        let mut command = Command::new("redis-cli");
        command.args(["--cluster", "create"]).args(nodes.iter().map(RedisServer::host));
        command.args(["--cluster-replicas", "1", "--cluster-yes"]);
        output_of(command.args(tls_credentials(tls)))?;
        let cluster = Self { nodes };
        until("every node holds the cluster for whole", || {
            cluster.nodes.iter().all(|node| {
                node.command(&["cluster", "info"])
                    .is_ok_and(|info| info.contains("cluster_state:ok"))
                    && node
                        .command(&["cluster", "nodes"])
                        .is_ok_and(|nodes| nodes.matches("slave").count() == 3)
            })
        })?;
        Ok(cluster)
    }

    /// The nodes' addresses.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::host).collect()
    }

    /// The indices of the nodes that are masters now, by what each says of itself.
    #[must_use]
    pub fn masters(&self) -> Vec<usize> {
        let is_master = |node: &RedisServer| {
            node.command(&["role"]).is_ok_and(|role| role.starts_with("master"))
        };
        (0..self.nodes.len())
            .filter(|index| self.nodes.get(*index).is_some_and(is_master))
            .collect()
    }
}

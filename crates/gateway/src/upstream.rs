//! The servers that requests go on to: found, watched, and chosen in turn.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash as _, Hasher as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pingora_core::Result;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_load_balancing::discovery::ServiceDiscovery;
use pingora_load_balancing::health_check::{HttpHealthCheck, TcpHealthCheck};
use pingora_load_balancing::selection::RoundRobin;
use pingora_load_balancing::{Backend, Backends, LoadBalancer};
use tokio::sync::watch;

use crate::settings::{HealthCheck, HostPort, Upstream};

/// How often names are looked up again.
const LOOK_UP_EVERY: Duration = Duration::from_secs(10);

/// A group of servers in use. It is watched until it is dropped.
pub(crate) struct Servers {
    settings: Upstream,
    balancer: Arc<LoadBalancer<RoundRobin>>,
    template: HttpPeer,
    unshared: AtomicU64,
    end: watch::Sender<bool>,
}

impl Servers {
    /// Finds the servers for the first time.
    pub(crate) async fn find(settings: Upstream) -> Self {
        let names = Names { addresses: settings.addresses.clone(), last: Mutex::default() };
        let mut balancer = LoadBalancer::from_backends(Backends::new(Box::new(names)));
        balancer.update_frequency = Some(LOOK_UP_EVERY);
        balancer.parallel_health_check = true;
        let template = template(&settings);
        if let Some(health) = &settings.health {
            balancer.health_check_frequency = Some(health.interval);
            match &health.path {
                Some(path) => {
                    balancer
                        .set_health_check(Box::new(http_check(&settings, health, path, &template)));
                }
                None => balancer.set_health_check(Box::new(tcp_check(health))),
            }
        }
        // Whoever is not found now may be found later.
        drop(balancer.update().await);
        Self {
            settings,
            balancer: Arc::new(balancer),
            template,
            unshared: AtomicU64::default(),
            end: watch::Sender::new(false),
        }
    }

    /// What looks for the servers and asks how they are, until `self` is dropped.
    pub(crate) fn watching(&self) -> impl Future<Output = ()> + Send + use<> {
        let (balancer, end) = (Arc::clone(&self.balancer), self.end.subscribe());
        async move { balancer.run(end, None).await }
    }

    /// What was configured.
    pub(crate) fn settings(&self) -> &Upstream {
        &self.settings
    }

    /// The next server that is well and was not tried; or else the next one that is well.
    pub(crate) fn choose(&self, tried: &[SocketAddr]) -> Option<SocketAddr> {
        const MOST: usize = 1_024;
        let address = |backend: &Backend| backend.addr.as_inet().copied();
        let is_new = |backend: &Backend| address(backend).is_some_and(|it| !tried.contains(&it));
        let fresh = self.balancer.select_with(b"", MOST, |it, is_well| is_well && is_new(it));
        let chosen = fresh.or_else(|| self.balancer.select(b"", MOST));
        chosen.as_ref().and_then(address)
    }

    /// How `server` is spoken to. `left` is what is left of the time of the request.
    pub(crate) fn peer(&self, server: SocketAddr, left: Option<Duration>) -> HttpPeer {
        let mut peer = self.template.clone();
        peer._address = pingora_core::protocols::l4::socket::SocketAddr::Inet(server);
        if self.settings.keep_alive.is_none() {
            // Connections are shared within a group: this one is alone in its own.
            peer.group_key = self.unshared.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(left) = left {
            let shorter = |limit: Option<Duration>| limit.map(|it| it.min(left));
            let options = &mut peer.options;
            options.connection_timeout = shorter(options.connection_timeout);
            options.total_connection_timeout = shorter(options.total_connection_timeout);
            options.read_timeout = shorter(options.read_timeout);
            options.write_timeout = shorter(options.write_timeout);
        }
        peer
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.end.send_replace(true);
    }
}

/// Everything about a server but its address.
fn template(settings: &Upstream) -> HttpPeer {
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let sni = settings.tls.as_ref().map(|tls| tls.server_name.clone()).unwrap_or_default();
    let mut peer = HttpPeer::new(nowhere, settings.tls.is_some(), sni);
    peer.options.alpn = settings.versions.alpn();
    peer.options.connection_timeout = Some(settings.connect_timeout);
    peer.options.total_connection_timeout = Some(settings.connect_timeout);
    peer.options.read_timeout = Some(settings.read_timeout);
    peer.options.write_timeout = Some(settings.write_timeout);
    peer.options.idle_timeout = Some(settings.keep_alive.unwrap_or(Duration::ZERO));
    // HTTP/2 is there to share a connection.
    peer.options.max_h2_streams = 100;
    let mut group = DefaultHasher::new();
    settings.name.hash(&mut group);
    if let Some(tls) = &settings.tls {
        peer.options.verify_cert = tls.is_verified;
        peer.options.verify_hostname = tls.is_verified;
        peer.options.ca.clone_from(&tls.authorities);
        peer.client_cert_key.clone_from(&tls.identity);
        // Connections are shared by address and name: not with those that trust somebody else.
        for authority in tls.authorities.iter().flat_map(|it| it.iter()) {
            authority.to_der().unwrap_or_default().hash(&mut group);
        }
    }
    peer.group_key = group.finish();
    peer
}

fn tcp_check(health: &HealthCheck) -> TcpHealthCheck {
    let mut check = *TcpHealthCheck::new();
    check.consecutive_success = health.healthy_after;
    check.consecutive_failure = health.unhealthy_after;
    check.peer_template.options.connection_timeout = Some(health.timeout);
    check
}

fn http_check(
    settings: &Upstream,
    health: &HealthCheck,
    path: &str,
    template: &HttpPeer,
) -> HttpHealthCheck {
    let first = settings.addresses.first().map(|it| it.host.as_str());
    let named = settings.host.as_ref().and_then(|it| it.to_str().ok());
    let host = named.or(first).unwrap_or("localhost");
    let mut check = HttpHealthCheck::new(host, settings.tls.is_some());
    check.consecutive_success = health.healthy_after;
    check.consecutive_failure = health.unhealthy_after;
    check.peer_template = template.clone();
    check.peer_template.options.connection_timeout = Some(health.timeout);
    check.peer_template.options.total_connection_timeout = Some(health.timeout);
    check.peer_template.options.read_timeout = Some(health.timeout);
    check.peer_template.options.write_timeout = Some(health.timeout);
    if let Ok(uri) = path.parse() {
        check.req.set_uri(uri);
    }
    check
}

/// Looks names up, and remembers them for as long as nobody can be asked.
struct Names {
    addresses: Vec<HostPort>,
    last: Mutex<HashMap<usize, Vec<SocketAddr>>>,
}

#[async_trait]
impl ServiceDiscovery for Names {
    async fn discover(&self) -> Result<(BTreeSet<Backend>, HashMap<u64, bool>)> {
        let mut backends = BTreeSet::new();
        for (index, HostPort { host, port }) in self.addresses.iter().enumerate() {
            let found = match host.parse::<IpAddr>() {
                Ok(address) => vec![SocketAddr::new(address, *port)],
                Err(_) => self.look_up(index, host, *port).await,
            };
            for address in found {
                backends.extend(Backend::new(&address.to_string()).ok());
            }
        }
        Ok((backends, HashMap::new()))
    }
}

impl Names {
    async fn look_up(&self, index: usize, host: &str, port: u16) -> Vec<SocketAddr> {
        let found = tokio::net::lookup_host((host, port)).await.map(Iterator::collect::<Vec<_>>);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(found) if !found.is_empty() => {
                last.insert(index, found.clone());
                found
            }
            Ok(_) | Err(_) => {
                tracing::warn!(host, "the name of a server cannot be looked up");
                last.get(&index).cloned().unwrap_or_default()
            }
        }
    }
}

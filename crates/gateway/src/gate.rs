//! The configuration in use: one snapshot, taken whole by each request.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use app::gateway::PolicyChain;
use domain::gateway::HeaderName;
use ipnet::IpNet;

use crate::forwarded;
use crate::routing::{self, Found};
use crate::settings::{Route, Settings};
use crate::target::Target;
use crate::upstream::Servers;
use crate::wiring::Policies;

/// A snapshot of the configuration, with what it makes run.
pub(crate) struct Gate {
    routes: Vec<Arc<LiveRoute>>,
    trusted: Vec<IpNet>,
    /// The headers in which any policy says who a caller is, whichever routes it guards.
    identity: Vec<HeaderName>,
}

/// A route, with what it leads through and to.
pub(crate) struct LiveRoute {
    /// As it is configured.
    pub(crate) settings: Route,
    /// What a request must bring.
    pub(crate) chain: PolicyChain,
    /// Where it goes on to; `None` if it is only decided about.
    pub(crate) servers: Option<Arc<Servers>>,
}

impl Gate {
    /// Finds all servers, and connects routes with policies and servers.
    ///
    /// What the second value holds must run until the gate is dropped; it ends by itself then.
    pub(crate) async fn open(
        settings: &Settings,
        policies: &Policies,
    ) -> (Self, Vec<impl Future<Output = ()> + Send + use<>>) {
        let mut servers = BTreeMap::new();
        let mut watching = Vec::new();
        for (name, upstream) in &settings.upstreams {
            let found = Servers::find(upstream.clone()).await;
            watching.push(found.watching());
            servers.insert(name.as_str(), Arc::new(found));
        }
        let routes = settings.routes.iter().map(|route| {
            let chain = policies.chain(&route.policies);
            if !route.policies.is_empty() && !chain.authenticates() {
                let why = "it gets a token for whoever asks: nothing finds out who calls";
                tracing::warn!(route = route.name, why, "unwise");
            }
            Arc::new(LiveRoute {
                chain,
                servers: route.upstream.as_deref().and_then(|it| servers.get(it)).cloned(),
                settings: route.clone(),
            })
        });
        let gate = Self {
            routes: routes.collect(),
            trusted: settings.trusted_proxies.clone(),
            identity: policies.identity_headers(),
        };
        (gate, watching)
    }

    /// The headers in which any policy says who a caller is: none of them comes from a caller, on
    /// any route (threat T46).
    pub(crate) fn identity(&self) -> &[HeaderName] {
        &self.identity
    }

    /// The route of a request.
    pub(crate) fn find(
        &self,
        host: &str,
        target: &Target,
        method: &http::Method,
    ) -> Found<'_, Arc<LiveRoute>> {
        routing::find(&self.routes, |it| &it.settings, host, target, method)
    }

    /// Whether `peer` is a listed proxy.
    pub(crate) fn is_listed(&self, peer: IpAddr) -> bool {
        forwarded::is_listed(&self.trusted, peer)
    }

    /// The listed proxies.
    pub(crate) fn trusted(&self) -> &[IpNet] {
        &self.trusted
    }
}

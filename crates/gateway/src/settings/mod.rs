//! The configuration: one file, read whole, or every mistake in it.

mod certificates;
mod document;
mod listeners;
mod routes;
mod section;
mod upstreams;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde_json::Value;
use url::Url;

pub(crate) use certificates::Identity;
pub(crate) use listeners::{Listener, Serves};
pub(crate) use routes::{HostPattern, Route};
pub(crate) use section::Mistake;
pub(crate) use upstreams::{HealthCheck, HostPort, Upstream};

use crate::wiring::{self, Secrets};
use section::{Mistakes, Section};

/// The key that says where secrets are mounted.
const SECRETS: &str = "secretsDirectory";

/// What the file says.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where the gateway listens; never empty.
    pub(crate) listeners: Vec<Listener>,
    /// Who may say on whose behalf a request is: proxies in front of us, and proxies that ask for
    /// decisions.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Which requests go where.
    pub(crate) routes: Vec<Route>,
    /// Where they go to, by name.
    pub(crate) upstreams: BTreeMap<String, Upstream>,
    /// What they must bring, by name; as it is written.
    pub(crate) policies: BTreeMap<String, Value>,
    /// How the gateway stops.
    pub(crate) shutdown: Shutdown,
}

/// How the gateway stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shutdown {
    /// How long it goes on listening after it has said that it is not ready any more.
    pub(crate) delay: Duration,
    /// How long requests that are under way may take.
    pub(crate) deadline: Duration,
}

impl Settings {
    /// Reads a file, and the secrets that it refers to: from the folder that it names, else from the
    /// API of the cluster that we run in.
    ///
    /// # Errors
    ///
    /// Every mistake in it.
    pub(crate) async fn load(path: &Path, cluster: Option<&Url>) -> Result<Self, Vec<Mistake>> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            vec![Mistake { path: String::new(), why: format!("cannot be read: {error}") }]
        })?;
        let document = document::parse(path, &text)
            .map_err(|why| vec![Mistake { path: String::new(), why }])?;
        let members = document.as_object().into_iter().flatten();
        let mut folders = members.filter(|(key, _)| key.eq_ignore_ascii_case(SECRETS));
        let folder = folders.find_map(|(_, value)| value.as_str()).map(PathBuf::from);
        let secrets = match (folder, cluster) {
            (Some(folder), _) => Secrets::Folder(folder),
            (None, Some(api)) => Secrets::Cluster(api.clone()),
            (None, None) => Secrets::Nowhere,
        };
        Self::of(&wiring::resolved(document, &secrets).await?)
    }

    /// Reads what a file says.
    ///
    /// # Errors
    ///
    /// Every mistake in it.
    fn of(document: &Value) -> Result<Self, Vec<Mistake>> {
        let mistakes = Mistakes::default();
        let settings = Section::of(document, String::new(), &mistakes).map(Self::read);
        let mistakes = mistakes.into_sorted();
        match settings {
            Some(settings) if mistakes.is_empty() => Ok(settings),
            Some(_) | None => Err(mistakes),
        }
    }

    fn read(root: Section<'_>) -> Self {
        let listeners = root.sections("listeners").into_iter().filter_map(Listener::read);
        let routes = root.sections("routes").into_iter().filter_map(Route::read);
        let mut upstreams = BTreeMap::new();
        for (name, path, value) in root.named("upstreams") {
            let section = Section::of(value, path, root.mistakes());
            let upstream = section.and_then(|it| Upstream::read(name, it));
            upstreams.extend(upstream.map(|it| (name.to_owned(), it)));
        }
        let policies = root.named("policies").into_iter();
        let policies = policies.map(|(name, _, value)| (name.to_owned(), value.clone())).collect();
        // It was read before all others.
        root.text(SECRETS);
        let settings = Self {
            listeners: listeners.collect(),
            trusted_proxies: networks(&root),
            routes: routes.collect(),
            upstreams,
            policies,
            shutdown: shutdown(root.section("shutdown")),
        };
        settings.cross_check(&root);
        root.finish();
        settings
    }

    /// What no part can see by itself.
    fn cross_check(&self, root: &Section<'_>) {
        if root.value("listeners").is_none_or(|it| it.as_array().is_some_and(Vec::is_empty)) {
            root.refuse("listeners", "is missing: say where to listen");
        }
        let mut names = BTreeSet::new();
        let mut addresses = BTreeSet::new();
        for (index, listener) in self.listeners.iter().enumerate() {
            let port = listener.address.port();
            let is_new = port == 0 || addresses.insert(listener.address);
            if !is_new {
                root.refuse(&format!("listeners[{index}].address"), "is taken by another listener");
            }
            if port != 0 && !names.insert(listener.name.as_str()) {
                root.refuse(&format!("listeners[{index}].name"), "is taken by another listener");
            }
        }
        if self.listeners.iter().any(|it| it.serves == Serves::ForwardAuth)
            && self.trusted_proxies.is_empty()
        {
            let why = "is missing: say which proxies may ask the listener of forward-auth";
            root.refuse("trustedProxies", why);
        }
        // Places count items as they are written, and an item with mistakes is not in the list.
        if self.routes.len() == root.sections("routes").len() {
            self.cross_check_routes(root);
        }
    }

    fn cross_check_routes(&self, root: &Section<'_>) {
        for (index, route) in self.routes.iter().enumerate() {
            let place = |key: &str| format!("routes[{index}].{key}");
            let upstream = route.upstream.as_ref();
            if upstream.is_some_and(|it| root_lacks(root, "upstreams", it)) {
                root.refuse(&place("upstream"), "names no member of `upstreams`");
            }
            for (item, policy) in route.policies.iter().enumerate() {
                if root_lacks(root, "policies", policy) {
                    let place = format!("routes[{index}].policies[{item}]");
                    root.refuse(&place, "names no member of `policies`");
                }
            }
            for other in self.routes.iter().take(index) {
                if other.name == route.name {
                    root.refuse(&place("name"), "is taken by another route");
                }
                if other.is_as_specific_as(route) {
                    let name = &other.name;
                    let why = format!(
                        "is ambiguous: some requests fit it as well as the route {name}; make one \
                         of them more specific by its hosts, path or methods"
                    );
                    root.refuse(&format!("routes[{index}]"), why);
                }
            }
        }
    }
}

fn root_lacks(root: &Section<'_>, key: &'static str, name: &str) -> bool {
    !root.value(key).and_then(Value::as_object).is_some_and(|it| it.contains_key(name))
}

fn networks(root: &Section<'_>) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for (path, text) in root.texts("trustedProxies") {
        let single = text.parse::<std::net::IpAddr>().map(IpNet::from);
        match text.parse::<IpNet>().or(single) {
            Ok(network) => networks.push(network),
            Err(_) => {
                root.mistakes().note(path, "must be an address or a network, like 10.0.0.0/8");
            }
        }
    }
    networks
}

fn shutdown(section: Option<Section<'_>>) -> Shutdown {
    let mut shutdown =
        Shutdown { delay: Duration::from_secs(2), deadline: Duration::from_secs(30) };
    if let Some(section) = section {
        shutdown.delay = section.seconds("delaySeconds", shutdown.delay);
        shutdown.deadline = section.seconds("deadlineSeconds", shutdown.deadline);
        section.finish();
    }
    shutdown
}

#[cfg(test)]
mod tests;

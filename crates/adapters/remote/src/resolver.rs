//! Names, resolved to addresses that may be asked.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::task::spawn_blocking;

use crate::guard::Guard;
use crate::mishap::Mishap;
use crate::places::{Owner, Places};

/// The most names that are looked up at a time, few of one host and of one domain: a name server can
/// be as slow as it likes. The operating system may take a minute to give a name up, and its thread
/// cannot be called back: so the place is the thread's, not the caller's.
const MAX_LOOKUPS: usize = 32;
/// The most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;

type Lookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// The resolver of a client: what it lets through is what is connected to. So an answer cannot be
/// judged and another one used (DNS rebinding, threat T27).
#[derive(Clone)]
pub(crate) struct GuardedResolver {
    guard: Arc<Guard>,
    lookup: Arc<Lookup>,
    places: Places,
}

impl GuardedResolver {
    /// The names of the operating system, as far as `guard` lets them.
    pub(crate) fn new(guard: Guard) -> Self {
        Self::with(guard, |name: &str| Ok((name, 0).to_socket_addrs()?.map(|it| it.ip()).collect()))
    }

    fn with(
        guard: Guard,
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        let (guard, lookup) = (Arc::new(guard), Arc::new(lookup));
        Self { guard, lookup, places: Places::new(MAX_LOOKUPS) }
    }

    async fn addresses(self, name: Name) -> Result<Vec<SocketAddr>, Mishap> {
        let owner = Owner::of_name(name.as_str());
        let place = self.places.take(&owner).await.map_err(|it| Mishap::Name(it.into()))?;
        let lookup = self.lookup;
        let looked_up = spawn_blocking(move || {
            let _place = place;
            lookup(name.as_str())
        });
        let looked_up = looked_up.await.map_err(|it| Mishap::Name(it.into()))?;
        let found = looked_up.map_err(|it| Mishap::Name(it.into()))?;
        let let_in = found.into_iter().filter(|it| self.guard.lets(*it)).take(MAX_ADDRESSES);
        // The client puts the port of the URL in.
        let addresses: Vec<_> = let_in.map(|it| SocketAddr::new(it, 0)).collect();
        if addresses.is_empty() { Err(Mishap::ForbiddenName) } else { Ok(addresses) }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.addresses(name).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::Networks;
    use crate::places::MAX_OF_DOMAIN;

    fn resolver(
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> GuardedResolver {
        GuardedResolver::with(Guard::of_https(&Networks::default()), lookup)
    }

    async fn resolved(resolver: &GuardedResolver) -> Result<Vec<String>, String> {
        resolved_name(resolver, "keys.example").await
    }

    async fn resolved_name(resolver: &GuardedResolver, name: &str) -> Result<Vec<String>, String> {
        let outcome = resolver.resolve(name.parse().unwrap()).await;
        let addresses = outcome.map_err(|error| error.to_string())?;
        Ok(addresses.map(|it| it.ip().to_string()).collect())
    }

    fn parsed(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|it| it.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn t27_only_what_may_be_asked_is_connected_to() {
        let mixed = resolver(|_| Ok(parsed(&["127.0.0.1", "8.8.8.8", "fd00::1", "2606:4700::1"])));
        assert_eq!(resolved(&mixed).await.unwrap(), ["8.8.8.8", "2606:4700::1"]);

        for inside in [&["127.0.0.1"][..], &["169.254.169.254", "::1"], &["::ffff:10.0.0.1"], &[]] {
            let inside = parsed(inside);
            let refused = resolver(move |_| Ok(inside.clone()));
            assert!(resolved(&refused).await.unwrap_err().contains("may be asked"));
        }
    }

    /// A name that is public when it is judged and private a moment later: each answer is judged, and
    /// there is no second one between the judgement and the connection.
    #[tokio::test]
    async fn t27_a_name_that_changes_its_mind_is_judged_each_time() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let rebinding = resolver(move |_| {
            let first = count.fetch_add(1, Ordering::SeqCst) == 0;
            Ok(parsed(&[if first { "8.8.8.8" } else { "127.0.0.1" }]))
        });

        assert_eq!(resolved(&rebinding).await.unwrap(), ["8.8.8.8"]);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        resolved(&rebinding).await.unwrap_err();
    }

    #[tokio::test]
    async fn a_name_with_very_many_addresses_is_not_tried_for_ever() {
        let many = resolver(|_| Ok((0..=255).map(|it| IpAddr::from([8, 8, 8, it])).collect()));
        assert_eq!(resolved(&many).await.unwrap().len(), MAX_ADDRESSES);
    }

    /// Whoever asked went away at the deadline; the thread goes on, and so its place is taken.
    #[tokio::test]
    async fn t06_a_slow_name_server_holds_up_its_own_names_alone() {
        let (end, is_over) = std::sync::mpsc::channel::<()>();
        let (is_over, asked) = (Mutex::new(is_over), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        let resolver = resolver(move |name| {
            if name.ends_with("slow.example") {
                count.fetch_add(1, Ordering::SeqCst);
                // Until the test is over.
                let _ = is_over.lock().unwrap().recv();
            }
            Ok(parsed(&["8.8.8.8"]))
        });
        for host in 0..2 * MAX_LOOKUPS {
            let name = format!("h{host}.slow.example");
            let late = timeout(Duration::from_millis(5), resolved_name(&resolver, &name)).await;
            assert!(late.is_err(), "{name}");
        }

        let quick = timeout(Duration::from_secs(10), resolved(&resolver)).await;

        assert_eq!(quick.expect("it has a place").unwrap(), ["8.8.8.8"]);
        assert!(asked.load(Ordering::SeqCst) <= MAX_OF_DOMAIN);
        drop(end);
    }

    #[tokio::test]
    async fn a_name_that_leads_nowhere_is_an_error() {
        let nowhere = resolver(|_| Err(io::Error::other("no such name")));
        assert!(resolved(&nowhere).await.unwrap_err().contains("cannot be looked up"));
    }
}

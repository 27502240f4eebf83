//! Places for work that others can make slow: so many in all, and few of them for one host.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use url::Host;

/// The most places of one host: one that is slow holds up itself.
pub(crate) const MAX_OF_HOST: usize = 2;
/// The most places of all hosts below one name of two labels: whoever has a domain has as many hosts
/// as he likes.
pub(crate) const MAX_OF_DOMAIN: usize = 8;
/// So many hosts are noted before those are looked for that nobody waits for any more.
const SWEPT_FROM: usize = 1_024;

/// Whose places they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// A host, by its name or its address. One customer of a provider has a whole /64 of addresses.
    Host(String),
    /// All hosts below `example.org`.
    Domain(String),
}

impl Owner {
    /// A host, and the domain that it is in, if any.
    pub(crate) fn of(host: &Host<&str>) -> (Self, Option<Self>) {
        match host {
            Host::Domain(name) => Self::of_name(name),
            Host::Ipv4(it) => (Self::Host(it.to_string()), None),
            Host::Ipv6(it) => (Self::Host(network(*it).to_string()), None),
        }
    }

    /// As [`Owner::of`], of a name.
    pub(crate) fn of_name(name: &str) -> (Self, Option<Self>) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let domain = match name.rsplitn(3, '.').collect::<Vec<_>>().as_slice() {
            [top, second, ..] => Some(Self::Domain(format!("{second}.{top}"))),
            _ => None,
        };
        (Self::Host(name), domain)
    }
}

fn network(address: Ipv6Addr) -> IpAddr {
    let [a, b, c, d, ..] = address.segments();
    address
        .to_ipv4_mapped()
        .map_or_else(|| Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into(), IpAddr::from)
}

/// The places. Whoever waits for one of its host's takes none of all.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    of_owners: Arc<Mutex<HashMap<Owner, Weak<Semaphore>>>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permits: Vec<OwnedSemaphorePermit>,
}

impl Places {
    /// So many places in all.
    pub(crate) fn new(all: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), of_owners: Arc::default() }
    }

    /// A place for a host, as soon as there is one.
    pub(crate) async fn take(&self, owner: &(Owner, Option<Owner>)) -> Result<Place, AcquireError> {
        let (host, domain) = owner;
        let mut permits = vec![self.shared_by(host, MAX_OF_HOST).acquire_owned().await?];
        if let Some(domain) = domain {
            permits.push(self.shared_by(domain, MAX_OF_DOMAIN).acquire_owned().await?);
        }
        permits.push(Arc::clone(&self.all).acquire_owned().await?);
        Ok(Place { _permits: permits })
    }

    /// Lives for as long as somebody has a place of it or waits for one.
    fn shared_by(&self, owner: &Owner, most: usize) -> Arc<Semaphore> {
        let mut known = self.of_owners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = known.get(owner).and_then(Weak::upgrade) {
            return shared;
        }
        if SWEPT_FROM <= known.len() {
            known.retain(|_, it| 0 < it.strong_count());
        }
        let new = Arc::new(Semaphore::new(most));
        known.insert(owner.clone(), Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn place(places: &Places, name: &str) -> Option<Place> {
        let taken = timeout(Duration::from_millis(20), places.take(&Owner::of_name(name))).await;
        taken.ok().map(Result::unwrap)
    }

    #[tokio::test]
    async fn t06_a_host_has_two_places_and_its_domain_eight() {
        let places = Places::new(32);
        let mut held = Vec::new();
        for host in 0..8 {
            for _ in 0..4 {
                held.extend(place(&places, &format!("h{host}.Evil.example.")).await);
            }
            assert_eq!(held.len(), (2 * (host + 1)).min(MAX_OF_DOMAIN));
        }

        assert!(place(&places, "evil.example").await.is_none());
        let other = place(&places, "keys.good.example").await;
        assert!(other.is_some());
        held.pop();
        assert!(place(&places, "h7.evil.example").await.is_some());
    }

    #[tokio::test]
    async fn t06_who_waits_for_a_place_of_its_host_takes_none_of_all() {
        let places = Places::new(3);
        let _held = [place(&places, "slow.example").await, place(&places, "slow.example").await];
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..3 {
            let places = places.clone();
            waiting.spawn(async move { places.take(&Owner::of_name("slow.example")).await });
        }

        // While it waits, or takes its place, the others are polled as well.
        assert!(place(&places, "slow.example").await.is_none());
        let other = place(&places, "quick.example").await;

        assert!(other.is_some());
    }

    /// Whatever is named, no more is kept than is waited for.
    #[tokio::test]
    async fn t06_hosts_that_nobody_waits_for_are_forgotten() {
        let places = Places::new(32);
        for host in 0..10_000 {
            places.take(&(Owner::Host(host.to_string()), None)).await.unwrap();
        }
        assert!(places.of_owners.lock().unwrap().len() <= SWEPT_FROM);
    }

    #[test]
    fn a_host_is_known_by_whatever_form_it_is_written_in() {
        let of = |it: &str| Owner::of(&url::Url::parse(it).unwrap().host().unwrap());
        let host = |it: &str| Owner::Host(it.to_owned());
        let domain = |it: &str| Some(Owner::Domain(it.to_owned()));

        assert_eq!(of("https://A.b.Example.:8443/x"), (host("a.b.example"), domain("b.example")));
        assert_eq!(of("https://localhost/"), (host("localhost"), None));
        assert_eq!(of("https://0x7f.1/"), (host("127.0.0.1"), None));
        assert_eq!(of("https://[2606:4700::1:2:3:4]/"), (host("2606:4700::"), None));
        assert_eq!(of("https://[::ffff:8.8.8.8]/"), (host("8.8.8.8"), None));
    }
}

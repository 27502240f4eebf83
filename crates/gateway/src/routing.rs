//! Finds the route of a request: of all that fit, the most specific.
//!
//! A host that is named beats one with a star, that beats none; then the longer path; then a route
//! for some methods beats one for all. Two routes that would tie for some request are refused when
//! the configuration is loaded, so the order in the file never matters.

use http::Method;

use crate::settings::{HostPattern, Route};
use crate::target::Target;

/// How specific a route is for a host; the greatest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum HostRank {
    Any,
    Below(usize),
    Exactly,
}

/// What became of the search for a route.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a, T> {
    /// The route.
    Route(&'a T),
    /// There are routes for the path, but for these methods only.
    OtherMethods(Vec<Method>),
    /// There is none.
    Nothing,
}

impl Route {
    fn host_rank(&self, host: &str) -> Option<HostRank> {
        if self.hosts.is_empty() {
            return Some(HostRank::Any);
        }
        let fitting = self.hosts.iter().filter(|pattern| pattern.fits(host));
        let ranks = fitting.map(|pattern| match pattern {
            HostPattern::Exactly(_) => HostRank::Exactly,
            HostPattern::Below(suffix) => HostRank::Below(suffix.len()),
        });
        ranks.max()
    }

    fn takes(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.contains(method)
    }

    /// Whether there is a request that both fit, and neither better than the other.
    pub(crate) fn is_as_specific_as(&self, other: &Self) -> bool {
        let same_host = (self.hosts.is_empty() && other.hosts.is_empty())
            || self.hosts.iter().any(|host| other.hosts.contains(host));
        let same_methods = (self.methods.is_empty() && other.methods.is_empty())
            || self.methods.iter().any(|method| other.methods.contains(method));
        same_host && self.path == other.path && same_methods
    }
}

/// Finds the route for a request among `all`, whose routes `route_of` shows.
pub(crate) fn find<'a, T>(
    all: &'a [T],
    route_of: impl Fn(&T) -> &Route,
    host: &str,
    target: &Target,
    method: &Method,
) -> Found<'a, T> {
    let mut best: Option<(_, &T)> = None;
    let mut other_methods = Vec::new();
    for candidate in all {
        let route = route_of(candidate);
        let Some(host_rank) = route.host_rank(host) else { continue };
        if !target.is_below(&route.path) {
            continue;
        }
        if !route.takes(method) {
            other_methods.extend(route.methods.iter().cloned());
            continue;
        }
        let rank = (host_rank, route.path.depth(), !route.methods.is_empty());
        if best.as_ref().is_none_or(|(so_far, _)| *so_far < rank) {
            best = Some((rank, candidate));
        }
    }
    match best {
        Some((_, found)) => Found::Route(found),
        None if other_methods.is_empty() => Found::Nothing,
        None => {
            other_methods.sort_by(|one, other| one.as_str().cmp(other.as_str()));
            other_methods.dedup();
            Found::OtherMethods(other_methods)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn route(name: &str, hosts: &[&str], path: &str, methods: &[&str]) -> Route {
        Route {
            name: name.to_owned(),
            hosts: hosts.iter().map(|it| it.parse().unwrap()).collect(),
            path: Target::parse(path).unwrap(),
            methods: methods.iter().map(|it| it.parse().unwrap()).collect(),
            policies: Vec::new(),
            upstream: None,
            body_limit: 0,
            deadline: None,
        }
    }

    fn routes() -> Vec<Route> {
        vec![
            route("any", &[], "/", &[]),
            route("admin", &[], "/admin", &[]),
            route("admin-read", &[], "/admin", &["GET"]),
            route("api", &["api.example.com"], "/", &[]),
            route("below", &["*.example.com"], "/", &[]),
            route("deeper", &["*.eu.example.com"], "/", &[]),
            route("post-only", &["post.example.org"], "/", &["POST", "PUT"]),
        ]
    }

    fn name_of(host: &str, path: &str, method: &str) -> String {
        let routes = routes();
        let target = Target::parse(path).unwrap();
        match find(&routes, |it| it, host, &target, &method.parse().unwrap()) {
            Found::Route(route) => route.name.clone(),
            Found::OtherMethods(methods) => format!("{methods:?}"),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn the_most_specific_route_wins() {
        for (host, path, method, expected) in [
            ("", "/x", "GET", "any"),
            ("", "/admin/x", "POST", "admin"),
            ("", "/admin/x", "GET", "admin-read"),
            ("", "/administrator", "GET", "any"),
            ("api.example.com", "/admin", "GET", "api"),
            ("www.example.com", "/", "GET", "below"),
            ("www.eu.example.com", "/", "GET", "deeper"),
            ("post.example.org", "/", "PUT", "post-only"),
            // A host without a route for the method falls back to the routes for all hosts.
            ("post.example.org", "/", "GET", "any"),
        ] {
            assert_eq!(name_of(host, path, method), expected, "{method} {host}{path}");
        }
    }

    #[test]
    fn a_path_that_is_there_for_other_methods_says_for_which() {
        let routes = [route("a", &[], "/a", &["PUT", "GET"]), route("b", &[], "/a", &["HEAD"])];
        let target = |path| Target::parse(path).unwrap();

        let found = find(&routes, |it| it, "", &target("/a/b"), &Method::POST);
        assert_eq!(found, Found::OtherMethods(vec![Method::GET, Method::HEAD, Method::PUT]));
        assert_eq!(find(&routes, |it| it, "", &target("/b"), &Method::GET), Found::Nothing);
    }

    #[test]
    fn routes_that_tie_for_some_request_are_ambiguous() {
        let one = route("one", &["a.org", "b.org"], "/x", &["GET", "PUT"]);

        assert!(one.is_as_specific_as(&route("two", &["b.org"], "/x/", &["PUT"])));
        assert!(!one.is_as_specific_as(&route("two", &["c.org"], "/x", &["PUT"])));
        assert!(!one.is_as_specific_as(&route("two", &["*.org"], "/x", &["PUT"])));
        assert!(!one.is_as_specific_as(&route("two", &["b.org"], "/x/y", &["PUT"])));
        assert!(!one.is_as_specific_as(&route("two", &["b.org"], "/x", &[])));
        assert!(!one.is_as_specific_as(&route("two", &["b.org"], "/x", &["POST"])));
    }

    impl PartialEq for Route {
        fn eq(&self, other: &Self) -> bool {
            self.name == other.name
        }
    }

    fn any_route() -> impl Strategy<Value = Route> {
        let host = prop::sample::select(vec!["a.b.c", "*.b.c", "*.c", "b.c"]);
        let method = prop::sample::select(vec!["GET", "PUT", "POST"]);
        let path = prop::sample::select(vec!["/", "/a", "/a/b", "/b"]);
        let hosts = prop::collection::vec(host, 0..3);
        (hosts, path, prop::collection::vec(method, 0..3))
            .prop_map(|(hosts, path, methods)| route("it", &hosts, path, &methods))
    }

    proptest! {
        #[test]
        fn unless_two_are_ambiguous_their_order_does_not_matter(
            one in any_route(), other in any_route(), path in "(/[ab]){0,3}",
            host in prop::sample::select(vec!["a.b.c", "b.c", "x.b.c", "x"]),
        ) {
            prop_assume!(!one.is_as_specific_as(&other));
            let (one, other) = (Route { name: "one".into(), ..one }, Route { name: "other".into(), ..other });
            let target = Target::parse(&path).unwrap();
            let forth = [one.clone(), other.clone()];
            let back = [other, one];

            let found = find(&forth, |it| it, host, &target, &Method::GET);
            prop_assert_eq!(found, find(&back, |it| it, host, &target, &Method::GET));
        }
    }
}

//! The endpoint where other proxies ask whether a request may go on.
//!
//! It is asked in one of two forms:
//!
//! - `/verify`, as nginx, Traefik, Caddy and HAProxy do: the request in question is described by
//!   headers, `X-Forwarded-Method`, `-Host` and `-Uri`, or `X-Original-Method`, `-Host` and `-URI`;
//! - `/ext_authz/...`, as Envoy does: method, host and what follows the prefix are those of the
//!   request in question.
//!
//! 200 comes with the headers to set. A header that must not reach the server is there, too, and
//! empty, so that a proxy that copies it overwrites what the caller sent (threat T46).

use std::collections::BTreeSet;

use app::gateway::GatewayRequest;
use domain::gateway::Verdict;
use http::{HeaderMap, Method, StatusCode};
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use super::admit::{self, Asked};
use super::answer::Answer;
use super::exchange::Exchange;

/// Where the headers describe the request.
const DESCRIBED: &str = "/verify";
/// What stands before the path of the request.
const PREFIXED: &str = "/ext_authz";

/// Decides about the request that another proxy asks about.
pub(super) async fn answer(session: &Session, exchange: &mut Exchange) -> Answer {
    if !exchange.is_listed {
        exchange.error = Some("not a listed proxy");
        let why = "only the proxies in `trustedProxies` may ask here";
        return Answer::problem(StatusCode::FORBIDDEN, why, &exchange.id);
    }
    let request = session.req_header();
    let (asked, is_prefixed) = match asked(request, exchange) {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    exchange.host.clone_from(&asked.host);
    exchange.asked = Some((asked.method.clone(), asked.path.clone()));
    if let Err(answer) = admit::find_route(&asked, exchange) {
        // Some proxies pass 401 and 403 on, and nothing else.
        let is_unknown = matches!(answer.status.as_u16(), 404 | 405);
        return if is_unknown {
            Answer { status: StatusCode::FORBIDDEN, ..answer }
        } else {
            answer
        };
    }
    let Some(route) = exchange.route.clone() else {
        return Answer::problem(StatusCode::FORBIDDEN, "", &exchange.id);
    };
    let headers = admit::headers(request);
    let question = GatewayRequest {
        method: asked.method.as_str(),
        host: &asked.host,
        path: &asked.path,
        query: asked.query.as_deref(),
        headers: &headers,
        form: None,
    };
    exchange.forged = question.identity_headers(exchange.gate.identity());
    let decided = admit::in_time(exchange.time_left(), route.chain.execute(&question)).await;
    let Ok(decided) = decided else {
        let why = "the deadline of the route has passed";
        exchange.error = Some(why);
        return Answer::problem(StatusCode::GATEWAY_TIMEOUT, why, &exchange.id);
    };
    let Some(verdict) = hidden(decided) else {
        exchange.error = Some("credentials in the query, which cannot be taken out");
        let why = "credentials in a query cannot be kept from the server on this way: send them in \
                   the header Authorization";
        return Answer::problem(StatusCode::FORBIDDEN, why, &exchange.id);
    };
    match admit::judge(verdict, exchange) {
        Some(refused) => refused,
        None => allowed(exchange, is_prefixed),
    }
}

/// A verdict that only headers can fulfil; `None` for others.
fn hidden(verdict: Verdict) -> Option<Verdict> {
    match verdict {
        Verdict::Passage(passage) if passage.query.is_some() || passage.form.is_some() => None,
        Verdict::Passage(_) | Verdict::Refusal(_) => Some(verdict),
    }
}

fn allowed(exchange: &Exchange, is_prefixed: bool) -> Answer {
    let passage = &exchange.passage;
    let mut answer = Answer::text(StatusCode::OK, "");
    let is_set = |name: &str| passage.set.iter().any(|(set, _)| set.as_str() == name);
    let gone = exchange.forged.iter().chain(&passage.remove).map(|it| &**it);
    let gone: BTreeSet<&str> = gone.filter(|it| !is_set(it)).collect();
    if is_prefixed {
        if !gone.is_empty() {
            answer = answer.with(
                "X-Envoy-Auth-Headers-To-Remove",
                gone.into_iter().collect::<Vec<_>>().join(","),
            );
        }
    } else {
        for name in gone {
            answer = answer.with(name, "");
        }
    }
    for (name, value) in &passage.set {
        answer = answer.with(name.as_str(), value.as_str());
    }
    answer
}

/// The request in question, and whether it was asked about by prefix.
fn asked(request: &RequestHeader, exchange: &mut Exchange) -> Result<(Asked, bool), Answer> {
    let path = request.uri.path();
    let prefixed = path.strip_prefix(PREFIXED).filter(|it| it.starts_with('/'));
    let asked = match prefixed {
        Some(path) => Ok(Asked {
            method: request.method.clone(),
            host: exchange.host.clone(),
            path: path.to_owned(),
            query: request.uri.query().map(str::to_owned),
        }),
        None if path == DESCRIBED => described(&request.headers, &exchange.host),
        None => {
            let why = "there are /verify and /ext_authz/";
            return Err(Answer::problem(StatusCode::NOT_FOUND, why, &exchange.id));
        }
    };
    let asked = asked.map_err(|why| {
        exchange.error = Some(why);
        Answer::problem(StatusCode::BAD_REQUEST, why, &exchange.id)
    });
    asked.map(|it| (it, prefixed.is_some()))
}

/// The request that headers describe.
fn described(headers: &HeaderMap, own_host: &str) -> Result<Asked, &'static str> {
    let method = one(headers, ["x-forwarded-method", "x-original-method"])?
        .ok_or("X-Forwarded-Method or X-Original-Method is missing")?;
    let target = one(headers, ["x-forwarded-uri", "x-original-uri"])?
        .ok_or("X-Forwarded-Uri or X-Original-URI is missing")?;
    let host = one(headers, ["x-forwarded-host", "x-original-host"])?.unwrap_or(own_host);
    let method = method.parse::<Method>().map_err(|_| "the method in question is none")?;
    if !target.starts_with('/') {
        return Err("the URI in question must begin with a slash");
    }
    let target = target.split('#').next().unwrap_or_default();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    Ok(Asked { method, host: host.to_owned(), path: path.to_owned(), query })
}

/// The one value that these headers have. A proxy sets one of them; a caller could have sent the
/// other one, or the same one again, to have another request judged.
fn one<'a>(headers: &'a HeaderMap, names: [&str; 2]) -> Result<Option<&'a str>, &'static str> {
    let mut values = names.iter().flat_map(|name| headers.get_all(*name));
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.any(|it| it != first) {
        return Err("headers describe the request in question in two ways");
    }
    let text = first.to_str().ok().filter(|it| !it.is_empty());
    text.map(Some).ok_or("a header that describes the request in question cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    const GET: (&str, &str) = ("x-forwarded-method", "GET");

    #[test]
    fn a_request_is_described_by_either_family_of_headers() {
        for lines in [
            [GET, ("x-forwarded-uri", "/a?b=c#d"), ("x-forwarded-host", "api")],
            [
                ("x-original-method", "GET"),
                ("x-original-uri", "/a?b=c"),
                ("x-original-host", "api"),
            ],
        ] {
            let asked = described(&headers(&lines), "own").unwrap();
            assert_eq!((asked.method, asked.host.as_str()), (Method::GET, "api"));
            assert_eq!((asked.path.as_str(), asked.query.as_deref()), ("/a", Some("b=c")));
        }
        let asked = described(&headers(&[GET, ("x-original-uri", "/a")]), "own").unwrap();
        assert_eq!((asked.host.as_str(), asked.query), ("own", None));
    }

    #[test]
    fn t46_a_request_that_is_described_in_two_ways_is_refused() {
        let uri = ("x-original-uri", "/admin");
        for more in [("x-forwarded-uri", "/public"), ("x-original-uri", "/public")] {
            assert!(described(&headers(&[GET, uri, more]), "own").is_err(), "{more:?}");
        }
        assert!(described(&headers(&[GET, uri, ("x-forwarded-uri", "/admin")]), "own").is_ok());
    }

    #[test]
    fn what_is_missing_is_named() {
        let uri = ("x-forwarded-uri", "/a");
        let why = |lines: &[_]| described(&headers(lines), "own").unwrap_err();

        assert!(why(&[uri]).starts_with("X-Forwarded-Method"));
        assert!(why(&[GET]).starts_with("X-Forwarded-Uri"));
        assert!(why(&[GET, ("x-forwarded-uri", "https://evil/a")]).contains("slash"));
        assert!(why(&[("x-forwarded-method", "G T"), uri]).contains("method"));
        assert!(why(&[GET, ("x-forwarded-uri", "")]).contains("read"));
    }
}

//! A request as policies see it.

use domain::gateway::{HeaderName, NoCredentials, authorization};

/// A request as policies see it. Nothing of it is changed: what has to change stands in the
/// verdict.
#[derive(Clone, Copy)]
pub struct GatewayRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The host that the caller asked for.
    pub host: &'a str,
    /// The path, without the query.
    pub path: &'a str,
    /// The query, without the question mark.
    pub query: Option<&'a str>,
    /// All headers, as they came: one entry for each line, names in any case.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body, if a policy wants it ([`PolicyChain::wants_form`](super::PolicyChain::wants_form)),
    /// it is `application/x-www-form-urlencoded`, and has at most
    /// [`GatewayRequest::MAX_FORM_BYTES`].
    pub form: Option<&'a [u8]>,
}

impl<'a> GatewayRequest<'a> {
    /// The longest form that is looked into.
    pub const MAX_FORM_BYTES: usize = 64 * 1024;

    /// The values of a header.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let of_that_name = move |(it, _): &&(&str, &[u8])| it.eq_ignore_ascii_case(name);
        self.headers.iter().filter(of_that_name).map(|(_, value)| *value)
    }

    /// What stands after `scheme` in the one `Authorization` header.
    ///
    /// # Errors
    ///
    /// See [`authorization`].
    pub fn authorization(&self, scheme: &str) -> Result<&'a str, NoCredentials> {
        authorization(self.values("authorization"), scheme)
    }

    /// Whether a browser asks what it may send (Fetch, "CORS-preflight request").
    #[must_use]
    pub fn is_preflight(&self) -> bool {
        let has = |name| self.values(name).next().is_some();
        self.method == "OPTIONS" && has("origin") && has("access-control-request-method")
    }

    /// The headers to delete so that nobody upstream takes a header of the caller for one of
    /// `names` (threat T46): the names themselves, and those of the caller's that a server may not
    /// tell from them.
    #[must_use]
    pub fn identity_headers(&self, names: &[HeaderName]) -> Vec<Box<str>> {
        let mut remove: Vec<Box<str>> = names.iter().map(|it| it.as_str().into()).collect();
        for (name, _) in self.headers {
            let lower = name.to_ascii_lowercase();
            let is_taken = names.iter().any(|it| it.is_taken_for(name));
            if is_taken && !remove.iter().any(|it| **it == *lower) {
                remove.push(lower.into());
            }
        }
        remove
    }
}

/// The pairs of a form or a query (WHATWG URL section 5.1).
pub(crate) fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(encoded).into_owned().collect()
}

/// The one value of a name; `None` if there is none, or more than one.
pub(crate) fn only<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut values = pairs.iter().filter(|(it, _)| it == name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Some(value),
        (Some(_), Some(_)) | (None, _) => None,
    }
}

/// A form or a query without the pairs of these names; the others stay byte for byte. `None` if
/// there is none of them.
pub(crate) fn without(encoded: &[u8], names: &[&str]) -> Option<Vec<u8>> {
    let is_named = |piece: &[u8]| {
        let mut pairs = url::form_urlencoded::parse(piece);
        pairs.next().is_some_and(|(name, _)| names.contains(&&*name))
    };
    let pieces: Vec<&[u8]> = encoded.split(|it| *it == b'&').collect();
    let kept: Vec<&[u8]> = pieces.iter().copied().filter(|it| !is_named(it)).collect();
    (kept.len() < pieces.len()).then(|| kept.join(&b'&'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(headers: &'a [(&'a str, &'a [u8])]) -> GatewayRequest<'a> {
        let (method, host, path) = ("OPTIONS", "api", "/");
        GatewayRequest { method, host, path, query: None, headers, form: None }
    }

    #[test]
    fn t46_every_spelling_of_an_identity_header_goes() {
        let headers: [(&str, &[u8]); 4] =
            [("X_User", b"root"), ("x-USER", b"root"), ("X-Other", b"x"), ("X-User", b"root")];
        let names = ["X-User".parse().unwrap(), "X-Group".parse().unwrap()];

        let removed = request(&headers).identity_headers(&names);

        assert_eq!(removed, ["x-user", "x-group", "x_user"].map(Into::into));
    }

    #[test]
    fn a_preflight_has_both_headers() {
        let origin: (&str, &[u8]) = ("Origin", b"https://x");
        let method: (&str, &[u8]) = ("Access-Control-Request-Method", b"GET");

        assert!(request(&[origin, method]).is_preflight());
        assert!(!request(&[origin]).is_preflight());
        assert!(!request(&[method]).is_preflight());
        assert!(!GatewayRequest { method: "GET", ..request(&[origin, method]) }.is_preflight());
    }

    #[test]
    fn pairs_are_taken_out_and_the_others_stay_byte_for_byte() {
        let names = ["client_id", "client_secret"];
        let taken = |query: &str| {
            without(query.as_bytes(), &names).map(|it| String::from_utf8(it).unwrap())
        };

        assert_eq!(
            taken("a=%41+%zz&client_id=x&b&client_secret=y").as_deref(),
            Some("a=%41+%zz&b")
        );
        assert_eq!(taken("client%5Fid=x&client_id=y").as_deref(), Some(""));
        assert_eq!(taken("client_ids=x&a=client_id"), None);
        assert_eq!(taken(""), None);
    }

    #[test]
    fn a_name_that_comes_twice_has_no_value() {
        let pairs = pairs(b"a=1&b=2&b=3&c");

        assert_eq!(only(&pairs, "a"), Some("1"));
        assert_eq!(only(&pairs, "b"), None);
        assert_eq!(only(&pairs, "c"), Some(""));
        assert_eq!(only(&pairs, "d"), None);
    }
}

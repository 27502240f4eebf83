//! What is asked of somebody else's token endpoint, and how that may end.

use std::fmt;
use std::time::Duration;

use url::Url;

use super::credentials::FetchCredentials;
use crate::Fault;

/// A question to somebody else's token endpoint (RFC 6749 section 4.4.2).
#[derive(Clone)]
pub struct TokenFetch {
    /// The token endpoint.
    pub url: Url,
    /// Whose token is wanted.
    pub credentials: FetchCredentials,
    /// How the endpoint is shown the credentials.
    pub authentication: ClientAuthentication,
    /// Whom an assertion is for: the issuer of the endpoint. It is needed by the two methods that
    /// sign one, and changes nothing of the answer.
    pub assertion_audience: Option<Box<str>>,
    /// Sent as `audience`, where there is one.
    pub audience: Option<Box<str>>,
    /// Sent as `scope`, joined by spaces; none sends none.
    pub scopes: Vec<Box<str>>,
    /// More members of the form.
    pub arguments: Vec<(Box<str>, Box<str>)>,
    /// More headers.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// What else keeps apart tokens that must not be mixed up: an operator's salt, or that the
    /// endpoint's certificate is not verified.
    pub salt: Box<str>,
}

/// How a token endpoint, or an introspection endpoint, is shown who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientAuthentication {
    /// Both in the body (`client_secret_post`).
    Params,
    /// Both in the header, form-encoded (`client_secret_basic`).
    Header,
    /// The header first, and the body after a refusal; what worked is remembered.
    Auto,
    /// An assertion under the secret (`client_secret_jwt`).
    SecretJwt,
    /// An assertion under a private key (`private_key_jwt`).
    PrivateKeyJwt,
    /// The certificate of the connection (`tls_client_auth`, `self_signed_tls_client_auth`).
    Certificate,
}

impl ClientAuthentication {
    /// Its name among the inputs of a cache key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Params => "params",
            Self::Header => "header",
            Self::Auto => "auto",
            Self::SecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::Certificate => "certificate",
        }
    }
}

impl TokenFetch {
    /// All that the answer depends on, part by part. Two questions are one if all parts agree,
    /// the secret among them: a wrong secret never finds what a right one has fetched.
    #[must_use]
    pub fn parts(&self) -> Vec<&[u8]> {
        let mut scopes: Vec<&str> = self.scopes.iter().map(|it| &**it).collect();
        scopes.sort_unstable();
        scopes.dedup();
        let mut parts: Vec<&[u8]> = vec![
            self.url.as_str().as_bytes(),
            self.credentials.id.as_bytes(),
            self.credentials.secret.expose().as_bytes(),
            self.authentication.name().as_bytes(),
            self.salt.as_bytes(),
        ];
        // The absent audience and the empty one are two.
        parts.push(if self.audience.is_some() { b"audience" } else { b"" });
        parts.push(self.audience.as_deref().unwrap_or_default().as_bytes());
        parts.push(b"scopes");
        parts.extend(scopes.into_iter().map(str::as_bytes));
        for (what, pairs) in [("arguments", &self.arguments), ("headers", &self.headers)] {
            parts.push(what.as_bytes());
            for (name, value) in pairs {
                parts.extend([name.as_bytes(), value.as_bytes()]);
            }
            // What no name of an argument can be: it ends the list.
            parts.push(b"\n");
        }
        parts
    }
}

/// The URL may hold credentials, and the rest does.
impl fmt::Debug for TokenFetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenFetch")
            .field("host", &self.url.host_str())
            .field("authentication", &self.authentication)
            .finish_non_exhaustive()
    }
}

/// Why somebody else's server gave no token, or no answer about one, after all retries.
///
/// The texts are for logs: nothing of them may reach a caller.
#[derive(Debug, thiserror::Error)]
pub enum FetchFailure {
    /// It refused the credentials: 401, 403, 404, `invalid_client`, `unauthorized_client` or another
    /// refusal that says nothing of the request.
    #[error("the server refuses the credentials ({0})")]
    Refused(ServerRefusal),
    /// It refused what we asked: 400 with `invalid_scope`, `invalid_target` or `invalid_request`.
    #[error("the server refuses the request: look at scopes, audience and URL ({0})")]
    Misconfigured(ServerRefusal),
    /// 429 to the last try.
    #[error("the server takes no more requests for now (429)")]
    Throttled {
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// 5xx to the last try.
    #[error("the server fails ({status})")]
    Failing {
        /// Its status.
        status: u16,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// It cannot be reached, the connection broke, or its certificate is not to be trusted.
    #[error("the server cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It did not answer in time.
    #[error("the server did not answer in time")]
    Late,
    /// It answered, and not with what was asked for: 200 without a usable token, another 2xx, a
    /// redirect, or more than anybody wants to read.
    #[error("the server's answer is of no use: {0}")]
    Unusable(&'static str),
    /// The question could not be asked.
    #[error("the question could not be asked")]
    Fault(#[from] Fault),
}

/// What a server refused with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerRefusal {
    /// The status, 4xx.
    pub status: u16,
    /// `error` of RFC 6749 section 5.2, where there is one.
    pub code: Option<Box<str>>,
}

impl ServerRefusal {
    /// A refusal; a code that is no code of RFC 6749 appendix A.7, or too long to be one, is left
    /// out: it would go to the log as it is.
    #[must_use]
    pub fn new(status: u16, code: Option<&str>) -> Self {
        const MAX_BYTES: usize = 64;
        let is_fit = |it: &&str| {
            !it.is_empty() && it.len() <= MAX_BYTES && it.bytes().all(|it| it.is_ascii_graphic())
        };
        Self { status, code: code.filter(is_fit).map(Into::into) }
    }

    /// Whether the code is this one.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whose mistake it is: ours where the server names the request, the client's else.
    #[must_use]
    pub fn classified(self) -> FetchFailure {
        const OURS: [&str; 3] = ["invalid_scope", "invalid_target", "invalid_request"];
        if self.status == 400 && OURS.iter().any(|it| self.is(it)) {
            FetchFailure::Misconfigured(self)
        } else {
            FetchFailure::Refused(self)
        }
    }
}

impl fmt::Display for ServerRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        self.code.iter().try_for_each(|code| write!(f, " {code}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch() -> TokenFetch {
        TokenFetch {
            url: Url::parse("https://user:hunter2@as.example/token").unwrap(),
            credentials: FetchCredentials::new("id".to_owned(), "hunter2".to_owned()).unwrap(),
            authentication: ClientAuthentication::Params,
            assertion_audience: None,
            audience: Some("api".into()),
            scopes: vec!["b".into(), "a".into()],
            arguments: vec![("x".into(), "1".into())],
            headers: Vec::new(),
            salt: "".into(),
        }
    }

    #[test]
    fn everything_that_changes_the_answer_makes_another_question() {
        let changes: [fn(&mut TokenFetch); 12] = [
            |it| it.url.set_path("other"),
            |it| it.credentials.id = "other".into(),
            |it| it.credentials.secret = crate::ClientSecret::new("hunter3".to_owned()),
            |it| it.authentication = ClientAuthentication::Header,
            |it| it.audience = Some("other".into()),
            |it| it.audience = None,
            |it| it.audience = Some("".into()),
            |it| it.scopes.truncate(1),
            |it| it.arguments = vec![("x".into(), "2".into())],
            |it| it.arguments.clear(),
            |it| std::mem::swap(&mut it.arguments, &mut it.headers),
            |it| it.salt = "salt".into(),
        ];
        let mut seen = vec![fetch().parts().concat()];
        for change in changes {
            let mut fetch = fetch();
            change(&mut fetch);
            let parts: Vec<u8> =
                fetch.parts().iter().flat_map(|it| [it, &b"|"[..]].concat()).collect();

            assert!(!seen.contains(&parts));
            seen.push(parts);
        }
    }

    #[test]
    fn the_order_of_scopes_makes_no_difference() {
        let mut other = fetch();
        other.scopes.reverse();
        other.scopes.push("a".into());

        assert_eq!(fetch().parts(), other.parts());
    }

    #[test]
    fn t37_a_question_does_not_betray_itself_in_a_debug_log() {
        assert!(!format!("{:?}", fetch()).contains("hunter2"));
    }

    #[test]
    fn only_a_refusal_of_the_request_is_our_mistake() {
        let is_ours = |status, code| {
            matches!(ServerRefusal::new(status, code).classified(), FetchFailure::Misconfigured(_))
        };
        for code in ["invalid_scope", "invalid_target", "invalid_request"] {
            assert!(is_ours(400, Some(code)));
            assert!(!is_ours(401, Some(code)));
        }
        for code in [Some("invalid_client"), Some("unauthorized_client"), Some("x"), None] {
            assert!(!is_ours(400, code));
        }
    }

    #[test]
    fn what_could_forge_a_line_of_the_log_is_no_code() {
        for code in ["", "a\nb", "a b", "\u{e9}", &"a".repeat(65)] {
            assert_eq!(ServerRefusal::new(400, Some(code)).code, None);
        }
        assert_eq!(ServerRefusal::new(400, Some("x")).to_string(), "400 x");
    }
}

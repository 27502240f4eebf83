//! What becomes of a request, and what the caller is told.

use std::fmt;

use serde_json::json;

use super::denial::{Blame, Denial};
use super::header::{HeaderName, HeaderValue};
use crate::CacheKey;

/// What a policy says about a request.
#[derive(Debug)]
pub enum Verdict {
    /// It may go on, changed like this.
    Passage(Passage),
    /// It may not.
    Refusal(Refusal),
}

impl Verdict {
    /// The verdict, which deletes these headers as well.
    #[must_use]
    pub fn with_removed(mut self, names: Vec<Box<str>>) -> Self {
        let remove = match &mut self {
            Self::Passage(passage) => &mut passage.remove,
            Self::Refusal(refusal) => &mut refusal.remove,
        };
        for name in names {
            if !remove.contains(&name) {
                remove.push(name);
            }
        }
        self
    }
}

/// How a request goes on: first `remove` is deleted, then every line of `set` is added.
#[derive(Debug, Default)]
pub struct Passage {
    /// Names of headers, in lower case: those that say who the caller is, whoever sent them, and
    /// the credentials that must not travel on.
    pub remove: Vec<Box<str>>,
    /// Lines to add. A name may come several times.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// The query to go on with, where credentials were taken out of it; it may be empty.
    pub query: Option<String>,
    /// The form to go on with, where credentials were taken out of it.
    pub form: Option<Vec<u8>>,
    /// Whom the access log names.
    pub username: Option<String>,
    /// Where the token came from.
    pub cache: CacheUse,
    /// The token that upstream gets and may refuse: hand it to
    /// `PolicyChain::upstream_refused` when upstream answers 401.
    pub token: Option<UsedToken>,
}

/// Where the token of a request came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheUse {
    /// There was none.
    #[default]
    None,
    /// From memory, or from the store.
    Hit,
    /// From the token endpoint.
    Miss,
}

/// A token that went upstream.
#[derive(Clone, PartialEq, Eq)]
pub struct UsedToken {
    /// Where it is kept.
    pub key: CacheKey,
    /// The token.
    pub token: Box<str>,
    /// Which policy of the chain fetched it.
    pub policy: usize,
}

impl fmt::Debug for UsedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsedToken").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// What a caller is told who may not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it comes down to.
    pub denial: Denial,
    /// `WWW-Authenticate`, with every 401.
    pub challenge: Option<Box<str>>,
    /// The body.
    pub body: RefusalBody,
    /// Why, for the log alone.
    pub cause: Box<str>,
    /// Who has to mend it: how loud the log is.
    pub blame: Blame,
    /// Headers that say who the caller is, in lower case: whoever hands the request on all the same
    /// deletes them first (threat T46).
    pub remove: Vec<Box<str>>,
}

/// The body of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusalBody {
    /// A problem object (RFC 9457).
    Problem,
    /// `{"message": ...}`.
    Message(Box<str>),
}

impl Refusal {
    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.denial.status()
    }

    /// `Retry-After`, in whole seconds; there for every 503.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u64> {
        match self.denial {
            Denial::Unavailable { retry_after } => {
                Some(retry_after.as_secs() + u64::from(retry_after.subsec_nanos() != 0))
            }
            Denial::Unauthenticated
            | Denial::Forbidden
            | Denial::Unfit
            | Denial::BadGateway
            | Denial::Late
            | Denial::Internal => None,
        }
    }

    /// The media type of the body.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self.body {
            RefusalBody::Problem => "application/problem+json",
            RefusalBody::Message(_) => "application/json",
        }
    }

    /// The body, for the request of that id.
    #[must_use]
    pub fn body(&self, request_id: &str) -> String {
        let body = match &self.body {
            RefusalBody::Problem => json!({
                "type": "about:blank",
                "title": self.denial.title(),
                "status": self.status(),
                "requestId": request_id,
            }),
            RefusalBody::Message(message) => json!({ "message": &**message }),
        };
        body.to_string()
    }
}

/// A challenge (RFC 9110 section 11.6.1). `parameters` come after the realm; values are quoted, and
/// what cannot stand in a quoted string is left out.
#[must_use]
pub fn challenge(scheme: &str, realm: &str, parameters: &[(&str, &str)]) -> Box<str> {
    let quoted = |text: &str| {
        let fit = text.chars().filter(|it| matches!(it, ' '..='~') && !matches!(it, '"' | '\\'));
        fit.collect::<String>()
    };
    let mut challenge = format!("{scheme} realm=\"{}\"", quoted(realm));
    for (name, value) in parameters {
        challenge.extend([", ", name, "=\"", &quoted(value), "\""]);
    }
    challenge.into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn t48_every_503_says_when_to_come_back() {
        for (wanted, expected) in [(None, 5), (Some(0), 1), (Some(10), 10), (Some(3_600), 30)] {
            let refusal = Refusal {
                denial: Denial::unavailable(wanted.map(Duration::from_secs)),
                challenge: None,
                body: RefusalBody::Problem,
                cause: "".into(),
                blame: Blame::Server,
                remove: Vec::new(),
            };

            assert_eq!(refusal.retry_after_seconds(), Some(expected));
        }
    }

    #[test]
    fn a_body_says_nothing_of_the_cause() {
        let mut refusal = Refusal {
            denial: Denial::BadGateway,
            challenge: None,
            body: RefusalBody::Problem,
            cause: "hunter2".into(),
            blame: Blame::Configuration,
            remove: Vec::new(),
        };
        // In whatever order: other crates of a build decide about that.
        let body: serde_json::Value = serde_json::from_str(&refusal.body("r-1")).unwrap();
        let expected = serde_json::json!({
            "requestId": "r-1", "status": 502, "title": "Bad Gateway", "type": "about:blank",
        });
        assert_eq!(body, expected);
        assert_eq!(refusal.content_type(), "application/problem+json");

        refusal.body = RefusalBody::Message("Unauthorized".into());
        assert_eq!(refusal.body("r-1"), r#"{"message":"Unauthorized"}"#);
        assert_eq!(refusal.content_type(), "application/json");
    }

    #[test]
    fn a_challenge_cannot_be_broken_out_of() {
        assert_eq!(
            &*challenge("Bearer", "a\"b\\c\r\n", &[("error", "invalid_token")]),
            "Bearer realm=\"abc\", error=\"invalid_token\""
        );
    }
}

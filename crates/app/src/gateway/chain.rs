//! The policies of a route, one after another.

use domain::gateway::{HeaderName, Passage, UsedToken, Verdict};

use super::bearer::BearerPolicy;
use super::client_credentials::ClientCredentialsPolicy;
use super::openid_connect::OpenidConnectPolicy;
use super::request::GatewayRequest;

/// A policy.
#[derive(Clone, Debug)]
pub enum Policy {
    /// Exchanges credentials for a token.
    ClientCredentials(Box<ClientCredentialsPolicy>),
    /// Has callers proved by an identity provider.
    OpenidConnect(Box<OpenidConnectPolicy>),
    /// Lets in who brings a token.
    Bearer(Box<BearerPolicy>),
}

/// The policies of a route: all of them must let a request pass, and what a later one sets wins.
/// So one can find out who calls, and the next get the token that upstream wants.
#[derive(Clone, Debug, Default)]
pub struct PolicyChain {
    policies: Vec<Link>,
    identity: Vec<HeaderName>,
}

/// A policy, with the headers that are its own.
#[derive(Clone, Debug)]
struct Link {
    policy: Policy,
    own: Vec<HeaderName>,
}

impl PolicyChain {
    /// These policies, in this order.
    #[must_use]
    pub fn new(policies: Vec<Policy>) -> Self {
        let link = |policy: Policy| Link { own: policy.identity_headers(), policy };
        let policies: Vec<Link> = policies.into_iter().map(link).collect();
        let mut identity: Vec<HeaderName> =
            policies.iter().flat_map(|it| it.own.iter().cloned()).collect();
        identity.sort();
        identity.dedup();
        Self { policies, identity }
    }

    /// What becomes of a request. Every policy sees its headers as they came, and query and form
    /// without what an earlier policy took out.
    ///
    /// Whatever becomes of it, the verdict deletes the headers in which any policy of the chain
    /// says who the caller is (threat T46).
    pub async fn execute(&self, request: &GatewayRequest<'_>) -> Verdict {
        let remove = request.identity_headers(&self.identity);
        let mut merged = Passage::default();
        for (number, Link { policy, own }) in self.policies.iter().enumerate() {
            let (query, form) = (merged.query.as_deref(), merged.form.as_deref());
            let left = GatewayRequest {
                query: query.or(request.query),
                form: form.or(request.form),
                ..*request
            };
            let passage = match policy.judge(&left).await {
                Verdict::Passage(passage) => passage,
                refusal @ Verdict::Refusal(_) => return refusal.with_removed(remove),
            };
            merged.remove.extend(passage.remove);
            // Its own headers are its own: what an earlier policy set there goes.
            merged.set.retain(|(name, _)| !own.contains(name));
            merged.set.extend(passage.set);
            merged.query = passage.query.or(merged.query);
            merged.form = passage.form.or(merged.form);
            merged.username = passage.username.or(merged.username);
            if policy.fetches() {
                merged.cache = passage.cache;
            }
            if let Some(token) = passage.token {
                merged.token = Some(UsedToken { policy: number, ..token });
            }
        }
        Verdict::Passage(merged).with_removed(remove)
    }

    /// Upstream answered 401 to a request that went on with `passage`: the gateway's own token is
    /// forgotten, if it is still the one that is kept. Says whether it was.
    pub async fn upstream_refused(&self, passage: &Passage) -> bool {
        let Some(used) = &passage.token else {
            return false;
        };
        match self.policies.get(used.policy).map(|it| &it.policy) {
            Some(Policy::ClientCredentials(policy)) => policy.tokens.purge(used).await,
            Some(Policy::OpenidConnect(_) | Policy::Bearer(_)) | None => false,
        }
    }

    /// Whether a policy has to see the form of a request: the proxy then reads a body of type
    /// `application/x-www-form-urlencoded` up to [`GatewayRequest::MAX_FORM_BYTES`] before it asks.
    #[must_use]
    pub fn wants_form(&self) -> bool {
        self.policies.iter().any(|link| match &link.policy {
            Policy::OpenidConnect(policy) => policy.wants_form(),
            Policy::ClientCredentials(_) | Policy::Bearer(_) => false,
        })
    }

    /// Whether anything in the chain finds out who calls. Where nothing does, and something gets a
    /// token all the same, everybody who reaches the route has that token's rights: whoever loads
    /// the configuration says so.
    #[must_use]
    pub fn authenticates(&self) -> bool {
        self.policies.iter().any(|link| match &link.policy {
            Policy::ClientCredentials(policy) => policy.authenticates(),
            Policy::OpenidConnect(_) | Policy::Bearer(_) => true,
        })
    }

    /// The headers of a caller that never reach upstream.
    #[must_use]
    pub fn identity_headers(&self) -> &[HeaderName] {
        &self.identity
    }
}

impl Policy {
    async fn judge(&self, request: &GatewayRequest<'_>) -> Verdict {
        match self {
            Self::ClientCredentials(policy) => policy.judge(request).await,
            Self::OpenidConnect(policy) => policy.judge(request).await,
            Self::Bearer(policy) => policy.judge(request).await,
        }
    }

    fn identity_headers(&self) -> Vec<HeaderName> {
        match self {
            Self::ClientCredentials(policy) => policy.identity_headers(),
            Self::OpenidConnect(policy) => policy.identity_headers(),
            Self::Bearer(policy) => policy.identity_headers(),
        }
    }

    fn fetches(&self) -> bool {
        match self {
            Self::ClientCredentials(_) | Self::OpenidConnect(_) => true,
            Self::Bearer(_) => false,
        }
    }
}

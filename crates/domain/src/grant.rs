//! The decision to issue a token (RFC 6749 section 4.4).

use std::time::Duration;

use crate::{
    Audience, Capability, Client, ClientId, Issuer, JsonObject, Permission, Scope,
    SigningAlgorithm, Timestamp,
};

/// What an authenticated client asks for.
#[derive(Clone, Debug, Default)]
pub struct GrantRequest {
    /// The scope asked for; `None` where none was.
    pub scope: Option<Scope>,
    /// Whom the token shall be meant for; empty where nobody was named.
    pub audience: Vec<Audience>,
    /// The claims the client wants to add to its token.
    pub custom_claims: JsonObject,
}

/// The operator's choices about tokens.
#[derive(Clone, Debug)]
pub struct TokenPolicy {
    /// Who issues them.
    pub issuer: Issuer,
    /// How long they live.
    pub lifetime: Duration,
    /// How they are signed.
    pub algorithm: SigningAlgorithm,
    /// Whether a request must name an audience.
    pub is_audience_required: bool,
}

/// What is granted.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// Who grants it.
    pub issuer: Issuer,
    /// To whom.
    pub client: ClientId,
    /// For what; `None` where no scope was asked for.
    pub scope: Option<Scope>,
    /// What the client may do wherever its token is accepted.
    pub permissions: Vec<Permission>,
    /// Whom it is meant for; empty where nobody was named.
    pub audience: Vec<Audience>,
    /// What the client says about itself.
    pub custom_claims: JsonObject,
    /// From when, in whole seconds.
    pub issued_at: Timestamp,
    /// Until when, in whole seconds.
    pub expires_at: Timestamp,
    /// How the token is signed.
    pub algorithm: SigningAlgorithm,
}

/// Why nothing is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    /// The client is disabled. Authentication says so first, as if it were unknown.
    #[error("the client is disabled")]
    ClientDisabled,
    /// The client may not ask for tokens of its own.
    #[error("the client lacks the capability client_credentials")]
    CapabilityMissing,
    /// The request reaches beyond what the client may have.
    #[error("the requested scope exceeds what is registered for the client")]
    ScopeExceeded,
    /// The request names an audience that the client may not name.
    #[error("a requested audience is not registered for the client")]
    AudienceNotAllowed,
    /// The request names no audience, and must.
    #[error("the request must name an audience")]
    AudienceMissing,
    /// The assertion carries a claim that the client may not set.
    #[error("the assertion holds a claim that is not among the client's allowedCustomClaims")]
    CustomClaimNotAllowed,
}

/// Decides what, if anything, to grant. Denies by default: what is not registered is refused,
/// never narrowed in silence (threats T31, T32, T36).
///
/// # Errors
///
/// A [`GrantRefusal`] saying why nothing is granted.
pub fn decide(
    client: &Client,
    request: GrantRequest,
    policy: &TokenPolicy,
    now: Timestamp,
) -> Result<Grant, GrantRefusal> {
    if !client.is_enabled() {
        return Err(GrantRefusal::ClientDisabled);
    }
    if !client.capabilities.contains(&Capability::ClientCredentials) {
        return Err(GrantRefusal::CapabilityMissing);
    }
    let is_allowed =
        |name: &String| client.allowed_custom_claims.iter().any(|it| it.as_str() == name);
    if !request.custom_claims.keys().all(is_allowed) {
        return Err(GrantRefusal::CustomClaimNotAllowed);
    }
    if request.scope.as_ref().is_some_and(|scope| !scope.is_within(&client.scope)) {
        return Err(GrantRefusal::ScopeExceeded);
    }
    let mut audience = Vec::with_capacity(request.audience.len());
    for asked in request.audience {
        if !client.audience.contains(&asked) {
            return Err(GrantRefusal::AudienceNotAllowed);
        }
        if !audience.contains(&asked) {
            audience.push(asked);
        }
    }
    if audience.is_empty() && policy.is_audience_required {
        return Err(GrantRefusal::AudienceMissing);
    }
    let issued_at = now.whole_second();
    Ok(Grant {
        issuer: policy.issuer.clone(),
        client: client.id.clone(),
        scope: request.scope,
        permissions: client.permissions.clone(),
        audience,
        custom_claims: request.custom_claims,
        issued_at,
        expires_at: issued_at.after(policy.lifetime),
        algorithm: policy.algorithm,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::{AuthenticationMethod, ClientState, InformativeMetadata, Revision};

    const NOW: Timestamp = Timestamp::from_unix_millis(1_000_900);

    fn client() -> Client {
        Client {
            id: "billing".parse().unwrap(),
            name: "Billing".parse().unwrap(),
            state: ClientState::Public,
            authentication: AuthenticationMethod::ClientSecretBasic,
            keys: Vec::new(),
            capabilities: BTreeSet::from([Capability::ClientCredentials]),
            permissions: vec!["api:read".parse().unwrap()],
            audience: vec!["orders".parse().unwrap(), "stock".parse().unwrap()],
            scope: "a b".parse().unwrap(),
            allowed_custom_claims: vec!["tenant".parse().unwrap()],
            metadata: None,
            informative: InformativeMetadata::default(),
            created_at: NOW,
            updated_at: NOW,
            last_login: None,
            revision: Revision::FIRST,
        }
    }

    fn policy() -> TokenPolicy {
        TokenPolicy {
            issuer: "https://issuer.example".parse().unwrap(),
            lifetime: Duration::from_mins(5),
            algorithm: SigningAlgorithm::Rs256,
            is_audience_required: false,
        }
    }

    fn decide_for(request: GrantRequest) -> Result<Grant, GrantRefusal> {
        decide(&client(), request, &policy(), NOW)
    }

    #[test]
    fn grants_what_is_registered() {
        let grant = decide_for(GrantRequest {
            scope: Some("b".parse().unwrap()),
            audience: vec!["stock".parse().unwrap(), "stock".parse().unwrap()],
            custom_claims: json!({"tenant": "x"}).as_object().unwrap().clone(),
        })
        .unwrap();

        assert_eq!(grant.scope, Some("b".parse().unwrap()));
        assert_eq!(grant.audience, ["stock".parse().unwrap()]);
        assert_eq!(grant.permissions, ["api:read".parse().unwrap()]);
        assert_eq!(grant.issued_at.as_unix_seconds(), 1_000);
        assert_eq!(grant.expires_at.as_unix_seconds(), 1_300);
    }

    #[test]
    fn t32_nothing_asked_is_nothing_granted() {
        let grant = decide_for(GrantRequest::default()).unwrap();

        assert_eq!(grant.scope, None);
        assert!(grant.audience.is_empty());
        assert!(grant.custom_claims.is_empty());
    }

    #[test]
    fn t30_t31_t36_what_is_not_registered_is_refused_never_narrowed() {
        let scope = GrantRequest { scope: Some("a c".parse().unwrap()), ..GrantRequest::default() };
        assert_eq!(decide_for(scope), Err(GrantRefusal::ScopeExceeded));
        for audience in ["Orders", "orders/", "orders#x", "%6frders"] {
            let request = GrantRequest {
                audience: vec!["stock".parse().unwrap(), audience.parse().unwrap()],
                ..GrantRequest::default()
            };
            assert_eq!(decide_for(request), Err(GrantRefusal::AudienceNotAllowed), "{audience}");
        }
        let claim = GrantRequest {
            custom_claims: json!({"role": "admin"}).as_object().unwrap().clone(),
            ..GrantRequest::default()
        };
        assert_eq!(decide_for(claim), Err(GrantRefusal::CustomClaimNotAllowed));
    }

    #[test]
    fn an_audience_is_asked_for_where_the_operator_says_so() {
        let policy = TokenPolicy { is_audience_required: true, ..policy() };

        let refused = decide(&client(), GrantRequest::default(), &policy, NOW);

        assert_eq!(refused, Err(GrantRefusal::AudienceMissing));
    }

    #[test]
    fn only_public_clients_with_the_capability_get_anything() {
        for state in [ClientState::Draft, ClientState::Trash, ClientState::Deleted] {
            let client = Client { state, ..client() };
            let refused = decide(&client, GrantRequest::default(), &policy(), NOW);
            assert_eq!(refused, Err(GrantRefusal::ClientDisabled));
        }
        let incapable = Client { capabilities: BTreeSet::new(), ..client() };
        let refused = decide(&incapable, GrantRequest::default(), &policy(), NOW);
        assert_eq!(refused, Err(GrantRefusal::CapabilityMissing));
    }
}

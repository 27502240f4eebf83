//! The decision to issue a token (RFC 6749 section 4.4).

use std::time::Duration;

use crate::{
    Audience, Capability, Catalogue, CatalogueMode, ClaimsShape, Client, ClientId, Issuer,
    JsonObject, Permission, Scope, SigningAlgorithm, Timestamp, TokenFormat, TokenProfile,
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
    /// What none may outlive, whatever is chosen for a client.
    pub longest_lifetime: Duration,
    /// How they are signed.
    pub algorithm: SigningAlgorithm,
    /// Whether a request must name an audience.
    pub is_audience_required: bool,
    /// Whom they are meant for where nobody is named.
    pub default_audience: DefaultAudience,
    /// What they look like, unless the client's settings say otherwise.
    pub format: TokenFormat,
    /// The `typ` of signed ones.
    pub profile: TokenProfile,
    /// Which claims they carry.
    pub shape: ClaimsShape,
    /// How opaque ones are written.
    pub reference_style: ReferenceStyle,
    /// Whether only what is registered is granted.
    pub catalogue_mode: CatalogueMode,
}

/// Whom a token is meant for where the request names nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultAudience {
    /// Nobody in particular: it has no `aud`.
    Nobody,
    /// The operator's choice.
    Chosen(Vec<Audience>),
    /// Its own client, as the ID service has it.
    Client,
}

/// How a reference token is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceStyle {
    /// A UUID of version 4, as Curity has it: 122 random bits.
    Uuid,
    /// 32 letters and digits, as the ID service has it: some 190 random bits.
    Alphanumeric,
    /// 256 random bits behind a prefix that secret scanners can look for.
    Prefixed,
}

/// What is granted.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// Who grants it.
    pub issuer: Issuer,
    /// To whom.
    pub client: ClientId,
    /// For what; `None` where nothing was asked for, and nothing is granted by default.
    pub scope: Option<Scope>,
    /// Whether the request asked for a scope.
    pub is_scope_asked: bool,
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
    /// What the token looks like.
    pub format: TokenFormat,
    /// Which claims it carries.
    pub shape: ClaimsShape,
}

/// Why nothing is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    /// The client is disabled. Authentication says so first, as if it were unknown.
    #[error("the client is disabled")]
    ClientDisabled,
    /// Nobody gets tokens here: the capability is off for the service.
    #[error("the capability client_credentials is off for this service")]
    CapabilityOff,
    /// The client may not ask for tokens of its own.
    #[error("the client lacks the capability client_credentials")]
    CapabilityMissing,
    /// The request reaches beyond what the client may have.
    #[error("the requested scope exceeds what is registered for the client")]
    ScopeExceeded,
    /// The client may have the scope, and the service does not know it any more, or not yet.
    #[error("a scope of the request or of the client's default is not registered at this service")]
    ScopeNotRegistered,
    /// None of those whom the token would be meant for takes one of the scopes.
    #[error("a requested scope is taken by none of those whom the token is meant for")]
    ScopeNotTaken,
    /// The request names an audience that the client may not name.
    #[error("a requested audience is not registered for the client")]
    AudienceNotAllowed,
    /// The client may name the audience, and the service does not know it any more, or not yet.
    #[error("a requested audience is not registered at this service")]
    AudienceNotRegistered,
    /// The request names no audience, and must.
    #[error("the request must name an audience")]
    AudienceMissing,
    /// The assertion carries a claim that the client may not set.
    #[error("the assertion holds a claim that is not among the client's allowedCustomClaims")]
    CustomClaimNotAllowed,
}

/// Decides what, if anything, to grant. Denies by default: what is not registered is refused,
/// never narrowed in silence (threats T31, T32, T36). A scope must be taken by one of those whom
/// the token is meant for, at least; what nobody asked for is given as far as they take it.
///
/// # Errors
///
/// A [`GrantRefusal`] saying why nothing is granted.
pub fn decide(
    client: &Client,
    request: GrantRequest,
    policy: &TokenPolicy,
    catalogue: &Catalogue,
    now: Timestamp,
) -> Result<Grant, GrantRefusal> {
    if !client.is_enabled() {
        return Err(GrantRefusal::ClientDisabled);
    }
    if !catalogue.is_on(Capability::ClientCredentials) {
        return Err(GrantRefusal::CapabilityOff);
    }
    if !client.capabilities.contains(&Capability::ClientCredentials) {
        return Err(GrantRefusal::CapabilityMissing);
    }
    let is_allowed =
        |name: &String| client.allowed_custom_claims.iter().any(|it| it.as_str() == name);
    if !request.custom_claims.keys().all(is_allowed) {
        return Err(GrantRefusal::CustomClaimNotAllowed);
    }
    let is_scope_asked = request.scope.is_some();
    let wanted = request.scope.as_ref().unwrap_or(&client.settings.default_scope);
    if !wanted.is_within(&client.scope) {
        return Err(GrantRefusal::ScopeExceeded);
    }
    let is_strict = policy.catalogue_mode == CatalogueMode::Registered;
    if is_strict && catalogue.unknown_scope(wanted).is_some() {
        return Err(GrantRefusal::ScopeNotRegistered);
    }
    let audience = targets(client, request.audience, policy, catalogue)?;
    let scope = match request.scope {
        None => catalogue.default_scope(client, &audience),
        Some(asked) if asked.iter().all(|it| catalogue.is_taken(it, &audience)) => Some(asked),
        Some(_) => return Err(GrantRefusal::ScopeNotTaken),
    };
    let settings = &client.settings;
    let issued_at = now.whole_second();
    Ok(Grant {
        issuer: policy.issuer.clone(),
        client: client.id.clone(),
        scope,
        is_scope_asked,
        permissions: client.permissions.clone(),
        audience,
        custom_claims: request.custom_claims,
        issued_at,
        expires_at: issued_at
            .after(settings.token_lifetime.unwrap_or(policy.lifetime).min(policy.longest_lifetime)),
        algorithm: settings.token_algorithm.unwrap_or(policy.algorithm),
        format: settings.token_format.unwrap_or(policy.format),
        shape: policy.shape,
    })
}

/// Whom the token is meant for: whoever is asked for, each once and in that order, or the policy's
/// choice. What the operator chose for all need not be registered.
fn targets(
    client: &Client,
    asked: Vec<Audience>,
    policy: &TokenPolicy,
    catalogue: &Catalogue,
) -> Result<Vec<Audience>, GrantRefusal> {
    let is_strict = policy.catalogue_mode == CatalogueMode::Registered;
    let mut targets = Vec::with_capacity(asked.len().min(client.audience.len()));
    for one in asked {
        if !client.audience.contains(&one) {
            return Err(GrantRefusal::AudienceNotAllowed);
        }
        if is_strict && catalogue.resource(one.as_str()).is_none() {
            return Err(GrantRefusal::AudienceNotRegistered);
        }
        if !targets.contains(&one) {
            targets.push(one);
        }
    }
    if !targets.is_empty() {
        return Ok(targets);
    }
    if policy.is_audience_required {
        return Err(GrantRefusal::AudienceMissing);
    }
    Ok(match &policy.default_audience {
        DefaultAudience::Nobody => Vec::new(),
        DefaultAudience::Chosen(chosen) => chosen.clone(),
        DefaultAudience::Client => client.id.as_str().parse().into_iter().collect(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::{AuthenticationMethod, ClientState, InformativeMetadata, Revision};

    pub(crate) const NOW: Timestamp = Timestamp::from_unix_millis(1_000_900);

    pub(crate) fn client() -> Client {
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
            settings: crate::ClientSettings::default(),
            metadata: None,
            informative: InformativeMetadata::default(),
            created_at: NOW,
            updated_at: NOW,
            last_login: None,
            revision: Revision::FIRST,
        }
    }

    pub(crate) fn policy() -> TokenPolicy {
        TokenPolicy {
            issuer: "https://issuer.example".parse().unwrap(),
            lifetime: Duration::from_mins(5),
            longest_lifetime: Duration::from_hours(24),
            algorithm: SigningAlgorithm::Rs256,
            is_audience_required: false,
            default_audience: DefaultAudience::Nobody,
            format: TokenFormat::Jwt,
            profile: TokenProfile::Jwt,
            shape: ClaimsShape::MIA,
            reference_style: ReferenceStyle::Prefixed,
            catalogue_mode: CatalogueMode::Open,
        }
    }

    fn open() -> Catalogue {
        Catalogue::default()
    }

    fn decide_for(request: GrantRequest) -> Result<Grant, GrantRefusal> {
        decide(&client(), request, &policy(), &open(), NOW)
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

        let refused = decide(&client(), GrantRequest::default(), &policy, &open(), NOW);

        assert_eq!(refused, Err(GrantRefusal::AudienceMissing));
    }

    #[test]
    fn what_is_chosen_for_the_client_wins() {
        let mut client = client();
        client.settings = crate::ClientSettings {
            token_format: Some(TokenFormat::Reference),
            token_lifetime: Some(Duration::from_secs(7)),
            token_algorithm: Some(SigningAlgorithm::Es256),
            default_scope: "a".parse().unwrap(),
            ..crate::ClientSettings::default()
        };

        let grant = decide(&client, GrantRequest::default(), &policy(), &open(), NOW).unwrap();

        assert_eq!(
            (grant.format, grant.algorithm),
            (TokenFormat::Reference, SigningAlgorithm::Es256)
        );
        assert_eq!(grant.expires_at.since(grant.issued_at), Duration::from_secs(7));
        assert_eq!((grant.scope, grant.is_scope_asked), (Some("a".parse().unwrap()), false));
        let short = TokenPolicy { longest_lifetime: Duration::from_secs(5), ..policy() };
        let grant = decide(&client, GrantRequest::default(), &short, &open(), NOW).unwrap();
        assert_eq!(grant.expires_at.since(grant.issued_at), Duration::from_secs(5));
        // What the client may no longer have is no default any more.
        client.scope = "b".parse().unwrap();
        let refused = decide(&client, GrantRequest::default(), &policy(), &open(), NOW);
        assert_eq!(refused, Err(GrantRefusal::ScopeExceeded));
    }

    #[test]
    fn a_token_that_names_nobody_is_meant_for_whom_the_policy_says() {
        let orders: Audience = "orders".parse().unwrap();
        for (default_audience, expected) in [
            (DefaultAudience::Nobody, vec![]),
            (DefaultAudience::Chosen(vec![orders.clone()]), vec![orders]),
            (DefaultAudience::Client, vec!["billing".parse().unwrap()]),
        ] {
            let policy = TokenPolicy { default_audience, ..policy() };
            let grant = decide(&client(), GrantRequest::default(), &policy, &open(), NOW).unwrap();
            assert_eq!(grant.audience, expected);
        }
    }

    #[test]
    fn only_public_clients_with_the_capability_get_anything() {
        for state in [ClientState::Draft, ClientState::Trash, ClientState::Deleted] {
            let client = Client { state, ..client() };
            let refused = decide(&client, GrantRequest::default(), &policy(), &open(), NOW);
            assert_eq!(refused, Err(GrantRefusal::ClientDisabled));
        }
        let incapable = Client { capabilities: BTreeSet::new(), ..client() };
        let refused = decide(&incapable, GrantRequest::default(), &policy(), &open(), NOW);
        assert_eq!(refused, Err(GrantRefusal::CapabilityMissing));
    }
}

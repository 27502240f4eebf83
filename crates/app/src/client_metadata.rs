//! What a caller may say about a client (RFC 7591 section 2 and the vendor's own members).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use domain::{
    Audience, AuthenticationMethod, Capability, ClaimName, Client, ClientName, ClientState,
    InformativeMetadata, JsonObject, Permission, Scope, SigningAlgorithm,
};
use serde_json::Value;

use crate::informative_changes::InformativeChanges;
use crate::key_changes::{KeyChanges, check_keys};
use crate::settings_changes::{SETTINGS, SettingsChanges, check_default_scope};

/// By what right something is said about a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Anybody, about a client of their own: nothing that widens what it may do.
    Public,
    /// An operator.
    Management,
}

/// What the operator demands of registrations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationRules {
    /// The ways in which clients may authenticate.
    pub methods: Vec<AuthenticationMethod>,
    /// The algorithms a registered key may be for.
    pub key_algorithms: Vec<SigningAlgorithm>,
    /// Whether a registered key must have a `kid`.
    pub is_key_id_required: bool,
    /// The algorithms that tokens of a client may be signed with.
    pub token_algorithms: Vec<SigningAlgorithm>,
    /// How long tokens of a client may live at most.
    pub longest_token_lifetime: Duration,
}

/// Why a registration or a change is refused: which member, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidMetadata {
    /// The member's name, as sent.
    pub member: String,
    /// What is wrong, and how to mend it.
    pub reason: String,
}

impl fmt::Display for InvalidMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.member, self.reason)
    }
}

impl std::error::Error for InvalidMetadata {}

/// A client to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewClient {
    name: ClientName,
    /// How it will prove who it is.
    pub(crate) authentication: AuthenticationMethod,
    /// `None`: the store's own default decides.
    pub(crate) state: Option<ClientState>,
    changes: ClientChanges,
}

/// A change to a client: each member that is there replaces what was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientChanges {
    name: Option<ClientName>,
    authentication: Option<AuthenticationMethod>,
    keys: KeyChanges,
    capabilities: Option<BTreeSet<Capability>>,
    permissions: Option<Vec<Permission>>,
    audience: Option<Vec<Audience>>,
    scope: Option<Scope>,
    allowed_custom_claims: Option<Vec<ClaimName>>,
    settings: SettingsChanges,
    #[expect(clippy::option_option, reason = "absent, null and an object are three things")]
    metadata: Option<Option<JsonObject>>,
    informative: InformativeChanges,
}

/// The members only an operator may set: they widen what a client may do.
const MANAGEMENT_ONLY: [&str; 7] = [
    "__STATE__",
    "allowedCustomClaims",
    "audience",
    "capabilities",
    "metadata",
    "permissions",
    "scope",
];

impl NewClient {
    /// Reads a registration.
    ///
    /// A member that would widen what the client may do is refused from the public, not dropped:
    /// a client that believes it was given a permission is worse off than one that was told no.
    /// Members nobody knows are ignored from the public (RFC 7591 section 2) and refused from
    /// operators, whose typing errors they are.
    ///
    /// # Errors
    ///
    /// [`InvalidMetadata`], naming the first member that is wrong.
    pub fn parse(
        mut object: JsonObject,
        authority: Authority,
        rules: &RegistrationRules,
    ) -> Result<Self, InvalidMetadata> {
        if authority == Authority::Public
            && let Some(member) =
                MANAGEMENT_ONLY.into_iter().chain(SETTINGS).find(|it| object.contains_key(*it))
        {
            return Err(invalid(member, "only an operator can set this (POST /clients)"));
        }
        let state = take_parsed(&mut object, "__STATE__")?;
        let changes = ClientChanges::take_from(&mut object, rules)?;
        if authority == Authority::Management {
            refuse_unknown(&object)?;
        }
        let name = changes
            .name
            .clone()
            .ok_or_else(|| invalid("client_name", "is required: a name people can read"))?;
        let authentication =
            changes.authentication.unwrap_or(AuthenticationMethod::ClientSecretBasic);
        let new = Self { name, authentication, state, changes };
        // What is granted by default is part of what may be granted.
        let sketch = new.sketch()?;
        check_keys(&sketch)?;
        check_default_scope(&sketch)?;
        Ok(new)
    }

    /// The client as it will be, but for its id.
    pub(crate) fn sketch(&self) -> Result<Client, InvalidMetadata> {
        let id = "checked".parse().map_err(|_| invalid("client_id", "cannot be made"))?;
        Ok(self.clone().into_client(id, domain::Timestamp::from_unix_seconds(0)))
    }

    /// Whether it says that the client does not manage itself: of a client that is replaced, that is
    /// what ends.
    pub(crate) fn ends_self_management(&self) -> bool {
        self.changes.settings.ends_self_management
    }

    /// The client, once it has an id.
    pub(crate) fn into_client(self, id: domain::ClientId, now: domain::Timestamp) -> Client {
        let mut client = Client {
            id,
            name: self.name,
            state: self.state.unwrap_or(ClientState::Public),
            authentication: self.authentication,
            keys: Vec::new(),
            capabilities: BTreeSet::from([Capability::ClientCredentials]),
            permissions: Vec::new(),
            audience: Vec::new(),
            scope: Scope::default(),
            allowed_custom_claims: Vec::new(),
            settings: domain::ClientSettings::default(),
            metadata: None,
            informative: InformativeMetadata::default(),
            created_at: now,
            updated_at: now,
            last_login: None,
            revision: domain::Revision::FIRST,
        };
        self.changes.apply(&mut client);
        client
    }
}

impl ClientChanges {
    /// Reads a JSON merge patch (RFC 7396) of an operator. `null` sets a member back to its
    /// default; a member nobody knows is refused.
    ///
    /// # Errors
    ///
    /// [`InvalidMetadata`], naming the first member that is wrong.
    pub fn parse(
        mut object: JsonObject,
        rules: &RegistrationRules,
    ) -> Result<Self, InvalidMetadata> {
        if object.contains_key("__STATE__") {
            return Err(invalid("__STATE__", "is changed by /disable and /enable only"));
        }
        for member in ["client_name", "token_endpoint_auth_method"] {
            if object.get(member).is_some_and(Value::is_null) {
                return Err(invalid(member, "cannot be removed"));
            }
        }
        let changes = Self::take_from(&mut object, rules)?;
        refuse_unknown(&object)?;
        Ok(changes)
    }

    /// Whether the change lets nobody in who was out before: keys fit the method.
    pub(crate) fn check(&self, client: &Client) -> Result<(), InvalidMetadata> {
        let mut changed = client.clone();
        self.clone().apply(&mut changed);
        check_keys(&changed)?;
        check_default_scope(&changed)
    }

    /// Changes `client`.
    pub(crate) fn apply(self, client: &mut Client) {
        fn set<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        set(&mut client.name, self.name);
        set(&mut client.authentication, self.authentication);
        set(&mut client.capabilities, self.capabilities);
        set(&mut client.permissions, self.permissions);
        set(&mut client.audience, self.audience);
        set(&mut client.scope, self.scope);
        set(&mut client.allowed_custom_claims, self.allowed_custom_claims);
        self.settings.apply(&mut client.settings);
        self.keys.apply(client);
        set(&mut client.metadata, self.metadata);
        self.informative.apply(&mut client.informative);
    }

    fn take_from(
        object: &mut JsonObject,
        rules: &RegistrationRules,
    ) -> Result<Self, InvalidMetadata> {
        check_grant_types(object)?;
        let metadata = match object.remove("metadata") {
            None => None,
            Some(Value::Null) => Some(None),
            Some(Value::Object(metadata)) => Some(Some(metadata)),
            Some(_) => return Err(invalid("metadata", "must be an object")),
        };
        Ok(Self {
            name: take_parsed(object, "client_name")?,
            authentication: take_method(object, rules)?,
            keys: KeyChanges::take_from(object, rules)?,
            capabilities: take_capabilities(object)?,
            permissions: take_list(object, "permissions")?,
            audience: take_list(object, "audience")?,
            scope: take_scope(object)?,
            allowed_custom_claims: take_list(object, "allowedCustomClaims")?,
            settings: SettingsChanges::take_from(object, rules)?,
            metadata,
            informative: InformativeChanges::take_from(object)?,
        })
    }
}

pub(crate) fn invalid(member: &str, reason: impl Into<String>) -> InvalidMetadata {
    InvalidMetadata { member: member.to_owned(), reason: reason.into() }
}

fn take_method(
    object: &mut JsonObject,
    rules: &RegistrationRules,
) -> Result<Option<AuthenticationMethod>, InvalidMetadata> {
    const MEMBER: &str = "token_endpoint_auth_method";
    let method = match object.remove(MEMBER) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(name)) => name.parse::<AuthenticationMethod>().ok(),
        Some(_) => return Err(invalid(MEMBER, "must be a text")),
    };
    match method {
        Some(method) if rules.methods.contains(&method) => Ok(Some(method)),
        Some(method) if method.needs_sealed_secrets() => Err(invalid(
            MEMBER,
            "client_secret_jwt is off on this server: its operator has to set secrets.sealing_key",
        )),
        Some(_) | None => {
            let names: Vec<_> = rules.methods.iter().map(|it| it.name()).collect();
            Err(invalid(MEMBER, format!("must be one of {}", names.join(", "))))
        }
    }
}

/// RFC 7591 section 2: this server has one grant, and no response types.
fn check_grant_types(object: &mut JsonObject) -> Result<(), InvalidMetadata> {
    for (member, only) in [("grant_types", "client_credentials"), ("response_types", "none")] {
        let is_fine = match object.remove(member) {
            None | Some(Value::Null) => true,
            Some(value) => value
                .as_array()
                .is_some_and(|items| items.iter().all(|item| item.as_str() == Some(only))),
        };
        if !is_fine {
            return Err(invalid(member, format!("may hold {only} only")));
        }
    }
    Ok(())
}

fn refuse_unknown(object: &JsonObject) -> Result<(), InvalidMetadata> {
    match object.keys().next() {
        None => Ok(()),
        Some(member) => Err(invalid(member, "is not a member of a client")),
    }
}

fn take_parsed<T>(object: &mut JsonObject, member: &str) -> Result<Option<T>, InvalidMetadata>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    match object.remove(member) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_str()
            .ok_or_else(|| invalid(member, "must be a text"))?
            .parse()
            .map(Some)
            .map_err(|error: T::Err| invalid(member, error.to_string())),
    }
}

fn take_list<T>(object: &mut JsonObject, member: &str) -> Result<Option<Vec<T>>, InvalidMetadata>
where
    T: FromStr + PartialEq,
    T::Err: fmt::Display,
{
    const MAX_ITEMS: usize = 256;
    let items = match object.remove(member) {
        None => return Ok(None),
        Some(Value::Null) => return Ok(Some(Vec::new())),
        Some(Value::Array(items)) if items.len() <= MAX_ITEMS => items,
        Some(Value::Array(_)) => return Err(invalid(member, "may hold at most 256 items")),
        Some(_) => return Err(invalid(member, "must be an array of texts")),
    };
    let mut list = Vec::with_capacity(items.len());
    for item in items {
        let text = item.as_str().ok_or_else(|| invalid(member, "must be an array of texts"))?;
        let value = text.parse().map_err(|error: T::Err| invalid(member, error.to_string()))?;
        if !list.contains(&value) {
            list.push(value);
        }
    }
    Ok(Some(list))
}

/// A client that may do nothing is a typing error. `null` stands for what a client has by default.
fn take_capabilities(
    object: &mut JsonObject,
) -> Result<Option<BTreeSet<Capability>>, InvalidMetadata> {
    if object.get("capabilities").is_some_and(Value::is_null) {
        object.remove("capabilities");
        return Ok(Some(BTreeSet::from([Capability::ClientCredentials])));
    }
    let Some(list) = take_list::<Capability>(object, "capabilities")? else {
        return Ok(None);
    };
    if list.is_empty() {
        let names = Capability::ALL.map(Capability::name).join(", ");
        return Err(invalid("capabilities", format!("must name at least one of {names}")));
    }
    Ok(Some(list.into_iter().collect()))
}

fn take_scope(object: &mut JsonObject) -> Result<Option<Scope>, InvalidMetadata> {
    match object.get("scope").and_then(Value::as_str) {
        // RFC 7591 has no empty scope; a form that was left blank means none.
        Some("") => {
            object.remove("scope");
            Ok(Some(Scope::default()))
        }
        Some(_) | None => match object.get("scope") {
            Some(Value::Null) => {
                object.remove("scope");
                Ok(Some(Scope::default()))
            }
            Some(_) | None => take_parsed(object, "scope"),
        },
    }
}

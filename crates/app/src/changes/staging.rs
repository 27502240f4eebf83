//! What all that is done with change sets needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use domain::change_set::{ChangeSet, ChangeSetState, Operation, Transition};
use domain::management::{Mandate, MandateExceeded};
use domain::port::{
    ChangeSetRepository, ClientRepository, ClientTransaction, Clock, CredentialRepository, Entropy,
    MacVerifier, RemoteKeys, SecretHasher, SignatureVerifier, TokenDigester, TokenRepository,
};
use domain::{ChangeSetId, Client, ClientId, Credential, Fault, Revision, Timestamp};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::problems::DraftProblem;
use crate::catalogue_in_use::CatalogueInUse;
use crate::client_metadata::RegistrationRules;

/// How many clients are asked for at a time.
const AT_A_TIME: usize = 8;

/// What all that is done with change sets needs.
#[derive(Clone)]
pub struct Staging {
    /// Where change sets are kept.
    pub sets: Arc<dyn ChangeSetRepository>,
    /// How several clients are changed at once.
    pub transaction: Arc<dyn ClientTransaction>,
    /// Where clients are kept: the store itself, past what is remembered.
    pub clients: Arc<dyn ClientRepository>,
    /// Where the hashes of their secrets are kept.
    pub credentials: Arc<dyn CredentialRepository>,
    /// Which tokens were taken back.
    pub tokens: Arc<dyn TokenRepository>,
    /// What may be given to clients.
    pub catalogue: Arc<CatalogueInUse>,
    /// How secrets are hashed.
    pub hasher: Arc<dyn SecretHasher>,
    /// How secrets are sealed that clients sign with.
    pub macs: Arc<dyn MacVerifier>,
    /// How the right one of several hashes is found.
    pub digester: Arc<dyn TokenDigester>,
    /// Whether a key can be used at all.
    pub signatures: Arc<dyn SignatureVerifier>,
    /// Whether keys can be fetched from where a client publishes them.
    pub remote_keys: Arc<dyn RemoteKeys>,
    /// Where ids and secrets come from.
    pub entropy: Arc<dyn Entropy>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What the operator demands of clients.
    pub rules: RegistrationRules,
    /// How long the longest token lives.
    pub longest_lifetime: Duration,
    /// How long another node may go on with a client that it does not know is gone: for so long its
    /// tokens are taken back again and again.
    pub remembered_for: Duration,
}

/// Why nothing was done about a change set, and nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// There is no such change set.
    #[error("there is no change set with this id")]
    Unknown,
    /// It was changed, committed, rolled back or discarded meanwhile.
    #[error("the change set was changed meanwhile: read it again, and send its new ETag")]
    Superseded,
    /// It has gone too far, or not far enough, for what was asked.
    #[error("the change set is {state}: {mend}")]
    WrongState {
        /// The name of its state.
        state: &'static str,
        /// What can be done instead.
        mend: &'static str,
    },
    /// Clients were changed since: all of them, ordered by id.
    #[error("clients were changed meanwhile: {}", listed(.0))]
    Moved(Vec<ClientId>),
    /// It cannot be committed as it is, or is no change set at all: everything that is wrong.
    #[error("the change set is wrong: {}", first(.0))]
    Invalid(Vec<DraftProblem>),
    /// The store cannot change several clients at once.
    #[error("{0}")]
    Impossible(&'static str),
    /// A client has, or would get, a right that the caller lacks.
    #[error("client {0}: {1}")]
    Exceeded(ClientId, MandateExceeded),
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

fn listed(clients: &[ClientId]) -> String {
    const MOST: usize = 5;
    let mut text: Vec<&str> = clients.iter().take(MOST).map(ClientId::as_str).collect();
    if MOST < clients.len() {
        text.push("...");
    }
    text.join(", ")
}

fn first(problems: &[DraftProblem]) -> String {
    match problems {
        [] => "nobody knows why".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}

/// What is known of a client that a change set is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) client: Option<Client>,
    /// Its secrets, as hashes; also those that are there without a client.
    pub(super) secrets: Vec<Credential>,
    /// Until when its tokens were taken back; looked up only where there is no client.
    pub(super) tokens_until: Option<Timestamp>,
}

impl Staging {
    /// Refuses where the store cannot do it, whatever is asked.
    pub(super) async fn check_store(&self) -> Result<(), ChangesError> {
        match self.transaction.obstacle().await? {
            None => Ok(()),
            Some(obstacle) => Err(ChangesError::Impossible(obstacle)),
        }
    }

    pub(super) async fn find(&self, id: &ChangeSetId) -> Result<ChangeSet, ChangesError> {
        self.sets.find(id).await?.ok_or(ChangesError::Unknown)
    }

    /// The change set, if its revision is one of `expected`; `None` stands for whatever it is.
    pub(super) async fn find_at(
        &self,
        id: &ChangeSetId,
        expected: Option<&[Revision]>,
    ) -> Result<ChangeSet, ChangesError> {
        let set = self.find(id).await?;
        if expected.is_some_and(|it| !it.contains(&set.revision)) {
            return Err(ChangesError::Superseded);
        }
        Ok(set)
    }

    /// What is known of each client that `operations` are about.
    pub(super) async fn known(
        &self,
        operations: &[Operation],
    ) -> Result<BTreeMap<ClientId, Known>, Fault> {
        let ids: BTreeSet<ClientId> =
            operations.iter().map(|Operation::Client(it)| it.client.clone()).collect();
        let look_up = |id: ClientId| async move {
            let client = self.clients.find(&id).await?;
            let secrets = self.credentials.list(&id).await?;
            let tokens_until = match &client {
                Some(_) => None,
                None => self.tokens.client_revoked_until(&id).await?,
            };
            Ok::<_, Fault>((id, Known { client, secrets, tokens_until }))
        };
        stream::iter(ids).map(look_up).buffered(AT_A_TIME).try_collect().await
    }

    /// What is stored of each client.
    pub(super) async fn stored(
        &self,
        ids: impl IntoIterator<Item = ClientId>,
    ) -> Result<BTreeMap<ClientId, Client>, Fault> {
        let look_up = |id: ClientId| async move { self.clients.find(&id).await };
        let found: Vec<Option<Client>> =
            stream::iter(ids).map(look_up).buffered(AT_A_TIME).try_collect().await?;
        Ok(found.into_iter().flatten().map(|it| (it.id.clone(), it)).collect())
    }
}

/// Refuses transitions that whoever asks for them could not make one by one.
pub(super) fn check_mandate(
    transitions: &[Transition],
    mandate: &Mandate,
) -> Result<(), ChangesError> {
    for Transition { client, before, after, .. } in transitions {
        mandate
            .check(before.as_ref(), after.as_ref())
            .map_err(|exceeded| ChangesError::Exceeded(client.clone(), exceeded))?;
    }
    Ok(())
}

/// The set as a draft that may still be changed.
pub(super) fn draft(set: &ChangeSet) -> Result<(), ChangesError> {
    match &set.state {
        ChangeSetState::Draft => Ok(()),
        state @ (ChangeSetState::Committed(_) | ChangeSetState::RolledBack { .. }) => {
            let mend = "draft another one";
            Err(ChangesError::WrongState { state: state.name(), mend })
        }
    }
}

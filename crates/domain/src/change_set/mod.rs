//! Changes that are drafted, reviewed, committed at once and rolled back at once.

mod archive;
mod body;
mod operation;

pub use archive::InvalidArchive;
pub use operation::{ClientAction, ClientOperation, InvalidOperation, Operation};

use crate::{
    Author, ChangeNote, ChangeSetId, Client, ClientId, Credential, Revision, SecretId, Timestamp,
};

/// The most operations in one change set.
pub const MAX_OPERATIONS: usize = 1_000;

/// The most bytes that a change set may take where it is kept, with all it has to remember for a
/// rollback: half of what the smallest of the stores takes.
pub const MAX_KEPT_BYTES: usize = 8 * 1024 * 1024;

/// Changes that take effect together, or not at all.
///
/// A draft has no effect whatever: only a commit has, and a rollback.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeSet {
    /// Its name; ids that were made later are greater.
    pub id: ChangeSetId,
    /// What it is for.
    pub note: Option<ChangeNote>,
    /// Who drafted it.
    pub author: Author,
    /// When it was drafted.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with each change: the entity tag of an update.
    pub revision: Revision,
    /// What it changes.
    pub operations: Vec<Operation>,
    /// How far it has come.
    pub state: ChangeSetState,
    /// Secrets that an attempt to commit, or to roll back, put down before it changed anything. As
    /// long as they are here they belong to nobody, and the next attempt takes them away.
    pub pending: Vec<PendingSecret>,
    /// What follows from the last commit or rollback and may not be done yet. To do it again does
    /// no harm.
    pub unsettled: Vec<Settlement>,
}

/// How far a change set has come.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeSetState {
    /// Nothing of it has any effect.
    Draft,
    /// All of it took effect.
    Committed(Commitment),
    /// All of it took effect, and was taken back.
    RolledBack {
        /// What was taken back, without any hash of a secret.
        commitment: Commitment,
        /// Who took it back.
        by: Author,
        /// When.
        at: Timestamp,
    },
}

impl ChangeSetState {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Committed(_) => "committed",
            Self::RolledBack { .. } => "rolled_back",
        }
    }
}

/// What a commit did.
#[derive(Clone, Debug, PartialEq)]
pub struct Commitment {
    /// Who committed.
    pub by: Author,
    /// When.
    pub at: Timestamp,
    /// What became of each client, ordered by id.
    pub transitions: Vec<Transition>,
}

/// What a commit makes of one client.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// Which one.
    pub client: ClientId,
    /// What it was; `None` where there was none.
    pub before: Option<Client>,
    /// What it is; `None` where it is deleted.
    pub after: Option<Client>,
    /// The secrets that it loses, as hashes: a rollback brings them back.
    pub lost_secrets: Vec<Credential>,
}

/// A secret that was put down for a client which may never come to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingSecret {
    /// The client.
    pub client: ClientId,
    /// Which of its secrets.
    pub secret: SecretId,
}

/// What follows from a change of one client, in stores that may be others than that of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The client.
    pub client: ClientId,
    /// When it was changed.
    pub at: Timestamp,
    /// The secrets that it has from then on; whatever else was made before goes. `None`: nothing
    /// was changed about its secrets.
    pub secrets: Option<Vec<SecretId>>,
    /// Its tokens that are issued until then are taken back, as long as it stays out of use;
    /// `None`: nothing was changed about them.
    pub tokens_until: Option<Timestamp>,
}

/// What a list of change sets shows of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSetSummary {
    /// Its name.
    pub id: ChangeSetId,
    /// What it is for.
    pub note: Option<ChangeNote>,
    /// Who drafted it.
    pub author: Author,
    /// When it was drafted.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The name of its state.
    pub state: String,
    /// How many operations it has.
    pub operations: usize,
}

impl ChangeSet {
    /// Whether nothing is left to be done about its last commit or rollback.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.unsettled.is_empty()
    }

    /// What a list shows of it.
    #[must_use]
    pub fn summary(&self) -> ChangeSetSummary {
        ChangeSetSummary {
            id: self.id.clone(),
            note: self.note.clone(),
            author: self.author.clone(),
            created_at: self.created_at,
            updated_at: self.updated_at,
            state: self.state.name().to_owned(),
            operations: self.operations.len(),
        }
    }

    /// The change set after one more change, at `now`.
    #[must_use]
    pub fn renewed(self, now: Timestamp) -> Self {
        Self { revision: self.revision.next(), updated_at: now, ..self }
    }
}

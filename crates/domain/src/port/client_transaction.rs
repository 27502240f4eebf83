//! How several clients are changed at once.

use async_trait::async_trait;

use crate::change_set::ChangeSet;
use crate::{Client, ClientId, Fault, Revision};

/// How several clients are changed at once, together with the change set that says so.
#[async_trait]
pub trait ClientTransaction: Send + Sync {
    /// Why this store cannot change several clients at once; `None` if it can.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn obstacle(&self) -> Result<Option<&'static str>, Fault>;

    /// Carries out every one of `writes`, and replaces the change set, whose stored revision is
    /// `expected`, by `set`: all of it or nothing, for whoever reads meanwhile, for whoever writes
    /// meanwhile, and in a crash at any moment. No two of `writes` are about one client.
    ///
    /// Of concurrent calls that expect one revision of one set, exactly one succeeds; so does of
    /// calls that write the same client. When this returns, all of it survives a crash.
    ///
    /// # Errors
    ///
    /// [`ApplyError`]; then nothing is changed, but for a [`Fault`], after which everything may be
    /// changed, now or within seconds. To make sure that it will not be, let
    /// [`ChangeSetRepository::update`](super::ChangeSetRepository::update) expect the same
    /// revision: if that succeeds, this never does.
    async fn apply(
        &self,
        writes: &[ClientWrite],
        set: &ChangeSet,
        expected: Revision,
    ) -> Result<(), ApplyError>;
}

/// One client as it will be, on the condition that it is what it was.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientWrite {
    /// A client that was not known before.
    Insert(Client),
    /// A client whose stored revision is `expected`. The stored `last_login` is kept.
    Update {
        /// What it will be, with its new revision.
        client: Client,
        /// The revision that it has.
        expected: Revision,
    },
    /// A client that is forgotten.
    Remove {
        /// Which one.
        id: ClientId,
        /// The revision that it has.
        expected: Revision,
    },
}

impl ClientWrite {
    /// The client that it is about.
    #[must_use]
    pub const fn client(&self) -> &ClientId {
        match self {
            Self::Insert(client) | Self::Update { client, .. } => &client.id,
            Self::Remove { id, .. } => id,
        }
    }
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// These clients are not what they were: ordered by id, and all of them.
    #[error("clients were changed meanwhile")]
    Moved(Vec<ClientId>),
    /// The change set was changed, committed, rolled back or discarded meanwhile.
    #[error("the change set was changed meanwhile")]
    Superseded,
    /// The store cannot change several clients at once, whatever they are.
    #[error("{0}")]
    Impossible(&'static str),
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

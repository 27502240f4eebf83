//! Where clients are kept.

use async_trait::async_trait;

use super::Known;
use crate::{Client, ClientId, Fault, Login, Revision};

/// Where clients are kept.
#[async_trait]
pub trait ClientRepository: Send + Sync {
    /// The client known as `id`, if there is one, in whatever state it is.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]; an unknown `id` is not an error.
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Fault>;

    /// As `find`, and says whether the answer is remembered. A store remembers nothing; a cache
    /// says so for each answer.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn look_up(&self, id: &ClientId) -> Result<Known<Option<Client>>, Fault> {
        self.find(id).await.map(Known::read)
    }

    /// As `find`, past whatever is remembered: what the store says now. Those who ask at the same
    /// time may share one answer.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn look_again(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        self.find(id).await
    }

    /// Keeps a client that was not known before.
    ///
    /// Of concurrent inserts of one `id`, exactly one succeeds. When this returns, the client
    /// survives a crash of this process.
    ///
    /// # Errors
    ///
    /// [`InsertClientError`]; then nothing is changed, but for a [`Fault`], after which the client
    /// may be kept all the same.
    async fn insert(&self, client: &Client) -> Result<(), InsertClientError>;

    /// Replaces a client whose stored revision is `expected`; `client.revision` is the new one.
    /// The stored `last_login` is kept.
    ///
    /// Of concurrent updates that expect one revision, exactly one succeeds.
    ///
    /// # Errors
    ///
    /// [`UpdateClientError`]; then nothing is changed.
    async fn update(&self, client: &Client, expected: Revision) -> Result<(), UpdateClientError>;

    /// Forgets a client. `false` if there was none.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn remove(&self, id: &ClientId) -> Result<bool, Fault>;
}

/// Why a client was not kept.
#[derive(Debug, thiserror::Error)]
pub enum InsertClientError {
    /// A client with this `id` is already known.
    #[error("a client with this id already exists")]
    AlreadyExists,
    /// The store has a schema of its own, which lacks a member of this client.
    #[error("the store of clients does not take {member}")]
    Refused {
        /// The member, by its name in registrations (RFC 7591 section 2) and in management.
        member: String,
    },
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a client was not changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateClientError {
    /// No client has this `id`.
    #[error("there is no client with this id")]
    Unknown,
    /// Somebody changed the client since its revision was read.
    #[error("the client was changed meanwhile")]
    Conflict,
    /// The store has a schema of its own, which lacks a member of this client.
    #[error("the store of clients does not take {member}")]
    Refused {
        /// The member, by its name in registrations (RFC 7591 section 2) and in management.
        member: String,
    },
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Looks through the clients, a page at a time.
#[async_trait]
pub trait ClientDirectory: Send + Sync {
    /// The clients that follow `query.after`, ordered by id, byte by byte.
    ///
    /// A client that exists from the first page to the last is on exactly one of them.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    async fn page(&self, query: &ClientQuery) -> Result<ClientPage, Fault>;
}

/// What to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientQuery {
    /// The last id of the page before; `None` for the first page.
    pub after: Option<ClientId>,
    /// The most clients on a page.
    pub limit: usize,
    /// Only clients whose id or name holds this text, ASCII letters compared without case.
    pub search: Option<String>,
}

/// Some of the clients.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientPage {
    /// The clients, ordered by id.
    pub clients: Vec<Client>,
    /// Whether more follow.
    pub has_more: bool,
}

/// Writes down when clients were last given a token.
#[async_trait]
pub trait LoginLedger: Send + Sync {
    /// Sets `last_login` of each client to the moment named, unless a later one is stored.
    /// Unknown clients are passed over. No revision changes.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]; some of the logins may have been written by then.
    async fn record(&self, logins: &[Login]) -> Result<(), Fault>;
}

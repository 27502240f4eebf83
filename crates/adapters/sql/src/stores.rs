//! Every storage port, over one database.

use std::fmt;

use crate::{Engine, InvalidPgUrl, PgOptions, Postgres, Sqlite, SqliteOptions};
use domain::Fault;

/// Every storage port, over one database. Cheap to clone: clones share their connections.
#[derive(Clone)]
pub struct Stores<E> {
    pub(crate) engine: E,
}

/// Every storage port, in one SQLite file.
pub type SqliteStores = Stores<Sqlite>;

/// Every storage port, in one PostgreSQL database.
pub type PgStores = Stores<Postgres>;

impl SqliteStores {
    /// Opens the file, and makes it if there is none: mode 0600, in a directory of mode 0700.
    ///
    /// The schema may still be missing: see [`Stores::migrate`].
    ///
    /// # Errors
    ///
    /// [`Fault`] of kind `Unavailable` if the file cannot be made, opened or written to, or is
    /// locked by somebody else; `Corrupt` if it is no database.
    pub async fn open(options: &SqliteOptions) -> Result<Self, Fault> {
        Ok(Self { engine: Sqlite::open(options).await? })
    }
}

impl PgStores {
    /// Prepares to connect: the database need not be up, and the schema may still be missing (see
    /// [`Stores::migrate`]).
    ///
    /// What the URL leaves open is read from the variables and files that `libpq` reads
    /// (`PGPASSWORD`, `PGSSLMODE`, `PGSSLROOTCERT`, `~/.pgpass`...).
    ///
    /// # Errors
    ///
    /// [`InvalidPgUrl`].
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime, which looks after the connections.
    pub fn new(options: &PgOptions) -> Result<Self, InvalidPgUrl> {
        Ok(Self { engine: Postgres::new(options)? })
    }
}

impl<E: Engine> Stores<E> {
    /// Closes the connections, and waits until those in use are given back.
    pub async fn close(&self) {
        self.engine.close().await;
    }
}

impl<E: Engine> fmt::Debug for Stores<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the engine: it knows a password.
        f.debug_struct("Stores").field("database", &E::NAME).finish_non_exhaustive()
    }
}

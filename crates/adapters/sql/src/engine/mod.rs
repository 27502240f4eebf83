//! What the stores need from a database, and where the two differ.

mod argument;
mod lease;
pub(crate) mod postgres;
pub(crate) mod sqlite;

pub use argument::Argument;

use std::future::Future;

use domain::Fault;
use sqlx::FromRow;
use sqlx::migrate::{AppliedMigration, Migrator};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::MigrationError;

/// A database that the stores can live in.
///
/// Both number their placeholders `$1`, `$2`... and agree on nearly every statement; the constants
/// are those they do not agree on.
pub trait Engine: Send + Sync + 'static {
    /// What a health check calls it.
    const NAME: &'static str;

    /// Sets `last_login` of many clients. `$1` is a JSON array of objects with `client` and
    /// `moment`.
    const RECORD_LOGINS: &'static str;

    /// Sets `last_used` of many secrets. `$1` is a JSON array of objects with `client`, `secret`
    /// and `moment`.
    const RECORD_USES: &'static str;

    /// Each deletes at most `$2` rows of one table that ended at `$1` or earlier.
    const SWEEPS: [&'static str; 4];

    /// The rows that a statement yields.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    fn read<R: FromEitherRow>(
        &self,
        sql: &'static str,
        arguments: &[Argument<'_>],
    ) -> impl Future<Output = Result<Vec<R>, Fault>> + Send;

    /// Runs one statement as a transaction of its own; when this returns, it is on disk. How many
    /// rows it changed.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    fn write(
        &self,
        sql: &'static str,
        arguments: &[Argument<'_>],
    ) -> impl Future<Output = Result<u64, Fault>> + Send;

    /// Runs `steps` as one transaction, if each of them changes a row; else none of them changes
    /// anything. Yields the positions of those that would have changed none: where there are none,
    /// everything is on disk.
    ///
    /// # Errors
    ///
    /// Any [`Fault`], after which everything may be done, or nothing.
    fn transact(
        &self,
        steps: &[Step<'_>],
    ) -> impl Future<Output = Result<Vec<usize>, Fault>> + Send;

    /// Asks the connection that writes for something.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    fn probe(&self) -> impl Future<Output = Result<(), Fault>> + Send;

    /// The migrations this release knows.
    fn migrator() -> &'static Migrator;

    /// The migrations the database has seen; none where it is empty.
    ///
    /// # Errors
    ///
    /// Any [`Fault`].
    fn applied(&self) -> impl Future<Output = Result<Vec<AppliedMigration>, Fault>> + Send;

    /// Applies what the database has not seen, alone: whoever does the same waits.
    ///
    /// # Errors
    ///
    /// See [`MigrationError`].
    fn apply(&self) -> impl Future<Output = Result<(), MigrationError>> + Send;

    /// Closes the connections.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// One statement of a transaction.
#[expect(missing_debug_implementations, reason = "it may hold the hash of a secret")]
pub struct Step<'a> {
    /// The statement.
    pub sql: &'static str,
    /// What its placeholders stand for.
    pub arguments: Vec<Argument<'a>>,
}

/// What can be read from a row of either database.
pub trait FromEitherRow:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> FromEitherRow for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

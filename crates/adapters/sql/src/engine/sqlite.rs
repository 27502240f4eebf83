//! SQLite: one file, one connection that writes, some that read.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::Fault;
use sqlx::migrate::{AppliedMigration, Migrate as _, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tokio::time::{sleep, timeout};

use super::argument::query;
use super::{Argument, Engine, FromEitherRow, Step};
use crate::MigrationError;
use crate::fault::fault;
use crate::migration::failed;

static MIGRATOR: Migrator = sqlx::migrate!("../../../migrations/sqlite");

/// How to use a SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// Where it is.
    pub path: PathBuf,
    /// How many reads may run at a time.
    pub read_connections: u32,
    /// How long to wait for another process that writes, and for writes of our own that are ahead
    /// in the queue.
    pub busy_timeout: Duration,
}

impl SqliteOptions {
    /// The file at `path`, with 4 connections to read and 5 seconds of patience.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), read_connections: 4, busy_timeout: Duration::from_secs(5) }
    }
}

/// The connections to one SQLite file.
///
/// SQLite lets one connection write at a time. With one connection for all writes ours wait for
/// each other in a fair queue, instead of racing for the lock of the file.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "`Stores` has one, which says enough")]
pub struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Sqlite {
    pub(crate) async fn open(options: &SqliteOptions) -> Result<Self, Fault> {
        // Absolute, so that no path has a meaning of its own to SQLite (`:memory:`, `file:...`).
        let path = std::path::absolute(&options.path).map_err(Fault::unavailable)?;
        make_file(&path).map_err(Fault::unavailable)?;
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(options.busy_timeout)
            .foreign_keys(true);
        let pool = || {
            SqlitePoolOptions::new()
                .acquire_timeout(options.busy_timeout)
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        let writing = connect
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            // Whoever is told that a write was done may rely on it, even when the power fails.
            .synchronous(SqliteSynchronous::Full);
        let open = async {
            loop {
                match pool().max_connections(1).connect_with(writing.clone()).await {
                    // Nobody waits for the lock that the change to WAL takes: SQLite just refuses.
                    Err(error) if is_busy(&error) => sleep(Duration::from_millis(10)).await,
                    outcome => return outcome,
                }
            }
        };
        let writer = timeout(options.busy_timeout, open)
            .await
            .map_err(Fault::unavailable)?
            .map_err(fault)?;
        let readers = pool()
            .max_connections(options.read_connections.max(1))
            .connect_lazy_with(connect.pragma("query_only", "on"));
        Ok(Self { writer, readers })
    }
}

/// Makes the file and its directory where they are missing, for our eyes only. SQLite gives its
/// other files (`-wal`, `-shm`) the mode of this one.
fn make_file(path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: i32 = 5;
    error
        .as_database_error()
        .and_then(|error| error.code()?.parse::<i32>().ok())
        .is_some_and(|code| code & 0xFF == SQLITE_BUSY)
}

impl Engine for Sqlite {
    const NAME: &'static str = "sqlite";

    const RECORD_LOGINS: &'static str = "
        update clients set last_login = login.moment
        from (
            select value ->> 'client' as client, max(value ->> 'moment') as moment
            from json_each($1) group by 1
        ) as login
        where clients.id = login.client
        and (clients.last_login is null or clients.last_login < login.moment)";

    const RECORD_USES: &'static str = "
        update credentials set last_used = used.moment
        from (
            select value ->> 'client' as client, value ->> 'secret' as secret,
                max(value ->> 'moment') as moment
            from json_each($1) group by 1, 2
        ) as used
        where credentials.client_id = used.client and credentials.id = used.secret
        and (credentials.last_used is null or credentials.last_used < used.moment)";

    const SWEEPS: [&'static str; 4] = [
        "delete from used_assertions where until <= $1 and (client, id) in
            (select client, id from used_assertions where until <= $1 limit $2)",
        "delete from revoked_tokens where until <= $1 and id in
            (select id from revoked_tokens where until <= $1 limit $2)",
        "delete from revoked_clients where until <= $1 and client in
            (select client from revoked_clients where until <= $1 limit $2)",
        "delete from reference_tokens where rowid in
            (select rowid from reference_tokens where expires_at <= $1 limit $2)",
    ];

    async fn read<R: FromEitherRow>(
        &self,
        sql: &'static str,
        arguments: &[Argument<'_>],
    ) -> Result<Vec<R>, Fault> {
        let rows = query(sql, arguments).fetch_all(&self.readers).await.map_err(fault)?;
        rows.iter().map(R::from_row).collect::<Result<_, _>>().map_err(fault)
    }

    async fn write(&self, sql: &'static str, arguments: &[Argument<'_>]) -> Result<u64, Fault> {
        // A single statement that writes takes the lock before it reads, as `begin immediate`
        // does, and commits before it returns.
        let done = query(sql, arguments).execute(&self.writer).await.map_err(fault)?;
        Ok(done.rows_affected())
    }

    async fn transact(&self, steps: &[Step<'_>]) -> Result<Vec<usize>, Fault> {
        // With the lock from the start: a transaction that reads first may be refused it later.
        let begun = self.writer.begin_with("begin immediate").await;
        // Where it is dropped before its end, it is rolled back.
        let mut transaction = begun.map_err(fault)?;
        let mut idle = Vec::new();
        for (position, Step { sql, arguments }) in steps.iter().enumerate() {
            let done = query(sql, arguments).execute(&mut *transaction).await.map_err(fault)?;
            if done.rows_affected() == 0 {
                idle.push(position);
            }
        }
        if idle.is_empty() {
            transaction.commit().await.map_err(fault)?;
        } else {
            transaction.rollback().await.map_err(fault)?;
        }
        Ok(idle)
    }

    async fn probe(&self) -> Result<(), Fault> {
        sqlx::query("select 1").execute(&self.writer).await.map(drop).map_err(fault)
    }

    fn migrator() -> &'static Migrator {
        &MIGRATOR
    }

    async fn applied(&self) -> Result<Vec<AppliedMigration>, Fault> {
        let mut connection = self.writer.acquire().await.map_err(fault)?;
        let tables: i64 = sqlx::query_scalar("select count(*) from sqlite_master where name = $1")
            .bind(&*MIGRATOR.table_name)
            .fetch_one(&mut *connection)
            .await
            .map_err(fault)?;
        if tables == 0 {
            return Ok(Vec::new());
        }
        let applied = connection.list_applied_migrations(&MIGRATOR.table_name).await;
        applied.map_err(Fault::unavailable)
    }

    async fn apply(&self) -> Result<(), MigrationError> {
        let begun = self.writer.begin_with("begin immediate").await;
        let mut transaction = begun.map_err(fault)?;
        MIGRATOR.run_direct(None, &mut *transaction, false).await.map_err(failed)?;
        Ok(transaction.commit().await.map_err(fault)?)
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

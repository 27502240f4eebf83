//! PostgreSQL: a pool, and a bound on every wait.

use std::future::Future;
use std::time::Duration;

use domain::Fault;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::migrate::{AppliedMigration, Migrate as _, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::time::timeout;

use super::argument::query;
use super::lease::Lease;
use super::{Argument, Engine, FromEitherRow, Step};
use crate::MigrationError;
use crate::fault::fault;
use crate::migration::failed;

static MIGRATOR: Migrator = sqlx::migrate!("../../../migrations/postgres");

/// How long a migration may take, and the wait for somebody else's.
const MIGRATION_TIMEOUT: Duration = Duration::from_mins(10);

/// How long a connection may lie idle before it is asked whether it still works.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// How many times as long as one statement a transaction may take: it may have a thousand.
const TRANSACTION_PATIENCE: u32 = 10;

/// How to use a PostgreSQL database. A call takes `acquire_timeout` and `statement_timeout` at
/// most, and then fails as `Unavailable`.
#[derive(Clone, Debug)]
pub struct PgOptions {
    /// Where it is: `postgres://user:password@host:port/database?sslmode=verify-full`.
    pub url: SecretString,
    /// The most connections to hold.
    pub max_connections: u32,
    /// How long to wait for a free connection, or for a new one.
    pub acquire_timeout: Duration,
    /// How long to wait for the answer to a statement. The server gives up then as well.
    pub statement_timeout: Duration,
}

impl PgOptions {
    /// The database at `url`, with 10 connections; nobody waits longer than 5 seconds: 2 for a
    /// connection and 3 for the answer.
    #[must_use]
    pub fn new(url: SecretString) -> Self {
        Self {
            url,
            max_connections: 10,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(3),
        }
    }
}

/// The text is no URL of a PostgreSQL database. It is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a URL of the form postgres://user:password@host:port/database?parameter=value")]
pub struct InvalidPgUrl;

/// The connections to one PostgreSQL database.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it knows a password; `Stores` has one")]
pub struct Postgres {
    pool: PgPool,
    /// For connections of their own, which migrations use: without a limit for statements.
    connect: PgConnectOptions,
    acquire_timeout: Duration,
    statement_timeout: Duration,
}

impl Postgres {
    pub(crate) fn new(options: &PgOptions) -> Result<Self, InvalidPgUrl> {
        let PgOptions { url, max_connections, acquire_timeout, statement_timeout } = options;
        let mut connect: PgConnectOptions =
            url.expose_secret().parse().map_err(|_| InvalidPgUrl)?;
        if connect.get_application_name().is_none() {
            connect = connect.application_name("tokenwright");
        }
        let pool = PgPoolOptions::new()
            .max_connections((*max_connections).max(1))
            .acquire_timeout(*acquire_timeout)
            // A round trip before each statement is dear; after a pause it is worth it.
            .test_before_acquire(false)
            .before_acquire(|connection, state| {
                Box::pin(async move {
                    if TRUSTED_IDLE < state.idle_for {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(with_statement_timeout(connect.clone(), *statement_timeout));
        Ok(Self {
            pool,
            connect: with_statement_timeout(connect, MIGRATION_TIMEOUT),
            acquire_timeout: *acquire_timeout,
            statement_timeout: *statement_timeout,
        })
    }

    async fn lease(&self) -> Result<Lease, Fault> {
        self.pool.acquire().await.map(Lease::new).map_err(fault)
    }

    /// A connection beside the pool, which says at once why it cannot be made.
    async fn dial(&self) -> Result<PgConnection, Fault> {
        let dialed = timeout(self.acquire_timeout, self.connect.connect()).await;
        dialed.map_err(Fault::unavailable)?.map_err(fault)
    }

    /// Room for the one connection that listens, beside the pool.
    pub(crate) fn listening_pool(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(self.acquire_timeout)
            .connect_lazy_with(self.connect.clone())
    }

    /// How long the server may take to answer.
    pub(crate) const fn patience(&self) -> Duration {
        self.statement_timeout
    }

    /// What `work` yields, if it does in time. The server's own limit does not suffice: the
    /// network may swallow the answer.
    async fn in_time<T, X>(
        &self,
        work: impl Future<Output = Result<T, X>>,
        into_fault: impl FnOnce(X) -> Fault,
    ) -> Result<T, Fault> {
        timeout(self.statement_timeout, work).await.map_err(Fault::unavailable)?.map_err(into_fault)
    }
}

/// A transaction whose other end is gone ends as well, and what it locked is free.
fn with_statement_timeout(connect: PgConnectOptions, limit: Duration) -> PgConnectOptions {
    let limit = limit.as_millis();
    connect.options([("statement_timeout", limit), ("idle_in_transaction_session_timeout", limit)])
}

impl Engine for Postgres {
    const NAME: &'static str = "postgres";

    // Rows are locked in order of their keys, so that two nodes that write down the same clients
    // at once wait for each other instead of locking each other out.
    const RECORD_LOGINS: &'static str = "
        with login as (
            select client, max(moment) as moment
            from json_to_recordset($1::json) as noted (client text, moment bigint)
            group by client
        ), locked as (
            select clients.id, login.moment
            from clients join login on clients.id = login.client
            where clients.last_login is null or clients.last_login < login.moment
            order by clients.id
            for no key update of clients
        )
        update clients set last_login = locked.moment
        from locked
        where clients.id = locked.id
        and (clients.last_login is null or clients.last_login < locked.moment)";

    const RECORD_USES: &'static str = "
        with used as (
            select client, secret, max(moment) as moment
            from json_to_recordset($1::json) as noted (client text, secret text, moment bigint)
            group by client, secret
        ), locked as (
            select credentials.sequence, used.moment
            from credentials join used
                on credentials.client_id = used.client and credentials.id = used.secret
            where credentials.last_used is null or credentials.last_used < used.moment
            order by credentials.sequence
            for no key update of credentials
        )
        update credentials set last_used = locked.moment
        from locked
        where credentials.sequence = locked.sequence
        and (credentials.last_used is null or credentials.last_used < locked.moment)";

    // `skip locked`: another node may sweep too, or burn an expired id anew. The order keeps the
    // planner to the index even where it believes that most of a large table has ended.
    const SWEEPS: [&'static str; 4] = [
        "delete from used_assertions where until <= $1 and (client, id) in
            (select client, id from used_assertions where until <= $1
             order by until limit $2 for update skip locked)",
        "delete from revoked_tokens where until <= $1 and id in
            (select id from revoked_tokens where until <= $1
             order by until limit $2 for update skip locked)",
        "delete from revoked_clients where until <= $1 and client in
            (select client from revoked_clients where until <= $1
             order by until limit $2 for update skip locked)",
        "delete from reference_tokens where expires_at <= $1 and digest in
            (select digest from reference_tokens where expires_at <= $1
             order by expires_at limit $2 for update skip locked)",
    ];

    async fn read<R: FromEitherRow>(
        &self,
        sql: &'static str,
        arguments: &[Argument<'_>],
    ) -> Result<Vec<R>, Fault> {
        let mut lease = self.lease().await?;
        let work = query(sql, arguments).fetch_all(lease.connection());
        let rows = self.in_time(work, fault).await?;
        lease.done();
        rows.iter().map(R::from_row).collect::<Result<_, _>>().map_err(fault)
    }

    async fn write(&self, sql: &'static str, arguments: &[Argument<'_>]) -> Result<u64, Fault> {
        let mut lease = self.lease().await?;
        let work = query(sql, arguments).execute(lease.connection());
        let done = self.in_time(work, fault).await?;
        lease.done();
        Ok(done.rows_affected())
    }

    async fn transact(&self, steps: &[Step<'_>]) -> Result<Vec<usize>, Fault> {
        let mut lease = self.lease().await?;
        let work = async {
            let connection = lease.connection();
            // Each statement sees what was committed before it: whoever is in the way is waited
            // for, and then seen.
            let begin = sqlx::raw_sql("begin isolation level read committed");
            begin.execute(&mut *connection).await?;
            let mut idle = Vec::new();
            for (position, Step { sql, arguments }) in steps.iter().enumerate() {
                let done = query(sql, arguments).execute(&mut *connection).await?;
                if done.rows_affected() == 0 {
                    idle.push(position);
                }
            }
            let end = if idle.is_empty() { "commit" } else { "rollback" };
            sqlx::raw_sql(end).execute(&mut *connection).await?;
            Ok(idle)
        };
        let limit = self.statement_timeout * TRANSACTION_PATIENCE;
        let idle = timeout(limit, work).await.map_err(Fault::unavailable)?.map_err(fault)?;
        lease.done();
        Ok(idle)
    }

    async fn probe(&self) -> Result<(), Fault> {
        self.write("select 1", &[]).await.map(drop)
    }

    fn migrator() -> &'static Migrator {
        &MIGRATOR
    }

    async fn applied(&self) -> Result<Vec<AppliedMigration>, Fault> {
        let mut connection = self.dial().await?;
        let has_table = sqlx::query_scalar("select to_regclass($1) is not null")
            .bind(&*MIGRATOR.table_name)
            .fetch_one(&mut connection);
        if !self.in_time(has_table, fault).await? {
            return Ok(Vec::new());
        }
        let applied = connection.list_applied_migrations(&MIGRATOR.table_name);
        self.in_time(applied, Fault::unavailable).await
    }

    async fn apply(&self) -> Result<(), MigrationError> {
        let mut connection = self.dial().await?;
        // An advisory lock keeps other nodes waiting; it ends with this connection.
        let run = MIGRATOR.run_direct(None, &mut connection, false);
        timeout(MIGRATION_TIMEOUT, run).await.map_err(Fault::unavailable)?.map_err(failed)
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

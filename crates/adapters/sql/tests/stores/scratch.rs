//! Empty databases, one for each test.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use adapter_sql::{
    Engine, PgOptions, PgStores, Postgres, Sqlite, SqliteOptions, SqliteStores, Stores,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use tempfile::TempDir;

/// Each case as a test on either database.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $case() { super::$case::<crate::scratch::SqliteFile>().await; })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $case() { super::$case::<crate::scratch::PgDatabase>().await; })+
        }
    };
}

pub(crate) use on_both;

/// A database that is gone when this is dropped.
pub(crate) trait Scratch: Sized {
    /// What runs on it.
    type Engine: Engine + Clone;

    /// A database without a schema.
    async fn empty() -> Self;

    /// One more node that uses the database.
    async fn node(&self) -> Stores<Self::Engine>;

    /// Makes the schema of an earlier release.
    async fn migrate_to(&self, version: i64);

    /// The statement that makes so many reference tokens that ended long ago.
    fn expired_tokens(many: u64) -> String;

    /// Runs statements behind the back of the stores.
    async fn execute(&self, sql: &str);
}

/// A store on a fresh database, and the database.
pub(crate) async fn stores<S: Scratch>() -> (Stores<S::Engine>, S) {
    let scratch = S::empty().await;
    let stores = scratch.node().await;
    stores.migrate().await.unwrap();
    (stores, scratch)
}

/// A SQLite file in a directory of its own.
pub(crate) struct SqliteFile {
    pub(crate) directory: TempDir,
}

impl SqliteFile {
    pub(crate) fn options(&self) -> SqliteOptions {
        SqliteOptions {
            busy_timeout: Duration::from_secs(30),
            ..SqliteOptions::new(self.directory.path().join("data/tokenwright.db"))
        }
    }
}

impl Scratch for SqliteFile {
    type Engine = Sqlite;

    async fn empty() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    async fn node(&self) -> SqliteStores {
        SqliteStores::open(&self.options()).await.unwrap()
    }

    async fn migrate_to(&self, version: i64) {
        let options = SqliteConnectOptions::new().filename(self.options().path);
        let mut connection = options.connect().await.unwrap();
        Sqlite::migrator().run_to(version, &mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    fn expired_tokens(many: u64) -> String {
        format!(
            "with recursive n (n) as (select 1 union all select n + 1 from n where n < {many})
            insert into reference_tokens (digest, client, expires_at, claims)
            select randomblob(32), 'a', n, '{{\"sub\":\"a\"}}' from n"
        )
    }

    async fn execute(&self, sql: &str) {
        let options = SqliteConnectOptions::new().filename(self.options().path);
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// A database of the PostgreSQL server that the tests were given.
pub(crate) struct PgDatabase {
    name: String,
}

impl PgDatabase {
    pub(crate) fn url(&self) -> String {
        let mut admin = admin_url();
        let path = admin.rfind('/').unwrap();
        admin.truncate(path + 1);
        admin + &self.name
    }

    pub(crate) fn options(&self) -> PgOptions {
        PgOptions {
            acquire_timeout: Duration::from_secs(30),
            statement_timeout: Duration::from_secs(30),
            ..PgOptions::new(self.url().into())
        }
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.unwrap()
    }
}

impl Scratch for PgDatabase {
    type Engine = Postgres;

    async fn empty() -> Self {
        let random = RandomState::new().build_hasher().finish();
        let name = format!("tokenwright_test_{}_{random:x}", std::process::id());
        // Not `template1`, which nobody may be connected to meanwhile.
        administer(format!("create database {name} template template0 encoding 'UTF8'")).await;
        Self { name }
    }

    async fn node(&self) -> PgStores {
        PgStores::new(&self.options()).unwrap()
    }

    async fn migrate_to(&self, version: i64) {
        let mut connection = self.connect().await;
        Postgres::migrator().run_to(version, &mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    fn expired_tokens(many: u64) -> String {
        format!(
            "with recursive n (n) as (select 1 union all select n + 1 from n where n < {many})
            insert into reference_tokens (digest, client, expires_at, claims)
            select sha256(n::text::bytea), 'a', n, '{{\"sub\":\"a\"}}' from n"
        )
    }

    async fn execute(&self, sql: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

impl Drop for PgDatabase {
    fn drop(&mut self) {
        // The runtime of the test may be on its way out.
        let sql = format!("drop database {} with (force)", self.name);
        let drop_it = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(administer(sql));
        };
        std::thread::spawn(drop_it).join().unwrap();
    }
}

async fn administer(sql: String) {
    let mut connection = PgConnection::connect(&admin_url()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[expect(clippy::disallowed_methods, reason = "tests are told where PostgreSQL is")]
#[expect(clippy::expect_used, reason = "without PostgreSQL half of the tests would be skipped")]
fn admin_url() -> String {
    std::env::var("TOKENWRIGHT_TEST_POSTGRES_URL").expect(
        "TOKENWRIGHT_TEST_POSTGRES_URL is not set: run `cargo xtask test`, which starts a \
         PostgreSQL server for the tests",
    )
}

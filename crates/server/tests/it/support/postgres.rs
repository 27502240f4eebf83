//! Databases of a real PostgreSQL server, one for each test.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::Options;

/// A database that is gone when this is dropped.
pub(crate) struct Database {
    name: String,
}

impl Database {
    /// A database without a schema.
    pub(crate) async fn empty() -> Self {
        let random = RandomState::new().build_hasher().finish();
        let name = format!("tokenwright_it_{}_{random:x}", std::process::id());
        // Not `template1`, which nobody may be connected to meanwhile.
        administer(format!("create database {name} template template0 encoding 'UTF8'")).await;
        Self { name }
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        url_of(&self.name)
    }

    /// Its address by way of another port of this machine.
    pub(crate) fn url_through(&self, port: u16) -> String {
        let mut url = url::Url::parse(&self.url()).unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(port)).unwrap();
        url.into()
    }

    /// A server that keeps everything here.
    pub(crate) fn options(&self) -> Options {
        on_postgres(&self.url())
    }

    /// Runs statements behind the back of the server.
    pub(crate) async fn execute(&self, sql: &str) {
        execute(&self.url(), sql.to_owned()).await;
    }

    /// What a statement counts.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let mut connection = PgConnection::connect(&self.url()).await.unwrap();
        let sql = AssertSqlSafe(sql.to_owned());
        let count = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        count
    }
}

impl Drop for Database {
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

/// A server that keeps everything at this address.
pub(crate) fn on_postgres(url: &str) -> Options {
    Options::default()
        .with("TOKENWRIGHT__STORES__DEFAULT", "postgres")
        .with("TOKENWRIGHT__POSTGRES__URL", url)
        // Made in no time.
        .with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
}

async fn administer(sql: String) {
    execute(&admin_url(), sql).await;
}

async fn execute(url: &str, sql: String) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn url_of(name: &str) -> String {
    let mut url = url::Url::parse(&admin_url()).unwrap();
    url.set_path(name);
    url.into()
}

/// The address of the PostgreSQL server itself.
pub(crate) fn upstream() -> String {
    let url = url::Url::parse(&admin_url()).unwrap();
    format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5_432))
}

#[expect(clippy::disallowed_methods, reason = "tests are told where PostgreSQL is")]
fn admin_url() -> String {
    std::env::var("TOKENWRIGHT_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!(
            "TOKENWRIGHT_TEST_POSTGRES_URL is not set: run `cargo xtask test`, which starts a \
             PostgreSQL server for the tests"
        )
    })
}

//! What is true of PostgreSQL alone: it is another machine.

use std::error::Error as _;
use std::net::TcpListener;
use std::time::Duration;

use adapter_sql::{Engine as _, InvalidPgUrl, MigrationError, PgOptions, PgStores, Postgres};
use contract::sample::{NOW, client, client_id, later, metadata, token_id};
use domain::port::{
    self, ClientRepository as _, HealthProbe as _, InsertClientError, KeyRepository as _,
    ReplayGuard as _, TokenRepository as _,
};
use domain::{Fault, FaultKind, ReferenceToken, TokenDigest};
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::time::timeout;

use crate::scratch::{PgDatabase, Scratch as _, stores};

/// More than `impatient` takes, on a machine that is busy.
const BOUND: Duration = Duration::from_secs(4);

#[tokio::test]
async fn a_server_that_is_down_is_unavailable_in_time() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();

    is_unavailable_in_time(&impatient(&url(port))).await;
}

#[tokio::test]
async fn a_server_that_never_answers_is_unavailable_in_time() {
    // Connections are accepted by the kernel, and nobody ever reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();

    is_unavailable_in_time(&impatient(&url(silent.local_addr().unwrap().port()))).await;
}

#[tokio::test]
async fn why_a_server_cannot_be_reached_is_said_at_start() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();

    let error = impatient(&url(port)).migrate().await.unwrap_err();

    let MigrationError::Fault(fault) = error else { panic!("{error:?}") };
    assert!(fault.source().unwrap().to_string().contains("refused"), "{fault:?}");
}

#[tokio::test]
async fn a_store_may_be_made_before_its_server_is_up() {
    let database = PgDatabase::empty().await;
    let node = database.node().await;
    database.execute("select 1").await;

    node.migrate().await.unwrap();

    node.insert(&client("billing")).await.unwrap();
}

#[tokio::test]
async fn no_error_holds_the_password() {
    let database = PgDatabase::empty().await;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let unreachable = impatient(&url(port));
    // The tests' server may ask for no password, but it asks for the right database.
    let nowhere =
        impatient(&(database.url().replace("://postgres@", "://postgres:hunter2@") + "x"));

    for node in [unreachable, nowhere] {
        let errors = [
            format!("{:?}", node.check().await.unwrap_err()),
            format!("{:?}", node.migrate().await.unwrap_err()),
            format!("{:?}", node.migrate().await.unwrap_err().source()),
        ];
        for error in errors {
            assert!(!error.contains("hunter2"), "{error}");
            assert!(!error.contains("postgres://"), "{error}");
        }
    }
    let options = PgOptions::new("postgres://u:hunter2@h/d".into());
    assert!(!format!("{options:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_text_that_is_no_url_is_refused_and_not_repeated() {
    for raw in ["", "hunter2", "postgres://u:hunter2@h:port/d", "postgres://h/d?sslmode=hunter2"] {
        let refused = PgStores::new(&PgOptions::new(raw.into())).unwrap_err();

        assert_eq!(refused, InvalidPgUrl);
        assert!(!format!("{refused} {refused:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_statement_that_waits_too_long_is_given_up_whole() {
    let (patient, database) = stores::<PgDatabase>().await;
    let node = impatient(&database.url());
    let mut other = database.connect().await;
    let mut locked = other.begin().await.unwrap();
    sqlx::query("lock table clients").execute(&mut *locked).await.unwrap();

    // More than the pool has connections: none of them may stay behind.
    for _ in 0..3 {
        let refused = timeout(BOUND, node.insert(&client("billing"))).await.unwrap();
        let InsertClientError::Fault(fault) = refused.unwrap_err() else { panic!("it is free") };
        assert_eq!(fault.kind(), FaultKind::Unavailable);
    }

    locked.rollback().await.unwrap();
    assert_eq!(patient.find(&client_id("billing")).await.unwrap(), None);
    node.insert(&client("billing")).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_is_cut_in_a_write_leaves_nothing_half_made() {
    let (node, database) = stores::<PgDatabase>().await;
    let mut other = database.connect().await;
    let mut locked = other.begin().await.unwrap();
    sqlx::query("lock table clients").execute(&mut *locked).await.unwrap();

    let rival = client("billing");
    let insert = node.insert(&rival);
    let cut = async {
        let waiting = "select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        let mut admin = database.connect().await;
        while sqlx::query(waiting).fetch_all(&mut admin).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (refused, ()) = tokio::join!(insert, cut);
    locked.rollback().await.unwrap();

    let InsertClientError::Fault(fault) = refused.unwrap_err() else { panic!("it is free") };
    assert_eq!(fault.kind(), FaultKind::Unavailable);
    assert_eq!(node.find(&client_id("billing")).await.unwrap(), None);
    node.insert(&client("billing")).await.unwrap();
}

#[tokio::test]
async fn works_on_after_the_server_dropped_every_connection() {
    let (node, database) = stores::<PgDatabase>().await;
    node.insert(&client("billing")).await.unwrap();
    // Long enough for the pool to doubt its connections.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let all = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    database.execute(all).await;

    assert!(node.find(&client_id("billing")).await.unwrap().is_some());
}

#[tokio::test]
async fn what_was_given_up_does_not_use_the_pool_up() {
    let (_, database) = stores::<PgDatabase>().await;
    let node = PgOptions { max_connections: 2, ..database.options() };
    let node = PgStores::new(&node).unwrap();

    for n in 0..50 {
        let id = format!("c{n}");
        let given_up = timeout(Duration::from_micros(n * 50), node.insert(&client(&id))).await;
        let found = node.find(&client_id(&id)).await.unwrap();
        assert!(given_up.is_err() || found.is_some());
        assert!(found.is_none_or(|found| found == client(&id)));
    }
}

#[tokio::test]
async fn a_sweep_passes_over_a_row_that_somebody_holds() {
    let (node, database) = stores::<PgDatabase>().await;
    for number in [1, 2] {
        let (client, claims) = (client_id("a"), metadata());
        let token = ReferenceToken { client, expires_at: later(60), claims: claims.into() };
        let digest = TokenDigest([number; 32]);
        port::ReferenceTokenRepository::insert(&node, &digest, &token).await.unwrap();
    }
    let mut other = database.connect().await;
    let mut holder = other.begin().await.unwrap();
    let hold = "select digest from reference_tokens order by digest limit 1 for update";
    sqlx::query(hold).execute(&mut *holder).await.unwrap();

    assert_eq!(timeout(BOUND, node.sweep(later(60))).await.unwrap().unwrap(), 1);

    holder.rollback().await.unwrap();
    assert_eq!(node.sweep(later(60)).await.unwrap(), 1);
}

/// Else each batch of a sweep walks over whatever the earlier ones deleted: after a night without a
/// sweep nearly everything has ended, and a planner that has no order to keep walks the table.
#[tokio::test]
async fn a_sweep_keeps_to_the_index_where_nearly_all_has_ended() {
    let (_, database) = stores::<PgDatabase>().await;
    let fill = |table: &str, columns: &str, values: &str| {
        format!("insert into {table} ({columns}) select {values} from generate_series(1, 20000) n;")
    };
    let fill = [
        fill("used_assertions", "client, id, until", "'a', 'j' || n, n"),
        fill("revoked_tokens", "id, until", "'j' || n, n"),
        fill("revoked_clients", "client, issued_until, until", "'c' || n, n, n"),
        PgDatabase::expired_tokens(20_000) + "; vacuum analyze",
    ];
    for sql in fill.concat().split(';') {
        database.execute(sql).await;
    }
    let mut connection = database.connect().await;

    for sweep in Postgres::SWEEPS {
        let explain = sweep.replace("$1", "19990").replace("$2", "500");
        let explain = AssertSqlSafe(format!("explain {explain}"));
        let plan: Vec<String> =
            sqlx::query_scalar(explain).fetch_all(&mut connection).await.unwrap();
        let plan = plan.join("\n");
        // What the inner query walks is what carries the limit.
        let (_, inner) = plan.split_once("LockRows").unwrap();
        let walked = inner.lines().nth(1).unwrap();
        assert!(walked.contains("Index Scan using"), "{plan}");
    }
}

/// As the store asks for secrets that end: among many that never do.
#[tokio::test]
async fn secrets_that_end_are_found_by_an_index() {
    let (_, database) = stores::<PgDatabase>().await;
    let fill = "insert into credentials (client_id, id, hash, created_at, expires_at)
        select 'c' || n, 's', '', 0, case when n % 1000 = 0 then n end
        from generate_series(1, 20000) n; vacuum analyze credentials";
    for sql in fill.split(';') {
        database.execute(sql).await;
    }
    let mut connection = database.connect().await;
    let explain = "explain select id from credentials
        where expires_at >= 1 and expires_at < 2000 order by expires_at, sequence limit 3";

    let plan: Vec<String> = sqlx::query_scalar(explain).fetch_all(&mut connection).await.unwrap();

    assert!(plan.join("\n").contains("credentials_expires_at"), "{plan:#?}");
}

async fn is_unavailable_in_time(node: &PgStores) {
    let (id, token) = (client_id("billing"), token_id("t1"));
    let refused: [Result<(), Fault>; 6] = timeout(BOUND, async {
        tokio::join!(
            node.check(),
            async { node.find(&id).await.map(drop) },
            async { port::CredentialRepository::list(node, &id).await.map(drop) },
            async { node.is_revoked(&token).await.map(drop) },
            async { node.burn(&id, &token, later(60), NOW).await.map(drop) },
            async { node.load().await.map(drop) },
        )
        .into()
    })
    .await
    .unwrap();
    for refused in refused {
        assert_eq!(refused.unwrap_err().kind(), FaultKind::Unavailable);
    }
    let migrated = timeout(BOUND, node.migrate()).await.unwrap();
    assert!(matches!(migrated, Err(MigrationError::Fault(fault)) if fault.is_passing()));
}

fn impatient(url: &str) -> PgStores {
    let options = PgOptions {
        max_connections: 2,
        acquire_timeout: Duration::from_millis(500),
        statement_timeout: Duration::from_millis(500),
        ..PgOptions::new(url.into())
    };
    PgStores::new(&options).unwrap()
}

fn url(port: u16) -> String {
    format!("postgres://tokenwright:hunter2@127.0.0.1:{port}/tokenwright")
}

//! What is true of SQLite alone.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use adapter_sql::{SqliteOptions, SqliteStores};
use contract::sample::{NOW, client, client_id, later, token_id};
use domain::port::{ClientRepository as _, HealthProbe as _, InsertClientError, ReplayGuard as _};
use domain::{Fault, FaultKind};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::timeout;

use crate::scratch::{Scratch as _, SqliteFile, stores};

#[tokio::test]
async fn the_file_and_its_directory_are_for_our_eyes_only() {
    let (node, file) = stores::<SqliteFile>().await;
    node.insert(&client("billing")).await.unwrap();
    let path = file.options().path;

    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for suffix in ["", "-wal", "-shm"] {
        let path = format!("{}{suffix}", path.display());
        assert_eq!(mode(Path::new(&path)), 0o600, "{path}");
    }
}

#[tokio::test]
async fn modes_that_somebody_chose_stay() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("own.db");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o750)).unwrap();

    SqliteStores::open(&SqliteOptions::new(&path)).await.unwrap().migrate().await.unwrap();

    assert_eq!(mode(&path), 0o640);
    assert_eq!(mode(directory.path()), 0o750);
}

#[tokio::test]
async fn a_file_that_another_process_locks_is_unavailable() {
    let (node, file) = stores::<SqliteFile>().await;
    let impatient = SqliteOptions { busy_timeout: Duration::from_millis(200), ..file.options() };
    let impatient = SqliteStores::open(&impatient).await.unwrap();
    let mut other = other_process(&file).await;
    let locked = other.begin_with("begin immediate").await.unwrap();

    let refused =
        timeout(Duration::from_secs(5), impatient.insert(&client("billing"))).await.unwrap();
    let InsertClientError::Fault(fault) = refused.unwrap_err() else {
        panic!("that id is free");
    };
    assert_eq!(fault.kind(), FaultKind::Unavailable);
    // Who reads does not wait.
    assert_eq!(impatient.find(&client_id("billing")).await.unwrap(), None);

    locked.rollback().await.unwrap();
    impatient.insert(&client("billing")).await.unwrap();
    assert!(node.find(&client_id("billing")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_short_lock_is_waited_for() {
    let (node, file) = stores::<SqliteFile>().await;
    let mut other = other_process(&file).await;
    let locked = other.begin_with("begin immediate").await.unwrap();

    let insert = async { node.insert(&client("billing")).await };
    let unlock = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        locked.rollback().await
    };
    let (inserted, unlocked) = tokio::join!(insert, unlock);

    inserted.unwrap();
    unlocked.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_corrupt() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("letter.txt");
    std::fs::write(&path, "Dear Sir or Madam, ".repeat(1_000)).unwrap();

    assert_eq!(open(&path).await.unwrap_err().kind(), FaultKind::Corrupt);
}

#[tokio::test]
async fn a_place_where_no_file_can_be_is_unavailable() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();

    for path in [directory.path().join("file/tokenwright.db"), directory.path().to_owned()] {
        assert_eq!(open(&path).await.unwrap_err().kind(), FaultKind::Unavailable);
    }
}

#[tokio::test]
async fn a_database_without_a_schema_is_a_fault() {
    let file = SqliteFile::empty().await;
    let node = file.node().await;

    node.check().await.unwrap();
    assert!(node.find(&client_id("billing")).await.is_err());
}

#[tokio::test]
async fn a_write_that_fails_halfway_is_unavailable_and_leaves_nothing() {
    let (node, file) = stores::<SqliteFile>().await;
    node.insert(&client("first")).await.unwrap();
    // As a disk does that fills up in the middle of a statement.
    let full = "create trigger full before insert on clients when new.id = 'second'
        begin
            insert into revoked_tokens (id, until) values ('half', 1);
            select raise(abort, 'database or disk is full');
        end";
    file.execute(full).await;

    let InsertClientError::Fault(fault) = node.insert(&client("second")).await.unwrap_err() else {
        panic!("that id is free");
    };

    assert_eq!(fault.kind(), FaultKind::Unavailable);
    assert_eq!(node.find(&client_id("second")).await.unwrap(), None);
    assert!(!domain::port::TokenRepository::is_revoked(&node, &token_id("half")).await.unwrap());
    assert!(node.find(&client_id("first")).await.unwrap().is_some());
    node.insert(&client("third")).await.unwrap();
}

#[tokio::test]
async fn what_was_given_up_is_whole_or_not_there() {
    let (node, _file) = stores::<SqliteFile>().await;

    for n in 0..50 {
        let id = format!("c{n}");
        let given_up = timeout(Duration::from_micros(n * 20), node.insert(&client(&id))).await;
        let found = node.find(&client_id(&id)).await.unwrap();
        assert!(given_up.is_err() || found.is_some());
        assert!(found.is_none_or(|found| found == client(&id)));
    }
    // The connection that writes is none the worse.
    assert!(node.burn(&client_id("a"), &token_id("j1"), later(60), NOW).await.unwrap());
}

async fn open(path: &Path) -> Result<SqliteStores, Fault> {
    SqliteStores::open(&SqliteOptions::new(path)).await
}

async fn other_process(file: &SqliteFile) -> sqlx::SqliteConnection {
    SqliteConnectOptions::new().filename(file.options().path).connect().await.unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// As the store asks for secrets that end: among many that never do.
#[tokio::test]
async fn secrets_that_end_are_found_by_an_index() {
    let (_, file) = stores::<SqliteFile>().await;
    let mut connection = other_process(&file).await;
    let explain = "explain query plan select id from credentials
        where expires_at >= 1 and expires_at < 2 order by expires_at, sequence limit 3";

    let plan: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(explain).fetch_all(&mut connection).await.unwrap();

    assert!(plan[0].3.contains("USING INDEX credentials_expires_at"), "{plan:?}");
}

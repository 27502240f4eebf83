//! Staged changes on every store: the same everywhere, whole or not at all in a crash, and at once
//! on every node. Where a store cannot do it, it says so.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::ground::{Ground, Stack, mongodb_url};
use super::nodes::{on_mongodb, replica_set};
use crate::changes::{
    a_set_lives_its_whole_life, commit, create, draft, drafted, manage, of, roll_back, secret_of,
};
use crate::support::jwt::GRANT;
use crate::support::postgres::Database;
use crate::support::{Answer, Options, Server, within};

/// At once, on a slow machine.
const AT_ONCE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_set_lives_its_whole_life_on_postgres() {
    let ground = Ground::of(Stack::Postgres).await;
    a_set_lives_its_whole_life(&ground.server()).await;
}

/// Secrets elsewhere than clients: what is in Redis are tokens.
#[tokio::test]
async fn a_set_lives_its_whole_life_on_postgres_and_redis() {
    let ground = Ground::of(Stack::PostgresRedis).await;
    a_set_lives_its_whole_life(&ground.server()).await;
}

#[tokio::test]
async fn a_set_lives_its_whole_life_on_a_replica_set() {
    let options = on_mongodb(&replica_set().await);
    a_set_lives_its_whole_life(&Server::start_with(options)).await;
}

/// Clients in one database, secrets in another.
#[tokio::test]
async fn a_set_lives_its_whole_life_across_two_databases() {
    let database = Database::empty().await;
    let options = on_mongodb(&replica_set().await)
        .with("TOKENWRIGHT__STORES__CLIENTS", "postgres")
        .with("TOKENWRIGHT__POSTGRES__URL", &database.url());
    a_set_lives_its_whole_life(&Server::start_with(options)).await;
}

#[tokio::test]
async fn a_set_lives_its_whole_life_in_memory() {
    let options = Options::default().with("TOKENWRIGHT__STORES__DEFAULT", "memory");
    let options = options.with("TOKENWRIGHT__STORES__KEYS", "directory");
    a_set_lives_its_whole_life(&Server::start_with(options)).await;
}

#[tokio::test]
async fn a_store_that_cannot_change_several_clients_at_once_says_so() {
    let alone = Server::start_with(on_mongodb(&mongodb_url()));
    let refused = draft(&alone, json!([create("a")])).await;
    refused.assert_error(501, "not_supported");
    assert!(refused.text.contains("replica set"), "{refused:?}");

    let ground = Ground::of(Stack::Mia).await;
    let vendor = ground.server();
    for (method, path) in [
        ("POST", "/changes"),
        ("GET", "/changes"),
        ("GET", "/changes/x"),
        ("DELETE", "/changes/x"),
        ("GET", "/changes/x/diff"),
        ("POST", "/changes/x/commit"),
        ("POST", "/changes/x/rollback"),
    ] {
        let refused = manage(&vendor, method, path).await;
        refused.assert_error(501, "not_supported");
        assert!(refused.text.contains("crud-service"), "{refused:?}");
    }
}

/// What one node commits, and rolls back, bites on the other, which remembers its clients.
async fn t34_a_commit_bites_on_every_node_at_once(options: Options) {
    let options = options
        .with("TOKENWRIGHT__CACHE__FRESH_SECONDS", "30")
        .with("TOKENWRIGHT__KEYS__REFRESH_SECONDS", "300")
        .with("TOKENWRIGHT__KEYS__PUBLISH_SECONDS", "0");
    let (here, there) = (Server::start_with(options.clone()), Server::start_with(options));
    sleep(Duration::from_secs(1)).await;
    let scope = json!({"scope": "a"});
    let (changed, disabled, deleted) = (
        here.create_client(scope).await,
        here.create_client(json!({})).await,
        here.create_client(json!({})).await,
    );
    for client in [&changed, &disabled, &deleted] {
        there.token_of(client).await;
    }
    let token = there.token_of(&deleted).await;
    let operations = json!([
        {"op": "change_client", "client_id": changed.id, "client": {"scope": "b"}},
        of("disable_client", &disabled.id), of("delete_client", &deleted.id), create("made"),
    ]);
    let path = drafted(&here, operations).await;

    let committed = commit(&here, &path).await;

    assert_eq!(committed.status, 200, "{committed:?}");
    let asked = [GRANT, ("scope", "b")];
    let ((), took) = within(Duration::from_secs(40), "the commit", async || {
        let scope = there.token(&changed.basic(), &asked).await.status;
        let refused = [&disabled, &deleted];
        let first = there.token(&refused[0].basic(), &[GRANT]).await.status;
        let second = there.token(&refused[1].basic(), &[GRANT]).await.status;
        let told = there.tokeninfo(&token).await.status;
        (scope == 200 && first == 401 && second == 401 && told == 401).then_some(())
    })
    .await;
    assert!(took < AT_ONCE, "{took:?}");
    there.token_of(&secret_of(&committed, "made")).await;

    assert_eq!(roll_back(&there, &path).await.status, 200);

    let ((), took) = within(Duration::from_secs(40), "the rollback", async || {
        let scope = here.token(&changed.basic(), &asked).await.status;
        let first = here.token(&disabled.basic(), &[GRANT]).await.status;
        let second = here.token(&deleted.basic(), &[GRANT]).await.status;
        (scope == 400 && first == 200 && second == 200).then_some(())
    })
    .await;
    assert!(took < AT_ONCE, "{took:?}");
}

#[tokio::test]
async fn t34_on_postgres_a_commit_bites_on_every_node_at_once() {
    let ground = Ground::of(Stack::Postgres).await;
    t34_a_commit_bites_on_every_node_at_once(ground.options.clone()).await;
}

#[tokio::test]
async fn t34_on_a_replica_set_a_commit_bites_on_every_node_at_once() {
    t34_a_commit_bites_on_every_node_at_once(on_mongodb(&replica_set().await)).await;
}

/// How many clients a set of the crash tests changes, and how many it makes.
const CHANGED: usize = 120;
const MADE: usize = 20;

/// A server is killed again and again in the middle of a commit. Each time everything is done or
/// nothing; whatever it is, it can be gone on from there; and no secret is left to nobody.
async fn a_commit_that_is_killed_is_whole_or_nothing(options: Options, folder: &Path, turns: u32) {
    let options = options.in_directory(folder).with("TOKENWRIGHT__CACHE__FRESH_SECONDS", "1");
    let mut server = Server::start_with(options.clone());
    let changed: Vec<String> = (0..CHANGED).map(|n| format!("changed{n:03}")).collect();
    let first: Value = changed.iter().map(|id| create(id)).collect();
    let path = drafted(&server, first).await;
    assert_eq!(commit(&server, &path).await.status, 200);
    // How long one takes when it is left alone.
    let path = drafted(&server, round(&changed, 0)).await;
    let began = Instant::now();
    assert_eq!(commit(&server, &path).await.status, 200);
    // It answers when the next second has begun: the work itself may be over long before.
    let mut delay = began.elapsed() / 4;
    let mut seen = [0, 0];

    for turn in 1..=turns {
        let path = drafted(&server, round(&changed, turn)).await;
        let request = server.manage("POST", &format!("{path}/commit"));
        let kill = async {
            sleep(delay).await;
            server.signal(Signal::SIGKILL);
        };
        drop(tokio::join!(request.send(), kill));
        server.wait();
        server = Server::start_with(options.clone());

        let is_done = manage(&server, "GET", &path).await.json()["state"] == "committed";
        seen[usize::from(is_done)] += 1;
        delay = if is_done { delay / 4 } else { delay * 2 };
        assert_whole(&server, &changed, turn, is_done).await;
        if is_done {
            // Made on nobody's order: whoever waited for the secrets is gone.
            assert_eq!(roll_back(&server, &path).await.status, 200);
            assert_whole(&server, &changed, turn, false).await;
        }
        let again = drafted(&server, round(&changed, turn)).await;
        // What the dead server had locked may be so for a while; and what follows from a rollback
        // takes its time.
        within(Duration::from_secs(90), "the end of the set", async || {
            let discarded = manage(&server, "DELETE", &path).await;
            assert!(matches!(discarded.status.as_u16(), 204 | 409 | 503), "{discarded:?}");
            (discarded.status == 204).then_some(())
        })
        .await;
        let committed = commit(&server, &again).await;
        assert_eq!(committed.status, 200, "{committed:?}");
        server.token_of(&secret_of(&committed, &made(turn, 0))).await;
        assert_whole(&server, &changed, turn, true).await;
        for n in 0..MADE {
            let path = format!("/clients/{}/secrets", made(turn, n));
            let secrets = manage(&server, "GET", &path).await.json();
            assert_eq!(secrets["secrets"].as_array().unwrap().len(), 1, "{path}");
        }
    }
    assert!(0 < seen[0], "killed too late each time: {seen:?}");
}

fn made(turn: u32, n: usize) -> String {
    format!("made{turn}x{n}")
}

/// A set that changes every client and makes some.
fn round(changed: &[String], turn: u32) -> Value {
    let change = |id: &String| json!({"op": "change_client", "client_id": id, "client": {"scope": format!("turn{turn}")}});
    changed.iter().map(change).chain((0..MADE).map(|n| create(&made(turn, n)))).collect()
}

/// Every client is what it is after `turn`, or none is.
async fn assert_whole(server: &Server, changed: &[String], turn: u32, is_done: bool) {
    let mut all = std::collections::BTreeMap::new();
    let mut next = String::new();
    loop {
        let page = manage(server, "GET", &format!("/clients?limit=200&after={next}")).await.json();
        for client in page["clients"].as_array().unwrap() {
            let id = client["client_id"].as_str().unwrap().to_owned();
            all.insert(id, client["scope"].as_str().unwrap().to_owned());
        }
        match page["next"].as_str() {
            Some(last) => last.clone_into(&mut next),
            None => break,
        }
    }
    let expected = format!("turn{turn}");
    for id in changed {
        assert_eq!(all[id] == expected, is_done, "{id}: {} in turn {turn}", all[id]);
    }
    for n in 0..MADE {
        assert_eq!(all.contains_key(&made(turn, n)), is_done, "{n} in turn {turn}");
    }
}

#[tokio::test]
async fn t48_on_sqlite_a_commit_that_is_killed_is_whole_or_nothing() {
    let ground = Ground::of(Stack::Sqlite).await;
    let folder = ground.folder();
    a_commit_that_is_killed_is_whole_or_nothing(ground.options.clone(), &folder, 8).await;
}

#[tokio::test]
async fn t48_on_postgres_a_commit_that_is_killed_is_whole_or_nothing() {
    let ground = Ground::of(Stack::Postgres).await;
    let folder = ground.folder();
    a_commit_that_is_killed_is_whole_or_nothing(ground.options.clone(), &folder, 8).await;
    let orphans = "select count(*) from credentials
        where not exists (select 1 from clients where clients.id = credentials.client_id)";
    assert_eq!(ground.database.as_ref().unwrap().count(orphans).await, 0);
}

#[tokio::test]
async fn t48_on_a_replica_set_a_commit_that_is_killed_is_whole_or_nothing() {
    let folder = tempfile::TempDir::new().unwrap();
    let url = replica_set().await;
    // For so long MongoDB keeps what a dead server had locked; by default a minute.
    let admin = mongodb::Client::with_uri_str(&url).await.unwrap().database("admin");
    let sooner = mongodb::bson::doc! { "setParameter": 1, "transactionLifetimeLimitSeconds": 15 };
    admin.run_command(sooner).await.unwrap();
    let options = on_mongodb(&url);
    a_commit_that_is_killed_is_whole_or_nothing(options, folder.path(), 4).await;
}

/// The store goes out while a set is committed: it is an honest 503, and then everything or
/// nothing.
#[tokio::test]
async fn t48_a_store_that_goes_out_in_the_middle_leaves_no_half() {
    use testbed::forwarder::{Mood, When};
    let ground = Ground::behind(Stack::Postgres, Mood::Open).await;
    let server = ground.server();
    let changed: Vec<String> = (0..10).map(|n| format!("changed{n:03}")).collect();
    let first: Value = changed.iter().map(|id| create(id)).collect();
    assert_eq!(commit(&server, &drafted(&server, first).await).await.status, 200);
    for (turn, (text, when)) in [
        ("update change_sets", When::Before),
        ("begin isolation", When::After),
        ("update clients set", When::After),
        ("commit\0", When::Before),
        ("commit\0", When::After),
    ]
    .into_iter()
    .enumerate()
    {
        let turn = u32::try_from(turn).unwrap() + 1;
        let path = drafted(&server, round(&changed, turn)).await;
        ground.ways.to("postgres").set(Mood::CutAt(text, when));

        let answer = commit(&server, &path).await;

        ground.ways.to("postgres").set(Mood::Open);
        let state = manage(&server, "GET", &path).await.text_at("/state");
        if answer.status == 200 {
            assert_eq!(state, "committed", "{text} {when:?}");
        } else {
            answer.assert_error(503, "temporarily_unavailable");
            assert_eq!(state, "draft", "{text} {when:?}: {answer:?}");
        }
        assert_whole(&server, &changed, turn, state == "committed").await;
        if state == "draft" {
            let committed = commit(&server, &path).await;
            assert_eq!(committed.status, 200, "{committed:?}");
        }
        let request = server.manage("GET", &format!("/clients/{}/secrets", made(turn, 0)));
        let secrets = Answer::to(request).await.json();
        assert_eq!(secrets["secrets"].as_array().unwrap().len(), 1, "{text} {when:?}");
    }
    let orphans = "select count(*) from credentials
        where not exists (select 1 from clients where clients.id = credentials.client_id)";
    assert_eq!(ground.database.as_ref().unwrap().count(orphans).await, 0);
}

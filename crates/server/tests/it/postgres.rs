//! PostgreSQL goes, comes back, and dawdles (threat T48).

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::support::jwt::{GRANT, RSA};
use crate::support::postgres::{Database, on_postgres, upstream};
use crate::support::server::MANAGEMENT_TOKEN;
use crate::support::{AT_MOST, Answer, Client, Options, Server, assert_unavailable, within};
use testbed::forwarder::{Forwarder, Mood, When};

const RECOVERY: Duration = Duration::from_secs(20);

/// A server whose way to its database can be closed.
struct Behind {
    server: Server,
    way: Forwarder,
    database: Database,
}

impl Behind {
    async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    async fn start_with(more: Options) -> Self {
        let database = Database::empty().await;
        let way = Forwarder::start(upstream(), Mood::Open);
        let server = Server::start_with(options(&database, &way).and(more));
        Self { server, way, database }
    }

    fn register(&self) -> reqwest::RequestBuilder {
        let body = json!({"client_name": "while it is out"});
        self.server.http.post(self.server.at("/register")).json(&body)
    }

    async fn recovered(&self) {
        let ((), took) = within(RECOVERY, "readiness", async || {
            (self.server.get("/-/ready").await.status == 200).then_some(())
        })
        .await;
        assert!(took < RECOVERY, "{took:?}");
        let client = self.server.register().await;
        self.server.token_of(&client).await;
    }

    /// Clients and hashes of secrets that lack their other half.
    async fn halves(&self) -> (i64, i64) {
        let clients = "select count(*) from clients where authentication = 'client_secret_basic'
            and id not in (select client_id from credentials)";
        let credentials = "select count(*) from credentials
            where client_id not in (select id from clients)";
        (self.database.count(clients).await, self.database.count(credentials).await)
    }
}

fn options(database: &Database, way: &Forwarder) -> Options {
    on_postgres(&database.url_through(way.port))
        .with("TOKENWRIGHT__CACHE__FRESH_SECONDS", "1")
        .with("TOKENWRIGHT__KEYS__REFRESH_SECONDS", "1")
}

#[tokio::test]
async fn out_at_start_the_server_lives_and_recovers_by_itself() {
    let database = Database::empty().await;
    for mood in [Mood::Out, Mood::Stalled] {
        let way = Forwarder::start(upstream(), mood.clone());
        let options = options(&database, &way).with("MANAGEMENT_TOKEN", MANAGEMENT_TOKEN);

        let server = Server::spawn(options);

        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(server.get("/-/healthz").await.status, 200, "{mood:?}");
        let ready = server.get("/-/ready").await;
        assert_eq!((ready.status.as_u16(), &ready.json()["status"]), (503, &json!("KO")));
        let started = Instant::now();
        let checked = server.get("/-/check-up").await;
        assert!(started.elapsed() < AT_MOST, "{mood:?}: {:?}", started.elapsed());
        assert_eq!(checked.status, 503, "{mood:?}");
        assert_eq!(checked.json()["dependencies"], json!({"postgres": "KO"}), "{mood:?}");
        let refused = server.post_json("/register", &json!({"client_name": "a"})).await;
        refused.assert_error(503, "temporarily_unavailable");
        assert!(!refused.header("retry-after").is_empty());

        way.set(Mood::Open);

        server.await_log("ready");
        assert_eq!(server.get("/-/ready").await.status, 200, "{mood:?}");
        server.token_of(&server.register().await).await;
    }
}

#[tokio::test]
async fn wrong_credentials_are_told_and_waited_out() {
    let database = Database::empty().await;
    let url =
        database.url().replace("://", "://nobody_of_this_name:hush-4711@").replace("postgres@", "");
    let server = Server::spawn(on_postgres(&url));

    let line = server.await_log("a store is out: trying again");

    assert_eq!(line["level"], 40, "{line}");
    assert!(!server.printed().contains("hush-4711"), "{}", server.printed());
    assert_eq!(server.get("/-/ready").await.status, 503);
}

async fn warm_clients_get_tokens_and_all_else_is_503_while_it_is(mood: Mood) {
    let it = Behind::start().await;
    let client = it.server.register().await;
    let token = it.server.token_of(&client).await;
    let signer = it.server.key_client(&RSA).await;
    signer.assert_welcome(&it.server).await;
    assert_eq!(it.server.tokeninfo(&token).await.status, 200);

    it.way.set(mood);
    // Nothing that is remembered is fresh any more.
    tokio::time::sleep(Duration::from_millis(1_200)).await;

    let started = Instant::now();
    it.server.token_of(&client).await;
    assert!(started.elapsed() < AT_MOST, "{:?}", started.elapsed());
    for _ in 0..20 {
        it.server.token_of(&client).await;
    }
    let http = &it.server.http;
    let at = |path: &str| it.server.at(path);
    let assertion = signer.assertion();
    let form = [
        GRANT,
        crate::support::jwt::JWT_BEARER,
        ("client_id", signer.id.as_str()),
        ("client_assertion", assertion.as_str()),
    ];
    let unknown = crate::support::basic("unknown", "secret");
    let cold = http.post(at("/oauth/token")).form(&[GRANT]).header("authorization", unknown);
    let revoke = http.post(at("/oauth2/revoke")).form(&[("token", token.as_str())]);
    let asked = [
        ("tokeninfo", http.get(at("/tokeninfo")).bearer_auth(&token)),
        ("registration", it.register()),
        ("management", it.server.manage("GET", "/clients")),
        ("assertion", http.post(at("/oauth/token")).form(&form)),
        ("unknown client", cold),
        ("revocation", revoke.header("authorization", client.basic())),
    ];
    let asked = asked.map(|(what, request)| assert_unavailable(what, request));
    futures_util::future::join_all(asked).await;
    assert_eq!(it.server.get("/-/ready").await.status, 503);
    assert_eq!(it.server.get("/-/healthz").await.status, 200);
    assert_eq!(it.server.get("/.well-known/jwks.json").await.status, 200);

    it.way.set(Mood::Open);

    it.recovered().await;
    assert_eq!(it.server.tokeninfo(&token).await.status, 200);
    signer.assert_welcome(&it.server).await;
    assert_eq!(it.halves().await, (0, 0));
    let named = "select count(*) from clients where name = 'while it is out'";
    assert_eq!(it.database.count(named).await, 0);
}

#[tokio::test]
async fn t48_while_it_is_out_warm_clients_get_tokens_and_all_else_is_503() {
    warm_clients_get_tokens_and_all_else_is_503_while_it_is(Mood::Out).await;
}

#[tokio::test]
async fn t48_while_it_is_silent_warm_clients_get_tokens_and_all_else_is_503() {
    warm_clients_get_tokens_and_all_else_is_503_while_it_is(Mood::Stalled).await;
}

/// Once the stated time has passed, a warm client is no longer sure to be allowed.
#[tokio::test]
async fn t48_warm_clients_get_tokens_for_the_stated_time_only() {
    let it =
        Behind::start_with(Options::default().with("TOKENWRIGHT__CACHE__STALE_SECONDS", "3")).await;
    let client = it.server.register().await;
    it.server.token_of(&client).await;

    it.way.set(Mood::Out);

    let started = Instant::now();
    let refused = within(RECOVERY, "the end of the stated time", async || {
        let answer = it.server.token(&client.basic(), &[GRANT]).await;
        (answer.status != 200).then_some(answer)
    });
    refused.await.0.assert_error(503, "temporarily_unavailable");
    assert!(Duration::from_secs(2) < started.elapsed(), "{:?}", started.elapsed());
    it.way.set(Mood::Open);
    it.recovered().await;
    it.server.token_of(&client).await;
}

/// Notes of last use wait for the store.
#[tokio::test]
async fn what_was_noted_while_it_was_out_is_written_down_afterwards() {
    let it = Behind::start().await;
    let client = it.server.register().await;
    it.server.token_of(&client).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    it.database.execute("update clients set last_login = null").await;
    it.way.set(Mood::Out);
    it.server.token_of(&client).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let noted = "select count(*) from clients where last_login is not null";
    assert_eq!(it.database.count(noted).await, 0);

    it.way.set(Mood::Open);

    within(RECOVERY, "the last login", async || {
        (it.database.count(noted).await == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn t48_slow_by_five_seconds_is_answered_in_time() {
    let it = Behind::start().await;
    let client = it.server.register().await;
    let token = it.server.token_of(&client).await;
    it.server.tokeninfo(&token).await;

    it.way.set(Mood::Slow(Duration::from_secs(5)));
    tokio::time::sleep(Duration::from_millis(1_200)).await;

    let started = Instant::now();
    it.server.token_of(&client).await;
    assert!(started.elapsed() < AT_MOST, "a warm client: {:?}", started.elapsed());
    let started = Instant::now();
    let (registered, told) = tokio::join!(Answer::to(it.register()), it.server.tokeninfo(&token));
    assert!(started.elapsed() < AT_MOST, "{:?}", started.elapsed());
    for answer in [&registered, &told] {
        assert!([200, 201, 503].contains(&answer.status.as_u16()), "{answer:?}");
    }
    it.way.set(Mood::Open);
    it.recovered().await;
    within(RECOVERY, "nothing half-made", async || {
        let (clients, _) = it.halves().await;
        (clients == 0).then_some(())
    })
    .await;
}

/// The connection that writes is cut; all others work.
#[tokio::test]
async fn t48_a_registration_cut_in_mid_write_leaves_nothing_half_made() {
    // The hash of a secret is written first, then the client with its name.
    for (what, text) in [("hash", "$2b$04$"), ("client", "cut-in-mid-write")] {
        for when in [When::Before, When::After] {
            // On its only connection, where the statements are known by then.
            let one = ("TOKENWRIGHT__POSTGRES__MAX_CONNECTIONS", "1");
            let it = Behind::start_with(Options::default().with(one.0, one.1)).await;
            // A statement is sent whole only where it was prepared before.
            for _ in 0..3 {
                it.server.register().await;
            }
            let before = it.database.count("select count(*) from clients").await;
            it.way.set(Mood::CutAt(text, when));

            let body = json!({"client_name": "cut-in-mid-write"});
            let answer = it.server.post_json("/register", &body).await;

            assert_eq!(answer.status, 503, "{what} {when:?}: {answer:?}");
            assert_eq!(it.halves().await.0, 0, "{what} {when:?}: a client without its secret");
            let after = it.database.count("select count(*) from clients").await;
            assert_eq!(after, before, "{what} {when:?}: nobody knows the client");
            if what == "client" {
                assert_eq!(it.halves().await.1, 0, "{what} {when:?}: a hash without its client");
            }
            it.recovered().await;
        }
    }
}

/// The caller does not wait until what was half-made has been taken back in vain.
#[tokio::test]
async fn t48_a_registration_that_hangs_in_mid_write_is_503_in_time() {
    for text in ["$2b$04$", "hangs-in-mid-write"] {
        let it = Behind::start().await;
        for _ in 0..3 {
            it.server.register().await;
        }
        it.way.set(Mood::StallAt(text));

        let body = json!({"client_name": "hangs-in-mid-write"});
        let request = it.server.http.post(it.server.at("/register")).json(&body);
        assert_unavailable(text, request).await;

        it.way.set(Mood::Open);
        it.recovered().await;
        assert_eq!(it.halves().await.0, 0, "{text}: a client without its secret");
    }
}

/// Everything at once, and the database gone in the middle of it.
#[tokio::test]
async fn t48_what_was_acknowledged_before_an_outage_is_there_after_it() {
    let it = Behind::start().await;
    let register = async || {
        let mut made = Vec::new();
        loop {
            let answer = Answer::to(it.register()).await;
            if answer.status != 201 {
                answer.assert_error(503, "temporarily_unavailable");
                return made;
            }
            let text = |at| answer.text_at(at);
            made.push(Client { id: text("/client_id"), secret: text("/client_secret") });
        }
    };
    let outage = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        it.way.set(Mood::Out);
    };
    let workers = futures_util::future::join_all((0..12).map(|_| register()));

    let (made, ()) = tokio::join!(workers, outage);
    it.way.set(Mood::Open);

    it.recovered().await;
    let made: Vec<Client> = made.into_iter().flatten().collect();
    assert!(10 < made.len(), "{}", made.len());
    for client in &made {
        it.server.token_of(client).await;
    }
    assert_eq!(it.halves().await.0, 0, "no client is without its secret");
}

/// One connection, and a statement that holds it.
#[tokio::test]
async fn t48_an_exhausted_pool_is_503_in_time_and_warm_clients_go_on() {
    use sqlx::Connection as _;
    let options = Options::default().with("TOKENWRIGHT__POSTGRES__MAX_CONNECTIONS", "2");
    let it = Behind::start_with(options).await;
    let client = it.server.register().await;
    it.server.token_of(&client).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let mut holder = sqlx::PgConnection::connect(&it.database.url()).await.unwrap();
    let mut lock = holder.begin().await.unwrap();
    sqlx::query("lock table credentials, clients in access exclusive mode")
        .execute(&mut *lock)
        .await
        .unwrap();

    let registrations = futures_util::future::join_all((0..8).map(async |_| {
        assert_unavailable("registration", it.register()).await;
    }));
    let warm = async {
        let started = Instant::now();
        it.server.token_of(&client).await;
        assert!(started.elapsed() < AT_MOST, "{:?}", started.elapsed());
        for _ in 0..10 {
            it.server.token_of(&client).await;
        }
    };
    tokio::join!(registrations, warm);
    lock.rollback().await.unwrap();

    it.recovered().await;
    assert_eq!(it.halves().await.0, 0);
}

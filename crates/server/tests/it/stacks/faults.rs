//! Every store goes, comes back, dawdles, and hangs up in the middle (threat T48). What PostgreSQL
//! does alone is in `postgres.rs`.

use std::time::Duration;

use mongodb::bson::{Document, doc};
use serde_json::json;
use testbed::forwarder::{Mood, When};
use tokio::time::Instant;

use super::ground::{Ground, Stack, key_client, mongodb_url};
use crate::support::jwt::{GRANT, JWT_BEARER, KeyClient};
use crate::support::server::MANAGEMENT_TOKEN;
use crate::support::{AT_MOST, Answer, Client, Options, Server, assert_unavailable, basic, within};

const RECOVERY: Duration = Duration::from_secs(30);

fn quick() -> Options {
    Options::default()
        .with("TOKENWRIGHT__CACHE__FRESH_SECONDS", "1")
        .with("TOKENWRIGHT__KEYS__REFRESH_SECONDS", "1")
}

struct Behind {
    ground: Ground,
    server: Server,
}

impl Behind {
    async fn start(stack: Stack) -> Self {
        let ground = Ground::behind(stack, Mood::Open).await;
        let server = ground.server_with(quick());
        Self { ground, server }
    }

    fn set(&self, store: &str, mood: Mood) {
        self.ground.ways.to(store).set(mood);
    }

    fn register(&self) -> reqwest::RequestBuilder {
        let body = json!({"client_name": "while it is out"});
        self.server.http.post(self.server.at("/register")).json(&body)
    }

    fn assertion_of(&self, client: &KeyClient, assertion: &str) -> reqwest::RequestBuilder {
        let id = ("client_id", client.id.as_str());
        let form = [GRANT, JWT_BEARER, id, ("client_assertion", assertion)];
        self.server.http.post(self.server.at("/oauth/token")).form(&form)
    }

    fn revoke(&self, client: &Client, token: &str) -> reqwest::RequestBuilder {
        let request = self.server.http.post(self.server.at("/oauth2/revoke"));
        request.form(&[("token", token)]).header("authorization", client.basic())
    }

    fn management(&self) -> reqwest::RequestBuilder {
        self.server.manage("GET", "/clients")
    }

    /// What `/-/check-up` says of a store.
    async fn state_of(&self, store: &str) -> String {
        self.server.get("/-/check-up").await.text_at(&format!("/dependencies/{store}"))
    }

    async fn recovered(&self) {
        within(RECOVERY, "recovery", async || {
            (self.server.get("/-/check-up").await.status == 200).then_some(())
        })
        .await;
        within(RECOVERY, "a registration", async || {
            (Answer::to(self.register()).await.status == 201).then_some(())
        })
        .await;
    }

    /// On the vendor's stores: clients with a secret, and hashes of secrets. Both are the same
    /// where nothing is half-made.
    async fn halves(&self) -> (u64, u64) {
        let client = mongodb::Client::with_uri_str(mongodb_url()).await.unwrap();
        let database = client.database(&self.ground.mongodb_database);
        let count = async |collection: &str, filter: Document| {
            database.collection::<Document>(collection).count_documents(filter).await.unwrap()
        };
        let secret = doc! { "authMethod": { "$ne": "private_key_jwt" } };
        (count("clients", secret).await, count("credentials", doc! {}).await)
    }
}

/// The whole process waits for its stores, whichever is missing.
async fn out_at_start_it_lives_and_recovers(stack: Stack, store: &str, mood: Mood) {
    let ground = Ground::behind(stack, Mood::Open).await;
    ground.ways.to(store).set(mood.clone());
    let options = ground.options.clone().and(quick()).with("MANAGEMENT_TOKEN", MANAGEMENT_TOKEN);

    let server = Server::spawn(options);
    let it = Behind { ground, server };

    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(it.server.get("/-/healthz").await.status, 200, "{store} {mood:?}");
    let started = Instant::now();
    assert_eq!(it.state_of(store).await, "KO", "{store} {mood:?}");
    assert!(started.elapsed() < AT_MOST, "{store} {mood:?}: {:?}", started.elapsed());
    let ready = it.server.get("/-/ready").await.status.as_u16();
    // Without Redis secrets work: the server is ready.
    assert_eq!(ready, if store == "redis" { 200 } else { 503 }, "{store} {mood:?}");
    if store != "redis" {
        assert_unavailable(store, it.register()).await;
    }

    it.set(store, Mood::Open);

    it.recovered().await;
    let client = it.server.register().await;
    it.server.token_of(&client).await;
    key_client(&it.server).await.assert_welcome(&it.server).await;
}

#[tokio::test]
async fn t48_redis_out_at_start() {
    for mood in [Mood::Out, Mood::Stalled] {
        out_at_start_it_lives_and_recovers(Stack::PostgresRedis, "redis", mood.clone()).await;
        out_at_start_it_lives_and_recovers(Stack::Mia, "redis", mood).await;
    }
}

#[tokio::test]
async fn t48_mongodb_out_at_start() {
    for mood in [Mood::Out, Mood::Stalled] {
        out_at_start_it_lives_and_recovers(Stack::Mia, "mongodb", mood).await;
    }
}

#[tokio::test]
async fn t48_crud_service_out_at_start() {
    for mood in [Mood::Out, Mood::Stalled] {
        out_at_start_it_lives_and_recovers(Stack::Mia, "crud", mood).await;
    }
}

/// Redis knows which assertions were used, and what was taken back: nothing else waits for it.
async fn without_redis_secrets_work_and_nothing_is_let_in_twice(stack: Stack, mood: Mood) {
    let it = Behind::start(stack).await;
    let client = it.server.register().await;
    let token = it.server.token_of(&client).await;
    let signing = key_client(&it.server).await;
    let used = signing.assertion();
    assert_eq!(signing.send(&it.server, &used).await.status, 200);
    assert_eq!(it.server.tokeninfo(&token).await.status, 200);

    it.set("redis", mood);
    // Nothing that is remembered is fresh any more.
    tokio::time::sleep(Duration::from_millis(1_200)).await;

    // Clients and secrets are where they were: also cold ones get tokens, and new ones are made.
    it.server.token_of(&client).await;
    let made = it.server.register().await;
    it.server.token_of(&made).await;
    let fresh = signing.assertion();
    let told = it.server.http.get(it.server.at("/tokeninfo")).bearer_auth(&token);
    let asked = [
        ("a used assertion", it.assertion_of(&signing, &used)),
        ("a fresh assertion", it.assertion_of(&signing, &fresh)),
        ("tokeninfo", told),
        ("revocation", it.revoke(&client, &token)),
    ];
    let asked = asked.map(|(what, request)| assert_unavailable(what, request));
    futures_util::future::join_all(asked).await;
    assert_eq!(it.server.get("/-/ready").await.status, 200);
    assert_eq!(it.state_of("redis").await, "KO");
    let refused = it.server.token(&basic(&client.id, "wrong"), &[GRANT]).await;
    assert_eq!(refused.outcome(), "401 invalid_client", "{refused:?}");

    it.set("redis", Mood::Open);

    it.recovered().await;
    within(RECOVERY, "tokeninfo", async || {
        (it.server.tokeninfo(&token).await.status == 200).then_some(())
    })
    .await;
    signing.assert_refused(&it.server, &used, "used before the outage").await;
    signing.assert_welcome(&it.server).await;
}

#[tokio::test]
async fn t48_while_redis_is_out_secrets_work_and_assertions_are_503() {
    without_redis_secrets_work_and_nothing_is_let_in_twice(Stack::PostgresRedis, Mood::Out).await;
    without_redis_secrets_work_and_nothing_is_let_in_twice(Stack::Mia, Mood::Out).await;
}

#[tokio::test]
async fn t48_while_redis_is_silent_secrets_work_and_assertions_are_503() {
    without_redis_secrets_work_and_nothing_is_let_in_twice(Stack::PostgresRedis, Mood::Stalled)
        .await;
    without_redis_secrets_work_and_nothing_is_let_in_twice(Stack::Mia, Mood::Stalled).await;
}

/// Whoever was here a while ago gets tokens; nobody is told that a client is unknown.
async fn warm_clients_get_tokens_while_one_of_their_stores_is_out(store: &str, mood: Mood) {
    let it = Behind::start(Stack::Mia).await;
    let client = it.server.register().await;
    let cold = it.server.register().await;
    it.server.token_of(&client).await;
    let before = it.halves().await;

    it.set(store, mood.clone());
    tokio::time::sleep(Duration::from_millis(1_200)).await;

    let started = Instant::now();
    it.server.token_of(&client).await;
    assert!(started.elapsed() < AT_MOST, "{store} {mood:?}: {:?}", started.elapsed());
    for _ in 0..20 {
        it.server.token_of(&client).await;
    }
    let ask = |client: &Client| {
        let request = it.server.http.post(it.server.at("/oauth/token")).form(&[GRANT]);
        request.header("authorization", client.basic())
    };
    let mut asked = vec![("a cold client", ask(&cold)), ("registration", it.register())];
    if store == "crud" {
        let nobody = Client { id: "nobody".to_owned(), secret: "x".to_owned() };
        asked.push(("an unknown client", ask(&nobody)));
        asked.push(("management", it.management()));
    }
    let asked = asked.into_iter().map(|(what, request)| assert_unavailable(what, request));
    futures_util::future::join_all(asked).await;
    assert_eq!(it.server.get("/-/ready").await.status, 503, "{store} {mood:?}");
    assert_eq!(it.state_of(store).await, "KO", "{store} {mood:?}");
    assert_eq!(it.server.get("/.well-known/jwks.json").await.status, 200);

    it.set(store, Mood::Open);

    it.recovered().await;
    it.server.token_of(&cold).await;
    within(RECOVERY, "nothing half-made", async || {
        // Only what `recovered` made, which has both.
        let (clients, hashes) = it.halves().await;
        (clients - before.0 == hashes - before.1 && before.0 < clients).then_some(())
    })
    .await;
}

#[tokio::test]
async fn t48_while_the_crud_service_is_out_warm_clients_get_tokens() {
    for mood in [Mood::Out, Mood::Stalled] {
        warm_clients_get_tokens_while_one_of_their_stores_is_out("crud", mood).await;
    }
}

#[tokio::test]
async fn t48_while_mongodb_is_out_warm_clients_get_tokens() {
    for mood in [Mood::Out, Mood::Stalled] {
        warm_clients_get_tokens_while_one_of_their_stores_is_out("mongodb", mood).await;
    }
}

/// Answered in time, one way or the other, and everybody else as if nothing was.
async fn a_slow_store_harms_nobody_else(stack: Stack, store: &str) {
    let it = Behind::start(stack).await;
    let client = it.server.register().await;
    let token = it.server.token_of(&client).await;
    it.server.tokeninfo(&token).await;
    let signing = key_client(&it.server).await;
    signing.assert_welcome(&it.server).await;

    it.set(store, Mood::Slow(Duration::from_secs(5)));

    // What is fresh is answered at once, while others wait.
    let assertion = signing.assertion();
    let waiting = async {
        let started = Instant::now();
        let answers = futures_util::future::join_all((0..20).map(|_| Answer::to(it.register())));
        let (answers, assertion) =
            tokio::join!(answers, Answer::to(it.assertion_of(&signing, &assertion)));
        assert!(started.elapsed() < AT_MOST, "{store}: {:?}", started.elapsed());
        for answer in answers.iter().chain([&assertion]) {
            assert!([200, 201, 503].contains(&answer.status.as_u16()), "{store}: {answer:?}");
        }
    };
    let others = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let started = Instant::now();
        for _ in 0..20 {
            it.server.token_of(&client).await;
        }
        assert!(started.elapsed() < Duration::from_secs(8), "{store}: {:?}", started.elapsed());
    };
    tokio::join!(waiting, others);

    it.set(store, Mood::Open);
    it.recovered().await;
    signing.assert_welcome(&it.server).await;
}

#[tokio::test]
async fn t48_redis_slow_by_five_seconds_harms_nobody_else() {
    a_slow_store_harms_nobody_else(Stack::PostgresRedis, "redis").await;
}

#[tokio::test]
async fn t48_mongodb_slow_by_five_seconds_harms_nobody_else() {
    a_slow_store_harms_nobody_else(Stack::Mia, "mongodb").await;
}

#[tokio::test]
async fn t48_crud_service_slow_by_five_seconds_harms_nobody_else() {
    a_slow_store_harms_nobody_else(Stack::Mia, "crud").await;
}

/// The hash of a secret is written first, then the client with its name.
#[tokio::test]
async fn t48_a_registration_cut_in_mid_write_leaves_nothing_half_made() {
    for (store, text) in [("mongodb", "$2b$04$"), ("crud", "cut-in-mid-write")] {
        for when in [When::Before, When::After] {
            let it = Behind::start(Stack::Mia).await;
            for _ in 0..3 {
                it.server.register().await;
            }
            assert_eq!(it.halves().await, (3, 3));
            it.set(store, Mood::CutAt(text, when));

            let body = json!({"client_name": "cut-in-mid-write"});
            let answer = it.server.post_json("/register", &body).await;

            // A driver may have tried once more, where that is safe: then all went well.
            if answer.status == 201 {
                let text = |at| answer.text_at(at);
                let made = Client { id: text("/client_id"), secret: text("/client_secret") };
                it.server.token_of(&made).await;
                assert_eq!(it.halves().await, (4, 4), "{store} {when:?}");
            } else {
                answer.assert_error(503, "temporarily_unavailable");
                let (clients, hashes) = it.halves().await;
                assert_eq!(clients, 3, "{store} {when:?}: nobody knows the client");
                if store == "crud" {
                    assert_eq!(hashes, 3, "{store} {when:?}: a hash without its client");
                }
            }
            it.recovered().await;
            within(RECOVERY, "nothing half-made", async || {
                let (clients, hashes) = it.halves().await;
                (clients == hashes).then_some(())
            })
            .await;
        }
    }
}

/// The answer is late, and the client gone before: the caller hears of it in time.
#[tokio::test]
async fn t48_a_registration_that_hangs_in_mid_write_is_503_in_time() {
    for (store, text) in [("mongodb", "$2b$04$"), ("crud", "hangs-in-mid-write")] {
        let it = Behind::start(Stack::Mia).await;
        it.server.register().await;
        it.set(store, Mood::StallAt(text));

        let body = json!({"client_name": "hangs-in-mid-write"});
        let request = it.server.http.post(it.server.at("/register")).json(&body);
        assert_unavailable(text, request).await;

        it.set(store, Mood::Open);
        it.recovered().await;
    }
}

/// Everything at once, and a store gone in the middle of it.
#[tokio::test]
async fn t48_what_was_acknowledged_before_an_outage_is_there_after_it() {
    for store in ["crud", "mongodb"] {
        let it = Behind::start(Stack::Mia).await;
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
            it.set(store, Mood::Out);
        };
        let workers = futures_util::future::join_all((0..8).map(|_| register()));

        let (made, ()) = tokio::join!(workers, outage);
        it.set(store, Mood::Open);

        it.recovered().await;
        let made: Vec<Client> = made.into_iter().flatten().collect();
        assert!(5 < made.len(), "{store}: {}", made.len());
        for client in &made {
            it.server.token_of(client).await;
        }
    }
}

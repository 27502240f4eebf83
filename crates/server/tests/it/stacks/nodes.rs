//! What is changed on one node bites on the others: at once where a feed tells of it, else when
//! what is remembered is no longer fresh (threat T34).

use std::time::Duration;

use serde_json::json;

use super::ground::{Ground, ISSUER, Stack, mongodb_url, redis_host};
use crate::support::jwt::GRANT;
use crate::support::{Answer, Client, Options, Server, header, within};

/// How long what is remembered is fresh: longer than a test waits for news.
const FRESH: &str = "30";
/// At once, on a slow machine.
const AT_ONCE: Duration = Duration::from_secs(2);

struct Nodes {
    _ground: Option<Ground>,
    here: Server,
    there: Server,
}

impl Nodes {
    async fn on(stack: Stack) -> Self {
        let ground = Ground::of(stack).await;
        let options = ground.options.clone();
        Self::start(options, Some(ground)).await
    }

    async fn start(options: Options, ground: Option<Ground>) -> Self {
        let options = options
            .with("TOKENWRIGHT__CACHE__FRESH_SECONDS", FRESH)
            .with("TOKENWRIGHT__KEYS__REFRESH_SECONDS", "300")
            .with("TOKENWRIGHT__KEYS__PUBLISH_SECONDS", "0");
        let here = Server::start_with(options.clone());
        let there = Server::start_with(options);
        // A feed that has just been opened makes everything be looked at again: it is open by then.
        tokio::time::sleep(Duration::from_secs(1)).await;
        Self { _ground: ground, here, there }
    }

    /// A client that both know by heart, and its token.
    async fn client(&self) -> (Client, String) {
        let client = self.here.create_client(json!({})).await;
        let token = self.here.token_of(&client).await;
        for node in [&self.here, &self.there] {
            node.token_of(&client).await;
            assert_eq!(node.tokeninfo(&token).await.status, 200);
        }
        (client, token)
    }

    async fn manage(&self, method: &str, path: &str) {
        let answer = Answer::to(self.here.manage(method, path)).await;
        assert!(answer.status.is_success(), "{answer:?}");
    }

    async fn refuses(&self, client: &Client) -> Duration {
        within(Duration::from_secs(40), "the refusal", async || {
            (self.there.token(&client.basic(), &[GRANT]).await.status == 401).then_some(())
        })
        .await
        .1
    }

    async fn forgets(&self, token: &str) -> Duration {
        within(Duration::from_secs(40), "the refusal", async || {
            (self.there.tokeninfo(token).await.status == 401).then_some(())
        })
        .await
        .1
    }

    async fn everything_bites_at_once(&self) {
        let (client, token) = self.client().await;
        self.manage("POST", &format!("/clients/{}/disable", client.id)).await;
        let took = (self.refuses(&client).await, self.forgets(&token).await);
        assert!(took.0 < AT_ONCE && took.1 < AT_ONCE, "disabled: {took:?}");

        let (client, _) = self.client().await;
        let path = format!("/clients/{}/secrets", client.id);
        let listed = Answer::to(self.here.manage("GET", &path)).await;
        let secret = listed.text_at("/secrets/0/secret_id");
        self.manage("DELETE", &format!("{path}/{secret}")).await;
        let took = self.refuses(&client).await;
        assert!(took < AT_ONCE, "a revoked secret: {took:?}");

        let (client, token) = self.client().await;
        let form = [("token", token.as_str())];
        let request = self.here.http.post(self.here.at("/oauth2/revoke")).form(&form);
        let revoked = Answer::to(request.header("authorization", client.basic())).await;
        assert_eq!(revoked.status, 200, "{revoked:?}");
        let took = self.forgets(&token).await;
        assert!(took < AT_ONCE, "a revoked token: {took:?}");
        self.there.token_of(&client).await;

        let (client, token) = self.client().await;
        self.manage("DELETE", &format!("/clients/{}", client.id)).await;
        let took = (self.refuses(&client).await, self.forgets(&token).await);
        assert!(took.0 < AT_ONCE && took.1 < AT_ONCE, "deleted: {took:?}");
    }
}

/// `LISTEN` and `NOTIFY`.
#[tokio::test]
async fn t34_on_postgres_every_change_bites_on_every_node_at_once() {
    Nodes::on(Stack::Postgres).await.everything_bites_at_once().await;
}

/// Clients by PostgreSQL itself, tokens by Redis.
#[tokio::test]
async fn t34_on_postgres_and_redis_every_change_bites_on_every_node_at_once() {
    Nodes::on(Stack::PostgresRedis).await.everything_bites_at_once().await;
}

/// Redis tells of what the CRUD service and MongoDB do not.
#[tokio::test]
async fn t34_on_the_vendors_stores_every_change_bites_on_every_node_at_once() {
    Nodes::on(Stack::Mia).await.everything_bites_at_once().await;
}

/// Change streams.
#[tokio::test]
async fn t34_on_a_replica_set_every_change_bites_on_every_node_at_once() {
    let url = replica_set().await;
    Nodes::start(on_mongodb(&url), None).await.everything_bites_at_once().await;
}

/// A SQLite file has no way to tell; Redis beside it has.
#[tokio::test]
async fn t34_redis_carries_news_for_stores_that_have_none() {
    let ground = Ground::of(Stack::Sqlite).await;
    let options = ground.options.clone().with("TOKENWRIGHT__REDIS__HOSTS", &redis_host());
    Nodes::start(options, Some(ground)).await.everything_bites_at_once().await;
}

/// A MongoDB that stands alone has no change streams: then what is fresh bounds it.
#[tokio::test]
async fn t34_without_a_feed_a_change_bites_within_the_time_that_is_stated() {
    let options = on_mongodb(&mongodb_url()).with("TOKENWRIGHT__CACHE__FRESH_SECONDS", "2");
    let options = options.with("TOKENWRIGHT__KEYS__REFRESH_SECONDS", "1");
    let (here, there) = (Server::start_with(options.clone()), Server::start_with(options));
    let client = here.create_client(json!({})).await;
    let token = here.token_of(&client).await;
    there.token_of(&client).await;
    within(Duration::from_secs(10), "the keys", async || {
        (there.tokeninfo(&token).await.status == 200).then_some(())
    })
    .await;

    let path = format!("/clients/{}/disable", client.id);
    assert_eq!(Answer::to(here.manage("POST", &path)).await.status, 200);

    let ((), took) = within(Duration::from_secs(20), "the refusal", async || {
        let issued = there.token(&client.basic(), &[GRANT]).await.status;
        let told = there.tokeninfo(&token).await.status;
        (issued == 401 && told == 401).then_some(())
    })
    .await;
    assert!(took < Duration::from_millis(3_500), "{took:?}");
    let said = there.printed();
    assert!(said.contains("no news of other nodes"), "the operator is told: {said}");
}

#[tokio::test]
async fn t42_keys_rotated_on_one_node_sign_on_every_other_at_once() {
    let ground = Ground::of(Stack::Postgres).await;
    let environment: Vec<_> = ground.options.variables();
    let nodes = Nodes::start(ground.options.clone(), None).await;
    let (client, token) = nodes.client().await;
    let kid = header(&token)["kid"].clone();

    let pairs: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let more = [("TOKENWRIGHT__KEYS__PUBLISH_SECONDS", "0")];
    let rotated = [pairs.as_slice(), &more].concat();
    let folder = ground.folder();
    crate::support::cli::run(&folder, &rotated, &["keys", "rotate", "--force"]).well();

    for node in [&nodes.here, &nodes.there] {
        let ((), took) = within(Duration::from_secs(40), "the new key", async || {
            let now = header(&node.token_of(&client).await)["kid"].clone();
            (now != kid).then_some(())
        })
        .await;
        assert!(took < AT_ONCE, "{took:?}");
        assert_eq!(node.tokeninfo(&token).await.status, 200, "the retired key still verifies");
    }
}

/// What was missed while a feed was broken is looked at again when it is whole.
#[tokio::test]
async fn t34_what_was_changed_while_the_feed_was_broken_bites_when_it_is_back() {
    use testbed::forwarder::Mood;
    let ground = Ground::behind(Stack::PostgresRedis, Mood::Open).await;
    // The node that makes the change has its own way.
    let direct = ground.options.clone().with("TOKENWRIGHT__REDIS__HOSTS", &redis_host());
    let direct =
        direct.with("TOKENWRIGHT__POSTGRES__URL", &ground.database.as_ref().unwrap().url());
    let fresh = ("TOKENWRIGHT__CACHE__FRESH_SECONDS", FRESH);
    let here = Server::start_with(direct.with(fresh.0, fresh.1));
    let there = ground.server_with(Options::default().with(fresh.0, fresh.1));
    let client = here.create_client(json!({})).await;
    there.token_of(&client).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    there.token_of(&client).await;
    for store in ["postgres", "redis"] {
        ground.ways.to(store).set(Mood::Out);
    }

    let path = format!("/clients/{}/disable", client.id);
    assert_eq!(Answer::to(here.manage("POST", &path)).await.status, 200);
    tokio::time::sleep(Duration::from_millis(500)).await;
    // Nobody has told it, and it may serve what is fresh.
    there.token_of(&client).await;
    for store in ["postgres", "redis"] {
        ground.ways.to(store).set(Mood::Open);
    }

    let ((), took) = within(Duration::from_secs(25), "the refusal", async || {
        (there.token(&client.basic(), &[GRANT]).await.status == 401).then_some(())
    })
    .await;
    assert!(took < Duration::from_secs(10), "{took:?}");
}

pub(super) fn on_mongodb(url: &str) -> Options {
    let database = format!("tokenwright_it_{}", uuid::Uuid::new_v4().simple());
    Options::default()
        .with("TOKENWRIGHT__STORES__DEFAULT", "mongodb")
        .with("TOKENWRIGHT__MONGODB__URL", url)
        .with("TOKENWRIGHT__MONGODB__DATABASE", &database)
        .with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
        .with("TOKENWRIGHT__TOKENS__ISSUER", ISSUER)
}

/// The replica set of one member that the tests share, made one by whoever comes first.
#[expect(clippy::disallowed_methods, reason = "tests are told where the servers are")]
pub(super) async fn replica_set() -> String {
    let url = std::env::var("TOKENWRIGHT_TEST_MONGODB_REPLICA_SET_URL").unwrap();
    let host = url.trim_start_matches("mongodb://").split('/').next().unwrap().to_owned();
    let port = host.rsplit(':').next().unwrap().parse().unwrap();
    testbed::replica_set::initiate(&[port]).await.unwrap();
    format!("mongodb://{host}/?replicaSet=rs0")
}

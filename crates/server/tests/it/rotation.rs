//! The keys take turns under load, before the eyes of verifiers that nobody here wrote.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use futures_util::future::join_all;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};

use crate::support::postgres::Database;
use crate::support::{Answer, Client, Options, Server, claims};

/// How long a test may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(150);

/// A resource server: it fetches the keys, keeps them for exactly as long as `Cache-Control` says,
/// and fetches them again for no other reason.
struct Verifier {
    http: reqwest::Client,
    url: String,
    keys: HashMap<String, DecodingKey>,
    until: Instant,
    fetches: usize,
}

/// What a verifier says of a token.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    /// The machine is slow: it expired on the way.
    Expired,
    Bad(String),
}

impl Verifier {
    fn of(server: &Server) -> Self {
        Self {
            http: server.http.clone(),
            url: server.at("/.well-known/jwks.json"),
            keys: HashMap::new(),
            until: Instant::now(),
            fetches: 0,
        }
    }

    async fn verdict(&mut self, token: &str) -> Verdict {
        if self.until <= Instant::now() {
            self.fetch().await;
        }
        let kid = decode_header(token).unwrap().kid.unwrap();
        let Some(key) = self.keys.get(&kid) else {
            return Verdict::Bad(format!("the key {kid} is unknown"));
        };
        let mut validation = Validation::new(Algorithm::ES256);
        validation.leeway = 0;
        validation.validate_aud = false;
        match decode::<Value>(token, key, &validation) {
            Ok(_) => Verdict::Good,
            Err(error) if *error.kind() == ErrorKind::ExpiredSignature => Verdict::Expired,
            Err(error) => Verdict::Bad(error.to_string()),
        }
    }

    async fn fetch(&mut self) {
        // RFC 9111 section 4.2.3: an answer is as old as the request for it.
        let asked = Instant::now();
        let answer = Answer::to(self.http.get(&self.url)).await;
        let max_age = answer.header("cache-control").strip_prefix("public, max-age=").unwrap();
        self.until = asked + Duration::from_secs(max_age.parse().unwrap());
        let set: JwkSet = serde_json::from_str(&answer.text).unwrap();
        let key = |jwk: &jsonwebtoken::jwk::Jwk| {
            (jwk.common.key_id.clone().unwrap(), DecodingKey::from_jwk(jwk).unwrap())
        };
        self.keys = set.keys.iter().map(key).collect();
        self.fetches += 1;
    }
}

fn kid(token: &str) -> String {
    decode_header(token).unwrap().kid.unwrap()
}

/// What one verifier saw.
#[derive(Default)]
struct Seen {
    verified: usize,
    fetches: usize,
    failures: Vec<String>,
}

/// Verifies each token as soon as it comes, and once more a second later.
async fn verify(mut verifier: Verifier, mut tokens: UnboundedReceiver<String>) -> Seen {
    let (mut seen, mut later) = (Seen::default(), std::collections::VecDeque::new());
    while let Some(token) = tokens.recv().await {
        later.push_back((Instant::now() + Duration::from_secs(1), token.clone()));
        let mut now = vec![token];
        while later.front().is_some_and(|(due, _)| *due <= Instant::now()) {
            now.extend(later.pop_front().map(|(_, token)| token));
        }
        for token in now {
            match verifier.verdict(&token).await {
                Verdict::Good => seen.verified += 1,
                Verdict::Expired => (),
                Verdict::Bad(why) => seen.failures.push(why),
            }
        }
    }
    Seen { fetches: verifier.fetches, ..seen }
}

/// Issues without a pause until `turns` keys have signed; which those were.
async fn issue(
    node: &Server,
    client: &Client,
    turns: usize,
    verifiers: Vec<UnboundedSender<String>>,
) -> BTreeSet<String> {
    let mut kids = BTreeSet::new();
    while kids.len() < turns {
        let token = node.token_of(client).await;
        kids.insert(kid(&token));
        for verifier in &verifiers {
            verifier.send(token.clone()).unwrap();
        }
        sleep(Duration::from_millis(5)).await;
    }
    kids
}

/// A key is published for five seconds before it signs: two for verifiers, one until every node
/// has read it, and two because either may be late.
fn short(options: Options) -> Options {
    options
        .with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
        .with("TOKENWRIGHT__TOKENS__ISSUER", "https://tokens.example")
        .with("TOKENWRIGHT__TOKENS__LIFETIME_SECONDS", "3")
        .with("TOKENWRIGHT__TOKENS__LONGEST_LIFETIME_SECONDS", "3")
        .with("TOKENWRIGHT__KEYS__REFRESH_SECONDS", "1")
        .with("TOKENWRIGHT__KEYS__PUBLISH_SECONDS", "2")
        .with("TOKENWRIGHT__KEYS__ROTATE_EVERY_SECONDS", "1")
        .with("TOKENWRIGHT__KEYS__CLOCK_SKEW_SECONDS", "0")
}

/// What came of several turns.
struct Run {
    verifiers: Vec<Seen>,
    /// How many keys signed on both nodes.
    common: usize,
    /// How many keys are left at the end.
    left: usize,
}

/// How many keys sign before a test has seen enough: four turns.
const KEYS: usize = 5;

/// Two nodes issue under load, and two verifiers of each look on, until the keys have taken their
/// turns: by themselves, or `is_forced`, every second and whoever knows them.
async fn seen_through_whole_rotations(options: Options, is_forced: bool) -> Run {
    let nodes = [Server::start_with(options.clone()), Server::start_with(options)];
    let client = nodes[0].register().await;
    let (mut senders, mut verifying) = (Vec::new(), Vec::new());
    for node in [&nodes[0], &nodes[1], &nodes[0], &nodes[1]] {
        let (send, receive) = unbounded_channel();
        senders.push(send);
        verifying.push(verify(Verifier::of(node), receive));
    }
    let forcing = async {
        if !is_forced {
            std::future::pending::<()>().await;
        }
        loop {
            sleep(Duration::from_secs(1)).await;
            let forced = nodes[0].manage("POST", "/keys/rotate").json(&json!({"force": true}));
            assert_eq!(Answer::to(forced).await.status, 200);
        }
    };
    let issuing = async {
        let (one, other) = (senders.clone(), senders);
        tokio::join!(issue(&nodes[0], &client, KEYS, one), issue(&nodes[1], &client, KEYS, other))
    };

    // Who verifies ends when nobody issues any more.
    let ((of_one, of_other), verifiers) = tokio::select! {
        seen = async { tokio::join!(issuing, join_all(verifying)) } => seen,
        () = sleep(PATIENCE) => panic!("there were no whole rotations in {PATIENCE:?}"),
        () = forcing => unreachable!("it goes on"),
    };

    let keys = Answer::to(nodes[0].manage("GET", "/keys")).await.json();
    Run {
        verifiers,
        common: of_one.intersection(&of_other).count(),
        left: keys["keys"].as_array().unwrap().len(),
    }
}

async fn no_verification_fails_through_whole_rotations(options: Options) {
    let run = seen_through_whole_rotations(options, false).await;

    for seen in run.verifiers {
        assert_eq!(seen.failures, Vec::<String>::new());
        assert!(100 < seen.verified && 5 < seen.fetches, "{} {}", seen.verified, seen.fetches);
    }
    // Whoever went on for longer saw one more turn.
    assert!(KEYS - 1 <= run.common, "{}", run.common);
    assert!(run.left <= 4, "old keys go: {}", run.left);
}

#[tokio::test]
async fn no_verification_fails_while_two_nodes_on_postgres_rotate_under_load() {
    let database = Database::empty().await;
    no_verification_fails_through_whole_rotations(short(database.options())).await;
}

/// Nothing tells a node of a change there: it finds out when it reads the keys again.
#[tokio::test]
async fn no_verification_fails_while_two_nodes_without_a_feed_rotate_under_load() {
    let directory = TempDir::new().unwrap();
    let options = Options::default().in_directory(directory.path());
    no_verification_fails_through_whole_rotations(short(options)).await;
}

/// The same verifiers under the same load do fail where keys sign before their time.
#[tokio::test]
async fn verifications_fail_under_load_where_keys_sign_before_they_were_published_for_long_enough()
{
    let database = Database::empty().await;
    let options = short(database.options()).with("TOKENWRIGHT__KEYS__PUBLISH_SECONDS", "60");

    let run = seen_through_whole_rotations(options, true).await;

    for seen in run.verifiers {
        assert!(0 < seen.verified && !seen.failures.is_empty(), "{:?}", seen.failures);
        assert!(seen.failures.iter().all(|why| why.ends_with("is unknown")), "{:?}", seen.failures);
    }
}

/// One of them, step by step: it caches, and knows no better until it fetches again.
#[tokio::test]
async fn a_verifier_refuses_a_key_that_signs_before_its_time_until_it_fetches_again() {
    let options = short(Options::default()).with("TOKENWRIGHT__KEYS__PUBLISH_SECONDS", "30");
    let server = Server::start_with(options);
    let client = server.register().await;
    let mut verifier = Verifier::of(&server);
    assert_eq!(verifier.verdict(&server.token_of(&client).await).await, Verdict::Good);
    let rotate = async || {
        let forced = server.manage("POST", "/keys/rotate").json(&json!({"force": true}));
        assert_eq!(Answer::to(forced).await.status, 200);
        server.token_of(&client).await
    };

    let of_the_next = rotate().await;
    let of_a_new_one = rotate().await;

    assert_eq!(verifier.verdict(&of_the_next).await, Verdict::Good, "it was published");
    assert!(matches!(verifier.verdict(&of_a_new_one).await, Verdict::Bad(_)));
    assert_eq!(verifier.fetches, 1);
    verifier.until = Instant::now();
    assert_eq!(verifier.verdict(&server.token_of(&client).await).await, Verdict::Good);
}

/// Nodes that issue at the same time for the same client draw their names alike and by themselves.
#[tokio::test]
async fn t41_no_two_tokens_of_two_nodes_are_alike() {
    let database = Database::empty().await;
    let options = short(database.options());
    let nodes = [Server::start_with(options.clone()), Server::start_with(options)];
    let client = nodes[0].register().await;
    let (mut tokens, mut names) = (BTreeSet::new(), BTreeSet::new());

    for _ in 0..10 {
        let issuing = (0..20).map(|index| nodes[index % 2].token_of(&client));
        for token in join_all(issuing).await {
            names.insert(claims(&token)["jti"].as_str().unwrap().to_owned());
            tokens.insert(token);
        }
    }

    assert_eq!((tokens.len(), names.len()), (200, 200));
}

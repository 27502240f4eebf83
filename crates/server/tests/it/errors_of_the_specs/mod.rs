//! What the specs of the three systems, and ours, say of refusals: row by row, over the wire. What takes
//! a store that is out or a neighbour that refuses is in `stacks` and `postgres`; `docs/conformance.md`
//! names the test of each row.

mod curity;
mod idservice;
mod mia;
mod mia_assertions;
mod protocol;

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::jwt::{KeyClient, RSA};
use crate::support::{Answer, Client, Options, Server};

const BASIC_CHALLENGE: &str = r#"Basic realm="tokenwright", charset="UTF-8""#;

/// A row of a spec: what it says, a request that it speaks of, and what the answer must be.
struct Row {
    says: &'static str,
    request: RequestBuilder,
    outcome: &'static str,
    challenge: &'static str,
}

fn row(says: &'static str, request: RequestBuilder, outcome: &'static str) -> Row {
    Row { says, request, outcome, challenge: "" }
}

impl Row {
    fn challenged(self, challenge: &'static str) -> Self {
        Self { challenge, ..self }
    }

    /// What differs from the row, if anything does.
    async fn difference(self) -> Option<String> {
        let answer = Answer::to(self.request).await;
        let (status, error) = self.outcome.split_once(' ').unwrap();
        let body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        let is_whole = body["message"] == body["error_description"]
            && body["statusCode"] == json!(answer.status.as_u16())
            && answer.header("cache-control") == "no-store";
        let is_as_said = answer.status.as_str() == status
            && body["error"] == error
            && answer.header("www-authenticate") == self.challenge;
        (!is_as_said || !is_whole).then(|| format!("{}: {answer:?}", self.says))
    }
}

async fn assert_all(rows: Vec<Row>) {
    let mut differences = Vec::new();
    for row in rows {
        differences.extend(row.difference().await);
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

/// A server, and clients of every kind that the rows speak of.
struct Ground {
    server: Server,
    client: Client,
    disabled: Client,
    draft: Client,
    without_grant: Client,
    keyed: KeyClient,
}

impl Ground {
    async fn start() -> Self {
        let options = Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256");
        let server = Server::start_with(options);
        let client =
            server.create_client(json!({"scope": "read write", "audience": ["orders"]})).await;
        let disabled = server.register().await;
        let disable = server.manage("POST", &format!("/clients/{}/disable", disabled.id));
        assert_eq!(Answer::to(disable).await.status, 200);
        let draft = server.create_client(json!({"__STATE__": "DRAFT"})).await;
        let without_grant = server.create_client(json!({"capabilities": ["introspection"]})).await;
        let keyed = server.key_client(&RSA).await;
        Self { server, client, disabled, draft, without_grant, keyed }
    }

    /// A form from a client with a secret, in the header.
    fn form(&self, path: &str, client: &Client, form: &[(&str, &str)]) -> RequestBuilder {
        let request = self.server.http.post(self.server.at(path)).form(form);
        request.header("authorization", client.basic())
    }

    /// A form with nothing in the header.
    fn bare(&self, path: &str, form: &[(&str, &str)]) -> RequestBuilder {
        self.server.http.post(self.server.at(path)).form(form)
    }

    fn unknown(&self) -> Client {
        Client { id: "nobody-knows-me".to_owned(), secret: self.client.secret.clone() }
    }

    fn wrong(&self) -> Client {
        Client { id: self.client.id.clone(), secret: "wrong".to_owned() }
    }

    fn json(&self, path: &str, body: &Value) -> RequestBuilder {
        self.server.http.post(self.server.at(path)).json(body)
    }
}

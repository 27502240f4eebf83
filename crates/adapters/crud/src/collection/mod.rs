//! The collection, as far as HTTP goes: what is asked, and what comes back.

mod gate;
mod headers;
mod reply;
mod request;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response, header};
use url::Url;

pub(crate) use reply::{Answer, Reply, count, documents, object};
pub(crate) use request::Request;

use crate::mishap::Mishap;
use crate::{CrudOptions, PassedOn};
use gate::Gate;

/// The most bytes that are read of an answer: 200 clients are far less.
const MAX_ANSWER_BYTES: usize = 16 * 1_024 * 1_024;

/// A collection behind a CRUD service.
pub(crate) struct Collection {
    base: Url,
    http: Client,
    headers: PassedOn,
    gate: Gate,
    timeout: Duration,
}

impl Collection {
    pub(crate) fn new(options: &CrudOptions) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(1).min(options.timeout))
            .pool_max_idle_per_host(options.max_connections)
            // Node.js closes a connection that rests for 5 seconds: be the first.
            .pool_idle_timeout(Duration::from_secs(4))
            .build()?;
        Ok(Self {
            base: options.base_url.clone(),
            http,
            headers: options.headers.clone(),
            gate: Gate::new(options.max_connections, options.max_waiting),
            timeout: options.timeout,
        })
    }

    /// How long a call of a port may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Asks, and asks once more where that can do no harm and may help.
    pub(crate) async fn ask(&self, request: &Request) -> Result<Answer, Mishap> {
        let _place = self.gate.enter(self.timeout / 4).await?;
        let patience = if request.is_repeatable { self.timeout / 2 } else { self.timeout };
        let mishap = match self.attempt(request, patience).await {
            Ok(reply) => return Ok(Answer { reply, is_repeated: false }),
            Err(mishap) => mishap,
        };
        let is_harmless = request.is_repeatable || mishap.is_before_sending();
        if !is_harmless || !mishap.may_be_over() {
            return Err(mishap);
        }
        tokio::time::sleep(pause()).await;
        // Only what was sent before may have been carried out before.
        let is_repeated = !mishap.is_before_sending();
        Ok(Answer { reply: self.attempt(request, patience).await?, is_repeated })
    }

    async fn attempt(&self, request: &Request, patience: Duration) -> Result<Reply, Mishap> {
        let url = request.url(&self.base);
        let mut builder = self.http.request(request.method.clone(), url).timeout(patience);
        for (name, value) in headers::legal(&(self.headers)()) {
            builder = builder.header(name, value);
        }
        if let Some(body) = &request.body {
            builder = builder.header(header::CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = builder.send().await.map_err(Mishap::transport)?;
        let status = response.status().as_u16();
        let body = read(response).await?;
        Reply::judge(status, body, request.is_about_a_document)
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, Mishap> {
    let too_large = || Mishap::TooLarge { max_bytes: MAX_ANSWER_BYTES };
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(Mishap::transport)? {
        if MAX_ANSWER_BYTES < body.len() + piece.len() {
            return Err(too_large());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Not the same for all who met the same outage.
fn pause() -> Duration {
    let random = RandomState::new().build_hasher().finish();
    Duration::from_millis(25 + random % 100)
}

//! A question to a server, asked again where that may help.

use std::time::Duration;

use domain::Timestamp;
use domain::gateway::{FetchFailure, ServerRefusal};
use domain::parse_object;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::OauthClientOptions;
use crate::mishap::Mishap;

/// The most that is read of an answer.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// The longest pause between two tries, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

/// The time that all tries of one question have together.
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(span: Duration) -> Self {
        // What ends beyond the end of the machine's time ends in a day.
        let now = Instant::now();
        Self(now.checked_add(span).unwrap_or(now + Duration::from_hours(24)))
    }

    fn left(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Asks until there is an answer that stands, or nothing more can be hoped for. `request` makes the
/// question anew for each try, since an assertion is good for one.
pub(crate) async fn ask(
    options: &OauthClientOptions,
    deadline: &Deadline,
    now: impl Fn() -> Timestamp,
    request: impl Fn() -> Result<RequestBuilder, FetchFailure>,
) -> Result<Answer, FetchFailure> {
    let mut tries = 0;
    loop {
        let patience = options.timeout.min(deadline.left());
        let outcome = match timeout(patience, attempt(request()?, &now)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Mishap::Late),
        };
        let pause = match &outcome {
            Ok(answer) if answer.is_worth_another_try() => answer.retry_after,
            Err(mishap) if mishap.may_be_over() => None,
            Ok(_) | Err(_) => return Ok(outcome?),
        };
        let pause = pause.unwrap_or_else(|| backoff(options.first_pause, tries));
        if tries == options.max_retries || deadline.left() <= pause {
            return Ok(outcome?);
        }
        tries += 1;
        sleep(pause).await;
    }
}

impl Answer {
    /// The server may answer otherwise in a moment. 501 it will say again.
    fn is_worth_another_try(&self) -> bool {
        matches!(self.status, 429 | 500 | 502..=599)
    }

    /// The body of a 200, or what another status means.
    pub(crate) fn successful(self) -> Result<Vec<u8>, FetchFailure> {
        match self.status {
            200 => Ok(self.body),
            429 => Err(FetchFailure::Throttled { retry_after: self.retry_after }),
            400..=499 => Err(self.refusal().classified()),
            500..=599 => {
                Err(FetchFailure::Failing { status: self.status, retry_after: self.retry_after })
            }
            300..=399 => {
                Err(FetchFailure::Unusable("it is a redirect, and redirects are never followed"))
            }
            _ => Err(FetchFailure::Unusable("its status is none that can be used")),
        }
    }

    /// What a 4xx refused (RFC 6749 section 5.2).
    pub(crate) fn refusal(&self) -> ServerRefusal {
        let members = parse_object(&self.body).ok();
        let code = members.as_ref().and_then(|it| it.get("error")).and_then(Value::as_str);
        ServerRefusal::new(self.status, code)
    }
}

async fn attempt(request: RequestBuilder, now: impl Fn() -> Timestamp) -> Result<Answer, Mishap> {
    let response = request.send().await.map_err(Mishap::transport)?;
    let status = response.status().as_u16();
    let retry_after = match status {
        429 | 503 => retry_after(response.headers(), now()),
        _ => None,
    };
    let body = read(response).await?;
    Ok(Answer { status, retry_after, body })
}

async fn read(mut response: Response) -> Result<Vec<u8>, Mishap> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(Mishap::transport)? {
        if MAX_ANSWER_BYTES < body.len() + piece.len() {
            return Err(Mishap::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
        Timestamp::from_unix_millis(0).after(since_epoch).since(now)
    };
    Some(pause.min(LONGEST_PAUSE))
}

/// Twice as long each time, give or take a fifth: those whom one outage met do not come back
/// together.
fn backoff(first: Duration, tries: u32) -> Duration {
    let mut chance = [0; 2];
    // Jitter is a courtesy: without randomness all wait the longest.
    let chance = match aws_lc_rs::rand::fill(&mut chance) {
        Ok(()) => u16::from_ne_bytes(chance),
        Err(_) => u16::MAX,
    };
    let pause = first.saturating_mul(2_u32.saturating_pow(tries)).min(LONGEST_PAUSE);
    pause * 4 / 5 + pause * 2 / 5 * u32::from(chance) / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute_give_or_take_a_fifth() {
        for (tries, seconds) in [(0, 1), (1, 2), (2, 4), (4, 16), (5, 30), (40, 30)] {
            for _ in 0..100 {
                let pause = backoff(Duration::from_secs(1), tries).as_millis();
                assert!((seconds * 800..=seconds * 1_200).contains(&pause), "{tries}: {pause}");
            }
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let now = Timestamp::from_unix_seconds(784_111_777);
        let read = |text: &'static str| {
            let headers = [(RETRY_AFTER, text.parse().unwrap())].into_iter().collect();
            retry_after(&headers, now).map(|it| it.as_secs())
        };

        assert_eq!(read("7"), Some(7));
        assert_eq!(read("3600"), Some(30));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:47 GMT"), Some(10));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:00 GMT"), Some(0));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-1"), None);
    }
}

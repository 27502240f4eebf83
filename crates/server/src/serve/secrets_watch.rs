//! Somebody is warned before secrets end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::rt::time;
use app::{SecretsSurvey, SurveySecrets};
use domain::{ClientId, EndingSecret, SecretName, Timestamp};

use crate::client_document::moment;
use crate::telemetry::Sample;

/// How often the numbers are made anew.
const SURVEY_EVERY: Duration = Duration::from_hours(1);
/// The log is told in one survey of so many.
const TELL_EVERY: u32 = 24;
/// How long a store that is out is left alone.
const AGAIN: Duration = Duration::from_mins(1);
/// How many secrets the log names at a time.
const NAMED: usize = 100;

/// What the last survey found, as numbers.
#[derive(Debug, Default)]
pub(crate) struct SecretNumbers {
    ending: AtomicU64,
    ended: AtomicU64,
    next_end: AtomicU64,
}

impl SecretNumbers {
    /// What the metrics show of them. No label names a client.
    pub(crate) fn samples(self: &Arc<Self>) -> [Sample; 3] {
        let [ending, ended, next_end] = [(); 3].map(|()| Arc::clone(self));
        [
            Sample::Gauge(
                "secrets_ending",
                "Secrets that end within secrets.warn_before_seconds and lock their client out",
                Box::new(move || ending.ending.load(Ordering::Relaxed)),
            ),
            Sample::Gauge(
                "secrets_ended",
                "Secrets that ended in the last secrets.warn_before_seconds and lock their client \
                 out",
                Box::new(move || ended.ended.load(Ordering::Relaxed)),
            ),
            Sample::Gauge(
                "secrets_next_end_timestamp_seconds",
                "When the next of the ending secrets ends, in Unix time; 0 where there is none",
                Box::new(move || next_end.next_end.load(Ordering::Relaxed)),
            ),
        ]
    }

    fn set(&self, survey: &SecretsSurvey) {
        let next_end = survey.next_end().map_or(0, Timestamp::as_unix_seconds);
        self.ending.store(survey.ending.len() as u64, Ordering::Relaxed);
        self.ended.store(survey.ended.len() as u64, Ordering::Relaxed);
        self.next_end.store(next_end, Ordering::Relaxed);
    }
}

/// Surveys the secrets at start and every hour, and names them in the log at start and every day.
pub(super) async fn watch(survey: SurveySecrets, numbers: Arc<SecretNumbers>) {
    let mut surveys = 0;
    loop {
        match survey.execute().await {
            Ok(found) => {
                numbers.set(&found);
                if surveys % TELL_EVERY == 0 {
                    tell(&found);
                }
                surveys += 1;
                time::sleep(SURVEY_EVERY).await;
            }
            Err(fault) => {
                tracing::debug!(error = fault.explained(), "secrets that end are not looked for");
                time::sleep(AGAIN).await;
            }
        }
    }
}

fn tell(survey: &SecretsSurvey) {
    for it in survey.ended.iter().take(NAMED) {
        line(it, "a secret has ended, and its client has no other");
    }
    for it in survey.ending.iter().take(NAMED) {
        line(it, "a secret ends soon, and its client has no other");
    }
    let unnamed = [&survey.ended, &survey.ending].map(|it| it.len().saturating_sub(NAMED));
    let [ended, ending] = unnamed;
    if 0 < ended + ending {
        tracing::warn!(ended, ending, "more secrets have ended or end soon");
    }
}

fn line(it: &EndingSecret, message: &'static str) {
    let ends_at = it.secret.expires_at.map(moment).unwrap_or_default();
    let client = it.client.as_ref().map(ClientId::as_str);
    let name = it.secret.name.as_ref().map(SecretName::as_str);
    tracing::warn!(
        client.id = client,
        secret.id = it.secret.id.as_str(),
        secret.name = name,
        secret.ends_at = ends_at.as_str(),
        "{message}"
    );
}

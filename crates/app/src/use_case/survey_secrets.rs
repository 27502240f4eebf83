//! Which secrets end before anybody may have thought of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use domain::port::{ClientRepository, Clock, CredentialRepository};
use domain::{ClientId, EndingSecret, Fault, Timestamp};

/// How many secrets are looked at in each direction: those that end first.
const MOST: usize = 1_000;

/// Finds the secrets that end soon, and those that ended lately, where that locks a client out.
#[derive(Clone)]
pub struct SurveySecrets {
    /// Where clients are kept.
    pub clients: Arc<dyn ClientRepository>,
    /// Where the hashes of their secrets are kept.
    pub credentials: Arc<dyn CredentialRepository>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How long before its end a secret is worth a warning, and how long after it.
    pub warn_before: Duration,
}

/// What was found, what ends first in front. Each list ends after a thousand secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretsSurvey {
    /// Those that end soon.
    pub ending: Vec<EndingSecret>,
    /// Those that ended lately.
    pub ended: Vec<EndingSecret>,
}

impl SecretsSurvey {
    /// When the next of them ends.
    #[must_use]
    pub fn next_end(&self) -> Option<Timestamp> {
        self.ending.first().and_then(|it| it.secret.expires_at)
    }
}

impl SurveySecrets {
    /// Runs the use-case. What counts is the last secret of a client that is enabled: who has
    /// another one that lives on is in the middle of a rotation, or done with it. Where the store
    /// tells no clients, every secret counts.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub async fn execute(&self) -> Result<SecretsSurvey, Fault> {
        let now = self.clock.now();
        let (first, last) = (now.before(self.warn_before), now.after(self.warn_before));
        // What ends now has ended.
        let next = now.after(Duration::from_millis(1));
        let ended = self.credentials.ending(first, next, MOST).await?;
        let ending = self.credentials.ending(next, last, MOST).await?;
        Ok(SecretsSurvey {
            ending: self.locking_out(ending, last).await?,
            ended: self.locking_out(ended, now).await?,
        })
    }

    /// Those whose end leaves a client with nothing that lives at `then`, one of each client.
    async fn locking_out(
        &self,
        found: Vec<EndingSecret>,
        then: Timestamp,
    ) -> Result<Vec<EndingSecret>, Fault> {
        let (mut seen, mut relevant) = (HashSet::new(), Vec::new());
        for it in found.into_iter().rev() {
            let counts = match &it.client {
                None => true,
                Some(client) => {
                    seen.insert(client.clone()) && self.has_nothing_left(client, then).await?
                }
            };
            if counts {
                relevant.push(it);
            }
        }
        relevant.reverse();
        Ok(relevant)
    }

    /// Whether a client that is in use has no secret that lives at `then`.
    async fn has_nothing_left(&self, client: &ClientId, then: Timestamp) -> Result<bool, Fault> {
        if !self.clients.find(client).await?.is_some_and(|it| it.is_enabled()) {
            return Ok(false);
        }
        let secrets = self.credentials.list(client).await?;
        Ok(!secrets.iter().any(|it| it.is_live(then)))
    }
}

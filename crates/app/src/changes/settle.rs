//! What follows from a commit or a rollback is done, also where whoever began it has crashed.

use domain::change_set::{ChangeSet, Settlement};
use domain::{Fault, Timestamp};

use super::staging::Staging;

/// How many change sets are looked after at a time.
const AT_A_TIME: usize = 100;

/// Does what follows from commits and rollbacks and was not done by whoever made them.
#[derive(Clone)]
pub struct SettleChanges {
    /// What change sets need.
    pub staging: Staging,
}

impl SettleChanges {
    /// Runs the use-case: to be called every few seconds, on every node.
    ///
    /// # Errors
    ///
    /// The first [`Fault`]; what is left is done the next time.
    #[tracing::instrument(level = "debug", name = "settle_changes", skip_all)]
    pub async fn execute(&self) -> Result<(), Fault> {
        self.staging.settle_all().await
    }
}

impl Staging {
    pub(super) async fn settle_all(&self) -> Result<(), Fault> {
        for id in self.sets.unsettled(AT_A_TIME).await? {
            if let Some(set) = self.sets.find(&id).await? {
                self.settle(set).await?;
            }
        }
        Ok(())
    }

    /// Does what can be done by now; any number of nodes may do so at once, and as late as they
    /// like: what was made since is not touched.
    pub(super) async fn settle(&self, set: ChangeSet) -> Result<ChangeSet, Fault> {
        let now = self.clock.now();
        if set.is_settled() {
            return Ok(set);
        }
        for settlement in &set.unsettled {
            self.settle_one(settlement, now).await?;
        }
        let (expected, many) = (set.revision, set.unsettled.len());
        let mut settled = set.renewed(now);
        // Where another node may go on with a client for a while, its tokens are taken back again.
        settled.unsettled.retain(|it| it.tokens_until.is_some_and(|until| now < until));
        if settled.unsettled.len() == many {
            return Ok(ChangeSet { revision: expected, ..settled });
        }
        if self.sets.update(&settled, expected).await? {
            return Ok(settled);
        }
        // Somebody else was faster.
        let stored = self.sets.find(&settled.id).await?;
        Ok(stored.unwrap_or(settled))
    }

    async fn settle_one(&self, settlement: &Settlement, now: Timestamp) -> Result<(), Fault> {
        let Settlement { client, at, secrets, tokens_until } = settlement;
        if let Some(until) = tokens_until {
            // Whoever brought it back took back what had been issued by then.
            let stored = self.clients.find(client).await?;
            if !stored.is_some_and(|it| it.is_enabled()) {
                let until = now.min(*until);
                self.tokens
                    .revoke_client(client, until, until.after(self.longest_lifetime))
                    .await?;
            }
        }
        let Some(kept) = secrets else { return Ok(()) };
        for credential in self.credentials.list(client).await? {
            if credential.created_at <= *at && !kept.contains(&credential.id) {
                self.credentials.remove(client, &credential.id).await?;
            }
        }
        Ok(())
    }
}

//! A change set takes effect.

use domain::change_set::{ChangeSet, ChangeSetState, Commitment, Transition};
use domain::management::Mandate;
use domain::{
    Author, ChangeSetId, Client, ClientId, ClientSecret, Credential, Fault, Revision, Timestamp,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::carry_out::Work;
use super::staging::{ChangesError, Staging, check_mandate, draft};
use crate::make;

/// How many secrets are hashed at a time: that is slow, and others wait for the same pool.
const HASHED_AT_A_TIME: usize = 2;

/// Lets a change set take effect, all of it or nothing.
#[derive(Clone)]
pub struct CommitChanges {
    /// What change sets need.
    pub staging: Staging,
}

/// A change set that took effect.
#[derive(Debug)]
pub struct CommittedChanges {
    /// The change set.
    pub set: ChangeSet,
    /// The secrets that were made, shown this once.
    pub secrets: Vec<(ClientId, ClientSecret)>,
}

impl CommitChanges {
    /// Runs the use-case: commits the draft, if its revision is one of `expected`; `None` stands
    /// for whatever it is. It is validated as a whole, as things are now; the transaction then
    /// demands that nothing of this has changed since. Whoever drafted it, it does what the committer may do.
    ///
    /// # Errors
    ///
    /// See [`ChangesError`]. After a [`Fault`] the set says by its state what became of it.
    #[tracing::instrument(level = "debug", name = "commit_changes", skip_all)]
    pub async fn execute(
        &self,
        id: &ChangeSetId,
        expected: Option<&[Revision]>,
        by: Author,
        mandate: &Mandate,
    ) -> Result<CommittedChanges, ChangesError> {
        let staging = &self.staging;
        staging.check_store().await?;
        // What an earlier commit left to be done about the same clients comes first.
        staging.settle_all().await?;
        let set = staging.find_at(id, expected).await?;
        draft(&set)?;
        let now = staging.clock.now();
        let known = staging.known(&set.operations).await?;
        let plan = staging.plan(&set.operations, &known, now)?;
        if !plan.moved.is_empty() {
            return Err(ChangesError::Moved(plan.moved));
        }
        if !plan.problems.is_empty() {
            return Err(ChangesError::Invalid(plan.problems));
        }
        check_mandate(&plan.transitions, mandate)?;
        let (secrets, given) = staging.new_secrets(&plan.transitions, now).await?;
        let transitions = plan.transitions;
        let commitment = Commitment { by, at: now, transitions: transitions.clone() };
        let state = ChangeSetState::Committed(commitment);
        let set = staging.carry_out(Work { set, state, transitions, given, now }).await?;
        Ok(CommittedChanges { set, secrets })
    }
}

type Secrets = Vec<(ClientId, ClientSecret)>;
type Hashes = Vec<(ClientId, Credential)>;

impl Staging {
    /// A secret for each client that is to use one from now on, and its hash.
    async fn new_secrets(
        &self,
        transitions: &[Transition],
        now: Timestamp,
    ) -> Result<(Secrets, Hashes), Fault> {
        let needs_secret = |it: &&Transition| {
            let uses_secret = |client: &Client| client.authentication.uses_secret();
            it.after.as_ref().is_some_and(uses_secret)
                && !it.before.as_ref().is_some_and(uses_secret)
        };
        let with_secret = |client: Client| async move {
            let secret = make::client_secret(self.entropy.as_ref())?;
            let id = make::secret_id(self.entropy.as_ref())?;
            let (hasher, macs) = (self.hasher.as_ref(), self.macs.as_ref());
            let hash = make::kept_secret(hasher, macs, &client, &id, &secret).await?;
            let credential = make::credential(id, &secret, hash, self.digester.as_ref(), now);
            Ok::<_, Fault>(((client.id.clone(), secret), (client.id, credential)))
        };
        let after = |it: &Transition| it.after.clone();
        let made: Vec<_> = stream::iter(transitions.iter().filter(needs_secret).filter_map(after))
            .map(with_secret)
            .buffered(HASHED_AT_A_TIME)
            .try_collect()
            .await?;
        Ok(made.into_iter().unzip())
    }
}

//! A change set is drafted, and edited.

use domain::change_set::{
    ChangeSet, ChangeSetState, ClientAction, MAX_KEPT_BYTES, MAX_OPERATIONS, Operation,
};
use domain::management::Mandate;
use domain::{Author, ChangeNote, ChangeSetId, Fault, JsonObject, Revision};
use serde_json::Value;

use super::problems::DraftProblem;
use super::staging::{ChangesError, Staging, check_mandate, draft};
use crate::make;

/// Drafts a change set.
#[derive(Clone)]
pub struct DraftChanges {
    /// What change sets need.
    pub staging: Staging,
}

/// Changes a draft.
#[derive(Clone)]
pub struct EditChanges {
    /// What change sets need.
    pub staging: Staging,
}

/// What a change set shall do.
#[derive(Clone, Debug, Default)]
pub struct DraftRequest {
    /// What it is for.
    pub note: Option<ChangeNote>,
    /// Its operations, as they are written.
    pub operations: Vec<JsonObject>,
}

impl DraftChanges {
    /// Runs the use-case. Each operation on a client that is there remembers its revision. What the
    /// operations say of clients is not checked yet: a draft may be wrong. Whoever could not commit
    /// what they draft is told so at once, and nobody else is led to commit it for them.
    ///
    /// # Errors
    ///
    /// See [`ChangesError`].
    #[tracing::instrument(level = "debug", name = "draft_changes", skip_all)]
    pub async fn execute(
        &self,
        request: DraftRequest,
        author: Author,
        mandate: &Mandate,
    ) -> Result<ChangeSet, ChangesError> {
        let staging = &self.staging;
        staging.check_store().await?;
        let operations = staging.bound(staging.read(request.operations)?).await?;
        staging.check_draft(&operations, mandate).await?;
        let now = staging.clock.now();
        let set = ChangeSet {
            id: make::change_set_id(staging.entropy.as_ref(), now)?,
            note: request.note,
            author,
            created_at: now,
            updated_at: now,
            revision: Revision::FIRST,
            operations,
            state: ChangeSetState::Draft,
            pending: Vec::new(),
            unsettled: Vec::new(),
        };
        check_size(&set)?;
        if !staging.sets.insert(&set).await? {
            return Err(Fault::corrupt("the id of a new change set is taken").into());
        }
        Ok(set)
    }
}

impl EditChanges {
    /// Runs the use-case: gives the draft other operations and another note, if its revision is one
    /// of `expected`; `None` stands for whatever it is.
    ///
    /// # Errors
    ///
    /// See [`ChangesError`].
    #[tracing::instrument(level = "debug", name = "edit_changes", skip_all)]
    pub async fn execute(
        &self,
        id: &ChangeSetId,
        request: DraftRequest,
        expected: Option<&[Revision]>,
        mandate: &Mandate,
    ) -> Result<ChangeSet, ChangesError> {
        let staging = &self.staging;
        let stored = staging.find_at(id, expected).await?;
        draft(&stored)?;
        let operations = staging.bound(staging.read(request.operations)?).await?;
        staging.check_draft(&operations, mandate).await?;
        let expected = stored.revision;
        let set = ChangeSet { note: request.note, operations, ..stored };
        let set = set.renewed(staging.clock.now());
        check_size(&set)?;
        if !staging.sets.update(&set, expected).await? {
            return Err(ChangesError::Superseded);
        }
        Ok(set)
    }
}

/// Refuses what a store might not take.
pub(super) fn check_size(set: &ChangeSet) -> Result<(), ChangesError> {
    let bytes = Value::Object(set.to_json()).to_string().len();
    if bytes <= MAX_KEPT_BYTES {
        return Ok(());
    }
    let reason = format!(
        "it takes {bytes} bytes with all that a rollback needs, and may take {MAX_KEPT_BYTES}: \
         split it"
    );
    Err(ChangesError::Invalid(vec![DraftProblem::of_set(reason)]))
}

impl Staging {
    /// Refuses operations that would be refused at the commit, as far as can be told by now.
    async fn check_draft(
        &self,
        operations: &[Operation],
        mandate: &Mandate,
    ) -> Result<(), ChangesError> {
        match mandate {
            Mandate::Unlimited => Ok(()),
            Mandate::Scope(_) => {
                let known = self.known(operations).await?;
                let plan = self.plan(operations, &known, self.clock.now())?;
                check_mandate(&plan.transitions, mandate)
            }
        }
    }

    /// The operations, or everything that is wrong about how they are written. A client that is
    /// made without an id is given one.
    fn read(&self, written: Vec<JsonObject>) -> Result<Vec<Operation>, ChangesError> {
        if MAX_OPERATIONS < written.len() {
            let many = written.len();
            let reason =
                format!("it has {many} operations, and may have {MAX_OPERATIONS}: split it");
            return Err(ChangesError::Invalid(vec![DraftProblem::of_set(reason)]));
        }
        let mut operations = Vec::with_capacity(written.len());
        let mut problems = Vec::new();
        for (position, mut object) in written.into_iter().enumerate() {
            let is_new = object.get("op").and_then(Value::as_str) == Some("create_client");
            if is_new && !object.contains_key("client_id") {
                let id = make::client_id(self.entropy.as_ref())?;
                object.insert("client_id".to_owned(), id.as_str().into());
            }
            match Operation::parse(object) {
                Ok(operation) => operations.push(operation),
                Err(error) => problems.push(DraftProblem::unreadable(position, error)),
            }
        }
        if problems.is_empty() { Ok(operations) } else { Err(ChangesError::Invalid(problems)) }
    }

    /// The operations, each with the revision of its client as it is now, unless it has one.
    async fn bound(&self, operations: Vec<Operation>) -> Result<Vec<Operation>, Fault> {
        let is_unbound = |operation: &Operation| {
            let Operation::Client(it) = operation;
            it.base.is_none() && !matches!(it.action, ClientAction::Create(_))
        };
        let ids: std::collections::BTreeSet<_> = operations
            .iter()
            .filter(|it| is_unbound(it))
            .map(|Operation::Client(it)| it.client.clone())
            .collect();
        let stored = self.stored(ids).await?;
        let bind = |mut operation: Operation| {
            if is_unbound(&operation) {
                let Operation::Client(it) = &mut operation;
                it.base = stored.get(&it.client).map(|client| client.revision);
            }
            operation
        };
        Ok(operations.into_iter().map(bind).collect())
    }
}

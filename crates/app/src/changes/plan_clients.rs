//! What would have to be done so that the clients are what somebody wrote down.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::change_set::{ClientAction, ClientOperation, Operation, Transition};
use domain::port::{ClientDirectory, ClientQuery};
use domain::{ClientId, JsonObject};

use super::problems::{DraftProblem, every_problem};
use super::staging::{ChangesError, Staging};
use crate::use_case::list_clients::MAX_PAGE;

/// How many clients that nobody wrote down are named.
const MOST_OTHERS: usize = domain::change_set::MAX_OPERATIONS;

/// Says what would have to be done so that the clients are what somebody wrote down.
#[derive(Clone)]
pub struct PlanClients {
    /// What change sets need.
    pub staging: Staging,
    /// Which clients there are.
    pub directory: Arc<dyn ClientDirectory>,
}

/// A client as it shall be.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredClient {
    /// Which one.
    pub client: ClientId,
    /// The whole of it: what is left out is what it is for a new client, but for its state, which
    /// stays.
    pub members: JsonObject,
}

/// What would have to be done.
#[derive(Debug)]
pub struct ClientsPlan {
    /// The operations, in the order of what was written; those that delete come last.
    pub operations: Vec<Operation>,
    /// What would become of each client, ordered by id.
    pub transitions: Vec<Transition>,
    /// Everything that is wrong; `operation` is the position of the client in what was written.
    pub problems: Vec<DraftProblem>,
    /// How many clients are what was written already.
    pub unchanged: usize,
    /// The clients that are there and were not written down, ordered by id.
    pub others: Vec<ClientId>,
    /// Whether there are more of them than are named.
    pub has_more_others: bool,
}

impl PlanClients {
    /// Runs the use-case. Nothing is written. With [`Pruning::Yes`], clients that were not written down
    /// are deleted.
    ///
    /// # Errors
    ///
    /// See [`ChangesError`].
    #[tracing::instrument(level = "debug", name = "plan_clients", skip_all)]
    pub async fn execute(
        &self,
        desired: &[DesiredClient],
        pruning: Pruning,
    ) -> Result<ClientsPlan, ChangesError> {
        self.staging.check_store().await?;
        let stored = self.staging.stored(desired.iter().map(|it| it.client.clone())).await?;
        let mut plan = ClientsPlan {
            operations: Vec::new(),
            transitions: Vec::new(),
            problems: Vec::new(),
            unchanged: 0,
            others: Vec::new(),
            has_more_others: false,
        };
        // Which of what was written an operation stands for.
        let mut positions = Vec::new();
        for (position, DesiredClient { client, members }) in desired.iter().enumerate() {
            let (base, action) = match stored.get(client) {
                None => (None, ClientAction::Create(members.clone())),
                Some(stored) => {
                    match every_problem(members, |object| self.staging.replaced(stored, object)) {
                        Ok(replaced) if replaced == *stored => {
                            plan.unchanged += 1;
                            continue;
                        }
                        Ok(_) | Err(_) => {
                            (Some(stored.revision), ClientAction::Replace(members.clone()))
                        }
                    }
                }
            };
            let client = client.clone();
            plan.operations.push(Operation::Client(ClientOperation { client, base, action }));
            positions.push(position);
        }
        self.look_for_others(desired, &mut plan).await?;
        if let Pruning::Yes = pruning {
            let others = self.staging.stored(plan.others.iter().cloned()).await?;
            plan.operations.extend(others.into_values().map(|other| {
                Operation::Client(ClientOperation {
                    client: other.id,
                    base: Some(other.revision),
                    action: ClientAction::Delete,
                })
            }));
        }
        if plan.operations.is_empty() {
            return Ok(plan);
        }
        let known = self.staging.known(&plan.operations).await?;
        let planned = self.staging.plan(&plan.operations, &known, self.staging.clock.now())?;
        let placed = |problem: DraftProblem| DraftProblem {
            operation: problem.operation.and_then(|it| positions.get(it).copied()),
            ..problem
        };
        plan.transitions = planned.transitions;
        plan.problems = planned.problems.into_iter().map(placed).collect();
        Ok(plan)
    }

    async fn look_for_others(
        &self,
        desired: &[DesiredClient],
        plan: &mut ClientsPlan,
    ) -> Result<(), ChangesError> {
        let written: BTreeSet<&ClientId> = desired.iter().map(|it| &it.client).collect();
        let mut after = None;
        loop {
            let query = ClientQuery { after, limit: MAX_PAGE, search: None };
            let page = self.directory.page(&query).await?;
            after = page.clients.last().map(|it| it.id.clone());
            for client in page.clients {
                if written.contains(&client.id) {
                    continue;
                }
                if plan.others.len() == MOST_OTHERS {
                    plan.has_more_others = true;
                    return Ok(());
                }
                plan.others.push(client.id);
            }
            if !page.has_more {
                return Ok(());
            }
        }
    }
}

/// What is to become of clients that were not written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pruning {
    /// They are deleted.
    Yes,
    /// They stay.
    No,
}

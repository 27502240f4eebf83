//! [`ClientTransaction`] on the tables of clients and of change sets.

use async_trait::async_trait;
use domain::change_set::ChangeSet;
use domain::port::{ApplyError, ClientTransaction, ClientWrite};
use domain::{Fault, Revision};

use super::{change_set_repository, client_repository};
use crate::number::kept;
use crate::rows::{ChangeSetRow, ClientRow};
use crate::{Engine, Step, Stores};

const REMOVE: &str = "delete from clients where id = $1 and revision = $2";

#[async_trait]
impl<E: Engine> ClientTransaction for Stores<E> {
    async fn obstacle(&self) -> Result<Option<&'static str>, Fault> {
        Ok(None)
    }

    async fn apply(
        &self,
        writes: &[ClientWrite],
        set: &ChangeSet,
        expected: Revision,
    ) -> Result<(), ApplyError> {
        // Rows are locked in one order, so that two transactions wait for each other instead of
        // locking each other out.
        let mut writes: Vec<&ClientWrite> = writes.iter().collect();
        writes.sort_by_key(|write| write.client());
        let rows: Vec<Option<ClientRow>> = writes.iter().map(|write| row(write)).collect();
        let set = ChangeSetRow::from(set);
        let of_set = [set.arguments().as_slice(), &[kept(expected.0).into()]].concat();
        let mut steps = vec![Step { sql: change_set_repository::UPDATE, arguments: of_set }];
        steps.extend(writes.iter().zip(&rows).map(|(write, row)| step(write, row.as_ref())));
        let idle = self.engine.transact(&steps).await?;
        match idle.first() {
            None => Ok(()),
            Some(0) => Err(ApplyError::Superseded),
            Some(_) => {
                let moved = idle.iter().filter_map(|position| writes.get(position - 1));
                Err(ApplyError::Moved(moved.map(|write| write.client().clone()).collect()))
            }
        }
    }
}

fn row(write: &ClientWrite) -> Option<ClientRow> {
    match write {
        ClientWrite::Insert(client) | ClientWrite::Update { client, .. } => Some(client.into()),
        ClientWrite::Remove { .. } => None,
    }
}

/// The statement that carries out `write`, of which `row` is what it writes.
fn step<'a>(write: &'a ClientWrite, row: Option<&'a ClientRow>) -> Step<'a> {
    let columns = row.map(ClientRow::arguments);
    match write {
        ClientWrite::Insert(_) => Step {
            sql: client_repository::INSERT,
            arguments: columns.map(Vec::from).unwrap_or_default(),
        },
        ClientWrite::Update { expected, .. } => {
            let mut arguments = columns.map(Vec::from).unwrap_or_default();
            // In the place of `last_login`, which stays what it is.
            arguments.pop();
            arguments.push(kept(expected.0).into());
            Step { sql: client_repository::UPDATE, arguments }
        }
        ClientWrite::Remove { id, expected } => {
            Step { sql: REMOVE, arguments: vec![id.as_str().into(), kept(expected.0).into()] }
        }
    }
}

//! [`ClientRepository`] on a table.

use async_trait::async_trait;
use domain::port::{ClientRepository, InsertClientError, UpdateClientError};
use domain::{Client, ClientId, Fault, Revision};

use crate::number::kept;
use crate::rows::{ClientRow, select_clients};
use crate::{Engine, Stores};

const FIND: &str = select_clients!("where id = $1");

pub(super) const INSERT: &str = "
    insert into clients (
        id, name, state, authentication, keys, capabilities, permissions, audience, scope,
        allowed_custom_claims, metadata, informative, created_at, updated_at, revision, settings,
        last_login
    ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
    on conflict (id) do nothing";

pub(super) const UPDATE: &str = "
    update clients set
        name = $2, state = $3, authentication = $4, keys = $5, capabilities = $6,
        permissions = $7, audience = $8, scope = $9, allowed_custom_claims = $10, metadata = $11,
        informative = $12, created_at = $13, updated_at = $14, revision = $15, settings = $16
    where id = $1 and revision = $17";

const REMOVE: &str = "delete from clients where id = $1";

#[async_trait]
impl<E: Engine> ClientRepository for Stores<E> {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        let rows: Vec<ClientRow> = self.engine.read(FIND, &[id.as_str().into()]).await?;
        rows.into_iter().next().map(Client::try_from).transpose()
    }

    async fn insert(&self, client: &Client) -> Result<(), InsertClientError> {
        let inserted = self.engine.write(INSERT, &ClientRow::from(client).arguments()).await?;
        if inserted == 0 {
            return Err(InsertClientError::AlreadyExists);
        }
        Ok(())
    }

    async fn update(&self, client: &Client, expected: Revision) -> Result<(), UpdateClientError> {
        let row = ClientRow::from(client);
        let [columns @ .., _last_login] = row.arguments();
        let arguments = [columns.as_slice(), &[kept(expected.0).into()]].concat();
        if self.engine.write(UPDATE, &arguments).await? != 0 {
            return Ok(());
        }
        match self.find(&client.id).await? {
            None => Err(UpdateClientError::Unknown),
            Some(_) => Err(UpdateClientError::Conflict),
        }
    }

    async fn remove(&self, id: &ClientId) -> Result<bool, Fault> {
        Ok(self.engine.write(REMOVE, &[id.as_str().into()]).await? != 0)
    }
}

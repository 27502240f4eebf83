//! [`TokenRepository`] on two tables.

use async_trait::async_trait;
use domain::port::TokenRepository;
use domain::{ClientId, Fault, Timestamp, TokenId};

use crate::number::{believed_moment, kept_moment};
use crate::{Engine, Stores};

const REVOKE: &str = "
    insert into revoked_tokens (id, until) values ($1, $2)
    on conflict (id) do update set until = excluded.until
    where revoked_tokens.until < excluded.until";

const IS_REVOKED: &str = "select until from revoked_tokens where id = $1";

const REVOKE_CLIENT: &str = "
    insert into revoked_clients (client, issued_until, until) values ($1, $2, $3)
    on conflict (client) do update set
        issued_until = case when revoked_clients.issued_until < excluded.issued_until
            then excluded.issued_until else revoked_clients.issued_until end,
        until = case when revoked_clients.until < excluded.until
            then excluded.until else revoked_clients.until end";

const CLIENT_REVOKED_UNTIL: &str = "select issued_until from revoked_clients where client = $1";

#[async_trait]
impl<E: Engine> TokenRepository for Stores<E> {
    async fn revoke(&self, id: &TokenId, until: Timestamp) -> Result<(), Fault> {
        let arguments = [id.as_str().into(), kept_moment(until).into()];
        self.engine.write(REVOKE, &arguments).await.map(drop)
    }

    async fn is_revoked(&self, id: &TokenId) -> Result<bool, Fault> {
        let rows: Vec<(i64,)> = self.engine.read(IS_REVOKED, &[id.as_str().into()]).await?;
        Ok(!rows.is_empty())
    }

    async fn revoke_client(
        &self,
        client: &ClientId,
        issued_until: Timestamp,
        until: Timestamp,
    ) -> Result<(), Fault> {
        let arguments =
            [client.as_str().into(), kept_moment(issued_until).into(), kept_moment(until).into()];
        self.engine.write(REVOKE_CLIENT, &arguments).await.map(drop)
    }

    async fn client_revoked_until(&self, client: &ClientId) -> Result<Option<Timestamp>, Fault> {
        let arguments = [client.as_str().into()];
        let rows: Vec<(i64,)> = self.engine.read(CLIENT_REVOKED_UNTIL, &arguments).await?;
        rows.into_iter().next().map(|(moment,)| believed_moment(moment)).transpose()
    }
}

//! [`CredentialRepository`] on a table.

use async_trait::async_trait;
use domain::port::CredentialRepository;
use domain::{
    ClientId, Credential, EndingSecret, Fault, SecretHash, SecretId, SecretUse, Timestamp,
};
use serde_json::{Value, json};

use crate::number::kept_moment;
use crate::rows::{CredentialRow, EndingRow, credential};
use crate::{Engine, Stores};

const LIST: &str = "
    select id, hash, selector, name, created_at, expires_at, last_used from credentials
    where client_id = $1 order by created_at, sequence";

const INSERT: &str = "
    insert into credentials (
        client_id, id, hash, selector, name, created_at, expires_at, last_used
    ) values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (client_id, id) do nothing";

const REHASH: &str =
    "update credentials set hash = $4 where client_id = $1 and id = $2 and hash = $3";

const EXPIRE: &str = "
    update credentials set expires_at = case when expires_at < $3 then expires_at else $3 end
    where client_id = $1 and id = $2";

const REMOVE: &str = "delete from credentials where client_id = $1 and id = $2";

const REMOVE_ALL: &str = "delete from credentials where client_id = $1";

const ENDING: &str = "
    select client_id, id, hash, selector, name, created_at, expires_at, last_used from credentials
    where expires_at >= $1 and expires_at < $2 order by expires_at, sequence limit $3";

#[async_trait]
impl<E: Engine> CredentialRepository for Stores<E> {
    async fn list(&self, client: &ClientId) -> Result<Vec<Credential>, Fault> {
        let rows: Vec<CredentialRow> = self.engine.read(LIST, &[client.as_str().into()]).await?;
        rows.into_iter().map(Credential::try_from).collect()
    }

    async fn insert(&self, client: &ClientId, credential: &Credential) -> Result<bool, Fault> {
        let arguments = credential::arguments(client, credential);
        Ok(self.engine.write(INSERT, &arguments).await? != 0)
    }

    async fn rehash(
        &self,
        client: &ClientId,
        secret: &SecretId,
        old: &SecretHash,
        new: &SecretHash,
    ) -> Result<bool, Fault> {
        let arguments = [client.as_str(), secret.as_str(), old.as_str(), new.as_str()];
        Ok(self.engine.write(REHASH, &arguments.map(Into::into)).await? != 0)
    }

    async fn expire(
        &self,
        client: &ClientId,
        secret: &SecretId,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        let arguments = [client.as_str().into(), secret.as_str().into(), kept_moment(at).into()];
        Ok(self.engine.write(EXPIRE, &arguments).await? != 0)
    }

    async fn remove(&self, client: &ClientId, secret: &SecretId) -> Result<bool, Fault> {
        let arguments = [client.as_str().into(), secret.as_str().into()];
        Ok(self.engine.write(REMOVE, &arguments).await? != 0)
    }

    async fn remove_all(&self, client: &ClientId) -> Result<(), Fault> {
        self.engine.write(REMOVE_ALL, &[client.as_str().into()]).await.map(drop)
    }

    async fn record_uses(&self, uses: &[SecretUse]) -> Result<(), Fault> {
        if uses.is_empty() {
            return Ok(());
        }
        let noted = |it: &SecretUse| {
            json!({
                "client": it.client.as_str(),
                "secret": it.secret.as_str(),
                "moment": kept_moment(it.at),
            })
        };
        let noted = uses.iter().map(noted).collect::<Value>().to_string();
        self.engine.write(E::RECORD_USES, &[(&noted).into()]).await.map(drop)
    }

    async fn ending(
        &self,
        from: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<EndingSecret>, Fault> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let arguments = [kept_moment(from), kept_moment(until), limit].map(Into::into);
        let rows: Vec<EndingRow> = self.engine.read(ENDING, &arguments).await?;
        rows.into_iter().map(EndingSecret::try_from).collect()
    }
}

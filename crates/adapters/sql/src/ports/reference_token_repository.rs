//! [`ReferenceTokenRepository`] on a table.

use async_trait::async_trait;
use domain::port::ReferenceTokenRepository;
use domain::{Fault, ReferenceToken, TokenDigest};

use crate::rows::ReferenceTokenRow;
use crate::{Engine, Stores};

const INSERT: &str = "
    insert into reference_tokens (digest, client, expires_at, claims) values ($1, $2, $3, $4)
    on conflict (digest) do nothing";

const FIND: &str = "select client, expires_at, claims from reference_tokens where digest = $1";

const REMOVE: &str = "delete from reference_tokens where digest = $1";

#[async_trait]
impl<E: Engine> ReferenceTokenRepository for Stores<E> {
    async fn insert(&self, digest: &TokenDigest, token: &ReferenceToken) -> Result<bool, Fault> {
        let row = ReferenceTokenRow::from(token);
        Ok(self.engine.write(INSERT, &row.arguments(digest)).await? != 0)
    }

    async fn find(&self, digest: &TokenDigest) -> Result<Option<ReferenceToken>, Fault> {
        let arguments = [digest.0.as_slice().into()];
        let rows: Vec<ReferenceTokenRow> = self.engine.read(FIND, &arguments).await?;
        rows.into_iter().next().map(ReferenceToken::try_from).transpose()
    }

    async fn remove(&self, digest: &TokenDigest) -> Result<bool, Fault> {
        Ok(self.engine.write(REMOVE, &[digest.0.as_slice().into()]).await? != 0)
    }
}

//! [`BootstrapRepository`] on a table of at most one row.

use async_trait::async_trait;
use domain::port::BootstrapRepository;
use domain::{Fault, TokenDigest};

use crate::{Engine, Stores};

const FIND: &str = "select digest from bootstrap";

const CLAIM: &str = "
    insert into bootstrap (slot, digest) values (1, $1) on conflict (slot) do nothing";

const REPLACE: &str = "
    insert into bootstrap (slot, digest) values (1, $1)
    on conflict (slot) do update set digest = excluded.digest";

#[async_trait]
impl<E: Engine> BootstrapRepository for Stores<E> {
    async fn find(&self) -> Result<Option<TokenDigest>, Fault> {
        let rows: Vec<(Vec<u8>,)> = self.engine.read(FIND, &[]).await?;
        rows.into_iter().next().map(|(bytes,)| believed(bytes)).transpose()
    }

    async fn claim(&self, digest: &TokenDigest) -> Result<bool, Fault> {
        Ok(self.engine.write(CLAIM, &[digest.0.as_slice().into()]).await? != 0)
    }

    async fn replace(&self, digest: &TokenDigest) -> Result<(), Fault> {
        self.engine.write(REPLACE, &[digest.0.as_slice().into()]).await.map(drop)
    }
}

fn believed(bytes: Vec<u8>) -> Result<TokenDigest, Fault> {
    let digest = <[u8; 32]>::try_from(bytes);
    digest.map(TokenDigest).map_err(|_| Fault::corrupt("the kept digest has not 32 bytes"))
}

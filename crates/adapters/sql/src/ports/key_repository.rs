//! [`KeyRepository`] on a table of one row.

use async_trait::async_trait;
use domain::port::{KeyRepository, StoreKeysError};
use domain::{Fault, KeySet, SigningKey};

use crate::number::kept;
use crate::rows::{SigningKeysRow, signing_keys};
use crate::{Engine, Stores};

const LOAD: &str = "select revision, keys from signing_keys";

const STORE: &str = "
    update signing_keys set revision = revision + 1, keys = $2 where revision = $1";

#[async_trait]
impl<E: Engine> KeyRepository for Stores<E> {
    async fn load(&self) -> Result<KeySet, Fault> {
        let rows: Vec<SigningKeysRow> = self.engine.read(LOAD, &[]).await?;
        let row = rows.into_iter().next();
        row.ok_or_else(|| Fault::corrupt("the row of the signing keys is gone"))?.try_into()
    }

    async fn store(&self, expected: u64, keys: &[SigningKey]) -> Result<(), StoreKeysError> {
        let keys = signing_keys::to_json(keys)?;
        let stored = self.engine.write(STORE, &[kept(expected).into(), (&keys).into()]).await?;
        if stored == 0 {
            return Err(StoreKeysError::Conflict);
        }
        Ok(())
    }
}

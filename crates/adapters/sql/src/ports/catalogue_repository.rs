//! [`CatalogueRepository`] on a table of one row.

use async_trait::async_trait;
use domain::port::{CatalogueRepository, StoreCatalogueError};
use domain::{Catalogue, CatalogueEdition, Fault};

use crate::number::kept;
use crate::rows::{CatalogueRow, object};
use crate::{Engine, Stores};

const LOAD: &str = "select revision, document from catalogue";

const STORE: &str = "
    update catalogue set revision = revision + 1, document = $2 where revision = $1";

#[async_trait]
impl<E: Engine> CatalogueRepository for Stores<E> {
    async fn load(&self) -> Result<CatalogueEdition, Fault> {
        let rows: Vec<CatalogueRow> = self.engine.read(LOAD, &[]).await?;
        let row = rows.into_iter().next();
        row.ok_or_else(|| Fault::corrupt("the row of the catalogue is gone"))?.try_into()
    }

    async fn store(&self, expected: u64, catalogue: &Catalogue) -> Result<(), StoreCatalogueError> {
        let document = object(&catalogue.to_json());
        let arguments = [kept(expected).into(), (&document).into()];
        if self.engine.write(STORE, &arguments).await? == 0 {
            return Err(StoreCatalogueError::Conflict);
        }
        Ok(())
    }
}

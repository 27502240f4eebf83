//! The row of `catalogue`.

use domain::{Catalogue, CatalogueEdition, Fault};
use sqlx::FromRow;

use super::json::parse_object;
use crate::number::believed;

/// The row of `catalogue`.
#[derive(FromRow)]
pub(crate) struct CatalogueRow {
    revision: i64,
    document: String,
}

impl TryFrom<CatalogueRow> for CatalogueEdition {
    type Error = Fault;

    fn try_from(row: CatalogueRow) -> Result<Self, Fault> {
        let revision = believed(row.revision)?;
        if revision == 0 {
            return Ok(Self::default());
        }
        let document = parse_object(&row.document)?;
        let catalogue = Catalogue::parse(&document).map_err(Fault::corrupt)?;
        Ok(Self { revision, catalogue })
    }
}

//! The one document of `tokenwright_catalogue`.

use domain::{Catalogue, CatalogueEdition, Fault};
use serde::{Deserialize, Serialize};

use super::json::parse_object;
use crate::moment::{believed, kept};

/// The one document of `tokenwright_catalogue`; there is none where nothing was ever stored.
#[derive(Serialize, Deserialize)]
pub(crate) struct CatalogueDocument {
    #[serde(rename = "_id")]
    id: String,
    revision: i64,
    document: String,
}

impl CatalogueDocument {
    /// Its `_id`.
    pub(crate) const ID: &'static str = "catalogue";

    pub(crate) fn new(revision: u64, document: String) -> Self {
        Self { id: Self::ID.to_owned(), revision: kept(revision), document }
    }
}

impl TryFrom<CatalogueDocument> for CatalogueEdition {
    type Error = Fault;

    fn try_from(kept: CatalogueDocument) -> Result<Self, Fault> {
        let document = parse_object(&kept.document)?;
        let catalogue = Catalogue::parse(&document).map_err(Fault::corrupt)?;
        Ok(Self { revision: believed(kept.revision)?, catalogue })
    }
}

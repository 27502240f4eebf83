//! What an error of the database means to a use-case.

use domain::Fault;
use sqlx::error::DatabaseError;

/// Whether trying again could help.
pub(crate) fn fault(error: sqlx::Error) -> Fault {
    use sqlx::Error::{ColumnDecode, ColumnNotFound, Decode};
    let is_damaged = error
        .as_database_error()
        .and_then(DatabaseError::code)
        .is_some_and(|code| means_damage(&code));
    if is_damaged || matches!(error, ColumnDecode { .. } | ColumnNotFound(_) | Decode(_)) {
        return Fault::corrupt(error);
    }
    Fault::unavailable(error)
}

/// `SQLITE_CORRUPT` with its extended codes, `SQLITE_NOTADB`; `data_corrupted` and
/// `index_corrupted` of PostgreSQL.
fn means_damage(code: &str) -> bool {
    matches!(code, "11" | "267" | "523" | "779" | "26" | "XX001" | "XX002")
}

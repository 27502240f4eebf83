//! Many updates at once.

use domain::Fault;
use mongodb::bson::{Bson, Document, doc, serialize_to_bson};

use crate::MongoStores;
use crate::fault::refusal;

/// The most updates in one command: few enough that a command never takes long.
const BATCH: usize = 1_000;

impl MongoStores {
    /// Updates of single documents, each atomic by itself, in any order. What names no document
    /// makes none.
    ///
    /// Each command has the time of a call: thousands may be due after an outage.
    pub(crate) async fn update_each(
        &self,
        collection: &str,
        updates: Vec<Document>,
    ) -> Result<(), Fault> {
        let mut updates = updates.into_iter();
        loop {
            let batch: Vec<Document> = updates.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(());
            }
            let answer = self.connection().in_time(async {
                let concern = serialize_to_bson(&self.connection().write_concern())?;
                let command = doc! {
                    "update": collection,
                    "updates": batch,
                    "ordered": false,
                    "writeConcern": concern,
                };
                self.connection().database().await?.run_command(command).await
            });
            check(&answer.await?)?;
        }
    }
}

/// An answer may be a success and hold failures.
fn check(answer: &Document) -> Result<(), Fault> {
    let missed = answer.get_document("writeConcernError").ok();
    let refused = answer.get_array("writeErrors").ok().and_then(|all| all.first());
    match refused.and_then(Bson::as_document).or(missed) {
        None => Ok(()),
        Some(failure) => Err(refusal(failure.get_i32("code").unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use domain::FaultKind;

    use super::*;

    #[test]
    fn a_success_may_be_a_failure() {
        let success = doc! { "ok": 1, "n": 3, "nModified": 2 };
        let refused = doc! { "ok": 1, "n": 2, "writeErrors": [{ "index": 1, "code": 121 }] };
        let missed = doc! { "ok": 1, "n": 3, "writeConcernError": { "code": 64 } };
        let kind = |answer| check(answer).err().map(|fault| fault.kind());

        assert_eq!(kind(&success), None);
        assert_eq!(kind(&refused), Some(FaultKind::Corrupt));
        assert_eq!(kind(&missed), Some(FaultKind::Unavailable));
    }
}

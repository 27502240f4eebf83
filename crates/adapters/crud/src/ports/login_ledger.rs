//! [`LoginLedger`] on a collection.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::port::LoginLedger;
use domain::{ClientId, Fault, JsonObject, Login, Timestamp};
use serde_json::{Value, json};

use crate::collection::{Reply, Request, count};
use crate::document::field;
use crate::mishap::Mishap;
use crate::schema::Culprit;
use crate::{CrudClients, moment};

/// How many logins go into one request: far less than the megabyte that the service reads.
const BATCH: usize = 250;

#[async_trait]
impl LoginLedger for CrudClients {
    /// Where the collection has no field for it, nothing is written down and nothing fails.
    async fn record(&self, logins: &[Login]) -> Result<(), Fault> {
        let mut latest: BTreeMap<&ClientId, Timestamp> = BTreeMap::new();
        for login in logins {
            let at = latest.entry(&login.client).or_insert(login.at);
            *at = login.at.max(*at);
        }
        let changes: Vec<Value> = latest.into_iter().map(|(id, at)| change(id, at)).collect();
        for batch in changes.chunks(BATCH) {
            if self.schema.lacks(field::LAST_LOGIN) {
                return Ok(());
            }
            self.within(self.record_batch(batch)).await?;
        }
        Ok(())
    }
}

impl CrudClients {
    async fn record_batch(&self, changes: &[Value]) -> Result<(), Fault> {
        let answer = self.collection.ask(&Request::bulk(&changes.into())).await?;
        let Reply::Refused = answer.reply else {
            count(&answer.reply.done("logins")?)?;
            return Ok(());
        };
        let mut fields = JsonObject::new();
        let some = moment::written(Timestamp::from_unix_millis(0));
        fields.insert(field::LAST_LOGIN.to_owned(), some.into());
        match self.schema.culprit(&self.collection, &fields).await? {
            Culprit::Dispensable => Ok(()),
            Culprit::Field(_) | Culprit::Nobody => Err(Mishap::Refused { what: "logins" }.into()),
        }
    }
}

/// Sets the last login of one client, unless a later one is stored.
fn change(id: &ClientId, at: Timestamp) -> Value {
    let at = moment::written(at);
    let is_earlier = json!({"$or": [
        {field::LAST_LOGIN: null},
        {field::LAST_LOGIN: {"$lt": at}},
    ]});
    json!({
        "filter": {
            field::CLIENT_ID: id.as_str(),
            "_q": is_earlier.to_string(),
            "_st": Request::every_state(),
        },
        "update": {"$set": {field::LAST_LOGIN: at}},
    })
}

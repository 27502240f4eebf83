//! [`LoginLedger`] on a table.

use async_trait::async_trait;
use domain::port::LoginLedger;
use domain::{Fault, Login};
use serde_json::{Value, json};

use crate::number::kept_moment;
use crate::{Engine, Stores};

#[async_trait]
impl<E: Engine> LoginLedger for Stores<E> {
    async fn record(&self, logins: &[Login]) -> Result<(), Fault> {
        if logins.is_empty() {
            return Ok(());
        }
        let noted =
            |it: &Login| json!({"client": it.client.as_str(), "moment": kept_moment(it.at)});
        let noted = logins.iter().map(noted).collect::<Value>().to_string();
        self.engine.write(E::RECORD_LOGINS, &[(&noted).into()]).await.map(drop)
    }
}

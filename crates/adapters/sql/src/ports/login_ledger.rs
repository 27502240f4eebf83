//! [`LoginLedger`] on a table.

use async_trait::async_trait;
use domain::port::LoginLedger;
use domain::{Fault, Login};
use serde::Serialize;

use crate::number::kept_moment;
use crate::{Engine, Stores};

/// A login as the statements read it.
#[derive(Serialize)]
struct Noted<'a> {
    client: &'a str,
    moment: i64,
}

#[async_trait]
impl<E: Engine> LoginLedger for Stores<E> {
    async fn record(&self, logins: &[Login]) -> Result<(), Fault> {
        if logins.is_empty() {
            return Ok(());
        }
        let noted = logins
            .iter()
            .map(|it| Noted { client: it.client.as_str(), moment: kept_moment(it.at) });
        let noted: Vec<_> = noted.collect();
        let noted = serde_json::to_string(&noted).map_err(Fault::corrupt)?;
        self.engine.write(E::RECORD_LOGINS, &[(&noted).into()]).await.map(drop)
    }
}

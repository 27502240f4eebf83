//! [`ReplayGuard`] on a table.

use async_trait::async_trait;
use domain::port::ReplayGuard;
use domain::{ClientId, Fault, Timestamp, TokenId};

use crate::number::kept_moment;
use crate::{Engine, Stores};

// What has ended and was not swept yet is burned anew.
const BURN: &str = "
    insert into used_assertions (client, id, until) values ($1, $2, $3)
    on conflict (client, id) do update set until = excluded.until
    where used_assertions.until <= $4";

#[async_trait]
impl<E: Engine> ReplayGuard for Stores<E> {
    async fn burn(
        &self,
        client: &ClientId,
        id: &TokenId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let arguments = [
            client.as_str().into(),
            id.as_str().into(),
            kept_moment(until).into(),
            kept_moment(now).into(),
        ];
        Ok(self.engine.write(BURN, &arguments).await? != 0)
    }
}

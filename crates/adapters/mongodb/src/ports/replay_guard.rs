//! [`ReplayGuard`] on a collection.

use async_trait::async_trait;
use domain::port::ReplayGuard;
use domain::{ClientId, Fault, Timestamp, TokenId};

use crate::MongoStores;
use crate::documents::UsedAssertion;
use crate::stores::USED_ASSERTIONS;

#[async_trait]
impl ReplayGuard for MongoStores {
    // What has ended is burned as long as the server has not forgotten it: nobody's clock is
    // compared with another's. And nothing is true but an insert that a majority confirmed.
    async fn burn(
        &self,
        client: &ClientId,
        id: &TokenId,
        until: Timestamp,
        _now: Timestamp,
    ) -> Result<bool, Fault> {
        self.insert_new(USED_ASSERTIONS, UsedAssertion::new(client, id, until)).await
    }
}

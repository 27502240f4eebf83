//! [`HealthProbe`] of the servers.

use async_trait::async_trait;
use domain::Fault;
use domain::port::HealthProbe;

use crate::RedisStores;

#[async_trait]
impl HealthProbe for RedisStores {
    fn name(&self) -> &'static str {
        "redis"
    }

    /// Writes, as a burn would: a server that answers may still be a replica, be out of memory, or
    /// have lost the replicas that are waited for.
    async fn check(&self) -> Result<(), Fault> {
        self.site.probe(|number| self.keys.probe(number)).await?;
        Ok(())
    }
}

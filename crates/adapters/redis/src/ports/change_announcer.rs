//! [`ChangeAnnouncer`] by `PUBLISH`.

use async_trait::async_trait;
use domain::port::ChangeAnnouncer;
use domain::{Change, Fault};
use redis::cmd;

use crate::RedisStores;
use crate::site::Errand;

#[async_trait]
impl ChangeAnnouncer for RedisStores {
    async fn announce(&self, change: &Change) -> Result<(), Fault> {
        let mut command = cmd("PUBLISH");
        command.arg(self.keys.changes()).arg(change.encoded());
        // Any master will do: nodes of a cluster tell each other. To be told twice does no harm.
        let errand = Errand { key: None, command, is_written: false, is_repeatable: true };
        self.site.run(&errand).await?;
        Ok(())
    }
}

//! [`ReplayGuard`] by `SET NX`.

use std::time::Duration;

use async_trait::async_trait;
use domain::port::ReplayGuard;
use domain::{ClientId, Fault, Timestamp, TokenId};
use redis::{Value, cmd};

use super::GRACE;
use crate::RedisStores;
use crate::failure::Failure;
use crate::site::Errand;

/// As long as an entry is ever kept: what Redis adds its clock to must not overflow.
const MOST: Duration = Duration::from_hours(1_000 * 366 * 24);

#[async_trait]
impl ReplayGuard for RedisStores {
    /// Redis is told how long to remember, not until when: were its clock ahead by more than the
    /// grace, an entry that ends at a moment would be gone at once, and its replay let in.
    ///
    /// What may have been carried out is never sent again: the answer would call a first use a
    /// replay. It is a fault, and the assertion may be burned.
    async fn burn(
        &self,
        client: &ClientId,
        id: &TokenId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let key = self.keys.used(client, id);
        let kept = until.after(GRACE).since(now).clamp(GRACE, MOST);
        let mut command = cmd("SET");
        command.arg(&key).arg("").arg("NX").arg("PX").arg(millis(kept));
        let errand = Errand { key: Some(&key), command, is_written: true, is_repeatable: false };
        let answer = self.site.run(&errand).await?;
        if matches!(answer, Value::Okay | Value::Nil) {
            return Ok(answer == Value::Okay);
        }
        Err(Failure::Absurd("SET NX was neither done nor not").into())
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

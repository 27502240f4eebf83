//! [`TokenRepository`] on keys that end.

use async_trait::async_trait;
use domain::port::TokenRepository;
use domain::{ClientId, Fault, Timestamp, TokenId};
use redis::{Cmd, Value, cmd, from_redis_value};

use super::GRACE;
use crate::RedisStores;
use crate::failure::Failure;
use crate::site::Errand;

/// Keeps the later of two moments until the later of two ends. `KEYS[1]` ends at `ARGV[1]`, or
/// `ARGV[2]` from now if that is later, should the clock of Redis be far ahead; `ARGV[3]` is the
/// moment.
///
/// It writes even if that changes nothing: who waits for replicas waits for what is written on the
/// same connection, and must not miss what another one wrote a moment ago.
const KEEP_LATER: &str = "
local kept, moment = redis.call('GET', KEYS[1]), ARGV[3]
if kept then
  local before = tonumber(kept)
  if not before then return redis.error_reply('CORRUPT a moment that is no number') end
  if tonumber(moment) < before then moment = kept end
end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local left = math.max(ARGV[1] - now, tonumber(ARGV[2]), redis.call('PTTL', KEYS[1]))
return redis.call('SET', KEYS[1], moment, 'PX', string.format('%.0f', left))";

/// The largest number that the scripts of Redis do not round: a moment in the year 287396.
const LAST_MOMENT: u64 = (1 << 53) - 1;

#[async_trait]
impl TokenRepository for RedisStores {
    async fn revoke(&self, id: &TokenId, until: Timestamp) -> Result<(), Fault> {
        let beginning = Timestamp::from_unix_millis(0);
        self.keep_later(&self.keys.revoked_token(id), beginning, until).await
    }

    async fn is_revoked(&self, id: &TokenId) -> Result<bool, Fault> {
        let Value::Int(count) = self.read("EXISTS", &self.keys.revoked_token(id)).await? else {
            return Err(Failure::Absurd("EXISTS without a number").into());
        };
        Ok(count != 0)
    }

    async fn revoke_client(
        &self,
        client: &ClientId,
        issued_until: Timestamp,
        until: Timestamp,
    ) -> Result<(), Fault> {
        self.keep_later(&self.keys.revoked_client(client), issued_until, until).await
    }

    async fn client_revoked_until(&self, client: &ClientId) -> Result<Option<Timestamp>, Fault> {
        let kept = self.read("GET", &self.keys.revoked_client(client)).await?;
        let millis: Option<u64> =
            from_redis_value(kept).map_err(|_| Failure::Absurd("a moment that is no number"))?;
        Ok(millis.map(Timestamp::from_unix_millis))
    }
}

impl RedisStores {
    async fn keep_later(
        &self,
        key: &str,
        moment: Timestamp,
        until: Timestamp,
    ) -> Result<(), Fault> {
        // Not `EVALSHA`: revocations are rare, and a script that is always sent is never missing.
        let mut command = cmd("EVAL");
        command.arg(KEEP_LATER).arg(1).arg(key);
        command.arg(representable(until.after(GRACE))).arg(GRACE.as_secs() * 1_000);
        command.arg(representable(moment));
        let errand = Errand { key: Some(key), command, is_written: true, is_repeatable: true };
        self.site.run(&errand).await?;
        Ok(())
    }

    async fn read(&self, what: &str, key: &str) -> Result<Value, Failure> {
        let mut command: Cmd = cmd(what);
        command.arg(key);
        let errand = Errand { key: Some(key), command, is_written: false, is_repeatable: true };
        self.site.run(&errand).await
    }
}

fn representable(moment: Timestamp) -> u64 {
    moment.as_unix_millis().min(LAST_MOMENT)
}

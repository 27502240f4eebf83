//! [`ReferenceTokenRepository`] on keys that end.

use async_trait::async_trait;
use domain::port::ReferenceTokenRepository;
use domain::{Fault, JsonObject, ReferenceToken, Timestamp, TokenDigest};
use redis::{cmd, from_redis_value};
use serde::{Deserialize, Serialize};

use super::GRACE;
use crate::RedisStores;
use crate::failure::Failure;
use crate::site::Errand;

/// The largest moment that Redis takes for an end.
const LAST_END: u64 = 1 << 62;

/// A token as it is kept.
#[derive(Deserialize, Serialize)]
struct Kept {
    client: String,
    expires_at: u64,
    claims: JsonObject,
}

/// Redis forgets a token by itself, a quarter of an hour after it ended, so that clocks may differ.
/// No replica is waited for: a token that a failover loses is worth nothing, and its client asks
/// for another.
#[async_trait]
impl ReferenceTokenRepository for RedisStores {
    async fn insert(&self, digest: &TokenDigest, token: &ReferenceToken) -> Result<bool, Fault> {
        let key = self.keys.reference(digest);
        let kept = Kept {
            client: token.client.as_str().to_owned(),
            expires_at: token.expires_at.as_unix_millis(),
            claims: JsonObject::clone(&token.claims),
        };
        let text = serde_json::to_string(&kept).map_err(Fault::corrupt)?;
        let end = token.expires_at.after(GRACE).as_unix_millis().min(LAST_END);
        let mut command = cmd("SET");
        command.arg(&key).arg(text).arg("NX").arg("PXAT").arg(end);
        // Sent twice, the second would find the first.
        let errand = Errand { key: Some(&key), command, is_written: false, is_repeatable: false };
        let done: Option<String> = from_redis_value(self.site.run(&errand).await?)
            .map_err(|_| Failure::Absurd("SET NX was neither done nor not"))?;
        Ok(done.is_some())
    }

    async fn find(&self, digest: &TokenDigest) -> Result<Option<ReferenceToken>, Fault> {
        let key = self.keys.reference(digest);
        let mut command = cmd("GET");
        command.arg(&key);
        let errand = Errand { key: Some(&key), command, is_written: false, is_repeatable: true };
        let answer = self.site.run(&errand).await?;
        let text: Option<String> =
            from_redis_value(answer).map_err(|_| Failure::Absurd("a token that is no text"))?;
        text.map(|it| believed(&it)).transpose()
    }

    async fn remove(&self, digest: &TokenDigest) -> Result<bool, Fault> {
        let key = self.keys.reference(digest);
        let mut command = cmd("DEL");
        command.arg(&key);
        // A token that a failover brings back would be good again.
        let errand = Errand { key: Some(&key), command, is_written: true, is_repeatable: false };
        let count: u64 = from_redis_value(self.site.run(&errand).await?)
            .map_err(|_| Failure::Absurd("DEL without a number"))?;
        Ok(count != 0)
    }
}

fn believed(text: &str) -> Result<ReferenceToken, Fault> {
    // Not the error of the parser: it repeats what it read.
    let kept: Kept = serde_json::from_str(text)
        .map_err(|_| Fault::corrupt("a reference token is kept in a form that is not ours"))?;
    Ok(ReferenceToken {
        client: kept.client.parse().map_err(Fault::corrupt)?,
        expires_at: Timestamp::from_unix_millis(kept.expires_at),
        claims: kept.claims.into(),
    })
}

#[cfg(test)]
mod tests {
    use domain::FaultKind;

    use super::*;

    #[test]
    fn what_cannot_be_a_token_is_corrupt_and_not_repeated() {
        for text in [
            "",
            "hush-4711",
            r#"{"client":"hush-4711"}"#,
            r#"{"client":"","expires_at":1,"claims":{}}"#,
            r#"{"client":"a","expires_at":-1,"claims":{}}"#,
            r#"{"client":"a","expires_at":1,"claims":"hush-4711"}"#,
        ] {
            let fault = believed(text).unwrap_err();
            assert_eq!(fault.kind(), FaultKind::Corrupt, "{text}");
            assert!(!fault.explained().contains("hush-4711"), "{text}");
        }
    }
}

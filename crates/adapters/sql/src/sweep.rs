//! Forgetting what has ended.

use domain::{Fault, Timestamp};

use crate::number::{kept, kept_moment};
use crate::{Engine, Stores};

impl<E: Engine> Stores<E> {
    /// How many rows are deleted at a time.
    const SWEEP_BATCH: u64 = 500;

    /// Forgets used assertions, revocations and reference tokens that ended at `now` or earlier, and
    /// says how many. It does so a few at a time, so that whoever writes meanwhile hardly waits.
    ///
    /// # Errors
    ///
    /// Any [`Fault`]; some may have been forgotten by then.
    pub async fn sweep(&self, now: Timestamp) -> Result<u64, Fault> {
        let mut swept = 0;
        for sql in E::SWEEPS {
            loop {
                let limit = kept(Self::SWEEP_BATCH);
                let arguments = [kept_moment(now).into(), limit.into()];
                let gone = self.engine.write(sql, &arguments).await?;
                swept += gone;
                if gone < Self::SWEEP_BATCH {
                    break;
                }
            }
        }
        Ok(swept)
    }
}

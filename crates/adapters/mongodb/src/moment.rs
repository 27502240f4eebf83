//! Moments and numbers as MongoDB keeps them: 64 bits with a sign.

use domain::{Fault, Timestamp};
use mongodb::bson::DateTime;

/// Before all moments that matter.
pub(crate) const EPOCH: DateTime = DateTime::from_millis(0);

/// `number` as it is kept. What is too large to be kept is kept as the largest: no moment before
/// the year 292 million, and no revision that anybody ever counts up to.
pub(crate) fn kept(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A moment as it is kept.
pub(crate) fn kept_moment(moment: Timestamp) -> DateTime {
    DateTime::from_millis(kept(moment.as_unix_millis()))
}

/// A number that was kept.
pub(crate) fn believed(number: i64) -> Result<u64, Fault> {
    u64::try_from(number).map_err(Fault::corrupt)
}

/// A moment that was kept.
pub(crate) fn believed_moment(moment: DateTime) -> Result<Timestamp, Fault> {
    believed(moment.timestamp_millis()).map(Timestamp::from_unix_millis)
}

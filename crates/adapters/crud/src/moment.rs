//! Moments as a CRUD service writes them: ISO 8601 with three digits after the point.

use domain::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// The last moment that a year of four digits can name.
const END_OF_9999: u64 = 253_402_300_799_999;

/// The moment as it is sent. One that no year of four digits can name is the last that one can.
pub(crate) fn written(moment: Timestamp) -> String {
    let millis = moment.as_unix_millis().min(END_OF_9999);
    let nanos = i128::from(millis) * 1_000_000;
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    // Every such moment has a name.
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|it| it.format(&format).ok())
        .unwrap_or_default()
}

/// The moment that `text` names, if it is one since the epoch.
pub(crate) fn read(text: &str) -> Option<Timestamp> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let millis = u64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).ok()?;
    Some(Timestamp::from_unix_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_comes_out_as_it_went_in() {
        for millis in [0, 1, 999, 1_900_000_000_123, END_OF_9999] {
            let moment = Timestamp::from_unix_millis(millis);
            assert_eq!(read(&written(moment)), Some(moment));
        }
        assert_eq!(written(Timestamp::from_unix_millis(1)), "1970-01-01T00:00:00.001Z");
    }

    #[test]
    fn a_moment_that_cannot_be_named_is_the_last_one() {
        assert_eq!(written(Timestamp::from_unix_millis(u64::MAX)), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn what_is_no_moment_is_not_read() {
        for text in ["", "now", "2026-01-02", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

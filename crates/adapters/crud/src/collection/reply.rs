//! What an answer says.

use domain::JsonObject;
use serde::de::DeserializeOwned;

use crate::mishap::Mishap;

/// A reply, and how it came about.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    /// Whether the request had been sent before, and may have been carried out then.
    pub(crate) is_repeated: bool,
}

/// What the service says.
#[derive(Debug)]
pub(crate) enum Reply {
    /// It did it, and answers with this.
    Done(Vec<u8>),
    /// What was sent does not fit the collection (400).
    Refused,
    /// The unique value is taken (409, or 422 of older versions).
    Taken,
    /// There is no such document (404, where a document was named).
    Absent,
}

impl Reply {
    /// Decides on the status alone: texts differ from version to version.
    pub(super) fn judge(
        status: u16,
        body: Vec<u8>,
        is_about_a_document: bool,
    ) -> Result<Self, Mishap> {
        match status {
            200..=299 => Ok(Self::Done(body)),
            400 => Ok(Self::Refused),
            404 if is_about_a_document => Ok(Self::Absent),
            409 | 422 => Ok(Self::Taken),
            300..=399 | 401 | 403 | 404 | 405 | 407 => Err(Mishap::Misplaced(status)),
            408 | 425 | 429 | 500..=599 => Err(Mishap::Failing(status)),
            _ => Err(Mishap::Senseless(status)),
        }
    }

    /// The body of an answer to what the service has no reason to refuse.
    pub(crate) fn done(self, what: &'static str) -> Result<Vec<u8>, Mishap> {
        match self {
            Self::Done(body) => Ok(body),
            Self::Refused => Err(Mishap::Refused { what }),
            Self::Taken => Err(Mishap::Senseless(409)),
            Self::Absent => Err(Mishap::Senseless(404)),
        }
    }
}

/// The documents in a body.
pub(crate) fn documents(body: &[u8]) -> Result<Vec<JsonObject>, Mishap> {
    parsed(body, "an array of documents")
}

/// The number in a body.
pub(crate) fn count(body: &[u8]) -> Result<u64, Mishap> {
    parsed(body, "a number of documents")
}

/// The one object in a body.
pub(crate) fn object(body: &[u8]) -> Result<JsonObject, Mishap> {
    parsed(body, "a document")
}

fn parsed<T: DeserializeOwned>(body: &[u8], expected: &'static str) -> Result<T, Mishap> {
    // The error of the parser would repeat what it read.
    serde_json::from_slice(body).map_err(|_| Mishap::Unreadable { expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_a_document_was_named_404_means_that_there_is_none() {
        assert!(matches!(Reply::judge(404, Vec::new(), true), Ok(Reply::Absent)));
        for status in [301, 302, 401, 403, 404, 405] {
            let judged = Reply::judge(status, Vec::new(), false);
            assert!(matches!(judged, Err(Mishap::Misplaced(it)) if it == status), "{status}");
        }
    }

    #[test]
    fn both_versions_call_a_duplicate_one() {
        for status in [409, 422] {
            assert!(matches!(Reply::judge(status, Vec::new(), false), Ok(Reply::Taken)));
        }
    }

    #[test]
    fn a_page_for_people_is_no_answer() {
        assert!(documents(b"<!doctype html>").is_err());
        assert!(documents(b"[{\"a\":1}").is_err());
        assert!(documents(b" [ \n{} \t,\r\n {}]\n\n").is_ok());
        assert!(count(b"-1").is_err());
        assert!(object(b"[]").is_err());
    }
}

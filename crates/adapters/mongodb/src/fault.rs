//! What an error of the driver means to a use-case.

use domain::Fault;
use mongodb::bson::error::Error as BsonError;
use mongodb::error::{Error, ErrorKind, WriteFailure};

/// Two documents with one key.
const DUPLICATE_KEY: i32 = 11000;

/// `$changeStream` on a server that keeps no log of its changes.
const NO_CHANGE_STREAMS: i32 = 40573;

/// Codes of refusals that another attempt will meet again: `TypeMismatch`, `InvalidNamespace`,
/// `IndexOptionsConflict`, `IndexKeySpecsConflict`, `DocumentValidationFailure`,
/// `ConversionFailure`, and what `$toLower` says of a name that is no text.
const LASTING: [i32; 7] = [14, 73, 85, 86, 121, 241, 16007];

/// Whether trying again could help.
///
/// The driver's own text is not repeated: it may quote the server, and the server quotes values.
pub(crate) fn fault(error: &Error) -> Fault {
    if is_lasting(&error.kind) {
        return Fault::corrupt(explained(&error.kind));
    }
    Fault::unavailable(explained(&error.kind))
}

/// The server said nothing in time.
pub(crate) fn late() -> Fault {
    Fault::unavailable("MongoDB did not answer in time")
}

/// A document holds something that cannot be true.
pub(crate) fn damaged(error: &BsonError) -> Fault {
    Fault::corrupt(unreadable(error))
}

/// One of many writes was not made, or may not last.
pub(crate) fn refusal(code: i32) -> Fault {
    let text = format!("MongoDB refused one of many writes: code {code}");
    if LASTING.contains(&code) { Fault::corrupt(text) } else { Fault::unavailable(text) }
}

/// Whether a write was refused because a document with that key exists.
pub(crate) fn is_taken(error: &Error) -> bool {
    matches!(
        &*error.kind,
        ErrorKind::Write(WriteFailure::WriteError(refused)) if refused.code == DUPLICATE_KEY
    )
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other variants are of no use here")]
fn is_lasting(kind: &ErrorKind) -> bool {
    match kind {
        ErrorKind::Bson(_) | ErrorKind::InvalidResponse { .. } => true,
        ErrorKind::Command(refused) => {
            refused.code == NO_CHANGE_STREAMS || LASTING.contains(&refused.code)
        }
        ErrorKind::Write(WriteFailure::WriteError(refused)) => LASTING.contains(&refused.code),
        _ => false,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other variants are of no use here")]
fn explained(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::Command(refused) if refused.code == NO_CHANGE_STREAMS => {
            "this MongoDB server is no member of a replica set, and only those tell of changes"
                .to_owned()
        }
        ErrorKind::Command(refused) => {
            format!("MongoDB refused a command: {} ({})", refused.code_name, refused.code)
        }
        ErrorKind::Write(WriteFailure::WriteConcernError(missed)) => format!(
            "MongoDB made a write that may not last: {} ({})",
            missed.code_name, missed.code
        ),
        ErrorKind::Write(WriteFailure::WriteError(refused)) => {
            let name = refused.code_name.as_deref().unwrap_or("code");
            format!("MongoDB refused a write: {name} ({})", refused.code)
        }
        ErrorKind::Bson(error) => unreadable(error),
        ErrorKind::Io(error) => format!("MongoDB cannot be reached: {error}"),
        ErrorKind::ServerSelection { message, .. } | ErrorKind::Authentication { message, .. } => {
            message.clone()
        }
        ErrorKind::DnsResolve { message, .. } => {
            format!("the servers of MongoDB cannot be looked up: {message}")
        }
        ErrorKind::ConnectionPoolCleared { .. } => {
            "the connections to MongoDB were dropped after one of them failed".to_owned()
        }
        ErrorKind::InvalidResponse { .. } => {
            "MongoDB gave an answer that it cannot give".to_owned()
        }
        ErrorKind::Shutdown => "the connections to MongoDB were closed".to_owned(),
        _ => "MongoDB cannot be used".to_owned(),
    }
}

/// Names the field at most: the message of the parser may repeat what is in it.
fn unreadable(error: &BsonError) -> String {
    let field = error.key.as_deref().map(|key| format!(" (at {key})")).unwrap_or_default();
    format!("a document in MongoDB is not what this release writes{field}")
}

//! What an error of the driver means to a use-case.

use domain::Fault;
use mongodb::bson::error::Error as BsonError;
use mongodb::error::{Error, ErrorKind, WriteError, WriteFailure};

/// Two documents with one key.
const DUPLICATE_KEY: i32 = 11000;

/// `$changeStream` on a server that keeps no log of its changes.
const NO_CHANGE_STREAMS: i32 = 40573;

/// Codes of refusals that another attempt will meet again: `Unauthorized` (somebody has to grant
/// what is missing), `TypeMismatch`, `InvalidNamespace`, `IndexOptionsConflict`,
/// `IndexKeySpecsConflict`, `DocumentValidationFailure`, `ConversionFailure`, and what `$toLower`
/// says of a name that is no text.
const LASTING: [i32; 8] = [13, 14, 73, 85, 86, 121, 241, 16007];

/// The index that every collection has.
const ID_INDEX: &str = "_id_";

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
    // None of them makes a document: a duplicate is one by an index that is not ours.
    let is_lasting = code == DUPLICATE_KEY || LASTING.contains(&code);
    if is_lasting { Fault::corrupt(text) } else { Fault::unavailable(text) }
}

/// Whether a write was refused because a document with that `_id` exists. Whatever else may be
/// there only once, by an index of an operator's, is nobody's id.
pub(crate) fn is_taken(error: &Error) -> bool {
    matches!(
        &*error.kind,
        ErrorKind::Write(WriteFailure::WriteError(refused))
            if refused.code == DUPLICATE_KEY && foreign_index(refused).is_none()
    )
}

/// The index, other than that of `_id`, by which a write makes a duplicate.
///
/// The driver passes on nothing but the text of the server, which names the index before it quotes
/// any value: `... collection: NAME index: NAME dup key: ...`. Where it names none it is that of
/// `_id`: in a clustered collection this is no index, and none of our own is unique.
fn foreign_index(refused: &WriteError) -> Option<&str> {
    if refused.code != DUPLICATE_KEY {
        return None;
    }
    let (_, named) = refused.message.split_once(" index: ")?;
    let end = [" dup key", " collation: "].iter().filter_map(|end| named.find(end)).min();
    let name = named.get(..end.unwrap_or(named.len()))?.trim();
    (!name.is_empty() && name != ID_INDEX).then_some(name)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other variants are of no use here")]
fn is_lasting(kind: &ErrorKind) -> bool {
    match kind {
        ErrorKind::Bson(_) | ErrorKind::InvalidResponse { .. } => true,
        ErrorKind::Command(refused) => {
            refused.code == NO_CHANGE_STREAMS || LASTING.contains(&refused.code)
        }
        ErrorKind::Write(WriteFailure::WriteError(refused)) => {
            LASTING.contains(&refused.code) || foreign_index(refused).is_some()
        }
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
            let by = foreign_index(refused)
                .map(|index| format!(", by the unique index {index:?}, which is not ours"));
            format!("MongoDB refused a write: {name} ({}){}", refused.code, by.unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use domain::FaultKind;
    use mongodb::bson::{deserialize_from_document, doc};
    use mongodb::error::CommandError;

    use super::*;

    fn refused_write(code: i32, text: &str) -> Error {
        let refused = doc! { "code": code, "errmsg": text };
        let refused: WriteError = deserialize_from_document(refused).unwrap();
        ErrorKind::Write(WriteFailure::WriteError(refused)).into()
    }

    #[test]
    fn what_nobody_granted_is_not_there_a_moment_later() {
        let refused = doc! { "code": 13, "codeName": "Unauthorized", "errmsg": "hunter2" };
        let refused: CommandError = deserialize_from_document(refused).unwrap();

        let said = fault(&ErrorKind::Command(refused).into());

        assert_eq!(said.kind(), FaultKind::Corrupt);
        assert!(!said.is_passing());
        assert!(said.explained().contains("Unauthorized (13)"), "{}", said.explained());
        assert!(!said.explained().contains("hunter2"), "{}", said.explained());
        assert_eq!(fault(&refused_write(13, "")).kind(), FaultKind::Corrupt);
        assert_eq!(refusal(13).kind(), FaultKind::Corrupt);
        assert_eq!(refusal(91).kind(), FaultKind::Unavailable);
    }

    #[test]
    fn taken_is_an_id_and_nothing_else() {
        let duplicate = |rest: &str| {
            let text = format!("E11000 duplicate key error collection: db.c{rest}");
            refused_write(DUPLICATE_KEY, &text)
        };
        for (rest, is_of_id) in [
            (" index: _id_ dup key: { _id: \"a index: b dup key: \" }", true),
            (" index: _id_", true),
            (" dup key: { _id: 1 }", true),
            (" index:  dup key: { _id: 1 }", true),
            (" index: name_1 dup key: { name: \"hunter2 index: _id_ dup key: \" }", false),
            (" index: _id_2 dup key: { _id: \"hunter2\", x: 1 }", false),
            (" index: of mine collation: { locale: \"hunter2\" } dup key: { a: 1 }", false),
        ] {
            let error = duplicate(rest);
            assert_eq!(is_taken(&error), is_of_id, "{rest}");
            let said = fault(&error);
            assert_eq!(said.is_passing(), is_of_id, "{rest}");
            assert!(!said.explained().contains("hunter2"), "{}", said.explained());
        }
        let said = fault(&duplicate(" index: of mine collation: {} dup key: {}")).explained();
        assert!(said.contains("\"of mine\""), "{said}");
        assert!(!is_taken(&refused_write(121, " index: _id_ dup key")));
        assert_eq!(refusal(DUPLICATE_KEY).kind(), FaultKind::Corrupt);
    }
}

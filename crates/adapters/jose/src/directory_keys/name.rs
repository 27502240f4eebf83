//! What the file of a key is called.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

/// The most bytes of a name that file systems agree on, less what is around the encoded `kid`.
const MAX_ENCODED: usize = 200;

/// The file name of the key `kid` that was written as part of `revision`: a new one whenever a
/// key is written, so that no file of the index in force is ever touched.
pub(super) fn file_name(kid: &str, revision: u64) -> String {
    format!("key-{}.{revision}.pem", encoded(kid))
}

/// Whether a file in the directory is one of ours.
pub(super) fn is_file_name(name: &str) -> bool {
    let middle = name.strip_prefix("key-").and_then(|it| it.strip_suffix(".pem"));
    middle.and_then(|it| it.rsplit_once('.')).is_some_and(|(kid, revision)| {
        let is_safe = |it: u8| it == b'%' || is_plain(it);
        !kid.is_empty() && kid.bytes().all(is_safe) && revision.parse::<u64>().is_ok()
    })
}

/// Small letters, digits, `-` and `_` stand for themselves, the rest as `%xx`: no path can come
/// of it, nor can two names that differ in case collide where the file system ignores it.
fn encoded(kid: &str) -> String {
    let mut encoded = String::new();
    for byte in kid.bytes() {
        if is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string never fails.
            let _ = write!(encoded, "%{byte:02x}");
        }
    }
    if encoded.len() <= MAX_ENCODED {
        return encoded;
    }
    let mut hashed = "%sha256-".to_owned();
    for byte in digest(&SHA256, kid.as_bytes()).as_ref() {
        let _ = write!(hashed, "{byte:02x}");
    }
    hashed
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn t06_no_kid_leads_out_of_the_directory() {
        let long = "A".repeat(255);
        let kids = ["a", "A", "../../etc/passwd", ".", "..", "a b", "%61", "a.1", &long];
        let names: HashSet<String> = kids.into_iter().map(|kid| file_name(kid, 7)).collect();

        assert_eq!(names.len(), kids.len());
        for name in names {
            assert!(is_file_name(&name), "{name}");
            assert!(name.len() <= 255, "{name}");
            assert!(!name.contains('/') && !name.contains(".."), "{name}");
        }
        assert_eq!(file_name("2024-06_a", 12), "key-2024-06_a.12.pem");
    }

    #[test]
    fn other_files_are_not_ours() {
        for name in ["keys.json", "backup.1.pem", "key-a.pem", "key-a.b.pem", "key-.1.pem"] {
            assert!(!is_file_name(name), "{name}");
        }
    }
}

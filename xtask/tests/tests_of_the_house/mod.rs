//! Every test of the workspace, found in the source.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A test.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    /// Its file, without what all of them have in common, and its name:
    /// `token::refuses_more_than_is_allowed`, `domain/src/jws::reads_a_plain_token`.
    pub(crate) path: String,
    /// The name of its function.
    pub(crate) name: String,
    /// What its comment says.
    pub(crate) comment: String,
}

/// Every function below an attribute that makes it a test.
pub(crate) fn tests() -> Vec<Test> {
    let mut found = Vec::new();
    for folder in ["bench", "crates", "examples", "testbed", "xtask"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            let of = path_of(&file);
            found.extend(tests_of(&text).map(|(name, comment)| Test {
                path: format!("{of}::{name}"),
                name,
                comment,
            }));
        }
    }
    found
}

/// The names of the tests in a source, and their comments.
fn tests_of(text: &str) -> impl Iterator<Item = (String, String)> {
    let mut comment = String::new();
    let mut is_test = false;
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(said) = line.strip_prefix("///") {
            comment.push_str(said);
            return None;
        }
        if line.starts_with("#[") {
            is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
            return None;
        }
        let said = std::mem::take(&mut comment);
        if !std::mem::take(&mut is_test) {
            return None;
        }
        let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
        let name = rest.split('(').next().unwrap_or_default();
        Some((name.to_owned(), said))
    })
}

fn path_of(file: &Path) -> String {
    let path = file.strip_prefix(root()).unwrap().with_extension("");
    let path = path.to_string_lossy().into_owned();
    let path = path.strip_suffix("/mod").unwrap_or(&path);
    ["crates/server/tests/it/", "crates/server/tests/", "crates/"]
        .iter()
        .find_map(|common| path.strip_prefix(common))
        .unwrap_or(path)
        .to_owned()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_none_or(|it| it != "target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

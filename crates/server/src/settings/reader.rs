//! Reads keys one by one and keeps every mistake, so that all are told at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::{fs, io};

use config::{Value, ValueKind};
use secrecy::SecretString;

/// One mistake in the configuration: where it is, what it is, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The key, as it is written in the file.
    pub(crate) key: String,
    /// Where the bad value came from, where there is one.
    pub(crate) origin: Option<String>,
    /// What is wrong, and how to mend it.
    pub(crate) what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{} (from {origin}): {}", self.key, self.what),
            None => write!(f, "{}: {}", self.key, self.what),
        }
    }
}

/// The merged configuration, read key by key.
#[derive(Debug)]
pub(crate) struct Reader {
    leaves: BTreeMap<String, Value>,
    taken: BTreeSet<String>,
    problems: Vec<Problem>,
}

impl Reader {
    /// Starts on the merged tree.
    pub(crate) fn new(root: config::Map<String, Value>) -> Self {
        let mut leaves = BTreeMap::new();
        for (key, value) in root {
            flatten(key, value, &mut leaves);
        }
        Self { leaves, taken: BTreeSet::new(), problems: Vec::new() }
    }

    /// Notes a mistake.
    pub(crate) fn refuse(&mut self, key: &str, what: impl Into<String>) {
        let origin = self.origin(key).map(str::to_owned);
        self.problems.push(Problem { key: key.to_owned(), origin, what: what.into() });
    }

    /// Whether the key is set to something.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.leaves.contains_key(key)
    }

    /// Where the value of a key comes from.
    pub(crate) fn origin(&self, key: &str) -> Option<&str> {
        self.leaves.get(key).and_then(Value::origin)
    }

    /// The text of a key, where it is set.
    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        self.taken.insert(key.to_owned());
        let value = self.leaves.get(key)?.clone();
        let text = value.into_string().ok();
        if text.is_none() {
            self.refuse(key, "must be a single value");
        }
        text
    }

    /// A value of its own type, where it is set.
    pub(crate) fn parsed<T>(&mut self, key: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let text = self.text(key)?;
        match text.trim().parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(key, format!("{error}"));
                None
            }
        }
    }

    /// A whole number within `range`, or `default`.
    pub(crate) fn number(&mut self, key: &str, range: RangeInclusive<u64>, default: u64) -> u64 {
        let Some(text) = self.text(key) else {
            return default;
        };
        match text.trim().parse() {
            Ok(number) if range.contains(&number) => number,
            Ok(_) | Err(_) => {
                let (least, most) = (range.start(), range.end());
                self.refuse(key, format!("must be a whole number from {least} to {most}"));
                default
            }
        }
    }

    /// `true` or `false`, or `default`.
    pub(crate) fn boolean(&mut self, key: &str, default: bool) -> bool {
        let Some(text) = self.text(key) else {
            return default;
        };
        match text.trim().to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => {
                self.refuse(key, "must be true or false");
                default
            }
        }
    }

    /// One of some names, or `default`.
    pub(crate) fn choice<T: Copy>(&mut self, key: &str, names: &[(&str, T)], default: T) -> T {
        let Some(text) = self.text(key) else {
            return default;
        };
        if let Some((_, value)) = names.iter().find(|(name, _)| *name == text.trim()) {
            return *value;
        }
        let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        self.refuse(key, format!("must be one of {}", names.join(", ")));
        default
    }

    /// Several values: an array, or a text with commas.
    pub(crate) fn list<T>(&mut self, key: &str) -> Vec<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.taken.insert(key.to_owned());
        let texts: Vec<String> = match self.leaves.get(key).map(|value| value.kind.clone()) {
            None => return Vec::new(),
            Some(ValueKind::Array(items)) => {
                items.into_iter().filter_map(|item| item.into_string().ok()).collect()
            }
            Some(_) => {
                let text = self.text(key).unwrap_or_default();
                text.split(',')
                    .map(str::trim)
                    .filter(|it| !it.is_empty())
                    .map(str::to_owned)
                    .collect()
            }
        };
        let mut values = Vec::with_capacity(texts.len());
        for text in texts {
            match text.parse() {
                Ok(value) => values.push(value),
                Err(error) => self.refuse(key, format!("{error}")),
            }
        }
        values
    }

    /// A secret: the key itself, or the content of the file that `<key>_file` names.
    pub(crate) fn secret(&mut self, key: &str) -> Option<SecretString> {
        let file_key = format!("{key}_file");
        match (self.text(key), self.text(&file_key)) {
            (None, None) => None,
            (Some(secret), None) => Some(secret.into()),
            (Some(_), Some(_)) => {
                self.refuse(&file_key, format!("{key} is set too: remove one of them"));
                None
            }
            (None, Some(path)) => match fs::read_to_string(&path) {
                Ok(text) => {
                    let secret = text.trim_end_matches(['\r', '\n']);
                    if secret.is_empty() {
                        self.refuse(
                            &file_key,
                            format!("{path} is empty: write the secret into it"),
                        );
                        return None;
                    }
                    Some(secret.to_owned().into())
                }
                Err(error) => {
                    self.refuse(&file_key, unreadable(&path, &error));
                    None
                }
            },
        }
    }

    /// The tables of an array of tables, each read by `read` with keys below `<key>.<index>`.
    pub(crate) fn tables<T>(
        &mut self,
        key: &str,
        mut read: impl FnMut(&mut Self, &str) -> Option<T>,
    ) -> Vec<T> {
        self.taken.insert(key.to_owned());
        let Some(ValueKind::Array(items)) = self.leaves.get(key).map(|it| it.kind.clone()) else {
            if self.has(key) {
                self.refuse(key, format!("must be an array of tables ([[{key}]])"));
            }
            return Vec::new();
        };
        let mut values = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let prefix = format!("{key}.{index}");
            flatten(prefix.clone(), item, &mut self.leaves);
            values.extend(read(self, &prefix));
        }
        values
    }

    /// Every key that was asked for.
    #[cfg(test)]
    pub(crate) fn known_keys(&self) -> impl Iterator<Item = &str> {
        self.taken.iter().map(String::as_str)
    }

    /// All mistakes; a key that nobody read is one.
    pub(crate) fn finish(mut self) -> Vec<Problem> {
        let unknown: Vec<String> =
            self.leaves.keys().filter(|key| !self.taken.contains(*key)).cloned().collect();
        for key in unknown {
            self.refuse(&key, "is not a known key: see docs/configuration.md");
        }
        self.problems
    }
}

/// Says that a file cannot be read, and which.
pub(crate) fn unreadable(path: &str, error: &io::Error) -> String {
    format!("the file {path} cannot be read: {error}")
}

/// A leaf for each value; an empty value is as good as none.
fn flatten(key: String, value: Value, leaves: &mut BTreeMap<String, Value>) {
    match &value.kind {
        ValueKind::Table(_) => {
            for (name, value) in value.into_table().unwrap_or_default() {
                flatten(format!("{key}.{name}"), value, leaves);
            }
        }
        ValueKind::Nil => (),
        ValueKind::String(text) if text.is_empty() => (),
        ValueKind::Boolean(_)
        | ValueKind::I64(_)
        | ValueKind::I128(_)
        | ValueKind::U64(_)
        | ValueKind::U128(_)
        | ValueKind::Float(_)
        | ValueKind::String(_)
        | ValueKind::Array(_) => {
            leaves.insert(key, value);
        }
    }
}

//! Reads objects of a configuration, and collects every mistake with its path.

use std::cell::RefCell;
use std::fmt;

use serde_json::Value;

/// A mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it is, for example `policies.api.store.secret`.
    pub path: String,
    /// What is wrong, and how to mend it. It repeats no secret.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// What was found while a configuration was read.
#[derive(Debug, Default)]
pub(super) struct Findings {
    mistakes: RefCell<Vec<Mistake>>,
    warnings: RefCell<Vec<Mistake>>,
}

impl Findings {
    pub(super) fn mistake(&self, path: impl Into<String>, message: impl fmt::Display) {
        let (path, message) = (path.into(), message.to_string());
        self.mistakes.borrow_mut().push(Mistake { path, message });
    }

    pub(super) fn warn(&self, path: impl Into<String>, message: impl fmt::Display) {
        let (path, message) = (path.into(), message.to_string());
        self.warnings.borrow_mut().push(Mistake { path, message });
    }

    /// The value and the warnings, if there was no mistake.
    pub(super) fn verdict<T>(self, value: Option<T>) -> Result<(T, Vec<Mistake>), Vec<Mistake>> {
        let mistakes = self.mistakes.into_inner();
        match value {
            Some(value) if mistakes.is_empty() => Ok((value, self.warnings.into_inner())),
            Some(_) | None => Err(mistakes),
        }
    }
}

/// An object of a configuration. The case of its keys makes no difference; a key that nobody asks
/// for is a mistake.
pub(super) struct Section<'a> {
    path: String,
    members: Vec<(&'a str, &'a Value)>,
    asked: RefCell<Vec<&'static str>>,
    findings: &'a Findings,
}

impl<'a> Section<'a> {
    /// The object at `path`; anything else is a mistake, and read as an empty one.
    pub(super) fn new(path: impl Into<String>, value: &'a Value, findings: &'a Findings) -> Self {
        let path = path.into();
        let object = value.as_object();
        if object.is_none() {
            findings.mistake(&path, "must be an object of keys and values");
        }
        let mut members: Vec<(&str, &Value)> = Vec::new();
        for (name, value) in object.into_iter().flat_map(|it| it.iter()) {
            if members.iter().any(|(it, _)| it.eq_ignore_ascii_case(name)) {
                findings
                    .mistake(format!("{path}.{name}"), "is there twice: case makes no difference");
                continue;
            }
            members.push((name, value));
        }
        Self { path, members, asked: RefCell::default(), findings }
    }

    pub(super) fn findings(&self) -> &'a Findings {
        self.findings
    }

    pub(super) fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    pub(super) fn mistake(&self, key: &str, message: impl fmt::Display) {
        self.findings.mistake(self.path(key), message);
    }

    /// Whether a key is there and not `null`.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.value(key).is_some()
    }

    pub(super) fn value(&self, key: &'static str) -> Option<&'a Value> {
        self.asked.borrow_mut().push(key);
        let member = self.members.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        member.map(|(_, value)| *value).filter(|it| !it.is_null())
    }

    /// A text; an empty one is none.
    pub(super) fn text(&self, key: &'static str) -> Option<&'a str> {
        match self.value(key)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => {
                self.mistake(key, "must be a text: put it in quotes");
                None
            }
        }
    }

    /// A text that must be there.
    pub(super) fn required(&self, key: &'static str) -> Option<&'a str> {
        let text = self.text(key);
        if text.is_none() && self.value(key).is_none_or(Value::is_string) {
            self.mistake(key, "is required");
        }
        text
    }

    /// A text that `parse` understands.
    pub(super) fn parsed<T, E: fmt::Display>(
        &self,
        key: &'static str,
        parse: impl FnOnce(&'a str) -> Result<T, E>,
    ) -> Option<T> {
        let parsed = parse(self.text(key)?);
        parsed.map_err(|error| self.mistake(key, error)).ok()
    }

    /// A list of texts; `None` if it is not there.
    pub(super) fn texts(&self, key: &'static str) -> Option<Vec<&'a str>> {
        let Value::Array(elements) = self.value(key)? else {
            self.mistake(key, "must be a list of texts");
            return None;
        };
        let mut texts = Vec::with_capacity(elements.len());
        for (index, element) in elements.iter().enumerate() {
            match element.as_str() {
                Some(text) => texts.push(text),
                None => self.mistake(&format!("{key}[{index}]"), "must be a text"),
            }
        }
        Some(texts)
    }

    pub(super) fn flag(&self, key: &'static str, default: bool) -> bool {
        match self.value(key) {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(
                Value::Null
                | Value::String(_)
                | Value::Number(_)
                | Value::Array(_)
                | Value::Object(_),
            ) => {
                self.mistake(key, "must be true or false");
                default
            }
        }
    }

    /// A whole number of at least `least`.
    pub(super) fn number(&self, key: &'static str, least: u64) -> Option<u64> {
        /// A century in seconds, and far beyond anything that is counted.
        const MOST: u64 = 100 * 365 * 24 * 60 * 60;
        match self.value(key)?.as_u64() {
            Some(number) if (least..=MOST).contains(&number) => Some(number),
            Some(_) | None => {
                self.mistake(key, format!("must be a whole number of at least {least}"));
                None
            }
        }
    }

    /// One of these names, in any case.
    pub(super) fn choice<T: Copy>(&self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let chosen = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        if chosen.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.mistake(key, format!("must be one of {}", names.join(", ")));
        }
        chosen.map(|(_, value)| *value)
    }

    pub(super) fn section(&self, key: &'static str) -> Option<Self> {
        self.value(key).map(|value| Self::new(self.path(key), value, self.findings))
    }

    /// The members as they are, for an object whose keys an operator makes up.
    pub(super) fn into_members(self) -> Vec<(&'a str, &'a Value)> {
        self.members
    }

    /// Everything was asked for: what is left is a mistake.
    pub(super) fn finish(self) {
        let asked = self.asked.into_inner();
        for (name, _) in &self.members {
            if !asked.iter().any(|it| it.eq_ignore_ascii_case(name)) {
                let path = format!("{}.{name}", self.path);
                self.findings.mistake(path, nearest(name, &asked));
            }
        }
    }
}

/// What to say of a key that is unknown.
fn nearest(name: &str, known: &[&str]) -> String {
    let plain = |it: &str| -> String {
        it.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
    };
    if let Some(right) = known.iter().find(|it| plain(it) == plain(name)) {
        return format!("is unknown: the key is written {right}");
    }
    let mut known = known.to_vec();
    known.sort_unstable();
    known.dedup();
    format!("is unknown: the keys here are {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mistakes(value: &Value, read: impl FnOnce(&Section<'_>)) -> Vec<String> {
        let findings = Findings::default();
        let section = Section::new("it", value, &findings);
        read(&section);
        section.finish();
        let verdict = findings.verdict(Some(()));
        verdict.err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_are_read_in_any_case_and_unknown_ones_are_named() {
        let value = json!({"ClientID": "a", "client_secret": "b", "other": 1});

        let mistakes = mistakes(&value, |section| {
            assert_eq!(section.text("clientID"), Some("a"));
            assert_eq!(section.text("clientSecret"), None);
        });

        assert_eq!(
            mistakes,
            [
                "it.client_secret: is unknown: the key is written clientSecret",
                "it.other: is unknown: the keys here are clientID, clientSecret",
            ]
        );
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let value = json!({"a": 1, "b": "x", "c": 0, "d": [1, "x"], "e": "z", "f": [], "A": 2});

        let mistakes = mistakes(&value, |section| {
            section.text("a");
            section.flag("b", true);
            section.number("c", 1);
            section.texts("d");
            section.choice("e", &[("y", 1), ("x", 2)]);
            section.section("f");
            section.required("g");
        });

        // Members are read in the order of the file, or of their names: other crates of a build decide
        // about that, and so about which of `a` and `A` comes second.
        let mut mistakes: Vec<_> = mistakes.iter().map(|it| it.to_lowercase()).collect();
        mistakes.sort();
        assert_eq!(
            mistakes,
            [
                "it.a: is there twice: case makes no difference",
                "it.a: must be a text: put it in quotes",
                "it.b: must be true or false",
                "it.c: must be a whole number of at least 1",
                "it.d[0]: must be a text",
                "it.e: must be one of y, x",
                "it.f: must be an object of keys and values",
                "it.g: is required",
            ]
        );
    }
}

//! Reads the members of an object one by one and keeps every mistake, so that all are told at once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Map, Value};

/// One mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mistake {
    /// Where: `routes[0].path`.
    pub(crate) path: String,
    /// What is wrong, and how to mend it. It repeats no value that may be a secret.
    pub(crate) why: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.why),
            path => write!(f, "{path}: {}", self.why),
        }
    }
}

/// All mistakes so far.
#[derive(Debug, Default)]
pub(crate) struct Mistakes(RefCell<Vec<Mistake>>);

impl Mistakes {
    /// Notes one.
    pub(crate) fn note(&self, path: impl Into<String>, why: impl Into<String>) {
        self.0.borrow_mut().push(Mistake { path: path.into(), why: why.into() });
    }

    /// All of them, in the order of their paths.
    pub(crate) fn into_sorted(self) -> Vec<Mistake> {
        let mut mistakes = self.0.into_inner();
        mistakes.sort();
        mistakes
    }
}

/// An object of the configuration. Its keys are matched without regard to case.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    members: &'a Map<String, Value>,
    path: String,
    mistakes: &'a Mistakes,
    known: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Section<'a> {
    /// The object that `value` is; a mistake is noted if it is none.
    pub(crate) fn of(value: &'a Value, path: String, mistakes: &'a Mistakes) -> Option<Self> {
        match value {
            Value::Object(members) => {
                Some(Self { members, path, mistakes, known: RefCell::default() })
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                mistakes.note(path, "must have keys of its own");
                None
            }
        }
    }

    /// Where the value of a key lies.
    pub(crate) fn path(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            (path, "") => path.to_owned(),
            ("", key) => key.to_owned(),
            (path, key) => format!("{path}.{key}"),
        }
    }

    /// Notes a mistake at a key, or at this object for an empty key.
    pub(crate) fn refuse(&self, key: &str, why: impl Into<String>) {
        self.mistakes.note(self.path(key), why);
    }

    /// Where mistakes go.
    pub(crate) fn mistakes(&self) -> &'a Mistakes {
        self.mistakes
    }

    /// The value of a key; `null` is as good as nothing.
    pub(crate) fn value(&self, key: &'static str) -> Option<&'a Value> {
        self.known.borrow_mut().insert(key);
        let mut named = self.members.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
        let found = named.next();
        if named.next().is_some() {
            self.refuse(key, "is there twice, in different cases: remove one");
        }
        found.map(|(_, value)| value).filter(|value| !value.is_null())
    }

    /// Whether a key is set to something.
    pub(crate) fn has(&self, key: &'static str) -> bool {
        self.value(key).is_some()
    }

    /// A text.
    pub(crate) fn text(&self, key: &'static str) -> Option<&'a str> {
        match self.value(key)? {
            Value::String(text) if text.is_empty() => {
                self.refuse(key, "is empty: give it a value, or remove it");
                None
            }
            Value::String(text) => Some(text),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => {
                self.refuse(key, "must be a text: put it in quotes");
                None
            }
        }
    }

    /// A text that must be there.
    pub(crate) fn required_text(&self, key: &'static str) -> Option<&'a str> {
        if !self.has(key) {
            self.refuse(key, "is missing");
        }
        self.text(key)
    }

    /// `true` or `false`, or `default`.
    pub(crate) fn flag(&self, key: &'static str, default: bool) -> bool {
        match self.value(key) {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.refuse(key, "must be true or false");
                default
            }
        }
    }

    /// A whole number within `range`, or `default`.
    pub(crate) fn whole(&self, key: &'static str, range: RangeInclusive<u64>, default: u64) -> u64 {
        match self.value(key).map(Value::as_u64) {
            None => default,
            Some(Some(number)) if range.contains(&number) => number,
            Some(_) => {
                let (least, most) = (range.start(), range.end());
                self.refuse(key, format!("must be a whole number from {least} to {most}"));
                default
            }
        }
    }

    /// Seconds, maybe with a fraction, from 10 ms to a day; or `default`.
    pub(crate) fn seconds(&self, key: &'static str, default: Duration) -> Duration {
        let Some(value) = self.value(key) else {
            return default;
        };
        let seconds = value.as_f64().filter(|it| (0.01..=86_400.0).contains(it));
        let seconds = seconds.and_then(|it| Duration::try_from_secs_f64(it).ok());
        seconds.unwrap_or_else(|| {
            self.refuse(key, "must be a number of seconds from 0.01 to 86400");
            default
        })
    }

    /// A list of texts, each with its place.
    pub(crate) fn texts(&self, key: &'static str) -> Vec<(String, &'a str)> {
        let mut texts = Vec::new();
        for (path, value) in self.items(key) {
            match value.as_str().filter(|it| !it.is_empty()) {
                Some(text) => texts.push((path, text)),
                None => self.mistakes.note(path, "must be a text that is not empty"),
            }
        }
        texts
    }

    /// A list of values with a grammar of their own.
    pub(crate) fn parsed_list<T>(&self, key: &'static str) -> Vec<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let mut values = Vec::new();
        for (path, text) in self.texts(key) {
            match text.parse::<T>() {
                Ok(value) => values.push(value),
                Err(error) => self.mistakes.note(path, error.to_string()),
            }
        }
        values
    }

    /// An object.
    pub(crate) fn section(&self, key: &'static str) -> Option<Self> {
        Self::of(self.value(key)?, self.path(key), self.mistakes)
    }

    /// A list of objects.
    pub(crate) fn sections(&self, key: &'static str) -> Vec<Self> {
        let items = self.items(key).into_iter();
        items.filter_map(|(path, value)| Self::of(value, path, self.mistakes)).collect()
    }

    /// An object whose members have names of the operator's choice, each with its place.
    pub(crate) fn named(&self, key: &'static str) -> Vec<(&'a str, String, &'a Value)> {
        let Some(section) = self.section(key) else {
            return Vec::new();
        };
        let members = section.members.iter();
        members.map(|(name, value)| (name.as_str(), section.path(name), value)).collect()
    }

    /// Notes every key that nobody asked for.
    pub(crate) fn finish(self) {
        let known = self.known.borrow();
        for name in self.members.keys() {
            if !known.iter().any(|key| name.eq_ignore_ascii_case(key)) {
                let known: Vec<_> = known.iter().copied().collect();
                self.refuse(name, format!("is unknown: there are {}", known.join(", ")));
            }
        }
    }

    fn items(&self, key: &'static str) -> Vec<(String, &'a Value)> {
        match self.value(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => {
                let place = |index| format!("{}[{index}]", self.path(key));
                items.iter().enumerate().map(|(index, value)| (place(index), value)).collect()
            }
            Some(_) => {
                self.refuse(key, "must be a list");
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(value: &Value, read: impl FnOnce(&Section<'_>)) -> Vec<String> {
        let mistakes = Mistakes::default();
        if let Some(section) = Section::of(value, "it".to_owned(), &mistakes) {
            read(&section);
            section.finish();
        }
        mistakes.into_sorted().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let value = json!({
            "flag": "yes", "number": 7, "time": 0, "text": 1, "list": ["a", 1, ""], "what": 1,
            "sections": [{}, 2],
        });

        let mistakes = said(&value, |it| {
            it.flag("flag", true);
            it.whole("number", 1..=6, 1);
            it.seconds("time", Duration::from_secs(1));
            it.text("text");
            it.required_text("name");
            it.texts("list");
            it.sections("sections");
        });

        let expected = [
            "it.flag: must be true or false",
            "it.list[1]: must be a text that is not empty",
            "it.list[2]: must be a text that is not empty",
            "it.name: is missing",
            "it.number: must be a whole number from 1 to 6",
            "it.sections[1]: must have keys of its own",
            "it.text: must be a text: put it in quotes",
            "it.time: must be a number of seconds from 0.01 to 86400",
            "it.what: is unknown: there are flag, list, name, number, sections, text, time",
        ];
        assert_eq!(mistakes, expected);
    }

    #[test]
    fn keys_are_matched_without_regard_to_case() {
        let value = json!({ "clientid": "a" });
        assert!(said(&value, |it| assert_eq!(it.text("clientID"), Some("a"))).is_empty());

        let value = json!({ "clientid": "a", "clientID": "b" });
        let mistakes = said(&value, |it| _ = it.text("clientID"));
        assert_eq!(mistakes, ["it.clientID: is there twice, in different cases: remove one"]);
    }

    #[test]
    fn null_is_as_good_as_nothing() {
        let value = json!({ "text": null });

        assert!(said(&value, |it| assert_eq!(it.text("text"), None)).is_empty());
    }
}

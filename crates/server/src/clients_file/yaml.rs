//! YAML, as far as it says what JSON says, and in one way only.
//!
//! Doubled names are refused, as in JSON. So are aliases, which could unfold a small file to one
//! that fills the memory, and tags, which mean something to nobody here.

use std::fmt;

use serde_json::{Map, Number, Value};
use yaml_rust2::Yaml;
use yaml_rust2::parser::{Event, Parser, Tag};
use yaml_rust2::scanner::{Marker, ScanError, TScalarStyle};

/// How deep things may lie in each other.
const MAX_DEPTH: usize = 64;

/// Why a text is no YAML that can be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidYaml {
    line: usize,
    reason: String,
}

impl fmt::Display for InvalidYaml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl From<ScanError> for InvalidYaml {
    fn from(error: ScanError) -> Self {
        Self::at(*error.marker(), error.info())
    }
}

impl InvalidYaml {
    fn at(mark: Marker, reason: impl Into<String>) -> Self {
        Self { line: mark.line(), reason: reason.into() }
    }
}

/// The documents of a text.
pub(super) fn documents(text: &str) -> Result<Vec<Value>, InvalidYaml> {
    let mut parser = Parser::new_from_str(text);
    let mut documents = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    loop {
        let (event, mark) = parser.next_token()?;
        let value = match event {
            Event::StreamEnd => return Ok(documents),
            Event::Nothing | Event::StreamStart | Event::DocumentStart | Event::DocumentEnd => {
                continue;
            }
            Event::Alias(_) => {
                return Err(InvalidYaml::at(mark, "aliases are not used here: write it out"));
            }
            Event::SequenceStart(_, tag) => {
                no_tag(tag.as_ref(), mark)?;
                push(&mut open, Open::List(Vec::new()), mark)?;
                continue;
            }
            Event::MappingStart(_, tag) => {
                no_tag(tag.as_ref(), mark)?;
                push(&mut open, Open::Object(Map::new(), None), mark)?;
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(items)) => Value::Array(items),
                Some(Open::Object(members, _)) => Value::Object(members),
                None => return Err(InvalidYaml::at(mark, "something ends that did not begin")),
            },
            Event::Scalar(text, style, _, tag) => {
                no_tag(tag.as_ref(), mark)?;
                if let Some(Open::Object(members, name @ None)) = open.last_mut() {
                    if members.contains_key(&text) {
                        return Err(InvalidYaml::at(mark, format!("{text} stands here twice")));
                    }
                    *name = Some(text);
                    continue;
                }
                scalar(text, style)
            }
        };
        match open.last_mut() {
            None => documents.push(value),
            Some(Open::List(items)) => items.push(value),
            Some(Open::Object(members, name)) => match name.take() {
                Some(name) => drop(members.insert(name, value)),
                None => return Err(InvalidYaml::at(mark, "a name must be a text")),
            },
        }
    }
}

/// Something that has begun and not ended; of an object with the name of the member to come.
enum Open {
    List(Vec<Value>),
    Object(Map<String, Value>, Option<String>),
}

fn push(open: &mut Vec<Open>, new: Open, mark: Marker) -> Result<(), InvalidYaml> {
    if open.len() == MAX_DEPTH {
        return Err(InvalidYaml::at(mark, format!("lies deeper than {MAX_DEPTH} levels")));
    }
    open.push(new);
    Ok(())
}

fn no_tag(tag: Option<&Tag>, mark: Marker) -> Result<(), InvalidYaml> {
    match tag {
        None => Ok(()),
        Some(_) => Err(InvalidYaml::at(mark, "tags are not used here: leave it out")),
    }
}

/// What stands without quotes may be something other than a text (YAML 1.2, the core schema).
fn scalar(text: String, style: TScalarStyle) -> Value {
    if style != TScalarStyle::Plain {
        return Value::String(text);
    }
    match Yaml::from_str(&text) {
        Yaml::Null => Value::Null,
        Yaml::Boolean(it) => Value::Bool(it),
        Yaml::Integer(it) => Value::from(it),
        Yaml::Real(_) => {
            text.parse().ok().and_then(Number::from_f64).map_or(Value::String(text), Value::Number)
        }
        Yaml::String(_) | Yaml::Array(_) | Yaml::Hash(_) | Yaml::Alias(_) | Yaml::BadValue => {
            Value::String(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_what_json_could_say() {
        let text = "a: 1\nb: [x, 'y', \"z\\u0041\", -2.5, null, ~, yes, true]\nc:\n  d: |\n    \
                    two\n    lines\n  'e f': {}\n";

        let read = documents(text).unwrap();

        let expected = json!({
            "a": 1, "b": ["x", "y", "zA", -2.5, null, null, "yes", true],
            "c": {"d": "two\nlines\n", "e f": {}},
        });
        assert_eq!(read, [expected]);
    }

    #[test]
    fn t09_what_two_readers_could_understand_in_two_ways_is_refused_with_its_line() {
        let deep = "[".repeat(70);
        for (text, line) in [
            ("a: 1\nb: 2\na: 3", 3),
            ("a: {b: 1, b: 2}", 1),
            ("a: &x 1\nb: *x", 2),
            ("a: !!binary 'aGk='", 1),
            ("a: !env SECRET", 1),
            ("? [a]\n: b", 1),
            ("a: [1", 1),
            ("a: b: c", 1),
            (deep.as_str(), 1),
        ] {
            let refused = documents(text).unwrap_err();
            assert!(refused.line.abs_diff(line) <= 1, "{text:.40}: {refused}");
        }
    }

    /// The nine lines that unfold to a thousand million texts.
    #[test]
    fn t09_laughs_unfold_to_nothing() {
        let line = |n: u8| format!("a{n}: &a{n} [{}]\n", format!("*a{}, ", n - 1).repeat(10));
        let text = "a0: &a0 [lol, lol, lol]\n".to_owned() + &(1..9).map(line).collect::<String>();

        assert_eq!(documents(&text).unwrap_err().line, 2);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[-a: \\[\\]{}&*!|>'\"#,\n\t%?0]{0,80}") {
            let _ = documents(&text);
        }
    }
}

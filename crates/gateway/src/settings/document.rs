//! What the configuration file says, as a tree of values.

use std::ops::Range;
use std::path::Path;

use serde_json::Value;

/// Reads a file as TOML if its name ends so, else as YAML, of which JSON is a part.
///
/// # Errors
///
/// What is wrong, and in which line. It repeats nothing of the text, which may hold secrets.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Value, String> {
    let is_toml = path.extension().is_some_and(|it| it.eq_ignore_ascii_case("toml"));
    if is_toml { from_toml(text) } else { from_yaml(text) }
}

fn from_yaml(text: &str) -> Result<Value, String> {
    let mut options = serde_saphyr::Options::default();
    options.duplicate_keys = serde_saphyr::options::DuplicateKeyPolicy::Error;
    // `no` is a country and `on` a word, here as in YAML 1.2.
    options.strict_booleans = true;
    options.with_snippet = false;
    serde_saphyr::from_str_with_options(text, options).map_err(|error| match error.location() {
        Some(place) => {
            let (line, column) = (place.line(), place.column());
            format!("line {line}, column {column}: {}", plain(&error.to_string()))
        }
        None => plain(&error.to_string()),
    })
}

fn from_toml(text: &str) -> Result<Value, String> {
    toml::from_str(text).map_err(|error: toml::de::Error| match error.span() {
        Some(span) => format!("line {}: {}", line_of(text, &span), plain(error.message())),
        None => plain(error.message()),
    })
}

/// The first line of what a parser says: below it, some quote the text.
fn plain(said: &str) -> String {
    said.lines().next().unwrap_or("cannot be read").to_owned()
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    text.bytes().take(span.start).filter(|it| *it == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn yaml(text: &str) -> Result<Value, String> {
        parse(Path::new("gateway.yaml"), text)
    }

    fn toml(text: &str) -> Result<Value, String> {
        parse(Path::new("gateway.TOML"), text)
    }

    #[test]
    fn yaml_json_and_toml_say_the_same() {
        let expected = json!({ "a": { "b": [1, true, "x", 1.5] } });

        assert_eq!(yaml("a:\n  b: [1, true, x, 1.5]\n"), Ok(expected.clone()));
        assert_eq!(yaml(r#"{"a":{"b":[1,true,"x",1.5]}}"#), Ok(expected.clone()));
        assert_eq!(toml("[a]\nb = [1, true, \"x\", 1.5]\n"), Ok(expected));
    }

    #[test]
    fn words_of_yaml_1_1_stay_words() {
        assert_eq!(yaml("country: no\nswitch: on\n"), Ok(json!({"country": "no", "switch": "on"})));
    }

    #[test]
    fn a_doubled_key_is_an_error_with_its_line() {
        let said = yaml("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert!(said.contains("line 3") && said.contains("uplicate"), "{said}");

        let said = toml("a = 1\nb = 2\na = 3\n").unwrap_err();
        assert!(said.contains("line 3") && said.contains("uplicate"), "{said}");
    }

    #[test]
    fn t37_a_syntax_error_repeats_nothing_of_the_file() {
        for text in ["a: 1\nclientSecret: 'hunter2\nb: [", "clientSecret: \"hunter2\" x\n"] {
            let said = yaml(text).unwrap_err();
            assert!(said.contains("line") && !said.contains("hunter2"), "{said}");
        }
        let said = toml("clientSecret = \"hunter2\nb = 1").unwrap_err();
        assert!(said.contains("line 1") && !said.contains("hunter2"), "{said}");
    }

    #[test]
    fn a_text_that_would_unfold_into_gigabytes_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            text.extend([&format!("a{level}: &a{level} ["), before.as_str(), "]\n"]);
        }

        assert!(yaml(&text).is_err());
    }
}

//! A form, read strictly (RFC 6749 section 3.2, appendix B).

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// The parameters of a request. A parameter without a value counts as left out (RFC 6749 section
/// 3.2). It has no `Debug`: it holds secrets.
pub(crate) struct Form(Vec<(String, String)>);

/// Why a text is not a form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidForm {
    /// A percent sign without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("the form is not percent-encoded UTF-8")]
    Encoding,
    /// RFC 6749 section 3.2: request parameters must not be included more than once.
    #[error("the parameter {0} is there more than once")]
    Repeated(String),
    /// More parameters than anybody needs.
    #[error("the form has too many parameters")]
    TooMany,
}

/// The parameters that may be there more than once (RFC 8707 section 2, RFC 8693 section 2.1).
const REPEATABLE: [&str; 2] = ["audience", "resource"];
const MAX_PARAMETERS: usize = 256;

impl Form {
    /// Reads a form.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, InvalidForm> {
        let mut parameters: Vec<(String, String)> = Vec::with_capacity(8);
        for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if MAX_PARAMETERS <= parameters.len() {
                return Err(InvalidForm::TooMany);
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decoded(halves.next().unwrap_or_default()).ok_or(InvalidForm::Encoding)?;
            let value = decoded(halves.next().unwrap_or_default()).ok_or(InvalidForm::Encoding)?;
            let is_repeated = parameters.iter().any(|(other, _)| *other == name);
            if is_repeated && !REPEATABLE.contains(&name.as_str()) {
                return Err(InvalidForm::Repeated(name));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// Parameters that were read elsewhere.
    pub(crate) fn of(parameters: Vec<(String, String)>) -> Self {
        Self(parameters)
    }

    /// The value of a parameter, unless it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of a parameter that is not empty.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(it, value)| it == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}

/// Undoes the encoding of `application/x-www-form-urlencoded`, strictly: `None` for a percent sign
/// without two hexadecimal digits behind it and for what is not UTF-8.
pub(crate) fn decoded(raw: &[u8]) -> Option<String> {
    let is_encoded = raw.iter().any(|byte| matches!(byte, b'%' | b'+'));
    if !is_encoded {
        return std::str::from_utf8(raw).ok().map(str::to_owned);
    }
    let is_broken = raw.iter().enumerate().any(|(index, byte)| {
        *byte == b'%'
            && !raw
                .get(index + 1..index + 3)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if is_broken {
        return None;
    }
    let spaced: Vec<u8> = raw.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(raw: &str) -> Result<Form, InvalidForm> {
        Form::parse(raw.as_bytes())
    }

    #[test]
    fn reads_what_browsers_and_clients_write() {
        let form = parse("grant_type=client_credentials&a=x%20y+z%2B%C3%A8&empty=&flag").unwrap();

        assert_eq!(form.get("grant_type"), Some("client_credentials"));
        assert_eq!(form.get("a"), Some("x y z+è"));
        assert_eq!(form.get("empty"), None);
        assert_eq!(form.get("flag"), None);
    }

    #[test]
    fn t29_a_repeated_parameter_is_refused_but_for_audience_and_resource() {
        assert!(matches!(parse("a=1&a=1"), Err(InvalidForm::Repeated(name)) if name == "a"));
        assert!(parse("a=1&%61=2").is_err());
        let form = parse("audience=x&audience=y&resource=z&resource=z").unwrap();
        assert_eq!(form.all("audience").collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn t24_broken_encodings_are_refused() {
        for raw in ["a=%zz", "a=%", "a=%4", "a=%ff", "%zz=1"] {
            assert!(matches!(parse(raw), Err(InvalidForm::Encoding)), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn what_the_url_crate_writes_is_read_back(name in "[a-z]{1,9}", value in "\\PC{1,40}") {
            let raw = url::form_urlencoded::Serializer::new(String::new())
                .append_pair(&name, &value)
                .finish();

            let form = parse(&raw).ok().unwrap();
            prop_assert_eq!(form.get(&name), Some(value.as_str()));
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Form::parse(&bytes);
        }
    }
}

//! The functions of the claims language.

use super::parse::{Complaint, Parsed};
use super::{ClaimPath, Test};

/// An argument, and where it begins.
pub(super) struct Argument {
    pub(super) offset: usize,
    pub(super) text: Box<str>,
}

/// A function of the language.
#[derive(Clone, Copy)]
pub(super) enum Function {
    Equals,
    Prefix,
    Contains,
    SplitContains,
    OneOf,
}

const FUNCTIONS: [(&str, Function); 5] = [
    ("Equals", Function::Equals),
    ("Prefix", Function::Prefix),
    ("Contains", Function::Contains),
    ("SplitContains", Function::SplitContains),
    ("OneOf", Function::OneOf),
];

/// What to say of a function that there is not.
pub(super) fn unknown(name: &str) -> String {
    match FUNCTIONS.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)) {
        Some((right, _)) => format!("{name} is unknown: the function is written {right}"),
        None => format!(
            "{name:.40} is unknown: the functions are Equals, Prefix, Contains, SplitContains and \
             OneOf"
        ),
    }
}

impl Function {
    /// The function of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        FUNCTIONS.iter().find(|(it, _)| *it == name).map(|(_, function)| *function)
    }

    /// The test that it makes with these arguments.
    pub(super) fn applied(self, offset: usize, arguments: Vec<Argument>) -> Parsed<Test> {
        let count = arguments.len();
        let wrong = |form: &str| {
            Err(Complaint::at(offset, format!("it has {count} arguments, and is written {form}")))
        };
        let mut arguments = arguments.into_iter();
        let Some(key) = arguments.next() else {
            return wrong(self.form());
        };
        let path: ClaimPath = key.text.parse().unwrap_or_else(|never| match never {});
        let mut value = || arguments.next().map(|it| it.text);
        let test = match self {
            Self::OneOf => return Ok(Test::OneOf(path, arguments.map(|it| it.text).collect())),
            Self::Equals => value().map(|value| Test::Equals(path, value)),
            Self::Prefix => value().map(|value| Test::Prefix(path, value)),
            Self::Contains => value().map(|value| Test::Contains(path, value)),
            Self::SplitContains => match (arguments.next(), arguments.next()) {
                (Some(separator), Some(_)) if separator.text.is_empty() => {
                    let message = "the separator is empty, and would split nothing";
                    return Err(Complaint::at(separator.offset, message));
                }
                (Some(separator), Some(value)) => {
                    let (separator, value) = (separator.text, value.text);
                    Some(Test::SplitContains { path, separator, value })
                }
                (Some(_) | None, Some(_) | None) => None,
            },
        };
        match (test, arguments.next()) {
            (Some(test), None) => Ok(test),
            (Some(_) | None, Some(_) | None) => wrong(self.form()),
        }
    }

    fn form(self) -> &'static str {
        match self {
            Self::Equals => "Equals(`key`, `value`)",
            Self::Prefix => "Prefix(`key`, `value`)",
            Self::Contains => "Contains(`key`, `value`)",
            Self::SplitContains => "SplitContains(`key`, `separator`, `value`)",
            Self::OneOf => "OneOf(`key`, `value`, ...)",
        }
    }
}

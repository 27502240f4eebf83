//! What an operator wants to be true of the claims of a token.

mod function;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt::{self, Write as _};
use std::str::FromStr;

use super::claims::{Claim, ClaimPath, Claims};

/// What must be true of the claims of a token, for example
/// ``Equals(`group`, `admin`) && !Contains(`areas`, `lab`)``.
///
/// It is written back in one canonical form: parsed again, that is the same expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimsExpression(Expression);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Expression {
    /// One of at least two is true.
    Or(Vec<Self>),
    /// All of at least two are true.
    And(Vec<Self>),
    Not(Box<Self>),
    Test(Test),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Equals(ClaimPath, Box<str>),
    Prefix(ClaimPath, Box<str>),
    Contains(ClaimPath, Box<str>),
    SplitContains { path: ClaimPath, separator: Box<str>, value: Box<str> },
    OneOf(ClaimPath, Vec<Box<str>>),
}

/// Why a text is no expression. It shows the line with a caret under the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidClaimsExpression {
    offset: usize,
    line: Box<str>,
    column: usize,
    message: Box<str>,
}

impl ClaimsExpression {
    /// How deep parentheses and `!` may nest.
    pub const MAX_LEVELS: usize = 64;
    /// How many arguments a function may have, its key among them.
    pub const MAX_ARGUMENTS: usize = 256;
    /// How long the text may be, in bytes.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// Reads an expression; a text of white space alone asks for nothing and is `None`.
    ///
    /// # Errors
    ///
    /// [`InvalidClaimsExpression`], which names what is wrong, where, and how to mend it.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidClaimsExpression> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        parse::expression(text).map(|it| Some(Self(it)))
    }

    /// Whether it is true of `claims`.
    #[must_use]
    pub fn is_true_of(&self, claims: &Claims) -> bool {
        self.0.is_true_of(claims)
    }
}

impl FromStr for ClaimsExpression {
    type Err = InvalidClaimsExpression;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse::expression(text).map(Self)
    }
}

impl fmt::Display for ClaimsExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, Binding::Loosest)
    }
}

impl InvalidClaimsExpression {
    /// Where in the text, in bytes.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What is wrong there, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for InvalidClaimsExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}\n  {:>width$}", self.message, self.line, '^', width = self.column + 1)
    }
}

impl std::error::Error for InvalidClaimsExpression {}

/// How tightly the place of an expression binds: what binds looser needs parentheses there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Loosest,
    Or,
    And,
    Not,
}

impl Expression {
    fn is_true_of(&self, claims: &Claims) -> bool {
        match self {
            Self::Or(any) => any.iter().any(|it| it.is_true_of(claims)),
            Self::And(all) => all.iter().all(|it| it.is_true_of(claims)),
            Self::Not(inner) => !inner.is_true_of(claims),
            Self::Test(test) => test.is_true_of(claims),
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, place: Binding) -> fmt::Result {
        let (parts, binding, operator) = match self {
            Self::Or(parts) => (parts, Binding::Or, " || "),
            Self::And(parts) => (parts, Binding::And, " && "),
            Self::Not(inner) => {
                f.write_char('!')?;
                return inner.write(f, Binding::Not);
            }
            Self::Test(test) => return write!(f, "{test}"),
        };
        // An operator in itself keeps its parentheses: they were written for a reason.
        let needs_parentheses = binding <= place;
        if needs_parentheses {
            f.write_char('(')?;
        }
        for (index, part) in parts.iter().enumerate() {
            if index != 0 {
                f.write_str(operator)?;
            }
            part.write(f, binding)?;
        }
        if needs_parentheses {
            f.write_char(')')?;
        }
        Ok(())
    }
}

impl Test {
    fn is_true_of(&self, claims: &Claims) -> bool {
        let is = |claim: &Claim, value: &str| claim.as_text() == Some(value);
        match self {
            Self::Equals(path, value) => claims.find(path).is_some_and(|it| is(it, value)),
            Self::Prefix(path, value) => {
                let found = claims.find(path).and_then(Claim::as_string);
                found.is_some_and(|it| it.starts_with(&**value))
            }
            Self::Contains(path, value) => claims.find(path).is_some_and(|it| match it {
                Claim::Array(elements) => elements.iter().any(|it| is(it, value)),
                Claim::Text(text) => text.contains(&**value),
                Claim::Null | Claim::Boolean(_) | Claim::Number(_) | Claim::Object(_) => false,
            }),
            Self::SplitContains { path, separator, value } => {
                let found = claims.find(path).and_then(Claim::as_string);
                found.is_some_and(|it| it.split(&**separator).any(|it| it.trim() == &**value))
            }
            Self::OneOf(path, values) => claims.find(path).is_some_and(|it| match it {
                Claim::Array(elements) => {
                    elements.iter().any(|it| values.iter().any(|value| is(it, value)))
                }
                Claim::Null
                | Claim::Boolean(_)
                | Claim::Number(_)
                | Claim::Text(_)
                | Claim::Object(_) => values.iter().any(|value| is(it, value)),
            }),
        }
    }

    fn parts(&self) -> (&'static str, &ClaimPath, Vec<&str>) {
        match self {
            Self::Equals(path, value) => ("Equals", path, vec![value]),
            Self::Prefix(path, value) => ("Prefix", path, vec![value]),
            Self::Contains(path, value) => ("Contains", path, vec![value]),
            Self::SplitContains { path, separator, value } => {
                ("SplitContains", path, vec![separator, value])
            }
            Self::OneOf(path, values) => ("OneOf", path, values.iter().map(|it| &**it).collect()),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, path, values) = self.parts();
        write!(f, "{name}(")?;
        write_string(f, &path.to_string())?;
        for value in values {
            f.write_str(", ")?;
            write_string(f, value)?;
        }
        f.write_char(')')
    }
}

/// Between backticks where that is possible.
fn write_string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    if !text.contains('`') {
        return write!(f, "`{text}`");
    }
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            other => f.write_char(other)?,
        }
    }
    f.write_char('"')
}

//! The grammar of the claims language.
//!
//! ```text
//! expr    = or ; or = and { "||" and } ; and = unary { "&&" unary }
//! unary   = "!" unary | primary
//! primary = "(" expr ")" | NAME "(" [ string { "," string } [","] ] ")"
//! string  = "`" raw "`" | '"' with \" \\ \n \t \uXXXX '"'
//! ```
//!
//! The next character decides what comes, so nothing is ever read twice: the first complaint is the
//! right one, and no input takes more than linear time.

use std::borrow::Cow;

use winnow::combinator::{opt, peek};
use winnow::error::ParserError;
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location as _};
use winnow::token::{any, literal, take, take_while};

use super::function::{self, Argument, Function};
use super::{ClaimsExpression, Expression, InvalidClaimsExpression};

type Input<'a> = LocatingSlice<&'a str>;
pub(super) type Parsed<T> = Result<T, Complaint>;

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct Complaint {
    offset: usize,
    message: Cow<'static, str>,
}

impl Complaint {
    pub(super) fn at(offset: usize, message: impl Into<Cow<'static, str>>) -> Self {
        Self { offset, message: message.into() }
    }
}

impl ParserError<Input<'_>> for Complaint {
    type Inner = Self;

    fn from_input(input: &Input<'_>) -> Self {
        Self::at(input.current_token_start(), "something else is expected here")
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// Reads the whole of `text`.
pub(super) fn expression(text: &str) -> Result<Expression, InvalidClaimsExpression> {
    if ClaimsExpression::MAX_BYTES < text.len() {
        let message = format!(
            "the expression has {} bytes, and {} are allowed",
            text.len(),
            ClaimsExpression::MAX_BYTES
        );
        return Err(shown("", &Complaint::at(0, message)));
    }
    let mut input = LocatingSlice::new(text);
    whole(&mut input).map_err(|complaint| shown(text, &complaint))
}

fn whole(input: &mut Input<'_>) -> Parsed<Expression> {
    let expression = or(input, 0)?;
    let offset = input.current_token_start();
    match next(input)? {
        None => Ok(expression),
        Some(')') => Err(Complaint::at(offset, "this parenthesis was never opened: remove it")),
        Some(_) => Err(Complaint::at(
            offset,
            "only && and || may stand between tests, and nothing after the last one",
        )),
    }
}

fn or(input: &mut Input<'_>, level: usize) -> Parsed<Expression> {
    operands(input, "||", |input| and(input, level), Expression::Or)
}

fn and(input: &mut Input<'_>, level: usize) -> Parsed<Expression> {
    operands(input, "&&", |input| unary(input, level), Expression::And)
}

/// One or more operands: one stands for itself.
fn operands(
    input: &mut Input<'_>,
    operator: &'static str,
    mut operand: impl FnMut(&mut Input<'_>) -> Parsed<Expression>,
    join: fn(Vec<Expression>) -> Expression,
) -> Parsed<Expression> {
    let first = operand(input)?;
    let mut more = Vec::new();
    loop {
        space(input)?;
        if opt(literal::<_, _, Complaint>(operator)).parse_next(input)?.is_none() {
            break;
        }
        more.push(operand(input)?);
    }
    if more.is_empty() {
        return Ok(first);
    }
    more.insert(0, first);
    Ok(join(more))
}

fn unary(input: &mut Input<'_>, level: usize) -> Parsed<Expression> {
    space(input)?;
    let offset = input.current_token_start();
    let deeper = || {
        let levels = ClaimsExpression::MAX_LEVELS;
        let message = format!("more than {levels} levels of parentheses and !");
        if levels <= level { Err(Complaint::at(offset, message)) } else { Ok(level + 1) }
    };
    match next(input)? {
        Some('!') => {
            let level = deeper()?;
            skip(input);
            unary(input, level).map(|it| Expression::Not(Box::new(it)))
        }
        Some('(') => {
            let level = deeper()?;
            skip(input);
            parenthesis(input, level, offset)
        }
        Some('`' | '"') => Err(Complaint::at(
            offset,
            "a string stands alone: write a test, for example Equals(`key`, `value`)",
        )),
        Some(it) if is_of_a_name(it) => test(input, offset),
        Some(_) | None => Err(Complaint::at(
            offset,
            "a test is expected here, for example Equals(`key`, `value`)",
        )),
    }
}

fn parenthesis(input: &mut Input<'_>, level: usize, opened: usize) -> Parsed<Expression> {
    space(input)?;
    if next(input)? == Some(')') {
        return Err(Complaint::at(opened, "these parentheses are empty: write a test in them"));
    }
    let inner = or(input, level)?;
    let offset = input.current_token_start();
    match next(input)? {
        Some(')') => {
            skip(input);
            Ok(inner)
        }
        Some(_) => Err(Complaint::at(offset, "&&, || or a closing parenthesis is expected here")),
        None => Err(Complaint::at(opened, "this parenthesis is never closed")),
    }
}

fn test(input: &mut Input<'_>, offset: usize) -> Parsed<Expression> {
    let name: &str = take_while(1.., is_of_a_name).parse_next(input)?;
    space(input)?;
    if next(input)? != Some('(') {
        return Err(Complaint::at(
            offset,
            format!("{name:.40} is no test: write a function, for example Equals(`key`, `value`)"),
        ));
    }
    let Some(function) = Function::named(name) else {
        return Err(Complaint::at(offset, function::unknown(name)));
    };
    skip(input);
    let arguments = arguments(input)?;
    function.applied(offset, arguments).map(Expression::Test)
}

fn arguments(input: &mut Input<'_>) -> Parsed<Vec<Argument>> {
    let mut arguments = Vec::new();
    loop {
        space(input)?;
        let offset = input.current_token_start();
        match next(input)? {
            Some(')') => {
                skip(input);
                return Ok(arguments);
            }
            Some('`' | '"') => {}
            Some('\'') => {
                let message = "single quotes are not allowed: write `text` or \"text\"";
                return Err(Complaint::at(offset, message));
            }
            Some(',') => {
                return Err(Complaint::at(offset, "a string is missing before this comma"));
            }
            Some(_) => {
                let message = "a string is expected here: write numbers and words as `text` too";
                return Err(Complaint::at(offset, message));
            }
            None => return Err(Complaint::at(offset, "a closing parenthesis is missing here")),
        }
        if arguments.len() == ClaimsExpression::MAX_ARGUMENTS {
            let most = ClaimsExpression::MAX_ARGUMENTS;
            return Err(Complaint::at(
                offset,
                format!("a function has more than {most} arguments"),
            ));
        }
        arguments.push(Argument { offset, text: string(input)? });
        space(input)?;
        let offset = input.current_token_start();
        match next(input)? {
            Some(',') => skip(input),
            Some(')') => {}
            Some(_) | None => {
                return Err(Complaint::at(
                    offset,
                    "a comma or a closing parenthesis is missing here",
                ));
            }
        }
    }
}

fn string(input: &mut Input<'_>) -> Parsed<Box<str>> {
    let opened = input.current_token_start();
    let unclosed = || Complaint::at(opened, "this string never ends: close it as it was opened");
    if any::<_, Complaint>.parse_next(input)? == '`' {
        let text: &str = take_while(0.., |it| it != '`').parse_next(input)?;
        let text = text.into();
        return if next(input)?.is_none() {
            Err(unclosed())
        } else {
            skip(input);
            Ok(text)
        };
    }
    let mut text = String::new();
    loop {
        let plain: &str = take_while(0.., |it| !matches!(it, '"' | '\\')).parse_next(input)?;
        text.push_str(plain);
        match next(input)? {
            None => return Err(unclosed()),
            Some('\\') => text.push(escape(input)?),
            Some(_) => {
                skip(input);
                return Ok(text.into());
            }
        }
    }
}

/// What a backslash and what follows it mean (RFC 8259 section 7, as far as the language has it).
fn escape(input: &mut Input<'_>) -> Parsed<char> {
    const UNKNOWN: &str = "only \\\" \\\\ \\n \\t and \\uXXXX are escapes: write the text in \
                           backticks to have none";
    let offset = input.current_token_start();
    skip(input);
    let escaped = next(input)?;
    skip(input);
    match escaped {
        Some(it @ ('"' | '\\')) => Ok(it),
        Some('n') => Ok('\n'),
        Some('t') => Ok('\t'),
        Some('u') => {
            let mut unit = code_unit(input, offset)?;
            let mut code = u32::from(unit);
            if (0xD800..0xDC00).contains(&unit)
                && opt(literal::<_, _, Complaint>("\\u")).parse_next(input)?.is_some()
            {
                let high = code - 0xD800;
                unit = code_unit(input, offset)?;
                let low = u32::from(unit).checked_sub(0xDC00).filter(|it| *it < 0x400);
                code = low.map_or(0xD800, |low| 0x1_0000 + (high << 10) + low);
            }
            let lone = || Complaint::at(offset, "half of a surrogate pair is no character");
            char::from_u32(code).ok_or_else(lone)
        }
        Some(_) | None => Err(Complaint::at(offset, UNKNOWN)),
    }
}

fn code_unit(input: &mut Input<'_>, offset: usize) -> Parsed<u16> {
    let wrong = || Complaint::at(offset, "\\u wants four hexadecimal digits after it");
    let digits: &str = take(4usize).parse_next(input).map_err(|_: Complaint| wrong())?;
    let is_hexadecimal = digits.bytes().all(|it| it.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_hexadecimal).ok_or_else(wrong)
}

fn is_of_a_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '.')
}

fn space(input: &mut Input<'_>) -> Parsed<()> {
    take_while(0.., char::is_whitespace).void().parse_next(input)
}

/// The next character, which stays where it is.
fn next(input: &mut Input<'_>) -> Parsed<Option<char>> {
    peek(opt(any::<_, Complaint>)).parse_next(input)
}

/// Goes past one character, if there is one.
fn skip(input: &mut Input<'_>) {
    let _ = input.next_token();
}

/// The line of the place, and the column in characters.
fn shown(text: &str, complaint: &Complaint) -> InvalidClaimsExpression {
    const MOST_SHOWN: usize = 60;
    let offset = complaint.offset.min(text.len());
    let (before, after) = text.split_at_checked(offset).unwrap_or((text, ""));
    let begin = before.rsplit('\n').next().unwrap_or_default();
    let end = after.split('\n').next().unwrap_or_default();
    // Of a long line only what stands around the place is of use.
    let skipped = begin.chars().count().saturating_sub(MOST_SHOWN);
    let begin: String = begin.chars().skip(skipped).collect();
    let line: String = begin.chars().chain(end.chars().take(MOST_SHOWN)).collect();
    let visible = line.replace(|it: char| it.is_control(), " ");
    InvalidClaimsExpression {
        offset,
        line: visible.into(),
        column: begin.chars().count(),
        message: complaint.message.clone().into(),
    }
}

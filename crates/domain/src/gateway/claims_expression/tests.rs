//! Every vector of the language, and what holds for any expression.

use proptest::prelude::*;

use super::*;

const A: &str = r#"{"active":true,"grp":"admin","scope":"reader writer deploy","referrer":"http://example.com/foo/bar","areas":["office","home"],"user":{"name":"John Snow","status":"undead"}}"#;
const B: &str = r#"{"n":42,"f":1.50,"a.b":"dot","c\\d":"bs","ids":[7,true,"z",null,{"k":1}],"list":"x, y ;; z","nul":null,"no":[]}"#;

fn holds(expression: &str, claims: &str) -> bool {
    let claims = Claims::parse(claims.as_bytes()).unwrap();
    expression.parse::<ClaimsExpression>().unwrap().is_true_of(&claims)
}

fn complaint(expression: &str) -> InvalidClaimsExpression {
    expression.parse::<ClaimsExpression>().unwrap_err()
}

#[test]
fn what_is_true_of_the_first_claims() {
    for expression in [
        "Equals(`grp`,`admin`)",
        "Equals(`active`,`true`)",
        "Prefix(`referrer`,`http://example.com`)",
        "Contains(`referrer`,`/foo/`)",
        "Contains(`areas`,`home`)",
        "SplitContains(`scope`,` `,`writer`)",
        "OneOf(`areas`,`office`,`lab`)",
        "!Equals(`grp`,`testers`)",
        "Equals(`grp`,`x`) || Equals(`active`,`true`)",
        "Equals(`user.name`,`John Snow`)",
        "Contains(`scope`,`write`)",
        "Equals(`grp`,`x`) && Equals(`grp`,`y`) || Equals(`grp`,`admin`)",
        "!Equals(`nope`,`x`)",
        // Beyond the specification.
        "Equals(`grp`,`admin`,)",
        "!!Equals(`grp`,`admin`)",
        " \n\t( Equals ( `grp` , `admin` ) )\u{a0}",
        "!Equals(`grp`,`x`) && Equals(`grp`,`admin`)",
        r#"Equals("\u0067r\u0070","admin")"#,
        "Prefix(`grp`,``)",
    ] {
        assert!(holds(expression, A), "{expression}");
    }
}

#[test]
fn what_is_false_of_the_first_claims() {
    for expression in [
        "Equals(`user`,`x`)",
        "Equals(`user.name.first`,`x`)",
        "Equals(`areas`,`office`)",
        "SplitContains(`areas`,`,`,`home`)",
        "!(Equals(`grp`,`admin`) || Equals(`active`,`true`))",
        "OneOf(`grp`)",
        "Equals(`areas.0`,`office`)",
        "Equals(``,`x`)",
        "Equals(`GRP`,`admin`)",
    ] {
        assert!(!holds(expression, A), "{expression}");
    }
}

#[test]
fn what_is_true_of_the_second_claims() {
    for expression in [
        "Equals(`n`,`42`)",
        "Equals(`f`,`1.50`)",
        r"Equals(`a\.b`,`dot`)",
        r"Equals(`c\\d`,`bs`)",
        r"Equals(`c\d`,`bs`)",
        "Contains(`ids`,`7`)",
        "Contains(`ids`,`true`)",
        "Contains(`ids`,`z`)",
        "SplitContains(`list`,`,`,`x`)",
        "SplitContains(`list`,`;;`,`z`)",
        "OneOf(`n`,`41`,`42`)",
        r#"Equals("a\\.b","dot")"#,
    ] {
        assert!(holds(expression, B), "{expression}");
    }
}

#[test]
fn what_is_false_of_the_second_claims() {
    for expression in [
        "Equals(`f`,`1.5`)",
        "Equals(`a.b`,`dot`)",
        "Contains(`ids`,`null`)",
        "Contains(`n`,`4`)",
        "Prefix(`n`,`4`)",
        "Equals(`nul`,`null`)",
        "Equals(`nul`,``)",
        "OneOf(`nul`,`null`,``)",
        "OneOf(`no`,``)",
        "SplitContains(`list`,`;`,`y ;; z`)",
    ] {
        assert!(!holds(expression, B), "{expression}");
    }
}

#[test]
fn what_is_no_expression_is_refused_with_the_place_and_the_remedy() {
    for (expression, offset, message) in [
        ("Equals(`n`, 42)", 12, "a string is expected here"),
        ("equals(`n`,`42`)", 0, "equals is unknown: the function is written Equals"),
        ("Equals(`n`)", 0, "it has 1 arguments, and is written Equals(`key`, `value`)"),
        ("Equals(`n`,`1`,`2`)", 0, "it has 3 arguments"),
        ("Equals()", 0, "it has 0 arguments"),
        ("SplitContains(`n`,`1`)", 0, "written SplitContains(`key`, `separator`, `value`)"),
        ("OneOf()", 0, "it has 0 arguments, and is written OneOf"),
        ("Equals('n','42')", 7, "single quotes are not allowed"),
        ("true", 0, "true is no test"),
        ("42", 0, "42 is no test"),
        ("Equals(`n`,`42`) == true", 17, "only && and || may stand between tests"),
        ("Equals(`n`,`42`) & Equals(`n`,`42`)", 17, "only && and ||"),
        ("Equals(`n`,`42`) and Equals(`n`,`42`)", 17, "only && and ||"),
        ("Equals(`n`,`42`) && ", 20, "a test is expected here"),
        ("|| Equals(`n`,`42`)", 0, "a test is expected here"),
        ("()", 0, "these parentheses are empty"),
        ("(Equals(`n`,`42`)", 0, "this parenthesis is never closed"),
        ("Equals(`n`,`42`))", 16, "this parenthesis was never opened"),
        ("(Equals(`n`,`42`) true)", 18, "&&, || or a closing parenthesis"),
        ("Equals(`n`,`42`", 15, "a comma or a closing parenthesis is missing"),
        ("Equals(`n`,", 11, "a closing parenthesis is missing"),
        ("Equals(,`n`,`42`)", 7, "a string is missing before this comma"),
        ("Equals(`n`,,`42`)", 11, "a string is missing before this comma"),
        ("Equals(`n` `42`)", 11, "a comma or a closing parenthesis is missing"),
        ("Equals(`n`,`42)", 11, "this string never ends"),
        ("Equals(`n`,\"42)", 11, "this string never ends"),
        (r#"Equals(`n`,"\x")"#, 12, "only \\\" \\\\ \\n \\t and \\uXXXX"),
        (r#"Equals(`n`,"\u12")"#, 12, "\\u wants four hexadecimal digits"),
        (r#"Equals(`n`,"\u+123")"#, 12, "\\u wants four hexadecimal digits"),
        (r#"Equals(`n`,"\ud800")"#, 12, "half of a surrogate pair"),
        (r#"Equals(`n`,"\ud800\u0041")"#, 12, "half of a surrogate pair"),
        ("SplitContains(`n`,``,`x`)", 18, "the separator is empty"),
        ("Matches(`n`,`x`)", 0, "Matches is unknown: the functions are"),
        ("`n`", 0, "a string stands alone"),
        ("", 0, "a test is expected here"),
    ] {
        let refused = complaint(expression);

        assert_eq!(refused.offset(), offset, "{expression}: {refused}");
        assert!(refused.message().contains(message), "{expression}: {refused}");
    }
}

#[test]
fn a_caret_stands_under_the_place() {
    let shown = complaint("Equals(`grüße`,\n  `a`, 42)").to_string();

    assert_eq!(
        shown,
        "a string is expected here: write numbers and words as `text` too\n    `a`, 42)\n         ^"
    );
}

#[test]
fn surrogate_pairs_make_one_character() {
    assert!(holds(r#"Equals(`a`,"\ud83d\ude00")"#, r#"{"a":"😀"}"#));
}

#[test]
fn white_space_alone_asks_for_nothing() {
    for text in ["", " \n\t"] {
        assert_eq!(ClaimsExpression::parse(text), Ok(None));
    }
}

#[test]
fn nesting_arguments_and_length_are_bounded() {
    let nested = |levels: usize| format!("{}OneOf(`a`){}", "(".repeat(levels), ")".repeat(levels));
    let denied = |levels: usize| format!("{}OneOf(`a`)", "!".repeat(levels));
    let many = |count: usize| format!("OneOf({})", "`a`,".repeat(count));
    let long = |bytes: usize| format!("OneOf(`{}`)", "a".repeat(bytes - 9));
    for (fits, does_not, message) in [
        (nested(64), nested(65), "more than 64 levels"),
        (denied(64), denied(65), "more than 64 levels"),
        (many(256), many(257), "more than 256 arguments"),
        (long(64 * 1024), long(64 * 1024 + 1), "65537 bytes, and 65536 are allowed"),
    ] {
        assert!(fits.parse::<ClaimsExpression>().is_ok(), "{fits:.20}");
        let refused = complaint(&does_not);
        assert!(refused.message().contains(message), "{refused}");
    }
    assert!(nested(60_000).parse::<ClaimsExpression>().is_err());
}

#[test]
fn is_written_with_as_few_parentheses_as_it_takes() {
    for (written, canonical) in [
        ("((Equals(\"a\",`b`)))", "Equals(`a`, `b`)"),
        ("(OneOf(`a`)&&OneOf(`b`))||OneOf(`c`)", "OneOf(`a`) && OneOf(`b`) || OneOf(`c`)"),
        ("OneOf(`a`)&&(OneOf(`b`)||OneOf(`c`))", "OneOf(`a`) && (OneOf(`b`) || OneOf(`c`))"),
        ("OneOf(`a`)&&(OneOf(`b`)&&OneOf(`c`))", "OneOf(`a`) && (OneOf(`b`) && OneOf(`c`))"),
        ("!(OneOf(`a`)||OneOf(`b`))", "!(OneOf(`a`) || OneOf(`b`))"),
        (r"OneOf(`c\d`)", r"OneOf(`c\\d`)"),
        (r#"OneOf("a`\n\"")"#, r#"OneOf("a`\n\"")"#),
    ] {
        let expression: ClaimsExpression = written.parse().unwrap();

        assert_eq!(expression.to_string(), canonical);
    }
}

fn text() -> impl Strategy<Value = Box<str>> {
    "[a-c`\"\\\\. \n\u{e9}]{0,5}".prop_map(Into::into)
}

fn path() -> impl Strategy<Value = ClaimPath> {
    prop::collection::vec("[a-c.\\\\`\"]{0,3}", 1..4)
        .prop_map(|it| ClaimPath::of_names(it).unwrap())
}

fn test() -> impl Strategy<Value = Expression> {
    prop_oneof![
        (path(), text()).prop_map(|(path, value)| Test::Equals(path, value)),
        (path(), text()).prop_map(|(path, value)| Test::Prefix(path, value)),
        (path(), text()).prop_map(|(path, value)| Test::Contains(path, value)),
        (path(), "[,; `]{1,2}", text()).prop_map(|(path, separator, value)| {
            Test::SplitContains { path, separator: separator.into(), value }
        }),
        (path(), prop::collection::vec(text(), 0..4))
            .prop_map(|(path, values)| Test::OneOf(path, values)),
    ]
    .prop_map(Expression::Test)
}

fn expression() -> impl Strategy<Value = ClaimsExpression> {
    test()
        .prop_recursive(6, 24, 3, |inner| {
            let several = || prop::collection::vec(inner.clone(), 2..4);
            prop_oneof![
                several().prop_map(Expression::Or),
                several().prop_map(Expression::And),
                inner.prop_map(|it| Expression::Not(Box::new(it))),
            ]
        })
        .prop_map(ClaimsExpression)
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(expression in expression(), a in "[a-c`\". ]{0,4}") {
        let read: ClaimsExpression = expression.to_string().parse().unwrap();
        prop_assert_eq!(&read, &expression);

        let claims = serde_json::json!({ "a": a, "b": [a, 1], "c": { "a": a, "": true } });
        let claims = Claims::parse(claims.to_string().as_bytes()).unwrap();
        prop_assert_eq!(read.is_true_of(&claims), expression.is_true_of(&claims));
    }

    #[test]
    fn never_panics(text in ".{0,60}", soup in "(Equals|OneOf|\\(|\\)|!|&&|\\|\\||`|\"|,|\\\\u?|a| |\u{e9}){0,40}") {
        for text in [text, soup] {
            if let Err(refused) = text.parse::<ClaimsExpression>() {
                prop_assert!(refused.offset() <= text.len());
                let _ = refused.to_string();
            }
        }
    }
}

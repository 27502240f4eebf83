//! `docs/conformance.md` and `docs/threats.md` name tests that exist, and every test that says it
//! shows a section of an RFC, a row of a spec or a threat is named there.

#![expect(
    clippy::unwrap_used,
    reason = "a test helper may panic; only `#[test]` functions are exempt"
)]

mod tests_of_the_house;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use tests_of_the_house::{Test, root, tests};

const THREATS: &str = "docs/threats.md";

/// How a row begins that no test can show yet.
const OPEN: &str = "not built yet: ";

/// The RFCs that we claim, which are those with a heading in `docs/conformance.md`.
fn claimed() -> BTreeSet<String> {
    page("docs/conformance.md")
        .lines()
        .filter_map(|line| line.strip_prefix("## RFC "))
        .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect())
        .collect()
}

/// A row of a table: its cells, without white space around them.
fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("|---"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// The tests that a text names: everything in backticks with `::` in it.
fn named(text: &str) -> BTreeSet<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|it| it.contains("::") && !it.contains(' '))
        .map(str::to_owned)
        .collect()
}

/// Those in the table of threats are written there by a test.
#[test]
fn every_test_that_is_named_exists() {
    let existing: BTreeSet<String> = tests().into_iter().map(|it| it.path).collect();
    let missing: Vec<_> = named(&page("docs/conformance.md"))
        .into_iter()
        .filter(|it| !existing.contains(it))
        .collect();

    assert!(missing.is_empty(), "docs/conformance.md names tests that are not there: {missing:#?}");
}

/// A row without a test says why, and never both.
#[test]
fn every_row_has_a_test_or_a_reason() {
    let text = page("docs/conformance.md");
    for row in rows(&text).iter().filter(|row| row.len() == 3 && !row[2].starts_with("shown by")) {
        let has_test = !named(row[2]).is_empty();
        let has_reason = ["not applicable: ", "departs: ", "not met: ", "the operator's: "]
            .iter()
            .any(|it| row[2].starts_with(it));

        assert!(has_test || has_reason, "{row:?}");
    }
}

/// A test whose comment names a section of an RFC that we claim is in the table of that RFC.
#[test]
fn every_test_that_names_a_section_is_in_the_table_of_its_rfc() {
    let (text, claimed) = (page("docs/conformance.md"), claimed());
    let mut missing = Vec::new();
    for Test { path, comment, .. } in tests() {
        for rfc in rfcs_with_sections(&comment).intersection(&claimed) {
            if !named(chapter(&text, &format!("RFC {rfc}"))).contains(&path) {
                missing.push(format!("RFC {rfc}: {path}"));
            }
        }
    }

    assert!(missing.is_empty(), "tests that docs/conformance.md does not name: {missing:#?}");
}

/// Whatever RFC the README, the architecture, the documentation of users or the page itself says we
/// speak has a chapter.
#[test]
fn every_rfc_that_is_claimed_has_rows() {
    let claimed = claimed();
    let text = page("docs/conformance.md");
    // Not of the protocol: HTTP, JSON and ways to write keys; each is obeyed by a library.
    let others = ["7396", "8037", "8615", "9110", "9111", "9864", "7797", "8693", "7523bis"];
    let mut missing = BTreeSet::new();
    for name in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs/checking-tokens.md"] {
        missing.extend(rfcs(&page(name)).into_iter().filter(|it| !claimed.contains(it)));
    }
    missing.retain(|it| !others.contains(&it.as_str()));

    assert!(missing.is_empty(), "no chapter for {missing:?}");
    for rfc in &claimed {
        let count = rows(chapter(&text, &format!("RFC {rfc}"))).len();
        assert!(2 <= count, "the chapter of RFC {rfc} has no rows");
    }
}

/// The last column of the table of threats is made of the names of the tests, so that merging two
/// branches is no work: `UPDATE_DOCS=1 cargo test -p xtask --test conformance` writes it.
#[test]
fn the_table_of_threats_names_every_test_of_a_threat() {
    let text = page(THREATS);
    let expected = with_tests(&text);
    if text != expected && is_asked_to_write() {
        fs::write(root().join(THREATS), &expected).unwrap();
        return;
    }

    for (is, should_be) in text.lines().zip(expected.lines()) {
        assert_eq!(is, should_be, "run UPDATE_DOCS=1 cargo test -p xtask --test conformance");
    }
}

/// A threat that no test names is one that is said not to be met yet.
#[test]
fn every_threat_has_a_test_or_is_said_to_be_open() {
    let (text, tested) = (page(THREATS), tested());
    assert!(rows(&text).iter().all(|row| row.len() == 3), "a row has lost a column");
    for number in 1..=48 {
        let threat = format!("T{number:02}");
        let row = rows(&text).into_iter().find(|row| row[0] == threat);
        let is_told = |row: &Vec<&str>| row[2].starts_with(OPEN);
        assert!(row.is_some_and(|row| tested.contains_key(&threat) || is_told(&row)), "{threat}");
    }
}

/// The table with the names of the tests in its last column. What is open is left as it is.
fn with_tests(text: &str) -> String {
    let tested = tested();
    let mut written = String::new();
    for line in text.lines() {
        let threat = line.strip_prefix("| ").and_then(|it| it.get(..3)).unwrap_or_default();
        let cells = line.strip_suffix(" |").and_then(|it| it.rsplit_once(" |"));
        match (tested.get(threat), cells) {
            (Some(tests), Some((before, _))) => {
                let tests: Vec<_> = tests.iter().map(|it| format!("`{it}`")).collect();
                written.extend([before, " | ", &tests.join(", "), " |"]);
            }
            (_, _) => written.push_str(line),
        }
        written.push('\n');
    }
    written
}

/// The tests of each threat.
fn tested() -> BTreeMap<String, BTreeSet<String>> {
    let mut tested: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for test in tests() {
        for threat in threats(&test.name) {
            tested.entry(threat).or_default().insert(test.path.clone());
        }
    }
    tested
}

#[expect(clippy::disallowed_methods, reason = "a test has no other configuration")]
fn is_asked_to_write() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

/// `t11_t12_an_encrypted_token...` is of T11 and of T12.
fn threats(name: &str) -> Vec<String> {
    name.split('_')
        .map_while(|word| word.strip_prefix('t').filter(|it| it.len() == 2))
        .filter(|digits| digits.bytes().all(|it| it.is_ascii_digit()))
        .map(|digits| format!("T{digits}"))
        .collect()
}

/// What stands below `## heading...`, up to the next heading of that level.
fn chapter<'a>(text: &'a str, heading: &str) -> &'a str {
    let is_it = |it: &&str| {
        it.starts_with(heading) && !it[heading.len()..].starts_with(|c: char| c.is_ascii_digit())
    };
    text.split("\n## ").find(is_it).unwrap_or_default()
}

/// The numbers after "RFC ".
fn rfcs(text: &str) -> BTreeSet<String> {
    numbers(text).map(|(number, _)| number).collect()
}

/// The numbers that are followed by a section.
fn rfcs_with_sections(text: &str) -> BTreeSet<String> {
    let text = text.replace('\n', " ");
    numbers(&text)
        .filter(|(_, rest)| rest.starts_with(" section"))
        .map(|(number, _)| number)
        .collect()
}

fn numbers(text: &str) -> impl Iterator<Item = (String, &str)> {
    text.split("RFC ").skip(1).filter_map(|rest| {
        let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let rest = rest.get(number.len()..)?;
        (!number.is_empty()).then_some((number, rest))
    })
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

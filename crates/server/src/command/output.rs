//! What a command says, to people or to machines.

use serde_json::Value;

use super::Format;

/// Where results go.
pub(crate) struct Output {
    format: Format,
}

impl Output {
    /// Results in `format`.
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// Prints a result: `document` for machines, `lines` for people.
    #[expect(clippy::print_stdout, reason = "printing is what a command is for")]
    pub(crate) fn print(&self, document: &Value, lines: &[String]) {
        match self.format {
            Format::Json => println!("{document:#}"),
            Format::Text => {
                for line in lines {
                    println!("{line}");
                }
            }
        }
    }
}

/// Says what went wrong.
#[expect(clippy::print_stderr, reason = "complaining is what standard error is for")]
pub(crate) fn complain(line: &str) {
    eprintln!("{line}");
}

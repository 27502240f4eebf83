//! What a command says, to people or to machines.

use std::io::{self, ErrorKind, Write as _};

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
    pub(crate) fn print(&self, document: &Value, lines: &[String]) {
        let text = match self.format {
            Format::Json => format!("{document:#}\n"),
            Format::Text => lines.iter().flat_map(|line| [line, "\n"]).collect(),
        };
        let mut out = io::stdout().lock();
        // Whoever reads may have heard enough (`| head`): what was to be done is done.
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
            && error.kind() != ErrorKind::BrokenPipe
        {
            complain(&format!("the result could not be written: {error}"));
        }
    }
}

/// Says what went wrong.
#[expect(clippy::print_stderr, reason = "complaining is what standard error is for")]
pub(crate) fn complain(line: &str) {
    eprintln!("{line}");
}

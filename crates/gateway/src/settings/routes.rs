//! Which requests go where.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::Method;

use super::section::Section;
use crate::target::{Target, host};

/// Which requests go where, and what they must bring.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// Its name, in logs and metrics.
    pub(crate) name: String,
    /// The hosts it is for; all, if there are none.
    pub(crate) hosts: Vec<HostPattern>,
    /// The paths it is for: this one and all below.
    pub(crate) path: Target,
    /// The methods it is for; all, if there are none.
    pub(crate) methods: Vec<Method>,
    /// Names of policies, in the order in which they are asked.
    pub(crate) policies: Vec<String>,
    /// Where requests go; `None` if they are only decided about, for another proxy.
    pub(crate) upstream: Option<String>,
    /// How many bytes a body may have.
    pub(crate) body_limit: u64,
    /// How long a request may take as a whole; `None` for streams without end.
    pub(crate) deadline: Option<Duration>,
}

/// A host, or all hosts below one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HostPattern {
    /// `*.example.com`: one label or more before it. Holds `.example.com`.
    Below(String),
    /// `api.example.com`.
    Exactly(String),
}

impl HostPattern {
    /// Whether `host` fits, which is in lower case and has no port.
    pub(crate) fn fits(&self, host: &str) -> bool {
        match self {
            Self::Exactly(name) => host == name,
            Self::Below(suffix) => suffix.len() < host.len() && host.ends_with(suffix.as_str()),
        }
    }
}

impl FromStr for HostPattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, is_wild) = match text.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let is_name = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'.' | b'_');
        let is_address = name.starts_with('[') && name.ends_with(']') && !is_wild;
        if !is_address && (name.is_empty() || name.starts_with('.') || !name.bytes().all(is_name)) {
            return Err("must be a host without a port, or one after `*.`");
        }
        let name = host(name);
        Ok(if is_wild { Self::Below(format!(".{name}")) } else { Self::Exactly(name) })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(name) => f.write_str(name),
            Self::Below(suffix) => write!(f, "*{suffix}"),
        }
    }
}

impl Route {
    /// Reads an item of `routes`.
    pub(crate) fn read(section: Section<'_>) -> Option<Self> {
        let name = section.required_text("name").map(str::to_owned);
        let hosts = section.parsed_list("hosts");
        let path = match section.text("path") {
            None => Target::parse("/").ok(),
            Some(text) if text.starts_with('/') && !text.contains(['?', '#', ';']) => {
                Target::parse(text).map_err(|error| section.refuse("path", error.to_string())).ok()
            }
            Some(_) => {
                section.refuse("path", "must begin with a slash and have no ?, # or ; in it");
                None
            }
        };
        let methods = methods(&section);
        let policies = section.texts("policies").into_iter().map(|(_, it)| it.to_owned());
        let route = Self {
            name: name.clone().unwrap_or_default(),
            hosts,
            path: path?,
            methods,
            policies: policies.collect(),
            upstream: section.text("upstream").map(str::to_owned),
            body_limit: section.whole("bodyLimitBytes", 0..=1 << 40, 100 << 20),
            deadline: section
                .has("deadlineSeconds")
                .then(|| section.seconds("deadlineSeconds", Duration::from_mins(1))),
        };
        section.finish();
        name.map(|_| route)
    }
}

fn methods(section: &Section<'_>) -> Vec<Method> {
    let mut methods = Vec::new();
    for (path, text) in section.texts("methods") {
        match text.parse::<Method>() {
            // A method in lower case is another method (RFC 9110 section 9.1), and surely a slip.
            Ok(method) if !text.bytes().any(|it| it.is_ascii_lowercase()) => methods.push(method),
            Ok(_) | Err(_) => {
                section.mistakes().note(path, "must be a method in upper case, like GET");
            }
        }
    }
    methods
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_all_names_below_one() {
        let fits = |pattern: &str, host: &str| pattern.parse::<HostPattern>().unwrap().fits(host);

        assert!(fits("API.example.com", "api.example.com"));
        assert!(fits("*.example.com", "api.example.com"));
        assert!(fits("*.example.com", "a.b.example.com"));
        assert!(!fits("*.example.com", "example.com"));
        assert!(!fits("*.example.com", ".example.com"));
        assert!(!fits("*.example.com", "evilexample.com"));
        assert!(!fits("api.example.com", "api.example.com.evil.org"));
        for bad in ["", "*", "*.", "*example.com", "a:80", "http://a", "a/b", ".a", "*.[::1]"] {
            assert!(bad.parse::<HostPattern>().is_err(), "{bad}");
        }
    }
}

//! Texts of a configuration that lie elsewhere.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use domain::gateway::SecretReference;
use domain::port::SecretReader;
use serde_json::Value;

use super::section::Mistake;

/// Puts secrets in the place of the texts that refer to them: `urn:k8s:secret:NAME:KEY`.
#[derive(Clone)]
pub struct ResolveSecrets {
    /// Where secrets are read.
    pub reader: Arc<dyn SecretReader>,
}

impl ResolveSecrets {
    /// Runs the use-case: the configuration with its secrets in it, which nothing may print.
    ///
    /// # Errors
    ///
    /// Every reference that cannot be resolved, with its path.
    pub async fn execute(&self, mut configuration: Value) -> Result<Value, Vec<Mistake>> {
        let (mut mistakes, mut wanted) = (Vec::new(), Vec::new());
        visit(&mut configuration, "", &mut |path, text| {
            if !text.starts_with(SecretReference::PREFIX) {
                return;
            }
            match SecretReference::from_str(text) {
                Ok(reference) => wanted.push((path.to_owned(), reference)),
                Err(error) => mistakes.push(mistake(path, &error)),
            }
        });
        let mut found = Vec::new();
        for (path, reference) in wanted {
            match self.reader.read(&reference).await {
                Ok(Some(secret)) => found.push((path, secret)),
                Ok(None) => {
                    mistakes.push(mistake(&path, &format!("there is no secret {reference}")));
                }
                Err(fault) => mistakes.push(mistake(&path, &fault.explained())),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        visit(&mut configuration, "", &mut |path, text| {
            if let Some((_, secret)) = found.iter().find(|(it, _)| it == path) {
                secret.expose().clone_into(text);
            }
        });
        Ok(configuration)
    }
}

impl fmt::Debug for ResolveSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolveSecrets").finish_non_exhaustive()
    }
}

fn mistake(path: &str, message: &dyn fmt::Display) -> Mistake {
    Mistake { path: path.to_owned(), message: message.to_string() }
}

/// Shows every text of a configuration, with its path.
fn visit(value: &mut Value, path: &str, see: &mut impl FnMut(&str, &mut String)) {
    match value {
        Value::String(text) => see(path, text),
        Value::Array(elements) => {
            for (index, element) in elements.iter_mut().enumerate() {
                visit(element, &format!("{path}[{index}]"), see);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let dot = if path.is_empty() { "" } else { "." };
                visit(member, &format!("{path}{dot}{name}"), see);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

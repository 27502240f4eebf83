//! `tokenwright keys ...`.

#![expect(clippy::doc_markdown, reason = "these texts are printed, backticks and all")]

use clap::Subcommand;
use domain::KeySet;
use serde_json::{Value, json};

use super::CommandError;
use super::output::Output;
use crate::client_document::moment;
use crate::service::Commands;
use crate::settings::Settings;

#[derive(Subcommand)]
pub(crate) enum Keys {
    /// Lists the signing keys and what each is doing.
    List,
    /// Lets the next key sign, and publishes a new one to follow it. Running servers take the
    /// change over within keys.refresh_seconds.
    Rotate {
        /// Does not wait until verifiers know the next key.
        #[arg(long)]
        force: bool,
    },
    /// Takes a key away at once: tokens it signed are worth nothing from then on, and where it was
    /// the one that signs, the next one signs in its place.
    Revoke {
        /// The key's kid.
        kid: String,
    },
}

/// Carries the command out.
pub(crate) async fn run(
    command: Keys,
    settings: &Settings,
    output: &Output,
) -> Result<(), CommandError> {
    let commands = Commands::open(settings).await?;
    let keys = match command {
        Keys::List => commands.keys.load().await?,
        Keys::Rotate { force } => {
            let mut keys = KeySet::default();
            for algorithm in settings.tokens.algorithms() {
                let rotated = commands.rotate_keys.execute(algorithm, force).await;
                keys = rotated.map_err(|error| CommandError::Refused(error.to_string()))?;
            }
            keys
        }
        Keys::Revoke { kid } => {
            let refused = |text: String| CommandError::Refused(text);
            let kid =
                kid.parse().map_err(|error: domain::InvalidText| refused(error.to_string()))?;
            let revoked = commands.revoke_key.execute(&kid).await;
            revoked.map_err(|error| refused(error.to_string()))?
        }
    };
    commands.announce().await;
    print(&keys, output);
    Ok(())
}

fn print(keys: &KeySet, output: &Output) {
    let documents: Vec<Value> = keys
        .keys
        .iter()
        .map(|key| {
            json!({
                "kid": key.id.as_str(),
                "alg": key.algorithm.name(),
                "state": key.state.name(),
                "created_at": moment(key.created_at),
                "retired_at": key.retired_at.map(moment),
            })
        })
        .collect();
    let lines: Vec<String> = keys
        .keys
        .iter()
        .map(|key| format!("{}  {:5}  {}", key.id, key.algorithm.name(), key.state.name()))
        .collect();
    output.print(&Value::from(documents), &lines);
}

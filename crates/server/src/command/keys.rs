//! `tokenwright keys ...`.

#![expect(clippy::doc_markdown, reason = "these texts are printed, backticks and all")]

use clap::Subcommand;
use domain::KeySet;

use super::CommandError;
use super::output::Output;
use crate::key_document;
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
        #[arg(long, conflicts_with = "emergency")]
        force: bool,
        /// Revokes every key there is and signs with new ones at once: tokens that were issued are
        /// worth nothing from then on. For the day on which the keys were stolen.
        #[arg(long)]
        emergency: bool,
    },
    /// Takes a key away at once: tokens it signed are worth nothing from then on, and where it was
    /// the one that signs, the next one signs in its place, and a new one is made to follow.
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
        Keys::Rotate { emergency: true, .. } => {
            let replaced = commands.revoke_key.all().await;
            replaced.map_err(|error| CommandError::Refused(error.to_string()))?
        }
        Keys::Rotate { force, emergency: false } => {
            let rotated = commands.rotate_keys.execute(force).await;
            rotated.map_err(|error| CommandError::Refused(error.to_string()))?
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
    let lines: Vec<String> = keys
        .keys
        .iter()
        .map(|key| format!("{}  {:5}  {}", key.id, key.algorithm.name(), key.state.name()))
        .collect();
    output.print(&key_document::keys(keys), &lines);
}

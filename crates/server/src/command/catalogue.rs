//! `tokenwright catalogue ...`.

#![expect(clippy::doc_markdown, reason = "these texts are printed, backticks and all")]

use std::path::{Path, PathBuf};

use app::{EditCatalogueError, Expectation};
use clap::{Args, Subcommand};
use domain::catalogue::CatalogueChange;
use domain::{Catalogue, CatalogueEdition};
use serde_json::{Value, json};

use super::CommandError;
use super::output::Output;
use crate::service::Commands;
use crate::settings::Settings;

#[derive(Subcommand)]
pub(crate) enum CatalogueCommand {
    /// Shows which capabilities are on, and which scopes and resources are registered: the document
    /// that apply takes.
    Show,
    /// Replaces all of it by what a file says, at once or not at all, and says what changes. Running
    /// servers take the change over within cache.fresh_seconds.
    Apply(Apply),
}

#[derive(Args)]
pub(crate) struct Apply {
    /// A JSON file as show prints it.
    file: PathBuf,
    /// Says what would change, and changes nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Carries the command out.
pub(crate) async fn run(
    command: CatalogueCommand,
    settings: &Settings,
    output: &Output,
) -> Result<(), CommandError> {
    match command {
        CatalogueCommand::Show => {
            let commands = Commands::open(settings).await?;
            let edition = commands.edit_catalogue.catalogue.load().await?;
            let document = Value::Object(edition.catalogue.to_json());
            output.print(&document, &[format!("{document:#}")]);
            Ok(())
        }
        CatalogueCommand::Apply(Apply { file, dry_run }) => {
            // Read first: nothing is opened for a file that cannot be meant.
            let catalogue = read(&file)?;
            let commands = Commands::open(settings).await?;
            let outcome = apply(&commands, catalogue, dry_run, output).await;
            commands.announce().await;
            outcome
        }
    }
}

fn read(file: &Path) -> Result<Catalogue, CommandError> {
    let wrong = |what: String| CommandError::Refused(format!("{} {what}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let object = domain::parse_object(&bytes).map_err(|error| wrong(format!("is {error}")))?;
    Catalogue::parse(&object).map_err(|error| wrong(format!("holds no catalogue: {error}")))
}

async fn apply(
    commands: &Commands,
    catalogue: Catalogue,
    is_dry_run: bool,
    output: &Output,
) -> Result<(), CommandError> {
    let CatalogueEdition { revision, catalogue: before } =
        commands.edit_catalogue.catalogue.load().await?;
    let changes = before.changes_to(&catalogue);
    if !is_dry_run {
        // What is told is what is done, or nothing is.
        let (change, seen) =
            (CatalogueChange::Replace(catalogue), Expectation::Revisions(vec![revision]));
        commands.edit_catalogue.execute(change, &seen).await.map_err(|error| match error {
            EditCatalogueError::Fault(fault) => CommandError::Fault(fault),
            EditCatalogueError::Unexpected => CommandError::Refused(
                "the catalogue was changed meanwhile: run the command again".to_owned(),
            ),
            other @ (EditCatalogueError::Unknown | EditCatalogueError::Invalid(_)) => {
                CommandError::Refused(other.to_string())
            }
        })?;
    }
    let mut lines = changes.clone();
    lines.push(match (changes.is_empty(), is_dry_run) {
        (true, _) => "nothing to change".to_owned(),
        (false, true) => format!("{} would change", things(changes.len())),
        (false, false) => format!("{} changed", things(changes.len())),
    });
    output.print(&json!({"dry_run": is_dry_run, "changes": changes}), &lines);
    Ok(())
}

fn things(count: usize) -> String {
    if count == 1 { "1 thing".to_owned() } else { format!("{count} things") }
}

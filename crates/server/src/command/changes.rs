//! `tokenwright changes ...`.

use app::{ListChanges, ReviewChanges, RollBackChanges, Staging};
use clap::Subcommand;
use domain::change_set::{ChangeSetSummary, Transition};
use domain::management::Mandate;
use domain::port::ChangeSetQuery;
use domain::{Author, ChangeNote, ChangeSetId};
use serde_json::{Value, json};

use super::CommandError;
use super::output::Output;
use crate::change_document;
use crate::service::Commands;
use crate::settings::Settings;

#[derive(Subcommand)]
pub(crate) enum Changes {
    /// Lists change sets, the latest first.
    List {
        /// Only change sets before this one.
        #[arg(long)]
        before: Option<String>,
        /// The most change sets.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
    },
    /// Shows what a change set would do, or did, and what is in its way.
    Diff {
        /// Its id.
        change_set: String,
    },
    /// Takes back everything that a change set did: each client is what it was before, with the
    /// secrets it had. Refused if one of them was changed since.
    RollBack {
        /// Its id.
        change_set: String,
    },
}

/// Carries the command out.
pub(crate) async fn run(
    command: Changes,
    settings: &Settings,
    output: &Output,
) -> Result<(), CommandError> {
    let commands = Commands::open(settings).await?;
    let outcome = carry_out(command, staging(&commands).await?, output).await;
    commands.announce().await;
    outcome
}

async fn carry_out(
    command: Changes,
    staging: Staging,
    output: &Output,
) -> Result<(), CommandError> {
    match command {
        Changes::List { before, limit } => {
            let before = match before {
                None => None,
                Some(raw) => Some(id(&raw)?),
            };
            let query = ChangeSetQuery { before, limit: limit.into() };
            let page = ListChanges { staging }.execute(query).await?;
            let documents: Vec<Value> = page.sets.iter().map(change_document::summary).collect();
            let lines: Vec<String> = page.sets.iter().map(line).collect();
            output.print(&json!({"changes": documents, "has_more": page.has_more}), &lines);
        }
        Changes::Diff { change_set } => {
            let reviewed = ReviewChanges { staging }.execute(&id(&change_set)?).await;
            let reviewed = reviewed.map_err(refused)?;
            let mut lines = vec![line(&reviewed.set.summary())];
            lines.extend(reviewed.transitions.iter().flat_map(lines_of));
            lines.extend(reviewed.problems.iter().map(|it| format!("wrong: {it}")));
            output.print(&change_document::review(&reviewed), &lines);
        }
        Changes::RollBack { change_set } => {
            let set = RollBackChanges { staging }
                .execute(&id(&change_set)?, author()?, &Mandate::Unlimited)
                .await;
            let set = set.map_err(refused)?;
            output.print(&change_document::change_set(&set), &[line(&set.summary())]);
        }
    }
    Ok(())
}

/// What change sets need, where there is such a thing.
pub(super) async fn staging(commands: &Commands) -> Result<Staging, CommandError> {
    // What is not registered is not given.
    commands.edit_catalogue.refresh().execute().await?;
    commands.staging.clone().ok_or_else(|| {
        CommandError::Refused(
            "clients are kept in a crud-service, which changes one document at a time: there are \
             no change sets, and nothing to apply a file with"
                .to_owned(),
        )
    })
}

/// Who works at the command line.
pub(super) fn author() -> Result<Author, CommandError> {
    "the command line".parse().map_err(refused)
}

/// What becomes of one client, for people.
pub(super) fn lines_of(transition: &Transition) -> Vec<String> {
    let head = format!("{}  {}", change_document::kind(transition), transition.client);
    let change = |(name, before, after): (String, Value, Value)| match (before, after) {
        (Value::Null, after) => format!("    {name}: {after}"),
        (before, Value::Null) => format!("    {name}: {before} -> (none)"),
        (before, after) => format!("    {name}: {before} -> {after}"),
    };
    let members = match &transition.after {
        // Everything of it goes.
        None => Vec::new(),
        Some(_) => change_document::members(transition),
    };
    std::iter::once(head).chain(members.into_iter().map(change)).collect()
}

fn line(set: &ChangeSetSummary) -> String {
    let note = set.note.as_ref().map(ChangeNote::as_str).unwrap_or_default();
    format!("{}  {:11}  {} operations  {note}", set.id, set.state, set.operations)
}

fn id(raw: &str) -> Result<ChangeSetId, CommandError> {
    raw.parse().map_err(refused)
}

pub(super) fn refused(error: impl std::error::Error) -> CommandError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    CommandError::Refused(text)
}

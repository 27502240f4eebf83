//! `tokenwright apply`: the clients become what a file says.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use app::{
    ChangesError, ClientsPlan, CommitChanges, CommittedChanges, DiscardChanges, DraftChanges,
    DraftProblem, DraftRequest, PlanClients, Pruning, RollBackChanges, Staging,
};
use clap::Args;
use domain::change_set::Operation;
use domain::management::Mandate;
use domain::{Author, ChangeNote, ClientId, ClientSecret};
use serde_json::{Value, json};

use super::CommandError;
use super::changes::{author, lines_of, refused, staging};
use super::output::{Output, complain};
use crate::change_document;
use crate::clients_file::{self, ClientsFile};
use crate::service::Commands;
use crate::settings::Settings;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The file, in YAML or JSON; - stands for standard input.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Shows what would be changed, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Deletes the clients that are not in the file.
    #[arg(long)]
    prune: bool,
    /// Writes the secrets of new clients to this file, which must not be there yet and which only
    /// its owner can read, instead of printing them.
    #[arg(long, value_name = "FILE")]
    secrets_file: Option<PathBuf>,
    /// What the change set says it is for.
    #[arg(long)]
    note: Option<String>,
}

/// Carries the command out.
pub(crate) async fn run(
    arguments: Arguments,
    settings: &Settings,
    output: &Output,
) -> Result<(), CommandError> {
    let note = match &arguments.note {
        None => None,
        Some(raw) => Some(raw.parse().map_err(refused)?),
    };
    let text = text(&arguments.file)?;
    let commands = Commands::open(settings).await?;
    let file = clients_file::read(&text, &commands.rules).map_err(|wrong| mistakes(&wrong))?;
    let outcome = apply(&arguments, note, &file, &commands, output).await;
    commands.announce().await;
    outcome
}

async fn apply(
    arguments: &Arguments,
    note: Option<ChangeNote>,
    file: &ClientsFile,
    commands: &Commands,
    output: &Output,
) -> Result<(), CommandError> {
    let staging = staging(commands).await?;
    let pruning = if arguments.prune { Pruning::Yes } else { Pruning::No };
    let directory = commands.directory.clone();
    let planner = PlanClients { staging: staging.clone(), directory };
    let plan = planner.execute(&file.clients, pruning).await.map_err(refused)?;
    if !plan.problems.is_empty() {
        let wrong: Vec<String> = plan.problems.iter().map(|it| placed(it, file)).collect();
        return Err(mistakes(&wrong));
    }
    if arguments.prune && plan.has_more_others {
        let most = plan.others.len();
        return Err(CommandError::Refused(format!(
            "more than {most} clients are not in the file: that is too many to delete at once"
        )));
    }
    if plan.operations.is_empty() || arguments.dry_run {
        let is_same = plan.operations.is_empty();
        report(&plan, arguments, None, output);
        return if is_same { Ok(()) } else { Err(CommandError::WouldChange) };
    }
    // Before anything is changed: a secret that cannot be written down would be lost.
    let secrets_file = match &arguments.secrets_file {
        None => None,
        Some(path) => Some((new_file(path)?, path)),
    };
    let outcome = commit(&staging, note, &plan.operations).await;
    let committed = match outcome {
        Ok(committed) => committed,
        Err(error) => {
            if let Some((_, path)) = &secrets_file {
                drop(std::fs::remove_file(path));
            }
            return Err(too_late(error));
        }
    };
    if let Some((file, path)) = secrets_file
        && let Err(error) = write_secrets(file, &committed.secrets)
    {
        let roll_back = RollBackChanges { staging };
        let taken_back = roll_back.execute(&committed.set.id, author()?, &Mandate::Unlimited).await;
        let what = match taken_back {
            Ok(_) => "everything was rolled back".to_owned(),
            Err(error) => format!("rolling back failed: {error}"),
        };
        let path = path.display();
        let text = format!("the secrets cannot be written to {path}: {error}; {what}");
        return Err(CommandError::Refused(text));
    }
    report(&plan, arguments, Some(&committed), output);
    Ok(())
}

/// One change set, which can be rolled back as one.
async fn commit(
    staging: &Staging,
    note: Option<ChangeNote>,
    operations: &[Operation],
) -> Result<CommittedChanges, ChangesError> {
    let by: Author = author().map_err(|error| domain::Fault::corrupt(error.to_string()))?;
    let operations = operations.iter().map(Operation::to_json).collect();
    let draft = DraftChanges { staging: staging.clone() };
    let set =
        draft.execute(DraftRequest { note, operations }, by.clone(), &Mandate::Unlimited).await?;
    let commit = CommitChanges { staging: staging.clone() };
    let outcome = commit.execute(&set.id, None, by, &Mandate::Unlimited).await;
    if let Err(error) = &outcome
        && !matches!(error, ChangesError::Fault(_))
    {
        // Nobody will ever ask for this draft. After a fault it may be more than one.
        let discard = DiscardChanges { staging: staging.clone() };
        drop(discard.execute(&set.id, None).await);
    }
    outcome
}

fn text(path: &Path) -> Result<String, CommandError> {
    let unreadable =
        |error| CommandError::Refused(format!("{} cannot be read: {error}", path.display()));
    let limit = u64::try_from(clients_file::MAX_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    } else {
        let file = File::open(path).map_err(unreadable)?;
        file.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    if clients_file::MAX_BYTES < bytes.len() {
        let most = clients_file::MAX_BYTES;
        let text = format!("{} has more than {most} bytes: split it", path.display());
        return Err(CommandError::Refused(text));
    }
    String::from_utf8(bytes)
        .map_err(|_| CommandError::Refused(format!("{} is not UTF-8", path.display())))
}

fn mistakes(wrong: &[String]) -> CommandError {
    complain("the file is wrong, and nothing was changed:");
    for line in wrong {
        complain(&format!("  {line}"));
    }
    let many = wrong.len();
    CommandError::Refused(format!("{many} mistake{}", if many == 1 { "" } else { "s" }))
}

/// What was planned was right a moment ago.
fn too_late(error: ChangesError) -> CommandError {
    match error {
        ChangesError::Moved(_) | ChangesError::Invalid(_) | ChangesError::Superseded => {
            CommandError::Refused(format!(
                "somebody else changed clients at the same time, and nothing was changed here: run \
                 it again ({error})"
            ))
        }
        ChangesError::Unknown
        | ChangesError::WrongState { .. }
        | ChangesError::Exceeded(..)
        | ChangesError::Impossible(_)
        | ChangesError::Fault(_) => refused(error),
    }
}

/// A problem with the place in the file instead of the position of an operation.
fn placed(problem: &DraftProblem, file: &ClientsFile) -> String {
    let place = problem.operation.and_then(|it| file.places.get(it));
    let client = problem.client.as_ref().map(ClientId::as_str);
    let place = place.map(String::as_str).or(client).unwrap_or("the file");
    match &problem.member {
        Some(member) => format!("{place}.{member}: {}", problem.reason),
        None => format!("{place}: {}", problem.reason),
    }
}

fn new_file(path: &Path) -> Result<File, CommandError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map_err(|error| {
        CommandError::Refused(format!("{} cannot be made: {error}", path.display()))
    })
}

fn write_secrets(mut file: File, secrets: &[(ClientId, ClientSecret)]) -> std::io::Result<()> {
    writeln!(file, "{:#}", secrets_document(secrets))?;
    file.sync_all()
}

fn secrets_document(secrets: &[(ClientId, ClientSecret)]) -> Value {
    let secret = |(client, secret): &(ClientId, ClientSecret)| json!({"client_id": client.as_str(), "client_secret": secret.expose()});
    secrets.iter().map(secret).collect()
}

/// Says what was, or would be, changed.
fn report(
    plan: &ClientsPlan,
    arguments: &Arguments,
    committed: Option<&CommittedChanges>,
    output: &Output,
) {
    let left_alone = if arguments.prune { &[] } else { plan.others.as_slice() };
    let others: Vec<&str> = left_alone.iter().map(ClientId::as_str).collect();
    let printed_secrets = committed.filter(|_| arguments.secrets_file.is_none());
    let secrets = printed_secrets.map(|it| it.secrets.as_slice()).unwrap_or_default();
    let clients: Vec<Value> = plan.transitions.iter().map(change_document::transition).collect();
    let document = json!({
        "change_set": committed.map(|it| it.set.id.as_str()),
        "is_dry_run": arguments.dry_run,
        "clients": clients,
        "unchanged": plan.unchanged,
        "not_in_file": &others,
        "has_more_not_in_file": !arguments.prune && plan.has_more_others,
        "secrets": secrets_document(secrets),
    });
    let mut lines: Vec<String> = plan.transitions.iter().flat_map(lines_of).collect();
    if plan.transitions.is_empty() {
        lines.push("Nothing to change.".to_owned());
    }
    if 0 < plan.unchanged {
        lines.push(format!("What the file says already: {}.", plan.unchanged));
    }
    lines.extend(not_in_file(&others, plan.has_more_others));
    for (client, secret) in secrets {
        lines.push(format!("client_secret  {client}  {}", secret.expose()));
    }
    match committed {
        Some(it) => {
            let id = it.set.id.as_str();
            lines.push(format!("Committed as {id}: tokenwright changes roll-back {id} undoes it."));
        }
        None if plan.transitions.is_empty() => (),
        None => lines.push("This is a dry run: nothing was changed.".to_owned()),
    }
    output.print(&document, &lines);
}

fn not_in_file(others: &[&str], has_more: bool) -> Option<String> {
    const MOST: usize = 20;
    let named: Vec<&str> = others.iter().copied().take(MOST).collect();
    if named.is_empty() {
        return None;
    }
    let more = if has_more || MOST < others.len() { ", ..." } else { "" };
    let at_least = if has_more { "more than " } else { "" };
    Some(format!(
        "Not in the file, and left alone ({at_least}{}; --prune would delete them): {}{more}",
        others.len(),
        named.join(", ")
    ))
}

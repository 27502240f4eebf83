//! The command line.

mod apply;
mod bootstrap_token;
mod catalogue;
mod changes;
mod check;
mod client;
mod healthcheck;
mod keys;
mod migrate;
mod migrate_store;
mod output;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::serve;
use crate::settings::{Problem, Settings, Variables};
use crate::wiring::OpenError;
use output::{Output, complain};

/// An OAuth 2.0 authorization server for machines that call machines.
#[derive(Parser)]
#[command(name = "tokenwright", version, about)]
struct Arguments {
    /// The configuration file; without it tokenwright.toml is read if it is there.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    output: Format,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Serves requests (what happens where no command is given).
    Serve,
    /// Says whether the configuration is right, without starting.
    Check,
    /// Manages clients.
    #[command(subcommand)]
    Client(client::Client),
    /// Makes the clients what a file says, all of them at once or none.
    ///
    /// The file lists clients by their id, each with all its members, by their names in
    /// POST /clients. What is left out of a client is what it is for a new one, but for its state,
    /// which stays. Clients that are not in the file stay, without --prune. What was done can be
    /// undone: see tokenwright changes.
    ///
    /// Ends with 0 if the clients are what the file says, with 3 if --dry-run found that they are
    /// not, and with 1 if nothing was changed because the file is wrong, a client was changed at
    /// the same time, or a store failed.
    Apply(apply::Arguments),
    /// Manages change sets: what was, or will be, changed at once.
    #[command(subcommand)]
    Changes(changes::Changes),
    /// Manages capabilities, scopes and resources.
    #[command(subcommand)]
    Catalogue(catalogue::CatalogueCommand),
    /// Manages signing keys.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Brings the stores to the newest schema, and says which that is.
    Migrate,
    /// Copies clients, their secrets and the catalogue from one store to another.
    ///
    /// Both are reached as the configuration says: at its URLs, and sqlite in the data directory.
    /// Stop registrations at the source first. It can be broken off, and run again: what is there
    /// already, and the same, is passed over. What is there and differs is named, and left as it is
    /// without --update. No client is ever removed.
    ///
    /// Ends with 0 if every client and secret of the source is in the target (or would be, with
    /// --dry-run), and with 1 if one differs, was not copied, or a store failed.
    MigrateStore(migrate_store::Arguments),
    /// Makes a new bootstrap token; the old one is worth nothing from then on.
    BootstrapToken,
    /// Asks a running server whether it lives: for containers without a shell.
    Healthcheck,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The configuration is wrong.
    #[error("the configuration is wrong")]
    Settings(Vec<Problem>),
    /// A store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A store failed.
    #[error("{}", .0.explained())]
    Fault(#[from] domain::Fault),
    /// The command cannot be carried out as it was given.
    #[error("{0}")]
    Refused(String),
    /// Something would be changed, and it is known by now what.
    #[error("the clients are not what the file says")]
    WouldChange,
    /// The server could not start.
    #[error(transparent)]
    Serve(#[from] serve::ServeError),
}

/// Reads the command line and carries it out.
#[must_use]
pub fn run() -> ExitCode {
    let Arguments { config, output, command } = Arguments::parse();
    // For every user of TLS that does not name its own; a second call finds it installed.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let outcome = Settings::read(config.as_deref(), &Variables::of_process())
        .map_err(CommandError::Settings)
        .and_then(|settings| {
            carry_out(command.unwrap_or(Command::Serve), settings, &Output::new(output))
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(CommandError::Settings(problems)) => {
            complain("the configuration is wrong:");
            for problem in &problems {
                complain(&format!("  {problem}"));
            }
            ExitCode::from(2)
        }
        Err(CommandError::WouldChange) => ExitCode::from(3),
        Err(error) => {
            complain(&format!("tokenwright: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn carry_out(command: Command, settings: Settings, output: &Output) -> Result<(), CommandError> {
    if let Command::Serve = command {
        return Ok(serve::run(settings)?);
    }
    actix_web::rt::System::new().block_on(async {
        match command {
            Command::Serve => Ok(()),
            Command::Check => check::run(&settings, output),
            Command::Client(command) => client::run(command, &settings, output).await,
            Command::Apply(it) => apply::run(it, &settings, output).await,
            Command::Changes(command) => changes::run(command, &settings, output).await,
            Command::Catalogue(command) => catalogue::run(command, &settings, output).await,
            Command::Keys(command) => keys::run(command, &settings, output).await,
            Command::Migrate => migrate::run(&settings, output).await,
            Command::MigrateStore(it) => migrate_store::run(it, &settings, output).await,
            Command::BootstrapToken => bootstrap_token::run(&settings, output).await,
            Command::Healthcheck => healthcheck::run(&settings).await,
        }
    })
}

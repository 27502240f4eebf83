//! `tokenwright client ...`.

#![expect(clippy::doc_markdown, reason = "these texts are printed, backticks and all")]

use std::time::Duration;

use app::{AddSecretRequest, Authority, NewClient};
use clap::{Args, Subcommand};
use domain::management::Mandate;
use domain::port::ClientQuery;
use domain::{ClientId, ClientState};
use serde_json::{Map, Value, json};

use super::CommandError;
use super::output::Output;
use crate::client_document;
use crate::service::Commands;
use crate::settings::Settings;

#[derive(Subcommand)]
pub(crate) enum Client {
    /// Makes a client, and prints its secret this once.
    Create(Create),
    /// Lists clients, ordered by id.
    List(List),
    /// Shows a client.
    Show {
        /// Its client_id.
        client: String,
    },
    /// Disables a client and revokes its tokens; others learn of it within the cache's bound.
    Disable {
        /// Its client_id.
        client: String,
    },
    /// Enables a client again. Tokens it had stay revoked.
    Enable {
        /// Its client_id.
        client: String,
    },
    /// Deletes a client with its secrets and tokens.
    Delete {
        /// Its client_id.
        client: String,
    },
    /// Lists what is known of a client's secrets: names and dates, never a secret.
    Secrets {
        /// Its client_id.
        client: String,
    },
    /// Makes a new secret, prints it this once, and lets the old ones end.
    RotateSecret(RotateSecret),
}

#[derive(Args)]
pub(crate) struct Create {
    /// What people call it.
    name: String,
    /// An entry of the permissions claim; may be repeated.
    #[arg(long = "permission")]
    permissions: Vec<String>,
    /// Whom its tokens may be meant for; may be repeated.
    #[arg(long)]
    audience: Vec<String>,
    /// What its tokens may allow, space separated; clients:read and clients:write manage clients.
    #[arg(long)]
    scope: Option<String>,
    /// A file with the JWK of a client that uses private_key_jwt.
    #[arg(long, value_name = "FILE")]
    public_key: Option<std::path::PathBuf>,
    /// Where a client that uses private_key_jwt publishes its keys.
    #[arg(long, value_name = "URL", conflicts_with = "public_key")]
    jwks_uri: Option<String>,
    /// How it authenticates; by default client_secret_basic, or private_key_jwt where it has keys.
    #[arg(long, value_name = "METHOD")]
    auth_method: Option<String>,
    /// Makes nothing, and shows no secret, if a client of this name is there already. For scripts
    /// that run again; two that run at the same time may each make one.
    #[arg(long)]
    if_absent: bool,
}

#[derive(Args)]
pub(crate) struct List {
    /// Only clients whose id or name holds this text.
    #[arg(long)]
    search: Option<String>,
    /// Only clients after this client_id.
    #[arg(long)]
    after: Option<String>,
    /// The most clients.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
}

#[derive(Args)]
pub(crate) struct RotateSecret {
    /// The client's client_id.
    client: String,
    /// What the new secret is called.
    #[arg(long)]
    name: Option<String>,
    /// For how long the old secrets still work.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    overlap: u64,
    /// For how long the new one works; without it, for ever.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    expires_in: Option<u64>,
}

/// Carries the command out.
pub(crate) async fn run(
    command: Client,
    settings: &Settings,
    output: &Output,
) -> Result<(), CommandError> {
    let commands = Commands::open(settings).await?;
    let outcome = carry_out(command, &commands, output).await;
    commands.announce().await;
    outcome
}

async fn carry_out(
    command: Client,
    commands: &Commands,
    output: &Output,
) -> Result<(), CommandError> {
    match command {
        Client::Create(it) => create(it, commands, output).await,
        Client::List(it) => list(it, commands, output).await,
        Client::Show { client } => {
            let id = id(&client)?;
            let found = commands.find_client.execute(&id).await?.ok_or_else(unknown)?;
            let document = client_document::client(&found);
            output.print(&document, &[format!("{document:#}")]);
            Ok(())
        }
        Client::Disable { client } => change(&client, ClientState::Trash, commands, output).await,
        Client::Enable { client } => change(&client, ClientState::Public, commands, output).await,
        Client::Delete { client } => {
            let id = id(&client)?;
            commands.delete_client.execute(&id, &Mandate::Unlimited).await.map_err(refused)?;
            output.print(&json!({"client_id": client}), &[format!("{client} is deleted")]);
            Ok(())
        }
        Client::Secrets { client } => secrets(&client, commands, output).await,
        Client::RotateSecret(it) => rotate(it, commands, output).await,
    }
}

async fn create(it: Create, commands: &Commands, output: &Output) -> Result<(), CommandError> {
    if it.if_absent
        && let Some(found) = named(&it.name, commands).await?
    {
        let id = found.id.as_str();
        let line = format!("client_id      {id} (there already: its secret is not shown again)");
        output.print(&json!({"client_id": id, "is_new": false}), &[line]);
        return Ok(());
    }
    let mut object = Map::new();
    object.insert("client_name".to_owned(), it.name.into());
    object.insert("permissions".to_owned(), it.permissions.into());
    object.insert("audience".to_owned(), it.audience.into());
    if let Some(scope) = it.scope {
        object.insert("scope".to_owned(), scope.into());
    }
    if it.public_key.is_some() || it.jwks_uri.is_some() {
        object.insert("token_endpoint_auth_method".to_owned(), "private_key_jwt".into());
    }
    if let Some(method) = it.auth_method {
        object.insert("token_endpoint_auth_method".to_owned(), method.into());
    }
    if let Some(uri) = it.jwks_uri {
        object.insert("jwks_uri".to_owned(), uri.into());
    }
    if let Some(path) = it.public_key {
        let bytes = std::fs::read(&path).map_err(|error| {
            CommandError::Refused(format!("{} cannot be read: {error}", path.display()))
        })?;
        let jwk = domain::parse_object(&bytes).map_err(|error| {
            CommandError::Refused(format!("{} holds no JWK: {error}", path.display()))
        })?;
        object.insert("public_key".to_owned(), Value::Object(jwk));
    }
    let new = NewClient::parse(object, Authority::Management, &commands.rules).map_err(refused)?;
    // What is registered may decide what can be given to it.
    commands.edit_catalogue.refresh().execute().await?;
    let made = commands.register_client.execute(new, &Mandate::Unlimited).await.map_err(refused)?;
    let mut document = json!({"client_id": made.client.id.as_str()});
    let mut lines = vec![format!("client_id      {}", made.client.id)];
    if let Some(secret) = &made.secret {
        if let Value::Object(members) = &mut document {
            members.insert("client_secret".to_owned(), secret.expose().into());
        }
        lines.push(format!("client_secret  {}", secret.expose()));
    }
    output.print(&document, &lines);
    Ok(())
}

/// The first client of exactly this name.
async fn named(name: &str, commands: &Commands) -> Result<Option<domain::Client>, CommandError> {
    let mut after = None;
    loop {
        let query = ClientQuery { after, limit: app::MAX_PAGE, search: Some(name.to_owned()) };
        let page = commands.list_clients.execute(query).await?;
        let last = page.clients.last().map(|it| it.id.clone());
        let found = page.clients.into_iter().find(|it| it.name.as_str() == name);
        if found.is_some() || !page.has_more {
            return Ok(found);
        }
        after = last;
    }
}

async fn list(it: List, commands: &Commands, output: &Output) -> Result<(), CommandError> {
    let after = match it.after {
        Some(raw) => Some(id(&raw)?),
        None => None,
    };
    let query = ClientQuery { after, limit: it.limit.into(), search: it.search };
    let page = commands.list_clients.execute(query).await?;
    let documents: Vec<Value> = page.clients.iter().map(client_document::client).collect();
    let lines: Vec<String> = page
        .clients
        .iter()
        .map(|client| format!("{}  {:7}  {}", client.id, client.state.name(), client.name))
        .collect();
    output.print(&json!({"clients": documents, "has_more": page.has_more}), &lines);
    Ok(())
}

async fn change(
    raw: &str,
    state: ClientState,
    commands: &Commands,
    output: &Output,
) -> Result<(), CommandError> {
    let client = commands
        .change_state
        .execute(&id(raw)?, state, &Mandate::Unlimited)
        .await
        .map_err(refused)?;
    let line = format!("{} is {}", client.id, client.state.name());
    output.print(&client_document::client(&client), &[line]);
    Ok(())
}

async fn secrets(raw: &str, commands: &Commands, output: &Output) -> Result<(), CommandError> {
    let known = commands.list_secrets.execute(&id(raw)?).await?.ok_or_else(unknown)?;
    let documents: Vec<Value> = known.iter().map(client_document::credential).collect();
    let text = |document: &Value, member: &str| {
        document.get(member).and_then(Value::as_str).unwrap_or("-").to_owned()
    };
    let line = |it: &Value| {
        let [id, name, created, ends, used] =
            ["secret_id", "name", "created_at", "expires_at", "last_used"].map(|of| text(it, of));
        format!("{id}  {name}  created {created}  ends {ends}  last used {used}")
    };
    let lines: Vec<String> = documents.iter().map(line).collect();
    output.print(&json!({"secrets": documents}), &lines);
    Ok(())
}

async fn rotate(
    it: RotateSecret,
    commands: &Commands,
    output: &Output,
) -> Result<(), CommandError> {
    let id = id(&it.client)?;
    let name = match it.name.map(|raw| raw.parse()) {
        None => None,
        Some(parsed) => Some(parsed.map_err(refused)?),
    };
    let end = |seconds| commands.clock.now().after(Duration::from_secs(seconds));
    let request = AddSecretRequest { name, expires_at: it.expires_in.map(end) };
    let overlap = Duration::from_secs(it.overlap);
    let added = commands
        .rotate_secret
        .execute(&id, request, overlap, &Mandate::Unlimited)
        .await
        .map_err(refused)?;
    let (secret_id, secret) = (&added.credential.id, added.secret.expose());
    output.print(
        &json!({
            "client_id": id.as_str(),
            "secret_id": secret_id.as_str(),
            "client_secret": secret,
            "client_secret_expires_at":
                added.credential.expires_at.map_or(0, domain::Timestamp::as_unix_seconds),
        }),
        &[format!("client_secret  {secret}"), format!("The old secrets end in {} s.", it.overlap)],
    );
    Ok(())
}

fn id(raw: &str) -> Result<ClientId, CommandError> {
    raw.parse().map_err(refused)
}

fn unknown() -> CommandError {
    CommandError::Refused("there is no client with this id".to_owned())
}

fn refused(error: impl std::fmt::Display) -> CommandError {
    CommandError::Refused(error.to_string())
}

//! `tokenwright migrate-store`.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use app::{
    CatalogueCopy, CatalogueOutcome, ClientStores, Fingerprint, MigrateStore, MigrationMode,
    MigrationReport, Tally,
};
use clap::Args;
use serde_json::{Value, json};

use super::CommandError;
use super::output::Output;
use crate::settings::{KeyStore, Settings, Store, Stores as StoreNames};
use crate::wiring::{Stores, digester};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where clients and secrets are: sqlite, postgres or mongodb, or two of them with a plus
    /// between (clients, then secrets), where the first can also be crud: crud+mongodb.
    #[arg(long, value_name = "STORES")]
    from: Place,
    /// Where they go, said in the same way.
    #[arg(long, value_name = "STORES")]
    to: Place,
    /// Says what would be copied and what differs, and writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Overwrites clients of the target that differ, and their secrets: the source is right.
    /// Clients that the source has not are left as they are.
    #[arg(long)]
    update: bool,
}

/// How many clients of one kind are named to people. Machines are told all of them.
const NAMED: usize = 100;

/// Where clients and their secrets are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    clients: Store,
    credentials: Store,
}

/// Why a text is no [`Place`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum InvalidPlace {
    #[error("must be sqlite, postgres or mongodb, or two with a plus between, as in crud+mongodb")]
    Unknown,
    #[error("a crud-service keeps no secrets: say where they are, as in crud+mongodb")]
    NoSecrets,
}

impl FromStr for Place {
    type Err = InvalidPlace;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let named = |name: &str| {
            [Store::Sqlite, Store::Postgres, Store::Mongodb, Store::Crud]
                .into_iter()
                .find(|it| it.name() == name)
                .ok_or(InvalidPlace::Unknown)
        };
        let (clients, credentials) = raw.split_once('+').unwrap_or((raw, raw));
        let place = Self { clients: named(clients)?, credentials: named(credentials)? };
        if place.credentials == Store::Crud { Err(InvalidPlace::NoSecrets) } else { Ok(place) }
    }
}

impl Place {
    /// Everything else stays in this process, and is gone with it.
    fn names(self) -> StoreNames {
        let Self { clients, credentials } = self;
        let memory = Store::Memory;
        StoreNames {
            clients,
            credentials,
            tokens: memory,
            replay: memory,
            keys: KeyStore::In(memory),
        }
    }

    fn uses(self, store: Store) -> bool {
        [self.clients, self.credentials].contains(&store)
    }

    /// What can be looked into without writing. Where there is nothing yet, or nothing that this
    /// release reads, an empty store of this process stands in; the names of these are told.
    async fn as_it_is(
        self,
        settings: &Settings,
    ) -> Result<(StoreNames, Vec<&'static str>), CommandError> {
        let mut names = self.names();
        let mut empty = Vec::new();
        for store in [self.clients, self.credentials] {
            if empty.contains(&store.name()) || is_readable(store, settings).await? {
                continue;
            }
            empty.push(store.name());
            for it in [&mut names.clients, &mut names.credentials] {
                if *it == store {
                    *it = Store::Memory;
                }
            }
        }
        Ok((names, empty))
    }

    fn check(self, settings: &Settings) -> Result<(), CommandError> {
        for store in [self.clients, self.credentials] {
            let missing = match store {
                Store::Postgres if settings.postgres.is_none() => "postgres.url",
                Store::Mongodb if settings.mongodb.is_none() => "mongodb.url",
                Store::Crud if settings.crud.is_none() => "crud.base_url",
                Store::Sqlite
                | Store::Postgres
                | Store::Mongodb
                | Store::Redis
                | Store::Crud
                | Store::Memory => continue,
            };
            return Err(CommandError::Refused(format!(
                "{missing} is not set, so {} cannot be reached",
                store.name()
            )));
        }
        Ok(())
    }
}

/// Copies clients and secrets, and says whether all of them arrived.
pub(crate) async fn run(
    arguments: Arguments,
    settings: &Settings,
    output: &Output,
) -> Result<(), CommandError> {
    let Arguments { from, to, dry_run, update } = arguments;
    if from == to {
        return Err(CommandError::Refused(
            "--from and --to are the same stores: to copy between two databases of one kind, go \
             by way of another kind"
                .to_owned(),
        ));
    }
    for place in [from, to] {
        place.check(settings)?;
    }
    if from.uses(Store::Sqlite) && !has_file(settings) {
        return Err(CommandError::Refused(format!(
            "the source is not there: {} does not exist",
            file(settings).display()
        )));
    }
    let source = Stores::open_as(settings, from.names()).await?;
    if !source.is_migrated().await? {
        return Err(CommandError::Refused(
            "the source has no schema of this release: run `tokenwright migrate` on it first"
                .to_owned(),
        ));
    }
    let (names, empty) =
        if dry_run { to.as_it_is(settings).await? } else { (to.names(), Vec::new()) };
    let target = Stores::open_as(settings, names).await?;
    if !dry_run {
        target.migrate().await?;
    }
    let mode = MigrationMode { is_dry_run: dry_run, overwrites: update };
    let migration =
        MigrateStore { from: stores(&source), to: stores(&target), digester: digester() };
    let report = migration.execute(mode).await?;
    target.announce().await;
    output.print(&document(&report, mode, &empty), &lines(&report, mode, &empty));
    for stores in [source, target] {
        stores.close().await;
    }
    if report.is_complete() { Ok(()) } else { Err(CommandError::Refused(incomplete(mode))) }
}

/// What to do about it.
fn incomplete(mode: MigrationMode) -> String {
    let MigrationMode { is_dry_run, overwrites } = mode;
    let (what, kept) = match (is_dry_run, overwrites) {
        (true, _) => ("would be copied", ""),
        (false, false) => ("was copied", " Nothing was overwritten;"),
        (false, true) => ("was copied", ""),
    };
    let remedy =
        if overwrites { "mend it" } else { "mend it, or let the source win with --update" };
    format!("not everything {what}: see above.{kept} {remedy}, and run the same command again")
}

/// Whether the store is there with the schema of this release. Nothing is made to find out.
async fn is_readable(store: Store, settings: &Settings) -> Result<bool, CommandError> {
    // Opening the embedded store would make it.
    if store == Store::Sqlite && !has_file(settings) {
        return Ok(false);
    }
    // A crud-service has no schema of ours, and alone is no place.
    if store == Store::Crud {
        return Ok(true);
    }
    let alone = Stores::open_as(settings, Place { clients: store, credentials: store }.names());
    let alone = alone.await?;
    let is_migrated = alone.is_migrated().await;
    alone.close().await;
    Ok(is_migrated?)
}

/// The embedded store, where the wiring has it.
fn file(settings: &Settings) -> PathBuf {
    settings.data_directory.join("tokenwright.sqlite")
}

fn has_file(settings: &Settings) -> bool {
    file(settings).exists()
}

fn stores(stores: &Stores) -> ClientStores {
    ClientStores {
        clients: Arc::clone(&stores.clients),
        directory: Arc::clone(&stores.directory),
        credentials: Arc::clone(&stores.credentials),
        catalogue: Arc::clone(&stores.catalogue),
    }
}

fn document(report: &MigrationReport, mode: MigrationMode, empty: &[&str]) -> Value {
    let tally = |it: Tally| {
        json!({
            "read": it.read,
            "copied": it.copied,
            "updated": it.updated,
            "present": it.present,
        })
    };
    let side = |it: &Fingerprint| json!({"clients": it.clients, "secrets": it.secrets, "digest": it.digest});
    let conflict =
        |it: &app::MigrationConflict| json!({"client_id": it.client.as_str(), "what": it.what});
    json!({
        "dry_run": mode.is_dry_run,
        "complete": report.is_complete(),
        "clients": tally(report.clients),
        "secrets": tally(report.secrets),
        "removed_secrets": report.removed_secrets,
        "catalogue": {
            "scopes": report.catalogue.scopes,
            "resources": report.catalogue.resources,
            "outcome": outcome(report.catalogue.outcome),
            "differences": report.catalogue.differences,
        },
        "conflicts": report.conflicts.iter().map(conflict).collect::<Vec<_>>(),
        "only_in_target": report.extras.iter().map(domain::ClientId::as_str).collect::<Vec<_>>(),
        "taken_as_empty": empty,
        "verification": report.verification.as_ref().map(|it| {
            json!({"equal": it.is_equal(), "source": side(&it.source), "target": side(&it.target)})
        }),
    })
}

fn lines(report: &MigrationReport, mode: MigrationMode, empty: &[&str]) -> Vec<String> {
    let (copied, updated, removed) = if mode.is_dry_run {
        ("to copy", "to overwrite", "to remove")
    } else {
        ("copied", "overwritten", "removed")
    };
    let tally = |what: &str, it: Tally| {
        format!(
            "{what}  {} read, {} {copied}, {} {updated}, {} there already",
            it.read, it.copied, it.updated, it.present
        )
    };
    let mut lines = vec![tally("clients", report.clients), tally("secrets", report.secrets)];
    if report.removed_secrets != 0 {
        lines.push(format!("secrets  {} {removed}: only in the target", report.removed_secrets));
    }
    lines.extend(catalogue(&report.catalogue, mode));
    for store in empty {
        lines.push(format!("{store} has no schema of this release: taken as empty"));
    }
    let conflicts = report.conflicts.iter().map(|it| format!("{}: {}", it.client, it.what));
    lines.extend(named("not as in the source", conflicts));
    lines.extend(named("only in the target", report.extras.iter().map(ToString::to_string)));
    if let Some(it) = &report.verification {
        let side = |it: &Fingerprint| {
            format!("{} clients, {} secrets, {}", it.clients, it.secrets, it.digest)
        };
        lines.push(format!("source   {}", side(&it.source)));
        lines.push(format!("target   {}", side(&it.target)));
        lines.push(if it.is_equal() { "both are the same" } else { "they differ" }.to_owned());
    }
    lines
}

/// What became of the catalogue, in a word for machines.
const fn outcome(outcome: CatalogueOutcome) -> &'static str {
    match outcome {
        CatalogueOutcome::Nothing => "nothing",
        CatalogueOutcome::Present => "present",
        CatalogueOutcome::Copied => "copied",
        CatalogueOutcome::Overwritten => "overwritten",
        CatalogueOutcome::Differs => "differs",
    }
}

/// And in lines for people. A source without a catalogue is not worth one.
fn catalogue(copy: &CatalogueCopy, mode: MigrationMode) -> Vec<String> {
    let what = match (copy.outcome, mode.is_dry_run) {
        (CatalogueOutcome::Nothing, _) => return Vec::new(),
        (CatalogueOutcome::Present, _) => "there already",
        (CatalogueOutcome::Copied, true) => "to copy",
        (CatalogueOutcome::Copied, false) => "copied",
        (CatalogueOutcome::Overwritten, true) => "to overwrite",
        (CatalogueOutcome::Overwritten, false) => "overwritten",
        (CatalogueOutcome::Differs, _) => "not as in the source, and left as it is",
    };
    let CatalogueCopy { scopes, resources, .. } = copy;
    let mut lines = vec![format!("catalogue  {scopes} scopes, {resources} resources, {what}")];
    lines.extend(copy.differences.iter().take(NAMED).map(|it| format!("  {it}")));
    lines
}

/// How many there are, and as many of them as people read.
fn named(what: &str, all: impl ExactSizeIterator<Item = String>) -> Vec<String> {
    let count = all.len();
    if count == 0 {
        return Vec::new();
    }
    let mut lines = vec![format!("{what}: {count}")];
    lines.extend(all.take(NAMED).map(|it| format!("  {it}")));
    if NAMED < count {
        lines.push(format!("  and {} more: --output json names all", count - NAMED));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_one_store_or_two() {
        let place = |raw: &str| raw.parse::<Place>();

        assert_eq!(
            place("postgres").unwrap(),
            Place { clients: Store::Postgres, credentials: Store::Postgres }
        );
        assert_eq!(
            place("crud+mongodb").unwrap(),
            Place { clients: Store::Crud, credentials: Store::Mongodb }
        );
        for raw in ["crud", "sqlite+crud"] {
            assert_eq!(place(raw).unwrap_err(), InvalidPlace::NoSecrets, "{raw}");
        }
        for raw in ["", "redis", "memory", "sqlite+", "+sqlite", "a+b+c", "SQLITE"] {
            assert_eq!(place(raw).unwrap_err(), InvalidPlace::Unknown, "{raw}");
        }
    }

    #[test]
    fn people_are_told_how_many_and_the_first_of_them() {
        let all = |count: usize| (0..count).map(|it| it.to_string());

        assert!(named("extra", all(0)).is_empty());
        assert_eq!(named("extra", all(2)), ["extra: 2", "  0", "  1"]);
        let many = named("extra", all(NAMED + 3));
        assert_eq!(many.len(), NAMED + 2);
        assert_eq!(many[NAMED + 1], "  and 3 more: --output json names all");
    }
}

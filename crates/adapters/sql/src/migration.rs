//! How the schema comes into being, and how it grows.

use domain::Fault;
use sqlx::migrate::{AppliedMigration, MigrateError, Migrator};

use crate::fault::fault;
use crate::{Engine, Stores};

/// One step of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its number.
    pub version: i64,
    /// What it does.
    pub description: String,
    /// Whether the database has seen it.
    pub is_applied: bool,
}

/// Why the schema is not what this release needs.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// A newer release was here: this one would not understand what it finds.
    #[error(
        "the database was migrated by a newer release: it has seen migration {version}, which this \
         release does not know"
    )]
    Newer {
        /// The first migration that this release does not know.
        version: i64,
    },
    /// A migration was changed after it had been applied.
    #[error("migration {version} differs from the one that the database has seen")]
    Changed {
        /// Which one.
        version: i64,
    },
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl<E: Engine> Stores<E> {
    /// Brings the schema up to date. Any number of nodes may do so at once; where nothing is to be
    /// done, nothing is locked.
    ///
    /// # Errors
    ///
    /// See [`MigrationError`]; each migration is applied wholly or not at all.
    pub async fn migrate(&self) -> Result<(), MigrationError> {
        if self.pending_migrations().await?.is_empty() {
            return Ok(());
        }
        self.engine.apply().await
    }

    /// Every migration this release knows, oldest first.
    ///
    /// # Errors
    ///
    /// See [`MigrationError`].
    pub async fn migrations(&self) -> Result<Vec<MigrationStatus>, MigrationError> {
        status(E::migrator(), &self.engine.applied().await?)
    }

    /// The migrations that [`Stores::migrate`] would apply, oldest first.
    ///
    /// # Errors
    ///
    /// See [`MigrationError`].
    pub async fn pending_migrations(&self) -> Result<Vec<MigrationStatus>, MigrationError> {
        let mut migrations = self.migrations().await?;
        migrations.retain(|migration| !migration.is_applied);
        Ok(migrations)
    }
}

fn status(
    known: &Migrator,
    applied: &[AppliedMigration],
) -> Result<Vec<MigrationStatus>, MigrationError> {
    if let Some(newer) = applied.iter().find(|applied| !known.version_exists(applied.version)) {
        return Err(MigrationError::Newer { version: newer.version });
    }
    known
        .iter()
        .map(|migration| {
            let seen = applied.iter().find(|applied| applied.version == migration.version);
            if seen.is_some_and(|seen| seen.checksum != migration.checksum) {
                return Err(MigrationError::Changed { version: migration.version });
            }
            Ok(MigrationStatus {
                version: migration.version,
                description: migration.description.clone().into_owned(),
                is_applied: seen.is_some(),
            })
        })
        .collect()
}

/// What went wrong in a run of migrations.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other variants are of no use here")]
pub(crate) fn failed(error: MigrateError) -> MigrationError {
    match error {
        MigrateError::VersionMissing(version) => MigrationError::Newer { version },
        MigrateError::VersionMismatch(version) => MigrationError::Changed { version },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            fault(error).into()
        }
        other => Fault::corrupt(other).into(),
    }
}

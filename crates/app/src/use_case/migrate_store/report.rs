//! What a migration says of itself.

use domain::ClientId;

/// How many there are of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// In the source.
    pub read: u64,
    /// Not in the target before, or not whole: copied, or in a dry run to be copied.
    pub copied: u64,
    /// In the target before, but not the same: overwritten, or in a dry run to be overwritten.
    pub updated: u64,
    /// In the target already, and the same.
    pub present: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.read += other.read;
        self.copied += other.copied;
        self.updated += other.updated;
        self.present += other.present;
    }
}

/// What became of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogueCopy {
    /// How many scopes the source registers.
    pub scopes: u64,
    /// How many resources.
    pub resources: u64,
    /// What was done, or in a dry run would be done.
    pub outcome: CatalogueOutcome,
    /// What makes the target's what the source's is, line by line, where another was in its place.
    pub differences: Vec<String>,
}

/// What was done with the catalogue, or in a dry run would be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CatalogueOutcome {
    /// The source has none. That of the target is left as it is.
    #[default]
    Nothing,
    /// It is in the target already, and the same.
    Present,
    /// It is copied to where there was none.
    Copied,
    /// It takes the place of another.
    Overwritten,
    /// The target has another, which was left as it is, or a comparison afterwards showed one.
    Differs,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrationReport {
    /// The catalogue.
    pub catalogue: CatalogueCopy,
    /// The clients.
    pub clients: Tally,
    /// Their secrets.
    pub secrets: Tally,
    /// How many secrets were taken from clients that were overwritten, as the source has them not.
    pub removed_secrets: u64,
    /// The clients that are not in the target as they are in the source, each once: another is in
    /// its place, the target has no room for it, or a comparison afterwards showed a difference.
    pub conflicts: Vec<MigrationConflict>,
    /// The clients that are in the target alone. They are left as they are.
    pub extras: Vec<ClientId>,
    /// What a comparison of both afterwards showed; there unless it was a dry run.
    pub verification: Option<Verification>,
}

impl MigrationReport {
    /// Whether everything that is in the source is in the target, or in a dry run would be.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.conflicts.is_empty()
            && self.catalogue.outcome != CatalogueOutcome::Differs
            && self.verification.as_ref().is_none_or(Verification::is_equal)
    }

    pub(super) fn add(&mut self, other: Self) {
        self.clients.add(other.clients);
        self.secrets.add(other.secrets);
        self.removed_secrets += other.removed_secrets;
        self.conflicts.extend(other.conflicts);
    }

    pub(super) fn conflict(&mut self, client: &ClientId, what: String) {
        self.conflicts.push(MigrationConflict { client: client.clone(), what });
    }
}

/// A client that is not in the target as it is in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationConflict {
    /// Which.
    pub client: ClientId,
    /// What differs, or why it was not copied. It shows no value, so no hash of a secret either.
    pub what: String,
}

/// Both sides, compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The source.
    pub source: Fingerprint,
    /// As much of it as is in the target.
    pub target: Fingerprint,
}

impl Verification {
    /// Whether both are the same.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.source == self.target
    }
}

/// Clients and their secrets, in a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// How many clients.
    pub clients: u64,
    /// How many secrets.
    pub secrets: u64,
    /// The SHA-256 digest of all of them in the order of their ids, in hexadecimal digits. Moments
    /// and revisions are left out: some stores count them in their own way.
    pub digest: String,
}

//! How one client is brought to the target.

use domain::port::{InsertClientError, UpdateClientError};
use domain::{Client, ClientState, Credential, Fault};

use super::difference::{Changed, Difference};
use super::report::MigrationReport;
use super::{MigrateStore, MigrationMode};

/// Why a client was not copied as a whole.
enum Hindrance {
    /// Something that somebody has to look at.
    Conflict(String),
    /// See [`Fault`].
    Fault(Fault),
}

impl From<Fault> for Hindrance {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl MigrateStore {
    /// Brings one client to the target, or says what that would do.
    pub(super) async fn client(
        &self,
        client: &Client,
        mode: MigrationMode,
    ) -> Result<MigrationReport, Fault> {
        let id = &client.id;
        let secrets = self.from.credentials.list(id).await?;
        let copy = self.to.clients.find(id).await?;
        let copied = self.to.credentials.list(id).await?;
        let difference = Difference::between(client, &secrets, copy.as_ref(), &copied);
        let is_unpublished =
            copy.as_ref().is_some_and(|copy| is_unpublished(client, copy, &difference));

        let mut done = MigrationReport::default();
        done.clients.read = 1;
        done.secrets.read = secrets.len() as u64;
        if difference.is_in_the_way() && !is_unpublished && !mode.overwrites {
            done.conflict(id, difference.to_string());
            return Ok(done);
        }
        if !mode.is_dry_run {
            match self.carry_over(client, copy.as_ref(), &difference).await {
                Ok(()) => (),
                Err(Hindrance::Fault(fault)) => return Err(fault),
                Err(Hindrance::Conflict(what)) => {
                    done.conflict(id, what);
                    return Ok(done);
                }
            }
        }
        let clients = &mut done.clients;
        *(if difference.is_missing || is_unpublished {
            &mut clients.copied
        } else if difference.members.is_empty() {
            &mut clients.present
        } else {
            &mut clients.updated
        }) = 1;
        done.secrets.copied = difference.missing.len() as u64;
        done.secrets.updated = difference.changed.len() as u64;
        done.secrets.present = difference.same;
        done.removed_secrets = difference.alone.len() as u64;
        Ok(done)
    }

    /// In the order in which a client is at no time without a secret that it should have: what it
    /// lacks comes first, what it should not have goes last.
    async fn carry_over(
        &self,
        client: &Client,
        copy: Option<&Client>,
        difference: &Difference<'_>,
    ) -> Result<(), Hindrance> {
        for secret in &difference.missing {
            self.add(client, secret).await?;
        }
        for changed in &difference.changed {
            self.replace(client, changed).await?;
        }
        match copy {
            None => self.insert(client).await?,
            Some(_) if difference.members.is_empty() => (),
            Some(copy) => self.update(client, copy).await?,
        }
        for secret in &difference.alone {
            self.to.credentials.remove(&client.id, &secret.id).await?;
        }
        Ok(())
    }

    async fn add(&self, client: &Client, secret: &Credential) -> Result<(), Hindrance> {
        if self.to.credentials.insert(&client.id, secret).await? {
            return Ok(());
        }
        Err(Hindrance::Conflict(format!("somebody made the secret {} meanwhile", secret.id)))
    }

    async fn replace(&self, client: &Client, changed: &Changed<'_>) -> Result<(), Hindrance> {
        let Changed { own, copy, members } = changed;
        let credentials = &self.to.credentials;
        if members.as_slice() == ["hash"] {
            // In one step: the client has one of both at any time.
            if credentials.rehash(&client.id, &own.id, &copy.hash, &own.hash).await? {
                return Ok(());
            }
            let what = format!("somebody changed the secret {} meanwhile", own.id);
            return Err(Hindrance::Conflict(what));
        }
        credentials.remove(&client.id, &own.id).await?;
        self.add(client, own).await
    }

    async fn insert(&self, client: &Client) -> Result<(), Hindrance> {
        match self.to.clients.insert(client).await {
            Ok(()) => (),
            Err(InsertClientError::Fault(fault)) => return Err(fault.into()),
            Err(InsertClientError::AlreadyExists) => {
                let what = "somebody made a client with this id meanwhile";
                return Err(Hindrance::Conflict(what.to_owned()));
            }
            Err(error @ InsertClientError::Refused { .. }) => {
                return Err(Hindrance::Conflict(error.to_string()));
            }
        }
        // A store may have a state of its own in which clients begin, such as DRAFT.
        match self.to.clients.find(&client.id).await? {
            Some(stored) if stored.state != client.state => self.update(client, &stored).await,
            Some(_) => Ok(()),
            None => Err(Hindrance::Conflict("somebody removed it meanwhile".to_owned())),
        }
    }

    /// Makes the stored client what `client` is.
    async fn update(&self, client: &Client, stored: &Client) -> Result<(), Hindrance> {
        let updated = Client { revision: stored.revision.next(), ..client.clone() };
        match self.to.clients.update(&updated, stored.revision).await {
            Ok(()) => Ok(()),
            Err(UpdateClientError::Fault(fault)) => Err(fault.into()),
            Err(
                error @ (UpdateClientError::Unknown
                | UpdateClientError::Conflict
                | UpdateClientError::Refused { .. }),
            ) => Err(Hindrance::Conflict(format!(
                "it stays {} in the target: {error}",
                stored.state.name()
            ))),
        }
    }
}

/// Whether a run was broken off after the insert and before the publication: the copy is a draft
/// that nobody touched since it was inserted, and like the client in everything else. Publishing it
/// overwrites nothing that somebody decided.
fn is_unpublished(client: &Client, copy: &Client, difference: &Difference<'_>) -> bool {
    // Stores that count revisions keep ours; those that take the moment of the last write for one
    // have moments of their own.
    let is_untouched = copy.revision == client.revision || copy.created_at == copy.updated_at;
    copy.state == ClientState::Draft
        && is_untouched
        && difference.members == ["state"]
        && difference.changed.is_empty()
        && difference.alone.is_empty()
}

//! A client is disabled, and enabled again.

use std::sync::Arc;
use std::time::Duration;

use domain::management::{Mandate, MandateExceeded};
use domain::port::{ClientRepository, Clock, TokenRepository, UpdateClientError};
use domain::{Client, ClientId, ClientState, Fault};

/// Changes whether a client may be used at all.
#[derive(Clone)]
pub struct ChangeState {
    /// Where clients are kept.
    pub clients: Arc<dyn ClientRepository>,
    /// Which tokens were taken back.
    pub tokens: Arc<dyn TokenRepository>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How long the longest token lives.
    pub longest_lifetime: Duration,
}

/// Why the state is what it was.
#[derive(Debug, thiserror::Error)]
pub enum ChangeStateError {
    /// There is no such client.
    #[error("there is no client with this id")]
    Unknown,
    /// Others kept changing the client.
    #[error("the client is being changed by others: try again")]
    Conflict,
    /// The client has, or would get, a right that the caller lacks.
    #[error(transparent)]
    Exceeded(#[from] MandateExceeded),
    /// See [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl ChangeState {
    /// Runs the use-case. A client that is disabled loses every token it has, and enabling it
    /// again does not bring them back, nor those that a node issued which had not heard of it yet.
    /// A token counts whole seconds: one that is issued in the very second in which the client is
    /// enabled is lost with them. Its registration access token is lost for good. Doing so twice is doing so once.
    ///
    /// # Errors
    ///
    /// See [`ChangeStateError`].
    #[tracing::instrument(level = "debug", name = "change_state", skip_all)]
    pub async fn execute(
        &self,
        id: &ClientId,
        state: ClientState,
        mandate: &Mandate,
    ) -> Result<Client, ChangeStateError> {
        if state == ClientState::Public {
            let stored = self.clients.find(id).await?.ok_or(ChangeStateError::Unknown)?;
            mandate.check(Some(&stored), None)?;
            if stored.is_enabled() {
                return Ok(stored);
            }
            self.revoke_tokens(id).await?;
            return self.with_state(id, state, mandate).await;
        }
        let client = self.with_state(id, state, mandate).await?;
        self.revoke_tokens(id).await?;
        Ok(client)
    }

    async fn revoke_tokens(&self, id: &ClientId) -> Result<(), Fault> {
        let now = self.clock.now();
        self.tokens.revoke_client(id, now, now.after(self.longest_lifetime)).await
    }

    /// An operator who disables a client means it: a change by somebody else does not stop it.
    async fn with_state(
        &self,
        id: &ClientId,
        state: ClientState,
        mandate: &Mandate,
    ) -> Result<Client, ChangeStateError> {
        for _ in 0..5 {
            let mut client = self.clients.find(id).await?.ok_or(ChangeStateError::Unknown)?;
            mandate.check(Some(&client), None)?;
            if client.state == state {
                return Ok(client);
            }
            let stored = client.revision;
            // Before and after: what was disabled does not come back with what is enabled.
            client.end_lapsed_self_management();
            client.state = state;
            client.end_lapsed_self_management();
            client.revision = stored.next();
            client.updated_at = self.clock.now();
            match self.clients.update(&client, stored).await {
                Ok(()) => return Ok(client),
                Err(UpdateClientError::Conflict) => (),
                Err(UpdateClientError::Unknown) => return Err(ChangeStateError::Unknown),
                // Nothing is changed but the state, which every store takes.
                Err(error @ UpdateClientError::Refused { .. }) => {
                    return Err(Fault::corrupt(error).into());
                }
                Err(UpdateClientError::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(ChangeStateError::Conflict)
    }
}

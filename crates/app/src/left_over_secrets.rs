//! Secrets of a client that uses keys.

use domain::port::CredentialRepository;
use domain::{Client, Fault};

/// Removes what secrets a client that uses keys still has: those of a change that a fault broke off
/// between the client and its secrets, or that were being made while it went over to keys. They are
/// worth nothing, and would be worth something again once the client uses secrets. One that was made
/// after `client` was last changed stays: it belongs to a change that is under way.
pub(crate) async fn remove_left_overs(
    credentials: &dyn CredentialRepository,
    client: &Client,
) -> Result<(), Fault> {
    if client.authentication.uses_secret() {
        return Ok(());
    }
    for credential in credentials.look_again(&client.id).await? {
        if credential.created_at <= client.updated_at {
            credentials.remove(&client.id, &credential.id).await?;
        }
    }
    Ok(())
}

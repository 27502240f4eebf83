//! `tokenwright bootstrap-token`.

use serde_json::json;

use super::CommandError;
use super::output::Output;
use crate::service::Commands;
use crate::settings::{Management, Settings};

/// Makes a new bootstrap token, and prints it this once.
pub(crate) async fn run(settings: &Settings, output: &Output) -> Result<(), CommandError> {
    match &settings.management {
        Management::Bootstrap => (),
        Management::Token(_) => {
            return Err(CommandError::Refused(
                "management.token is configured, and takes the place of a bootstrap token"
                    .to_owned(),
            ));
        }
        Management::None => {
            return Err(CommandError::Refused(
                "management.authentication is none: no token is asked for".to_owned(),
            ));
        }
    }
    let token = Commands::open(settings).await?.replace_bootstrap_token.execute().await?;
    let document = json!({"bootstrap_token": token.expose()});
    output.print(&document, &[token.expose().to_owned()]);
    Ok(())
}

//! `tokenwright migrate`.

use serde_json::{Value, json};

use super::CommandError;
use super::output::Output;
use crate::settings::Settings;
use crate::wiring::Stores;

/// Applies what is missing, and says where each store stands.
pub(crate) async fn run(settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let stores = Stores::open(settings).await?;
    let mut documents = Vec::new();
    let mut lines = Vec::new();
    for (store, applied) in stores.migrate().await? {
        documents.push(json!({"store": store, "applied": applied}));
        lines.push(match applied.as_slice() {
            [] => format!("{store}: nothing to do"),
            _ => format!("{store}: applied {}", applied.join(", ")),
        });
    }
    output.print(&Value::from(documents), &lines);
    Ok(())
}

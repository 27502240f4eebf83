//! `tokenwright check`.

use serde_json::json;

use super::CommandError;
use super::output::Output;
use crate::settings::Settings;
use crate::{serve, wiring};

/// Says whether the server would start: the configuration was read already, with every file it
/// names but the keys and the certificate, which are read here.
pub(crate) fn run(settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let mut notices = settings.notices.clone();
    notices.extend(wiring::check_keys(settings)?);
    wiring::check_client_keys(settings)?;
    wiring::check_stores(settings)?;
    serve::check_tls(settings)?;
    let mut lines = vec!["the configuration is right".to_owned()];
    lines.extend(notices.iter().map(|notice| format!("note: {notice}")));
    output.print(&json!({"ok": true, "notices": notices}), &lines);
    Ok(())
}

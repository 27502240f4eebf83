//! One module for each thing a caller can ask for.

pub(crate) mod add_secret;
pub(crate) mod authenticate_client;
pub(crate) mod authorize_management;
pub(crate) mod bootstrap;
pub(crate) mod change_state;
pub(crate) mod delete_client;
pub(crate) mod ensure_keys;
pub(crate) mod find_client;
pub(crate) mod introspect_token;
pub(crate) mod issue_token;
pub(crate) mod list_clients;
pub(crate) mod list_secrets;
pub(crate) mod manage_registration;
pub(crate) mod migrate_store;
pub(crate) mod refresh_keys;
pub(crate) mod register_client;
pub(crate) mod revoke_key;
pub(crate) mod revoke_secret;
pub(crate) mod revoke_token;
pub(crate) mod rotate_keys;
pub(crate) mod rotate_secret;
pub(crate) mod survey_secrets;
pub(crate) mod tend_keys;
pub(crate) mod token_info;
pub(crate) mod undo_registrations;
pub(crate) mod update_client;

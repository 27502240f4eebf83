//! What the service *does*: one file for each thing a caller can ask for.
//!
//! A use-case fetches through ports, lets the domain decide, and writes. Its dependencies are
//! public fields: the struct literals of `wiring.rs` are the container.

mod catalogue_in_use;
mod changes;
mod client_metadata;
pub mod gateway;
mod informative_changes;
mod key_changes;
mod left_over_secrets;
mod make;
mod settings_changes;
mod use_case;

pub use catalogue_in_use::CatalogueInUse;
pub use changes::{
    ChangesError, ClientsPlan, CommitChanges, CommittedChanges, DesiredClient, DiscardChanges,
    DraftChanges, DraftProblem, DraftRequest, EditChanges, FindChanges, ListChanges, PlanClients,
    Pruning, ReviewChanges, ReviewedChanges, RollBackChanges, SettleChanges, Staging,
    client_problems,
};
pub use client_metadata::{
    Authority, ClientChanges, InvalidMetadata, NewClient, RegistrationRules,
};
pub use use_case::add_secret::{AddSecret, AddSecretError, AddSecretRequest, AddedSecret};
pub use use_case::authenticate_client::{
    AuthenticateClient, AuthenticateClientError, AuthenticatedClient, PresentedCredentials,
    PresentedSecret,
};
pub use use_case::authorize_management::{
    AuthorizeManagement, AuthorizeManagementError, ManagementAuthentication, Manager,
};
pub use use_case::bootstrap::{ClaimBootstrapToken, ReplaceBootstrapToken};
pub use use_case::change_state::{ChangeState, ChangeStateError};
pub use use_case::delete_client::{DeleteClient, DeleteClientError};
pub use use_case::edit_catalogue::{EditCatalogue, EditCatalogueError, Expectation};
pub use use_case::ensure_keys::{EnsureKeys, EnsureKeysError};
pub use use_case::find_client::FindClient;
pub use use_case::introspect_token::{
    IntrospectToken, IntrospectTokenError, Introspection, IntrospectionAnswer,
};
pub use use_case::issue_token::{IssueToken, IssueTokenError, IssueTokenRequest, IssuedToken};
pub use use_case::list_clients::{ListClients, MAX_PAGE};
pub use use_case::list_secrets::ListSecrets;
pub use use_case::manage_registration::{ManageRegistration, ManageRegistrationError};
pub use use_case::migrate_store::{
    CatalogueCopy, CatalogueOutcome, ClientStores, Fingerprint, MigrateStore, MigrationConflict,
    MigrationMode, MigrationReport, Tally, Verification,
};
pub use use_case::preview_token::{PreviewToken, PreviewTokenError, PreviewedToken};
pub use use_case::read_catalogue::ReadCatalogue;
pub use use_case::refresh_catalogue::RefreshCatalogue;
pub use use_case::refresh_keys::{Installed, RefreshKeys};
pub use use_case::register_client::{RegisterClient, RegisterClientError, RegisteredClient};
pub use use_case::revoke_key::{RevokeKey, RevokeKeyError};
pub use use_case::revoke_secret::{RevokeSecret, RevokeSecretError};
pub use use_case::revoke_token::{RevokeToken, RevokeTokenError};
pub use use_case::rotate_keys::{RotateKeys, RotateKeysError};
pub use use_case::rotate_secret::RotateSecret;
pub use use_case::survey_secrets::{SecretsSurvey, SurveySecrets};
pub use use_case::tend_keys::{TendKeys, TendedKeys};
pub use use_case::token_info::{TokenInfo, TokenInfoError};
pub use use_case::undo_registrations::{UndoRegistrations, Unfinished};
pub use use_case::update_client::{UpdateClient, UpdateClientError};

//! Changes of clients that are drafted, reviewed, committed at once and rolled back at once.

mod carry_out;
mod commit;
mod discard;
mod draft;
mod find;
mod plan;
mod plan_clients;
mod problems;
mod review;
mod roll_back;
mod settle;
mod staging;

pub use commit::{CommitChanges, CommittedChanges};
pub use discard::DiscardChanges;
pub use draft::{DraftChanges, DraftRequest, EditChanges};
pub use find::{FindChanges, ListChanges};
pub use plan_clients::{ClientsPlan, DesiredClient, PlanClients, Pruning};
pub use problems::{DraftProblem, client_problems};
pub use review::{ReviewChanges, ReviewedChanges};
pub use roll_back::RollBackChanges;
pub use settle::SettleChanges;
pub use staging::{ChangesError, Staging};

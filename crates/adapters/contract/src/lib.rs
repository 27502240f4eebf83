//! What every adapter of a port must do, written once and run against each of them.
//!
//! One module per port, one `pub async fn` per promise, and one macro per module that turns the
//! promises into named tests of an adapter.
//!
//! # How to test an adapter of your own
//!
//! Add this crate to the `[dev-dependencies]` of the adapter, with the runtime of your choice, and
//! write one module per port into `tests/contract.rs`:
//!
//! ```ignore
//! mod client_repository {
//!     contract::client_repository! {
//!         #[tokio::test]
//!         fixture() {
//!             let database = EmptyDatabase::create().await;
//!             (MyClients::new(database.url()), database)
//!         }
//!     }
//! }
//! ```
//!
//! The block runs once for each test, inside its `async fn`, so `.await` works in it. It yields a
//! pair: an *empty* store, and whatever has to live as long as the test (`()` if nothing has to).
//! The attribute is any that makes a test of an `async fn`; one that hands over an argument
//! (`#[sqlx::test]`) works with `fixture(pool: PgPool) { .. }`.
//!
//! A promise that is not kept shows as `contract client_repository::of_concurrent_inserts_one_wins`
//! in the list of failed tests. The suites need nothing but the ports: an adapter may forbid
//! nothing that a domain value can hold.

#![expect(
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a contract suite is test code: panicking is how it speaks"
)]

pub mod bootstrap_repository;
pub mod catalogue_repository;
pub mod change_feed;
pub mod change_set_repository;
pub mod client_directory;
pub mod client_repository;
pub mod client_transaction;
pub mod credential_repository;
pub mod key_repository;
pub mod login_ledger;
pub mod mac_verifier;
pub mod reference_token_repository;
pub mod replay_guard;
pub mod sample;
pub mod secret_hasher;
pub mod token_cache;
pub mod token_repository;

/// Declares one test per listed case. Used by the macros of the suites.
#[doc(hidden)]
#[macro_export]
macro_rules! __cases {
    ($suite:ident, $attr:tt, $param:tt, $make:tt, $($case:ident),+ $(,)?) => {
        $( $crate::__case!($suite, $attr, $param, $make, $case); )+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __case {
    ($suite:ident, [$(#[$attr:meta])+], [$($arg:ident: $ty:ty)?], [$make:block], $case:ident) => {
        $(#[$attr])+
        async fn $case($($arg: $ty)?) {
            let (store, _guard) = $make;
            $crate::$suite::$case(&store).await;
        }
    };
}

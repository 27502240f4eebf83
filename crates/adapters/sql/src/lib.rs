//! The ports on SQLite and on PostgreSQL.
//!
//! [`SqliteStores`] and [`PgStores`] implement every storage port. What a port does is written
//! once, over [`Engine`]: one statement that reads, or one statement that writes. A statement is
//! atomic by itself in both databases, so no method can leave half of its work behind. What changes
//! several rows that belong together (`ClientTransaction`) is one transaction.
//!
//! The schema is in `migrations/sqlite` and `migrations/postgres`, is embedded in the binary, and
//! is applied by [`Stores::migrate`].

mod engine;
mod fault;
mod migration;
mod number;
mod ports;
mod rows;
mod stores;
mod sweep;

pub use engine::postgres::{InvalidPgUrl, PgOptions, Postgres};
pub use engine::sqlite::{Sqlite, SqliteOptions};
pub use engine::{Argument, Engine, FromEitherRow, Step};
pub use migration::{MigrationError, MigrationStatus};
pub use stores::{PgStores, SqliteStores, Stores};

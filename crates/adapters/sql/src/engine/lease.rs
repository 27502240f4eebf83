//! A connection that goes back to the pool only if its work was done.

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};

/// A connection that goes back to the pool only if its work was done: where it failed, took too
/// long or was given up, nobody knows what is still under way on it, and it is closed.
pub(super) struct Lease {
    connection: PoolConnection<Postgres>,
    is_done: bool,
}

impl Lease {
    pub(super) fn new(connection: PoolConnection<Postgres>) -> Self {
        Self { connection, is_done: false }
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Gives the connection back.
    pub(super) fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.is_done {
            self.connection.close_on_drop();
        }
    }
}

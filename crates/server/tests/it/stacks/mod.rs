//! The four ways to keep state, each on real servers; and what is true of all of them.
//!
//! | stack | clients | secrets | revocations, used assertions | keys |
//! |---|---|---|---|---|
//! | `sqlite` | SQLite | SQLite | SQLite | files |
//! | `postgres` | PostgreSQL | PostgreSQL | PostgreSQL | PostgreSQL |
//! | `postgres_redis` | PostgreSQL | PostgreSQL | Redis | PostgreSQL |
//! | `mia` | crud-service | MongoDB | Redis | a file |

mod changes;
mod faults;
mod ground;
mod migration;
mod nodes;
mod suite;
mod vendor;

//! Where a server keeps its state, and how it is told.

use std::ffi::OsString;

use crate::{Options, crud_service::CrudService};

/// Who issues the tokens of every stack.
pub(crate) const ISSUER: &str = "https://tokens.example";

/// The databases that `cargo xtask bench stacks` makes.
const POSTGRES_DATABASE: &str = "bench_postgres";
const POSTGRES_REDIS_DATABASE: &str = "bench_postgres_redis";

/// The server's own; the crud-service has another one.
const MONGODB_DATABASE: &str = "bench";

/// Where state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stack {
    /// The embedded store.
    Sqlite,
    /// PostgreSQL for everything.
    Postgres,
    /// PostgreSQL, with Redis for what is short-lived.
    PostgresRedis,
    /// The stores of the Mia-Platform service: crud-service, MongoDB and Redis. They are named one
    /// by one, since its own variables would bring an RSA key: with ES256, like is compared to like.
    Mia,
}

impl Stack {
    /// All of them.
    pub(crate) const ALL: [Self; 4] =
        [Self::Sqlite, Self::Postgres, Self::PostgresRedis, Self::Mia];

    /// What reports call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::PostgresRedis => "postgres+redis",
            Self::Mia => "mia",
        }
    }

    /// The environment of its server.
    pub(crate) fn settings(self, options: &Options, crud: &CrudService) -> Vec<(String, OsString)> {
        let postgres = |database: &str| {
            vec![
                ("STORES__DEFAULT", "postgres".to_owned()),
                ("POSTGRES__URL", format!("{}/{database}", options.postgres)),
            ]
        };
        let short_lived = |prefix: &str| {
            vec![
                ("STORES__TOKENS", "redis".to_owned()),
                ("STORES__REPLAY", "redis".to_owned()),
                ("REDIS__HOSTS", options.redis.clone()),
                ("REDIS__KEY_PREFIX", prefix.to_owned()),
            ]
        };
        let stores = match self {
            Self::Sqlite => Vec::new(),
            Self::Postgres => postgres(POSTGRES_DATABASE),
            Self::PostgresRedis => {
                [postgres(POSTGRES_REDIS_DATABASE), short_lived("bench-postgres:")].concat()
            }
            Self::Mia => {
                let own = vec![
                    ("STORES__DEFAULT", "mongodb".to_owned()),
                    ("STORES__CLIENTS", "crud".to_owned()),
                    ("CRUD__BASE_URL", crud.url.clone()),
                    ("MONGODB__URL", options.mongodb.clone()),
                    ("MONGODB__DATABASE", MONGODB_DATABASE.to_owned()),
                    ("MONGODB__CLIENT_ID_SALT", "the-salt-of-the-benchmark".to_owned()),
                ];
                [own, short_lived("bench-mia:")].concat()
            }
        };
        let alike = [
            ("TOKENS__ISSUER", ISSUER.to_owned()),
            ("TOKENS__ALGORITHM", "ES256".to_owned()),
            ("REGISTRATION__KEY_ALGORITHMS", "ES256".to_owned()),
            // A cold token waits for a hash: a cheap one leaves the store to be seen. Warm tokens
            // wait for none.
            ("SECRETS__BCRYPT_COST", "4".to_owned()),
        ];
        let variable =
            |(name, value): (&str, String)| (format!("TOKENWRIGHT__{name}"), OsString::from(value));
        stores.into_iter().chain(alike).map(variable).collect()
    }
}

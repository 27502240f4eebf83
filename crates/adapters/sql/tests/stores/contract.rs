//! Every suite of `contract`, on both databases.

macro_rules! suites {
    ($database:ident, $scratch:ty: $($suite:ident),+ $(,)?) => {
        mod $database {
            $(mod $suite {
                contract::$suite! {
                    #[tokio::test]
                    fixture() { crate::scratch::stores::<$scratch>().await }
                }
            })+
        }
    };
}

macro_rules! suites_on {
    ($($database:ident: $scratch:ty),+) => {
        $(suites! {
            $database, $scratch:
            bootstrap_repository,
            catalogue_repository,
            change_set_repository,
            client_directory,
            client_repository,
            client_transaction,
            credential_repository,
            key_repository,
            login_ledger,
            reference_token_repository,
            replay_guard,
            token_repository,
        })+
    };
}

suites_on!(sqlite: crate::scratch::SqliteFile, postgres: crate::scratch::PgDatabase);

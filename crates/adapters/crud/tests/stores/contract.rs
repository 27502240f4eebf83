//! Every suite of `contract`, on both versions of the service.

macro_rules! suites {
    ($version:ident, $dialect:ident: $($suite:ident),+ $(,)?) => {
        mod $version {
            $(mod $suite {
                contract::$suite! {
                    #[tokio::test]
                    fixture() { crate::scratch::extended(crud_service::Dialect::$dialect) }
                }
            })+
        }
    };
}

suites!(v7, V7: client_directory, client_repository, login_ledger);
suites!(v6, V6: client_directory, client_repository, login_ledger);

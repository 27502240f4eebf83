//! What every test begins with.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::testing::ManualClock;
use adapter_oauth_client::{OauthClient, OauthClientOptions};
use domain::gateway::{ClientAuthentication, FetchCredentials, TokenFetch};
use url::Url;

/// Options under which a test of retries takes no time.
pub(crate) fn options() -> OauthClientOptions {
    OauthClientOptions {
        timeout: Duration::from_secs(2),
        total_timeout: Duration::from_secs(10),
        first_pause: Duration::from_millis(1),
        ..OauthClientOptions::default()
    }
}

pub(crate) fn client(options: OauthClientOptions) -> OauthClient {
    client_at(options, &Arc::new(ManualClock::default()))
}

pub(crate) fn client_at(options: OauthClientOptions, clock: &Arc<ManualClock>) -> OauthClient {
    // Whoever comes second finds it done.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    OauthClient::new(options, Arc::clone(clock) as _).unwrap()
}

pub(crate) fn fetch(url: Url) -> TokenFetch {
    TokenFetch {
        url,
        credentials: FetchCredentials::new("i d".to_owned(), "s:ü+".to_owned()).unwrap(),
        authentication: ClientAuthentication::Params,
        assertion_audience: None,
        audience: None,
        scopes: Vec::new(),
        arguments: Vec::new(),
        headers: Vec::new(),
        salt: "".into(),
    }
}

//! Clients that register themselves (RFC 7591), and then ask for a token.

use serde_json::json;

use crate::ground::{STANDARD, options, step, with};
use crate::scripts::Library;
use crate::support::Server;

#[tokio::test]
async fn libraries_of_node_register_a_client_and_use_it() {
    let server = Server::start_with(options());
    for library in [Library::OpenidClient, Library::Oauth4webapi] {
        for method in ["client_secret_basic", "client_secret_post"] {
            let metadata = json!({
                "client_name": "registers itself",
                "token_endpoint_auth_method": method,
                "grant_types": ["client_credentials"],
                "response_types": [],
            });
            let more = json!({"metadata": metadata, "algorithm": "oauth2"});
            let outcomes =
                library.takes(&[with(step("register", &json!({}), STANDARD, &server), &more)]);

            let told = outcomes[0].told(&format!("{library:?}, {method}"));
            let registered = &told["registered"];
            assert_eq!(registered["client_name"], "registers itself", "{registered}");
            assert_eq!(registered["token_endpoint_auth_method"], method, "{registered}");
            assert_eq!(registered["client_secret_expires_at"], 0, "{registered}");
            assert!(told["token"]["access_token"].is_string(), "{library:?}");
        }
    }
}

/// RFC 7591 section 3.2.2.
#[tokio::test]
async fn a_registration_that_is_refused_is_the_librarys_own_error() {
    let server = Server::start_with(options());
    for library in [Library::OpenidClient, Library::Oauth4webapi] {
        let metadata = json!({"client_name": "x", "token_endpoint_auth_method": "none"});
        let more = json!({"metadata": metadata, "algorithm": "oauth2"});
        let outcomes =
            library.takes(&[with(step("register", &json!({}), STANDARD, &server), &more)]);

        let error = outcomes[0].error();
        assert_eq!(error["class"], "ResponseBodyError", "{error}");
        assert_eq!(error["code"], "invalid_client_metadata", "{error}");
        let description = error["description"].as_str().unwrap();
        assert!(description.contains("token_endpoint_auth_method"), "{error}");
    }
}

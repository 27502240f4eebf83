//! What a provider publishes, and what a server says of a token.

use domain::gateway::{ClientAuthentication, FetchCredentials, FetchFailure};
use domain::port::{
    IntrospectionEndpoint as _, IntrospectionQuestion, ProviderDocuments as _, SecretText,
};

use crate::bad_server::{BadServer, Reply, answer, error};
use crate::support::{client, options};

#[tokio::test]
async fn a_document_is_there_or_not() {
    let server = BadServer::replying(&[answer(200, &[], "{}"), answer(404, &[], "x")]).await;
    let client = client(options());

    assert_eq!(client.document(&server.url("/a")).await.unwrap().as_deref(), Some(&b"{}"[..]));
    assert_eq!(client.document(&server.url("/b")).await.unwrap(), None);
    assert!(server.seen()[0].head.starts_with("GET /a HTTP/1.1"));
}

#[tokio::test]
async fn t27_a_document_is_fetched_as_carefully_as_a_token() {
    let elsewhere = BadServer::replying(&[answer(200, &[], "{}")]).await;
    let location = format!("Location: {}", elsewhere.url("/"));
    let large = answer(200, &[], &" ".repeat((1 << 20) + 1));
    for reply in [answer(302, &[&location], ""), large] {
        let server = BadServer::replying(&[reply]).await;

        let failure = client(options()).document(&server.url("/")).await.unwrap_err();

        assert!(matches!(failure, FetchFailure::Unusable(_)), "{failure:?}");
    }
    assert!(elsewhere.seen().is_empty());

    let server = BadServer::replying(&[answer(503, &[], ""), answer(200, &[], "{}")]).await;
    assert!(client(options()).document(&server.url("/")).await.unwrap().is_some());
}

async fn introspected(reply: Reply) -> Result<Option<bool>, FetchFailure> {
    let server = BadServer::replying(&[reply]).await;
    let url = server.url("/introspect");
    let credentials = FetchCredentials::new("gateway".to_owned(), "secret".to_owned()).unwrap();
    let question = IntrospectionQuestion {
        url: &url,
        token: SecretText("opaque"),
        credentials: &credentials,
        authentication: ClientAuthentication::Header,
        assertion_audience: None,
    };

    let answer = client(options()).introspect(&question).await?;

    let seen = &server.seen()[0];
    assert_eq!(seen.member("token").as_deref(), Some("opaque"));
    assert_eq!(seen.header("authorization").as_deref(), Some("Basic Z2F0ZXdheTpzZWNyZXQ="));
    assert!(!format!("{question:?}").contains("opaque"));
    Ok(answer.map(|claims| claims.get("scope").is_some()))
}

#[tokio::test]
async fn a_token_is_active_only_where_the_server_says_so() {
    let say = |body: &str| introspected(answer(200, &[], body));

    assert_eq!(say(r#"{"active":true,"scope":"a"}"#).await.unwrap(), Some(true));
    assert_eq!(say(r#"{"active":false,"scope":"a"}"#).await.unwrap(), None);
    for bad in [
        "{}",
        r#"{"active":"true"}"#,
        r#"{"active":1}"#,
        r#"{"active":true,"active":true}"#,
        "",
        "x",
    ] {
        assert!(matches!(say(bad).await, Err(FetchFailure::Unusable(_))), "{bad}");
    }
    let long = format!(r#"{{"active":true,"x":"{}"}}"#, "x".repeat(128 * 1024));
    assert!(matches!(say(&long).await, Err(FetchFailure::Unusable(_))));
    assert!(matches!(
        introspected(error(401, "invalid_client")).await,
        Err(FetchFailure::Refused(_))
    ));
}

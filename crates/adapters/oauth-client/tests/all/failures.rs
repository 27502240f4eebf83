//! What is tried again, for how long, and what it comes down to.

use std::time::Duration;

use adapter_oauth_client::OauthClientOptions;
use domain::gateway::{Ending, FetchFailure, FetchedToken};
use domain::port::{Clock as _, TokenEndpoint as _};
use tokio::time::Instant;

use crate::bad_server::{BadServer, Reply, answer, error, token};
use crate::support::{client, fetch, options};

async fn fetched(
    options: OauthClientOptions,
    script: &[Reply],
) -> (Result<FetchedToken, FetchFailure>, usize) {
    let server = BadServer::replying(script).await;
    let outcome = client(options).fetch(&fetch(server.url("/token"))).await;
    (outcome, server.seen().len())
}

#[tokio::test]
async fn what_may_be_over_is_tried_again_and_the_last_try_decides() {
    for (name, bad) in [
        ("429", answer(429, &[], "")),
        ("500", answer(500, &[], "")),
        ("502", answer(502, &[], "<html>")),
        ("503", answer(503, &[], "")),
        ("closed", Reply::Close),
        ("cut", Reply::Raw(b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{\"acc".to_vec())),
    ] {
        let (outcome, tries) =
            fetched(options(), &[bad.clone(), bad.clone(), bad.clone(), token("")]).await;
        assert_eq!(outcome.unwrap().as_str(), "t", "{name}");
        assert_eq!(tries, 4, "{name}");

        let (outcome, tries) =
            fetched(options(), &[bad.clone(), error(401, "invalid_client")]).await;
        assert!(matches!(outcome, Err(FetchFailure::Refused(_))), "{name}");
        assert_eq!(tries, 2, "{name}");

        let (outcome, tries) = fetched(options(), &[bad]).await;
        let failure = outcome.unwrap_err();
        let is_right = match name {
            "429" => matches!(failure, FetchFailure::Throttled { .. }),
            "closed" | "cut" => matches!(failure, FetchFailure::Unreachable(_)),
            status => {
                matches!(failure, FetchFailure::Failing { status: it, .. } if it.to_string() == status)
            }
        };
        assert!(is_right, "{name}: {failure:?}");
        assert_eq!(tries, 4, "{name}");
    }
}

#[tokio::test]
async fn what_will_not_change_is_not_tried_again() {
    for (name, bad) in [
        ("400", error(400, "invalid_scope")),
        ("401", error(401, "invalid_client")),
        ("403", answer(403, &[], "")),
        ("404", answer(404, &[], "")),
        ("501", answer(501, &[], "")),
        ("201", answer(201, &[], r#"{"access_token":"t"}"#)),
        ("204", answer(204, &[], "")),
        ("truncated", answer(200, &[], r#"{"access_token":"t""#)),
        ("html", answer(200, &[], "<html>")),
        ("no token", answer(200, &[], "{}")),
    ] {
        let (outcome, tries) = fetched(options(), &[bad, token("")]).await;

        assert!(outcome.is_err(), "{name}");
        assert_eq!(tries, 1, "{name}");
    }
}

#[tokio::test]
async fn each_refusal_is_told_apart() {
    for (reply, is_ours) in [
        (error(400, "invalid_scope"), true),
        (error(400, "invalid_target"), true),
        (error(400, "invalid_request"), true),
        (error(400, "invalid_client"), false),
        (error(400, "unauthorized_client"), false),
        (error(400, "\\n"), false),
        (answer(400, &[], "<html>"), false),
        (error(401, "invalid_scope"), false),
        (answer(403, &[], ""), false),
        (answer(404, &[], ""), false),
    ] {
        match fetched(options(), &[reply]).await.0.unwrap_err() {
            FetchFailure::Misconfigured(refusal) => assert!(is_ours, "{refusal}"),
            FetchFailure::Refused(refusal) => assert!(!is_ours, "{refusal}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn t27_a_redirect_is_never_followed() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = BadServer::replying(&[token("")]).await;
        let location = format!("Location: {}", elsewhere.url("/token"));

        let (outcome, tries) = fetched(options(), &[answer(status, &[&location], "")]).await;

        assert!(matches!(outcome, Err(FetchFailure::Unusable(_))), "{status}");
        assert_eq!((tries, elsewhere.seen().len()), (1, 0), "{status}");
    }
}

#[tokio::test]
async fn t27_an_answer_beyond_a_mebibyte_is_not_read() {
    let large = |bytes: usize| token(&format!(r#","x":"{}""#, "x".repeat(bytes)));
    let (outcome, _) = fetched(options(), &[large(1_000_000)]).await;
    assert!(outcome.is_ok());

    let (outcome, tries) = fetched(options(), &[large(1_048_576)]).await;
    assert!(matches!(outcome, Err(FetchFailure::Unusable(_))));
    assert_eq!(tries, 1);

    // Without a length, and without an end.
    let endless = [b"HTTP/1.1 200 X\r\n\r\n".to_vec(), vec![b' '; 8 << 20]].concat();
    let (outcome, _) = fetched(options(), &[Reply::Stall(endless)]).await;
    assert!(matches!(outcome, Err(FetchFailure::Unusable(_))));
}

#[tokio::test]
async fn t48_a_slow_server_is_given_up_for_each_try_and_in_all() {
    let headers = b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{".to_vec();
    for slow in [Reply::Stall(Vec::new()), Reply::Stall(headers)] {
        let options = OauthClientOptions {
            timeout: Duration::from_millis(100),
            total_timeout: Duration::from_millis(250),
            max_retries: 9,
            ..options()
        };
        let begin = Instant::now();

        let (outcome, tries) = fetched(options, std::slice::from_ref(&slow)).await;

        assert!(matches!(outcome, Err(FetchFailure::Late)));
        assert!((2..=3).contains(&tries), "{tries}");
        assert!(begin.elapsed() < Duration::from_millis(1_500));
    }
    let options = OauthClientOptions { timeout: Duration::from_millis(200), ..options() };
    let (outcome, _) = fetched(options, &[Reply::Stall(Vec::new()), token("")]).await;
    assert!(outcome.is_ok());
}

#[tokio::test]
async fn retry_after_is_honoured_and_handed_on() {
    let begin = Instant::now();
    let (outcome, _) = fetched(options(), &[answer(503, &["Retry-After: 1"], ""), token("")]).await;
    assert!(outcome.is_ok());
    assert!(Duration::from_secs(1) <= begin.elapsed());

    // What lies beyond the deadline is not waited for.
    for status in [429, 503] {
        let begin = Instant::now();
        let (outcome, tries) =
            fetched(options(), &[answer(status, &["Retry-After: 20"], "")]).await;
        let pause = match outcome.unwrap_err() {
            FetchFailure::Throttled { retry_after } | FetchFailure::Failing { retry_after, .. } => {
                retry_after
            }
            other => panic!("{other:?}"),
        };
        assert_eq!((pause, tries), (Some(Duration::from_secs(20)), 1));
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
    // Other statuses have no say in it.
    let begin = Instant::now();
    let (outcome, _) = fetched(options(), &[answer(500, &["Retry-After: 9"], ""), token("")]).await;
    assert!(outcome.is_ok());
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn no_retry_means_one_try() {
    let options = OauthClientOptions { max_retries: 0, ..options() };

    let (outcome, tries) = fetched(options, &[answer(500, &[], ""), token("")]).await;

    assert!(matches!(outcome, Err(FetchFailure::Failing { status: 500, .. })));
    assert_eq!(tries, 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/token?hunter2=1").parse().unwrap();

    let failure = client(options()).fetch(&fetch(url)).await.unwrap_err();

    assert!(matches!(failure, FetchFailure::Unreachable(_)));
    assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
}

#[tokio::test]
async fn who_goes_away_ends_the_tries() {
    let server = BadServer::replying(&[answer(503, &[], "")]).await;
    let options = OauthClientOptions {
        max_retries: 1_000,
        first_pause: Duration::from_millis(20),
        ..options()
    };
    let client = client(options);

    let fetch = fetch(server.url("/token"));
    let gone = tokio::time::timeout(Duration::from_millis(200), client.fetch(&fetch)).await;
    assert!(gone.is_err());
    let tries = server.seen().len();
    tokio::time::sleep(Duration::from_millis(300)).await;

    assert!(0 < tries);
    assert_eq!(server.seen().len(), tries);
}

#[tokio::test]
async fn expires_in_comes_in_every_shape() {
    let now = adapter_memory::testing::ManualClock::default().now();
    let at = |seconds| Ending::At(now.after(Duration::from_secs(seconds)));
    for (members, expected) in [
        (r#","expires_in":60"#, at(60)),
        (r#","expires_in":"60""#, at(60)),
        (r#","expires_in":0"#, Ending::Spent),
        ("", Ending::Unknown),
        (r#","expires_in":"soon""#, Ending::Unknown),
        (r#","token_type":"bearer","expires_in":60"#, at(60)),
    ] {
        let (outcome, _) = fetched(options(), &[token(members)]).await;

        assert_eq!(outcome.unwrap().ends(), expected, "{members}");
    }
}

#[tokio::test]
async fn a_proxy_is_asked_in_place_of_the_server() {
    let proxy = BadServer::replying(&[token("")]).await;
    let options = OauthClientOptions { proxy: Some(proxy.url("/")), ..options() };
    let url = "http://as.example/token".parse().unwrap();

    client(options).fetch(&fetch(url)).await.unwrap();

    assert!(proxy.seen()[0].head.starts_with("POST http://as.example/token HTTP/1.1"));
}

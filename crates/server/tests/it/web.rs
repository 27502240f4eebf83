//! HTTP itself: methods, paths, bodies, headers, and those who write them wrongly on purpose.

use std::io::Write as _;
use std::time::Duration;

use openssl::hash::MessageDigest;
use proptest::test_runner::{Config, TestRunner};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::jwt::GRANT;
use crate::support::raw::{Raw, exchange, form_request, statuses};
use crate::support::{Answer, MANAGEMENT_TOKEN, Options, Server, claims};

const FORM: &str = "application/x-www-form-urlencoded";

fn quick() -> Options {
    Options::default().with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
}

/// Posts a body to the token endpoint.
async fn post(server: &Server, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Answer {
    let mut request = server.http.post(server.at("/oauth/token")).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::to(request).await
}

/// The body of an answer that was read as text.
fn body_of(raw: &str) -> Value {
    serde_json::from_str(raw.split("\r\n\r\n").nth(1).unwrap())
        .unwrap_or_else(|_| panic!("no JSON: {raw}"))
}

#[tokio::test]
async fn a_form_is_a_form_in_utf_8_and_nothing_else() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let basic = client.basic();
    let with = async |content_type: &str, body: &str| {
        let headers = [("authorization", basic.as_str()), ("content-type", content_type)];
        post(&server, &headers, body.to_owned()).await
    };

    for content_type in [
        FORM,
        "Application/X-WWW-Form-Urlencoded",
        "application/x-www-form-urlencoded;charset=UTF-8",
        "application/x-www-form-urlencoded; charset=\"utf-8\"",
        "application/x-www-form-urlencoded ; charset=utf-8",
    ] {
        let answer = with(content_type, "grant_type=client_credentials").await;
        assert_eq!(answer.status, 200, "{content_type}: {answer:?}");
    }
    for content_type in [
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded; charset=utf-16",
        "application/x-www-form-urlencoded; charset=iso-8859-1",
        "application/x-www-form-urlencodedx",
        "application/x-www-form-urlencoded, text/plain",
        "",
    ] {
        let answer = with(content_type, "grant_type=client_credentials").await;
        assert_eq!(answer.outcome(), "400 invalid_request", "{content_type}");
        answer.assert_error(400, "invalid_request");
    }
    let missing = [("authorization", basic.as_str())];
    let missing = post(&server, &missing, "grant_type=client_credentials").await;
    missing.assert_error(400, "invalid_request");
    let twice = [("authorization", basic.as_str()), ("content-type", FORM), ("content-type", FORM)];
    let twice = post(&server, &twice, "grant_type=client_credentials").await;
    twice.assert_error(400, "invalid_request");
    let json = with("application/json", r#"{"grant_type":"client_credentials"}"#).await;
    json.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn t29_a_multipart_body_is_refused() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let body = "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\n\
                client_credentials\r\n--x--\r\n";
    let headers =
        [("authorization", &*client.basic()), ("content-type", "multipart/form-data; boundary=x")];

    post(&server, &headers, body).await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn t29_a_compressed_body_is_never_decompressed() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let basic = client.basic();
    // `grant_type=client_credentials`, as gzip stores it: truly decodable.
    let plain = b"grant_type=client_credentials";
    let length = u16::try_from(plain.len()).unwrap();
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    gzip.extend(length.to_le_bytes());
    gzip.extend((!length).to_le_bytes());
    gzip.extend(plain);
    gzip.extend(crc32(plain).to_le_bytes());
    gzip.extend(u32::from(length).to_le_bytes());

    for encoding in ["gzip", "x-gzip", "deflate", "br", "zstd", "identity, gzip", "nonsense"] {
        let headers = [
            ("authorization", basic.as_str()),
            ("content-type", FORM),
            ("content-encoding", encoding),
        ];
        let answer = post(&server, &headers, gzip.clone()).await;
        assert_eq!(answer.outcome(), "400 invalid_request", "{encoding}");
        let answer = post(&server, &headers, plain.to_vec()).await;
        assert_eq!(answer.outcome(), "400 invalid_request", "{encoding}");
    }
    let headers = [
        ("authorization", basic.as_str()),
        ("content-type", FORM),
        ("content-encoding", "identity"),
    ];
    assert_eq!(post(&server, &headers, plain.to_vec()).await.status, 200);
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

#[tokio::test]
async fn t29_parameters_in_the_query_are_refused() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let basic = client.basic();

    for query in [
        "grant_type=client_credentials",
        "client_id=x&client_secret=y",
        "scope=read",
        "x",
        "audience=orders",
    ] {
        for form in [&[GRANT][..], &[]] {
            let request = server.http.post(server.at(&format!("/oauth/token?{query}")));
            let answer = Answer::to(request.header("authorization", &basic).form(form)).await;
            answer.assert_error(400, "invalid_request");
        }
    }
}

#[tokio::test]
async fn broken_encodings_of_a_form_are_refused() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let basic = client.basic();
    let headers = [("authorization", basic.as_str()), ("content-type", FORM)];

    for body in [
        &b"grant_type=client_credentials&x=%zz"[..],
        b"grant_type=client_credentials&x=%",
        b"grant_type=client_credentials&x=%4",
        b"grant_type=client_credentials&x=%ff",
        b"grant_type=client_credentials&x=\xff",
        b"grant_type=client_credentials&%zz=1",
        b"grant_type=client_credentials&\xc3=1",
    ] {
        let answer = post(&server, &headers, body.to_vec()).await;
        assert_eq!(answer.outcome(), "400 invalid_request", "{}", String::from_utf8_lossy(body));
    }
    for body in [
        "grant_type=client_credentials&",
        "&&grant_type=client_credentials",
        "grant%5Ftype=client%5fcredentials",
        "grant_type=client_credentials&x=a=b=c",
        "grant_type=client_credentials&=",
        "grant_type=client_credentials&x;y=z",
    ] {
        let answer = post(&server, &headers, body).await;
        assert_eq!(answer.status, 200, "{body}: {answer:?}");
    }
    let many = (0..1_000).map(|it| format!("p{it}=")).collect::<Vec<_>>().join("&");
    post(&server, &headers, many + "grant_type=client_credentials")
        .await
        .assert_error(400, "invalid_request");
}

#[tokio::test]
async fn t29_a_body_of_100_mb_gets_a_readable_413() {
    const MEGABYTES: usize = 100;
    let server = Server::start_with(quick());
    let client = server.register().await;

    // As clients do it: they read when they have written.
    let length = MEGABYTES << 20;
    let mut raw = Raw::to(&server);
    raw.say(format!(
        "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n\
         Content-Length: {length}\r\n\r\n"
    ));
    let block = vec![b'x'; 1 << 20];
    for megabyte in 0..MEGABYTES {
        assert!(raw.say(&block), "reset after {megabyte} MB");
    }
    let answer = raw.one();
    assert_eq!(statuses(&answer), [413], "{answer}");
    assert_eq!(body_of(&answer)["error"], "invalid_request");
    assert_eq!(body_of(&answer)["statusCode"], 413);
    // And with a library, with the length and without.
    let headers = [("content-type", FORM)];
    let body = vec![b'x'; 20 << 20];
    post(&server, &headers, body.clone()).await.assert_error(413, "invalid_request");
    let mut raw = Raw::to(&server);
    raw.say(format!(
        "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    ));
    for chunk in body.chunks(100_000) {
        raw.say([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    }
    raw.say("0\r\n\r\n");
    assert_eq!(statuses(&raw.one()), [413]);
    server.token_of(&client).await;
}

#[tokio::test]
async fn a_body_in_chunks_is_a_body() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let head = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {FORM}\r\n\
         Authorization: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        client.basic()
    );

    let mut bytes = head.clone();
    for byte in "grant_type=client_credentials".chars() {
        bytes.extend(["1\r\n", &byte.to_string(), "\r\n"]);
    }
    let by_bytes = exchange(&server, format!("{bytes}0\r\n\r\n"));
    let with_extension =
        exchange(&server, format!("{head}1D;a=b\r\ngrant_type=client_credentials\r\n0\r\n\r\n"));
    let mut slow = Raw::to(&server);
    slow.say(format!("{head}1D\r\ngrant_type="));
    tokio::time::sleep(Duration::from_millis(500)).await;
    slow.say("client_credentials\r\n0\r\n\r\n");
    let slow = slow.all();

    for answer in [by_bytes, with_extension, slow] {
        assert_eq!(statuses(&answer), [200], "{answer}");
        assert_eq!(body_of(&answer)["token_type"], "Bearer");
    }
    for broken in ["zz\r\n", "-1\r\n", "ffffffffffffffffff\r\n", "1D\n", "1D\r\ngrant_type=x\r\n0x"]
    {
        let mut raw = Raw::to(&server);
        raw.say(format!("{head}{broken}\r\n\r\n"));
        raw.end();
        let answer = raw.all();
        assert!(statuses(&answer).iter().all(|it| (400..500).contains(it)), "{broken}: {answer}");
    }
    server.token_of(&client).await;
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered_in_time() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let head = |length: &str| {
        format!(
            "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n{length}\r\n\r\n\
             grant_type"
        )
    };

    let mut silent = Raw::to(&server);
    silent.say(head("Content-Length: 29"));
    let mut chunked = Raw::to(&server);
    chunked.say(head("Transfer-Encoding: chunked").replace("grant_type", "1\r\ng\r\n"));
    let mut gone = Raw::to(&server);
    gone.say(head("Content-Length: 29"));
    gone.end();

    for raw in [&mut silent, &mut chunked] {
        let answer = raw.all();
        assert_eq!(statuses(&answer), [400], "{answer}");
        assert_eq!(body_of(&answer)["error"], "invalid_request", "{answer}");
    }
    assert!(statuses(&gone.all()).iter().all(|it| *it == 400));
    server.token_of(&client).await;
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_not_waited_for() {
    let server = Server::start_with(quick());
    let client = server.register().await;

    for (method, path) in [
        ("POST", "/nothing"),
        ("GET", "/tokeninfo"),
        ("GET", "/oauth/token"),
        ("GET", "/-/healthz"),
        ("POST", "/clients"),
    ] {
        for length in ["Transfer-Encoding: chunked", "Content-Length: 1000"] {
            let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n");
            let mut silent = Raw::to(&server);
            silent.say(&head);
            let mut endless = Raw::to(&server);
            endless.say(&head);
            let mut is_heard = true;
            for _ in 0..30 {
                is_heard = is_heard && endless.say(format!("2710\r\n{}\r\n", "x".repeat(10_000)));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }

            let answer = silent.all();
            assert_eq!(statuses(&answer).len(), 1, "{method} {path} {length}: {answer}");
            assert!(!is_heard, "{method} {path} {length}: all was read");
        }
    }
    // A body that came to its end closes nothing.
    let mut raw = Raw::to(&server);
    for _ in 0..3 {
        raw.say(format!(
            "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n\
             Authorization: {}\r\nTransfer-Encoding: chunked\r\n\r\n\
             1d\r\ngrant_type=client_credentials\r\n0\r\n\r\n",
            client.basic()
        ));
        assert_eq!(statuses(&raw.one()), [200]);
    }
}

#[tokio::test]
async fn a_client_that_never_says_anything_holds_up_nobody() {
    let server = Server::start_with(quick());
    let client = server.register().await;

    let mut idle: Vec<_> = (0..200).map(|_| Raw::to(&server)).collect();
    for raw in idle.iter_mut().take(100) {
        raw.say("POST /oauth/token HTTP/1.1\r\nHost: x\r\n");
    }

    for _ in 0..20 {
        server.token_of(&client).await;
    }
    let answer = idle[0].all();
    assert!(statuses(&answer).iter().all(|it| *it == 408), "{answer}");
}

#[tokio::test]
async fn t29_a_request_of_two_lengths_is_refused_and_the_connection_closed() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let form = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nAuthorization: {}\r\n",
        client.basic()
    );
    let body = "grant_type=client_credentials";
    // What would be answered, were the connection not closed.
    let smuggled = "GET /-/healthz HTTP/1.1\r\nHost: x\r\n\r\n";

    for (what, headers, body) in [
        (
            "a length and chunks",
            "Content-Length: 29\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n".to_owned(),
        ),
        (
            "chunks and a length",
            "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
            format!("1d\r\n{body}\r\n0\r\n\r\n"),
        ),
        (
            "a length of 0 and chunks",
            "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
            format!("1d\r\n{body}\r\n0\r\n\r\n"),
        ),
        ("two lengths", "Content-Length: 29\r\nContent-Length: 0\r\n", body.to_owned()),
        ("two equal lengths", "Content-Length: 29\r\nContent-Length: 29\r\n", body.to_owned()),
        ("two lengths in one", "Content-Length: 29, 29\r\n", body.to_owned()),
        ("a length with a sign", "Content-Length: +29\r\n", body.to_owned()),
        ("a negative length", "Content-Length: -29\r\n", body.to_owned()),
        ("a length in hexadecimal", "Content-Length: 0x1d\r\n", body.to_owned()),
        ("a length that is none", "Content-Length: abc\r\n", body.to_owned()),
        ("a length beyond all", "Content-Length: 99999999999999999999\r\n", body.to_owned()),
        ("a space before the colon", "Content-Length : 29\r\n", body.to_owned()),
        ("a folded line", "X: y\r\n Content-Length: 29\r\n", body.to_owned()),
        (
            "chunked twice",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            format!("1d\r\n{body}\r\n0\r\n\r\n"),
        ),
        (
            "another transfer coding",
            "Transfer-Encoding: gzip, chunked\r\n",
            format!("1d\r\n{body}\r\n0\r\n\r\n"),
        ),
        (
            "a coding nobody knows",
            "Transfer-Encoding: xchunked\r\nContent-Length: 29\r\n",
            body.to_owned(),
        ),
        ("identity", "Transfer-Encoding: identity\r\nContent-Length: 29\r\n", body.to_owned()),
        ("two hosts", "Host: y\r\nContent-Length: 29\r\n", body.to_owned()),
    ] {
        let mut raw = Raw::to(&server);
        raw.say(format!("{form}{headers}\r\n{body}{smuggled}"));
        let answer = raw.all();

        assert_eq!(statuses(&answer), [400], "{what}: {answer}");
    }
    let old = form.replace("HTTP/1.1", "HTTP/1.0");
    let answer = exchange(
        &server,
        format!(
            "{old}Connection: keep-alive\r\nContent-Length: 29\r\nTransfer-Encoding: chunked\r\n\
             \r\n{body}{smuggled}"
        ),
    );
    assert!(answer.starts_with("HTTP/1.0 400") || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.").count(), 1, "{answer}");
    server.token_of(&client).await;
}

#[tokio::test]
async fn what_is_not_http_harms_nobody() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let mut noise = vec![0; 50_000];
    openssl::rand::rand_bytes(&mut noise).unwrap();

    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"nonsense\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"G\x00T / HTTP/1.1\r\n\r\n".to_vec(),
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nX\x00: y\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nX: y\x00\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\nHost: x\nConnection: close\n\n".to_vec(),
        [b"GET /".to_vec(), vec![b'a'; 200_000], b" HTTP/1.1\r\n\r\n".to_vec()].concat(),
        b"\r\n\r\n\r\n\r\n".to_vec(),
        noise,
    ] {
        let mut raw = Raw::to(&server);
        raw.say(&bytes);
        raw.end();
        let answer = raw.all();

        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        let is_fine = statuses(&answer).iter().all(|it| (400..500).contains(it));
        assert!(is_fine, "{shown}: {answer}");
        server.token_of(&client).await;
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_with_the_right_ones_everywhere() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let client = format!("/clients/{}", client.id);
    let below = |path: &str| format!("{client}{path}");

    for (path, allow) in [
        ("/oauth/token".to_owned(), "POST"),
        ("/oauth2/revoke".to_owned(), "POST"),
        ("/register".to_owned(), "POST"),
        ("/tokeninfo".to_owned(), "GET, HEAD"),
        ("/.well-known/jwks.json".to_owned(), "GET, HEAD"),
        ("/.well-known/openid-configuration".to_owned(), "GET, HEAD"),
        ("/.well-known/oauth-authorization-server".to_owned(), "GET, HEAD"),
        ("/documentation".to_owned(), "GET, HEAD"),
        ("/documentation/json".to_owned(), "GET, HEAD"),
        ("/-/healthz".to_owned(), "GET, HEAD"),
        ("/-/ready".to_owned(), "GET, HEAD"),
        ("/-/check-up".to_owned(), "GET, HEAD"),
        ("/-/metrics".to_owned(), "GET, HEAD"),
        ("/clients".to_owned(), "GET, HEAD, POST"),
        (client.clone(), "GET, HEAD, PATCH, DELETE"),
        (below("/disable"), "POST"),
        (below("/enable"), "POST"),
        (below("/secrets"), "GET, HEAD, POST"),
        (below("/secrets/x"), "DELETE"),
    ] {
        for method in
            ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"]
        {
            if allow.split(", ").any(|it| it == method) {
                continue;
            }
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = server.http.request(method.clone(), server.at(&path));
            let answer = Answer::to(request.bearer_auth(MANAGEMENT_TOKEN)).await;

            assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
            assert_eq!(answer.header("allow"), allow, "{method} {path}");
            if method == Method::HEAD {
                assert_eq!(answer.text, "");
            } else {
                answer.assert_error(405, "method_not_allowed");
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_path_is_404_in_json() {
    let server = Server::start_with(quick());

    for path in [
        "/",
        "/nothing",
        "/oauth",
        "/oauth/",
        "/oauth/token/",
        "/oauth/token/x",
        "//oauth/token",
        "/OAuth/Token",
        "/oauth%2Ftoken",
        "/oauth%2ftoken",
        "/tokeninfo/",
        "/tokeninfo%00",
        "/tokeninfo%20",
        "/tokeninfo;x=y",
        "/-",
        "/-/",
        "/-/nothing",
        "/.well-known",
        "/.well-known/nothing",
        "/%zz",
        "/%",
        "/%ff%fe",
        "/%2e%2e/etc/passwd",
        "/documentation/../../../etc/passwd",
        "/documentation/..%2f..%2fetc%2fpasswd",
        "/documentation/%2e%2e",
        "/documentation/nothing.js",
    ] {
        for method in ["GET", "POST"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                 Content-Length: 0\r\n\r\n"
            );
            let answer = exchange(&server, request);

            // Where only reading is possible, whether the file is there is not asked.
            if method == "POST" && path.starts_with("/documentation/") {
                assert!(matches!(statuses(&answer)[..], [404 | 405]), "{path}: {answer}");
                continue;
            }
            assert_eq!(statuses(&answer), [404], "{method} {path}: {answer}");
            assert_eq!(body_of(&answer)["error"], "not_found", "{method} {path}");
            assert_eq!(body_of(&answer)["statusCode"], 404, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_path_may_be_percent_encoded_where_that_changes_nothing() {
    let server = Server::start_with(quick());
    let client = server.register().await;

    for path in ["/oauth/token", "/oauth/%74oken", "/%6Fauth/token", "/%6fauth/tok%65n"] {
        let answer = exchange(
            &server,
            form_request(
                path,
                &format!("Connection: close\r\nAuthorization: {}\r\n", client.basic()),
                "grant_type=client_credentials",
            ),
        );
        assert_eq!(statuses(&answer), [200], "{path}: {answer}");
    }
}

#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let token = server.token_of(&client).await;

    for path in [
        "/tokeninfo",
        "/.well-known/jwks.json",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/documentation/index.html",
        "/documentation/json",
        "/-/healthz",
        "/-/ready",
        "/-/check-up",
    ] {
        let read =
            |method| Answer::to(server.http.request(method, server.at(path)).bearer_auth(&token));
        let (get, head) = (read(Method::GET).await, read(Method::HEAD).await);

        assert_eq!((get.status.as_u16(), head.status.as_u16()), (200, 200), "{path}");
        assert!(!get.text.is_empty() && head.text.is_empty(), "{path}");
        for name in ["content-type", "content-length", "cache-control"] {
            assert_eq!(get.header(name), head.header(name), "{path} {name}");
        }
    }
    let refused = Answer::to(server.http.head(server.at("/tokeninfo"))).await;
    assert_eq!((refused.status.as_u16(), refused.text.as_str()), (401, ""));
    assert_eq!(Answer::to(server.http.head(server.at("/nothing"))).await.status, 404);
}

#[tokio::test]
async fn everything_but_the_status_routes_stands_below_the_prefix() {
    for prefix in ["/foo/", "foo", "/foo"] {
        let server = Server::start_with(quick().with("SERVICE_PREFIX", prefix));
        assert!(server.url.ends_with("/foo"), "{}", server.url);
        let root = server.url.strip_suffix("/foo").unwrap().to_owned();
        let client = server.register().await;
        let token = server.token_of(&client).await;

        assert_eq!(server.tokeninfo(&token).await.status, 200);
        // RFC 8414 section 3.3: the metadata stand where the issuer says.
        assert_eq!(claims(&token)["iss"], server.url);
        for path in
            ["/.well-known/jwks.json", "/.well-known/openid-configuration", "/documentation/json"]
        {
            assert_eq!(server.get(path).await.status, 200, "{path}");
            let at_the_root = Answer::to(server.http.get(format!("{root}{path}"))).await;
            at_the_root.assert_error(404, "not_found");
        }
        for path in ["/-/healthz", "/-/ready", "/-/check-up", "/-/metrics"] {
            let at_the_root = Answer::to(server.http.get(format!("{root}{path}"))).await;
            assert_eq!(at_the_root.status, 200, "{path}");
            server.get(path).await.assert_error(404, "not_found");
        }
        for path in ["/oauth/token", "/register", "/oauth2/revoke", "/foofoo/register"] {
            let at_the_root = Answer::to(server.http.post(format!("{root}{path}"))).await;
            at_the_root.assert_error(404, "not_found");
        }
        let document = server.get("/.well-known/oauth-authorization-server").await.json();
        assert_eq!(document["token_endpoint"], format!("{root}/foo/oauth2/token"));
        assert_eq!(document["jwks_uri"], format!("{root}/foo/.well-known/jwks.json"));
        let inserted = format!("{root}/.well-known/oauth-authorization-server/foo");
        assert_eq!(Answer::to(server.http.get(inserted)).await.json(), document);
    }
}

#[tokio::test]
async fn t44_a_host_header_never_decides_the_issuer() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let headers = "Connection: close\r\nX-Forwarded-Host: evil.example\r\n\
                   X-Forwarded-Proto: https\r\nForwarded: host=evil.example;proto=https\r\n\
                   X-Original-URL: http://evil.example/\r\n";

    let request = form_request(
        "/oauth/token",
        &format!("{headers}Authorization: {}\r\n", client.basic()),
        "grant_type=client_credentials",
    );
    let answer = exchange(&server, request.replace("Host: localhost", "Host: evil.example"));

    assert_eq!(statuses(&answer), [200], "{answer}");
    let token = body_of(&answer)["access_token"].as_str().unwrap().to_owned();
    assert_eq!(claims(&token)["iss"], server.url);
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        for target in [path.to_owned(), format!("http://evil.example{path}")] {
            let request = format!("GET {target} HTTP/1.1\r\nHost: evil.example\r\n{headers}\r\n");
            let answer = exchange(&server, request);
            assert_eq!(statuses(&answer), [200], "{answer}");
            let document = body_of(&answer);
            assert_eq!(document["issuer"], server.url);
            assert!(!answer.contains("evil.example"), "{answer}");
        }
    }
}

#[tokio::test]
async fn t44_an_issuer_that_is_no_url_stays_what_it_is() {
    let server = Server::start_with(quick().with("MIA_JWT_ISSUER", "my-issuer"));
    let named = Server::start_with(
        quick()
            .with("MIA_JWT_ISSUER", "my-issuer")
            .with("TOKENWRIGHT__PUBLIC_URL", "https://auth.example"),
    );
    let path = "/.well-known/openid-configuration";
    let forwarded = "Connection: close\r\nX-Forwarded-Host: evil.example\r\n\
                     X-Forwarded-Proto: https\r\nForwarded: host=evil.example;proto=https\r\n";
    let get = |server: &Server, version: &str, host: &str| {
        let head = format!("GET {path} HTTP/{version}\r\n{host}{forwarded}\r\n");
        exchange(server, head)
    };

    let own = get(&server, "1.1", "Host: asked.example:8080\r\n");
    let document = body_of(&own);
    assert_eq!(document["issuer"], "my-issuer");
    assert_eq!(document["token_endpoint"], "http://asked.example:8080/oauth/token");
    assert!(!own.contains("evil"), "{own}");
    // Nobody but the one who asks decides even that: what a proxy cache does not tell apart.
    let hostless = get(&server, "1.0", "");
    assert!(!hostless.contains("evil"), "{hostless}");
    let named = get(&named, "1.1", "Host: asked.example\r\n");
    assert_eq!(body_of(&named)["token_endpoint"], "https://auth.example/oauth/token");
    assert_eq!(body_of(&named)["issuer"], "my-issuer");
    assert!(!named.contains("evil") && !named.contains("asked"), "{named}");
}

#[tokio::test]
async fn one_connection_serves_many_requests_in_their_order() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let good = form_request(
        "/oauth/token",
        &format!("Authorization: {}\r\n", client.basic()),
        "grant_type=client_credentials",
    );
    let bad = form_request("/oauth/token", "", "grant_type=client_credentials");
    let unknown = form_request("/nothing", "", "a=b");
    let last = good.replace("Host: localhost", "Host: localhost\r\nConnection: close");

    let answer = exchange(&server, [good.clone(), bad, unknown, good, last].concat());

    assert_eq!(statuses(&answer), [200, 401, 404, 200, 200], "{answer}");
}

#[tokio::test]
async fn a_refusal_leaves_nothing_of_its_body_behind() {
    let server = Server::start_with(quick());
    // The body of a request to a path that reads none looks like a request.
    let inner = "GET /-/healthz HTTP/1.1\r\nHost: x\r\n\r\n";

    for path in ["/nothing", "/tokeninfo", "/clients", "/-/healthz"] {
        let mut raw = Raw::to(&server);
        raw.say(form_request(path, "", inner));
        raw.say("GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let found = statuses(&raw.all());

        assert!(found.len() <= 2 && !found.contains(&200), "{path}: {found:?}");
    }
}

#[tokio::test]
async fn expect_100_continue_is_answered() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let request = form_request(
        "/oauth/token",
        &format!(
            "Expect: 100-continue\r\nConnection: close\r\nAuthorization: {}\r\n",
            client.basic()
        ),
        "grant_type=client_credentials",
    );
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut raw = Raw::to(&server);

    raw.say(format!("{head}\r\n\r\n"));
    assert_eq!(statuses(&raw.one()), [100]);
    raw.say(body);

    assert_eq!(statuses(&raw.all()), [200]);
}

#[test]
fn no_bytes_in_a_body_make_the_server_fail() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = Server::start_with(quick());
    let client = runtime.block_on(server.register());
    let mut runner = TestRunner::new(Config { cases: 300, ..Config::default() });
    let bytes = proptest::collection::vec(proptest::num::u8::ANY, 0..300);
    let alike = "(grant_type|scope|audience|resource|client_id|client_secret|client_assertion\
                 |client_assertion_type|token|client_name|[a-z]{1,4})\
                 =[a-z0-9%&+=. {}:\",\\[\\]-]{0,40}&?";
    let strategy = (bytes, proptest::collection::vec(alike, 0..6), proptest::bool::ANY);

    let outcome = runner.run(&strategy, |(bytes, pairs, is_noise)| {
        let body = if is_noise {
            bytes
        } else {
            let mut body = b"grant_type=client_credentials&".to_vec();
            write!(body, "{}", pairs.join("&")).unwrap();
            body
        };
        for (path, kind, authorization) in [
            ("/oauth/token", FORM, Some(client.basic())),
            ("/oauth/token", FORM, None),
            ("/oauth2/revoke", FORM, Some(client.basic())),
            ("/register", "application/json", None),
            ("/clients", "application/json", Some(format!("Bearer {MANAGEMENT_TOKEN}"))),
        ] {
            let mut request = server.http.post(server.at(path)).header("content-type", kind);
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            let answer = runtime.block_on(Answer::to(request.body(body.clone())));
            let status = answer.status.as_u16();
            proptest::prop_assert!(
                matches!(status, 200 | 400..500),
                "{}: {:?}: {:?}",
                path,
                body,
                answer
            );
            if status != 200 {
                proptest::prop_assert_eq!(&answer.json()["statusCode"], status);
            }
        }
        Ok(())
    });

    outcome.unwrap();
}

#[tokio::test]
async fn every_answer_says_what_it_is() {
    let server = Server::start_with(quick());
    let client = server.register().await;
    let digest = |text: &str| {
        openssl::hash::hash(MessageDigest::sha256(), text.as_bytes()).unwrap().to_vec()
    };

    let jwks = server.get("/.well-known/jwks.json").await;
    let again = server.get("/.well-known/jwks.json").await;
    let document = server.get("/.well-known/openid-configuration").await;

    assert_eq!(digest(&jwks.text), digest(&again.text));
    assert_eq!(jwks.header("content-type"), "application/json");
    assert!(jwks.header("cache-control").starts_with("public, max-age="), "{jwks:?}");
    for key in jwks.json()["keys"].as_array().unwrap() {
        let names: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(!names.contains(&private), "{names:?}");
        }
        for needed in ["kty", "kid", "alg", "use"] {
            assert!(names.contains(&needed), "{names:?}");
        }
    }
    for member in [
        "issuer",
        "token_endpoint",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    ] {
        assert!(document.json().get(member).is_some(), "{member}");
    }
    let followed = document.text_at("/token_endpoint");
    let request = server.http.post(followed).header("authorization", client.basic());
    assert_eq!(Answer::to(request.form(&[GRANT])).await.status, 200);
    assert_eq!(
        Answer::to(server.http.get(document.text_at("/jwks_uri"))).await.json(),
        jwks.json()
    );
    assert_eq!(document.json()["grant_types_supported"], json!(["client_credentials"]));
}

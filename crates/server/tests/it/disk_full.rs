//! The disk under the embedded store fills up (threat T48).

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::support::jwt::{GRANT, JWT_BEARER, RSA};
use crate::support::{Answer, Client, Options, Server, assert_unavailable, within};

/// Something else that takes all the room, as the server's disk shows it to us.
struct Ballast {
    path: PathBuf,
}

impl Ballast {
    fn fill(server: &Server, data: &std::path::Path) -> Self {
        let disk = format!("/proc/{}/root{}", server.pid(), data.display());
        let path = PathBuf::from(disk).join("ballast");
        let mut file = File::create(&path).unwrap();
        // By ever smaller pieces: to the last byte.
        for piece in [4_096, 64, 1] {
            while file.write_all(&vec![0; piece]).is_ok() {}
        }
        Self { path }
    }

    fn throw_away(self) {
        std::fs::remove_file(self.path).unwrap();
    }
}

#[tokio::test]
async fn t48_a_full_disk_is_503_and_nothing_acknowledged_is_lost() {
    let directory = tempfile::TempDir::new().unwrap();
    let options = Options::default()
        .in_directory(directory.path())
        .on_disk_of("3m")
        .with("TOKENWRIGHT__TOKENS__ALGORITHM", "ES256")
        .with("TOKENWRIGHT__CACHE__FRESH_SECONDS", "1");
    let server = Server::start_with(options);
    let (warm, cold) = (server.register().await, server.register().await);
    server.token_of(&warm).await;
    let signing = server.key_client(&RSA).await;
    let token = server.token_of(&warm).await;
    let register =
        || server.http.post(server.at("/register")).json(&json!({"client_name": "on a full disk"}));

    let ballast = Ballast::fill(&server, &directory.path().join("data"));

    // The log of writes has a little room of its own, which is used up first; what fits is kept.
    let mut made = Vec::new();
    loop {
        let answer = Answer::to(register()).await;
        if answer.status != 201 {
            answer.assert_error(503, "temporarily_unavailable");
            break;
        }
        let text = |at| answer.text_at(at);
        made.push(Client { id: text("/client_id"), secret: text("/client_secret") });
        assert!(made.len() < 2_000, "the disk is not full");
    }
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    // What only reads goes on, for clients that nobody remembers as well.
    for client in [&warm, &cold] {
        server.token_of(client).await;
    }
    assert_eq!(server.tokeninfo(&token).await.status, 200);
    assert_unavailable("registration", register()).await;
    let assertion = signing.assertion();
    let form =
        [GRANT, JWT_BEARER, ("client_id", &signing.id), ("client_assertion", assertion.as_str())];
    let request = server.http.post(server.at("/oauth/token")).form(&form);
    assert_unavailable("an assertion that cannot be burned", request).await;
    let revoke = server.http.post(server.at("/oauth2/revoke")).form(&[("token", token.as_str())]);
    let revoke = revoke.header("authorization", warm.basic());
    assert_unavailable("a revocation that cannot be kept", revoke).await;
    let named = Answer::to(server.manage("GET", "/clients?search=on+a+full+disk&limit=200")).await;
    let kept = named.json()["clients"].as_array().unwrap().len();
    assert_eq!(kept, made.len().min(200), "a client that nobody was told of");

    ballast.throw_away();

    within(Duration::from_secs(20), "a registration", async || {
        (Answer::to(register()).await.status == 201).then_some(())
    })
    .await;
    signing.assert_welcome(&server).await;
    for client in made.iter().chain([&warm, &cold]) {
        server.token_of(client).await;
    }
}

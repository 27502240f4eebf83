//! What is registered at the service: capabilities, scopes and resources.

mod grants;
mod management;
mod nodes;

use serde_json::{Value, json};

use crate::support::{Answer, Client, Server};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");
const ORDERS: &str = "https://api.example/orders";
/// The same in a path.
const ORDERS_PATH: &str = "/resources/https%3A%2F%2Fapi.example%2Forders";

/// Orders take `orders:read`, stock takes anything; `base` is given by default.
fn shop() -> Value {
    json!({
        "capabilities": ["client_credentials", "introspection"],
        "resources": [
            {"identifier": ORDERS, "name": "Orders", "scopes": ["orders:read"]},
            {"identifier": "stock"},
        ],
        "scopes": [
            {"default": true, "name": "base"},
            {"description": "See orders", "name": "orders:read"},
        ],
    })
}

async fn manage(server: &Server, method: &str, path: &str) -> Answer {
    Answer::to(server.manage(method, path)).await
}

/// `PUT` with a precondition: a revision, `*`, or `new` for what is not there yet.
async fn put(server: &Server, path: &str, expected: &str, body: &Value) -> Answer {
    let request = server.manage("PUT", path).json(body);
    Answer::to(match expected {
        "new" => request.header("if-none-match", "*"),
        "*" => request.header("if-match", "*"),
        "" => request,
        revision => request.header("if-match", format!("\"{revision}\"")),
    })
    .await
}

async fn register(server: &Server, document: &Value) {
    let answer = put(server, "/catalogue", "*", document).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn ask(server: &Server, path: &str, client: &Client, more: &[(&str, &str)]) -> Answer {
    let form = [&[GRANT], more].concat();
    let request = server.http.post(server.at(path)).form(&form);
    Answer::to(request.header("authorization", client.basic())).await
}

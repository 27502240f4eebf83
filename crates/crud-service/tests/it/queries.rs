//! What is found, and how it comes.

use crud_service::{Definition, State};
use serde_json::{Value, json};

use crate::support::Asker;

#[tokio::test]
async fn only_public_documents_are_seen_unless_others_are_asked_for() {
    let asker = Asker::extended();
    for state in ["PUBLIC", "DRAFT", "TRASH", "DELETED"] {
        asker.insert(state, &json!({"__STATE__": state})).await;
    }

    let (_, public) = asker.get("/").await;
    let (_, some) = asker.get("/?_st=DRAFT,TRASH").await;

    assert_eq!(public.as_array().unwrap().len(), 1);
    assert_eq!(public[0]["clientId"], "PUBLIC");
    assert_eq!(some.as_array().unwrap().len(), 2);
    assert_eq!(asker.get("/count").await, (200, json!(1)));
    assert_eq!(asker.get("/count?_st=PUBLIC,DRAFT,TRASH").await, (200, json!(3)));
    assert_eq!(asker.get("/?_st=public").await.0, 400);
}

#[tokio::test]
async fn an_array_comes_in_pieces_with_white_space_where_nobody_expects_it() {
    let asker = Asker::extended();
    asker.insert("a", &json!({})).await;
    asker.insert("b", &json!({})).await;

    let response = asker.http.get(format!("{}/", asker.service.url())).send().await.unwrap();

    assert_eq!(response.headers()["transfer-encoding"], "chunked");
    let text = response.text().await.unwrap();
    assert!(text.starts_with("[\n  {") && text.contains(" \t,\r\n{"), "{text}");
    assert!(text.ends_with(" \n\n]\n"), "{text}");
}

#[tokio::test]
async fn a_document_has_the_fields_of_the_service_itself() {
    let asker = Asker::extended();
    let id = asker.insert("a", &json!({})).await;

    let found = asker.find("clientId=a").await;

    assert_eq!(id.len(), 24);
    assert!(id.bytes().all(|it| it.is_ascii_hexdigit()));
    assert_eq!(found[0]["_id"], Value::from(id));
    assert_eq!(found[0]["creatorId"], "somebody");
    assert_eq!(found[0]["updaterId"], "somebody");
    assert_eq!(found[0]["__STATE__"], "PUBLIC");
    for moment in ["createdAt", "updatedAt"] {
        let text = found[0][moment].as_str().unwrap();
        assert!(text.len() == 24 && text.ends_with('Z') && text.as_bytes()[19] == b'.', "{text}");
    }
}

#[tokio::test]
async fn documents_are_selected_by_their_fields() {
    let asker = Asker::extended();
    for id in ["a", "$ne", "0", "null", "A"] {
        asker.insert(id, &json!({"scope": "s", "revision": 7})).await;
    }
    asker.insert("b", &json!({"revision": 8})).await;

    for id in ["a", "%24ne", "0", "null", "A"] {
        assert_eq!(asker.find(&format!("clientId={id}")).await.len(), 1, "{id}");
    }
    assert_eq!(asker.find("scope=s&clientId=a").await.len(), 1);
    assert_eq!(asker.ids("revision=8").await, ["b"]);
    assert_eq!(asker.get("/?nonsense=1").await.0, 400);
    assert_eq!(asker.get("/?revision=many").await.0, 400);
}

#[tokio::test]
async fn documents_are_selected_by_a_query_of_mongodb() {
    let asker = Asker::extended();
    asker.insert("a", &json!({"lastLogin": "2026-01-01T00:00:00Z", "revision": 1})).await;
    asker.insert("b", &json!({"lastLogin": "2026-01-02T00:00:00.5Z", "revision": 2})).await;
    asker.insert("c", &json!({"permissions": ["x", "y"]})).await;

    for (query, expected) in [
        (json!({"clientId": {"$gt": "a"}}), &["b", "c"][..]),
        (json!({"clientId": {"$in": []}}), &[]),
        (json!({"lastLogin": {"$lt": "2026-01-02T00:00:00Z"}}), &["a"]),
        (json!({"lastLogin": "2026-01-02T00:00:00.500Z"}), &["b"]),
        (json!({"lastLogin": null}), &["c"]),
        (json!({"lastLogin": {"$exists": true}, "revision": {"$ne": 1}}), &["b"]),
        (json!({"$or": [{"clientId": {"$regex": "[cC]"}}, {"revision": 2}]}), &["b", "c"]),
        (json!({"name": {"$not": {"$regex": "a"}}}), &["b", "c"]),
        (json!({"permissions": "y"}), &["c"]),
        (json!({"updatedAt": {"$gt": "2020-01-01T00:00:00Z"}}), &["a", "b", "c"]),
    ] {
        assert_eq!(asker.ids(&format!("_q={query}")).await, expected, "{query}");
    }
    for bad in ["{", "[]", "7", "{\"$where\":\"1\"}", "{\"no\":1}", "{\"name\":{\"$odd\":1}}"] {
        assert_eq!(asker.get(&format!("/?_q={bad}")).await.0, 400, "{bad}");
    }
    assert_eq!(asker.get("/?_q={\"name\":{\"$regex\":\"[\"}}").await.0, 400);
}

#[tokio::test]
async fn an_answer_has_25_documents_and_never_more_than_200() {
    let asker = Asker::extended();
    for n in 0..30 {
        asker.insert(&format!("{n:02}"), &json!({})).await;
    }

    assert_eq!(asker.find("").await.len(), 25);
    assert_eq!(asker.find("_l=200").await.len(), 30);
    assert_eq!(asker.find("_l=3&_sk=28").await.len(), 2);
    for bad in ["_l=201", "_l=0", "_l=x", "_sk=-1"] {
        assert_eq!(asker.get(&format!("/?{bad}")).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn documents_are_sorted_and_cut_to_some_fields() {
    let asker = Asker::extended();
    for id in ["b", "B", "a"] {
        asker.insert(id, &json!({"scope": "s"})).await;
    }
    let order = async |words: &str| {
        let found = asker.find(words).await;
        found.iter().map(|it| it["clientId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };

    assert_eq!(order("_s=clientId").await, ["B", "a", "b"]);
    assert_eq!(order("_s=-clientId").await, ["b", "a", "B"]);
    let cut = asker.find("clientId=a&_p=clientId,scope").await;
    let names: Vec<&String> = cut[0].as_object().unwrap().keys().collect();
    assert_eq!(names, ["_id", "clientId", "scope"]);
}

#[tokio::test]
async fn the_published_collection_lacks_what_the_vendor_left_out() {
    let asker = Asker::of(Definition::published());
    let whole = json!({
        "authMethod": "private_key_jwt", "publicKey": {"kty": "RSA"}, "permissions": ["a"],
        "audience": [], "allowedCustomClaims": null,
    });
    asker.insert("a", &whole).await;

    let found = asker.find("clientId=a").await;

    // Unless its definition says otherwise a document starts as a draft.
    assert_eq!(found[0]["__STATE__"], State::Draft.name());
    for (field, value) in [("lastLogin", json!("2026-01-01T00:00:00Z")), ("metadata", json!({}))] {
        assert_eq!(asker.patch("/?clientId=a", json!({"$set": {field: value}})).await.0, 400);
    }
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let asker = Asker::extended();
    let nobody = "0123456789abcdef01234567";

    for (method, rest) in [("DELETE", format!("/{nobody}")), ("GET", "/a/b/c".to_owned())] {
        let answer = asker.ask(method, &rest, None).await;
        assert_eq!(answer, (404, json!({"error": "not found"})), "{rest}");
    }
    assert_eq!(asker.patch(&format!("/{nobody}"), json!({"$set": {}})).await.0, 404);
    let elsewhere = asker.service.url().replace("/clients", "/elsewhere/");
    assert_eq!(asker.http.get(elsewhere).send().await.unwrap().status().as_u16(), 404);
}

//! What is written, and what is refused.

use crud_service::{Definition, Dialect};
use serde_json::{Value, json};

use crate::support::{Asker, document};

#[tokio::test]
async fn a_document_comes_out_as_it_went_in() {
    let asker = Asker::extended();
    let metadata = json!({
        "$dotted.name": {"": [1, -2, 0.5, null, u64::MAX, i64::MIN]}, "nul": "a\0b",
    });
    asker.insert("a", &json!({"metadata": metadata, "contacts": ["ö"]})).await;

    let found = asker.find("clientId=a").await;
    assert_eq!(found[0]["metadata"], metadata);
    let set = json!({"$set": {"metadata": metadata, "lastLogin": "2026-01-02T03:04:05.6Z"}});
    assert_eq!(asker.patch("/?clientId=a", set).await, (200, json!(1)));
    let found = asker.find("clientId=a").await;
    assert_eq!(found[0]["metadata"], metadata);
    assert_eq!(found[0]["lastLogin"], "2026-01-02T03:04:05.600Z");
}

#[tokio::test]
async fn a_duplicate_is_409_and_was_422() {
    for (dialect, status) in [(Dialect::V7, 409), (Dialect::V6, 422)] {
        let asker = Asker::with(Definition::published(), dialect);
        asker.insert("a", &json!({})).await;

        let (answered, body) = asker.post("/", document("a", &json!({}))).await;

        assert_eq!((answered, body["statusCode"].clone()), (status, json!(status)));
        asker.insert("A", &json!({})).await;
        let (answered, _) =
            asker.patch("/?clientId=A&_st=DRAFT", json!({"$set": {"clientId": "a"}})).await;
        assert_eq!(answered, status);
    }
}

#[tokio::test]
async fn what_the_definition_does_not_know_is_refused_without_being_named() {
    let asker = Asker::extended();

    for (more, status) in [
        (json!({"nonsense": 1}), 400),
        (json!({"_id": "0123456789abcdef01234567"}), 400),
        (json!({"createdAt": "2026-01-01T00:00:00Z"}), 400),
        (json!({"__STATE__": "public"}), 400),
        (json!({"scope": 7}), 400),
        (json!({"scope": null}), 400),
        (json!({"permissions": [7]}), 400),
        (json!({"publicKeys": ["a"]}), 400),
        (json!({"metadata": []}), 400),
        (json!({"metadata": {"nul\0": 1}}), 400),
        (json!({"revision": "1"}), 400),
        (json!({"name": null}), 400),
    ] {
        let (answered, body) = asker.post("/", document("a", &more)).await;
        assert_eq!(answered, status, "{more}");
        assert_eq!(body["statusCode"], 400);
        assert_eq!(body["error"], "Bad Request");
        let message = body["message"].as_str().unwrap();
        assert!(more.as_object().unwrap().keys().all(|name| !message.contains(name.as_str())));
    }
    assert_eq!(asker.post("/", json!({"clientId": "a"})).await.0, 400);
    assert_eq!(asker.post("/", json!([])).await.0, 400);
    assert_eq!(asker.find("").await, [Value::Null; 0]);
}

#[tokio::test]
async fn null_or_a_scalar_where_an_array_belongs_is_500() {
    let asker = Asker::extended();

    for bad in [json!({"permissions": null}), json!({"audience": "a"}), json!({"contacts": 7})] {
        let (status, body) = asker.post("/", document("a", &bad)).await;
        assert_eq!((status, body["statusCode"].clone()), (500, json!(500)), "{bad}");
        assert_eq!(asker.patch("/?clientId=a", json!({"$set": bad})).await.0, 500);
    }
    asker.insert("a", &json!({"allowedCustomClaims": null, "publicKey": {}})).await;
}

#[tokio::test]
async fn a_date_of_more_than_three_digits_is_refused() {
    let asker = Asker::extended();
    asker.insert("a", &json!({"lastLogin": "2026-01-02T03:04:05.123Z"})).await;

    for bad in ["2026-01-02T03:04:05.1234Z", "yesterday", "2026-01-02"] {
        let set = json!({"$set": {"lastLogin": bad}});
        assert_eq!(asker.patch("/?clientId=a", set).await.0, 400, "{bad}");
        let query = format!("/?_q={}", json!({"lastLogin": {"$lt": bad}}));
        assert_eq!(asker.get(&query).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_change_of_one_answers_with_it_and_one_of_many_with_their_number() {
    let asker = Asker::extended();
    let id = asker.insert("a", &json!({"scope": "old", "logo_uri": "l"})).await;
    asker.insert("b", &json!({"scope": "old"})).await;

    let body = json!({"$set": {"scope": "new"}, "$unset": {"logo_uri": true}});
    let (status, changed) = asker.patch(&format!("/{id}"), body).await;
    assert_eq!((status, changed["scope"].clone()), (200, json!("new")));
    assert!(changed.get("logo_uri").is_none());
    assert!(changed["createdAt"].as_str() <= changed["updatedAt"].as_str());

    let body = json!({"$set": {"scope": "newest"}});
    assert_eq!(asker.patch("/?_q={\"scope\":\"old\"}", body.clone()).await, (200, json!(1)));
    assert_eq!(asker.patch("/", body.clone()).await, (200, json!(2)));
    assert_eq!(asker.patch("/?clientId=nobody", body).await, (200, json!(0)));
    for bad in [
        json!({"$set": {"nonsense": 1}}),
        json!({"$unset": {"nonsense": true}}),
        json!({"$unset": {"scope": 1}}),
        json!({"$set": {"__STATE__": "TRASH"}}),
        json!({"$set": {"updatedAt": "2026-01-01T00:00:00Z"}}),
        json!({"$rename": {"scope": "name"}}),
        json!({"scope": "bare"}),
    ] {
        assert_eq!(asker.patch("/?clientId=a", bad.clone()).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_bulk_has_a_filter_for_each_change() {
    let asker = Asker::extended();
    asker.insert("a", &json!({"revision": 1})).await;
    asker.insert("b", &json!({"__STATE__": "TRASH"})).await;
    let change = |filter: Value, scope: &str| json!({"filter": filter, "update": {"$set": {"scope": scope}}});

    let changes = json!([
        change(json!({"clientId": "a", "_q": "{\"revision\":{\"$lt\":2}}"}), "a"),
        change(json!({"clientId": "b"}), "not seen"),
        change(json!({"clientId": "b", "_st": "TRASH"}), "b"),
        change(json!({"clientId": "nobody"}), "nobody"),
    ]);
    assert_eq!(asker.patch("/bulk", changes).await, (200, json!(2)));

    assert_eq!(asker.find("clientId=a").await[0]["scope"], "a");
    assert_eq!(asker.find("clientId=b").await[0]["scope"], "b");
    assert_eq!(asker.patch("/bulk", json!([])).await, (200, json!(0)));
    // One that is wrong stops them all.
    let changes = json!([
        change(json!({"clientId": "a"}), "x"),
        {"filter": {"clientId": "a"}, "update": {"$set": {"nonsense": 1}}},
    ]);
    assert_eq!(asker.patch("/bulk", changes).await.0, 400);
    assert_eq!(asker.find("clientId=a").await[0]["scope"], "a");
}

#[tokio::test]
async fn states_change_step_by_step_only() {
    let allowed = [
        ("PUBLIC", "TRASH"),
        ("DRAFT", "PUBLIC"),
        ("DRAFT", "TRASH"),
        ("TRASH", "DELETED"),
        ("TRASH", "DRAFT"),
        ("DELETED", "TRASH"),
    ];
    let asker = Asker::extended();
    for from in ["PUBLIC", "DRAFT", "TRASH", "DELETED"] {
        for to in ["PUBLIC", "DRAFT", "TRASH", "DELETED"] {
            let client_id = format!("{from}-{to}");
            let id = asker.insert(&client_id, &json!({"__STATE__": from})).await;

            let path = format!("/{id}/state");
            let (status, _) = asker.post(&path, json!({"stateTo": to})).await;

            let is_allowed = allowed.contains(&(from, to));
            assert_eq!(status, if is_allowed { 204 } else { 404 }, "{client_id}");
            let found = asker.find(&format!("clientId={client_id}")).await;
            assert_eq!(found[0]["__STATE__"], if is_allowed { to } else { from });
        }
    }
    let nobody = "/0123456789abcdef01234567/state";
    assert_eq!(asker.post(nobody, json!({"stateTo": "TRASH"})).await.0, 404);
    assert_eq!(asker.post(nobody, json!({"stateTo": "GONE"})).await.0, 400);
    assert_eq!(asker.post(nobody, json!({})).await.0, 400);
    assert_eq!(asker.post("/nonsense/state", json!({"stateTo": "TRASH"})).await.0, 400);
}

#[tokio::test]
async fn a_document_is_deleted_once() {
    let asker = Asker::extended();
    let id = asker.insert("a", &json!({})).await;
    let hidden = asker.insert("b", &json!({"__STATE__": "DRAFT"})).await;

    assert_eq!(asker.ask("DELETE", &format!("/{id}"), None).await.0, 204);
    assert_eq!(asker.ask("DELETE", &format!("/{id}"), None).await.0, 404);
    assert_eq!(asker.ask("DELETE", &format!("/{hidden}"), None).await.0, 404);
    assert_eq!(asker.ask("DELETE", &format!("/{hidden}?_st=DRAFT"), None).await.0, 204);
    assert_eq!(asker.find("").await, [Value::Null; 0]);
}

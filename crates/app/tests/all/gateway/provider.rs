//! What is known of a provider, and how often it is asked.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::support::{House, KEYS, METADATA, Say};

#[tokio::test]
async fn metadata_is_fetched_once_for_all_when_it_is_needed() {
    let house = House::new();
    let provider = house.provider();
    assert_eq!(house.documents.fetches(METADATA), 0);

    let all = join_all((0..100).map(|_| provider.metadata())).await;

    assert!(all.iter().all(Result::is_ok));
    assert_eq!(house.documents.fetches(METADATA), 1);
    assert_eq!(house.documents.fetches(KEYS), 0);
}

#[tokio::test]
async fn the_older_place_is_looked_at_where_the_usual_one_is_empty() {
    let house = House::new();
    let documents = std::sync::Arc::clone(&house.documents);
    let body = json!({"issuer": "https://as.example"}).to_string();
    documents.publish(METADATA, Say::Refuse(404, ""));
    let house = House { documents: std::sync::Arc::default(), ..house };
    house
        .documents
        .publish("https://as.example/.well-known/oauth-authorization-server", Say::Body(body));

    assert!(house.provider().metadata().await.is_ok());
}

#[tokio::test]
async fn a_provider_that_is_down_is_found_when_it_is_back() {
    let house = House::new();
    let provider = house.provider();
    house.documents.publish(METADATA, Say::Break);

    for _ in 0..10 {
        provider.metadata().await.unwrap_err();
    }
    assert_eq!(house.documents.fetches(METADATA), 1);

    house.publish_metadata(&json!({}));
    house.clock.advance(Duration::from_secs(1));
    assert!(provider.metadata().await.is_ok());
}

#[tokio::test]
async fn metadata_of_somebody_else_is_as_good_as_none() {
    for more in
        [json!({"issuer": "https://evil.example"}), json!({"jwks_uri": "http://as.example/keys"})]
    {
        let house = House::new();
        house.publish_metadata(&more);

        assert!(house.provider().metadata().await.is_err(), "{more}");
    }
}

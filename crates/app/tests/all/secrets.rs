//! Several secrets for one client.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::MemoryCredentials;
use adapter_memory::testing::Faulty;
use app::{
    AddSecret, AddSecretError, AddSecretRequest, RevokeSecret, RotateSecret, SecretsSurvey,
    SurveySecrets,
};
use async_trait::async_trait;
use domain::management::Mandate;
use domain::port::{Clock as _, CredentialRepository};
use domain::{
    ClientId, ClientState, Credential, EndingSecret, Fault, MAX_SECRETS_PER_CLIENT, SecretHash,
    SecretId, SecretUse, Timestamp,
};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::House;

#[tokio::test]
async fn a_rotation_lets_old_and_new_overlap() {
    let house = House::new();
    let (id, old) = house.client(json!({})).await;
    let client: ClientId = id.parse().unwrap();
    let rotate = RotateSecret { add_secret: house.add_secret() };

    let new = rotate
        .execute(&client, AddSecretRequest::default(), Duration::from_mins(1), &Mandate::Unlimited)
        .await
        .unwrap();

    house.clock.advance(Duration::from_secs(59));
    assert!(house.issue_for(&id, &old).await.is_ok());
    assert!(house.issue_for(&id, new.secret.expose()).await.is_ok());
    house.clock.advance(Duration::from_secs(1));
    assert!(house.issue_for(&id, &old).await.is_err());
    assert!(house.issue_for(&id, new.secret.expose()).await.is_ok());
}

#[tokio::test]
async fn a_revoked_secret_is_worth_nothing_at_once() {
    let house = House::new();
    let (id, secret) = house.client(json!({})).await;
    let client: ClientId = id.parse().unwrap();
    let own = house.credentials.list(&client).await.unwrap().remove(0);
    let revoke =
        RevokeSecret { clients: house.clients.clone(), credentials: house.credentials.clone() };

    assert!(revoke.execute(&client, &own.id, &Mandate::Unlimited).await.unwrap());

    assert!(house.issue_for(&id, &secret).await.is_err());
    assert!(!revoke.execute(&client, &own.id, &Mandate::Unlimited).await.unwrap());
}

#[tokio::test]
async fn there_is_room_for_a_few_and_expired_ones_make_room() {
    let house = House::new();
    let client: ClientId = house.client(json!({})).await.0.parse().unwrap();
    let soon = AddSecretRequest {
        expires_at: Some(house.clock.now().after(Duration::from_secs(1))),
        ..AddSecretRequest::default()
    };
    for _ in 1..MAX_SECRETS_PER_CLIENT {
        house.add_secret().execute(&client, soon.clone(), &Mandate::Unlimited).await.unwrap();
    }

    let full =
        house.add_secret().execute(&client, AddSecretRequest::default(), &Mandate::Unlimited).await;
    assert!(matches!(full.unwrap_err(), AddSecretError::TooMany));

    house.clock.advance(Duration::from_secs(1));
    let late = house.add_secret().execute(&client, soon, &Mandate::Unlimited).await.unwrap_err();
    assert!(matches!(late, AddSecretError::AlreadyExpired));
    house
        .add_secret()
        .execute(&client, AddSecretRequest::default(), &Mandate::Unlimited)
        .await
        .unwrap();
    assert_eq!(house.credentials.list(&client).await.unwrap().len(), 2);
}

/// A store that is slow enough for others to come in between.
struct Slow(Arc<Faulty<MemoryCredentials>>);

impl Slow {
    async fn others_come() {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl CredentialRepository for Slow {
    async fn list(&self, client: &ClientId) -> Result<Vec<Credential>, Fault> {
        Self::others_come().await;
        self.0.list(client).await
    }

    async fn insert(&self, client: &ClientId, credential: &Credential) -> Result<bool, Fault> {
        Self::others_come().await;
        self.0.insert(client, credential).await
    }

    async fn rehash(
        &self,
        client: &ClientId,
        secret: &SecretId,
        old: &SecretHash,
        new: &SecretHash,
    ) -> Result<bool, Fault> {
        self.0.rehash(client, secret, old, new).await
    }

    async fn expire(
        &self,
        client: &ClientId,
        secret: &SecretId,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        self.0.expire(client, secret, at).await
    }

    async fn remove(&self, client: &ClientId, secret: &SecretId) -> Result<bool, Fault> {
        self.0.remove(client, secret).await
    }

    async fn remove_all(&self, client: &ClientId) -> Result<(), Fault> {
        self.0.remove_all(client).await
    }

    async fn record_uses(&self, uses: &[SecretUse]) -> Result<(), Fault> {
        self.0.record_uses(uses).await
    }

    async fn ending(
        &self,
        from: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<EndingSecret>, Fault> {
        self.0.ending(from, until, limit).await
    }
}

#[tokio::test]
async fn however_many_ask_at_once_there_is_room_for_a_few() {
    let house = House::new();
    let (raw, old) = house.client(json!({})).await;
    let client: ClientId = raw.parse().unwrap();
    let credentials = Arc::new(Slow(house.credentials.clone()));
    let add = AddSecret { credentials, ..house.add_secret() };
    let mut crowd = JoinSet::new();
    for _ in 0..20 {
        let (add, client) = (add.clone(), client.clone());
        crowd.spawn(async move {
            add.execute(&client, AddSecretRequest::default(), &Mandate::Unlimited).await
        });
    }

    let (made, refused): (Vec<_>, Vec<_>) =
        crowd.join_all().await.into_iter().partition(Result::is_ok);

    // Those that were first take the whole room, and each of them was shown one that is good.
    assert_eq!(made.len(), MAX_SECRETS_PER_CLIENT - 1);
    for it in made {
        assert!(house.issue_for(&raw, it.unwrap().secret.expose()).await.is_ok());
    }
    assert!(house.issue_for(&raw, &old).await.is_ok());
    assert!(refused.iter().all(|it| matches!(it, Err(AddSecretError::TooMany))));
    assert_eq!(house.credentials.list(&client).await.unwrap().len(), MAX_SECRETS_PER_CLIENT);
}

#[tokio::test]
async fn a_client_with_keys_gets_no_secret() {
    let house = House::new();
    let client = house.key_client(json!({})).await.parse().unwrap();

    let refused =
        house.add_secret().execute(&client, AddSecretRequest::default(), &Mandate::Unlimited).await;

    assert!(matches!(refused.unwrap_err(), AddSecretError::UsesKeys));
}

const DAY: Duration = Duration::from_hours(24);

fn survey(house: &House) -> SurveySecrets {
    SurveySecrets {
        clients: house.clients.clone(),
        credentials: house.credentials.clone(),
        clock: house.clock.clone(),
        warn_before: DAY * 7,
    }
}

/// A client whose only secret ends after `days`.
async fn ending_after(house: &House, days: u32) -> ClientId {
    let client: ClientId = house.client(json!({})).await.0.parse().unwrap();
    let own = house.credentials.list(&client).await.unwrap().remove(0);
    house.credentials.expire(&client, &own.id, house.clock.now().after(DAY * days)).await.unwrap();
    client
}

fn clients(survey: SecretsSurvey) -> [Vec<ClientId>; 2] {
    [survey.ending, survey.ended]
        .map(|list| list.into_iter().map(|it| it.client.unwrap()).collect())
}

#[tokio::test]
async fn secrets_that_end_soon_and_those_that_ended_lately_are_found() {
    let house = House::new();
    house.client(json!({})).await;
    let [eight, seven, three, one] = [
        ending_after(&house, 8).await,
        ending_after(&house, 7).await,
        ending_after(&house, 3).await,
        ending_after(&house, 1).await,
    ];
    let end = house.clock.now().after(DAY);

    let found = survey(&house).execute().await.unwrap();
    assert_eq!(found.next_end(), Some(end));
    assert_eq!(clients(found), [vec![one.clone(), three.clone()], vec![]]);
    house.clock.advance(DAY * 3);
    let found = survey(&house).execute().await.unwrap();
    assert_eq!(clients(found), [vec![seven.clone(), eight.clone()], vec![one, three.clone()]]);
    house.clock.advance(DAY * 7);
    let found = survey(&house).execute().await.unwrap();
    assert_eq!(found.next_end(), None);
    assert_eq!(clients(found), [vec![], vec![three, seven, eight]]);
}

/// A warning that nobody has to act on teaches everybody not to look.
#[tokio::test]
async fn nobody_is_warned_of_what_locks_nobody_out() {
    let house = House::new();
    let soon = house.clock.now().after(DAY * 2);
    let [rotated, brief, disabled, deleted] = [
        ending_after(&house, 1).await,
        ending_after(&house, 1).await,
        ending_after(&house, 1).await,
        ending_after(&house, 1).await,
    ];
    house
        .add_secret()
        .execute(&rotated, AddSecretRequest::default(), &Mandate::Unlimited)
        .await
        .unwrap();
    let soon = AddSecretRequest { expires_at: Some(soon), ..AddSecretRequest::default() };
    house.add_secret().execute(&brief, soon, &Mandate::Unlimited).await.unwrap();
    house.change_state().execute(&disabled, ClientState::Trash, &Mandate::Unlimited).await.unwrap();
    house.delete_client().execute(&deleted, &Mandate::Unlimited).await.unwrap();

    let found = survey(&house).execute().await.unwrap();

    assert_eq!(clients(found), [vec![brief.clone()], vec![]], "the last one");
    house.clock.advance(DAY * 3);
    let found = survey(&house).execute().await.unwrap();
    assert_eq!(clients(found), [vec![], vec![brief]]);
}

#[tokio::test]
async fn a_store_that_is_out_is_no_answer() {
    let house = House::new();
    ending_after(&house, 1).await;

    house.clients.go_out();

    assert!(survey(&house).execute().await.unwrap_err().is_passing());
}

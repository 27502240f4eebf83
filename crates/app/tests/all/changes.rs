//! Changes that are drafted, reviewed, committed at once and rolled back at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use adapter_memory::MemoryClients;
use adapter_memory::testing::{Faulty, PlainDigester, PlainMacs, PlainSigner};
use app::{
    Authority, ChangesError, CommitChanges, CommittedChanges, DiscardChanges, DraftChanges,
    DraftRequest, EditChanges, ReviewChanges, ReviewedChanges, RollBackChanges, SettleChanges,
    Staging,
};
use async_trait::async_trait;
use domain::change_set::{ChangeSet, ChangeSetState};
use domain::management::{ManagementRight, Mandate};
use domain::port::{
    ApplyError, ChangeSetRepository, ClientRepository, ClientTransaction, ClientWrite,
    CredentialRepository as _, MacVerifier as _, SecretOwner, TokenRepository as _,
};
use domain::{Client, ClientId, ClientSecret, ClientState, Fault, Revision, TokenDigest};
use serde_json::{Value, json};

use crate::support::{House, LIFETIME, public_key, rules};

/// A house whose clients can be changed all at once, and what that takes.
struct Stage {
    house: House,
    sets: Arc<Faulty<MemoryClients>>,
    transaction: Arc<Unreliable>,
}

/// Transactions whose answers can be lost.
struct Unreliable {
    store: Arc<MemoryClients>,
    mood: AtomicU8,
}

const FINE: u8 = 0;
/// Carried out, and nobody hears of it.
const DEAF: u8 = 1;
/// Not carried out, and nobody hears of that.
const DEAD: u8 = 2;

#[async_trait]
impl ClientTransaction for Unreliable {
    async fn obstacle(&self) -> Result<Option<&'static str>, Fault> {
        Ok(None)
    }

    async fn apply(
        &self,
        writes: &[ClientWrite],
        set: &ChangeSet,
        expected: Revision,
    ) -> Result<(), ApplyError> {
        match self.mood.load(Ordering::SeqCst) {
            DEAF => {
                self.store.apply(writes, set, expected).await?;
                Err(Fault::unavailable("the answer was lost").into())
            }
            DEAD => Err(Fault::unavailable("the question was lost").into()),
            _ => self.store.apply(writes, set, expected).await,
        }
    }
}

impl Stage {
    fn new() -> Self {
        Self::in_house(House::new())
    }

    fn in_house(house: House) -> Self {
        let store: Arc<MemoryClients> = Arc::default();
        Self {
            house: House { clients: Arc::new(Faulty::new(store.clone())), ..house },
            sets: Arc::new(Faulty::new(store.clone())),
            transaction: Arc::new(Unreliable { store, mood: AtomicU8::new(FINE) }),
        }
    }

    fn staging(&self) -> Staging {
        let house = &self.house;
        Staging {
            sets: self.sets.clone(),
            transaction: self.transaction.clone(),
            clients: house.clients.clone(),
            credentials: house.credentials.clone(),
            tokens: house.tokens.clone(),
            catalogue: house.catalogue_in_use.clone(),
            hasher: house.hasher.clone(),
            macs: Arc::new(PlainMacs),
            digester: Arc::new(PlainDigester),
            signatures: Arc::new(PlainSigner),
            remote_keys: house.published.clone(),
            entropy: house.entropy.clone(),
            clock: house.clock.clone(),
            rules: rules(),
            longest_lifetime: LIFETIME,
            remembered_for: Duration::from_secs(5),
        }
    }

    fn sets(&self) -> &dyn ChangeSetRepository {
        self.sets.as_ref()
    }

    fn clients(&self) -> &dyn ClientRepository {
        self.house.clients.as_ref()
    }

    fn has_mood(&self, mood: u8) {
        self.transaction.mood.store(mood, Ordering::SeqCst);
    }

    async fn draft(&self, operations: Value) -> Result<ChangeSet, ChangesError> {
        let draft = DraftChanges { staging: self.staging() };
        draft.execute(request(&operations), "somebody".parse().unwrap(), &Mandate::Unlimited).await
    }

    async fn review(&self, set: &ChangeSet) -> ReviewedChanges {
        ReviewChanges { staging: self.staging() }.execute(&set.id).await.unwrap()
    }

    async fn commit(&self, set: &ChangeSet) -> Result<CommittedChanges, ChangesError> {
        let commit = CommitChanges { staging: self.staging() };
        commit.execute(&set.id, None, "a committer".parse().unwrap(), &Mandate::Unlimited).await
    }

    /// Drafts and commits.
    async fn change(&self, operations: Value) -> CommittedChanges {
        let set = self.draft(operations).await.unwrap();
        self.commit(&set).await.unwrap()
    }

    async fn roll_back(&self, set: &ChangeSet) -> Result<ChangeSet, ChangesError> {
        let roll_back = RollBackChanges { staging: self.staging() };
        roll_back.execute(&set.id, "a penitent".parse().unwrap(), &Mandate::Unlimited).await
    }

    async fn settle(&self) -> Result<(), Fault> {
        SettleChanges { staging: self.staging() }.execute().await
    }

    async fn discard(&self, set: &ChangeSet) -> Result<(), ChangesError> {
        DiscardChanges { staging: self.staging() }.execute(&set.id, None).await
    }

    async fn stored(&self, id: &str) -> Option<Client> {
        self.clients().find(&client_id(id)).await.unwrap()
    }

    async fn state_of(&self, set: &ChangeSet) -> &'static str {
        self.sets().find(&set.id).await.unwrap().unwrap().state.name()
    }

    async fn secrets_of(&self, id: &str) -> usize {
        self.house.credentials.list(&client_id(id)).await.unwrap().len()
    }

    /// Whether the client gets a token.
    async fn works(&self, (id, secret): &(String, String)) -> bool {
        self.house.issue_for(id, secret).await.is_ok()
    }

    async fn token(&self, (id, secret): &(String, String)) -> String {
        let issued = self.house.issue_for(id, secret).await.unwrap();
        issued.token.as_str().to_owned()
    }

    async fn is_active(&self, token: &str) -> bool {
        self.house.token_info().execute(token).await.is_ok()
    }

    /// A client with a secret.
    async fn client(&self) -> (String, String) {
        self.house.client(json!({"scope": "a b"})).await
    }

    fn tick(&self) {
        self.house.clock.advance(Duration::from_secs(10));
    }
}

fn client_id(raw: &str) -> ClientId {
    raw.parse().unwrap()
}

fn request(operations: &Value) -> DraftRequest {
    let operations = operations.as_array().unwrap().iter();
    let operations = operations.map(|it| it.as_object().unwrap().clone()).collect();
    DraftRequest { note: None, operations }
}

fn create(id: &str) -> Value {
    json!({"op": "create_client", "client_id": id, "client": {"client_name": id, "scope": "a"}})
}

fn of(op: &str, id: &str) -> Value {
    json!({"op": op, "client_id": id})
}

fn change(id: &str, members: &Value) -> Value {
    json!({"op": "change_client", "client_id": id, "client": members})
}

fn secret_of(committed: &CommittedChanges, id: &str) -> (String, String) {
    let found = committed.secrets.iter().find(|(client, _)| client.as_str() == id);
    (id.to_owned(), found.unwrap().1.expose().to_owned())
}

fn moved(error: &ChangesError) -> Vec<&str> {
    let ChangesError::Moved(clients) = error else { panic!("{error:?}") };
    clients.iter().map(ClientId::as_str).collect()
}

#[tokio::test]
async fn a_draft_has_no_effect_and_a_commit_has_all_of_it() {
    let stage = Stage::new();
    let (changed, disabled, deleted) =
        (stage.client().await, stage.client().await, stage.client().await);
    let tokens = [stage.token(&disabled).await, stage.token(&deleted).await];
    stage.tick();
    let operations = json!([
        create("made"),
        change(&changed.0, &json!({"scope": "a", "client_name": "renamed"})),
        of("disable_client", &disabled.0),
        of("delete_client", &deleted.0),
    ]);

    let set = stage.draft(operations).await.unwrap();

    assert!(stage.stored("made").await.is_none());
    assert_eq!(stage.stored(&changed.0).await.unwrap().revision, Revision(1));
    for client in [&changed, &disabled, &deleted] {
        assert!(stage.works(client).await);
    }

    let committed = stage.commit(&set).await.unwrap();

    assert_eq!(committed.set.state.name(), "committed");
    assert!(committed.set.pending.is_empty());
    assert_eq!(committed.secrets.len(), 1);
    assert!(stage.works(&secret_of(&committed, "made")).await);
    let renamed = stage.stored(&changed.0).await.unwrap();
    assert_eq!((renamed.name.as_str(), renamed.revision), ("renamed", Revision(2)));
    assert!(stage.works(&changed).await);
    assert_eq!(stage.stored(&disabled.0).await.unwrap().state, ClientState::Trash);
    assert!(stage.stored(&deleted.0).await.is_none());
    assert_eq!(stage.secrets_of(&deleted.0).await, 0);
    for client in [&disabled, &deleted] {
        assert!(!stage.works(client).await);
    }
    for token in &tokens {
        assert!(!stage.is_active(token).await);
    }
}

#[tokio::test]
async fn a_review_shows_every_problem_at_once_and_a_commit_refuses_them_all() {
    let stage = Stage::new();
    let (id, _) = stage.client().await;
    let twice = stage.client().await.0;
    let operations = json!([
        of("disable_client", "nobody"),
        change(&id, &json!({"scope": "a", "permissions": 7, "colour": "red", "client_name": null})),
        of("disable_client", &twice),
        of("delete_client", &twice),
        {"op": "create_client", "client_id": "new", "client": {"default_scope": "x"}},
        create(&id),
        {"op": "create_client", "client_id": "key", "client": {
            "client_name": "k", "token_endpoint_auth_method": "private_key_jwt"}},
    ]);

    let set = stage.draft(operations).await.unwrap();
    let problems = stage.review(&set).await.problems;
    let refused = stage.commit(&set).await.unwrap_err();

    let named: Vec<(Option<usize>, Option<&str>)> =
        problems.iter().map(|it| (it.operation, it.member.as_deref())).collect();
    let expected = [
        (0, None),
        (3, None),
        (4, Some("client_name")),
        (4, Some("default_scope")),
        // Both are about one client: a new one, and a change.
        (5, None),
        (6, Some("public_key")),
    ];
    assert_eq!(named, expected.map(|(position, member)| (Some(position), member)), "{problems:#?}");
    assert!(matches!(refused, ChangesError::Invalid(it) if it == problems));
    assert_eq!(stage.state_of(&set).await, "draft");
    assert!(stage.stored("new").await.is_none());
}

#[tokio::test]
async fn every_wrong_member_of_a_client_is_named() {
    let stage = Stage::new();
    let (id, _) = stage.client().await;
    let members = json!({
        "scope": "x  y", "default_scope": "x", "permissions": 7, "colour": "red",
        "client_name": null, "access_token_lifetime": 0, "__STATE__": "PUBLIC",
    });

    let set = stage.draft(json!([change(&id, &members)])).await.unwrap();

    let problems = stage.review(&set).await.problems;
    let mut named: Vec<&str> = problems.iter().filter_map(|it| it.member.as_deref()).collect();
    named.sort_unstable();
    // `default_scope` is part of no scope, since that is none.
    let expected =
        ["__STATE__", "access_token_lifetime", "client_name", "colour", "permissions", "scope"];
    assert_eq!(named, expected, "{problems:#?}");
}

#[tokio::test]
async fn what_is_no_operation_is_refused_when_it_is_drafted() {
    let stage = Stage::new();

    let refused = stage.draft(json!([create("a"), {"op": "drop"}, of("delete_client", "a b")]));

    let ChangesError::Invalid(problems) = refused.await.unwrap_err() else { panic!() };
    let named: Vec<_> = problems.iter().map(|it| (it.operation, it.member.as_deref())).collect();
    assert_eq!(named, [(Some(1), Some("client_id")), (Some(2), Some("client_id"))]);
    let many = (0..1_001).map(|n| create(&format!("c{n}"))).collect();
    assert!(matches!(stage.draft(many).await, Err(ChangesError::Invalid(_))));
}

#[tokio::test]
async fn a_set_without_operations_is_not_committed() {
    let stage = Stage::new();
    let set = stage.draft(json!([])).await.unwrap();

    assert!(matches!(stage.commit(&set).await, Err(ChangesError::Invalid(_))));
}

#[tokio::test]
async fn one_client_that_moved_refuses_the_whole_set_and_each_is_named() {
    let stage = Stage::new();
    let (a, b, still) = (stage.client().await, stage.client().await, stage.client().await);
    let operations = json!([
        of("disable_client", &a.0),
        of("delete_client", &b.0),
        of("disable_client", &still.0),
        create("new"),
    ]);
    let set = stage.draft(operations).await.unwrap();
    stage.change(json!([change(&a.0, &json!({"client_name": "moved"}))])).await;
    stage.change(json!([of("delete_client", &b.0)])).await;

    let refused = stage.commit(&set).await.unwrap_err();

    let mut expected = [a.0.as_str(), b.0.as_str()];
    expected.sort_unstable();
    assert_eq!(moved(&refused), expected);
    assert_eq!(stage.review(&set).await.problems.len(), 2);
    assert!(stage.works(&still).await);
    assert!(stage.stored("new").await.is_none());
    assert_eq!(stage.secrets_of("new").await, 0);
}

#[tokio::test]
async fn a_draft_can_be_edited_and_is_bound_anew() {
    let stage = Stage::new();
    let (id, _) = stage.client().await;
    let set = stage.draft(json!([of("disable_client", &id)])).await.unwrap();
    stage.change(json!([change(&id, &json!({"client_name": "moved"}))])).await;
    let editor = EditChanges { staging: stage.staging() };
    let again = || request(&json!([of("disable_client", &id)]));

    let refused = editor.execute(&set.id, again(), Some(&[Revision(7)]), &Mandate::Unlimited).await;
    let renewed =
        editor.execute(&set.id, again(), Some(&[set.revision]), &Mandate::Unlimited).await.unwrap();

    assert!(matches!(refused, Err(ChangesError::Superseded)));
    assert_eq!(renewed.revision, set.revision.next());
    let committed = stage.commit(&renewed).await.unwrap().set;
    let late = editor.execute(&set.id, again(), None, &Mandate::Unlimited).await;
    assert!(matches!(late, Err(ChangesError::WrongState { state: "committed", .. })));
    assert!(matches!(stage.commit(&committed).await, Err(ChangesError::WrongState { .. })));
}

#[tokio::test]
async fn a_rollback_restores_what_was_before() {
    let stage = Stage::new();
    let (changed, disabled, deleted) =
        (stage.client().await, stage.client().await, stage.client().await);
    let before = [
        stage.stored(&changed.0).await.unwrap(),
        stage.stored(&disabled.0).await.unwrap(),
        stage.stored(&deleted.0).await.unwrap(),
    ];
    let old_tokens = [stage.token(&disabled).await, stage.token(&deleted).await];
    stage.tick();
    let operations = json!([
        create("made"),
        change(&changed.0, &json!({"scope": null, "client_name": "renamed"})),
        of("disable_client", &disabled.0),
        of("delete_client", &deleted.0),
    ]);
    let committed = stage.change(operations).await;
    let made = secret_of(&committed, "made");
    let token = stage.token(&made).await;
    stage.tick();

    let set = stage.roll_back(&committed.set).await.unwrap();

    assert_eq!(set.state.name(), "rolled_back");
    assert!(set.pending.is_empty());
    for was in before {
        let is = stage.stored(was.id.as_str()).await.unwrap();
        assert!(was.revision < is.revision, "nobody sees an old ETag again");
        let expected = Client { revision: is.revision, updated_at: is.updated_at, ..was };
        assert_eq!(is, expected);
    }
    assert!(stage.stored("made").await.is_none());
    assert_eq!(stage.secrets_of("made").await, 0);
    assert!(!stage.is_active(&token).await && !stage.works(&made).await);
    // In the second of the rollback their tokens are still worth nothing.
    stage.tick();
    for client in [&changed, &disabled, &deleted] {
        let token = stage.token(client).await;
        assert!(stage.is_active(&token).await);
    }
    for token in &old_tokens {
        assert!(!stage.is_active(token).await, "what was taken back stays so");
    }
    assert!(matches!(stage.roll_back(&set).await, Err(ChangesError::WrongState { .. })));
    let ChangeSetState::RolledBack { commitment, .. } = set.state else { panic!() };
    assert!(commitment.transitions.iter().all(|it| it.lost_secrets.is_empty()));
}

#[tokio::test]
async fn a_rollback_is_refused_whole_where_a_client_was_changed_since() {
    let stage = Stage::new();
    let (a, b) = (stage.client().await, stage.client().await);
    let operations = json!([
        of("disable_client", &a.0),
        of("disable_client", &b.0),
        create("made"),
        create("other"),
    ]);
    let committed = stage.change(operations).await;
    stage.tick();
    stage.change(json!([of("enable_client", &b.0), of("delete_client", "other")])).await;
    // Another client, with the id and the revision of the one that was committed.
    stage.tick();
    let other = Client { ..stage.stored("made").await.unwrap() };
    stage.clients().remove(&other.id).await.unwrap();
    let now = other.updated_at.after(Duration::from_secs(1));
    stage.clients().insert(&Client { updated_at: now, ..other }).await.unwrap();

    let refused = stage.roll_back(&committed.set).await.unwrap_err();

    let mut expected = [b.0.as_str(), "made", "other"];
    expected.sort_unstable();
    assert_eq!(moved(&refused), expected);
    assert_eq!(stage.stored(&a.0).await.unwrap().state, ClientState::Trash);
    assert_eq!(stage.state_of(&committed.set).await, "committed");
}

#[tokio::test]
async fn a_client_that_goes_over_to_keys_and_back_has_the_secrets_that_go_with_it() {
    let stage = Stage::new();
    let client = stage.client().await;
    let to_keys = change(
        &client.0,
        &json!({"token_endpoint_auth_method": "private_key_jwt", "public_key": public_key()}),
    );
    let over = stage.change(json!([to_keys])).await;
    assert!(over.secrets.is_empty());
    assert_eq!(stage.secrets_of(&client.0).await, 0);
    assert!(!stage.works(&client).await);

    stage.roll_back(&over.set).await.unwrap();
    assert!(stage.works(&client).await);

    let again = json!({"op": "change_client", "client_id": client.0, "client": {
        "token_endpoint_auth_method": "private_key_jwt", "public_key": public_key()}});
    stage.change(json!([again])).await;
    stage.tick();
    let to_secrets = json!({"token_endpoint_auth_method": "client_secret_post", "jwks": null});
    let back = stage.change(json!([change(&client.0, &to_secrets)])).await;
    assert!(stage.works(&secret_of(&back, &client.0)).await);
    assert!(!stage.works(&client).await);

    stage.roll_back(&back.set).await.unwrap();
    assert_eq!(stage.secrets_of(&client.0).await, 0);
}

#[tokio::test]
async fn a_replacement_is_the_whole_client_but_for_its_state_and_its_secrets() {
    let stage = Stage::new();
    let client = stage.house.client(json!({"permissions": ["p"], "metadata": {"x": 1}})).await;
    stage.change(json!([of("disable_client", &client.0)])).await;
    let replace =
        |members: Value| json!({"op": "replace_client", "client_id": client.0, "client": members});

    stage.change(json!([replace(json!({"client_name": "new"}))])).await;

    let replaced = stage.stored(&client.0).await.unwrap();
    assert_eq!((replaced.permissions.len(), replaced.metadata.clone()), (0, None));
    assert_eq!((replaced.name.as_str(), replaced.state), ("new", ClientState::Trash));
    let both = json!([replace(json!({"client_name": "newer"})), of("enable_client", &client.0)]);
    stage.tick();
    stage.change(both).await;
    assert!(stage.works(&client).await);
    assert_eq!(stage.stored(&client.0).await.unwrap().name.as_str(), "newer");
}

#[tokio::test]
async fn what_changes_nothing_leaves_the_client_as_it_is() {
    let stage = Stage::new();
    let (id, _) = stage.client().await;

    let committed = stage.change(json!([change(&id, &json!({"scope": "b a"}))])).await;

    assert_eq!(stage.stored(&id).await.unwrap().revision, Revision(1));
    let ChangeSetState::Committed(commitment) = committed.set.state else { panic!() };
    assert!(commitment.transitions.is_empty());
}

#[tokio::test]
async fn an_id_whose_tokens_are_taken_back_for_good_is_not_given_again() {
    let stage = Stage::new();
    let client = stage.client().await;
    stage.house.delete_client().execute(&client_id(&client.0), &Mandate::Unlimited).await.unwrap();

    let set = stage.draft(json!([create(&client.0)])).await.unwrap();

    let problems = stage.review(&set).await.problems;
    assert_eq!(problems.len(), 1);
    assert!(problems[0].reason.contains("choose another client_id"), "{problems:?}");
}

/// An id that a change set deleted can be given again; what its client had is not.
#[tokio::test]
async fn t35_a_client_with_the_id_of_a_deleted_one_inherits_nothing() {
    let stage = Stage::new();
    let old = stage.client().await;
    let token = stage.token(&old).await;
    stage.tick();
    stage.change(json!([of("delete_client", &old.0)])).await;
    stage.tick();

    let made = stage.change(json!([create(&old.0)])).await;

    assert!(!stage.works(&old).await);
    assert!(!stage.is_active(&token).await);
    stage.tick();
    let token = stage.token(&secret_of(&made, &old.0)).await;
    assert!(stage.is_active(&token).await);
    assert_eq!(stage.secrets_of(&old.0).await, 1);
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_out_about() {
    let stage = Stage::new();
    let set = stage.draft(json!([create("made")])).await.unwrap();
    stage.has_mood(DEAF);

    let committed = stage.commit(&set).await.unwrap();

    assert!(stage.works(&secret_of(&committed, "made")).await);
    assert_eq!(stage.state_of(&set).await, "committed");
}

#[tokio::test]
async fn a_commit_that_failed_changed_nothing_and_leaves_no_secret() {
    let stage = Stage::new();
    let client = stage.client().await;
    let operations = json!([create("made"), of("disable_client", &client.0)]);
    let set = stage.draft(operations).await.unwrap();
    stage.has_mood(DEAD);

    let failed = stage.commit(&set).await;

    assert!(matches!(failed, Err(ChangesError::Fault(_))));
    assert!(stage.stored("made").await.is_none());
    assert_eq!(stage.secrets_of("made").await, 0);
    assert!(stage.works(&client).await);
    let stored = stage.sets().find(&set.id).await.unwrap().unwrap();
    assert!(stored.pending.is_empty());
    stage.has_mood(FINE);
    let committed = stage.commit(&set).await.unwrap();
    assert!(stage.works(&secret_of(&committed, "made")).await);
}

/// The store goes out in the middle: what the next attempt has to take away is written down.
#[tokio::test]
async fn secrets_that_nobody_took_away_are_taken_away_later() {
    let stage = Stage::new();
    let set = stage.draft(json!([create("made")])).await.unwrap();
    let unlucky = crash_before_the_transaction(&stage, &set).await;
    assert_eq!(stage.secrets_of("made").await, 1);

    let committed = stage.commit(&unlucky).await.unwrap();

    assert!(stage.works(&secret_of(&committed, "made")).await);
    assert_eq!(stage.secrets_of("made").await, 1);
    let set = stage.draft(json!([create("other")])).await.unwrap();
    let unlucky = crash_before_the_transaction(&stage, &set).await;
    assert_eq!(stage.secrets_of("other").await, 1);
    stage.discard(&unlucky).await.unwrap();
    assert_eq!(stage.secrets_of("other").await, 0);
    assert!(matches!(stage.commit(&unlucky).await, Err(ChangesError::Unknown)));
}

/// What a node leaves that is killed when it has put its secrets down.
async fn crash_before_the_transaction(stage: &Stage, set: &ChangeSet) -> ChangeSet {
    let sets = stage.sets.clone();
    let dying = Staging { transaction: Arc::new(Dying(sets.clone())), ..stage.staging() };
    let commit = CommitChanges { staging: dying };
    let failed =
        commit.execute(&set.id, None, "the unlucky".parse().unwrap(), &Mandate::Unlimited).await;
    assert!(failed.is_err());
    sets.come_back();
    let left = stage.sets().find(&set.id).await.unwrap().unwrap();
    assert_eq!((left.pending.len(), left.state.name()), (1, "draft"));
    left
}

/// Takes the store of change sets along.
struct Dying(Arc<Faulty<MemoryClients>>);

#[async_trait]
impl ClientTransaction for Dying {
    async fn obstacle(&self) -> Result<Option<&'static str>, Fault> {
        Ok(None)
    }

    async fn apply(&self, _: &[ClientWrite], _: &ChangeSet, _: Revision) -> Result<(), ApplyError> {
        self.0.go_out();
        Err(Fault::unavailable("killed").into())
    }
}

/// A node that has not heard of it goes on with the client for a while (threat T34).
#[tokio::test]
async fn t34_what_others_issue_to_a_client_that_is_gone_is_taken_back_too() {
    let stage = Stage::new();
    let client = stage.client().await;
    let committed = stage.change(json!([of("delete_client", &client.0)])).await;
    assert!(!committed.set.is_settled());
    let advance = |seconds| stage.house.clock.advance(Duration::from_secs(seconds));
    advance(3);
    let late = {
        let kept = committed.set.state.clone();
        let ChangeSetState::Committed(commitment) = kept else { panic!() };
        let old = commitment.transitions[0].clone();
        // As a cache would: the client and its secret as they were.
        stage.clients().insert(&old.before.unwrap()).await.unwrap();
        let secret = &old.lost_secrets[0];
        stage.house.credentials.insert(&old.client, secret).await.unwrap();
        let token = stage.token(&client).await;
        stage.clients().remove(&old.client).await.unwrap();
        token
    };
    assert!(stage.is_active(&late).await, "nobody can know of it yet");

    advance(3);
    stage.settle().await.unwrap();

    assert!(!stage.is_active(&late).await);
    assert!(stage.sets().find(&committed.set.id).await.unwrap().unwrap().is_settled());
}

/// Nobody waits: what is committed, rolled back and committed again at once works at once.
#[tokio::test]
async fn what_was_rolled_back_can_be_committed_again_at_once() {
    let stage = Stage::new();
    let committed = stage.change(json!([create("made")])).await;
    stage.roll_back(&committed.set).await.unwrap();
    stage.house.clock.advance(Duration::from_secs(1));

    let again = stage.change(json!([create("made")])).await;

    stage.house.clock.advance(Duration::from_secs(1));
    let client = secret_of(&again, "made");
    let token = stage.token(&client).await;
    assert!(stage.is_active(&token).await);
    stage.tick();
    stage.settle().await.unwrap();
    assert!(stage.is_active(&token).await && stage.works(&client).await);
}

/// The commit stands; whoever comes by later brings it to its end.
#[tokio::test]
async fn what_follows_from_a_commit_is_done_later_where_a_store_was_out() {
    let stage = Stage::new();
    let client = stage.client().await;
    let token = stage.token(&client).await;
    stage.tick();
    let set = stage.draft(json!([of("delete_client", &client.0)])).await.unwrap();
    stage.house.tokens.go_out();

    let committed = stage.commit(&set).await.unwrap().set;

    assert!(!committed.is_settled());
    assert!(stage.settle().await.is_err());
    assert_eq!(stage.secrets_of(&client.0).await, 1);
    stage.house.tokens.come_back();
    stage.settle().await.unwrap();
    assert!(!stage.is_active(&token).await);
    assert_eq!(stage.secrets_of(&client.0).await, 0);
    stage.tick();
    stage.settle().await.unwrap();
    assert!(stage.sets().find(&set.id).await.unwrap().unwrap().is_settled());
    stage.tick();
    stage.roll_back(&committed).await.unwrap();
    assert!(stage.works(&client).await);
}

#[tokio::test]
async fn what_is_settled_late_touches_nothing_that_was_made_since() {
    let stage = Stage::new();
    let client = stage.client().await;
    let unsettled = {
        let set = stage.draft(json!([of("delete_client", &client.0)])).await.unwrap();
        stage.house.tokens.go_out();
        let committed = stage.commit(&set).await.unwrap().set;
        stage.house.tokens.come_back();
        committed
    };
    stage.tick();
    stage.tick();

    let made = stage.change(json!([create(&client.0)])).await;
    // Somebody who slept since.
    let sleeper = Staging { ..stage.staging() };
    let asleep = ChangeSet { id: "asleep".parse().unwrap(), ..unsettled };
    stage.sets().insert(&asleep).await.unwrap();
    SettleChanges { staging: sleeper }.execute().await.unwrap();

    stage.tick();
    assert!(stage.works(&secret_of(&made, &client.0)).await);
}

#[tokio::test]
async fn of_two_sets_that_share_a_client_one_is_committed() {
    let stage = Stage::new();
    let client = stage.client().await;
    let draft = |name: &str| stage.draft(json!([create(name), of("disable_client", &client.0)]));
    let (one, other) = (draft("one").await.unwrap(), draft("other").await.unwrap());

    let (first, second) = tokio::join!(stage.commit(&one), stage.commit(&other));

    assert_ne!(first.is_ok(), second.is_ok());
    let (made, not_made) = if first.is_ok() { ("one", "other") } else { ("other", "one") };
    assert_eq!((stage.secrets_of(made).await, stage.secrets_of(not_made).await), (1, 0));
    assert!(stage.stored(made).await.is_some() && stage.stored(not_made).await.is_none());
}

#[tokio::test]
async fn t47_a_draft_can_name_a_client_only_by_what_an_operator_may_set() {
    let stage = Stage::new();
    let (id, _) = stage.client().await;
    for members in [
        json!({"client_id": "x"}),
        json!({"revision": 9}),
        json!({"lastLogin": "2026"}),
        json!({"createdAt": "2026"}),
    ] {
        let set = stage.draft(json!([change(&id, &members)])).await.unwrap();
        assert_eq!(stage.review(&set).await.problems.len(), 1, "{members}");
    }
    let secret = json!([change(&id, &json!({"client_secret": "hunter2"}))]);
    let refused = stage.draft(secret).await.unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("hunter2"));
}

/// What is registered decides here as it does for a single client; what a client has, it keeps.
#[tokio::test]
async fn t31_a_change_set_gives_nothing_that_is_not_registered() {
    let stage = Stage::in_house(House::strict());
    let registered = json!({"capabilities": ["client_credentials"], "scopes": [{"name": "a"}, {"name": "b"}], "resources": []});
    stage.house.register_all(registered).await.unwrap();
    let (id, _) = stage.client().await;
    let operations = json!([
        {"op": "create_client", "client_id": "new", "client": {"client_name": "n", "scope": "a c"}},
        change(&id, &json!({"audience": ["stock"]})),
    ]);

    let set = stage.draft(operations).await.unwrap();
    let problems = stage.review(&set).await.problems;

    let named: Vec<_> = problems.iter().map(|it| (it.operation, it.member.as_deref())).collect();
    assert_eq!(named, [(Some(0), Some("scope")), (Some(1), Some("audience"))], "{problems:?}");
    assert!(matches!(stage.commit(&set).await, Err(ChangesError::Invalid(it)) if it == problems));
    stage.change(json!([change(&id, &json!({"client_name": "renamed"}))])).await;
}

#[tokio::test]
async fn t37_a_change_set_does_not_betray_a_hash_in_a_debug_log() {
    let stage = Stage::new();
    let client = stage.client().await;
    let committed = stage.change(json!([of("delete_client", &client.0), create("new")])).await;

    let debug = format!("{committed:?}");

    assert!(!debug.contains(&client.1) && !debug.contains(&secret_of(&committed, "new").1));
    assert!(debug.contains("lost_secrets: [Credential"), "{debug}");
}

#[tokio::test]
async fn a_client_made_by_a_change_set_is_one_like_any_other() {
    let stage = Stage::new();
    let members = json!({"client_name": "like any other", "scope": "a b", "audience": ["x"]});
    let registered = stage.house.register(Authority::Management, members.clone()).await.unwrap();

    let operation = json!({"op": "create_client", "client": members});
    let committed = stage.change(json!([operation])).await;

    let (id, _) = committed.secrets.first().unwrap();
    let made = stage.stored(id.as_str()).await.unwrap();
    assert_eq!(id.as_str().len(), 32);
    assert_eq!(made, Client { id: made.id.clone(), ..registered.client });
    assert_eq!(stage.house.tokens.client_revoked_until(id).await.unwrap(), None);
}

/// What is kept of the secret must be of use by the method it is for.
#[tokio::test]
async fn a_client_that_signs_with_its_secret_has_it_sealed_at_the_commit() {
    let stage = Stage::new();
    let members = json!({
        "client_name": "signer", "token_endpoint_auth_method": "client_secret_jwt",
    });
    let operation = json!({"op": "create_client", "client_id": "signer", "client": members});

    let committed = stage.change(json!([operation])).await;

    let (_, secret) = secret_of(&committed, "signer");
    let kept = stage.house.credentials.list(&client_id("signer")).await.unwrap();
    let [credential] = kept.as_slice() else { panic!("{kept:?}") };
    let owner = SecretOwner { client: &client_id("signer"), secret: &credential.id };
    assert!(PlainMacs.is_secret(&ClientSecret::new(secret), owner, &credential.hash).unwrap());
}

#[tokio::test]
async fn a_method_that_its_secrets_are_of_no_use_for_is_refused_in_a_change_set_too() {
    let stage = Stage::new();
    let client = stage.client().await;
    let members = json!({"token_endpoint_auth_method": "client_secret_jwt"});

    let set = stage.draft(json!([change(&client.0, &members)])).await.unwrap();

    let problems = stage.review(&set).await.problems;
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!(problem.member.as_deref(), Some("token_endpoint_auth_method"));
    assert!(problem.reason.contains("revoke them"), "{problem}");
    assert!(matches!(stage.commit(&set).await, Err(ChangesError::Invalid(_))));
    assert!(stage.works(&client).await);
}

/// Together, nobody does what they could not do one by one: neither who drafts, nor who commits, nor
/// who rolls back.
#[tokio::test]
async fn t47_a_change_set_gives_nobody_more_than_they_may_do_themselves() {
    let stage = Stage::new();
    let (id, secret) = stage.client().await;
    let writer = Mandate::Scope("clients:write".parse().unwrap());
    let by = || "a writer".parse().unwrap();
    let is_refused = |error: &ChangesError| {
        matches!(error, ChangesError::Exceeded(_, exceeded)
            if exceeded.0 == ManagementRight::WriteKeys)
    };
    let draft = DraftChanges { staging: stage.staging() };
    let edit = EditChanges { staging: stage.staging() };
    let commit = CommitChanges { staging: stage.staging() };
    let roll_back = RollBackChanges { staging: stage.staging() };
    let wider = json!({"client_name": "wider", "scope": "keys:write"});
    let giving = [
        json!([{"op": "create_client", "client_id": "wider", "client": wider}]),
        json!([{"op": "change_client", "client_id": id, "client": {"scope": "a keys:write"}}]),
        json!([{"op": "replace_client", "client_id": id, "client": wider}]),
    ];
    let harmless = json!([{"op": "change_client", "client_id": id, "client": {"scope": "a"}}]);
    for operations in &giving {
        let error = draft.execute(request(operations), by(), &writer).await.unwrap_err();
        assert!(is_refused(&error), "{error:?}");
        let own = draft.execute(request(&harmless), by(), &writer).await.unwrap();
        let error = edit.execute(&own.id, request(operations), None, &writer).await.unwrap_err();
        assert!(is_refused(&error), "{error:?}");
        let others = stage.draft(operations.clone()).await.unwrap();
        let error = commit.execute(&others.id, None, by(), &writer).await.unwrap_err();
        assert!(is_refused(&error), "{error:?}");
    }
    assert!(stage.works(&(id.clone(), secret)).await);
    let given = stage.change(giving[1].clone()).await.set;
    let error = roll_back.execute(&given.id, by(), &writer).await.unwrap_err();
    assert!(is_refused(&error), "{error:?}");
    for operation in [
        of("disable_client", &id),
        of("delete_client", &id),
        json!({"op": "change_client", "client_id": id, "client": {"scope": "a"}}),
    ] {
        let before = stage.stored(&id).await;
        let others = stage.draft(json!([operation])).await.unwrap();
        let error = commit.execute(&others.id, None, by(), &writer).await.unwrap_err();
        assert!(is_refused(&error), "{error:?}");
        assert_eq!(stage.stored(&id).await, before);
    }
    let both = Mandate::Scope("clients:write keys:write".parse().unwrap());
    roll_back.execute(&given.id, by(), &both).await.unwrap();
    assert_eq!(stage.stored(&id).await.unwrap().scope.to_string(), "a b");
}

#[tokio::test]
async fn t47_a_change_set_takes_a_registration_token_away_for_good() {
    for operation in ["disable_client", "enable_client", "change_client", "replace_client", "scope"]
    {
        let stage = Stage::new();
        let (id, _) = stage.client().await;
        let mut client = stage.stored(&id).await.unwrap();
        let before = client.revision;
        client.settings.registration_token = Some(TokenDigest([7; 32]));
        client.revision = before.next();
        if operation == "enable_client" {
            // As an earlier release left it.
            client.state = ClientState::Trash;
        }
        stage.clients().update(&client, before).await.unwrap();
        let members = match operation {
            "scope" => json!({"scope": "clients:read"}),
            "replace_client" => json!({"client_name": "b", "self_managed": false}),
            _ => json!({"self_managed": false}),
        };
        let change = match operation {
            "disable_client" | "enable_client" => of(operation, &id),
            "scope" => json!({"op": "change_client", "client_id": id, "client": members}),
            _ => json!({"op": operation, "client_id": id, "client": members}),
        };

        let committed = stage.change(json!([change])).await.set;
        assert_eq!(stage.stored(&id).await.unwrap().settings.registration_token, None);
        stage.roll_back(&committed).await.unwrap();

        let now = stage.stored(&id).await.unwrap();
        assert_eq!((now.state, &now.scope), (client.state, &client.scope), "{operation}");
        assert_eq!(now.settings.registration_token, None, "{operation}");
    }
}

/// A file that says who a client is says nothing of the token it manages itself with.
#[tokio::test]
async fn a_replaced_client_keeps_the_token_of_its_registration() {
    let stage = Stage::new();
    let (id, _) = stage.client().await;
    let mut client = stage.stored(&id).await.unwrap();
    let before = client.revision;
    client.settings.registration_token = Some(TokenDigest([7; 32]));
    client.revision = before.next();
    stage.clients().update(&client, before).await.unwrap();
    let members = json!({"client_name": "another", "scope": "a b"});

    stage.change(json!([{"op": "replace_client", "client_id": id, "client": members}])).await;

    let replaced = stage.stored(&id).await.unwrap();
    assert_eq!(replaced.name.as_str(), "another");
    assert_eq!(replaced.settings.registration_token, Some(TokenDigest([7; 32])));
}

//! The promises of [`ClientTransaction`].

use domain::change_set::ChangeSet;
use domain::port::{
    ApplyError, ChangeSetRepository, ClientRepository, ClientTransaction, ClientWrite, LoginLedger,
};
use domain::{Client, ClientId, Login, Revision};
use futures_util::future::{join, join_all};

use crate::sample::{change_set, client, client_id, full_change_set, full_client, later, parsed};

/// Everything that a transaction is about, over one store.
pub trait Rig:
    ClientTransaction + ClientRepository + ChangeSetRepository + LoginLedger + Send + Sync
{
}

impl<T> Rig for T where
    T: ClientTransaction + ClientRepository + ChangeSetRepository + LoginLedger + Send + Sync
{
}

/// Tests an adapter of [`ClientTransaction`] that has no obstacle, with a fixture that makes an
/// empty store.
#[macro_export]
macro_rules! client_transaction {
    ($(#[$attr:meta])+ fixture($($arg:ident: $ty:ty)?) $make:block) => {
        $crate::__cases! {
            client_transaction, [$(#[$attr])+], [$($arg: $ty)?], [$make],
            has_no_obstacle,
            does_everything,
            keeps_the_moment_of_the_last_login,
            does_nothing_if_one_client_moved_and_names_every_one,
            does_nothing_if_the_set_moved,
            does_nothing_for_a_set_that_is_gone,
            marks_a_set_that_changes_no_client,
            of_concurrent_commits_of_one_set_one_wins,
            of_concurrent_commits_that_share_a_client_one_wins,
            commits_that_share_nothing_do_not_disturb_each_other,
            nobody_reads_half_of_it,
            a_set_that_was_renewed_can_no_longer_be_committed,
            takes_as_many_as_a_set_may_have,
        }
    };
}

async fn stored(store: &dyn Rig, id: &str) -> Option<Client> {
    ClientRepository::find(store, &client_id(id)).await.unwrap()
}

async fn stored_set(store: &dyn Rig, id: &str) -> Option<ChangeSet> {
    ChangeSetRepository::find(store, &parsed(id)).await.unwrap()
}

async fn with_clients(store: &dyn Rig, ids: &[&str]) {
    for id in ids {
        ClientRepository::insert(store, &client(id)).await.unwrap();
    }
}

async fn with_draft(store: &dyn Rig, id: &str) {
    assert!(ChangeSetRepository::insert(store, &change_set(id)).await.unwrap());
}

fn changed(id: &str) -> Client {
    Client { revision: Revision(2), last_login: None, ..full_client(id) }
}

fn update(id: &str) -> ClientWrite {
    ClientWrite::Update { client: changed(id), expected: Revision::FIRST }
}

fn remove(id: &str) -> ClientWrite {
    ClientWrite::Remove { id: client_id(id), expected: Revision::FIRST }
}

/// A set as a commit leaves it.
fn done(id: &str) -> ChangeSet {
    ChangeSet { revision: Revision(2), ..full_change_set(id) }
}

async fn apply(store: &dyn Rig, writes: &[ClientWrite], set: &str) -> Result<(), ApplyError> {
    store.apply(writes, &done(set), Revision::FIRST).await
}

/// The suite is for stores that can.
pub async fn has_no_obstacle(store: &dyn Rig) {
    assert_eq!(store.obstacle().await.unwrap(), None);
}

/// Each kind of write, and the set, in whatever order the writes are.
pub async fn does_everything(store: &dyn Rig) {
    with_clients(store, &["changed", "removed", "untouched"]).await;
    with_draft(store, "set").await;
    let writes = [update("changed"), remove("removed"), ClientWrite::Insert(full_client("made"))];

    apply(store, &writes, "set").await.unwrap();

    assert_eq!(stored(store, "changed").await, Some(changed("changed")));
    assert_eq!(stored(store, "removed").await, None);
    assert_eq!(stored(store, "made").await, Some(full_client("made")));
    assert_eq!(stored(store, "untouched").await, Some(client("untouched")));
    assert_eq!(stored_set(store, "set").await, Some(done("set")));
}

/// It belongs to the ledger; a client that comes back has the one it had.
pub async fn keeps_the_moment_of_the_last_login(store: &dyn Rig) {
    with_clients(store, &["c"]).await;
    with_draft(store, "set").await;
    store.record(&[Login { client: client_id("c"), at: later(5) }]).await.unwrap();

    apply(store, &[update("c"), ClientWrite::Insert(full_client("d"))], "set").await.unwrap();

    let expected = Client { last_login: Some(later(5)), ..changed("c") };
    assert_eq!(stored(store, "c").await, Some(expected));
    assert_eq!(stored(store, "d").await.unwrap().last_login, full_client("d").last_login);
}

/// A client that has another revision, is gone, or is there already: all are named, none is
/// touched, and neither are those that have not moved.
pub async fn does_nothing_if_one_client_moved_and_names_every_one(store: &dyn Rig) {
    with_clients(store, &["a", "taken", "z"]).await;
    for id in ["late", "late-too"] {
        let late = Client { revision: Revision(5), ..client(id) };
        ClientRepository::insert(store, &late).await.unwrap();
    }
    with_draft(store, "set").await;
    let writes = [
        update("z"),
        update("late"),
        ClientWrite::Insert(full_client("taken")),
        remove("unknown"),
        update("also-unknown"),
        remove("late-too"),
        ClientWrite::Insert(full_client("made")),
        remove("a"),
    ];

    let refused = apply(store, &writes, "set").await.unwrap_err();

    let ApplyError::Moved(moved) = refused else { unreachable!("{refused:?}") };
    let expected = ["also-unknown", "late", "late-too", "taken", "unknown"];
    assert_eq!(moved, expected.map(client_id));
    for id in ["a", "taken", "z"] {
        assert_eq!(stored(store, id).await, Some(client(id)), "{id}");
    }
    for id in ["made", "unknown", "also-unknown"] {
        assert_eq!(stored(store, id).await, None, "{id}");
    }
    assert_eq!(stored(store, "late").await.unwrap().revision, Revision(5));
    assert_eq!(stored_set(store, "set").await, Some(change_set("set")));
}

/// The set decides, whatever became of the clients.
pub async fn does_nothing_if_the_set_moved(store: &dyn Rig) {
    with_clients(store, &["c"]).await;
    with_draft(store, "set").await;

    for expected in [Revision(2), Revision(7)] {
        let refused = store.apply(&[update("c"), remove("unknown")], &done("set"), expected).await;
        assert!(matches!(refused, Err(ApplyError::Superseded)), "{refused:?}");
    }

    assert_eq!(stored(store, "c").await, Some(client("c")));
    assert_eq!(stored_set(store, "set").await, Some(change_set("set")));
}

/// A commit makes no set.
pub async fn does_nothing_for_a_set_that_is_gone(store: &dyn Rig) {
    with_clients(store, &["c"]).await;

    let refused = apply(store, &[update("c")], "gone").await;

    assert!(matches!(refused, Err(ApplyError::Superseded)), "{refused:?}");
    assert_eq!(stored(store, "c").await, Some(client("c")));
    assert_eq!(stored_set(store, "gone").await, None);
}

/// A set may change nothing.
pub async fn marks_a_set_that_changes_no_client(store: &dyn Rig) {
    with_draft(store, "set").await;

    apply(store, &[], "set").await.unwrap();

    assert_eq!(stored_set(store, "set").await, Some(done("set")));
}

/// Two operators press the button at once.
pub async fn of_concurrent_commits_of_one_set_one_wins(store: &dyn Rig) {
    with_clients(store, &["a", "b"]).await;
    with_draft(store, "set").await;
    let writes = [update("a"), remove("b"), ClientWrite::Insert(client("c"))];

    let outcomes = join_all((0..8).map(|_| apply(store, &writes, "set"))).await;

    assert_eq!(outcomes.iter().filter(|it| it.is_ok()).count(), 1, "{outcomes:?}");
    for refused in outcomes.iter().filter_map(|it| it.as_ref().err()) {
        let is_late = matches!(refused, ApplyError::Superseded | ApplyError::Moved(_));
        assert!(is_late, "{refused:?}");
    }
    assert_eq!(stored(store, "a").await, Some(changed("a")));
    assert_eq!(stored(store, "b").await, None);
}

/// Two sets that both change one client, in two orders: one is done wholly, the other not at all.
pub async fn of_concurrent_commits_that_share_a_client_one_wins(store: &dyn Rig) {
    with_clients(store, &["a", "b", "m", "n"]).await;
    for set in 0..6 {
        with_draft(store, &format!("set{set}")).await;
    }
    let attempt = async |set: u32| {
        let mine = format!("mine{set}");
        let insert = ClientWrite::Insert(client(&mine));
        let mut writes = [update("a"), update("m"), insert, update("n"), remove("b")];
        if set % 2 == 1 {
            writes.reverse();
        }
        apply(store, &writes, &format!("set{set}")).await
    };

    let outcomes = join_all((0..6).map(attempt)).await;

    let won = outcomes.iter().filter(|it| it.is_ok()).count();
    assert_eq!(won, 1, "{outcomes:?}");
    for (set, outcome) in outcomes.iter().enumerate() {
        let (is_winner, name) = (outcome.is_ok(), format!("set{set}"));
        assert_eq!(stored(store, &format!("mine{set}")).await.is_some(), is_winner, "{set}");
        let expected = if is_winner { done(&name) } else { change_set(&name) };
        assert_eq!(stored_set(store, &name).await, Some(expected), "{set}");
        if let Err(refused) = outcome {
            assert!(matches!(refused, ApplyError::Moved(_)), "{refused:?}");
        }
    }
}

/// Nobody fails because somebody else commits something else.
pub async fn commits_that_share_nothing_do_not_disturb_each_other(store: &dyn Rig) {
    for set in 0..6 {
        with_clients(store, &[&format!("c{set}")]).await;
        with_draft(store, &format!("set{set}")).await;
    }
    let attempt = async |set: u32| {
        let writes =
            [update(&format!("c{set}")), ClientWrite::Insert(client(&format!("new{set}")))];
        apply(store, &writes, &format!("set{set}")).await
    };

    for outcome in join_all((0..6).map(attempt)).await {
        outcome.unwrap();
    }
}

/// Whoever reads one client of a set as it is now reads the others as they are now.
pub async fn nobody_reads_half_of_it(store: &dyn Rig) {
    let ids: Vec<String> = (0..20).map(|n| format!("c{n:02}")).collect();
    for id in &ids {
        with_clients(store, &[id]).await;
    }
    with_draft(store, "set").await;
    let writes: Vec<ClientWrite> = ids.iter().map(|id| update(id)).collect();
    let read = async {
        for _ in 0..30 {
            // The one that is read first is not newer than the one that is read last.
            let first = stored(store, "c00").await.unwrap().revision;
            let last = stored(store, "c19").await.unwrap().revision;
            assert!(first <= last, "{first:?} was there before {last:?}");
        }
    };

    let (outcome, ()) = join(apply(store, &writes, "set"), read).await;

    outcome.unwrap();
    for id in &ids {
        assert_eq!(stored(store, id).await.unwrap().revision, Revision(2));
    }
}

/// That is how somebody makes sure that a commit whose answer was lost will not happen any more.
pub async fn a_set_that_was_renewed_can_no_longer_be_committed(store: &dyn Rig) {
    with_clients(store, &["c"]).await;
    with_draft(store, "set").await;
    let renewed = ChangeSet { revision: Revision(2), ..change_set("set") };
    let writes = [update("c")];

    let (renewal, outcome) = join(
        ChangeSetRepository::update(store, &renewed, Revision::FIRST),
        apply(store, &writes, "set"),
    )
    .await;

    assert_ne!(renewal.unwrap(), outcome.is_ok(), "{outcome:?}");
    let is_changed = stored(store, "c").await == Some(changed("c"));
    assert_eq!(is_changed, outcome.is_ok());
    let again = apply(store, &writes, "set").await;
    assert!(matches!(again, Err(ApplyError::Superseded)), "{again:?}");
}

/// A thousand clients are not too many.
pub async fn takes_as_many_as_a_set_may_have(store: &dyn Rig) {
    with_draft(store, "set").await;
    let many = domain::change_set::MAX_OPERATIONS;
    let ids: Vec<String> = (0..many).map(|n| format!("c{n:04}")).collect();
    let writes: Vec<ClientWrite> =
        ids.iter().map(|id| ClientWrite::Insert(full_client(id))).collect();

    apply(store, &writes, "set").await.unwrap();

    for id in [&ids[0], &ids[many / 2], &ids[many - 1]] {
        let id: ClientId = client_id(id);
        assert!(ClientRepository::find(store, &id).await.unwrap().is_some());
    }
}

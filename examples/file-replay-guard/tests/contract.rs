//! The adapter keeps the promises of its port.

use contract::sample::{NOW, client_id, later, token_id};
use domain::FaultKind;
use domain::port::{HealthProbe as _, ReplayGuard as _};
use example_file_replay_guard::FileReplayGuard;

mod replay_guard {
    contract::replay_guard! {
        #[tokio::test]
        fixture() {
            let directory = tempfile::tempdir().unwrap();
            (example_file_replay_guard::FileReplayGuard::new(directory.path()), directory)
        }
    }
}

#[tokio::test]
async fn what_was_burned_is_remembered_after_a_restart_until_it_is_swept() {
    let directory = tempfile::tempdir().unwrap();
    let (client, id) = (client_id("a"), token_id("j"));
    let first = FileReplayGuard::new(directory.path());
    assert!(first.burn(&client, &id, later(60), NOW).await.unwrap());

    let second = FileReplayGuard::new(directory.path());

    assert!(!second.burn(&client, &id, later(60), NOW).await.unwrap());
    assert_eq!(second.sweep(later(59)).await.unwrap(), 0);
    assert_eq!(second.sweep(later(60)).await.unwrap(), 1);
    assert!(second.burn(&client, &id, later(120), later(61)).await.unwrap());
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_no_replay() {
    let guard = FileReplayGuard::new("/nowhere/at/all");

    let fault = guard.burn(&client_id("a"), &token_id("j"), later(60), NOW).await.unwrap_err();

    assert_eq!(fault.kind(), FaultKind::Unavailable);
    assert_eq!(guard.check().await.unwrap_err().kind(), FaultKind::Unavailable);
}

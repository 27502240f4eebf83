//! Waiting for what comes by itself.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// Tries until there is something, for so long at most; says what came and how long it took.
pub(crate) async fn within<T>(
    limit: Duration,
    what: &str,
    mut attempt: impl AsyncFnMut() -> Option<T>,
) -> (T, Duration) {
    let started = Instant::now();
    let tried = async {
        loop {
            if let Some(value) = attempt().await {
                return value;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let came = timeout(limit, tried).await;
    let value = came.unwrap_or_else(|_| panic!("{what} did not come within {limit:?}"));
    (value, started.elapsed())
}

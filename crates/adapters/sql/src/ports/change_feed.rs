//! [`ChangeFeed`] on the notifications of PostgreSQL.

use std::time::Duration;

use async_trait::async_trait;
use domain::port::{ChangeFeed, ChangeListener};
use domain::{Change, Fault};
use sqlx::Executor as _;
use sqlx::postgres::PgListener;
use tokio::time::timeout;

use crate::PgStores;
use crate::fault::fault;

/// What the triggers of the schema notify.
const CHANNEL: &str = "tokenwright_changes";

/// How long nothing may be heard before the server is asked whether it is still there.
const QUIET: Duration = Duration::from_secs(3);

/// Triggers notify when a change is committed, whoever made it: another node, a command, or an
/// operator at the database's own prompt.
#[async_trait]
impl ChangeFeed for PgStores {
    async fn follow(&self, listener: &dyn ChangeListener) -> Fault {
        match listen(self, listener).await {
            Ok(never) => match never {},
            Err(fault) => fault,
        }
    }
}

async fn listen(
    stores: &PgStores,
    listener: &dyn ChangeListener,
) -> Result<std::convert::Infallible, Fault> {
    // A connection of its own, which is gone with this future.
    let pool = stores.engine.listening_pool();
    let patience = stores.engine.patience();
    let opened = async {
        let mut feed = PgListener::connect_with(&pool).await?;
        feed.listen(CHANNEL).await?;
        Ok(feed)
    };
    let mut feed = timeout(patience, opened).await.map_err(Fault::unavailable)?.map_err(fault)?;
    listener.heard(&Change::Unknown);
    loop {
        match timeout(QUIET, feed.try_recv()).await {
            Ok(Ok(Some(notification))) => listener.heard(&Change::decoded(notification.payload())),
            Ok(Ok(None)) => return Err(Fault::unavailable("the connection was lost")),
            Ok(Err(error)) => return Err(fault(error)),
            Err(_quiet) => {
                let asked = timeout(patience, feed.execute("select 1")).await;
                asked.map_err(Fault::unavailable)?.map_err(fault)?;
            }
        }
    }
}

//! [`ChangeFeed`] by `SUBSCRIBE`.

use std::convert::Infallible;

use async_trait::async_trait;
use domain::port::{ChangeFeed, ChangeListener};
use domain::{Change, Fault};
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, PushInfo, PushKind, RedisError, Value, cmd};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{sleep, timeout};

use crate::RedisStores;
use crate::address::Address;
use crate::failure::Failure;
use crate::link::CHECK_EVERY;
use crate::site::Layout;

#[async_trait]
impl ChangeFeed for RedisStores {
    /// On a connection of its own, at the master or at any node of a cluster. The server is asked
    /// once a second whether it is still there and still what it was; one that froze is left within
    /// seconds.
    async fn follow(&self, listener: &dyn ChangeListener) -> Fault {
        match self.hear(listener).await {
            Ok(never) => match never {},
            Err(failure) => failure.into(),
        }
    }
}

/// A subscription, and what comes through it.
struct Subscription {
    address: Address,
    connection: MultiplexedConnection,
    news: UnboundedReceiver<PushInfo>,
}

impl RedisStores {
    async fn hear(&self, listener: &dyn ChangeListener) -> Result<Infallible, Failure> {
        let subscribed = timeout(self.site.patience, self.subscribe()).await;
        let mut subscription = subscribed.unwrap_or(Err(Failure::TooLong))?;
        listener.heard(&Change::Unknown);
        let watch = self.watch(subscription.connection, &subscription.address);
        let mut watch = std::pin::pin!(watch);
        loop {
            tokio::select! {
                push = subscription.news.recv() => match push {
                    Some(push) if push.kind == PushKind::Message => listener.heard(&told(&push)),
                    Some(push) if push.kind != PushKind::Disconnection => {}
                    Some(_) | None => return Err(cut()),
                },
                failed = &mut watch => return failed,
            }
        }
    }

    /// Subscribes at the first server that lets us.
    async fn subscribe(&self) -> Result<Subscription, Failure> {
        let mut failure = Failure::Broken;
        for address in self.site.hearing().await? {
            match self.subscribe_at(address).await {
                Ok(subscription) => return Ok(subscription),
                Err(failed) => failure = failed,
            }
        }
        Err(failure)
    }

    async fn subscribe_at(&self, address: Address) -> Result<Subscription, Failure> {
        let (sender, news) = unbounded_channel();
        let unreachable = |error| Failure::unreachable(&address, error);
        let dialed = self.site.dialer.listen(&address, sender).await;
        let mut connection = dialed.map_err(unreachable)?;
        if let Err(failure) = self.judge(&mut connection, &address).await {
            self.site.doubt().await;
            return Err(failure);
        }
        connection.subscribe(self.keys.changes()).await.map_err(unreachable)?;
        Ok(Subscription { address, connection, news })
    }

    /// Returns once the server is no longer good enough.
    async fn watch(
        &self,
        mut connection: MultiplexedConnection,
        address: &Address,
    ) -> Result<Infallible, Failure> {
        loop {
            sleep(CHECK_EVERY).await;
            self.judge(&mut connection, address).await?;
        }
    }

    /// Whether a server hears of everything: a master does, and so does a node of a cluster that
    /// holds the cluster for whole.
    async fn judge(
        &self,
        connection: &mut MultiplexedConnection,
        address: &Address,
    ) -> Result<(), Failure> {
        match &self.site.layout {
            Layout::One(pool) => pool.judge(connection, address).await,
            Layout::Many(_) => match is_in_whole_cluster(connection).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(Failure::Broken),
                Err(error) => Err(Failure::Lost(error.into())),
            },
        }
    }
}

async fn is_in_whole_cluster(connection: &mut MultiplexedConnection) -> redis::RedisResult<bool> {
    let told: String = cmd("CLUSTER").arg("INFO").query_async(connection).await?;
    Ok(told.contains("cluster_state:ok"))
}

/// The change that a message holds: channel, then payload.
fn told(push: &PushInfo) -> Change {
    match push.data.as_slice() {
        [_, Value::BulkString(payload)] => {
            std::str::from_utf8(payload).map_or(Change::Unknown, Change::decoded)
        }
        _ => Change::Unknown,
    }
}

fn cut() -> Failure {
    Failure::Lost(RedisError::from((ErrorKind::Io, "the connection was cut")).into())
}

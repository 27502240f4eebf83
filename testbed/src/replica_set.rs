//! Several MongoDB servers that follow one of them.

use std::time::Duration;

use mongodb::Client;
use mongodb::bson::{Bson, Document, doc};

use crate::mongodb::MongoServer;
use crate::process::Outcome;

/// How long a replica set may take to find its primary.
const PATIENCE: u32 = 60_000;
const POLL: u32 = 50;

/// A replica set of three members, one of which is the primary.
#[derive(Debug)]
pub struct ReplicaSet {
    /// The members, in no order that means anything.
    pub members: Vec<MongoServer>,
}

impl ReplicaSet {
    /// Starts three servers, and waits until one of them is the primary.
    ///
    /// # Errors
    ///
    /// If one of them does not start, or they do not agree.
    pub async fn start() -> Outcome<Self> {
        Self::start_with(&[]).await
    }

    /// As [`ReplicaSet::start`], with more arguments for each of the servers.
    ///
    /// # Errors
    ///
    /// As [`ReplicaSet::start`].
    pub async fn start_with(arguments: &[&str]) -> Outcome<Self> {
        let arguments = [&["--replSet", "rs0"], arguments].concat();
        let members: Vec<_> =
            (0..3).map(|_| MongoServer::start_with(&arguments)).collect::<Outcome<_>>()?;
        initiate(&members.iter().map(|member| member.port).collect::<Vec<_>>()).await?;
        Ok(Self { members })
    }

    /// Where it is reached, with all its members named.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<_> =
            self.members.iter().map(|member| format!("127.0.0.1:{}", member.port)).collect();
        format!("mongodb://{}/?replicaSet=rs0", hosts.join(","))
    }

    /// Which member is the primary, if any is.
    pub async fn primary(&self) -> Option<usize> {
        for (index, member) in self.members.iter().enumerate() {
            if is_primary(member.port).await {
                return Some(index);
            }
        }
        None
    }

    /// Makes the primary step down, so that another one is elected.
    ///
    /// # Errors
    ///
    /// If there is no primary, or it refuses.
    pub async fn step_down(&self) -> Outcome {
        let primary = self.primary().await.and_then(|index| self.members.get(index));
        let port = primary.ok_or("there is no primary")?.port;
        // The others may not have caught up at once; it waits for one that has.
        let command = doc! { "replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 8 };
        admin(port).await?.database("admin").run_command(command).await?;
        Ok(())
    }
}

/// Makes a replica set `rs0` of the members at these ports, unless they are one already, and waits
/// for its primary.
///
/// # Errors
///
/// If they do not agree within a minute.
pub async fn initiate(ports: &[u16]) -> Outcome {
    let [first, ..] = ports else { return Err("a replica set has a member".into()) };
    let members: Vec<Bson> = ports
        .iter()
        .zip(0_i32..)
        .map(|(port, id)| Bson::from(doc! { "_id": id, "host": format!("127.0.0.1:{port}") }))
        .collect();
    let config = doc! {
        "_id": "rs0",
        "members": members,
        // Elections within a second or two, not ten.
        "settings": { "electionTimeoutMillis": 1_500, "heartbeatIntervalMillis": 300 },
    };
    let client = admin(*first).await?;
    let initiated = client.database("admin").run_command(doc! { "replSetInitiate": config }).await;
    if let Err(error) = initiated
        && !error.to_string().contains("already initialized")
    {
        return Err(error.into());
    }
    for _ in 0..PATIENCE / POLL {
        for port in ports {
            if is_primary(*port).await {
                return Ok(());
            }
        }
        tokio::time::sleep(Duration::from_millis(u64::from(POLL))).await;
    }
    Err("no member of the replica set became its primary".into())
}

async fn is_primary(port: u16) -> bool {
    let hello = async {
        let client = admin(port).await.ok()?;
        client.database("admin").run_command(doc! { "hello": 1 }).await.ok()
    };
    let said: Document = hello.await.unwrap_or_default();
    said.get_bool("isWritablePrimary").unwrap_or(false)
}

async fn admin(port: u16) -> Outcome<Client> {
    let url = format!(
        "mongodb://127.0.0.1:{port}/?directConnection=true&serverSelectionTimeoutMS=3000\
         &connectTimeoutMS=2000"
    );
    Ok(Client::with_uri_str(url).await?)
}

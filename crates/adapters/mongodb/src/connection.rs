//! One client of the driver, and a bound on every wait.

use std::future::Future;
use std::time::Duration;

use domain::Fault;
use mongodb::error::{Error, ErrorKind};
use mongodb::options::{
    Acknowledgment, ClientOptions, DatabaseOptions, ReadConcern, ReadPreference, SelectionCriteria,
    WriteConcern,
};
use mongodb::{Client, Database};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::fault::{fault, late};
use crate::{InvalidMongoUrl, MongoOptions};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const SERVER_SELECTION_TIMEOUT: Duration = Duration::from_secs(3);
const DEFAULT_DATABASE: &str = "tokenwright";

/// One client of the driver, which looks after its connections, and the database.
pub(crate) struct Connection {
    url: SecretString,
    database_name: Option<String>,
    max_connections: u32,
    timeout: Duration,
    /// Empty only as long as the names of the servers could not be looked up.
    database: OnceCell<Database>,
}

impl Connection {
    /// Reads the URL. Only the look-up of a `mongodb+srv` URL asks anybody for anything, and may
    /// fail: then whoever calls next tries again.
    pub(crate) async fn new(options: &MongoOptions) -> Result<Self, InvalidMongoUrl> {
        let connection = Self {
            url: options.url.clone(),
            database_name: options.database.clone(),
            max_connections: options.max_connections.max(1),
            timeout: options.timeout,
            database: OnceCell::new(),
        };
        match timeout(options.timeout, connection.database()).await {
            Ok(Err(error)) if !matches!(*error.kind, ErrorKind::DnsResolve { .. }) => {
                return Err(InvalidMongoUrl);
            }
            Ok(Ok(_) | Err(_)) | Err(_) => (),
        }
        Ok(connection)
    }

    /// The database, with the concerns that the ports need.
    pub(crate) async fn database(&self) -> Result<&Database, Error> {
        self.database.get_or_try_init(|| self.connect()).await
    }

    async fn connect(&self) -> Result<Database, Error> {
        let mut options = ClientOptions::parse(self.url.expose_secret()).await?;
        options.app_name.get_or_insert_with(|| "tokenwright".to_owned());
        options.connect_timeout.get_or_insert(CONNECT_TIMEOUT);
        options.server_selection_timeout.get_or_insert(SERVER_SELECTION_TIMEOUT);
        options.max_pool_size.get_or_insert(self.max_connections);
        let name = self.database_name.as_deref().or(options.default_database.as_deref());
        let name = name.unwrap_or(DEFAULT_DATABASE).to_owned();
        let client = Client::with_options(options)?;
        Ok(client.database_with_options(&name, self.concerns()))
    }

    fn concerns(&self) -> DatabaseOptions {
        DatabaseOptions::builder()
            .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
            // What a majority does not have may be undone by a failover: it is not read.
            .read_concern(ReadConcern::majority())
            .write_concern(self.write_concern())
            .build()
    }

    /// A write is done when it is in the journals of a majority: then no failover and no power cut
    /// undoes it. The server gives up waiting before we do, so that it can say why.
    pub(crate) fn write_concern(&self) -> WriteConcern {
        WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(true)
            .w_timeout(self.timeout * 4 / 5)
            .build()
    }

    /// How long a call may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What `work` yields, if it does in time. The driver has no limit of its own for the answer of
    /// a server that is there and says nothing.
    pub(crate) async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Fault> {
        timeout(self.timeout, work).await.map_err(|_| late())?.map_err(|error| fault(&error))
    }

    /// Closes every connection.
    pub(crate) async fn close(&self) {
        if let Some(database) = self.database.get() {
            // Not in peace, which would wait for everybody who still follows the changes.
            let shutdown = database.client().clone().shutdown().immediate(true);
            // A server that says nothing is left alone.
            let _ = timeout(self.timeout, shutdown).await;
        }
    }
}

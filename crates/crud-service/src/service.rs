//! The service, on its own or inside a test.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer, rt};
use mongodb::Client;
use mongodb::options::ClientOptions;

use crate::collection::Collection;
use crate::http::{self, Shared};
use crate::mood::Stage;
use crate::{Mood, Options, RecordedRequest};

/// Why the service did not start, or ended. The cause may name a server, never a password.
#[derive(Debug)]
pub enum StartError {
    /// The URL of MongoDB is none.
    Url,
    /// The port cannot be listened on.
    Listen(io::Error),
    /// MongoDB did not make the index.
    Index,
    /// It ended before it listened.
    Ended,
}

/// Runs the service until it is told to end by a signal. MongoDB need not be up.
///
/// # Errors
///
/// [`StartError`].
pub fn run(options: &Options) -> Result<(), StartError> {
    rt::System::new().block_on(async {
        let shared = shared(options).await?;
        let (server, _) = listen(options, &shared, true)?;
        let preparing = rt::spawn(async move {
            while shared.collection.prepare().await.is_err() {
                rt::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let ended = server.await.map_err(StartError::Listen);
        preparing.abort();
        ended
    })
}

/// A service on a thread of its own, which ends with this.
#[derive(Debug)]
pub struct CrudService {
    address: SocketAddr,
    shared: Data<Shared>,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl CrudService {
    /// Starts a service; MongoDB has to be up.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn start(options: Options) -> Result<Self, StartError> {
        let (started, outcome) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            rt::System::new().block_on(async {
                match prepared(&options).await {
                    Err(error) => drop(started.send(Err(error))),
                    Ok((server, address, shared)) => {
                        let told = started.send(Ok((address, server.handle(), shared.clone())));
                        if told.is_ok() {
                            drop(server.await);
                        }
                        if options.is_scratch {
                            drop(shared.collection.remove_everything().await);
                        }
                    }
                }
            });
        });
        let (address, handle, shared) = outcome.recv().map_err(|_| StartError::Ended)??;
        Ok(Self { address, shared, handle, thread: Some(thread) })
    }

    /// Where the collection is: what clients call the base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.shared.path)
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Meets all requests with `mood` from now on.
    pub fn set_mood(&self, mood: Mood) {
        self.shared.stage.set(mood);
    }

    /// Meets all requests but for the next `count` with `mood`.
    pub fn set_mood_after(&self, count: usize, mood: Mood) {
        self.shared.stage.set_after(count, mood);
    }

    /// Meets the next request of that method whose path ends so with `mood`, once.
    pub fn meet_next(&self, method: &str, path_end: &str, mood: Mood) {
        self.shared.stage.meet_next(method, path_end, mood);
    }

    /// The requests so far, but for those that were forgotten.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.stage.requests()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.stage.forget_requests();
    }
}

impl Drop for CrudService {
    fn drop(&mut self) {
        // The order goes out at once; what is to be awaited is its end, which the thread waits for.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn prepared(options: &Options) -> Result<(Server, SocketAddr, Data<Shared>), StartError> {
    let shared = shared(options).await?;
    shared.collection.prepare().await.map_err(|_| StartError::Index)?;
    let (server, address) = listen(options, &shared, false)?;
    Ok((server, address, shared))
}

async fn shared(options: &Options) -> Result<Data<Shared>, StartError> {
    let mut mongodb =
        ClientOptions::parse(&options.mongodb_url).await.map_err(|_| StartError::Url)?;
    mongodb.server_selection_timeout = Some(Duration::from_secs(3));
    let client = Client::with_options(mongodb).map_err(|_| StartError::Url)?;
    let database = client.default_database();
    Ok(Data::new(Shared {
        collection: Collection {
            database: database.unwrap_or_else(|| client.database(&options.database)),
            name: options.collection.clone(),
            definition: options.definition.clone(),
        },
        dialect: options.dialect,
        user_header: options.user_header.to_ascii_lowercase(),
        path: options.path.trim_end_matches('/').to_owned(),
        stage: Stage::new(options.memory),
    }))
}

fn listen(
    options: &Options,
    shared: &Data<Shared>,
    hears_signals: bool,
) -> Result<(Server, SocketAddr), StartError> {
    const MAX_BODY_BYTES: usize = 1_024 * 1_024;
    let shared = shared.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .app_data(web::PayloadConfig::new(MAX_BODY_BYTES))
            .route("/-/healthz", web::get().to(http::healthz))
            .route("/-/ready", web::get().to(http::ready_or_not))
            .default_service(web::to(http::serve))
    })
    .workers(1)
    .shutdown_timeout(5);
    let server = if hears_signals { server } else { server.disable_signals() };
    let server = server.bind((options.address, options.port)).map_err(StartError::Listen)?;
    let address = server.addrs().first().copied().ok_or(StartError::Ended)?;
    Ok((server.run(), address))
}

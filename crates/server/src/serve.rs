//! The life of the server: start, serve, end.

mod background;
mod secrets_watch;
mod tls;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use tokio::net::TcpSocket;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub(crate) use secrets_watch::SecretNumbers;

use crate::http::{self, Api};
use crate::service::Service;
use crate::settings::Settings;
use crate::telemetry::{Logging, traces};
use crate::wiring::{self, OpenError};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 4_096;
/// How long an idle connection is kept: longer than proxies keep theirs, so that they never send a
/// request into one that we are closing.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long the last writes may take.
const FLUSH: Duration = Duration::from_secs(5);

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// Somebody else listens there, or it is not ours to listen on.
    #[error("cannot listen on {address}: {source}; choose another with `listen` or HTTP_PORT")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("{0}")]
    Tls(String),
    /// Traces cannot be sent.
    #[error("telemetry.otlp_endpoint: {0}")]
    Traces(String),
    /// A store cannot be used at all.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What the stores hold cannot be served.
    #[error("{0}")]
    Start(String),
    /// The operating system refuses something.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads the certificate and its key once, so that a wrong one is told before anything starts.
pub(crate) fn check_tls(settings: &Settings) -> Result<(), ServeError> {
    match &settings.tls {
        Some(tls) => tls::server_config(tls).map(drop),
        None => Ok(()),
    }
}

/// Serves until told to stop.
pub(crate) fn run(settings: Settings) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("background")
        .enable_all()
        .build()?;
    actix_web::rt::System::with_tokio_rt(|| runtime).block_on(serve(settings))
}

async fn serve(settings: Settings) -> Result<(), ServeError> {
    let clock = wiring::system_clock();
    let (logging, log_guard) = Logging::open(settings.log_level, clock)?;
    let provider = match &settings.otlp_endpoint {
        Some(endpoint) => Some(
            traces::start(endpoint, &settings.service_version)
                .map_err(|error| ServeError::Traces(error.to_string()))?,
        ),
        None => None,
    };
    tracing_subscriber::registry()
        .with(logging.layer())
        .with(provider.as_ref().map(traces::layer))
        .init();
    log_panics();
    for notice in settings.notices.iter().chain(&wiring::check_keys(&settings)?) {
        tracing::warn!("{notice}");
    }
    if !settings.keys.files.is_empty() {
        tracing::info!("the signing keys are files: they take turns in the configuration alone");
    }
    let outcome = serve_until_told(&settings, logging).await;
    if let Some(provider) = provider {
        // The exporter waits for its collector on a thread of its own.
        drop(web::block(move || provider.shutdown()).await);
    }
    drop(log_guard);
    outcome
}

async fn serve_until_told(settings: &Settings, logging: Logging) -> Result<(), ServeError> {
    let tls = settings.tls.as_ref().map(tls::server_config).transpose()?;
    let listener = listen(settings.listen)?;
    let address = listener.local_addr()?;
    let service = Service::build(settings, settings.issuer(address), logging).await?;
    let Service {
        api,
        stores,
        notes,
        ensure_keys,
        tend_keys,
        secrets_watch,
        claim_bootstrap_token,
        phase,
        listener: hears,
        keys_changed,
        refresh_catalogue,
        catalogue_changed,
    } = service;
    let api = web::Data::new(api);
    let server = http_server(settings, listener, tls, &api)?;
    let base_url = format!("{}{}", settings.base_url(address), settings.service_prefix);
    tracing::info!(url = base_url, address = address.to_string(), "listening");
    let handle = server.handle();
    let ended = actix_web::rt::spawn(server);
    let stores = Arc::new(stores);

    let starter = background::Starter {
        stores: Arc::clone(&stores),
        ensure_keys,
        tend_keys,
        secrets_watch,
        refresh_catalogue,
        claim_bootstrap_token,
        phase: Arc::clone(&phase),
        algorithms: settings.tokens.algorithms(),
        base_url,
    };
    let (tasks, failed) = background::Tasks::start(
        starter,
        background::Rhythm {
            keys: settings.keys.refresh,
            // So that nothing is older than `fresh`, however long the reading takes.
            catalogue: settings.cache.fresh / 2,
        },
        background::Hearing { listener: hears, keys_changed, catalogue_changed },
        Arc::clone(&notes),
        api.clone(),
    );
    let reason = wait(failed, handle.clone(), ended).await?;
    phase.end();
    let failed = match reason {
        Reason::Terminated => {
            tracing::info!("told to end: not ready from now on, and still serving");
            delay(settings.shutdown.delay).await?;
            None
        }
        Reason::Interrupted | Reason::Ended => None,
        Reason::Failed(what) => Some(what),
    };
    tasks.stop();
    handle.stop(true).await;
    if !matches!(tokio::time::timeout(FLUSH, notes.flush()).await, Ok(Ok(()))) {
        tracing::warn!("the last notes of last use were not written");
    }
    let undo = api.register_client.undo_registrations();
    if !matches!(tokio::time::timeout(FLUSH, undo.execute()).await, Ok(Ok(()))) {
        tracing::warn!("half a client may be left of a registration that failed");
    }
    stores.announce().await;
    drop(tokio::time::timeout(FLUSH, stores.close()).await);
    match failed {
        None => {
            tracing::info!("ended");
            Ok(())
        }
        Some(what) => Err(ServeError::Start(what)),
    }
}

fn http_server(
    settings: &Settings,
    listener: TcpListener,
    tls: Option<rustls::ServerConfig>,
    api: &web::Data<Api>,
) -> Result<Server, ServeError> {
    let (api, prefix) = (api.clone(), settings.service_prefix.clone());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(api.clone())
            .wrap(from_fn(http::hold_body))
            .wrap(from_fn(http::observe))
            .configure(http::routes(&prefix, &api.dialects))
    })
    .workers(settings.workers)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(settings.shutdown.drain.as_secs())
    .disable_signals();
    Ok(match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls)?.run(),
        None => server.listen(listener)?.run(),
    })
}

fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let listening = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    listening().map_err(|source| ServeError::Listen { address, source })
}

enum Reason {
    /// SIGTERM: others may still send requests for a while.
    Terminated,
    /// SIGINT: somebody sits at the terminal.
    Interrupted,
    /// The server ended by itself.
    Ended,
    /// It cannot start.
    Failed(String),
}

async fn wait(
    failed: tokio::sync::oneshot::Receiver<String>,
    handle: ServerHandle,
    end: actix_web::rt::task::JoinHandle<io::Result<()>>,
) -> Result<Reason, ServeError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => Ok(Reason::Terminated),
        _ = interrupt.recv() => Ok(Reason::Interrupted),
        Ok(what) = failed => Ok(Reason::Failed(what)),
        ended = end => {
            handle.stop(false).await;
            match ended {
                Ok(outcome) => outcome?,
                Err(error) => return Err(ServeError::Start(error.to_string())),
            }
            Ok(Reason::Ended)
        }
    }
}

/// Waits while others learn that we are ending; a second signal ends the wait.
async fn delay(delay: Duration) -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        () = tokio::time::sleep(delay) => (),
        _ = terminate.recv() => (),
        _ = interrupt.recv() => (),
    }
    Ok(())
}

/// A panic is told with its place and without its message, which may hold anything (threat T37).
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a bug: something panicked");
    }));
}

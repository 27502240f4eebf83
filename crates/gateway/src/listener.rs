//! A listener that runs.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::IntoRawFd as _;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use parking_lot::Mutex;
use pingora_core::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora_core::listeners::tls::TlsSettings;
use pingora_core::listeners::{ALPN, TlsAccept};
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v2::server::H2Options;
use pingora_core::protocols::tls::TlsRef;
use pingora_core::server::configuration::ServerConf;
use pingora_core::server::{Fds, ShutdownWatch};
use pingora_core::services::Service as _;
use pingora_core::services::listening::Service;
use pingora_core::tls::ext;
use pingora_core::tls::ssl::NameType;
use pingora_proxy::{HttpProxy, http_proxy};
use tokio::sync::watch;

use crate::proxy::Gateway;
use crate::settings::{Identity, Listener};

/// How many streams a caller may have open on one connection of HTTP/2.
const MAX_STREAMS: u32 = 128;
/// The most that the headers of one stream may have, in bytes.
const MAX_HEADERS: u32 = 64 * 1024;
/// How long a connection without a request is kept when nobody is let in any more.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(250);
/// How long a connection of HTTP/2 without a stream is kept.
const IDLE: Duration = Duration::from_mins(5);
/// How many idle connections to servers are kept.
const IDLE_CONNECTIONS: usize = 1_024;

/// A listener whose socket is open. It listens until it is dropped or told to stop.
pub(crate) struct Open {
    /// As it is configured.
    pub(crate) settings: Listener,
    socket: TcpListener,
    identities: Arc<ArcSwap<Vec<Identity>>>,
    end: watch::Sender<bool>,
}

impl Open {
    /// Opens the socket. Callers wait from now on; [`Open::service`] serves them.
    ///
    /// # Errors
    ///
    /// If the address is taken or not ours.
    pub(crate) fn bind(settings: Listener) -> io::Result<Self> {
        let socket = TcpListener::bind(settings.address)?;
        socket.set_nonblocking(true)?;
        Ok(Self::new(settings, socket))
    }

    /// Another listener on the same socket: nobody who waits there is turned away.
    ///
    /// # Errors
    ///
    /// If there are too many open files.
    pub(crate) fn succeeded_by(&self, settings: Listener) -> io::Result<Self> {
        Ok(Self::new(settings, self.socket.try_clone()?))
    }

    fn new(settings: Listener, socket: TcpListener) -> Self {
        let identities = settings.tls.clone().unwrap_or_default();
        let identities = Arc::new(ArcSwap::from_pointee(identities));
        Self { settings, socket, identities, end: watch::Sender::new(false) }
    }

    /// Where it listens; for port 0 the port that it got.
    ///
    /// # Errors
    ///
    /// If the socket is broken.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// What serves callers until [`Open::stop`], or until `self` is dropped. It comes back when
    /// nobody is let in any more; requests that are under way go on.
    ///
    /// # Errors
    ///
    /// If there are too many open files, or TLS cannot be set up.
    pub(crate) fn service(
        &self,
        gateway: Gateway,
    ) -> io::Result<impl Future<Output = ()> + Send + use<>> {
        let address = self.settings.address.to_string();
        let proxy = Patient(Arc::new(self.proxy(gateway)));
        let mut service = Service::new(self.settings.name.clone(), proxy);
        if self.settings.tls.is_some() {
            service.add_tls_with_settings(&address, None, self.tls()?);
        } else {
            service.add_tcp(&address);
        }
        let socket = self.socket.try_clone()?;
        let end = self.end.subscribe();
        Ok(async move {
            let mut sockets = Fds::new();
            // The service closes what it is given, from here on.
            sockets.add(address, socket.into_raw_fd());
            service.start_service(Some(Arc::new(Mutex::new(sockets))), end, 1).await;
        })
    }

    /// Shows these certificates from now on.
    pub(crate) fn show(&self, identities: Vec<Identity>) {
        self.identities.store(Arc::new(identities));
    }

    /// Lets nobody in any more.
    pub(crate) fn stop(self) {
        self.end.send_replace(true);
    }

    fn proxy(&self, gateway: Gateway) -> HttpProxy<Gateway> {
        let conf =
            ServerConf { upstream_keepalive_pool_size: IDLE_CONNECTIONS, ..ServerConf::default() };
        let mut proxy = http_proxy(&Arc::new(conf), gateway);
        let mut options = HttpServerOptions::default();
        options.h2c = self.settings.is_http2 && self.settings.tls.is_none();
        options.h2_idle_timeout = Some(IDLE);
        proxy.server_options = Some(options);
        let mut http2 = H2Options::new();
        http2.max_concurrent_streams(MAX_STREAMS).max_header_list_size(MAX_HEADERS);
        proxy.h2_options = Some(http2);
        proxy
    }

    fn tls(&self) -> io::Result<TlsSettings> {
        let chosen = Chosen(Arc::clone(&self.identities));
        let mut tls = TlsSettings::with_callbacks(Box::new(chosen))
            .map_err(|error| io::Error::other(error.to_string()))?;
        tls.set_alpn(if self.settings.is_http2 { ALPN::H2H1 } else { ALPN::H1 });
        Ok(tls)
    }
}

/// Lets whoever has just connected say what it wants before connections without a request end.
struct Patient(Arc<HttpProxy<Gateway>>);

#[async_trait]
impl HttpServerApp for Patient {
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        self.0.process_new_http(session, shutdown).await
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.0.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.0.server_options()
    }

    async fn http_cleanup(&self) {
        tokio::time::sleep(LAST_WORDS).await;
        self.0.http_cleanup().await;
    }
}

/// Chooses the certificate for the name that a caller asks for (RFC 6066 section 3).
struct Chosen(Arc<ArcSwap<Vec<Identity>>>);

#[async_trait]
impl TlsAccept for Chosen {
    async fn certificate_callback(&self, ssl: &mut TlsRef) {
        let identities = self.0.load_full();
        let name = ssl.servername(NameType::HOST_NAME).map(str::to_ascii_lowercase);
        let fitting = name.as_ref().and_then(|name| identities.iter().find(|it| it.fits(name)));
        let Some(identity) = fitting.or_else(|| identities.first()) else { return };
        let mut certificates = identity.certificates.iter();
        let shown = certificates.next().is_some_and(|leaf| {
            ext::ssl_use_certificate(ssl, leaf).is_ok()
                && ext::ssl_use_private_key(ssl, &identity.key).is_ok()
                && certificates.all(|it| ext::ssl_add_chain_cert(ssl, it).is_ok())
        });
        if !shown {
            tracing::error!("a certificate cannot be shown: the handshake will fail");
        }
    }
}

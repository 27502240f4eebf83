//! How a connection is made.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _,
    ProtocolVersion, PushInfo, RedisConnectionInfo, RedisResult,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::mpsc::UnboundedSender;

use crate::InvalidRedisOptions;
use crate::address::Address;
use crate::tls::Tls;

/// Who we are to a server.
#[derive(Clone, Copy)]
pub(crate) struct Login<'a> {
    pub(crate) username: Option<&'a str>,
    pub(crate) password: Option<&'a SecretString>,
    pub(crate) database: u32,
}

/// How long things may take.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) response: Duration,
}

/// Makes connections that differ in nothing but the address.
#[derive(Clone)]
pub(crate) struct Dialer {
    // Its host and port are replaced; what TLS needs was parsed into it.
    template: ConnectionInfo,
    limits: Limits,
}

impl Dialer {
    pub(crate) fn new(
        login: Login<'_>,
        tls: Option<&Tls>,
        limits: Limits,
    ) -> Result<Self, InvalidRedisOptions> {
        // The driver would not say the name either.
        if login.username.is_some() && login.password.is_none() {
            return Err(InvalidRedisOptions::UsernameWithoutPassword);
        }
        let mut redis =
            RedisConnectionInfo::default().set_db(login.database.into()).set_skip_set_lib_name();
        if let Some(username) = login.username {
            redis = redis.set_username(username);
        }
        if let Some(password) = login.password {
            redis = redis.set_password(password.expose_secret());
        }
        let addr = match tls {
            Some(tls) => {
                let anywhere = if tls.believes_anybody {
                    "rediss://redis.invalid:1/#insecure"
                } else {
                    "rediss://redis.invalid:1"
                };
                anywhere
                    .into_connection_info()
                    .and_then(|info| Client::build_with_tls(info, tls.certificates.clone()))
                    .map(|client| client.get_connection_info().addr().clone())
                    .map_err(|_| InvalidRedisOptions::CertificateAuthority)?
            }
            None => ConnectionAddr::Tcp(String::new(), 0),
        };
        let template = addr
            .into_connection_info()
            .map_err(|_| InvalidRedisOptions::NoHost)?
            .set_tcp_settings(TcpSettings::default().set_nodelay(true))
            .set_redis_settings(redis);
        Ok(Self { template, limits })
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// A connection, authenticated.
    pub(crate) async fn dial(&self, to: &Address) -> RedisResult<MultiplexedConnection> {
        self.connect(self.info(to), AsyncConnectionConfig::new()).await
    }

    /// A connection that hands what it is told on its own accord to `news`.
    pub(crate) async fn listen(
        &self,
        to: &Address,
        news: UnboundedSender<PushInfo>,
    ) -> RedisResult<MultiplexedConnection> {
        let info = self.info(to);
        let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let config = AsyncConnectionConfig::new().set_push_sender(news);
        self.connect(info.set_redis_settings(redis), config).await
    }

    fn info(&self, to: &Address) -> ConnectionInfo {
        let info = self.template.clone();
        let (host, port) = (to.host.clone(), to.port);
        let mut addr = info.addr().clone();
        if let ConnectionAddr::TcpTls { insecure, tls_params, .. } = addr {
            addr = ConnectionAddr::TcpTls { host, port, insecure, tls_params };
        } else {
            addr = ConnectionAddr::Tcp(host, port);
        }
        info.set_addr(addr)
    }

    async fn connect(
        &self,
        info: ConnectionInfo,
        config: AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        let config = config
            .set_connection_timeout(Some(self.limits.connect))
            .set_response_timeout(Some(self.limits.response));
        Client::open(info)?.get_multiplexed_async_connection_with_config(&config).await
    }
}

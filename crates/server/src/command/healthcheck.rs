//! `tokenwright healthcheck`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::CommandError;
use crate::settings::Settings;

const REQUEST: &[u8] = b"GET /-/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Asks the server of this configuration for `/-/healthz`. With TLS a connection is all it asks
/// for: the certificate is for others.
pub(crate) async fn run(settings: &Settings) -> Result<(), CommandError> {
    let address = reachable(settings.listen);
    let refused = |what: String| CommandError::Refused(format!("no server at {address}: {what}"));
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        if settings.tls.is_some() {
            return Ok(true);
        }
        stream.write_all(REQUEST).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<bool, std::io::Error>(answer.starts_with("HTTP/1.1 200"))
    };
    match timeout(Duration::from_secs(5), asked).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(refused("it does not say that it lives".to_owned())),
        Ok(Err(error)) => Err(refused(error.to_string())),
        Err(_) => Err(refused("it does not answer".to_owned())),
    }
}

fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, listen.port())
}

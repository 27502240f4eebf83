//! The command line.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use url::Url;

use crate::run::{self, Good};
use crate::settings::{Serves, Settings};
use crate::telemetry::{self, AccessLog, Metrics, Telemetry};
use crate::wiring::Shared;

/// A reverse proxy that gets and checks OAuth 2.0 tokens.
#[derive(Debug, Parser)]
#[command(name = "tokenwright-gateway", version)]
struct Arguments {
    /// The configuration, in YAML, JSON or TOML.
    #[arg(long, short, env = "TOKENWRIGHT_GATEWAY_CONFIG", default_value = "gateway.yaml")]
    config: PathBuf,
    #[command(flatten)]
    cluster: Cluster,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What Kubernetes tells every pod.
#[derive(Debug, Args)]
struct Cluster {
    /// Where the API is.
    #[arg(long, env = "KUBERNETES_SERVICE_HOST", hide = true)]
    kubernetes_host: Option<String>,
    /// Its port.
    #[arg(long, env = "KUBERNETES_SERVICE_PORT", hide = true, default_value = "443")]
    kubernetes_port: String,
}

impl Cluster {
    fn api(&self) -> Option<Url> {
        let host = self.kubernetes_host.as_deref().filter(|it| !it.is_empty())?;
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        format!("https://{host}:{}/", self.kubernetes_port).parse().ok()
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the gateway; this is what happens without a command, too.
    Serve,
    /// Asks a running gateway whether it is ready, at the `admin` listener of the configuration: for
    /// containers without a shell.
    Healthcheck,
    /// Reads a configuration, says every mistake in it, and exits: 0 if there is none, else 1.
    Check {
        /// The configuration.
        file: PathBuf,
    },
}

/// Does what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let cluster = arguments.cluster.api();
    match arguments.command {
        Some(Command::Check { file }) => check(&file, cluster),
        Some(Command::Healthcheck) => healthcheck(&arguments.config, cluster.as_ref()),
        Some(Command::Serve) | None => serve(arguments.config, cluster),
    }
}

fn check(file: &Path, cluster: Option<Url>) -> ExitCode {
    let loaded = block_on(async {
        let shared = Shared::new(cluster).map_err(run::NotStarted::Randomness)?;
        Good::load(file, &shared).await.map_err(run::NotStarted::Mistakes)
    });
    match loaded {
        Ok(_) => {
            drop(writeln!(io::stdout(), "{}: no mistakes", file.display()));
            return ExitCode::SUCCESS;
        }
        Err(run::NotStarted::Mistakes(mistakes)) => {
            for mistake in mistakes {
                drop(writeln!(io::stderr(), "{}: {mistake}", file.display()));
            }
        }
        Err(error) => drop(writeln!(io::stderr(), "{error}")),
    }
    ExitCode::FAILURE
}

fn healthcheck(config: &Path, cluster: Option<&Url>) -> ExitCode {
    let asked = block_on(async {
        let settings = Settings::load(config, cluster).await.map_err(run::NotStarted::Mistakes)?;
        Ok(settings.listeners.into_iter().find(|it| it.serves == Serves::Admin && it.tls.is_none()))
    });
    match asked {
        Ok(Some(listener)) if is_ready(listener.address) => ExitCode::SUCCESS,
        Ok(Some(_)) => ExitCode::FAILURE,
        Ok(None) => {
            let why = "there is no listener that serves admin without TLS";
            drop(writeln!(io::stderr(), "{}: {why}", config.display()));
            ExitCode::FAILURE
        }
        Err(error) => {
            drop(writeln!(io::stderr(), "{}: {error}", config.display()));
            ExitCode::FAILURE
        }
    }
}

/// Whether whoever listens there says that it is ready.
fn is_ready(mut address: SocketAddr) -> bool {
    const PATIENCE: Duration = Duration::from_secs(5);
    if address.ip().is_unspecified() {
        // All addresses of the machine: this one is among them.
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok::<_, io::Error>(head.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

fn block_on<T>(
    work: impl Future<Output = Result<T, run::NotStarted>>,
) -> Result<T, run::NotStarted> {
    // Whoever comes second finds it installed.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(run::NotStarted::Signals)?.block_on(work)
}

fn serve(config: PathBuf, cluster: Option<Url>) -> ExitCode {
    let last_events = telemetry::log_events();
    let (access_log, last_lines) = AccessLog::start();
    let telemetry = Arc::new(Telemetry { access_log, metrics: Metrics::new() });
    let outcome = block_on(run::run(config, cluster, telemetry));
    let code = match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            run::tell(&error);
            ExitCode::FAILURE
        }
    };
    drop((last_lines, last_events));
    code
}

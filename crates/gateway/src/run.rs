//! The life of the gateway: it starts, takes changes, and stops.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use domain::Fault;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior};
use url::Url;

use crate::gate::Gate;
use crate::listener::{LAST_WORDS, Open};
use crate::proxy::{Gateway, Readiness};
use crate::settings::{Mistake, Settings, Shutdown};
use crate::telemetry::Telemetry;
use crate::wiring::{Policies, Shared};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotStarted {
    /// The configuration has mistakes.
    #[error("the configuration has mistakes")]
    Mistakes(Vec<Mistake>),
    /// A listener cannot be opened.
    #[error("cannot listen at {address}")]
    Listener {
        /// Where.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The operating system gives us no randomness.
    #[error("there is no randomness")]
    Randomness(#[source] Fault),
    /// The operating system gives us no signals.
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
}

/// A configuration that was read without a mistake.
pub(crate) struct Good {
    settings: Settings,
    policies: Policies,
}

impl Good {
    /// Reads the file, and everything that it names.
    ///
    /// # Errors
    ///
    /// Every mistake.
    pub(crate) async fn load(path: &Path, shared: &Shared) -> Result<Self, Vec<Mistake>> {
        let settings = Settings::load(path, shared.cluster.as_ref()).await?;
        let policies = Policies::make(&settings, shared)?;
        Ok(Self { settings, policies })
    }
}

/// Runs until a signal ends it.
///
/// # Errors
///
/// [`NotStarted`].
pub(crate) async fn run(
    path: PathBuf,
    cluster: Option<Url>,
    telemetry: Arc<Telemetry>,
) -> Result<(), NotStarted> {
    let mut signals = Signals::new().map_err(NotStarted::Signals)?;
    let mut file = Watched::new(path);
    let shared = Shared::new(cluster).map_err(NotStarted::Randomness)?;
    let good = Good::load(&file.path, &shared).await.map_err(NotStarted::Mistakes)?;
    let mut running = Running::start(good, shared, telemetry).await?;
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = signals.end.recv() => break,
            _ = signals.interrupt.recv() => break,
            _ = signals.reload.recv() => running.reload(&file.path).await,
            _ = ticks.tick() => {
                if file.has_changed() {
                    running.reload(&file.path).await;
                }
            }
        }
    }
    running.stop(&mut signals).await;
    Ok(())
}

struct Signals {
    end: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            end: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
        })
    }
}

/// A file that is watched. It is read, not asked for its age: a mounted configuration is a link to
/// a link, and its age says nothing.
struct Watched {
    path: PathBuf,
    taken: Option<Vec<u8>>,
    last: Option<Vec<u8>>,
}

impl Watched {
    fn new(path: PathBuf) -> Self {
        let taken = std::fs::read(&path).ok();
        Self { path, last: taken.clone(), taken }
    }

    /// Whether there is something new that nobody is still writing: it was the same at the last
    /// look.
    fn has_changed(&mut self) -> bool {
        let Ok(now) = std::fs::read(&self.path) else {
            return false;
        };
        let is_settled = self.last.as_ref() == Some(&now);
        let is_new = is_settled && self.taken.as_ref() != Some(&now);
        if is_new {
            self.taken = Some(now.clone());
        }
        self.last = Some(now);
        is_new
    }
}

struct Running {
    gate: Arc<ArcSwap<Gate>>,
    listeners: Vec<Open>,
    readiness: Arc<Readiness>,
    shared: Shared,
    telemetry: Arc<Telemetry>,
    shutdown: Shutdown,
}

impl Running {
    async fn start(
        good: Good,
        shared: Shared,
        telemetry: Arc<Telemetry>,
    ) -> Result<Self, NotStarted> {
        let gate = open(&good).await;
        let mut running = Self {
            gate: Arc::new(ArcSwap::from_pointee(gate)),
            listeners: Vec::new(),
            readiness: Arc::default(),
            shared,
            telemetry,
            shutdown: good.settings.shutdown,
        };
        running.listen(&good.settings)?;
        running.readiness.ready();
        Ok(running)
    }

    /// Takes what the file says now, whole; or, for a mistake, nothing of it.
    async fn reload(&mut self, path: &Path) {
        let outcome = match Good::load(path, &self.shared).await {
            Ok(good) => self.take(good).await,
            Err(mistakes) => Err(NotStarted::Mistakes(mistakes)),
        };
        self.telemetry.metrics.reload(outcome.is_ok());
        match outcome {
            Ok(()) => tracing::info!("the configuration was changed"),
            Err(error) => {
                tell(&error);
                tracing::error!("the configuration was not changed: the one before goes on");
            }
        }
    }

    async fn take(&mut self, good: Good) -> Result<(), NotStarted> {
        let gate = open(&good).await;
        self.listen(&good.settings)?;
        self.gate.store(Arc::new(gate));
        self.shutdown = good.settings.shutdown;
        Ok(())
    }

    /// Listens where `settings` say, and nowhere else. Either all of it happens or nothing.
    fn listen(&mut self, settings: &Settings) -> Result<(), NotStarted> {
        let mut new = Vec::new();
        for wanted in &settings.listeners {
            if self.listeners.iter().any(|it| it.settings.goes_on_as(wanted)) {
                continue;
            }
            let same_place = self.listeners.iter().find(|it| it.settings.address == wanted.address);
            let opened = match same_place {
                Some(before) if wanted.address.port() != 0 => before.succeeded_by(wanted.clone()),
                Some(_) | None => Open::bind(wanted.clone()),
            };
            let failed =
                |source| NotStarted::Listener { address: wanted.address.to_string(), source };
            let opened = opened.map_err(failed)?;
            let service = opened.service(self.gateway(&opened)).map_err(failed)?;
            let address = opened.address().map_err(failed)?;
            new.push((opened, service, address));
        }
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.listeners)
            .into_iter()
            .partition(|it| settings.listeners.iter().any(|wanted| it.settings.goes_on_as(wanted)));
        for listener in &kept {
            let same = settings.listeners.iter().find(|it| listener.settings.goes_on_as(it));
            listener.show(same.and_then(|it| it.tls.clone()).unwrap_or_default());
        }
        self.listeners = kept;
        for (opened, service, address) in new {
            let (name, address) = (opened.settings.name.as_str(), address.to_string());
            tracing::info!(name, address, "listening");
            spawn(service);
            self.listeners.push(opened);
        }
        for listener in gone {
            tracing::info!(name = listener.settings.name, "listening no more");
            listener.stop();
        }
        Ok(())
    }

    fn gateway(&self, listener: &Open) -> Gateway {
        Gateway {
            gate: Arc::clone(&self.gate),
            listener: listener.settings.name.clone(),
            serves: listener.settings.serves.clone(),
            is_tls: listener.settings.tls.is_some(),
            telemetry: Arc::clone(&self.telemetry),
            readiness: Arc::clone(&self.readiness),
        }
    }

    /// Lets whoever sends us requests find out, lets nobody in any more, and waits for the requests
    /// that are under way. A second signal ends it at once.
    async fn stop(self, signals: &mut Signals) {
        tracing::info!("stopping");
        self.readiness.stopping();
        let deadline = self.shutdown.deadline;
        let under_way = self.telemetry.metrics.under_way.clone();
        let stopping = async {
            tokio::time::sleep(self.shutdown.delay).await;
            for listener in self.listeners {
                listener.stop();
            }
            tokio::time::sleep(LAST_WORDS).await;
            let started = Instant::now();
            while 0 < under_way.get() && started.elapsed() < deadline {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // Connections say goodbye.
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        tokio::select! {
            () = stopping => {}
            _ = signals.end.recv() => {}
            _ = signals.interrupt.recv() => {}
        }
        match under_way.get() {
            0 => tracing::info!("stopped"),
            left => tracing::warn!(left, "stopped, and requests were under way"),
        }
    }
}

async fn open(good: &Good) -> Gate {
    let (gate, watching) = Gate::open(&good.settings, &good.policies).await;
    for watching in watching {
        spawn(watching);
    }
    gate
}

/// Says why it did not start, one line for each mistake.
pub(crate) fn tell(error: &NotStarted) {
    match error {
        NotStarted::Mistakes(mistakes) => {
            for mistake in mistakes {
                tracing::error!(path = mistake.path, why = mistake.why, "a mistake");
            }
        }
        NotStarted::Randomness(fault) => tracing::error!(cause = fault.explained(), "{error}"),
        NotStarted::Listener { source, .. } | NotStarted::Signals(source) => {
            tracing::error!(cause = source.to_string(), "{error}");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "here background work starts, and `Running` ends it")]
fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(work));
}

//! What happens beside the requests.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::task::JoinHandle;
use actix_web::rt::{self, time};
use actix_web::web;
use app::{ClaimBootstrapToken, EnsureKeys, EnsureKeysError, RefreshKeys};
use domain::port::Clock;
use domain::{Fault, SigningAlgorithm};
use tokio::sync::oneshot;

use crate::http::{Api, Phase};
use crate::welcome;
use crate::wiring::{Notes, Stores};

const FLUSH_EVERY: Duration = Duration::from_secs(1);
const SWEEP_EVERY: Duration = Duration::from_mins(1);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What must be done before the first request is answered.
pub(super) struct Starter {
    pub(super) stores: Arc<Stores>,
    pub(super) ensure_keys: EnsureKeys,
    pub(super) refresh_keys: RefreshKeys,
    pub(super) claim_bootstrap_token: Option<ClaimBootstrapToken>,
    pub(super) phase: Arc<Phase>,
    pub(super) algorithm: SigningAlgorithm,
    pub(super) base_url: String,
}

/// The tasks beside the requests.
pub(super) struct Tasks {
    handles: Vec<JoinHandle<()>>,
}

impl Tasks {
    /// Starts them all. The receiver hears why the server can never start.
    pub(super) fn start(
        starter: Starter,
        refresh_keys: RefreshKeys,
        refresh_every: Duration,
        notes: Arc<Notes>,
        stores: Arc<Stores>,
        clock: Arc<dyn Clock>,
        api: web::Data<Api>,
    ) -> (Self, oneshot::Receiver<String>) {
        let (tell, failed) = oneshot::channel();
        let phase = Arc::clone(&starter.phase);
        let handles = vec![
            rt::spawn(async move {
                if let Err(what) = starter.run().await {
                    // Nobody listens any more where the server is ending already.
                    drop(tell.send(what));
                }
            }),
            rt::spawn(refresh(refresh_keys, refresh_every, phase)),
            rt::spawn(flush(notes)),
            rt::spawn(sweep(stores, clock, api)),
        ];
        (Self { handles }, failed)
    }
}

impl Starter {
    /// Tries until the stores answer: a store that is out at start is waited for.
    async fn run(self) -> Result<(), String> {
        let mut wait = Duration::from_millis(250);
        loop {
            match self.attempt().await {
                Ok(()) => return Ok(()),
                Err(Attempt::Final(what)) => return Err(what),
                Err(Attempt::Passing(fault)) => {
                    tracing::warn!(error = fault.explained(), "a store is out: trying again");
                    time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    async fn attempt(&self) -> Result<(), Attempt> {
        self.stores.migrate().await?;
        let keys = self.ensure_keys.execute(self.algorithm).await?;
        self.refresh_keys.install(&keys)?;
        let token = match &self.claim_bootstrap_token {
            Some(claim) => claim.execute().await?,
            None => None,
        };
        self.phase.start();
        tracing::info!(url = self.base_url, "ready");
        if let Some(token) = token {
            welcome::print(&self.base_url, &token);
        }
        Ok(())
    }
}

enum Attempt {
    Passing(Fault),
    Final(String),
}

impl From<Fault> for Attempt {
    fn from(fault: Fault) -> Self {
        if fault.is_passing() { Self::Passing(fault) } else { Self::Final(fault.explained()) }
    }
}

impl From<EnsureKeysError> for Attempt {
    fn from(error: EnsureKeysError) -> Self {
        match error {
            EnsureKeysError::Fault(fault) => fault.into(),
            other @ EnsureKeysError::NotConfigured(_) => Self::Final(other.to_string()),
        }
    }
}

/// Takes over keys that another node or a command changed.
async fn refresh(keys: RefreshKeys, every: Duration, phase: Arc<Phase>) {
    loop {
        time::sleep(every).await;
        if !phase.has_started() {
            continue;
        }
        match keys.execute().await {
            Ok(true) => tracing::info!("the signing keys were changed"),
            Ok(false) => (),
            Err(fault) => {
                tracing::warn!(error = fault.explained(), "the keys cannot be read again");
            }
        }
    }
}

/// Writes down who was here.
async fn flush(notes: Arc<Notes>) {
    loop {
        time::sleep(FLUSH_EVERY).await;
        if let Err(fault) = notes.flush().await {
            tracing::debug!(error = fault.explained(), "notes of last use wait for their store");
        }
    }
}

/// Forgets what has ended: used assertions, revocations, counters of addresses.
async fn sweep(stores: Arc<Stores>, clock: Arc<dyn Clock>, api: web::Data<Api>) {
    loop {
        time::sleep(SWEEP_EVERY).await;
        api.registration.forget_idle_addresses();
        if let Err(fault) = stores.sweep(clock.now()).await {
            tracing::debug!(error = fault.explained(), "what has ended is not forgotten yet");
        }
    }
}

impl Tasks {
    /// Stops them.
    pub(super) fn stop(&self) {
        for handle in &self.handles {
            handle.abort();
        }
    }
}

//! What happens beside the requests.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::task::JoinHandle;
use actix_web::rt::{self, time};
use actix_web::web;
use app::{
    ClaimBootstrapToken, EnsureKeys, EnsureKeysError, RefreshCatalogue, SettleChanges,
    SurveySecrets, TendKeys, UndoRegistrations,
};
use domain::port::{ChangeFeed, ChangeListener};
use domain::{Fault, SigningAlgorithm};
use tokio::sync::{Notify, oneshot};

use super::secrets_watch::{self, SecretNumbers};
use crate::http::{Api, Phase};
use crate::telemetry::stopwatch;
use crate::welcome;
use crate::wiring::{Notes, Stores};

const FLUSH_EVERY: Duration = Duration::from_secs(1);
const UNDO_EVERY: Duration = Duration::from_secs(3);
const SETTLE_EVERY: Duration = Duration::from_secs(5);
const SWEEP_EVERY: Duration = Duration::from_mins(1);
const REFRESH_AGAIN: Duration = Duration::from_secs(1);
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A feed that is not to be had at all is not asked for often.
const LONGEST_FEED_WAIT: Duration = Duration::from_secs(15);
/// A feed that held for so long was a good one.
const STEADY: Duration = Duration::from_secs(30);

/// What must be done before the first request is answered.
pub(super) struct Starter {
    pub(super) stores: Arc<Stores>,
    pub(super) ensure_keys: EnsureKeys,
    pub(super) tend_keys: TendKeys,
    /// There where secrets are warned of.
    pub(super) secrets_watch: Option<(SurveySecrets, Arc<SecretNumbers>)>,
    pub(super) refresh_catalogue: RefreshCatalogue,
    pub(super) claim_bootstrap_token: Option<ClaimBootstrapToken>,
    pub(super) phase: Arc<Phase>,
    pub(super) algorithms: Vec<SigningAlgorithm>,
    pub(super) base_url: String,
}

/// What happens when other nodes changed something.
pub(super) struct Hearing {
    pub(super) listener: Arc<dyn ChangeListener>,
    pub(super) keys_changed: Arc<Notify>,
    pub(super) catalogue_changed: Arc<Notify>,
}

/// How often what others changed is looked for, where nobody tells of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rhythm {
    pub(super) keys: Duration,
    pub(super) catalogue: Duration,
}

/// The tasks beside the requests.
pub(super) struct Tasks {
    handles: Vec<JoinHandle<()>>,
}

impl Tasks {
    /// Starts them all. The receiver hears why the server can never start.
    pub(super) fn start(
        starter: Starter,
        rhythm: Rhythm,
        news: Hearing,
        notes: Arc<Notes>,
        api: web::Data<Api>,
    ) -> (Self, oneshot::Receiver<String>) {
        let (tell, failed) = oneshot::channel();
        let (phase, stores) = (Arc::clone(&starter.phase), Arc::clone(&starter.stores));
        let tend_keys = starter.tend_keys.clone();
        let secrets_watch = starter.secrets_watch.clone();
        let phase_of_changes = Arc::clone(&phase);
        let refresh_catalogue = starter.refresh_catalogue.clone();
        let mut handles = vec![
            rt::spawn(async move {
                if let Err(what) = starter.run().await {
                    // Nobody listens any more where the server is ending already.
                    drop(tell.send(what));
                }
            }),
            rt::spawn(tend(tend_keys, rhythm.keys, news.keys_changed, Arc::clone(&phase))),
            rt::spawn(refresh_what_is_registered(
                refresh_catalogue,
                rhythm.catalogue,
                news.catalogue_changed,
                Arc::clone(&phase),
            )),
            rt::spawn(flush(notes)),
        ];
        for (name, feed) in &stores.feeds {
            let (feed, listener) = (Arc::clone(feed), Arc::clone(&news.listener));
            handles.push(rt::spawn(follow(name, feed, listener)));
        }
        if let Some((survey, numbers)) = secrets_watch {
            handles.push(rt::spawn(async move {
                while !phase.has_started() {
                    time::sleep(FIRST_WAIT).await;
                }
                secrets_watch::watch(survey, numbers).await;
            }));
        }
        handles.push(rt::spawn(announce(Arc::clone(&stores))));
        handles.push(rt::spawn(undo(api.register_client.undo_registrations())));
        if let Some(changes) = &api.changes {
            handles.push(rt::spawn(settle(changes.settle.clone(), phase_of_changes)));
        }
        handles.push(rt::spawn(sweep(stores, api)));
        (Self { handles }, failed)
    }
}

impl Starter {
    /// Tries until the stores answer: a store that is out at start is waited for.
    async fn run(self) -> Result<(), String> {
        let mut wait = FIRST_WAIT;
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
        self.refresh_catalogue.execute().await?;
        self.ensure_keys.execute(&self.algorithms).await?;
        self.tend_keys.refresh_keys.execute().await?;
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

/// Takes over keys that another node or a command changed, when it is told of that, and now and
/// then in any case; lets them take their turn when it is time.
async fn tend(keys: TendKeys, every: Duration, changed: Arc<Notify>, phase: Arc<Phase>) {
    // News that could not be followed are not over.
    let mut is_due = false;
    loop {
        let wait = if is_due { every.min(REFRESH_AGAIN) } else { every };
        // An error is the time that passed.
        drop(time::timeout(wait, changed.notified()).await);
        if !phase.has_started() {
            is_due = true;
            continue;
        }
        is_due = false;
        match keys.execute().await {
            Ok(tended) => {
                for key in &tended.turned {
                    tracing::info!(key.id = %key, "the next signing key took its turn");
                }
                if tended.is_changed {
                    tracing::info!("the signing keys were changed");
                }
            }
            Err(fault) => {
                is_due = true;
                tracing::warn!(error = fault.explained(), "the keys cannot be read again");
            }
        }
    }
}

/// Takes over what another node or a command registered: when it is told of that, and now and then
/// in any case.
async fn refresh_what_is_registered(
    catalogue: RefreshCatalogue,
    every: Duration,
    changed: Arc<Notify>,
    phase: Arc<Phase>,
) {
    let mut is_due = false;
    loop {
        let wait = if is_due { every.min(REFRESH_AGAIN) } else { every };
        // An error is the time that passed.
        drop(time::timeout(wait, changed.notified()).await);
        // Until then whoever starts the server reads it.
        is_due = !phase.has_started();
        if is_due {
            continue;
        }
        match catalogue.execute().await {
            Ok(true) => tracing::info!("the catalogue was changed"),
            Ok(false) => (),
            Err(fault) => {
                is_due = true;
                tracing::warn!(error = fault.explained(), "the catalogue cannot be read again");
            }
        }
    }
}

/// Hears of what other nodes changed. While a feed is broken, changes bite when what is remembered
/// is no longer fresh.
async fn follow(name: &'static str, feed: Arc<dyn ChangeFeed>, listener: Arc<dyn ChangeListener>) {
    let mut wait = FIRST_WAIT;
    let mut is_told = false;
    loop {
        let began = stopwatch::start();
        let fault = feed.follow(listener.as_ref()).await;
        if STEADY < began.elapsed() {
            (wait, is_told) = (FIRST_WAIT, false);
        }
        if is_told {
            tracing::debug!(feed = name, error = fault.explained(), "no news of other nodes");
        } else {
            tracing::warn!(feed = name, error = fault.explained(), "no news of other nodes");
        }
        is_told = true;
        time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_FEED_WAIT);
    }
}

/// Tells other nodes what this one changed.
async fn announce(stores: Arc<Stores>) {
    let Some(announcements) = &stores.announcements else { return };
    let mut wait = FIRST_WAIT;
    loop {
        announcements.come().await;
        match announcements.deliver().await {
            Ok(()) => wait = FIRST_WAIT,
            Err(fault) => {
                tracing::debug!(error = fault.explained(), "changes wait to be told");
                time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
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

/// Removes what is left of registrations that failed halfway.
async fn undo(undo: UndoRegistrations) {
    loop {
        time::sleep(UNDO_EVERY).await;
        if let Err(fault) = undo.execute().await {
            tracing::debug!(error = fault.explained(), "half a client waits to be removed");
        }
    }
}

/// Does what follows from commits that whoever made them did not live to do.
async fn settle(settle: SettleChanges, phase: Arc<Phase>) {
    loop {
        time::sleep(SETTLE_EVERY).await;
        // Before the start the schema may be missing.
        if phase.has_started()
            && let Err(fault) = settle.execute().await
        {
            tracing::debug!(error = fault.explained(), "a commit waits to be brought to its end");
        }
    }
}

/// Forgets what has ended: used assertions, revocations, counters of addresses.
async fn sweep(stores: Arc<Stores>, api: web::Data<Api>) {
    loop {
        time::sleep(SWEEP_EVERY).await;
        api.registration.forget_idle_addresses();
        if let Err(fault) = stores.sweep(api.clock.now()).await {
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

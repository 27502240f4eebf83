//! The use-cases of signing keys and of secrets that end.

use std::sync::Arc;
use std::time::Duration;

use app::{EnsureKeys, RefreshKeys, RevokeKey, RotateKeys, SurveySecrets, TendKeys};
use domain::KeyPolicy;
use domain::port::KeyRepository;

use crate::serve::SecretNumbers;
use crate::settings::Settings;
use crate::wiring::{Cached, Tools};

/// How late keys may be read again, and how long an answer with them is on its way.
const KEYS_LATE: Duration = Duration::from_secs(2);

pub(super) fn ensure_keys(
    settings: &Settings,
    tools: &Tools,
    keys: &Arc<dyn KeyRepository>,
) -> EnsureKeys {
    EnsureKeys {
        keys: Arc::clone(keys),
        maker: Arc::clone(&tools.key_maker),
        entropy: Arc::clone(&tools.entropy),
        clock: Arc::clone(&tools.clock),
        policy: key_policy(settings),
    }
}

pub(super) fn rotate_keys(
    settings: &Settings,
    tools: &Tools,
    keys: &Arc<dyn KeyRepository>,
) -> RotateKeys {
    let ensure_keys = ensure_keys(settings, tools, keys);
    RotateKeys { ensure_keys, algorithms: settings.tokens.algorithms() }
}

pub(super) fn revoke_key(
    settings: &Settings,
    tools: &Tools,
    keys: &Arc<dyn KeyRepository>,
) -> RevokeKey {
    let ensure_keys = ensure_keys(settings, tools, keys);
    RevokeKey { ensure_keys, algorithms: settings.tokens.algorithms() }
}

pub(super) fn tend_keys(
    settings: &Settings,
    tools: &Tools,
    keys: &Arc<dyn KeyRepository>,
) -> TendKeys {
    let mut rotate_keys = rotate_keys(settings, tools, keys);
    if !settings.keys.files.is_empty() {
        // Only the operator can change them.
        rotate_keys.algorithms.clear();
    }
    TendKeys {
        rotate_keys,
        refresh_keys: RefreshKeys {
            keys: Arc::clone(keys),
            ring: Arc::clone(&tools.ring.installer),
            policy: key_policy(settings),
            clock: Arc::clone(&tools.clock),
            installed: Arc::default(),
        },
        seen: Arc::default(),
    }
}

pub(super) fn secrets_watch(
    settings: &Settings,
    tools: &Tools,
    cached: &Cached,
) -> Option<(SurveySecrets, Arc<SecretNumbers>)> {
    let survey = SurveySecrets {
        clients: Arc::clone(&cached.managed_clients),
        credentials: Arc::clone(&cached.measured_credentials),
        clock: Arc::clone(&tools.clock),
        warn_before: settings.secrets.warn_before?,
    };
    Some((survey, Arc::clone(&cached.secret_numbers)))
}

/// How keys take turns. Every node publishes a new key by the time it has read the keys again.
fn key_policy(settings: &Settings) -> KeyPolicy {
    let keys = &settings.keys;
    let until_all_publish =
        if keys.publish_before_use.is_zero() { Duration::ZERO } else { keys.refresh + KEYS_LATE };
    KeyPolicy {
        cache_for: keys.publish_before_use,
        publish_before_use: keys.publish_before_use + until_all_publish,
        // A node signs with the old key until it has read the new ones, and its clock may differ.
        keep_retired: settings.tokens.longest_lifetime + keys.refresh + keys.clock_skew,
        rotate_every: keys.rotate_every,
        clock_skew: keys.clock_skew,
    }
}

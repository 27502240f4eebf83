//! Where the configuration comes from: `tokenwright.toml`, then the vendor's environment names,
//! then `TOKENWRIGHT__...`; the later wins.

use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Environment, File, FileFormat, Map, Source, Value, ValueKind};

use super::reader::Problem;

/// The file that is read where none is named, if it is there.
pub(super) const DEFAULT_FILE: &str = "tokenwright.toml";

/// The names of the Mia-Platform service, and the keys they set.
pub(super) const MIA_NAMES: [(&str, &str); 38] = [
    ("ACCEPTED_AUDIENCES", "tokens.accepted_audiences"),
    ("ADDITIONAL_HEADERS_TO_PROXY", "crud.forwarded_headers"),
    ("CLIENT_ID_HASH_SALT", "mongodb.client_id_salt"),
    ("CLIENT_ID_HASH_SALT_FILE", "mongodb.client_id_salt_file"),
    ("CLIENT_SECRET_HASH_COST", "secrets.bcrypt_cost"),
    ("CLOCK_SKEW_SECONDS", "assertions.clock_skew_seconds"),
    ("CREDENTIALS_COLLECTION_NAME", "mongodb.credentials_collection"),
    ("CREDENTIALS_MONGODB_URL", "mongodb.url"),
    ("CREDENTIALS_MONGODB_URL_FILE", "mongodb.url_file"),
    ("CRUD_CLIENT_BASE_URL", "crud.base_url"),
    ("DELAY_SHUTDOWN_SECONDS", "shutdown.delay_seconds"),
    ("HTTP_PORT", "http_port"),
    ("LOG_LEVEL", "log.level"),
    ("MANAGEMENT_TOKEN", "management.token"),
    ("MANAGEMENT_TOKEN_FILE", "management.token_file"),
    ("MIA_JWT_EXPIRES_IN", "tokens.lifetime_seconds"),
    ("MIA_JWT_ISSUER", "tokens.issuer"),
    ("MONGODB_CREDENTIALS_DATABASE_NAME", "mongodb.database"),
    ("OPENID_CONFIG_PATH", "openid_configuration_path"),
    ("PRIVATE_KEY_PASSWORD", "keys.rsa_password"),
    ("PRIVATE_KEY_PASSWORD_FILE", "keys.rsa_password_file"),
    ("PRIVATE_RSA_KEY_FILE_PATH", "keys.rsa_path"),
    ("PRIVATE_RSA_KEY_ID", "keys.rsa_kid"),
    ("REDIS_HOSTS", "redis.hosts"),
    ("REDIS_MASTER_NAME", "redis.master_name"),
    ("REDIS_MODE", "redis.mode"),
    ("REDIS_PASSWORD", "redis.password"),
    ("REDIS_PASSWORD_FILE", "redis.password_file"),
    ("REDIS_SENTINEL_PASSWORD", "redis.sentinel_password"),
    ("REDIS_SENTINEL_PASSWORD_FILE", "redis.sentinel_password_file"),
    ("REDIS_SENTINEL_USERNAME", "redis.sentinel_username"),
    ("REDIS_TLS", "redis.tls"),
    ("REDIS_TLS_CACERT", "redis.tls_ca"),
    ("REDIS_USERNAME", "redis.username"),
    ("REQUIRED_AUDIENCE_IN_TOKEN_REQUEST", "tokens.audience_required"),
    ("SERVICE_PREFIX", "service_prefix"),
    ("SERVICE_VERSION", "service_version"),
    ("USERID_HEADER_KEY", "crud.user_id_header"),
];

/// The names that say where state is kept: with one of them the deployment is of the vendor's kind.
const MIA_STORES: [&str; 3] = ["CRUD_CLIENT_BASE_URL", "CREDENTIALS_MONGODB_URL", "REDIS_HOSTS"];

/// What a deployment of the vendor's kind cannot do without.
const MIA_REQUIRED: [&str; 8] = [
    "CRUD_CLIENT_BASE_URL",
    "CLIENT_ID_HASH_SALT",
    "CREDENTIALS_MONGODB_URL",
    "PRIVATE_RSA_KEY_FILE_PATH",
    "PRIVATE_RSA_KEY_ID",
    "MIA_JWT_ISSUER",
    "MIA_JWT_EXPIRES_IN",
    "REDIS_HOSTS",
];

/// What a deployment of the vendor's kind chooses, unless it is told otherwise: its port, on every
/// interface, where it keeps what, and its dialect beside the standard one. The keys are the file's.
const MIA_CHOICES: [(&str, &str); 9] = [
    ("http_port", "3000"),
    ("stores.clients", "crud"),
    ("stores.credentials", "mongodb"),
    ("stores.tokens", "redis"),
    ("stores.replay", "redis"),
    ("stores.keys", "memory"),
    // Theirs have lives of their own, which the vendor's variables say nothing of.
    ("dialects.curity.enabled", "false"),
    ("dialects.idservice.enabled", "false"),
    // It stands in a network of its own, behind a gateway that makes one address of all callers.
    ("limits.registrations_per_minute", "0"),
];

/// Every name of the vendor that we know.
#[cfg(test)]
pub(super) fn known_names() -> impl Iterator<Item = &'static str> {
    MIA_NAMES.iter().map(|(name, _)| *name).filter(|name| !name.ends_with("_FILE"))
}

/// The key that a name of the vendor sets.
pub(super) fn key_of(name: &str) -> Option<&'static str> {
    MIA_NAMES.iter().find(|(it, _)| *it == name).map(|(_, key)| *key)
}

/// What was set, merged, and what was noticed on the way.
pub(super) struct Merged {
    pub(super) root: Map<String, Value>,
    pub(super) problems: Vec<Problem>,
    pub(super) notices: Vec<String>,
}

/// Reads and merges every source. `file` is the one that was named; it must be there then.
pub(super) fn merged(file: Option<&Path>, environment: &Variables) -> Merged {
    let mut problems = Vec::new();
    let mut notices = Vec::new();
    for name in environment.0.keys() {
        if name.starts_with("TOKENWRIGHT_") && !name.starts_with("TOKENWRIGHT__") {
            notices.push(format!("{name} is not read: two underscores follow TOKENWRIGHT"));
        }
    }
    let mut builder = Config::builder().add_source(MiaChoices(environment.clone()));
    let path = file.map_or_else(|| PathBuf::from(DEFAULT_FILE), Path::to_path_buf);
    if file.is_some() || path.exists() {
        builder = builder.add_source(File::from(path.as_path()).format(FileFormat::Toml));
    }
    let built = builder
        .add_source(MiaNames(environment.clone()))
        .add_source(
            Environment::with_prefix("TOKENWRIGHT")
                .separator("__")
                // Empty is as good as not set: what a file says stands.
                .ignore_empty(true)
                .source(Some(environment.0.clone())),
        )
        .build();
    let root = match built.and_then(|merged| merged.cache.into_table()) {
        Ok(root) => root,
        Err(error) => {
            problems.push(file_problem(&path, &error));
            Map::new()
        }
    };
    if is_of_the_vendors_kind(environment) {
        problems.extend(missing(&root));
    }
    notices.extend(without_effect(&root, environment));
    Merged { root, problems, notices }
}

/// The variables that only say something about a store which is not there.
fn without_effect(root: &Map<String, Value>, environment: &Variables) -> Vec<String> {
    const STORES: [(&str, &str); 3] =
        [("crud.", "crud.base_url"), ("mongodb.", "mongodb.url"), ("redis.", "redis.hosts")];
    let mut notices = Vec::new();
    for (store, address) in STORES {
        if is_set(root, address) || is_set(root, &format!("{address}_file")) {
            continue;
        }
        for (name, key) in MIA_NAMES {
            if key.starts_with(store) && environment.get(name).is_some() {
                notices.push(format!("{name} has no effect, since {address} is not set"));
            }
        }
    }
    notices
}

/// Whether a key has a value.
fn is_set(root: &Map<String, Value>, key: &str) -> bool {
    let mut parts = key.split('.');
    let mut at = parts.next().and_then(|part| root.get(part)).cloned();
    for part in parts {
        at = at.and_then(|it| it.into_table().ok()).and_then(|it| it.get(part).cloned());
    }
    at.is_some_and(|it| !matches!(&it.kind, ValueKind::Nil) && !is_empty_text(&it.kind))
}

fn is_empty_text(kind: &ValueKind) -> bool {
    matches!(kind, ValueKind::String(text) if text.is_empty())
}

fn is_of_the_vendors_kind(environment: &Variables) -> bool {
    MIA_STORES.iter().any(|name| {
        environment.get(name).is_some() || environment.get(&format!("{name}_FILE")).is_some()
    })
}

/// The variables that are missing beside those that say where state is kept, every one of them. One
/// whose key is set elsewhere is not missing.
fn missing(root: &Map<String, Value>) -> Vec<Problem> {
    MIA_REQUIRED
        .into_iter()
        .filter(|name| {
            key_of(name)
                .is_some_and(|key| !is_set(root, key) && !is_set(root, &format!("{key}_file")))
        })
        .map(|name| {
            let why = format!(
                "is missing: one of {} is set, so state is kept as the Mia-Platform service keeps \
                 it, and that needs this, too",
                MIA_STORES.join(", ")
            );
            problem(name, why)
        })
        .collect()
}

fn file_problem(path: &Path, error: &ConfigError) -> Problem {
    problem(&path.display().to_string(), without_excerpt(&error.to_string()))
}

/// A TOML error says where it is, shows the line, and says what is wrong. The line may hold a
/// secret (threat T37).
fn without_excerpt(error: &str) -> String {
    let is_excerpt = |line: &str| {
        let number_or_space = |it: char| it.is_ascii_digit() || it == ' ';
        line.trim_start_matches(number_or_space).starts_with('|')
    };
    let kept: Vec<_> = error.lines().filter(|line| !is_excerpt(line)).map(str::trim).collect();
    kept.join(": ")
}

fn problem(key: &str, what: String) -> Problem {
    Problem { key: key.to_owned(), origin: None, what }
}

/// The environment at one moment, so that tests can have their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables(Map<String, String>);

impl Variables {
    /// The environment of this process.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where configuration is read, once")]
    pub(crate) fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Variables {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

#[derive(Clone, Debug)]
struct MiaNames(Variables);

impl Source for MiaNames {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let mut map = Map::new();
        for (name, key) in MIA_NAMES {
            if let Some(value) = self.0.get(name) {
                map.insert(key.to_owned(), Value::new(Some(&name.to_owned()), value));
            }
        }
        Ok(map)
    }
}

/// The defaults of a deployment of the vendor's kind.
#[derive(Clone, Debug)]
struct MiaChoices(Variables);

impl Source for MiaChoices {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let mut map = Map::new();
        if is_of_the_vendors_kind(&self.0) {
            let origin = "the defaults of the Mia-Platform service".to_owned();
            for (key, choice) in MIA_CHOICES {
                map.insert(key.to_owned(), Value::new(Some(&origin), choice));
            }
        }
        Ok(map)
    }
}

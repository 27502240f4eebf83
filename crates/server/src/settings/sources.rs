//! Where the configuration comes from: `tokenwright.toml`, then the vendor's environment names,
//! then `TOKENWRIGHT__...`; the later wins.

use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Environment, File, FileFormat, Map, Source, Value};

use super::reader::Problem;

/// The file that is read where none is named, if it is there.
pub(super) const DEFAULT_FILE: &str = "tokenwright.toml";

/// The names of the Mia-Platform service, and the keys they set.
pub(super) const MIA_NAMES: [(&str, &str); 18] = [
    ("ACCEPTED_AUDIENCES", "tokens.accepted_audiences"),
    ("CLIENT_SECRET_HASH_COST", "secrets.bcrypt_cost"),
    ("CLOCK_SKEW_SECONDS", "assertions.clock_skew_seconds"),
    ("DELAY_SHUTDOWN_SECONDS", "shutdown.delay_seconds"),
    ("HTTP_PORT", "http_port"),
    ("LOG_LEVEL", "log.level"),
    ("MANAGEMENT_TOKEN", "management.token"),
    ("MANAGEMENT_TOKEN_FILE", "management.token_file"),
    ("MIA_JWT_EXPIRES_IN", "tokens.lifetime_seconds"),
    ("MIA_JWT_ISSUER", "tokens.issuer"),
    ("OPENID_CONFIG_PATH", "openid_configuration_path"),
    ("PRIVATE_KEY_PASSWORD", "keys.rsa_password"),
    ("PRIVATE_KEY_PASSWORD_FILE", "keys.rsa_password_file"),
    ("PRIVATE_RSA_KEY_FILE_PATH", "keys.rsa_path"),
    ("PRIVATE_RSA_KEY_ID", "keys.rsa_kid"),
    ("REQUIRED_AUDIENCE_IN_TOKEN_REQUEST", "tokens.audience_required"),
    ("SERVICE_PREFIX", "service_prefix"),
    ("SERVICE_VERSION", "service_version"),
];

/// The names that choose stores this server does not have.
const MIA_STORES: [(&str, &str); 3] = [
    ("CRUD_CLIENT_BASE_URL", "a crud-service"),
    ("CREDENTIALS_MONGODB_URL", "MongoDB"),
    ("REDIS_HOSTS", "Redis"),
];

/// The names that only say something about those stores.
const MIA_WITHOUT_EFFECT: [&str; 13] = [
    "ADDITIONAL_HEADERS_TO_PROXY",
    "CLIENT_ID_HASH_SALT",
    "CREDENTIALS_COLLECTION_NAME",
    "MONGODB_CREDENTIALS_DATABASE_NAME",
    "REDIS_MASTER_NAME",
    "REDIS_MODE",
    "REDIS_PASSWORD",
    "REDIS_SENTINEL_PASSWORD",
    "REDIS_SENTINEL_USERNAME",
    "REDIS_TLS",
    "REDIS_TLS_CACERT",
    "REDIS_USERNAME",
    "USERID_HEADER_KEY",
];

/// Every name of the vendor that we know.
#[cfg(test)]
pub(super) fn known_names() -> impl Iterator<Item = &'static str> {
    let mapped = MIA_NAMES.iter().map(|(name, _)| *name).filter(|name| !name.ends_with("_FILE"));
    mapped.chain(MIA_STORES.iter().map(|(name, _)| *name)).chain(MIA_WITHOUT_EFFECT)
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
    for (name, store) in MIA_STORES {
        if environment.get(name).is_some() {
            problems.push(problem(name, format!(
                "this server cannot keep anything in {store}: unset {name}, and choose sqlite or postgres under stores"
            )));
        }
    }
    for name in MIA_WITHOUT_EFFECT {
        if environment.get(name).is_some() {
            notices.push(format!("{name} has no effect with the stores of this server"));
        }
    }
    for name in environment.0.keys() {
        if name.starts_with("TOKENWRIGHT_") && !name.starts_with("TOKENWRIGHT__") {
            notices.push(format!("{name} is not read: two underscores follow TOKENWRIGHT"));
        }
    }
    let mut builder = Config::builder();
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
    Merged { root, problems, notices }
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

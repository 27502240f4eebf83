//! How the service is spoken to.

use std::time::Duration;

use domain::TokenFormat;

use super::reader::Reader;

const YEAR: u64 = 365 * 86_400;

/// What is chosen for each dialect; `None` for one that is not spoken.
#[derive(Debug)]
pub(crate) struct Dialects {
    pub(crate) standard: Option<DialectSettings>,
    pub(crate) mia: Option<DialectSettings>,
    pub(crate) curity: Option<DialectSettings>,
    pub(crate) id_service: Option<DialectSettings>,
    /// Whether the ID service's token endpoint reads the query (secrets end in logs that way).
    pub(crate) has_query_parameters: bool,
}

/// What is chosen for one dialect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DialectSettings {
    /// How long tokens live; `None`: as long as `tokens.lifetime_seconds` says.
    pub(crate) lifetime: Option<Duration>,
    /// What tokens look like.
    pub(crate) format: TokenFormat,
}

impl Dialects {
    /// `longest` is what no token may outlive.
    pub(super) fn read(reader: &mut Reader, longest: Duration) -> Self {
        let (jwt, reference) = (TokenFormat::Jwt, TokenFormat::Reference);
        let dialects = Self {
            standard: dialect(reader, "standard", jwt, None, longest),
            mia: dialect(reader, "mia", jwt, None, longest),
            curity: dialect(reader, "curity", reference, Some(300), longest),
            id_service: dialect(reader, "idservice", reference, Some(7 * 86_400), longest),
            has_query_parameters: reader.boolean("dialects.idservice.query_parameters", false),
        };
        if [&dialects.standard, &dialects.mia, &dialects.curity, &dialects.id_service]
            .iter()
            .all(|it| it.is_none())
        {
            reader.refuse("dialects.standard.enabled", "one dialect at least must be on");
        }
        dialects
    }
}

/// `lifetime` is the one of the dialect where nothing is set; `None` is that of the service.
fn dialect(
    reader: &mut Reader,
    name: &str,
    format: TokenFormat,
    lifetime: Option<u64>,
    longest: Duration,
) -> Option<DialectSettings> {
    let key = |what: &str| format!("dialects.{name}.{what}");
    let is_on = reader.boolean(&key("enabled"), true);
    let formats = [("jwt", TokenFormat::Jwt), ("reference", TokenFormat::Reference)];
    let format = reader.choice(&key("token_format"), &formats, format);
    let lifetime_key = key("lifetime_seconds");
    let is_set = reader.has(&lifetime_key);
    let seconds = reader.number(&lifetime_key, 1..=YEAR, lifetime.unwrap_or(1));
    if is_set && longest < Duration::from_secs(seconds) {
        let what = "must not be more than tokens.longest_lifetime_seconds";
        reader.refuse(&lifetime_key, what);
    }
    let lifetime =
        (is_set || lifetime.is_some()).then(|| Duration::from_secs(seconds).min(longest));
    is_on.then_some(DialectSettings { lifetime, format })
}

//! What a caller of `openid_connect` brings along, and what of it upstream may see.

use domain::gateway::{CredentialsEncoding, FetchCredentials, HeaderName, NoCredentials};

use super::openid_connect_rules::OpenidConnectRules;
use super::request::{GatewayRequest, only, pairs, without};

const ARGUMENTS: [&str; 2] = ["client_id", "client_secret"];

/// What a request brings along.
pub(super) enum Brought<'a> {
    Credentials(FetchCredentials),
    Token(&'a str),
}

/// The headers to delete, and the query and the form to go on with, where they differ.
type Hidden = (Vec<Box<str>>, Option<String>, Option<Vec<u8>>);

impl OpenidConnectRules {
    /// What the caller brings along: a token where tokens are taken, else credentials, from the
    /// first place that has both halves.
    pub(super) fn brought<'a>(
        &self,
        request: &GatewayRequest<'a>,
    ) -> Result<Brought<'a>, NoCredentials> {
        let rules = self;
        if rules.takes_jwts || rules.takes_opaque_tokens {
            match request.authorization("Bearer") {
                Ok(token) => return Ok(Brought::Token(token)),
                Err(NoCredentials::Absent) => {}
                Err(malformed @ NoCredentials::Malformed) => return Err(malformed),
            }
        }
        if rules.takes_credentials {
            if rules.places.header {
                let read = request.authorization("Basic").and_then(|encoded| {
                    FetchCredentials::from_basic(encoded, CredentialsEncoding::Raw)
                });
                match read {
                    Ok(credentials) => return Ok(Brought::Credentials(credentials)),
                    Err(NoCredentials::Absent) => {}
                    Err(malformed @ NoCredentials::Malformed) => return Err(malformed),
                }
            }
            let query = rules.places.query.then_some(request.query).flatten().map(str::as_bytes);
            let body = rules.places.body.then_some(request.form).flatten();
            let body = body.filter(|it| it.len() <= GatewayRequest::MAX_FORM_BYTES);
            for encoded in query.into_iter().chain(body) {
                let pairs = pairs(encoded);
                let [id, secret] = ARGUMENTS.map(|it| only(&pairs, it).map(ToOwned::to_owned));
                if let (Some(id), Some(secret)) = (id, secret) {
                    let read = FetchCredentials::new(id, secret)?;
                    return Ok(Brought::Credentials(read));
                }
            }
        }
        Err(NoCredentials::Absent)
    }

    /// Takes credentials out of what goes upstream, wherever they are, whether they were used or
    /// not.
    pub(super) fn hide(&self, request: &GatewayRequest<'_>) -> Hidden {
        let rules = self;
        if !rules.hides_credentials {
            return (Vec::new(), None, None);
        }
        let listed = rules.hidden_arguments.iter().map(|it| &**it);
        let hidden = |is_place: bool, encoded: Option<&[u8]>| {
            let taken = if is_place && rules.takes_credentials { &ARGUMENTS[..] } else { &[] };
            let names: Vec<&str> = listed.clone().chain(taken.iter().copied()).collect();
            encoded.and_then(|it| without(it, &names))
        };
        let query = hidden(rules.places.query, request.query.map(str::as_bytes));
        let form = hidden(rules.places.body, request.form);
        let authorization = HeaderName::authorization().as_str().into();
        (vec![authorization], query.and_then(|it| String::from_utf8(it).ok()), form)
    }
}

//! Finds the one way in which a request authenticates its client (RFC 6749 section 2.3).

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use app::{PresentedCredentials, PresentedSecret};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use domain::{AuthenticationMethod, ClientId, ClientSecret};

use super::error::{ApiError, ErrorCode};
use super::form::{Form, decoded};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How a request authenticates, by the form's own words.
pub(crate) struct Found {
    /// What proves it.
    pub(crate) credentials: PresentedCredentials,
}

/// What to make of a secret in the header and in the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubled {
    /// They are two ways, and refused.
    Never,
    /// The same id and the same secret are one way: some resource servers ask like that.
    MayAgree,
}

/// Finds the one way in which the request authenticates. Two ways at once are refused: a proxy
/// and this server could otherwise disagree on who is asking (threat T20).
pub(crate) fn find(headers: &HeaderMap, form: &Form, doubled: Doubled) -> Result<Found, ApiError> {
    let mut authorizations = headers.get_all(AUTHORIZATION);
    let authorization = authorizations.next();
    if authorizations.next().is_some() {
        return Err(invalid("there is more than one Authorization header"));
    }
    let (id, secret) = (form.get("client_id"), form.get("client_secret"));
    let (assertion, kind) = (form.get("client_assertion"), form.get("client_assertion_type"));
    match (authorization, secret, assertion) {
        (Some(header), None, None) if kind.is_none() => basic(header, id),
        (None, Some(secret), None) if kind.is_none() => Ok(post(id, secret)),
        (Some(header), Some(secret), None) if kind.is_none() && doubled == Doubled::MayAgree => {
            agreeing(basic(header, id)?, id, secret)
        }
        (None, None, Some(assertion)) => by_assertion(id, assertion, kind),
        (None, None, None) if kind.is_some() => Err(invalid("client_assertion is missing")),
        (None, None, None) => Err(unauthenticated(
            "the request authenticates no client: use HTTP Basic, or a client_assertion",
        )),
        (_, _, _) => Err(invalid("authenticate in exactly one way")),
    }
}

/// The secret of the header, if the form has no other.
fn agreeing(found: Found, id: Option<&str>, secret: &str) -> Result<Found, ApiError> {
    let agrees = |it: &PresentedSecret| {
        it.secret.expose() == secret && it.client.as_ref().map(ClientId::as_str) == id
    };
    match &found.credentials {
        PresentedCredentials::Secret(readings) if readings.iter().any(agrees) => Ok(found),
        PresentedCredentials::Secret(_) | PresentedCredentials::Assertion { .. } => {
            Err(invalid("the Authorization header and the form name different credentials"))
        }
    }
}

fn invalid(description: &'static str) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, description)
}

fn unauthenticated(description: &'static str) -> ApiError {
    ApiError::new(ErrorCode::InvalidClient, description)
}

/// `client_secret_post`.
fn post(id: Option<&str>, secret: &str) -> Found {
    let presented = PresentedSecret {
        client: id.and_then(|id| id.parse().ok()),
        secret: ClientSecret::new(secret.to_owned()),
        method: AuthenticationMethod::ClientSecretPost,
    };
    Found { credentials: PresentedCredentials::Secret(vec![presented]) }
}

/// `private_key_jwt` or `client_secret_jwt` (RFC 7523 section 2.2): which, the client's registration
/// says.
fn by_assertion(id: Option<&str>, assertion: &str, kind: Option<&str>) -> Result<Found, ApiError> {
    if kind != Some(ASSERTION_TYPE) {
        return Err(invalid(
            "client_assertion_type must be \
             urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ));
    }
    let client = match id.map(str::parse::<ClientId>) {
        None => None,
        Some(Ok(id)) => Some(id),
        // An id no client can have is a client nobody has heard of.
        Some(Err(_)) => return Err(unauthenticated("client authentication failed")),
    };
    let assertion = ClientSecret::new(assertion.to_owned());
    Ok(Found { credentials: PresentedCredentials::Assertion { client, assertion } })
}

/// `client_secret_basic`. The id and the secret are form-encoded before they are joined (RFC 6749
/// section 2.3.1); clients that leave that out are understood too, where the readings differ.
fn basic(header: &HeaderValue, form_id: Option<&str>) -> Result<Found, ApiError> {
    let pair = basic_pair(header).ok_or_else(|| {
        unauthenticated("the Authorization header is not Basic with base64 of id:secret in UTF-8")
    })?;
    let (raw_id, raw_secret) = pair.split_once(':').unwrap_or((&pair, ""));
    let mut readings = Vec::with_capacity(2);
    if let (Some(id), Some(secret)) = (decoded(raw_id.as_bytes()), decoded(raw_secret.as_bytes())) {
        let differs = id != raw_id || secret != raw_secret;
        readings.push((id, secret));
        if differs {
            readings.push((raw_id.to_owned(), raw_secret.to_owned()));
        }
    } else {
        readings.push((raw_id.to_owned(), raw_secret.to_owned()));
    }
    if let Some(form_id) = form_id {
        // What disagrees is not tried.
        readings.retain(|(id, _)| id == form_id);
    }
    if readings.is_empty() {
        return Err(invalid("client_id in the form is not the one in the Authorization header"));
    }
    let readings = readings
        .into_iter()
        .map(|(id, secret)| PresentedSecret {
            client: id.parse().ok(),
            secret: ClientSecret::new(secret),
            method: AuthenticationMethod::ClientSecretBasic,
        })
        .collect();
    Ok(Found { credentials: PresentedCredentials::Secret(readings) })
}

fn basic_pair(header: &HeaderValue) -> Option<String> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64.decode(encoded.trim_matches(' ')).ok()?).ok()?;
    pair.contains(':').then_some(pair)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        headers
    }

    fn form(raw: &str) -> Form {
        Form::parse(raw.as_bytes()).unwrap()
    }

    fn readings(header: &str, raw_form: &str) -> Result<Vec<(Option<String>, String)>, ErrorCode> {
        let found = find(&headers(header), &form(raw_form), Doubled::Never)
            .map_err(|error| error.code())?;
        match found.credentials {
            PresentedCredentials::Secret(readings) => Ok(readings
                .into_iter()
                .map(|it| (it.client.map(|id| id.to_string()), it.secret.expose().to_owned()))
                .collect()),
            PresentedCredentials::Assertion { .. } => panic!("not a secret"),
        }
    }

    fn basic_of(pair: &str) -> String {
        format!("Basic {}", BASE64.encode(pair))
    }

    #[test]
    fn reads_basic_decoded_first_and_raw_only_where_that_differs() {
        let one = |id: &str, secret: &str| (Some(id.to_owned()), secret.to_owned());

        assert_eq!(readings(&basic_of("a:b"), "").unwrap(), [one("a", "b")]);
        assert_eq!(
            readings(&basic_of("a:s%20%2B:+"), "").unwrap(),
            [one("a", "s +: "), one("a", "s%20%2B:+")]
        );
        assert_eq!(readings(&basic_of("a:100%zz"), "").unwrap(), [one("a", "100%zz")]);
        assert_eq!(readings(&basic_of("a:caffè"), "").unwrap(), [one("a", "caffè")]);
        assert_eq!(readings(&basic_of("a:"), "").unwrap(), [one("a", "")]);
        let any_case = basic_of("a:b").replace("Basic", "bAsIc");
        assert_eq!(readings(&any_case, "").unwrap(), [one("a", "b")]);
    }

    #[test]
    fn t24_what_is_not_basic_authenticates_nobody() {
        let not_utf8 = format!("Basic {}", BASE64.encode([b'a', b':', 0xff]));
        let no_colon = basic_of("nocolon");
        for header in
            ["Basic", "Basic ", "Basic !!!", "Bearer abc", "Basic a b", &not_utf8, &no_colon]
        {
            assert_eq!(readings(header, ""), Err(ErrorCode::InvalidClient), "{header}");
        }
    }

    #[test]
    fn t20_two_ways_at_once_are_refused() {
        let both = basic_of("a:b");
        for raw in [
            "client_secret=b",
            "client_id=a&client_secret=b",
            "client_assertion=x.y.z",
            "client_assertion_type=x",
        ] {
            assert_eq!(readings(&both, raw), Err(ErrorCode::InvalidRequest), "{raw}");
        }
        for raw in ["client_secret=b&client_assertion=x", "client_secret=b&client_assertion_type=x"]
        {
            let error = find(&HeaderMap::new(), &form(raw), Doubled::Never).err().unwrap();
            assert_eq!(error.code(), ErrorCode::InvalidRequest, "{raw}");
        }
        let mut twice = headers(&both);
        twice.append(AUTHORIZATION, HeaderValue::from_str(&both).unwrap());
        assert_eq!(
            find(&twice, &form(""), Doubled::Never).err().unwrap().code(),
            ErrorCode::InvalidRequest
        );
    }

    /// lua-resty-openidc sends both; whoever sends two different ones is refused (threat T20).
    #[test]
    fn t20_the_same_credentials_twice_are_one_way_where_that_is_allowed() {
        let doubled = |raw: &str| {
            let found = find(&headers(&basic_of("a:b%20c")), &form(raw), Doubled::MayAgree);
            found.map(|it| method(&it)).map_err(|error| error.code())
        };

        let basic = AuthenticationMethod::ClientSecretBasic;
        assert_eq!(doubled("client_id=a&client_secret=b%20c"), Ok(basic));
        for raw in [
            "client_id=a&client_secret=other",
            "client_id=b&client_secret=b%20c",
            "client_secret=b%20c",
            "client_id=a&client_secret=b%20c&client_assertion=x",
            "client_id=a&client_secret=b%20c&client_assertion_type=x",
        ] {
            assert_eq!(doubled(raw), Err(ErrorCode::InvalidRequest), "{raw}");
        }
    }

    fn method(found: &Found) -> AuthenticationMethod {
        match &found.credentials {
            PresentedCredentials::Secret(readings) => readings[0].method,
            PresentedCredentials::Assertion { .. } => panic!("not a secret"),
        }
    }

    #[test]
    fn the_form_may_repeat_the_id_but_not_contradict_it() {
        assert!(readings(&basic_of("a:b"), "client_id=a").is_ok());
        assert!(readings(&basic_of("a%41:b"), "client_id=aA").is_ok());
        assert_eq!(readings(&basic_of("a:b"), "client_id=c"), Err(ErrorCode::InvalidRequest));
    }

    #[test]
    fn an_assertion_needs_its_type() {
        for raw in ["client_assertion=x", "client_assertion=x&client_assertion_type=saml2"] {
            let error = find(&HeaderMap::new(), &form(raw), Doubled::Never).err().unwrap();
            assert_eq!(error.code(), ErrorCode::InvalidRequest, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn every_id_and_secret_survive_both_ways_of_writing(
            id in "[!-~&&[^:]]{1,40}",
            secret in "\\PC{0,60}",
        ) {
            let encode = |raw: &str| {
                url::form_urlencoded::byte_serialize(raw.as_bytes()).collect::<String>()
            };
            for pair in [format!("{id}:{secret}"), format!("{}:{}", encode(&id), encode(&secret))] {
                let found = readings(&basic_of(&pair), "").unwrap();
                prop_assert!(found.contains(&(Some(id.clone()), secret.clone())));
            }
        }

        #[test]
        fn never_panics(raw in "[ -~]{0,60}") {
            let _ = find(&headers(&raw), &form(""), Doubled::Never);
        }
    }
}

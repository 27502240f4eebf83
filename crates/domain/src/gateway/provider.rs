//! What an identity provider says of itself, and its keys.

use std::fmt;

use serde_json::Value;
use url::Url;

use super::fetch::ClientAuthentication;
use crate::{CompactJws, PublicJwk, SigningAlgorithm, parse_object};

/// Where a provider describes itself: its issuer, or the URL of its metadata.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderAddress {
    issuer: Box<str>,
    documents: Vec<Url>,
}

/// What a provider says of itself (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2), as
/// far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderMetadata {
    /// Its issuer, as its tokens have it in `iss`.
    pub issuer: Box<str>,
    /// Where tokens are given.
    pub token_endpoint: Option<Url>,
    /// Where its keys are.
    pub jwks_uri: Option<Url>,
    /// Where tokens are explained.
    pub introspection_endpoint: Option<Url>,
    /// How the token endpoint may be shown who asks; none said is `client_secret_basic` alone.
    pub token_endpoint_auth_methods: Vec<Box<str>>,
}

/// Why a text is not the address of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an http or https URL without credentials, query and fragment")]
pub struct InvalidProviderAddress;

/// Why metadata is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetadata {
    /// Not one JSON object.
    #[error("the metadata is no JSON object")]
    Malformed,
    /// `issuer` is missing or another than the configured one (RFC 8414 section 3.3).
    #[error("the metadata's issuer is not the one that is configured")]
    Issuer,
    /// An endpoint is no URL, or is reached over plain HTTP where the issuer is not.
    #[error("the metadata's {0} is no URL that is as safe as the issuer's")]
    Endpoint(&'static str),
}

const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

impl ProviderAddress {
    /// Reads an issuer, or the URL of the metadata, from which the issuer follows.
    ///
    /// # Errors
    ///
    /// [`InvalidProviderAddress`].
    pub fn parse(raw: &str) -> Result<Self, InvalidProviderAddress> {
        let url = Url::parse(raw).map_err(|_| InvalidProviderAddress)?;
        let is_plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !is_plain {
            return Err(InvalidProviderAddress);
        }
        let path = url.path();
        // RFC 8414 section 3.1 puts the well-known part before the issuer's path.
        let oauth = path.strip_prefix(OAUTH).filter(|it| it.is_empty() || it.starts_with('/'));
        if let Some(issuer) = path.strip_suffix(OPENID).or(oauth) {
            let issuer = at(&url, issuer).as_str().trim_end_matches('/').into();
            return Ok(Self { issuer, documents: vec![url] });
        }
        let bare = path.trim_end_matches('/');
        let documents =
            vec![at(&url, &format!("{bare}{OPENID}")), at(&url, &format!("{OAUTH}{bare}"))];
        Ok(Self { issuer: raw.into(), documents })
    }

    /// The issuer. One that follows from the URL of the metadata has no slash at its end.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The host, for a challenge.
    #[must_use]
    pub fn host(&self) -> &str {
        self.documents.first().and_then(Url::host_str).unwrap_or_default()
    }

    /// Where the metadata may be, the likeliest place first.
    #[must_use]
    pub fn documents(&self) -> &[Url] {
        &self.documents
    }

    /// Reads the metadata that was found there.
    ///
    /// A slash at the end of an issuer makes no difference, since the URL of the metadata does not
    /// tell whether there is one.
    ///
    /// # Errors
    ///
    /// See [`InvalidMetadata`].
    pub fn metadata(&self, body: &[u8]) -> Result<ProviderMetadata, InvalidMetadata> {
        let members = parse_object(body).map_err(|_| InvalidMetadata::Malformed)?;
        let bare = |it: &str| it.strip_suffix('/').unwrap_or(it).to_owned();
        let issuer = match members.get("issuer") {
            Some(Value::String(issuer)) if bare(issuer) == bare(&self.issuer) => issuer,
            Some(_) | None => return Err(InvalidMetadata::Issuer),
        };
        let is_safe = self.documents.iter().any(|it| it.scheme() == "https");
        let endpoint = |name: &'static str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(raw)) => {
                let url = Url::parse(raw).ok();
                let is_fit = |it: &Url| match it.scheme() {
                    "https" => true,
                    "http" => !is_safe,
                    _ => false,
                };
                url.filter(is_fit).map(Some).ok_or(InvalidMetadata::Endpoint(name))
            }
            Some(_) => Err(InvalidMetadata::Endpoint(name)),
        };
        let methods = members.get("token_endpoint_auth_methods_supported");
        let methods = methods.and_then(Value::as_array).into_iter().flatten();
        let methods = methods.filter_map(Value::as_str).map(Into::into).collect();
        Ok(ProviderMetadata {
            issuer: issuer.as_str().into(),
            token_endpoint: endpoint("token_endpoint")?,
            jwks_uri: endpoint("jwks_uri")?,
            introspection_endpoint: endpoint("introspection_endpoint")?,
            token_endpoint_auth_methods: methods,
        })
    }
}

impl ProviderMetadata {
    /// How the token endpoint is shown the secrets of callers: the first way that it knows.
    #[must_use]
    pub fn secret_authentication(&self) -> ClientAuthentication {
        const WAYS: [(&str, ClientAuthentication); 3] = [
            ("client_secret_basic", ClientAuthentication::Header),
            ("client_secret_post", ClientAuthentication::Params),
            ("client_secret_jwt", ClientAuthentication::SecretJwt),
        ];
        let known = &self.token_endpoint_auth_methods;
        let is_known = |name: &str| known.iter().any(|it| &**it == name);
        let way = WAYS.into_iter().find(|(name, _)| is_known(name));
        way.map_or(ClientAuthentication::Header, |(_, way)| way)
    }
}

impl fmt::Debug for ProviderAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProviderAddress({:?})", self.issuer)
    }
}

fn at(url: &Url, path: &str) -> Url {
    let mut url = url.clone();
    url.set_path(path);
    url
}

/// The keys of a provider that verify signatures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderKeys(Vec<PublicJwk>);

/// The document is no JWK set (RFC 7517 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the document of the provider's keys is no JWK set")]
pub struct InvalidKeys;

impl ProviderKeys {
    /// The most keys that are read.
    pub const MAX_KEYS: usize = 128;

    /// Reads a JWK set. Keys of a kind that we do not know, and those for other uses, are left out
    /// (RFC 7517 section 5), and so are symmetric ones: none of them ever verifies a provider's
    /// token.
    ///
    /// # Errors
    ///
    /// [`InvalidKeys`].
    pub fn parse(body: &[u8]) -> Result<Self, InvalidKeys> {
        let members = parse_object(body).map_err(|_| InvalidKeys)?;
        let Some(Value::Array(keys)) = members.get("keys") else {
            return Err(InvalidKeys);
        };
        let mut read = Vec::new();
        for key in keys.iter().take(Self::MAX_KEYS).filter_map(Value::as_object) {
            read.extend(PublicJwk::parse(key).ok());
            // An RSA key that does not say for which algorithm it is serves both.
            if !key.contains_key("alg") && key.get("kty").is_some_and(|it| it == "RSA") {
                let mut key = key.clone();
                key.insert("alg".to_owned(), SigningAlgorithm::Ps256.name().into());
                read.extend(PublicJwk::parse(&key).ok());
            }
        }
        Ok(Self(read))
    }

    /// The keys that may have signed `jws`: of its algorithm, and of its `kid` where it has one.
    pub fn candidates(&self, jws: &CompactJws) -> impl Iterator<Item = &PublicJwk> {
        let header = jws.header().clone();
        self.0.iter().filter(move |key| {
            key.algorithm() == header.algorithm
                && (header.key_id.is_none() || key.key_id() == header.key_id.as_ref())
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    fn address(raw: &str) -> ProviderAddress {
        ProviderAddress::parse(raw).unwrap()
    }

    fn documents(raw: &str) -> Vec<String> {
        address(raw).documents().iter().map(Url::to_string).collect()
    }

    #[test]
    fn metadata_is_looked_for_where_the_standards_put_it() {
        assert_eq!(
            documents("https://as/realms/a/"),
            [
                "https://as/realms/a/.well-known/openid-configuration",
                "https://as/.well-known/oauth-authorization-server/realms/a",
            ]
        );
        for (url, issuer) in [
            ("https://as/r/.well-known/openid-configuration", "https://as/r"),
            ("https://as/.well-known/openid-configuration", "https://as"),
            ("https://as/.well-known/oauth-authorization-server/r", "https://as/r"),
            ("https://as/.well-known/oauth-authorization-server", "https://as"),
        ] {
            assert_eq!(address(url).issuer(), issuer);
            assert_eq!(documents(url), [url]);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for raw in ["", "as", "ftp://as", "https://u:p@as", "https://as?x=1", "https://as#x"] {
            assert_eq!(ProviderAddress::parse(raw), Err(InvalidProviderAddress), "{raw}");
        }
    }

    fn read(members: &Value) -> Result<ProviderMetadata, InvalidMetadata> {
        address("https://as/r").metadata(members.to_string().as_bytes())
    }

    #[test]
    fn metadata_of_another_issuer_is_refused() {
        assert!(read(&json!({"issuer": "https://as/r"})).is_ok());
        assert_eq!(&*read(&json!({"issuer": "https://as/r/"})).unwrap().issuer, "https://as/r/");
        for issuer in [json!("https://as/other"), json!("http://as/r"), json!(7), json!(null)] {
            assert_eq!(read(&json!({ "issuer": issuer })), Err(InvalidMetadata::Issuer));
        }
        assert_eq!(read(&json!({})), Err(InvalidMetadata::Issuer));
        assert_eq!(read(&json!([])), Err(InvalidMetadata::Malformed));
    }

    #[test]
    fn the_first_way_to_show_a_secret_that_a_provider_knows_is_taken() {
        let way = |methods: Value| {
            let members =
                json!({"issuer": "https://as/r", "token_endpoint_auth_methods_supported": methods});
            read(&members).unwrap().secret_authentication()
        };

        assert_eq!(way(json!(null)), ClientAuthentication::Header);
        assert_eq!(way(json!(["private_key_jwt"])), ClientAuthentication::Header);
        assert_eq!(
            way(json!(["client_secret_post", "client_secret_basic"])),
            ClientAuthentication::Header
        );
        assert_eq!(
            way(json!(["client_secret_jwt", "client_secret_post"])),
            ClientAuthentication::Params
        );
        assert_eq!(way(json!(["client_secret_jwt"])), ClientAuthentication::SecretJwt);
    }

    #[test]
    fn t27_metadata_cannot_lead_away_from_tls() {
        for url in ["http://as/keys", "file:///etc/passwd", "keys", ""] {
            assert_eq!(
                read(&json!({"issuer": "https://as/r", "jwks_uri": url})),
                Err(InvalidMetadata::Endpoint("jwks_uri")),
                "{url}"
            );
        }
        let plain = address("http://as").metadata(
            json!({"issuer": "http://as", "jwks_uri": "http://as/keys"}).to_string().as_bytes(),
        );
        assert!(plain.is_ok());
    }

    fn jws(header: &Value) -> CompactJws {
        let part = |it: &str| BASE64_URL_SAFE_NO_PAD.encode(it);
        let jws = format!("{}.{}.{}", part(&header.to_string()), part("{}"), part("sig"));
        CompactJws::parse(&jws).unwrap()
    }

    #[test]
    fn keys_are_chosen_by_algorithm_and_kid() {
        let n = BASE64_URL_SAFE_NO_PAD.encode([0xff; 256]);
        let x = BASE64_URL_SAFE_NO_PAD.encode([1; 32]);
        let set = json!({"keys": [
            {"kty": "RSA", "n": n, "e": "AQAB", "kid": "r"},
            {"kty": "EC", "crv": "P-256", "x": x, "y": x, "kid": "e"},
            {"kty": "EC", "crv": "P-256", "x": x, "y": x, "kid": "for encryption", "use": "enc"},
            {"kty": "oct", "k": "AAAA", "kid": "r"},
            {"kty": "new", "kid": "n"},
            7,
        ]});
        let keys = ProviderKeys::parse(set.to_string().as_bytes()).unwrap();
        let found = |header: Value| keys.candidates(&jws(&header)).count();

        assert_eq!(found(json!({"alg": "RS256", "kid": "r"})), 1);
        assert_eq!(found(json!({"alg": "PS256", "kid": "r"})), 1);
        assert_eq!(found(json!({"alg": "ES256", "kid": "r"})), 0);
        assert_eq!(found(json!({"alg": "ES256"})), 1);
        assert_eq!(found(json!({"alg": "RS256", "kid": "n"})), 0);
    }

    #[test]
    fn what_is_no_set_of_keys_is_refused() {
        for body in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
            assert_eq!(ProviderKeys::parse(body.as_bytes()), Err(InvalidKeys), "{body}");
        }
    }
}

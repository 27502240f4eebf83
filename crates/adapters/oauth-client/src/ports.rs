//! The ports, on [`OauthClient`].

use async_trait::async_trait;
use domain::gateway::{
    Claim, Claims, ClientAuthentication, FetchCredentials, FetchFailure, FetchedToken, TokenFetch,
};
use domain::port::{
    IntrospectionEndpoint, IntrospectionQuestion, ProviderDocuments, TokenEndpoint,
};
use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::OauthClient;
use crate::client::Style;
use crate::exchange::{Answer, Deadline, ask};

/// Answers are kept by the thousand: what tells of one token fits into this.
const MAX_INTROSPECTION_BYTES: usize = 128 * 1024;

/// What is sent with a form besides the credentials.
struct Post<'a> {
    url: &'a Url,
    form: Vec<(String, String)>,
    headers: &'a [(Box<str>, Box<str>)],
    who: &'a FetchCredentials,
    audience: Option<&'a str>,
}

impl OauthClient {
    /// Posts a form with the credentials shown in one way.
    async fn post(
        &self,
        deadline: &Deadline,
        post: &Post<'_>,
        method: ClientAuthentication,
    ) -> Result<Answer, FetchFailure> {
        let request = || self.form_request(post, method);
        ask(&self.options, deadline, || self.clock.now(), request).await
    }

    fn form_request(
        &self,
        post: &Post<'_>,
        method: ClientAuthentication,
    ) -> Result<RequestBuilder, FetchFailure> {
        let mut form = post.form.clone();
        let header = self.authenticate(&mut form, post.who, method, post.audience)?;
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = self.http.post(post.url.clone());
        for (name, value) in post.headers {
            request = request.header(&**name, &**value);
        }
        request = request
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(header) = header
            && let Ok(mut header) = HeaderValue::try_from(header)
        {
            header.set_sensitive(true);
            request = request.header(AUTHORIZATION, header);
        }
        Ok(request.body(body))
    }

    /// Finds out which of the two ways to show a secret works: the header first, and the body where
    /// the header was refused. Nothing is tried twice because a server fails.
    async fn post_either_way(
        &self,
        deadline: &Deadline,
        post: &Post<'_>,
    ) -> Result<Answer, FetchFailure> {
        let url = post.url.as_str();
        let (first, is_known) = match self.known_style(url) {
            Some(style) => (style, true),
            None => (Style::Header, false),
        };
        let answer = self.post(deadline, post, first.into()).await?;
        let is_refused =
            answer.status == 401 || answer.status == 400 && answer.refusal().is("invalid_client");
        if !is_refused || is_known {
            if answer.status == 200 {
                self.learn_style(url, first);
            }
            return Ok(answer);
        }
        let answer = self.post(deadline, post, ClientAuthentication::Params).await?;
        if answer.status == 200 {
            self.learn_style(url, Style::Params);
        }
        Ok(answer)
    }

    async fn posted(
        &self,
        post: &Post<'_>,
        method: ClientAuthentication,
    ) -> Result<Vec<u8>, FetchFailure> {
        let deadline = Deadline::after(self.options.total_timeout);
        let answer = match method {
            ClientAuthentication::Auto => self.post_either_way(&deadline, post).await?,
            ClientAuthentication::Params
            | ClientAuthentication::Header
            | ClientAuthentication::SecretJwt
            | ClientAuthentication::PrivateKeyJwt
            | ClientAuthentication::Certificate => self.post(&deadline, post, method).await?,
        };
        answer.successful()
    }
}

impl From<Style> for ClientAuthentication {
    fn from(style: Style) -> Self {
        match style {
            Style::Header => Self::Header,
            Style::Params => Self::Params,
        }
    }
}

#[async_trait]
impl TokenEndpoint for OauthClient {
    async fn fetch(&self, fetch: &TokenFetch) -> Result<FetchedToken, FetchFailure> {
        let mut form = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
        if !fetch.scopes.is_empty() {
            form.push(("scope".to_owned(), fetch.scopes.join(" ")));
        }
        if let Some(audience) = &fetch.audience {
            form.push(("audience".to_owned(), audience.to_string()));
        }
        let arguments = fetch.arguments.iter();
        form.extend(arguments.map(|(name, value)| (name.to_string(), value.to_string())));
        let post = Post {
            url: &fetch.url,
            form,
            headers: &fetch.headers,
            who: &fetch.credentials,
            audience: fetch.assertion_audience.as_deref(),
        };
        // Counted from the question on: an answer that took long is as old as it is.
        let asked_at = self.clock.now();
        let body = self.posted(&post, fetch.authentication).await?;
        FetchedToken::from_answer(&body, asked_at)
    }
}

#[async_trait]
impl IntrospectionEndpoint for OauthClient {
    async fn introspect(
        &self,
        question: &IntrospectionQuestion<'_>,
    ) -> Result<Option<Claims>, FetchFailure> {
        let form = vec![
            ("token".to_owned(), question.token.0.to_owned()),
            ("token_type_hint".to_owned(), "access_token".to_owned()),
        ];
        let post = Post {
            url: question.url,
            form,
            headers: &[],
            who: question.credentials,
            audience: question.assertion_audience,
        };
        let body = self.posted(&post, question.authentication).await?;
        if MAX_INTROSPECTION_BYTES < body.len() {
            return Err(FetchFailure::Unusable("the introspection answer is longer than 128 KiB"));
        }
        let unusable = FetchFailure::Unusable("it is no introspection answer");
        let Ok(claims) = Claims::parse(&body) else {
            return Err(unusable);
        };
        match claims.get("active") {
            Some(Claim::Boolean(true)) => Ok(Some(claims)),
            Some(Claim::Boolean(false)) => Ok(None),
            Some(_) | None => Err(unusable),
        }
    }
}

#[async_trait]
impl ProviderDocuments for OauthClient {
    async fn document(&self, url: &Url) -> Result<Option<Vec<u8>>, FetchFailure> {
        let deadline = Deadline::after(self.options.total_timeout);
        let request = || Ok(self.http.get(url.clone()).header(ACCEPT, "application/json"));
        let answer = ask(&self.options, &deadline, || self.clock.now(), request).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        answer.successful().map(Some)
    }
}

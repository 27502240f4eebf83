//! The clients of a collection.

use std::fmt;

use domain::{Client, ClientId, Fault};

use crate::CrudOptions;
use crate::collection::{Collection, Request, documents};
use crate::document::{Stored, field};
use crate::mishap::Mishap;
use crate::schema::Schema;

/// The clients of a collection, over HTTP.
pub struct CrudClients {
    pub(crate) collection: Collection,
    pub(crate) schema: Schema,
}

/// Why there can be no such clients.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCrudOptions {
    /// The base URL is no place that can be asked.
    #[error("the base URL of the CRUD service must be of http or https, without query or fragment")]
    BaseUrl,
    /// TLS cannot be set up.
    #[error("HTTP for the CRUD service cannot be set up")]
    Http(#[source] reqwest::Error),
}

impl CrudClients {
    /// Prepares to ask. The service need not be up.
    ///
    /// # Errors
    ///
    /// [`InvalidCrudOptions`].
    ///
    /// # Panics
    ///
    /// If the process has no default provider of cryptography for TLS (rustls).
    pub fn new(options: &CrudOptions) -> Result<Self, InvalidCrudOptions> {
        let url = &options.base_url;
        let is_plain = url.query().is_none() && url.fragment().is_none() && url.has_host();
        if !is_plain || !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidCrudOptions::BaseUrl);
        }
        Ok(Self {
            collection: Collection::new(options).map_err(InvalidCrudOptions::Http)?,
            schema: Schema::new(options.schema_memory),
        })
    }

    /// Bounds the work of one call.
    pub(crate) async fn within<T, E: From<Fault>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match tokio::time::timeout(self.collection.timeout(), work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Fault::from(Mishap::Late).into()),
        }
    }

    /// The client in whatever state it is, with what is known of its document.
    pub(crate) async fn read(&self, id: &ClientId) -> Result<Option<Stored>, Fault> {
        // Two are one too many.
        let request = Request::list().with(field::CLIENT_ID, id.as_str()).with("_l", "2");
        let answer = self.collection.ask(&request).await?;
        let mut found = documents(&answer.reply.done("a question for one client")?)?.into_iter();
        let document = match (found.next(), found.next()) {
            (None, _) => return Ok(None),
            (Some(_), Some(_)) => return Err(Mishap::Ambiguous.into()),
            (Some(document), None) => document,
        };
        let stored = Stored::try_from(document)?;
        if stored.client.id != *id {
            return Err(Mishap::Another.into());
        }
        Ok(Some(stored))
    }
}

/// Whether two clients differ in nothing but what each write changes anyway.
pub(crate) fn is_alike(client: &Client, other: &Client) -> bool {
    let leveled = Client {
        created_at: other.created_at,
        updated_at: other.updated_at,
        last_login: other.last_login,
        revision: other.revision,
        ..client.clone()
    };
    leveled == *other
}

impl fmt::Debug for CrudClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the URL: it may hold a password.
        f.debug_struct("CrudClients").finish_non_exhaustive()
    }
}

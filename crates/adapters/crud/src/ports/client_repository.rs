//! [`ClientRepository`] on a collection.

use async_trait::async_trait;
use domain::port::{ClientRepository, InsertClientError, UpdateClientError};
use domain::{Client, ClientId, ClientState, Fault, Revision};
use serde_json::Value;

use crate::collection::{Reply, Request, object};
use crate::document::{field, fields};
use crate::mishap::Mishap;
use crate::schema::Culprit;
use crate::{CrudClients, moment};

#[async_trait]
impl ClientRepository for CrudClients {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Fault> {
        self.within(async { Ok(self.read(id).await?.map(|stored| stored.client)) }).await
    }

    /// A client of state `PUBLIC` gets the state in which the collection lets its documents start.
    /// Any other state goes with the document, so that the client is never in another.
    async fn insert(&self, client: &Client) -> Result<(), InsertClientError> {
        self.within(self.add(client)).await
    }

    async fn update(&self, client: &Client, expected: Revision) -> Result<(), UpdateClientError> {
        self.within(async {
            let stored = self.read(&client.id).await?.ok_or(UpdateClientError::Unknown)?;
            if stored.client.revision != expected {
                return Err(UpdateClientError::Conflict);
            }
            self.replace(&stored, client).await
        })
        .await
    }

    async fn remove(&self, id: &ClientId) -> Result<bool, Fault> {
        self.within(async {
            let Some(stored) = self.read(id).await? else { return Ok(false) };
            let answer = self.collection.ask(&Request::delete(&stored.object_id)).await?;
            match answer.reply {
                // It was there a moment ago: if we asked twice, it went the first time.
                Reply::Absent => Ok(answer.is_repeated),
                reply @ (Reply::Done(_) | Reply::Refused | Reply::Taken) => {
                    reply.done("the end of a client")?;
                    Ok(true)
                }
            }
        })
        .await
    }
}

impl CrudClients {
    async fn add(&self, client: &Client) -> Result<(), InsertClientError> {
        let mut fields = fields(client);
        if let Some(at) = client.last_login {
            fields.insert(field::LAST_LOGIN.to_owned(), moment::written(at).into());
        }
        if client.state != ClientState::Public {
            fields.insert(field::STATE.to_owned(), client.state.name().into());
        }
        let mut may_leave_out = true;
        loop {
            self.schema.fit(&mut fields);
            let request = Request::insert(&Value::Object(fields.clone()));
            match self.collection.ask(&request).await.map_err(Fault::from)?.reply {
                Reply::Taken => return Err(InsertClientError::AlreadyExists),
                Reply::Refused => match self.schema.culprit(&self.collection, &fields).await? {
                    Culprit::Dispensable if may_leave_out => may_leave_out = false,
                    Culprit::Field(name) => {
                        let member = field::member(&name).to_owned();
                        return Err(InsertClientError::Refused { member });
                    }
                    Culprit::Dispensable | Culprit::Nobody => {
                        return Err(Fault::from(Mishap::Refused { what: "a new client" }).into());
                    }
                },
                reply @ (Reply::Done(_) | Reply::Absent) => {
                    let body = reply.done("a new client").map_err(Fault::from)?;
                    self.schema.has_all(&fields);
                    return named(&body).map_err(|mishap| Fault::from(mishap).into());
                }
            }
        }
    }
}

/// Only an answer that names the new document says that there is one.
fn named(body: &[u8]) -> Result<(), Mishap> {
    match object(body)?.get(field::OBJECT_ID) {
        Some(Value::String(_)) => Ok(()),
        Some(_) | None => Err(Mishap::Unreadable { expected: "the id of a document" }),
    }
}

//! [`ClientDirectory`] on a collection.

use async_trait::async_trait;
use domain::port::{ClientDirectory, ClientPage, ClientQuery};
use domain::{Client, ClientId, ClientName, Fault};
use serde_json::{Value, json};

use crate::CrudClients;
use crate::collection::{Request, documents};
use crate::document::{Stored, field};
use crate::mishap::Mishap;

/// The most documents that the service answers with.
const MAX_DOCUMENTS: usize = 200;

#[async_trait]
impl ClientDirectory for CrudClients {
    async fn page(&self, query: &ClientQuery) -> Result<ClientPage, Fault> {
        if query.search.as_deref().is_some_and(matches_nothing) {
            return Ok(ClientPage { clients: Vec::new(), has_more: false });
        }
        self.within(self.clients(query)).await
    }
}

impl CrudClients {
    async fn clients(&self, query: &ClientQuery) -> Result<ClientPage, Fault> {
        let mut clients: Vec<Client> = Vec::new();
        // One more than asked for tells whether there is more.
        let wanted = query.limit.saturating_add(1);
        let mut after = query.after.clone();
        loop {
            let limit = MAX_DOCUMENTS.min(wanted - clients.len());
            let found = self.piece(after.as_ref(), limit, query.search.as_deref()).await?;
            let is_last = found.len() < limit;
            for client in found {
                // Otherwise we might never come to an end.
                if after.as_ref().is_some_and(|after| client.id <= *after) {
                    return Err(Mishap::Another.into());
                }
                after = Some(client.id.clone());
                clients.push(client);
            }
            if is_last || wanted <= clients.len() {
                break;
            }
        }
        let has_more = query.limit < clients.len();
        clients.truncate(query.limit);
        Ok(ClientPage { clients, has_more })
    }

    async fn piece(
        &self,
        after: Option<&ClientId>,
        limit: usize,
        search: Option<&str>,
    ) -> Result<Vec<Client>, Fault> {
        // Every id follows the empty text, and nothing that is no text does.
        let after = after.map_or("", ClientId::as_str);
        let mut condition = json!({field::CLIENT_ID: {"$gt": after}});
        if let (Some(search), Value::Object(condition)) = (search, &mut condition) {
            let holds_it = json!({"$regex": pattern(search)});
            let either = json!([{field::CLIENT_ID: holds_it}, {field::NAME: holds_it}]);
            condition.insert("$or".to_owned(), either);
        }
        let request = Request::list()
            .with("_q", condition.to_string())
            .with("_s", field::CLIENT_ID)
            .with("_l", limit.to_string());
        let answer = self.collection.ask(&request).await?;
        let found = documents(&answer.reply.done("a search for clients")?)?;
        let client = |document| Ok(Stored::try_from(document)?.client);
        found.into_iter().map(client).collect()
    }
}

/// Whether no id and no name can hold `search`.
fn matches_nothing(search: &str) -> bool {
    ClientId::MAX_BYTES.max(ClientName::MAX_BYTES) < search.len()
        || search.contains(char::is_control)
}

/// A regular expression for texts that hold `search`: each character means itself, and letters of
/// ASCII mean both of their cases. (The option `i` would level the letters of all languages.)
fn pattern(search: &str) -> String {
    let mut pattern = String::with_capacity(search.len() * 4);
    for character in search.chars() {
        if character.is_ascii_alphabetic() {
            let (lower, upper) = (character.to_ascii_lowercase(), character.to_ascii_uppercase());
            pattern.extend(['[', lower, upper, ']']);
        } else if character.is_ascii_punctuation() {
            pattern.extend(['\\', character]);
        } else {
            pattern.push(character);
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_a_search_means_itself() {
        assert_eq!(pattern("aZ 0É"), "[aA][zZ] 0É");
        assert_eq!(pattern(r".*\Q_/"), r"\.\*\\[qQ]\_\/");
        assert_eq!(pattern(""), "");
    }

    #[test]
    fn what_no_client_can_hold_is_not_looked_for() {
        assert!(matches_nothing("nul\0"));
        assert!(matches_nothing(&"a".repeat(256)));
        assert!(!matches_nothing(&"a".repeat(255)));
    }
}

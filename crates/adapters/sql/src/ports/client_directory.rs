//! [`ClientDirectory`] on a table.

use async_trait::async_trait;
use domain::port::{ClientDirectory, ClientPage, ClientQuery};
use domain::{Client, ClientId, ClientName, Fault};

use crate::rows::{ClientRow, select_clients};
use crate::{Engine, Stores};

const PAGE: &str = select_clients!("where id > $1 order by id limit $2");

// `lower` knows the letters of ASCII only: in SQLite always, in PostgreSQL because of the
// collation of the columns.
const SEARCH: &str = select_clients!(
    r"where id > $1 and (lower(id) like $3 escape '\' or lower(name) like $3 escape '\')
    order by id limit $2"
);

#[async_trait]
impl<E: Engine> ClientDirectory for Stores<E> {
    async fn page(&self, query: &ClientQuery) -> Result<ClientPage, Fault> {
        // Every id follows the empty text.
        let after = query.after.as_ref().map_or("", ClientId::as_str);
        // One more than asked for tells whether there is more.
        let limit = i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1);
        let mut rows: Vec<ClientRow> = match query.search.as_deref() {
            None => self.engine.read(PAGE, &[after.into(), limit.into()]).await?,
            Some(search) if matches_nothing(search) => Vec::new(),
            Some(search) => {
                let pattern = pattern(search);
                let arguments = [after.into(), limit.into(), (&pattern).into()];
                self.engine.read(SEARCH, &arguments).await?
            }
        };
        let has_more = query.limit < rows.len();
        rows.truncate(query.limit);
        let clients = rows.into_iter().map(Client::try_from).collect::<Result<_, _>>()?;
        Ok(ClientPage { clients, has_more })
    }
}

/// Whether no id and no name can hold `search`; the databases refuse such patterns.
fn matches_nothing(search: &str) -> bool {
    ClientId::MAX_BYTES.max(ClientName::MAX_BYTES) < search.len()
        || search.contains(char::is_control)
}

/// The pattern of texts that hold `search`, each character of which means itself.
fn pattern(search: &str) -> String {
    let mut pattern = String::with_capacity(search.len() + 2);
    pattern.push('%');
    for character in search.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character.to_ascii_lowercase());
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_a_search_means_itself() {
        assert_eq!(pattern(r"A%b_C\É"), r"%a\%b\_c\\É%");
        assert_eq!(pattern(""), "%%");
    }

    #[test]
    fn what_no_client_can_hold_is_not_looked_for() {
        assert!(matches_nothing("nul\0"));
        assert!(matches_nothing(&"a".repeat(256)));
        assert!(!matches_nothing(&"a".repeat(255)));
    }
}

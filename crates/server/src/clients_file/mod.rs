//! A file that says what clients shall be.
//!
//! One or more YAML documents, or one of JSON, each an object with one member, `clients`: a list
//! of objects with a `client_id` and the members of a registration. Another kind of thing that
//! somebody wants to write down is another member beside `clients`.

mod yaml;

use std::collections::BTreeMap;

use app::{DesiredClient, RegistrationRules, client_problems};
use domain::{ClientId, JsonObject};
use serde_json::Value;

/// The most bytes such a file may have.
pub(crate) const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The clients of a file, and where each stands in it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ClientsFile {
    pub(crate) clients: Vec<DesiredClient>,
    /// Of each client the path, such as `clients[3]`.
    pub(crate) places: Vec<String>,
}

/// Reads a file, or says everything that is wrong with it, each line with its place.
pub(crate) fn read(text: &str, rules: &RegistrationRules) -> Result<ClientsFile, Vec<String>> {
    let documents = documents(text)?;
    let mut reader = Reader { rules, file: ClientsFile::default(), wrong: Vec::new() };
    let mut known = BTreeMap::new();
    let is_only = documents.len() < 2;
    for (number, document) in documents.into_iter().enumerate() {
        let place = if is_only { String::new() } else { format!("document {}, ", number + 1) };
        reader.document(&place, document, &mut known);
    }
    if reader.wrong.is_empty() { Ok(reader.file) } else { Err(reader.wrong) }
}

/// JSON is read by the strict reader, which knows all of it; whatever is not JSON is YAML.
fn documents(text: &str) -> Result<Vec<Value>, Vec<String>> {
    match domain::parse_object(text.as_bytes()) {
        Ok(object) => Ok(vec![Value::Object(object)]),
        Err(_) => yaml::documents(text).map_err(|error| vec![error.to_string()]),
    }
}

struct Reader<'a> {
    rules: &'a RegistrationRules,
    file: ClientsFile,
    wrong: Vec<String>,
}

impl Reader<'_> {
    fn document(&mut self, place: &str, document: Value, known: &mut BTreeMap<ClientId, String>) {
        const FORM: &str = "a document is an object with the member clients, a list";
        let mut object = match document {
            Value::Null => return,
            Value::Object(object) => object,
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                self.wrong.push(format!("{place}{FORM}"));
                return;
            }
        };
        let clients = object.remove("clients");
        for member in object.keys() {
            self.wrong.push(format!("{place}{member}: is not known here: {FORM}"));
        }
        match clients {
            Some(Value::Array(items)) => {
                for (position, item) in items.into_iter().enumerate() {
                    self.client(format!("{place}clients[{position}]"), item, known);
                }
            }
            // A list in which everything is commented out.
            Some(Value::Null) => (),
            Some(_) => self.wrong.push(format!("{place}clients: must be a list of clients")),
            None if object.is_empty() => self.wrong.push(format!("{place}{FORM}")),
            None => (),
        }
    }

    fn client(&mut self, place: String, item: Value, known: &mut BTreeMap<ClientId, String>) {
        let Value::Object(mut members) = item else {
            self.wrong.push(format!("{place}: must be an object with a client_id and members"));
            return;
        };
        let client = self.client_id(&place, &mut members, known);
        if members.remove("client_secret").is_some() {
            self.wrong.push(format!(
                "{place}.client_secret: a file may not hold secrets: leave it out (a secret is \
                 made with its client, and shown once)"
            ));
        }
        for problem in client_problems(&members, self.rules) {
            self.wrong.push(format!("{place}.{}: {}", problem.member, problem.reason));
        }
        if let Some(client) = client {
            self.file.clients.push(DesiredClient { client, members });
            self.file.places.push(place);
        }
    }

    fn client_id(
        &mut self,
        place: &str,
        members: &mut JsonObject,
        known: &mut BTreeMap<ClientId, String>,
    ) -> Option<ClientId> {
        let id = match members.remove("client_id") {
            None => Err("is required".to_owned()),
            Some(Value::String(text)) => {
                text.parse::<ClientId>().map_err(|error| error.reason.to_string())
            }
            Some(_) => Err("must be a text: put it in quotes".to_owned()),
        };
        let id = match id {
            Ok(id) => id,
            Err(reason) => {
                self.wrong.push(format!("{place}.client_id: {reason}"));
                return None;
            }
        };
        if let Some(first) = known.get(&id) {
            self.wrong.push(format!("{place}.client_id: {id} stands at {first} already"));
            return None;
        }
        known.insert(id.clone(), place.to_owned());
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::{AuthenticationMethod, SigningAlgorithm};
    use serde_json::json;

    use super::*;

    fn rules() -> RegistrationRules {
        RegistrationRules {
            key_algorithms: vec![SigningAlgorithm::Rs256],
            is_key_id_required: true,
            token_algorithms: vec![SigningAlgorithm::Rs256],
            longest_token_lifetime: Duration::from_hours(24),
            methods: AuthenticationMethod::ALL.to_vec(),
        }
    }

    fn wrong(text: &str) -> Vec<String> {
        read(text, &rules()).unwrap_err()
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        let yaml = "# ours\nclients:\n  - client_id: billing\n    client_name: Billing 📒\n    \
                    permissions: [a, 'b: c']\n    metadata: {deep: {n: 1, x: null, t: true}}\n";
        let json = r#"{"clients": [{"client_id": "billing", "client_name": "Billing \ud83d\udcd2",
            "permissions": ["a", "b: c"],
            "metadata": {"deep": {"n": 1, "x": null, "t": true}}}]}"#;

        let read_yaml = read(yaml, &rules()).unwrap();

        assert_eq!(read_yaml, read(json, &rules()).unwrap());
        assert_eq!(read_yaml.places, ["clients[0]"]);
        assert_eq!(read_yaml.clients[0].client.as_str(), "billing");
        assert_eq!(read_yaml.clients[0].members["permissions"], json!(["a", "b: c"]));
    }

    #[test]
    fn several_documents_are_one_file() {
        let text = "clients: [{client_id: a, client_name: A}]\n---\n---\nclients:\n---\n\
                    clients: [{client_id: b, client_name: B}]\n";

        let places = read(text, &rules()).unwrap().places;

        assert_eq!(places, ["document 1, clients[0]", "document 4, clients[0]"]);
        assert_eq!(read("", &rules()).unwrap(), ClientsFile::default());
    }

    #[test]
    fn every_mistake_is_told_at_once_with_its_place_and_its_mend() {
        let text = "
clients:
  - client_id: a
    client_name: A
    scope: 'x  y'
    default_scope: x
    permissions: all
    colour: red
  - client_name: nobody
  - client_id: 7
    client_name: B
  - client_id: a
    client_name: again
  - client_id: 'c d'
  - just a text
  - client_id: e
    client_name: E
    client_secret: hunter2
    token_endpoint_auth_method: private_key_jwt
resources: []
";
        let wrong = wrong(text);

        let starts = [
            "resources: is not known here",
            "clients[0].permissions: must be an array",
            "clients[0].scope: ",
            "clients[0].colour: is not a member of a client",
            "clients[1].client_id: is required",
            "clients[2].client_id: must be a text",
            "clients[3].client_id: a stands at clients[0] already",
            "clients[4].client_id: may hold visible ASCII",
            "clients[4].client_name: is required",
            "clients[5]: must be an object",
            "clients[6].client_secret: a file may not hold secrets",
            "clients[6].public_key: is required",
        ];
        for start in starts {
            assert!(wrong.iter().any(|it| it.starts_with(start)), "{start}: {wrong:#?}");
        }
        assert_eq!(wrong.len(), starts.len(), "{wrong:#?}");
        assert!(!wrong.concat().contains("hunter2"));
    }

    #[test]
    fn what_is_no_file_of_clients_is_refused() {
        for text in ["[]", "a text", "42", "{}", "clients: a", "clients: {}", "Clients: []"] {
            assert!(!wrong(text).is_empty(), "{text}");
        }
    }
}

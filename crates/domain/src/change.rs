//! What one node tells the others.

use crate::{ClientId, TokenId};

/// Something that a node may remember, and that is no longer so.
///
/// It says what to look at again, not what is there now: told twice, or late, it does no harm.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A client was made, changed, disabled or deleted.
    Client(ClientId),
    /// A client's secrets were changed.
    Secrets(ClientId),
    /// A token was taken back.
    Token(TokenId),
    /// A client's tokens were taken back.
    Tokens(ClientId),
    /// The signing keys were changed.
    Keys,
    /// What is registered was changed: capabilities, scopes or resources.
    Catalogue,
    /// Something was changed, and nobody knows what: it may be anything.
    Unknown,
}

impl Change {
    /// One text for each change, for feeds that carry texts.
    #[must_use]
    pub fn encoded(&self) -> String {
        match self {
            Self::Client(id) => format!("client:{id}"),
            Self::Secrets(id) => format!("secrets:{id}"),
            Self::Token(id) => format!("token:{}", id.as_str()),
            Self::Tokens(id) => format!("tokens:{id}"),
            Self::Keys => "keys".to_owned(),
            Self::Catalogue => "catalogue".to_owned(),
            Self::Unknown => "unknown".to_owned(),
        }
    }

    /// The change that `text` stands for. What a later release says, or nobody could have said,
    /// may be anything: [`Change::Unknown`].
    #[must_use]
    pub fn decoded(text: &str) -> Self {
        let told = match text.split_once(':') {
            Some(("client", id)) => id.parse().map(Self::Client).ok(),
            Some(("secrets", id)) => id.parse().map(Self::Secrets).ok(),
            Some(("token", id)) => id.parse().map(Self::Token).ok(),
            Some(("tokens", id)) => id.parse().map(Self::Tokens).ok(),
            None if text == "keys" => Some(Self::Keys),
            None if text == "catalogue" => Some(Self::Catalogue),
            Some(_) | None => None,
        };
        told.unwrap_or(Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_reads_back() {
        let client: ClientId = "a:b'\"%".parse().unwrap();
        let token: TokenId = "é:1".parse().unwrap();
        for change in [
            Change::Client(client.clone()),
            Change::Secrets(client.clone()),
            Change::Token(token),
            Change::Tokens(client),
            Change::Keys,
            Change::Catalogue,
            Change::Unknown,
        ] {
            assert_eq!(Change::decoded(&change.encoded()), change);
        }
    }

    #[test]
    fn what_nobody_said_may_be_anything() {
        for text in ["", "client:", "client:\u{0}", "keys:", "catalogue:", "resource:a", "nonsense"]
        {
            assert_eq!(Change::decoded(text), Change::Unknown, "{text}");
        }
    }
}

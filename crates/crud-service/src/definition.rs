//! What a collection holds: its fields, their kinds, and the state in which a document starts.

use crate::State;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A number.
    Number,
    /// A moment, ISO 8601 on the wire.
    Date,
    /// An array of texts.
    Texts,
    /// An object, whatever is in it.
    Object,
    /// An array of objects.
    Objects,
}

/// A field of a collection.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) is_required: bool,
    pub(crate) is_nullable: bool,
}

/// What a collection holds.
#[derive(Clone, Debug)]
pub struct Definition {
    fields: Vec<Field>,
    pub(crate) default_state: State,
}

impl Definition {
    /// The collection of clients as the vendor publishes it.
    #[must_use]
    pub fn published() -> Self {
        let definition = Self { fields: Vec::new(), default_state: State::Draft };
        definition
            .with("name", Kind::Text)
            .with("clientId", Kind::Text)
            .with("authMethod", Kind::Text)
            .with("publicKey", Kind::Object)
            .with("permissions", Kind::Texts)
            .with("audience", Kind::Texts)
            .with("allowedCustomClaims", Kind::Texts)
            .requiring("name")
            .requiring("clientId")
            .allowing_null("allowedCustomClaims")
    }

    /// The collection of clients with every field that a client of Tokenwright can have.
    #[must_use]
    pub fn extended() -> Self {
        Self::published()
            .with("publicKeys", Kind::Objects)
            .with("lastLogin", Kind::Date)
            .with("settings", Kind::Object)
            .with("metadata", Kind::Object)
            .with("scope", Kind::Text)
            .with("capabilities", Kind::Texts)
            .with("client_uri", Kind::Text)
            .with("contacts", Kind::Texts)
            .with("logo_uri", Kind::Text)
            .with("policy_uri", Kind::Text)
            .with("software_id", Kind::Text)
            .with("software_version", Kind::Text)
            .with("tos_uri", Kind::Text)
            .with("clientIdIssuedAt", Kind::Date)
            .with("clientUpdatedAt", Kind::Date)
            .with("revision", Kind::Number)
    }

    /// With one more field, which is optional and never null.
    #[must_use]
    pub fn with(mut self, name: &str, kind: Kind) -> Self {
        let field = Field { name: name.to_owned(), kind, is_required: false, is_nullable: false };
        self.fields.push(field);
        self
    }

    /// Without a field.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|field| field.name != name);
        self
    }

    /// With another state in which a document starts than `DRAFT`.
    #[must_use]
    pub fn starting_in(mut self, state: State) -> Self {
        self.default_state = state;
        self
    }

    fn requiring(mut self, name: &str) -> Self {
        self.change(name, |field| field.is_required = true);
        self
    }

    fn allowing_null(mut self, name: &str) -> Self {
        self.change(name, |field| field.is_nullable = true);
        self
    }

    fn change(&mut self, name: &str, change: impl Fn(&mut Field)) {
        self.fields.iter_mut().filter(|field| field.name == name).for_each(change);
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    pub(crate) fn required(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(|field| field.is_required).map(|field| field.name.as_str())
    }
}

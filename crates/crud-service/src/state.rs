//! The states of a document.

use std::str::FromStr;

/// The state of a document (`__STATE__`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In use.
    Public,
    /// Not yet in use.
    Draft,
    /// Thrown away; it can come back.
    Trash,
    /// Deleted, the document kept.
    Deleted,
}

impl State {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "PUBLIC",
            Self::Draft => "DRAFT",
            Self::Trash => "TRASH",
            Self::Deleted => "DELETED",
        }
    }

    /// The states from which a document may come into this one.
    #[must_use]
    pub const fn origins(self) -> &'static [Self] {
        match self {
            Self::Public => &[Self::Draft],
            Self::Draft | Self::Deleted => &[Self::Trash],
            Self::Trash => &[Self::Public, Self::Draft, Self::Deleted],
        }
    }
}

/// No state has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownState;

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(name: &str) -> Result<Self, UnknownState> {
        [Self::Public, Self::Draft, Self::Trash, Self::Deleted]
            .into_iter()
            .find(|it| it.name() == name)
            .ok_or(UnknownState)
    }
}

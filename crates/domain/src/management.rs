//! Who may manage what.

use crate::Scope;

/// Something an operator does, named as the scope value that allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ManagementRight {
    /// See clients and what is known of their secrets.
    ReadClients,
    /// Make, change, disable and delete clients; add and revoke secrets.
    WriteClients,
    /// See the signing keys: what each is called and what it is doing, never the key.
    ReadKeys,
    /// Let signing keys take turns, and revoke them.
    WriteKeys,
    /// See which capabilities are on, and which scopes and resources are registered.
    ReadCatalogue,
    /// Turn capabilities on and off; register and remove scopes and resources.
    WriteCatalogue,
}

impl ManagementRight {
    /// Every right. A token with the scope value of a right may use it: none of these values can
    /// be registered by a client for itself.
    pub const ALL: [Self; 6] = [
        Self::ReadClients,
        Self::WriteClients,
        Self::ReadKeys,
        Self::WriteKeys,
        Self::ReadCatalogue,
        Self::WriteCatalogue,
    ];

    /// The scope value that allows it.
    #[must_use]
    pub const fn scope_value(self) -> &'static str {
        match self {
            Self::ReadClients => "clients:read",
            Self::WriteClients => "clients:write",
            Self::ReadKeys => "keys:read",
            Self::WriteKeys => "keys:write",
            Self::ReadCatalogue => "catalogue:read",
            Self::WriteCatalogue => "catalogue:write",
        }
    }

    /// Whether `scope` allows it. Writing needs no right to read, nor the other way round.
    #[must_use]
    pub fn is_allowed_by(self, scope: &Scope) -> bool {
        scope.contains(self.scope_value())
    }
}

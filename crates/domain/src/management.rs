//! Who may manage what.

use crate::{Client, Scope};

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

/// How much somebody may do to clients, beyond the right to change any at all.
///
/// Without such a bound, the right to change clients would be every right: whoever has it could give
/// another one to a client, or a secret to a client that has it, and act as that client (threat T47).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mandate {
    /// Everything: the operator, who has the management token or the machine itself.
    Unlimited,
    /// What this scope allows.
    Scope(Scope),
}

/// A change of a client that has, or would get, a right which whoever makes the change lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the token lacks the scope {}, which the client has or would get: nobody manages a client that \
     may do more than they may",
    .0.scope_value()
)]
pub struct MandateExceeded(pub ManagementRight);

impl Mandate {
    /// Whether a client may be made (`before` is `None`), deleted (`after` is `None`) or changed in
    /// any way, its secrets included.
    ///
    /// # Errors
    ///
    /// [`MandateExceeded`], with the first right that is lacking.
    pub fn check(
        &self,
        before: Option<&Client>,
        after: Option<&Client>,
    ) -> Result<(), MandateExceeded> {
        let own = match self {
            Self::Unlimited => return Ok(()),
            Self::Scope(scope) => scope,
        };
        let is_touched = |right: &ManagementRight| {
            [before, after].into_iter().flatten().any(|it| right.is_allowed_by(&it.scope))
        };
        let lacking = |right: &ManagementRight| is_touched(right) && !right.is_allowed_by(own);
        match ManagementRight::ALL.into_iter().find(lacking) {
            None => Ok(()),
            Some(right) => Err(MandateExceeded(right)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClientState;
    use crate::grant::tests::client;

    fn with_scope(scope: &str) -> Client {
        let scope = if scope.is_empty() { Scope::default() } else { scope.parse().unwrap() };
        Client { scope, ..client() }
    }

    #[test]
    fn t47_nobody_manages_a_client_that_may_do_more_than_they_may() {
        let mandate = Mandate::Scope("clients:write keys:read other".parse().unwrap());
        let (harmless, alike, more) = (
            with_scope("orders:read"),
            with_scope("clients:write keys:read"),
            with_scope("orders:read keys:write"),
        );

        for fine in [&harmless, &alike] {
            assert_eq!(mandate.check(Some(fine), Some(&harmless)), Ok(()));
            assert_eq!(mandate.check(None, Some(fine)), Ok(()));
            assert_eq!(mandate.check(Some(fine), None), Ok(()));
        }
        let refused = Err(MandateExceeded(ManagementRight::WriteKeys));
        // It is given, it is there, it is taken away.
        assert_eq!(mandate.check(None, Some(&more)), refused);
        assert_eq!(mandate.check(Some(&harmless), Some(&more)), refused);
        assert_eq!(mandate.check(Some(&more), Some(&more)), refused);
        assert_eq!(mandate.check(Some(&more), Some(&harmless)), refused);
        assert_eq!(mandate.check(Some(&more), None), refused);
        assert_eq!(Mandate::Unlimited.check(Some(&more), None), Ok(()));
    }

    #[test]
    fn every_right_is_bounded() {
        let nothing = Mandate::Scope(Scope::default());
        for right in ManagementRight::ALL {
            let holder = with_scope(right.scope_value());
            assert_eq!(nothing.check(Some(&holder), None), Err(MandateExceeded(right)));
            let own = Mandate::Scope(right.scope_value().parse().unwrap());
            assert_eq!(own.check(Some(&holder), None), Ok(()));
        }
    }

    #[test]
    fn t47_a_client_that_is_disabled_or_manages_the_server_does_not_manage_itself() {
        let own = |scope: &str, state| {
            let mut client = Client { state, ..with_scope(scope) };
            client.settings.registration_token = Some(crate::TokenDigest([7; 32]));
            let is_self_managed = client.is_self_managed();
            client.end_lapsed_self_management();
            assert_eq!(client.settings.registration_token.is_some(), is_self_managed);
            is_self_managed
        };
        assert!(own("orders:read", ClientState::Public));
        // One that waits for an operator's approval.
        assert!(own("", ClientState::Draft));
        assert!(!own("", ClientState::Trash));
        assert!(!own("", ClientState::Deleted));
        for right in ManagementRight::ALL {
            assert!(!own(right.scope_value(), ClientState::Public));
        }
        assert!(!client().is_self_managed());
    }
}

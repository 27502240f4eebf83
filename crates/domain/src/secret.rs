//! The secret a client proves it knows.

use secrecy::{ExposeSecret as _, SecretString};

/// A secret as presented by a client, or as made for one.
///
/// It cannot be printed, compared or serialised; it is wiped on drop.
///
/// ```compile_fail,E0277
/// let secret = domain::ClientSecret::new("hunter2".to_owned());
/// println!("{secret}");
/// ```
#[derive(Clone, Debug)]
pub struct ClientSecret(SecretString);

impl ClientSecret {
    /// The most bytes a presented secret may have. Longer ones are refused before any hash is
    /// computed, so that nobody can buy our time with a long one.
    pub const MAX_BYTES: usize = 1024;

    /// Takes ownership of a secret.
    #[must_use]
    pub fn new(raw: String) -> Self {
        Self(raw.into())
    }

    /// The bytes to verify, or to hand out once.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether it is longer than any secret may be.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        Self::MAX_BYTES < self.expose().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_not_betray_itself_in_a_debug_log() {
        let secret = ClientSecret::new("hunter2".to_owned());
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}

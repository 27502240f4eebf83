//! Notes of who was here, taken without waiting.

use crate::{Login, SecretUse};

/// Notes of who was here, taken without waiting: they are written behind, coalesced, and a note
/// may be lost in a crash.
pub trait LastUse: Send + Sync {
    /// A client was given a token.
    fn note_login(&self, login: Login);

    /// A secret verified.
    fn note_secret(&self, secret_use: SecretUse);
}

//! What is known, and where it comes from.

/// What is known, and whether it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known<T> {
    /// What is known.
    pub value: T,
    /// Whether it is remembered, rather than what the store said just now.
    pub is_remembered: bool,
}

impl<T> Known<T> {
    /// What the store said just now.
    pub const fn read(value: T) -> Self {
        Self { value, is_remembered: false }
    }
}

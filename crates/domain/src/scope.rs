//! What a token allows (RFC 6749 section 3.3).

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// One value of a scope: `1*NQCHAR` of RFC 6749 appendix A.4.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeToken(Box<str>);

/// A set of scope values.
///
/// The *grammar* never yields an empty set, yet the *type* may be empty: a set
/// that is closed under intersection is worth more than one that is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope(BTreeSet<ScopeToken>);

/// Why a text is not a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScope {
    /// It does not match the grammar.
    #[error("scope does not match scope-token *( SP scope-token ) of RFC 6749 section 3.3")]
    Malformed,
    /// It lists more values than anybody needs.
    #[error("scope lists more than {} values", Scope::MAX_TOKENS)]
    TooMany,
}

impl Scope {
    /// The most values one scope may list.
    pub const MAX_TOKENS: usize = 256;

    /// Whether every value of `self` is also in `other`.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// Whether the set holds nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the set holds `value`.
    #[must_use]
    pub fn contains(&self, value: &str) -> bool {
        self.0.contains(value)
    }

    /// The values of this set that `is_kept` says yes to.
    #[must_use]
    pub fn only(&self, is_kept: impl Fn(&str) -> bool) -> Self {
        self.0.iter().filter(|token| is_kept(token.as_str())).cloned().collect()
    }

    /// How many values the set holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The values, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|token| &*token.0)
    }
}

impl ScopeToken {
    /// The value as it travels on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Values compare and sort byte by byte, as their texts do.
impl Borrow<str> for ScopeToken {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for ScopeToken {
    type Err = InvalidScope;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let is_nqchar = |byte| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        if raw.is_empty() || !raw.bytes().all(is_nqchar) {
            return Err(InvalidScope::Malformed);
        }
        Ok(Self(raw.into()))
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let mut tokens = BTreeSet::new();
        for (index, token) in raw.split(' ').enumerate() {
            if Self::MAX_TOKENS <= index {
                return Err(InvalidScope::TooMany);
            }
            tokens.insert(token.parse()?);
        }
        Ok(Self(tokens))
    }
}

impl FromIterator<ScopeToken> for Scope {
    fn from_iter<I: IntoIterator<Item = ScopeToken>>(tokens: I) -> Self {
        Self(tokens.into_iter().collect())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, token) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(f, "{separator}{}", token.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rejects_what_the_grammar_rejects() {
        for raw in ["", " a", "a ", "a  b", "a\tb", "\"", "\\", "é"] {
            assert_eq!(raw.parse::<Scope>(), Err(InvalidScope::Malformed), "{raw:?}");
        }
    }

    #[test]
    fn t30_a_scope_bomb_is_refused_before_it_is_built() {
        let bomb = vec!["a"; 100_000].join(" ");
        assert_eq!(bomb.parse::<Scope>(), Err(InvalidScope::TooMany));
    }

    proptest! {
        #[test]
        fn survives_a_round_trip(raw in "[!#-\\[\\]-~]{1,9}( [!#-\\[\\]-~]{1,9}){0,4}") {
            let scope: Scope = raw.parse().unwrap();
            prop_assert_eq!(scope.to_string().parse(), Ok(scope));
        }

        #[test]
        fn never_panics(raw in ".*") {
            let _ = raw.parse::<Scope>();
        }
    }
}

//! Why a caller with a token, or with credentials for one, does not get in.

use domain::gateway::{Denial, NoCredentials, TokenFlaw};

use super::client_credentials::{Refused, refused};
use super::provider::{ProviderOut, Unverified};

/// Why a caller is not let in, and whether a challenge names an error (RFC 6750 section 3.1: not
/// where nothing was brought along).
pub(super) struct Rejected {
    pub(super) refused: Refused,
    pub(super) error: Option<&'static str>,
    /// It is the provider's own token that is not good: another one may be.
    pub(super) is_about_the_token: bool,
}

impl Rejected {
    pub(super) fn of_caller(missing: NoCredentials) -> Self {
        let rejected = Self::from(refused(Denial::Unauthenticated, &missing));
        match missing {
            NoCredentials::Absent => Self { error: None, ..rejected },
            NoCredentials::Malformed => rejected,
        }
    }

    pub(super) fn of_token(refused: Refused) -> Self {
        let is_about_the_token = refused.denial == Denial::BadGateway;
        Self { is_about_the_token, ..refused.into() }
    }
}

impl From<Refused> for Rejected {
    fn from(refused: Refused) -> Self {
        let error = match refused.denial {
            Denial::Unauthenticated => Some("invalid_token"),
            Denial::Forbidden => Some("insufficient_scope"),
            Denial::Unfit
            | Denial::BadGateway
            | Denial::Unavailable { .. }
            | Denial::Late
            | Denial::Internal => None,
        };
        Self { refused, error, is_about_the_token: false }
    }
}

impl From<ProviderOut> for Rejected {
    fn from(out: ProviderOut) -> Self {
        refused(Denial::unavailable(None), &out).into()
    }
}

/// What is wrong with the token itself comes down to `bad`.
pub(super) fn flawed(flaw: &TokenFlaw, bad: Denial) -> Refused {
    refused(if flaw.is_about_rights() { Denial::Forbidden } else { bad }, flaw)
}

/// A signature that does not count comes down to `bad`, if anybody knows that it does not.
pub(super) fn unverified(why: &Unverified, bad: Denial) -> Refused {
    match why {
        Unverified::NotSigned | Unverified::AnotherKind => refused(bad, why),
        Unverified::Out(_) => refused(Denial::unavailable(None), why),
    }
}

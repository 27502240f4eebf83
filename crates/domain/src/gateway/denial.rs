//! What a refusal comes down to, and the tables of what each failure means.

use std::time::Duration;

use super::fetch::FetchFailure;
use crate::Fault;

/// What a refusal comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The caller did not prove who it is.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// What would be handed upstream cannot be.
    Unfit,
    /// The server that we asked failed us, or refuses us.
    BadGateway,
    /// Later it may work.
    Unavailable {
        /// When to try again. An answer always says so.
        retry_after: Duration,
    },
    /// The server that we asked did not answer in time.
    Late,
    /// We failed.
    Internal,
}

/// Who has to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The caller: nothing for an operator to do.
    Caller,
    /// Whoever configured the gateway or the server that it asks: an error in the log.
    Configuration,
    /// The server that we asked, or the way to it: a warning in the log.
    Server,
}

/// The longest that a server may send callers away for, and what they are told if it says nothing.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const USUAL_PAUSE: Duration = Duration::from_secs(5);

impl Denial {
    /// Later it may work: after `wanted`, within bounds.
    #[must_use]
    pub fn unavailable(wanted: Option<Duration>) -> Self {
        let retry_after = wanted.unwrap_or(USUAL_PAUSE);
        Self::Unavailable { retry_after: retry_after.clamp(Duration::from_secs(1), LONGEST_PAUSE) }
    }

    /// The status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::Unfit | Self::Internal => 500,
            Self::BadGateway => 502,
            Self::Unavailable { .. } => 503,
            Self::Late => 504,
        }
    }

    /// What the caller reads: it says nothing of the cause.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Unauthenticated => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::Unfit | Self::Internal => "Internal Server Error",
            Self::BadGateway => "Bad Gateway",
            Self::Unavailable { .. } => "Service Unavailable",
            Self::Late => "Gateway Timeout",
        }
    }

    /// Who has to mend it, if no more is known.
    #[must_use]
    pub const fn blame(self) -> Blame {
        match self {
            Self::Unauthenticated | Self::Forbidden => Blame::Caller,
            Self::Unfit | Self::BadGateway | Self::Internal => Blame::Configuration,
            Self::Unavailable { .. } | Self::Late => Blame::Server,
        }
    }

    /// What a store or a source that is out means for a request: nobody gets in.
    #[must_use]
    pub fn of_fault(fault: &Fault) -> Self {
        if fault.is_passing() { Self::unavailable(None) } else { Self::Internal }
    }

    /// `oauth_client_credentials`: what a failed fetch means where `whose` credentials were sent.
    #[must_use]
    pub fn of_exchange(failure: &FetchFailure, whose: Whose) -> Self {
        match (failure, whose) {
            (FetchFailure::Refused(_), Whose::Caller) => Self::Unauthenticated,
            (FetchFailure::Refused(_), Whose::Gateway)
            | (
                FetchFailure::Misconfigured(_)
                | FetchFailure::Failing { .. }
                | FetchFailure::Unreachable(_)
                | FetchFailure::Unusable(_),
                _,
            ) => Self::BadGateway,
            (FetchFailure::Throttled { retry_after }, _) => Self::unavailable(*retry_after),
            (FetchFailure::Late, _) => Self::Late,
            (FetchFailure::Fault(fault), _) => Self::of_fault(fault),
        }
    }

    /// `openid_connect`: what a failed fetch with the caller's credentials means.
    #[must_use]
    pub fn of_login(failure: &FetchFailure) -> Self {
        match failure {
            // Of the answers with 400 only these two are about the credentials.
            FetchFailure::Refused(refusal)
                if refusal.status != 400
                    || refusal.is("invalid_client")
                    || refusal.is("invalid_grant") =>
            {
                Self::Unauthenticated
            }
            FetchFailure::Refused(_)
            | FetchFailure::Misconfigured(_)
            | FetchFailure::Unusable(_) => Self::BadGateway,
            FetchFailure::Throttled { retry_after } | FetchFailure::Failing { retry_after, .. } => {
                Self::unavailable(*retry_after)
            }
            FetchFailure::Unreachable(_) | FetchFailure::Late => Self::unavailable(None),
            FetchFailure::Fault(fault) => Self::of_fault(fault),
        }
    }

    /// What a failed introspection means, which we ask for with credentials of our own.
    #[must_use]
    pub fn of_introspection(failure: &FetchFailure) -> Self {
        match failure {
            FetchFailure::Refused(_)
            | FetchFailure::Misconfigured(_)
            | FetchFailure::Unusable(_) => Self::BadGateway,
            FetchFailure::Throttled { .. }
            | FetchFailure::Failing { .. }
            | FetchFailure::Unreachable(_)
            | FetchFailure::Late
            | FetchFailure::Fault(_) => Self::of_login(failure),
        }
    }
}

impl Blame {
    /// Who has to mend what a server failed with, if it comes down to `denial`.
    #[must_use]
    pub fn of_failure(failure: &FetchFailure, denial: Denial) -> Self {
        match failure {
            FetchFailure::Refused(_) => denial.blame(),
            FetchFailure::Throttled { .. }
            | FetchFailure::Failing { .. }
            | FetchFailure::Unreachable(_)
            | FetchFailure::Late => Self::Server,
            FetchFailure::Fault(fault) if fault.is_passing() => Self::Server,
            FetchFailure::Misconfigured(_) | FetchFailure::Unusable(_) | FetchFailure::Fault(_) => {
                Self::Configuration
            }
        }
    }
}

/// Whose credentials were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The caller's (application mode).
    Caller,
    /// Those of the gateway (gateway mode): a refusal is not the caller's fault.
    Gateway,
}

#[cfg(test)]
mod tests {
    use super::super::fetch::ServerRefusal;
    use super::*;

    fn every_failure() -> Vec<FetchFailure> {
        let refused = |status, code| ServerRefusal::new(status, code).classified();
        let ten = Some(Duration::from_secs(10));
        vec![
            refused(401, None),
            refused(401, Some("invalid_client")),
            refused(400, Some("invalid_client")),
            refused(400, Some("invalid_grant")),
            refused(400, Some("unauthorized_client")),
            refused(403, None),
            refused(404, None),
            refused(400, Some("invalid_scope")),
            refused(400, Some("invalid_target")),
            refused(400, Some("invalid_request")),
            FetchFailure::Throttled { retry_after: ten },
            FetchFailure::Throttled { retry_after: None },
            FetchFailure::Failing { status: 500, retry_after: None },
            FetchFailure::Failing { status: 503, retry_after: ten },
            FetchFailure::Unreachable("reset".into()),
            FetchFailure::Late,
            FetchFailure::Unusable("no token"),
            FetchFailure::Fault(Fault::unavailable("out")),
            FetchFailure::Fault(Fault::corrupt("broken")),
        ]
    }

    #[test]
    fn the_tables_of_the_policies_are_these() {
        let row = |it: &FetchFailure| {
            [
                Denial::of_exchange(it, Whose::Caller),
                Denial::of_exchange(it, Whose::Gateway),
                Denial::of_login(it),
                Denial::of_introspection(it),
            ]
            .map(Denial::status)
        };

        let table: Vec<[u16; 4]> = every_failure().iter().map(row).collect();

        assert_eq!(
            table,
            [
                // application mode, gateway mode, openid_connect, introspection
                [401, 502, 401, 502], // 401
                [401, 502, 401, 502], // 401 invalid_client
                [401, 502, 401, 502], // 400 invalid_client
                [401, 502, 401, 502], // 400 invalid_grant
                [401, 502, 502, 502], // 400 unauthorized_client
                [401, 502, 401, 502], // 403
                [401, 502, 401, 502], // 404
                [502, 502, 502, 502], // 400 invalid_scope
                [502, 502, 502, 502], // 400 invalid_target
                [502, 502, 502, 502], // 400 invalid_request
                [503, 503, 503, 503], // 429
                [503, 503, 503, 503], // 429 without Retry-After
                [502, 502, 503, 503], // 500
                [502, 502, 503, 503], // 503
                [502, 502, 503, 503], // reset, TLS
                [504, 504, 503, 503], // timeout
                [502, 502, 502, 502], // 200 without a token
                [503, 503, 503, 503], // a store of ours
                [500, 500, 500, 500],
            ]
        );
    }

    #[test]
    fn an_outage_is_a_warning_and_a_wrong_configuration_an_error() {
        let blamed = |failure: &FetchFailure, whose| {
            Blame::of_failure(failure, Denial::of_exchange(failure, whose))
        };
        let refused = ServerRefusal::new(401, None).classified();

        assert_eq!(blamed(&refused, Whose::Caller), Blame::Caller);
        assert_eq!(blamed(&refused, Whose::Gateway), Blame::Configuration);
        let failing = FetchFailure::Failing { status: 500, retry_after: None };
        assert_eq!(blamed(&failing, Whose::Gateway), Blame::Server);
        assert_eq!(blamed(&FetchFailure::Unusable("x"), Whose::Caller), Blame::Configuration);
    }
}

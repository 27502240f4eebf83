//! What can go wrong with the CRUD service, and what that means to a use-case.

use std::error::Error;

use domain::Fault;

/// What went wrong. None of the texts holds a value of a client or a URL.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Mishap {
    /// No answer, or half of one.
    #[error("the CRUD service cannot be reached")]
    Transport(#[source] reqwest::Error),
    /// No answer in time.
    #[error("the CRUD service did not answer in time")]
    Late,
    /// The service, or what stands before it, says that it does not work.
    #[error("the CRUD service answers with status {0}")]
    Failing(u16),
    /// This is not the collection, or not for us. It is an outage like any other: nothing that we
    /// were told is wrong, and all is well again once the operator has mended it.
    #[error("the CRUD service answers with status {0}: check its base URL, and who may use it")]
    Misplaced(u16),
    /// A status that the service has no reason to give.
    #[error("the CRUD service answers with status {0}, which makes no sense here")]
    Senseless(u16),
    /// Nobody has so much to say.
    #[error("the CRUD service answers with more than {max_bytes} bytes")]
    TooLarge {
        /// The most bytes that are read.
        max_bytes: usize,
    },
    /// Our own queue is full.
    #[error("too many requests wait for the CRUD service")]
    Crowded,
    /// Something else than a CRUD service says, a page for people perhaps.
    #[error("the CRUD service did not answer with {expected}")]
    Unreadable {
        /// What it should have been.
        expected: &'static str,
    },
    /// It does not take what we send, and nothing shows which part of it.
    #[error("the CRUD service refuses {what}")]
    Refused {
        /// What we sent.
        what: &'static str,
    },
    /// More clients have an id than one.
    #[error("several documents have the id of one client")]
    Ambiguous,
    /// It was asked for one client and told of another.
    #[error("the CRUD service answered with another client than the one that was asked for")]
    Another,
    /// A document that cannot be a client.
    #[error("the document {id} of a client is wrong in {field}")]
    Document {
        /// Its `_id`, where it has one.
        id: String,
        /// The field.
        field: &'static str,
        /// What is wrong with it, where there is more to say.
        #[source]
        cause: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl Mishap {
    /// A request did not get to its end.
    pub(crate) fn transport(error: reqwest::Error) -> Self {
        if error.is_timeout() { Self::Late } else { Self::Transport(error.without_url()) }
    }

    /// Whether a second try may go better at once.
    pub(crate) fn may_be_over(&self) -> bool {
        const TOO_MANY_REQUESTS: u16 = 429;
        match self {
            Self::Transport(_) | Self::Late => true,
            Self::Failing(status) => *status != TOO_MANY_REQUESTS,
            Self::Misplaced(_)
            | Self::Senseless(_)
            | Self::TooLarge { .. }
            | Self::Crowded
            | Self::Unreadable { .. }
            | Self::Refused { .. }
            | Self::Ambiguous
            | Self::Another
            | Self::Document { .. } => false,
        }
    }

    /// Whether nothing of the request can have arrived.
    pub(crate) fn is_before_sending(&self) -> bool {
        matches!(self, Self::Transport(error) if error.is_connect())
    }
}

impl From<Mishap> for Fault {
    fn from(mishap: Mishap) -> Self {
        match mishap {
            Mishap::Transport(_) | Mishap::Late | Mishap::Failing(_) | Mishap::Misplaced(_) => {
                Self::unavailable(mishap)
            }
            Mishap::Crowded => Self::overloaded(mishap),
            Mishap::Senseless(_)
            | Mishap::TooLarge { .. }
            | Mishap::Unreadable { .. }
            | Mishap::Refused { .. }
            | Mishap::Ambiguous
            | Mishap::Another
            | Mishap::Document { .. } => Self::corrupt(mishap),
        }
    }
}

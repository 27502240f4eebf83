//! What can go wrong on the way to a server and back.

use std::error::Error;
use std::io;

use domain::gateway::FetchFailure;

/// One try that brought no answer.
#[derive(Debug)]
pub(crate) enum Mishap {
    /// It took too long.
    Late,
    /// The connection was refused, or broke.
    Broken(reqwest::Error),
    /// The server is not who it should be.
    Untrusted(reqwest::Error),
    /// More was sent than anybody wants to read.
    TooLarge,
}

impl Mishap {
    pub(crate) fn transport(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_timeout() {
            Self::Late
        } else if is_about_trust(&error) {
            Self::Untrusted(error)
        } else {
            Self::Broken(error)
        }
    }

    /// Whether another try may go better.
    pub(crate) fn may_be_over(&self) -> bool {
        match self {
            Self::Late | Self::Broken(_) => true,
            Self::Untrusted(_) | Self::TooLarge => false,
        }
    }
}

impl From<Mishap> for FetchFailure {
    fn from(mishap: Mishap) -> Self {
        match mishap {
            Mishap::Late => Self::Late,
            Mishap::Broken(error) | Mishap::Untrusted(error) => Self::Unreachable(Box::new(error)),
            Mishap::TooLarge => Self::Unusable("the answer is longer than a mebibyte"),
        }
    }
}

/// Whether rustls itself refused the server: a connection that broke during the handshake is
/// another matter.
fn is_about_trust(error: &(dyn Error + 'static)) -> bool {
    if error.is::<rustls::Error>() {
        return true;
    }
    // An error of I/O names the source of what it wraps as its own, and what it wraps not at all.
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped.is_some_and(|it| is_about_trust(it)) || error.source().is_some_and(is_about_trust)
}

//! What a test can make the service do, and what it can see of it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How a request is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It is carried out and answered.
    Well,
    /// It waits so long, then it is carried out and answered.
    Slow(Duration),
    /// It is not carried out, and answered with this status.
    Failing(u16),
    /// It is carried out, and answered with this status as if it had not been.
    FailingAfter(u16),
    /// It is neither carried out nor answered.
    Hanging,
    /// The connection is cut, nothing is carried out.
    CutBefore,
    /// It is carried out, then the connection is cut.
    CutAfter,
    /// It is carried out; the answer is a complete body that ends in the middle of its JSON.
    Truncated,
    /// It is carried out; the body ends before the length that was promised.
    CutInBody,
    /// A page for people, with status 200.
    Html,
    /// More JSON than anybody should read.
    Huge,
    /// This body, with status 200.
    Saying(&'static str),
    /// See there.
    Elsewhere(String),
}

/// A request that came in.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// Its method.
    pub method: String,
    /// Its path, with the query as it was written.
    pub target: String,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl RecordedRequest {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// The path without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// The moods that are set, and the requests that were seen.
#[derive(Debug)]
pub(crate) struct Stage {
    mood: Mutex<Mood>,
    later: Mutex<Option<Later>>,
    next: Mutex<Vec<Once>>,
    requests: Mutex<VecDeque<RecordedRequest>>,
    memory: usize,
}

/// A mood that comes after some requests.
#[derive(Debug)]
struct Later {
    count: usize,
    mood: Mood,
}

#[derive(Debug)]
struct Once {
    method: String,
    path_end: String,
    mood: Mood,
}

impl Stage {
    pub(crate) fn new(memory: usize) -> Self {
        Self {
            mood: Mutex::new(Mood::Well),
            later: Mutex::default(),
            next: Mutex::default(),
            requests: Mutex::default(),
            memory,
        }
    }

    pub(crate) fn set(&self, mood: Mood) {
        *locked(&self.later) = None;
        *locked(&self.mood) = mood;
    }

    pub(crate) fn set_after(&self, count: usize, mood: Mood) {
        *locked(&self.later) = Some(Later { count, mood });
    }

    pub(crate) fn meet_next(&self, method: &str, path_end: &str, mood: Mood) {
        let once = Once { method: method.to_owned(), path_end: path_end.to_owned(), mood };
        locked(&self.next).push(once);
    }

    /// How this request is met.
    pub(crate) fn mood_for(&self, request: &RecordedRequest) -> Mood {
        let mut next = locked(&self.next);
        let position = next.iter().position(|once| {
            once.method == request.method && request.path().ends_with(&once.path_end)
        });
        if let Some(position) = position {
            return next.remove(position).mood;
        }
        self.count_down();
        locked(&self.mood).clone()
    }

    fn count_down(&self) {
        let mut later = locked(&self.later);
        match later.as_mut() {
            None => (),
            Some(Later { count: 0, mood }) => {
                *locked(&self.mood) = mood.clone();
                *later = None;
            }
            Some(later) => later.count -= 1,
        }
    }

    pub(crate) fn record(&self, request: RecordedRequest) {
        let mut requests = locked(&self.requests);
        requests.push_back(request);
        while self.memory < requests.len() {
            requests.pop_front();
        }
    }

    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        locked(&self.requests).iter().cloned().collect()
    }

    pub(crate) fn forget_requests(&self) {
        locked(&self.requests).clear();
    }
}

/// Nothing in here is half-changed by a panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

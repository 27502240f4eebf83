//! A small CRUD service: documents of one MongoDB collection over HTTP.
//!
//! It keeps to what is known of the vendor's crud-service (its queries, states, status codes and
//! oddities), so that stacks and tests need no image of somebody else's. Beyond that it can be put
//! into a [`Mood`], and it keeps the requests that it got: what a test of a client needs.
//!
//! It keeps one promise more than the original, which is written in JavaScript: a number comes out
//! as it went in, also where a double would round it.

mod answer;
mod collection;
mod definition;
mod field_value;
mod http;
mod json;
mod mood;
mod options;
mod query;
mod refusal;
mod service;
mod state;

pub use definition::{Definition, Kind};
pub use mood::{Mood, RecordedRequest};
pub use options::{Dialect, Options};
pub use service::{CrudService, StartError, run};
pub use state::State;

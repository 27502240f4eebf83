//! A client as a document of the collection, and back.

mod believed;
pub(crate) mod field;
mod sent;
mod stored;

pub(crate) use sent::{fields, update};
pub(crate) use stored::{Stored, Version};

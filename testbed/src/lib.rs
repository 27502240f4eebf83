//! Real servers for tests: started, stopped, cut off and slowed down.
//!
//! Every server listens on the loopback interface only, keeps its data in a folder of its own, and
//! ends with the value that stands for it, or with the *thread* that started it (`PDEATHSIG`): start
//! it on the thread of the test, not on one of a pool.

#![expect(clippy::print_stderr, reason = "whoever runs tests sees what is installed for them")]

pub mod foreign;
pub mod forwarder;
mod install;
pub mod mongodb;
pub mod postgres;
pub mod process;
pub mod redis;
#[cfg(feature = "replica-set")]
pub mod replica_set;
pub mod wheel;

pub use install::ensure;

//! The promises of the port, and the floods that must be survived.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod contract;
mod hasher;
mod remembering;
mod sealing;
mod support;

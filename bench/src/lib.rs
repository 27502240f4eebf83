//! How fast it is: raw signing rates, a load generator, and what is needed to put them side by
//! side. The binaries say how to run them with `--help`.

pub mod client;
pub mod http;
pub mod key_client;
pub mod load;
pub mod process;
pub mod rate;
pub mod raw;
pub mod statistics;
pub mod timing;

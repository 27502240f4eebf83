//! Whether refusals can be told apart by how long they take (threat T22).

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::SocketAddr,
    time::Instant,
};

use crate::http::{Connection, Request, Response};

/// One way to be refused.
#[derive(Clone, Debug)]
pub struct Case {
    /// What a person calls it.
    pub name: &'static str,
    /// The request that is refused.
    pub request: Request,
}

/// How long one kind of refusal took.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The case's name.
    pub name: &'static str,
    /// The answer, which was the same each time.
    pub response: Response,
    /// Microseconds, in the order of the rounds.
    pub microseconds: Vec<f64>,
}

/// Asks for each case once a round, one request at a time, in an order that is drawn anew for each
/// round, so that no case always follows the same other one.
///
/// # Errors
///
/// Any [`io::Error`], also if a case is answered in two different ways.
pub fn sample(address: SocketAddr, cases: &[Case], rounds: usize) -> io::Result<Vec<Sample>> {
    let mut connection = Connection::new(address);
    let mut samples = Vec::with_capacity(cases.len());
    for case in cases {
        // The first answer is not counted: it fills caches, and opens the connection.
        let response = connection.exchange(&case.request)?;
        samples.push(Sample { name: case.name, response, microseconds: Vec::new() });
    }

    let keys = RandomState::new();
    let mut order: Vec<usize> = (0..cases.len()).collect();
    for round in 0..rounds {
        order.sort_by_key(|case| keys.hash_one((round, case)));
        for index in &order {
            let (Some(case), Some(sample)) = (cases.get(*index), samples.get_mut(*index)) else {
                continue;
            };
            let start = Instant::now();
            let response = connection.exchange(&case.request)?;
            sample.microseconds.push(start.elapsed().as_secs_f64() * 1e6);
            if response != sample.response {
                return Err(io::Error::other(format!(
                    "{}: answered {} {} and later {} {}",
                    case.name,
                    sample.response.status,
                    sample.response.text(),
                    response.status,
                    response.text()
                )));
            }
        }
    }
    Ok(samples)
}

//! What a server takes to remember clients and the secrets that verified.

use std::{error::Error, thread, time::Duration};

use crate::{
    Options, give_tokens,
    population::{Population, Scheme},
};

/// What was measured.
#[derive(Debug)]
pub(crate) struct Memory {
    /// How many clients were given a token.
    pub(crate) clients: u32,
    pub(crate) idle_kib: u64,
    /// After one token for each.
    pub(crate) warm_kib: u64,
    /// After another one for each.
    pub(crate) again_kib: u64,
    /// Tokens a second the first time: a bcrypt verification is in each.
    pub(crate) first_per_second: f64,
    /// The second time: the secret is remembered, the client may have to be read again.
    pub(crate) again_per_second: f64,
}

/// What the background has to do, it has done by then: notes are written once a second.
pub(crate) const SETTLED: Duration = Duration::from_secs(3);

/// Gives two tokens to each client.
pub(crate) fn measure(options: &Options) -> Result<Memory, Box<dyn Error>> {
    let clients = options.clients;
    eprintln!("memory: storing {clients} clients");
    let population = Population::make(options, clients, Scheme::Bcrypt)?;
    let server = population.server(options)?;
    thread::sleep(SETTLED);
    let idle_kib = server.resident_kib()?;

    eprintln!("memory: giving a token to each");
    let first_per_second = give_tokens(&server, &population, 0..clients)?;
    thread::sleep(SETTLED);
    let warm_kib = server.resident_kib()?;
    eprintln!("memory: giving another one to each");
    let again_per_second = give_tokens(&server, &population, 0..clients)?;
    thread::sleep(SETTLED);
    let again_kib = server.resident_kib()?;
    server.stop()?;
    Ok(Memory { clients, idle_kib, warm_kib, again_kib, first_per_second, again_per_second })
}

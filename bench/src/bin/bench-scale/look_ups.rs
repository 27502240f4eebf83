//! How long it takes to find a client among few and among many, and whether memory stays bounded
//! when more of them come than are remembered.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::{error::Error, thread, time::Instant};

use bench::{
    http::{Connection, Request},
    process::Server,
};

use crate::{
    Options, give_tokens,
    memory::SETTLED,
    population::{Population, Scheme},
};

/// The numbers of clients beside the largest one.
const SIZES: [u32; 2] = [1_000, 100_000];

/// Rounds that are not counted: they open connections and fill the store's own caches.
const WARM_UP: u32 = 20;

/// A prime: its multiples name different clients, all over the store.
const STRIDE: u64 = 7_919;

/// The clients that are touched between two looks at the server's memory: as many as it remembers.
const CHUNK: u32 = 100_000;

/// What was measured.
#[derive(Debug)]
pub(crate) struct LookUps {
    pub(crate) sizes: Vec<Size>,
    /// How many clients were touched, and the server's memory then, in KiB.
    pub(crate) touched: Vec<(u32, u64)>,
}

/// What was measured with one number of clients.
#[derive(Debug)]
pub(crate) struct Size {
    pub(crate) stored: u32,
    /// Microseconds of the first token of a client: client and hash are read from the store.
    pub(crate) first_tokens: Vec<f64>,
    /// Microseconds of `GET /clients/ID`, which is never answered from memory.
    pub(crate) finds: Vec<f64>,
}

struct Candidate {
    population: Population,
    server: Server,
    connection: Connection,
    size: Size,
}

/// Looks up clients one at a time, in turns, then touches many of the largest number.
pub(crate) fn measure(options: &Options) -> Result<LookUps, Box<dyn Error>> {
    let sizes = SIZES.into_iter().filter(|size| *size < options.stored).chain([options.stored]);
    let mut candidates = Vec::new();
    for size in sizes {
        eprintln!("look-ups: storing {size} clients");
        let population = Population::make(options, size, Scheme::Keyed)?;
        let server = population.server(options)?;
        let connection = Connection::new(server.address);
        let size = Size { stored: size, first_tokens: Vec::new(), finds: Vec::new() };
        candidates.push(Candidate { population, server, connection, size });
    }

    eprintln!("look-ups: looking up {} of each", options.samples);
    for round in 0..WARM_UP + options.samples {
        // Another one begins each round.
        candidates.rotate_left(1);
        for candidate in &mut candidates {
            candidate.look_up(round)?;
        }
    }
    candidates.sort_by_key(|it| it.size.stored);

    let mut touched = Vec::new();
    let mut sizes = Vec::new();
    for candidate in candidates {
        if candidate.size.stored == options.stored {
            touched = touch(options, &candidate.population)?;
        }
        candidate.server.stop()?;
        sizes.push(candidate.size);
    }
    Ok(LookUps { sizes, touched })
}

impl Candidate {
    fn look_up(&mut self, round: u32) -> Result<(), Box<dyn Error>> {
        let client = |step: u64| {
            u32::try_from(step * STRIDE % u64::from(self.population.size)).unwrap_or_default()
        };
        // Not the same one: the store has just read the one that asked for a token.
        let step = u64::from(round);
        let token = self.population.token_request(client(step));
        let find = self.population.management_request(client(step + u64::from(u32::MAX)));
        let first_token = self.timed(&token)?;
        let find = self.timed(&find)?;
        if WARM_UP <= round {
            self.size.first_tokens.push(first_token);
            self.size.finds.push(find);
        }
        Ok(())
    }

    fn timed(&mut self, request: &Request) -> Result<f64, Box<dyn Error>> {
        let start = Instant::now();
        let response = self.connection.exchange(request)?;
        let microseconds = start.elapsed().as_secs_f64() * 1e6;
        if response.status == 200 {
            return Ok(microseconds);
        }
        let (status, text, log) = (response.status, response.text(), self.server.log_tail());
        Err(format!("{} stored: {status} {text}\n{log}", self.size.stored).into())
    }
}

/// Gives a token to each of many clients of a new server.
fn touch(options: &Options, population: &Population) -> Result<Vec<(u32, u64)>, Box<dyn Error>> {
    let server = population.server(options)?;
    thread::sleep(SETTLED);
    let mut touched = vec![(0, server.resident_kib()?)];
    let most = options.touched.min(population.size);
    let mut next = 0;
    while next < most {
        let end = next.saturating_add(CHUNK).min(most);
        eprintln!("look-ups: giving tokens to the clients {next} to {end}");
        give_tokens(&server, population, next..end)?;
        thread::sleep(SETTLED);
        touched.push((end, server.resident_kib()?));
        next = end;
    }
    server.stop()?;
    Ok(touched)
}

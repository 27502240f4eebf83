//! Load: requests, sent over connections that are kept.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::{
    cell::RefCell,
    collections::VecDeque,
    error::Error,
    io,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
    vec,
};

use hdrhistogram::Histogram;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime,
    sync::Semaphore,
    task::{JoinSet, LocalSet, yield_now},
    time::{sleep, timeout},
};

use crate::http::{Head, Request};

/// How long the answers to what was sent may take, when nothing more is sent.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest latency that is told from longer ones.
const MOST_MICROSECONDS: u64 = 60_000_000;

/// What is asked of a server.
#[derive(Clone, Debug)]
pub struct Load {
    /// Who is asked.
    pub address: SocketAddr,
    /// What is asked.
    pub requests: Requests,
    /// How many connections ask.
    pub connections: usize,
    /// For how long, at most.
    pub duration: Duration,
    /// How many requests are sent each second, whether or not answers come (an open loop). With
    /// `None` each connection sends the next one when it has its answer (a closed loop).
    pub rate: Option<f64>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Requests {
    /// One request, again and again.
    Again(Request),
    /// These in turns, again and again.
    InTurns(Vec<Request>),
    /// Each of these once; the load ends with the last.
    Once(Vec<Request>),
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Requests that were answered with 200.
    pub requests: u64,
    /// Requests that were not.
    pub errors: u64,
    /// What the first of those was answered, or why it was not.
    pub first_error: Option<String>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Of the requests that were answered with 200. In an open loop they count from when the
    /// request was due, not from when a connection was free to send it: a server that stalls
    /// cannot hide what it did to those who waited.
    pub microseconds: Histogram<u64>,
}

impl Outcome {
    /// Requests per second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "requests are far fewer than 2^52")]
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }
}

/// Puts a load on a server, from one thread.
///
/// # Errors
///
/// If the load cannot be made at all; a server that fails is in the [`Outcome`].
pub fn run(load: &Load) -> Result<Outcome, Box<dyn Error>> {
    let tally = Rc::new(RefCell::new(Tally {
        errors: 0,
        first_error: None,
        microseconds: Histogram::new_with_bounds(1, MOST_MICROSECONDS, 3)?,
    }));
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let start = Instant::now();
    let local = LocalSet::new();
    runtime.block_on(local.run_until(async {
        let all = async {
            match load.rate {
                None => closed_loop(load, start, &tally).await,
                Some(rate) => open_loop(load, rate, start, &tally).await,
            }
        };
        if timeout(load.duration + PATIENCE, all).await.is_err() {
            tally.borrow_mut().fail(&"answers are missing");
        }
    }));
    drop(local);
    let elapsed = start.elapsed();

    let tally = tally.borrow().clone();
    Ok(Outcome {
        requests: tally.microseconds.len(),
        errors: tally.errors,
        first_error: tally.first_error,
        elapsed,
        microseconds: tally.microseconds,
    })
}

async fn closed_loop(load: &Load, start: Instant, tally: &Rc<RefCell<Tally>>) {
    let supply = Supply::of(load);
    let awake = match load.requests {
        // Never sleeps, so that the server's core does not pay for waking this one: on a virtual
        // machine that costs some ten microseconds an answer, and is not the server's doing.
        Requests::Again(_) | Requests::InTurns(_) => Some(tokio::task::spawn_local(async {
            loop {
                yield_now().await;
            }
        })),
        // What is asked for once is fetched from a store, which runs on this core, too.
        Requests::Once(_) => None,
    };
    let mut workers = JoinSet::new();
    for _ in 0..load.connections {
        let mut worker = Worker::new(load, tally);
        let (duration, supply) = (load.duration, Rc::clone(&supply));
        workers.spawn_local(async move {
            while start.elapsed() < duration {
                let next = supply.borrow_mut().next();
                let Some(request) = next else { break };
                worker.send(&request, Instant::now()).await;
            }
        });
    }
    workers.join_all().await;
    if let Some(awake) = awake {
        awake.abort();
    }
}

async fn open_loop(load: &Load, rate: f64, start: Instant, tally: &Rc<RefCell<Tally>>) {
    let supply = Supply::of(load);
    let due = Rc::new(RefCell::new(VecDeque::<(Instant, Request)>::new()));
    let waiting = Rc::new(Semaphore::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..load.connections {
        let mut worker = Worker::new(load, tally);
        let (due, waiting) = (Rc::clone(&due), Rc::clone(&waiting));
        workers.spawn_local(async move {
            while let Ok(permit) = waiting.acquire().await {
                permit.forget();
                // The end is a permit without a request.
                let next = due.borrow_mut().pop_front();
                let Some((moment, request)) = next else { break };
                worker.send(&request, moment).await;
            }
        });
    }

    let mut sent = 0_u32;
    loop {
        let offset = Duration::from_secs_f64(f64::from(sent) / rate);
        if offset >= load.duration {
            break;
        }
        let next = supply.borrow_mut().next();
        let Some(request) = next else { break };
        wait_until(start + offset).await;
        due.borrow_mut().push_back((start + offset, request));
        waiting.add_permits(1);
        sent += 1;
    }
    waiting.add_permits(load.connections);
    workers.join_all().await;
}

/// Timers tick in milliseconds: the last ones are spent looking at the clock.
async fn wait_until(moment: Instant) {
    const COARSE: Duration = Duration::from_millis(2);
    loop {
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        match left.checked_sub(COARSE) {
            Some(coarse) => sleep(coarse).await,
            None => yield_now().await,
        }
    }
}

/// What is still to be asked.
#[derive(Debug)]
enum Supply {
    Again(Request),
    InTurns(VecDeque<Request>),
    Once(vec::IntoIter<Request>),
}

impl Supply {
    fn of(load: &Load) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(match &load.requests {
            Requests::Again(request) => Self::Again(request.clone()),
            Requests::InTurns(requests) => Self::InTurns(requests.iter().cloned().collect()),
            Requests::Once(requests) => Self::Once(requests.clone().into_iter()),
        }))
    }

    fn next(&mut self) -> Option<Request> {
        match self {
            Self::Again(request) => Some(request.clone()),
            Self::InTurns(requests) => {
                requests.rotate_left(1.min(requests.len()));
                requests.back().cloned()
            }
            Self::Once(requests) => requests.next(),
        }
    }
}

#[derive(Clone, Debug)]
struct Tally {
    errors: u64,
    first_error: Option<String>,
    microseconds: Histogram<u64>,
}

impl Tally {
    fn succeed(&mut self, latency: Duration) {
        let microseconds = u64::try_from(latency.as_micros()).unwrap_or(MOST_MICROSECONDS);
        self.microseconds.saturating_record(microseconds);
    }

    fn fail(&mut self, reason: &dyn ToString) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| reason.to_string());
    }
}

/// One connection.
#[derive(Debug)]
struct Worker {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    tally: Rc<RefCell<Tally>>,
}

impl Worker {
    fn new(load: &Load, tally: &Rc<RefCell<Tally>>) -> Self {
        Self {
            address: load.address,
            stream: None,
            buffer: Vec::with_capacity(16 * 1024),
            tally: Rc::clone(tally),
        }
    }

    /// Sends a request that was due at `moment`.
    async fn send(&mut self, request: &Request, moment: Instant) {
        match self.exchange(request).await {
            Ok(200) => self.tally.borrow_mut().succeed(moment.elapsed()),
            Ok(status) => {
                let body = String::from_utf8_lossy(&self.buffer);
                self.tally.borrow_mut().fail(&format!("{status}: {body}"));
            }
            Err(error) => {
                self.tally.borrow_mut().fail(&error);
                // A server that is gone is not asked as fast as a loop can.
                sleep(Duration::from_millis(10)).await;
            }
        }
    }

    async fn exchange(&mut self, request: &Request) -> io::Result<u16> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address).await?,
        };
        stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let head = loop {
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = Head::parse(&self.buffer).map_err(io::Error::other)?
                && self.buffer.len() >= head.head_length + head.body_length
            {
                break head;
            }
        };
        if !head.is_last {
            self.stream = Some(stream);
        }
        Ok(head.status)
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supply(requests: Requests) -> Rc<RefCell<Supply>> {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let duration = Duration::ZERO;
        Supply::of(&Load { address, requests, connections: 1, duration, rate: None })
    }

    #[test]
    fn each_request_of_once_is_asked_once_and_in_order() {
        let requests = ["/a", "/b"].map(|path| Request::new("GET", path, &[], ""));

        let supply = supply(Requests::Once(requests.to_vec()));

        for request in &requests {
            let next = supply.borrow_mut().next().unwrap();
            assert_eq!(next.as_bytes(), request.as_bytes());
        }
        assert!(supply.borrow_mut().next().is_none());
    }

    #[test]
    fn turns_begin_again_after_the_last() {
        let requests = ["/a", "/b"].map(|path| Request::new("GET", path, &[], ""));

        let supply = supply(Requests::InTurns(requests.to_vec()));

        for request in requests.iter().chain(&requests) {
            let next = supply.borrow_mut().next().unwrap();
            assert_eq!(next.as_bytes(), request.as_bytes());
        }
    }

    #[test]
    fn again_never_ends() {
        let supply = supply(Requests::Again(Request::new("GET", "/", &[], "")));

        assert!((0..100).all(|_| supply.borrow_mut().next().is_some()));
    }
}

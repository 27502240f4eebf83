//! A TCP forwarder with a bad temper: what stands between a server and its database.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "tests speak by panicking"
)]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// What happens to bytes on their way.
#[derive(Clone, Debug)]
pub enum Mood {
    /// They pass.
    Open,
    /// Nobody listens, and all connections are cut.
    Out,
    /// Connections stay, and nothing passes; what was sent on one that was given up meanwhile never
    /// arrives.
    Stalled,
    /// What goes to the database is held back for so long.
    Slow(Duration),
    /// The next connection that sends this text to the database is cut; before the database reads
    /// it, or after it did and before its answer is read. Then all is well again.
    CutAt(&'static str, When),
    /// From the moment when a connection sends this text to the database nothing passes.
    StallAt(&'static str),
}

/// When a connection is cut.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// Before the database reads what was sent.
    Before,
    /// After it read that, before its answer is read.
    After,
}

/// Forwards a port of this machine to an address.
#[derive(Debug)]
pub struct Forwarder {
    shared: Arc<Shared>,
    /// The port.
    pub port: u16,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    mood: Mutex<Mood>,
    sockets: Mutex<Vec<TcpStream>>,
    has_ended: AtomicBool,
}

impl Forwarder {
    /// Forwards to `upstream`.
    #[must_use]
    pub fn start(upstream: String, mood: Mood) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream,
            mood: Mutex::new(mood),
            sockets: Mutex::default(),
            has_ended: AtomicBool::new(false),
        });
        let listening = Arc::clone(&shared);
        thread::spawn(move || listening.listen(address));
        Self { shared, port: address.port() }
    }

    /// Changes what happens.
    pub fn set(&self, mood: Mood) {
        let is_out = matches!(mood, Mood::Out);
        *self.shared.mood() = mood;
        if is_out {
            self.shared.cut_all();
        }
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Ordering::SeqCst);
        self.shared.cut_all();
    }
}

impl Shared {
    fn mood(&self) -> MutexGuard<'_, Mood> {
        self.mood.lock().unwrap()
    }

    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    fn cut_all(&self) {
        for socket in self.sockets.lock().unwrap().drain(..) {
            drop(socket.shutdown(Shutdown::Both));
        }
    }

    fn listen(self: &Arc<Self>, address: SocketAddr) {
        let mut listener = None;
        while !self.has_ended() {
            if matches!(*self.mood(), Mood::Out) {
                listener = None;
            } else if let Some(listening) = &listener {
                self.accept(listening);
            } else {
                let bound = TcpListener::bind(address).unwrap();
                bound.set_nonblocking(true).unwrap();
                listener = Some(bound);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        let near = match listener.accept() {
            Ok((near, _)) => near,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("the forwarder cannot accept: {error}"),
        };
        near.set_nonblocking(false).unwrap();
        let far = TcpStream::connect(&self.upstream).unwrap();
        for socket in [&near, &far] {
            socket.set_nodelay(true).unwrap();
            self.sockets.lock().unwrap().push(socket.try_clone().unwrap());
        }
        let (to_far, to_near) = (Arc::clone(self), Arc::clone(self));
        let (near_end, far_end) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        thread::spawn(move || to_far.carry(near_end, far_end, true));
        thread::spawn(move || to_near.carry(far, near, false));
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream, is_question: bool) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let bytes = &buffer[..length];
            if !self.pass(bytes, &from, &mut to, is_question) {
                break;
            }
        }
        drop(from.shutdown(Shutdown::Both));
        drop(to.shutdown(Shutdown::Both));
    }

    /// Whether the connection goes on.
    fn pass(&self, bytes: &[u8], from: &TcpStream, to: &mut TcpStream, is_question: bool) -> bool {
        loop {
            let mood = self.mood().clone();
            match mood {
                Mood::Out => return false,
                Mood::Stalled if self.has_ended() => return false,
                Mood::Stalled if is_given_up(from) => return false,
                Mood::Stalled => thread::sleep(Duration::from_millis(5)),
                Mood::Slow(delay) if is_question => {
                    thread::sleep(delay);
                    return to.write_all(bytes).is_ok();
                }
                Mood::CutAt(text, when) if is_question && holds(bytes, text) => {
                    *self.mood() = Mood::Open;
                    drop(from.shutdown(Shutdown::Both));
                    if matches!(when, When::After) {
                        drop(to.write_all(bytes));
                        // It is carried out, though nobody hears of it.
                        thread::sleep(Duration::from_millis(300));
                    }
                    return false;
                }
                Mood::StallAt(text) if is_question && holds(bytes, text) => {
                    *self.mood() = Mood::Stalled;
                }
                Mood::Open | Mood::Slow(_) | Mood::CutAt(..) | Mood::StallAt(_) => {
                    return to.write_all(bytes).is_ok();
                }
            }
        }
    }
}

/// Whether the other side said anything more: a client of a database waits for its answer, and
/// before it only says goodbye.
fn is_given_up(socket: &TcpStream) -> bool {
    socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let seen = socket.peek(&mut [0]);
    socket.set_read_timeout(None).unwrap();
    seen.err().is_none_or(|it| !matches!(it.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

//! The MongoDB server of the tests.

use std::sync::{Arc, Mutex, Weak, mpsc};
use std::thread::{self, JoinHandle};

use testbed::mongodb::MongoServer;

/// A server that is there as long as anybody holds this: the one that the tests were given, or one
/// of their own, which leaves nothing behind.
pub(crate) struct Mongo {
    pub(crate) url: String,
    own: Option<Own>,
}

struct Own {
    end: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Mongo {
    /// The server that others use now, or a new one.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Mongo>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap();
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let server = Arc::new(Self::given().unwrap_or_else(Self::start));
        *shared = Arc::downgrade(&server);
        server
    }

    #[expect(clippy::disallowed_methods, reason = "tests are told where MongoDB is")]
    fn given() -> Option<Self> {
        let url = std::env::var("TOKENWRIGHT_TEST_MONGODB_URL").ok()?;
        Some(Self { url, own: None })
    }

    fn start() -> Self {
        let (started, url) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        // A server ends with the thread that started it, so it gets one that outlives the tests.
        let thread = thread::spawn(move || {
            let server = MongoServer::start().unwrap();
            started.send(server.url()).unwrap();
            let _ = ended.recv();
        });
        Self { url: url.recv().unwrap(), own: Some(Own { end, thread }) }
    }
}

impl Drop for Mongo {
    fn drop(&mut self) {
        if let Some(own) = self.own.take() {
            drop(own.end);
            own.thread.join().unwrap();
        }
    }
}

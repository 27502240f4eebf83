//! The stand-in for the vendor's crud-service, for as long as the benchmark runs.

use std::{error::Error, fs::File, net::TcpStream, process::Child, thread, time::Duration};

use bench::process;

use crate::{OTHER_CPU, Options};

/// How often it is asked whether it is there.
const PAUSE: Duration = Duration::from_millis(20);

/// How often before that is hopeless.
const ATTEMPTS: usize = 1_000;

/// A running crud-service with one collection, of clients that are in use from the start. It is
/// killed when this value is dropped.
#[derive(Debug)]
pub(crate) struct CrudService {
    /// The collection.
    pub(crate) url: String,
    child: Child,
}

impl CrudService {
    /// Starts it, and waits until it listens.
    pub(crate) fn start(options: &Options) -> Result<Self, Box<dyn Error>> {
        let address = process::free_address()?;
        let log = File::create(options.directory.join("crud-service.log"))?;
        let child = process::pinned(&process::sibling("crud-service")?, OTHER_CPU)
            .env("MONGODB_URL", &options.mongodb)
            .env("HTTP_PORT", address.port().to_string())
            .env("COLLECTION_DEFINITION", "extended")
            .env("DEFAULT_STATE", "PUBLIC")
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut service = Self { url: format!("http://{address}/clients"), child };

        // It listens when its collection is ready.
        for _ in 0..ATTEMPTS {
            if TcpStream::connect(address).is_ok() {
                return Ok(service);
            }
            if let Some(status) = service.child.try_wait()? {
                return Err(format!("the crud-service ended: {status}").into());
            }
            thread::sleep(PAUSE);
        }
        Err("the crud-service does not listen".into())
    }
}

impl Drop for CrudService {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

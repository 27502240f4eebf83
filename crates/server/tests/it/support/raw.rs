//! Bytes over TCP, where a well-behaved client is in the way.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::Server;

/// A connection on which anything may be said.
pub(crate) struct Raw(TcpStream);

impl Raw {
    /// Connects.
    pub(crate) fn to(server: &Server) -> Self {
        let address = server.url.split_once("://").unwrap().1;
        let address = address.split('/').next().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
        Self(stream)
    }

    /// Says something; `false` when nobody listens any more.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).is_ok()
    }

    /// Has nothing more to say.
    pub(crate) fn end(&mut self) {
        drop(self.0.shutdown(Shutdown::Write));
    }

    /// Reads until the server closes the connection, which it must within 30 seconds.
    pub(crate) fn all(&mut self) -> String {
        let mut bytes = Vec::new();
        if let Err(error) = self.0.read_to_end(&mut bytes) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}: {bytes:?}");
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Reads one answer: its head, and as much of a body as `content-length` says.
    pub(crate) fn one(&mut self) -> String {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while !bytes.ends_with(b"\r\n\r\n") {
            let read = self.0.read(&mut byte).unwrap();
            assert_eq!(read, 1, "closed after {:?}", String::from_utf8_lossy(&bytes));
            bytes.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&bytes).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |it| it.parse().unwrap())];
        self.0.read_exact(&mut body).unwrap();
        bytes.extend(body);
        String::from_utf8(bytes).unwrap()
    }
}

/// Says something on a connection of its own and reads until the server closes it.
pub(crate) fn exchange(server: &Server, bytes: impl AsRef<[u8]>) -> String {
    let mut raw = Raw::to(server);
    raw.say(bytes);
    raw.all()
}

/// The statuses of all answers in a text.
pub(crate) fn statuses(text: &str) -> Vec<u16> {
    let answers = text.split("HTTP/1.1 ").skip(1);
    answers.map(|it| it.get(..3).unwrap().parse().unwrap()).collect()
}

/// A `POST` of a form with a right length, and more header lines.
pub(crate) fn form_request(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

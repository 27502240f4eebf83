//! As much HTTP/1.1 as a load generator needs: one request sent often, and answers with a
//! `Content-Length`.

use std::{
    error::Error,
    fmt, io,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    str,
    sync::Arc,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};

/// How long an answer may take before it counts as missing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request, ready to be sent again and again. A clone costs next to nothing.
#[derive(Clone, Debug)]
pub struct Request(Arc<[u8]>);

impl Request {
    /// `headers` are complete lines without their ends.
    #[must_use]
    pub fn new(method: &str, path: &str, headers: &[&str], body: &str) -> Self {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        let length = body.len();
        Self(format!("{head}Content-Length: {length}\r\n\r\n{body}").into_bytes().into())
    }

    /// A client credentials grant, authenticated by `client_secret_basic`.
    ///
    /// `id` and `secret` are taken as they are: those that this server makes hold nothing that
    /// would have to be encoded.
    #[must_use]
    pub fn token(path: &str, id: &str, secret: &str) -> Self {
        Self::authenticated(path, id, secret, "grant_type=client_credentials")
    }

    /// A form that is posted, authenticated as [`Request::token`] is.
    #[must_use]
    pub fn authenticated(path: &str, id: &str, secret: &str, form: &str) -> Self {
        let basic = STANDARD.encode(format!("{id}:{secret}"));
        Self::new(
            "POST",
            path,
            &[
                &format!("Authorization: Basic {basic}"),
                "Content-Type: application/x-www-form-urlencoded",
            ],
            form,
        )
    }

    /// What goes over the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as text, for a person.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What the head of an answer says about the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Bytes of the head, its empty line included.
    pub head_length: usize,
    /// Bytes of the body.
    pub body_length: usize,
    /// Whether the server ends the connection after this answer.
    pub is_last: bool,
}

impl Head {
    /// Reads the head at the start of `bytes`; `None` if it is not complete yet.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if no more bytes can make it an answer that this client understands.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = bytes.get(..end).and_then(|head| str::from_utf8(head).ok()).ok_or(Malformed)?;
        let mut lines = text.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1.1 "))
            .and_then(|rest| rest.get(..3))
            .and_then(|code| code.parse().ok())
            .ok_or(Malformed)?;
        let mut body_length = None;
        let mut is_last = false;
        for line in lines {
            let (name, value) = line.split_once(':').ok_or(Malformed)?;
            if name.eq_ignore_ascii_case("content-length") {
                body_length = value.trim().parse().ok();
            } else if name.eq_ignore_ascii_case("connection") {
                is_last = value.trim().eq_ignore_ascii_case("close");
            }
        }
        let body_length = match (body_length, status) {
            (Some(length), _) => length,
            (None, 204 | 304) => 0,
            // A chunked body, or one that ends with the connection.
            (None, _) => return Err(Malformed),
        };
        Ok(Some(Self { status, head_length: end + 4, body_length, is_last }))
    }
}

/// The answer is not one that this client understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an HTTP/1.1 answer with a content length")
    }
}

impl Error for Malformed {}

/// A connection that waits for each answer, for everything but load.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    /// A connection that is opened when it is needed.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, buffer: Vec::new() }
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    ///
    /// Any [`io::Error`]; the next call opens a new connection.
    pub fn exchange(&mut self, request: &Request) -> io::Result<Response> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address)?,
        };
        self.buffer.clear();
        stream.write_all(request.as_bytes())?;
        let (head, response) = read_response(&mut stream, &mut self.buffer)?;
        if !head.is_last {
            self.stream = Some(stream);
        }
        Ok(response)
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn read_response(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<(Head, Response)> {
    let mut chunk = [0; 16 * 1024];
    loop {
        if let Some(head) = Head::parse(buffer).map_err(io::Error::other)? {
            let end = head.head_length + head.body_length;
            if let Some(body) = buffer.get(head.head_length..end) {
                return Ok((head, Response { status: head.status, body: body.to_vec() }));
            }
        }
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.extend(chunk.iter().take(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_whole() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nDate: now\r\n\r\nok";

        let head = Head::parse(bytes).unwrap().unwrap();

        assert_eq!(head.status, 200);
        assert_eq!(head.body_length, 2);
        assert_eq!(&bytes[head.head_length..], b"ok");
        assert!(!head.is_last);
    }

    #[test]
    fn half_a_head_is_no_answer_yet() {
        assert_eq!(Head::parse(b"HTTP/1.1 200 OK\r\nContent-Le"), Ok(None));
    }

    #[test]
    fn a_server_that_closes_says_so() {
        let bytes = b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

        assert!(Head::parse(bytes).unwrap().unwrap().is_last);
    }

    #[test]
    fn a_chunked_answer_is_refused() {
        let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

        assert_eq!(Head::parse(bytes), Err(Malformed));
    }
}
